package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/redisstore/internal/record"
	"github.com/sojourn-go/sojourn/store"
)

// User yields the live records of user as they were at one instant, without Data. All are
// read before the first is yielded, in one trip. If records are damaged, it ends with store.ErrCorrupt for one of them, after all others.
// Errors: store.ErrUnavailable, ErrCorrupt.
func (s *Store) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		const op = "user"
		if err := store.FromContext(ctx); err != nil {
			yield(store.Record{}, fail(op, err))
			return
		}
		if user == "" || len(user) > store.MaxUser {
			return
		}
		key := store.Key{Tag: store.TagOf(user)}
		c := &call{script: userScript, keys: []string{s.tagKey(key.Tag) + "u"}, args: []string{user}}
		_, list, _, err := s.run(ctx, c)
		var damaged error
		for err == nil && len(list) > 0 {
			const idSize = len(store.ID{})
			if len(list) < idSize+4 || len(list)-idSize-4 < int(binary.BigEndian.Uint32(list[idSize:])) {
				err = judge(errAnswer, false)
				break
			}
			size := int(binary.BigEndian.Uint32(list[idSize:]))
			copy(key.ID[:], list)
			head := list[idSize+4:][:size:size]
			list = list[idSize+4+size:]
			if size == len(store.Handle{}) {
				damaged = &record.Damage{Handle: store.Handle(head)}
				continue
			}
			rec, bad := record.Decode(key, head)
			if bad != nil {
				damaged = bad
				continue
			}
			rec.Data = nil
			if err = store.FromContext(ctx); err == nil && !yield(rec, nil) {
				return
			}
		}
		if err == nil {
			err = damaged
		}
		if err != nil {
			yield(store.Record{}, fail(op, err))
		}
	}
}

// page is how many keys a SCAN looks at.
const page = "512"

// walk is the state of All.
type walk struct {
	s         *Store
	yield     func(store.Record, error) bool
	now, last map[store.Key]bool // what was yielded lately
	damaged   error
	done      bool
}

// All walks over the live records as [store.Store] says, without Data: with SCAN, on one master after another, and reads of what
// stands before the data. Each page is two trips. While a table of the server shrinks, SCAN repeats some of what it
// gave just before; that is left out, in bounded memory. While slots of a cluster move to other nodes, a record may
// be yielded twice or not at all. If records are damaged, it ends with store.ErrCorrupt for one of them,
// after all others. Errors: store.ErrUnavailable, ErrCorrupt.
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		w := &walk{s: s, yield: yield, now: map[store.Key]bool{}}
		err := store.FromContext(ctx)
		var nodes []Node
		if err == nil {
			if nodes, err = s.driver.Masters(ctx); err != nil {
				err = judge(err, false)
			}
		}
		for _, n := range nodes {
			if err == nil && !w.done {
				err = w.node(ctx, n)
			}
		}
		if err == nil {
			err = w.damaged
		}
		if err != nil && !w.done {
			yield(store.Record{}, fail("all", err))
		}
	}
}

// node walks over one master.
func (w *walk) node(ctx context.Context, n Node) error {
	match := pattern(w.s.opts.Prefix) + "{*}:s:*"
	for cursor := "0"; !w.done; {
		if err := store.FromContext(ctx); err != nil {
			return err
		}
		answers, err := n.Pipe(ctx, []string{"SCAN", cursor, "MATCH", match, "COUNT", page}, []string{"TIME"})
		if err != nil {
			return judge(err, false)
		}
		next, found, err := scanned(answers[0])
		if err != nil {
			return err
		}
		now, err := serverTime(answers[1])
		if err != nil {
			return err
		}
		if err := w.page(ctx, n, found, now); err != nil {
			return err
		}
		if cursor = next; cursor == "0" {
			break
		}
	}
	return nil
}

// page yields the records among the keys that a SCAN found.
func (w *walk) page(ctx context.Context, n Node, found []string, now time.Time) error {
	var keys []store.Key
	var reads [][]string
	for _, text := range found {
		if key, ok := record.ParseKey(w.s.opts.Prefix, text); ok && !w.now[key] && !w.last[key] {
			w.now[key] = true
			keys = append(keys, key)
			reads = append(reads, []string{"GETRANGE", text, "0", headEnd})
		}
	}
	if len(w.now) > 4096 {
		w.last, w.now = w.now, map[store.Key]bool{}
	}
	if len(keys) == 0 {
		return nil
	}
	heads, err := n.Pipe(ctx, reads...)
	if err != nil {
		return judge(err, false)
	}
	for i, h := range heads {
		rec, live, err := readHead(keys[i], h, now)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			w.damaged = err
		case err != nil:
			return err
		case live:
			if err := store.FromContext(ctx); err != nil {
				return err
			}
			if !w.yield(rec, nil) {
				w.done = true
				return nil
			}
		}
	}
	return nil
}

// headEnd is the last byte that may stand before the data.
const headEnd = "1346" // record.HeadSize + MaxUser + MaxMeta - 1

// readHead decodes the answer to GETRANGE.
func readHead(key store.Key, answer any, now time.Time) (rec store.Record, live bool, err error) {
	switch a := answer.(type) {
	case string:
		if a == "" {
			return rec, false, nil // gone meanwhile
		}
		rec, err = record.Decode(key, []byte(a))
		rec.Data = nil
		return rec, err == nil && rec.Live(now), err
	case *ServerError:
		if c := a.Code(); c == "MOVED" || c == "ASK" {
			return rec, false, nil // to another node
		}
		return rec, false, judge(a, false)
	}
	return rec, false, judge(errAnswer, false)
}

// scanned takes the answer to SCAN apart.
func scanned(answer any) (next string, keys []string, err error) {
	if e, ok := answer.(*ServerError); ok {
		return "", nil, judge(e, false)
	}
	a, _ := answer.([]any)
	if len(a) != 2 {
		return "", nil, judge(errAnswer, false)
	}
	next, ok := a[0].(string)
	list, isList := a[1].([]any)
	if !ok || !isList {
		return "", nil, judge(errAnswer, false)
	}
	for _, k := range list {
		if k, ok := k.(string); ok {
			keys = append(keys, k)
		}
	}
	return next, keys, nil
}

// serverTime reads the answer to TIME.
func serverTime(answer any) (time.Time, error) {
	if e, ok := answer.(*ServerError); ok {
		return time.Time{}, judge(e, false)
	}
	var t [2]int64
	a, _ := answer.([]any)
	for i := range t {
		if i >= len(a) {
			return time.Time{}, judge(errAnswer, false)
		}
		text, _ := a[i].(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, judge(errAnswer, false)
		}
		t[i] = n
	}
	return time.UnixMilli(t[0]*1000 + t[1]/1000), nil
}

// pattern spells a text so that MATCH takes it for itself.
func pattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}
