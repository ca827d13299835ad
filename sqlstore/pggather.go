package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/sojourn-go/sojourn/store"
)

const (
	// pgLanes is how many statements of a kind are under way at once, if Options do not say.
	pgLanes = 2
	// pgMost is how many calls share one.
	pgMost = 64
	// pgBytes is how many bytes the updates of one carry at most, unless one alone has more.
	pgBytes = 1 << 20
)

// pgGot is what became of a Get.
type pgGot struct {
	row row
	now int64 // 0: not found
	err error
}

func (p *postgres) get(ctx context.Context, key store.Key) (row, int64, error) {
	got, err := p.gets.Do(ctx, key)
	if err == nil {
		err = got.err
	}
	if err == nil && got.now == 0 {
		err = store.ErrNotFound
	}
	return got.row, got.now, err
}

func (p *postgres) sendGets(ctx context.Context, keys []store.Key, got []pgGot) error {
	packed := make([]byte, 0, 48*len(keys))
	for i := range keys {
		packed = append(append(packed, keys[i].Tag[:]...), keys[i].ID[:]...)
	}
	args := []any{packed}
	err := p.run(ctx, false, func() error {
		clear(got)
		var at, now int64
		s := newPGScan(false)
		dest := append(append([]any{&at}, s.dest...), &s.data, &now)
		return p.reads.Run(ctx, p.x.get, args, func(scan func(...any) error) error {
			s.reset()
			if err := scan(dest...); err != nil {
				return err
			}
			i := int(at / 48)
			if i < 0 || i >= len(got) {
				return fmt.Errorf("%w: answer to another question", store.ErrUnavailable)
			}
			got[i].row, got[i].err = s.row(&keys[i])
			got[i].now = now
			return nil
		})
	})
	if err != nil && len(keys) > 1 && p.spoilt(err) {
		for i := range keys {
			if err := p.sendGets(ctx, keys[i:i+1], got[i:i+1]); err != nil {
				got[i] = pgGot{err: err}
			}
		}
		return nil
	}
	return err
}

// pgScan is where a row's columns are scanned to.
type pgScan struct {
	tag, id, usr, handle, writer, meta, data []byte
	ver, created, seen, idle, life           int64
	dest                                     []any // all but data
}

func newPGScan(key bool) *pgScan {
	s := new(pgScan)
	s.dest = []any{&s.usr, &s.handle, &s.ver, &s.writer, &s.created, &s.seen, &s.idle, &s.life, &s.meta}
	if key {
		s.dest = append([]any{&s.tag, &s.id}, s.dest...)
	}
	return s
}

// reset lets go of bytes that a row has been given.
func (s *pgScan) reset() {
	s.tag, s.id, s.usr, s.handle, s.writer, s.meta, s.data = nil, nil, nil, nil, nil, nil, nil
}

// row gives what was scanned, at a key or at the one in the row.
func (s *pgScan) row(key *store.Key) (r row, err error) {
	if key != nil {
		r.key = *key
	} else if len(s.tag) == len(r.key.Tag) && len(s.id) == len(r.key.ID) {
		copy(r.key.Tag[:], s.tag)
		copy(r.key.ID[:], s.id)
	} else {
		r.damaged = true
	}
	if len(s.handle) == len(r.handle) {
		copy(r.handle[:], s.handle)
	}
	if r.damaged || len(s.handle) != len(r.handle) || len(s.writer) != len(r.writer) || len(s.usr) > store.MaxUser || s.ver < 1 {
		r.damaged = true // somebody else wrote it
		return r, r.corrupt()
	}
	copy(r.writer[:], s.writer)
	r.user, r.ver, r.meta, r.data = string(s.usr), uint64(s.ver), s.meta, s.data
	r.created, r.seen, r.idle, r.life = s.created, s.seen, s.idle, s.life
	return r, nil
}

// pgUpdate is an update on its way.
type pgUpdate struct {
	row *row
	ver uint64 // expected
}

// tag keeps two records of a user out of one statement: those that lock several records of one
// user then cannot meet it in another order.
func (u pgUpdate) tag() uint64 { return binary.BigEndian.Uint64(u.row.key.Tag[:]) }

func (u pgUpdate) keep() pgUpdate {
	r := *u.row
	r.meta, r.data = slices.Clone(r.meta), slices.Clone(r.data)
	return pgUpdate{&r, u.ver}
}

func (p *postgres) update(ctx context.Context, r *row, ifVersion uint64) error {
	if ifVersion > 1<<62 { // no record has come so far
		ifVersion = 1 << 62
	}
	own, err := p.updates.Do(ctx, pgUpdate{r, ifVersion})
	if err == nil {
		err = own
	}
	return err
}

