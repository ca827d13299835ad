package lua

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
	"github.com/sojourn-go/sojourn/store/driver"
)

// User lists the records of user as they were at one instant, in one trip.
func (e *engine) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		key := store.Key{Tag: store.TagOf(user)}
		a, err := e.run(ctx, &call{script: userScript, keys: []string{e.tagKey(key.Tag) + "u"}, args: []string{user}})
		list := a.rest
		for err == nil && len(list) > 0 {
			const idSize = len(store.ID{})
			if len(list) < idSize+4 || len(list)-idSize-4 < int(binary.BigEndian.Uint32(list[idSize:])) {
				err = errAnswer
				break
			}
			size := int(binary.BigEndian.Uint32(list[idSize:]))
			copy(key.ID[:], list)
			head := list[idSize+4:][:size:size]
			list = list[idSize+4+size:]
			var rec store.Record
			var damaged error
			if size == len(store.Handle{}) {
				damaged = driver.Corrupt(store.Handle(head))
			} else if rec, damaged = record.Decode(key, head); damaged == nil {
				rec.Data = nil
			}
			if !yield(rec, damaged) {
				return
			}
		}
		if err != nil {
			yield(store.Record{}, err)
		}
	}
}

// page is how many keys a SCAN looks at.
const page = "512"

// walk is the state of All.
type walk struct {
	*engine
	yield     func(store.Record, error) bool
	now, last map[store.Key]bool // what was yielded lately
	done      bool
}

// All walks with SCAN, on one master after another, and reads what stands before the data. Each
// page is two trips. While a table of the server shrinks, SCAN repeats some of what it gave just
// before; that is left out, in bounded memory. While slots of a cluster move to other nodes, a
// record may be yielded twice or not at all.
func (e *engine) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		w := &walk{engine: e, yield: yield, now: map[store.Key]bool{}}
		nodes, err := e.client.Masters(ctx)
		for _, n := range nodes {
			if err == nil && !w.done {
				err = w.node(ctx, n)
			}
		}
		if err != nil && !w.done {
			yield(store.Record{}, judge(err))
		}
	}
}

// node walks over one master.
func (w *walk) node(ctx context.Context, n Node) error {
	match := pattern(w.opts.Prefix) + "{*}:s:*"
	for cursor := "0"; !w.done; {
		if err := store.FromContext(ctx); err != nil {
			return err
		}
		answers, err := n.Pipe(ctx, []string{"SCAN", cursor, "MATCH", match, "COUNT", page}, []string{"TIME"})
		if err != nil {
			return err
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
		if key, ok := record.ParseKey(w.opts.Prefix, text); ok && !w.now[key] && !w.last[key] {
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
		return err
	}
	for i, h := range heads {
		rec, live, err := readHead(keys[i], h, now)
		damaged := errors.Is(err, store.ErrCorrupt)
		if err != nil && !damaged {
			return err
		}
		if (live || damaged) && !w.yield(rec, err) {
			w.done = true
			return nil
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
		return rec, false, a
	}
	return rec, false, errAnswer
}

// scanned takes the answer to SCAN apart.
func scanned(answer any) (next string, keys []string, err error) {
	if e, ok := answer.(*ServerError); ok {
		return "", nil, e
	}
	a, _ := answer.([]any)
	if len(a) != 2 {
		return "", nil, errAnswer
	}
	next, ok := a[0].(string)
	list, isList := a[1].([]any)
	if !ok || !isList {
		return "", nil, errAnswer
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
		return time.Time{}, e
	}
	var t [2]int64
	a, _ := answer.([]any)
	for i := range t {
		if i >= len(a) {
			return time.Time{}, errAnswer
		}
		text, _ := a[i].(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, errAnswer
		}
		t[i] = n
	}
	return milli.Time(t[0]*1000 + t[1]/1000), nil
}

// pattern spells a text so that MATCH takes it for itself.
func pattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}
