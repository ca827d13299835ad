package mysqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/gather"
)

// scan is where columns are scanned to, without a copy.
type scan struct {
	bytes [8]sql.RawBytes // tag, id, usr, handle, writer, meta, data, data aside
	ints  [7]any          // ver, created, seen, idle, life, aside, now; an int64 is scanned to an any without reflection
	dest  [15]any
}

var scans = sync.Pool{New: func() any {
	s := new(scan)
	b, n := &s.bytes, &s.ints
	s.dest = [...]any{&b[0], &b[1], &b[2], &b[3], &n[0], &b[4], &n[1], &n[2], &n[3], &n[4], &b[5], &b[6], &b[7], &n[5], &n[6]}
	return s
}}

// got is what a Get returns.
type got struct {
	rec store.Record
	now time.Time
}

// scanRow reads a row: with its key if none is given, and with its data and the server's clock if
// data says so. damaged is [store.ErrCorrupt], for a row that another program wrote.
func scanRow(rows *sql.Rows, key *store.Key, data bool) (g got, damaged, err error) {
	s := scans.Get().(*scan)
	defer scans.Put(s)
	from, to := 0, 11
	if key != nil {
		from = 2
	}
	if data {
		to = 15
	}
	if err := rows.Scan(s.dest[from:to]...); err != nil {
		return g, nil, err
	}
	if key != nil {
		g.rec.Key = *key
	} else {
		copy(g.rec.Key.Tag[:], s.bytes[0])
		copy(g.rec.Key.ID[:], s.bytes[1])
	}
	g, damaged = s.record(g, data)
	return g, damaged, nil
}

// record makes a record of what was scanned.
func (s *scan) record(g got, data bool) (got, error) {
	b, rec := &s.bytes, &g.rec
	if copy(rec.Handle[:], b[3]) != len(rec.Handle) {
		return g, driver.Corrupt(rec.Handle)
	}
	var n [len(s.ints)]int64
	for i := range n[:5] {
		n[i], _ = s.ints[i].(int64)
	}
	if copy(rec.Writer[:], b[4]) != len(rec.Writer) || len(b[2]) > store.MaxUser || n[0] < 1 {
		return g, driver.Corrupt(rec.Handle)
	}
	rec.User, rec.Version = string(b[2]), uint64(n[0])
	rec.Created, rec.Seen = micro.Time(n[1]), micro.Time(n[2])
	rec.Idle, rec.Lifetime = micro.Duration(n[3]), micro.Duration(n[4])
	if !data {
		rec.Meta = bytes.Clone(b[5])
		return g, nil
	}
	away, _ := s.ints[5].(int64)
	now, _ := s.ints[6].(int64)
	g.now = micro.Time(now)
	body := b[6]
	if away == 1 {
		if body = b[7]; body == nil {
			return g, driver.Corrupt(rec.Handle)
		}
	}
	// One allocation for both; neither can grow into the other.
	all := append(append(make([]byte, 0, len(b[5])+len(body)), b[5]...), body...)
	rec.Meta, rec.Data = all[:len(b[5]):len(b[5])], all[len(b[5]):]
	return g, nil
}

// Get reads a record, in a statement with others.
func (e *engine) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	g, err := e.gets.Do(ctx, key)
	return g.rec, g.now, err
}

// getSizes are how many keys the statements take that read several rows; each is prepared once.
var getSizes = [...]int{4, 16, 64}

func getMany(n int) string { return fmt.Sprint("get ", n) }

// sendGets reads the rows of several keys, of which some may be equal; see docs/gathering.md.
func (e *engine) sendGets(ctx context.Context, calls []*gather.Call[store.Key, got]) {
	gather.Fail(calls, store.ErrNotFound)
	if len(calls) == 1 {
		c := calls[0]
		v := values{"tag": c.Ask.Tag[:], "id": c.Ask.ID[:]}
		err := e.query(ctx, "get", v, func(rows *sql.Rows) (err error) {
			c.Answer, c.Err, err = scanRow(rows, &c.Ask, true)
			return err
		})
		if err != nil {
			c.Err = err
		}
		return
	}
	size := 0
	for getSizes[size] < len(calls) {
		size++
	}
	keys := make([]store.Key, getSizes[size])
	for i := range keys {
		keys[i] = calls[min(i, len(calls)-1)].Ask // the last one also stands where there is none
	}
	err := e.query(ctx, getMany(getSizes[size]), values{"keys": keys}, func(rows *sql.Rows) error {
		g, damaged, err := scanRow(rows, nil, true)
		if err != nil {
			return err
		}
		first := true
		for _, c := range calls {
			if c.Ask != g.rec.Key {
				continue
			}
			c.Answer, c.Err = g, damaged
			if !first { // the bytes of each caller are its own
				c.Answer.rec.Meta, c.Answer.rec.Data = bytes.Clone(g.rec.Meta), bytes.Clone(g.rec.Data)
			}
			first = false
		}
		return nil
	})
	if err != nil {
		gather.Fail(calls, err)
	}
}

// listed is a row of a list.
type listed struct {
	rec store.Record
	err error // that it is damaged
}

func (e *engine) list(ctx context.Context, name string, v values) (all []listed, err error) {
	err = e.query(ctx, name, v, func(rows *sql.Rows) error {
		g, damaged, err := scanRow(rows, nil, false)
		all = append(all, listed{g.rec, damaged})
		return err
	})
	return all, err
}

// give yields rows, and reports whether to go on.
func give(rows []listed, err error, yield func(store.Record, error) bool) bool {
	for i := range rows {
		if !yield(rows[i].rec, rows[i].err) {
			return false
		}
	}
	if err != nil {
		yield(store.Record{}, err)
	}
	return err == nil
}

// User lists the records of user as they were at one instant.
func (e *engine) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		tag := store.TagOf(user)
		rows, err := e.list(ctx, "user", values{"tag": tag[:], "user": []byte(user)})
		give(rows, err, yield)
	}
}

// pageSize is how many rows a page of a walk has: half a megabyte at most.
const pageSize = 256

// All walks page by page in the order of keys, and holds neither lock nor transaction while it
// yields.
func (e *engine) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		var last store.Key
		for {
			rows, err := e.list(ctx, "page", values{"tag": last.Tag[:], "id": last.ID[:], "most": int64(pageSize)})
			full := len(rows) == pageSize
			if len(rows) > 0 && rows[0].rec.Key == last && last != (store.Key{}) {
				rows = rows[1:] // it was the last of the page before
			}
			if !give(rows, err, yield) || !full {
				return
			}
			last = rows[len(rows)-1].rec.Key
		}
	}
}