// sendUpdates sends updates in order of their keys, so that two of these statements cannot wait for each other.
func (p *postgres) sendUpdates(ctx context.Context, asked []pgUpdate, own []error) error {
	order := make([]int, len(asked))
	for i := range order {
		order[i] = i
	}
	if len(asked) > 1 {
		slices.SortFunc(order, func(a, b int) int { return compareKeys(&asked[a].row.key, &asked[b].row.key) })
	}
	for len(order) > 0 {
		n, size := 0, 0
		for ; n < len(order); n++ {
			r := asked[order[n]].row
			if size += len(r.meta) + len(r.data); size > pgBytes && n > 0 {
				break
			}
		}
		p.updateSome(ctx, asked, own, order[:n])
		order = order[n:]
	}
	return nil
}

// updateSome is one statement.
func (p *postgres) updateSome(ctx context.Context, asked []pgUpdate, own []error, order []int) {
	keys := make([]byte, 0, 56*len(order))
	var lists [7]pgList
	size := 0
	for _, i := range order {
		size += len(asked[i].row.meta) + len(asked[i].row.data)
	}
	blob := make([]byte, 0, size)
	for _, i := range order {
		r := asked[i].row
		keys = append(append(append(keys, r.key.Tag[:]...), r.key.ID[:]...), r.writer[:]...)
		for j, n := range [...]int64{int64(asked[i].ver), r.seen, r.idle, r.life, int64(len(blob)) + 1, int64(len(r.meta)), int64(len(r.data))} {
			lists[j].add(n)
		}
		blob = append(append(blob, r.meta...), r.data...)
	}
	args := make([]any, 0, 9)
	args = append(args, keys)
	for j := range lists {
		args = append(args, lists[j].text())
	}
	args = append(args, blob)
	err := p.run(ctx, true, func() error {
		for _, i := range order {
			own[i] = store.ErrNotFound // no row in the answer
		}
		var n, live, ver, applied int64
		var writer []byte
		return p.writes.Run(ctx, p.x.update, args, func(scan func(...any) error) error {
			if err := scan(&n, &live, &ver, &writer, &applied); err != nil {
				return err
			}
			u := &asked[order[n-1]]
			switch {
			case applied == 1, live == 1 && uint64(ver) == u.ver+1 && bytes.Equal(writer, u.row.writer[:]):
				own[order[n-1]] = nil
			case live == 1:
				own[order[n-1]] = store.ErrConflict
			}
			return nil
		})
	})
	if err == nil {
		return
	}
	if len(order) > 1 && p.spoilt(err) {
		for j := range order {
			p.updateSome(ctx, asked, own, order[j:j+1])
		}
		return
	}
	for _, i := range order {
		own[i] = err
	}
}

// pgTouch is a touch on its way.
type pgTouch struct {
	key   store.Key
	every int64
}

func (t pgTouch) tag() uint64 { return binary.BigEndian.Uint64(t.key.Tag[:]) }

func (p *postgres) touch(ctx context.Context, key store.Key, every int64) error {
	own, err := p.touches.Do(ctx, pgTouch{key, max(every, 0)})
	if err == nil {
		err = own
	}
	return err
}

func (p *postgres) sendTouches(ctx context.Context, asked []pgTouch, own []error) error {
	order := make([]int, len(asked))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareKeys(&asked[a].key, &asked[b].key) })
	keys := make([]byte, 0, 48*len(asked))
	var every pgList
	for _, i := range order {
		keys = append(append(keys, asked[i].key.Tag[:]...), asked[i].key.ID[:]...)
		every.add(asked[i].every)
	}
	args := []any{keys, every.text()}
	return p.run(ctx, true, func() error {
		for i := range own {
			own[i] = store.ErrNotFound // no row in the answer
		}
		var n, due, live, applied int64
		return p.writes.Run(ctx, p.x.touch, args, func(scan func(...any) error) error {
			if err := scan(&n, &due, &live, &applied); err != nil {
				return err
			}
			if due == 0 || live == 1 || applied == 1 { // live: another touch came first
				own[order[n-1]] = nil
			}
			return nil
		})
	})
}

func compareKeys(a, b *store.Key) int {
	return cmp.Or(bytes.Compare(a.Tag[:], b.Tag[:]), bytes.Compare(a.ID[:], b.ID[:]))
}

// pgList is an array of numbers as text, which every driver can send.
type pgList struct{ b []byte }

func (l *pgList) add(n int64) {
	if len(l.b) == 0 {
		l.b = append(l.b, '{')
	} else {
		l.b = append(l.b, ',')
	}
	l.b = strconv.AppendInt(l.b, n, 10)
}

func (l *pgList) text() string { return string(append(l.b, '}')) }
