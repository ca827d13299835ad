package memstore

import (
	"bytes"
	"container/heap"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/embedded"
	"github.com/sojourn-go/sojourn/store/storetest"
)

// plain is this store without an index, pages and a wheel of its own: Go's maps, a struct for each
// record, and a heap by the end of life. The benchmarks say what those three are worth.
type plain struct{ shards [256]plainShard }

type plainShard struct {
	mu     sync.RWMutex
	recs   map[store.Key]*plainRecord
	users  map[store.Tag][]*plainRecord
	guards map[store.Tag]time.Time
	ends   plainHeap
}

type plainRecord struct {
	store.Record
	end   time.Time // when to look whether it has ended
	place int       // in the heap, from 1 on
}

type plainHeap []*plainRecord

func (h plainHeap) Len() int           { return len(h) }
func (h plainHeap) Less(i, j int) bool { return h[i].end.Before(h[j].end) }
func (h plainHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}
func (h *plainHeap) Push(x any) {
	r := x.(*plainRecord)
	*h = append(*h, r)
	r.place = len(*h)
}
func (h *plainHeap) Pop() any {
	n := len(*h) - 1
	r := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	return r
}

func newPlain() store.Store {
	p := new(plain)
	for i := range p.shards {
		p.shards[i].recs = map[store.Key]*plainRecord{}
		p.shards[i].users = map[store.Tag][]*plainRecord{}
		p.shards[i].guards = map[store.Tag]time.Time{}
	}
	return embedded.New("plain", p)
}

func (*plain) Traits() store.Traits        { return store.Traits{Volatile: true} }
func (*plain) Clock(t time.Time) time.Time { return t }

func (p *plain) Read(_ context.Context, key store.Key, data bool) (store.Record, error) {
	sh := &p.shards[key.Tag[0]]
	sh.mu.RLock()
	r := sh.recs[key]
	if r == nil {
		sh.mu.RUnlock()
		return store.Record{}, store.ErrNotFound
	}
	rec := r.Record
	sh.mu.RUnlock()
	rec.Meta, rec.Data = bytes.Clone(rec.Meta), bytes.Clone(rec.Data)
	return rec, nil
}

func (p *plain) Write(_ context.Context, tag store.Tag, decide func(embedded.View) (embedded.Change, error)) error {
	sh := &p.shards[tag[0]]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return embedded.Apply(plainView{sh, tag}, decide)
}

func (p *plain) List(_ context.Context, user string, f func(*store.Record, error) bool) error {
	for i := range p.shards {
		sh := &p.shards[i]
		sh.mu.RLock()
		var recs []store.Record
		for _, r := range sh.recs {
			if user == "" || r.User == user {
				recs = append(recs, r.Record)
			}
		}
		sh.mu.RUnlock()
		for i := range recs {
			recs[i].Meta, recs[i].Data = bytes.Clone(recs[i].Meta), nil
			if !f(&recs[i], nil) {
				return nil
			}
		}
	}
	return nil
}

func (p *plain) Sweep(_ context.Context, limit int) (n int, _ error) {
	for i := range p.shards {
		sh := &p.shards[i]
		for more := true; more && n < limit; {
			sh.mu.Lock()
			var swept int
			swept, more = sh.sweep(min(slice, limit-n))
			n += swept
			sh.mu.Unlock()
		}
	}
	return n, nil
}

func (sh *plainShard) sweep(limit int) (n int, more bool) {
	now := time.Now()
	for n < limit {
		if len(sh.ends) == 0 || sh.ends[0].end.After(now) {
			return n, false
		}
		if r := sh.ends[0]; !r.Live(now) {
			sh.drop(r)
			n++
		} else {
			r.end = r.Expires()
			heap.Fix(&sh.ends, 0)
		}
	}
	return n, true
}

func (sh *plainShard) drop(r *plainRecord) {
	delete(sh.recs, r.Key)
	if r.User != "" {
		mine := slices.DeleteFunc(sh.users[r.Key.Tag], func(o *plainRecord) bool { return o == r })
		if sh.users[r.Key.Tag] = mine; len(mine) == 0 {
			delete(sh.users, r.Key.Tag)
		}
	}
	if r.place > 0 {
		heap.Remove(&sh.ends, r.place-1)
	}
}

type plainView struct {
	sh  *plainShard
	tag store.Tag
}

func (plainView) Now() time.Time { return time.Now() }

func (v plainView) Find(id store.ID, rec *store.Record) (bool, error) {
	r := v.sh.recs[store.Key{Tag: v.tag, ID: id}]
	if r != nil {
		*rec = r.Record
	}
	return r != nil, nil
}

func (v plainView) Each(_ string, f func(*store.Record, error)) error {
	for _, r := range v.sh.users[v.tag] {
		rec := r.Record
		f(&rec, nil)
	}
	return nil
}

func (v plainView) Revoked() (time.Time, error) { return v.sh.guards[v.tag], nil }

func (v plainView) Apply(c *embedded.Change) error {
	for _, id := range c.Drop {
		if r := v.sh.recs[store.Key{Tag: v.tag, ID: id}]; r != nil {
			v.sh.drop(r)
		}
	}
	for _, p := range c.Put {
		if old := v.sh.recs[p.Rec.Key]; old != nil {
			v.sh.drop(old)
		}
		r := &plainRecord{Record: *p.Rec}
		r.Meta, r.Data = bytes.Clone(r.Meta), bytes.Clone(r.Data)
		v.sh.recs[r.Key] = r
		if r.User != "" {
			v.sh.users[v.tag] = append(v.sh.users[v.tag], r)
		}
		if r.end = r.Expires(); !r.end.IsZero() {
			heap.Push(&v.sh.ends, r)
		}
	}
	if c.Seen != nil {
		v.sh.recs[c.Seen.Key].Seen = c.Seen.Seen
	}
	if !c.Revoked.IsZero() {
		v.sh.guards[v.tag] = c.Revoked
	}
	return nil
}

func TestPlain(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Store { return newPlain() }, nil)
}
