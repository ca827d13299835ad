package postgresstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/gather"
)

// This file holds the calls that share statements; see docs/gathering.md.

// got is what a Get returns.
type got struct {
	rec store.Record
	now time.Time
}

func (e *engine) sendGets(ctx context.Context, calls []*gather.Call[store.Key, got]) {
	keys := make([]byte, 0, keySize*len(calls))
	for _, c := range calls {
		keys = append(append(keys, c.Ask.Tag[:]...), c.Ask.ID[:]...)
	}
	type found struct {
		got
		call int
		err  error
	}
	rows, err := ask(ctx, e, "get", []any{keys}, func(rows Rows) (f found, err error) {
		var r row
		var at, now int64
		dest := append(append(append(make([]any, 0, 12), &at), r.columns()...), &r.data, &now)
		if err := rows.Scan(dest...); err != nil {
			return f, err
		}
		if f.call = int(at) / keySize; f.call < 0 || f.call >= len(calls) {
			return f, errAnswer
		}
		f.now = micro.Time(now)
		f.rec, f.err = r.record(calls[f.call].Ask)
		return f, nil
	})
	if err != nil {
		failed(ctx, calls, err, e.sendGets)
		return
	}
	gather.Fail(calls, store.ErrNotFound)
	for _, f := range rows {
		calls[f.call].Answer, calls[f.call].Err = f.got, f.err
	}
}

// failed is for calls whose statement failed. One that a single record may have spoilt is sent
// again for each call by itself.
func failed[Q, A any](ctx context.Context, calls []*gather.Call[Q, A], err error, send func(context.Context, []*gather.Call[Q, A])) {
	if len(calls) == 1 || !spoilt(err) {
		gather.Fail(calls, err)
		return
	}
	for i := range calls {
		send(ctx, calls[i:i+1])
	}
}

// keySize is the size of a key in a list of keys.
const keySize = len(store.Tag{}) + len(store.ID{})

// tag keeps two records of a user out of one statement: those that lock several records of one user
// then cannot meet it in another order.
func tag(k *store.Key) uint64 { return binary.BigEndian.Uint64(k.Tag[:]) }

// inOrder sorts calls by their keys, so that two statements cannot wait for each other.
func inOrder[Q, A any](calls []*gather.Call[Q, A], key func(*Q) *store.Key) {
	slices.SortFunc(calls, func(a, b *gather.Call[Q, A]) int {
		x, y := key(&a.Ask), key(&b.Ask)
		return cmp.Or(bytes.Compare(x.Tag[:], y.Tag[:]), bytes.Compare(x.ID[:], y.ID[:]))
	})
}

// answer is what a statement says of one of its calls: its number, from 1, and its outcome.
type answer struct {
	n   int
	err error
}

func scanAnswer(rows Rows) (a answer, err error) {
	var n int64
	var word []byte
	if err := rows.Scan(&n, &word); err != nil {
		return a, err
	}
	return answer{int(n), outcome(word)}, nil
}

// deliver hands out the answers. Calls without one found nothing.
func deliver[Q, A any](calls []*gather.Call[Q, A], answers []answer) {
	gather.Fail(calls, store.ErrNotFound)
	for _, a := range answers {
		calls[a.n-1].Err = a.err
	}
}

// change is an Update on its way.
type change struct {
	key              store.Key
	writer           store.Writer
	ver              int64 // expected
	seen, idle, life int64
	meta             int    // length
	body             []byte // meta and data, a copy
}

func (c change) tag() uint64 { return tag(&c.key) }

// Update changes a record, in a statement with others.
func (e *engine) Update(ctx context.Context, r *store.Record, ifVersion uint64) error {
	_, err := e.updates.Do(ctx, change{
		key: r.Key, writer: r.Writer, ver: version(ifVersion),
		seen: micro.Instant(r.Seen), idle: micro.Span(r.Idle), life: micro.Span(r.Lifetime),
		meta: len(r.Meta), body: slices.Concat(r.Meta, r.Data),
	})
	return err
}

// mostBytes is how many bytes the updates of one statement carry at most, unless one alone has
// more.
const mostBytes = 1 << 20

func (e *engine) sendUpdates(ctx context.Context, calls []*gather.Call[change, struct{}]) {
	inOrder(calls, func(c *change) *store.Key { return &c.key })
	for len(calls) > 0 {
		n, size := 1, len(calls[0].Ask.body)
		for ; n < len(calls) && size+len(calls[n].Ask.body) <= mostBytes; n++ {
			size += len(calls[n].Ask.body)
		}
		e.sendChanges(ctx, calls[:n])
		calls = calls[n:]
	}
}

// sendChanges sends one statement.
func (e *engine) sendChanges(ctx context.Context, calls []*gather.Call[change, struct{}]) {
	var keys, bodies []byte
	var lists [7]list
	for _, c := range calls {
		u := &c.Ask
		keys = append(append(append(keys, u.key.Tag[:]...), u.key.ID[:]...), u.writer[:]...)
		for i, n := range [len(lists)]int64{u.ver, u.seen, u.idle, u.life, int64(len(bodies)) + 1, int64(u.meta), int64(len(u.body) - u.meta)} {
			lists[i].add(n)
		}
		bodies = append(bodies, u.body...)
	}
	args := []any{keys}
	for _, l := range lists {
		args = append(args, l.text())
	}
	answers, err := ask(ctx, e, "update", append(args, filled(bodies)), scanAnswer)
	if err != nil {
		failed(ctx, calls, err, e.sendChanges)
		return
	}
	deliver(calls, answers)
}

// touch is a Touch on its way.
type touch struct {
	key   store.Key
	every int64
}

func (t touch) tag() uint64 { return tag(&t.key) }

// Touch moves a record's Seen, in a statement with others.
func (e *engine) Touch(ctx context.Context, r *store.Record, every time.Duration) error {
	_, err := e.touches.Do(ctx, touch{r.Key, micro.Span(every)})
	return err
}

func (e *engine) sendTouches(ctx context.Context, calls []*gather.Call[touch, struct{}]) {
	inOrder(calls, func(t *touch) *store.Key { return &t.key })
	var keys []byte
	var every list
	for _, c := range calls {
		keys = append(append(keys, c.Ask.key.Tag[:]...), c.Ask.key.ID[:]...)
		every.add(c.Ask.every)
	}
	answers, err := ask(ctx, e, "touch", []any{keys, every.text()}, scanAnswer)
	if err != nil {
		gather.Fail(calls, err)
		return
	}
	deliver(calls, answers)
}

// list is an array of numbers as text, which every driver can send.
type list struct{ b []byte }

func (l *list) add(n int64) {
	if len(l.b) == 0 {
		l.b = append(l.b, '{')
	} else {
		l.b = append(l.b, ',')
	}
	l.b = strconv.AppendInt(l.b, n, 10)
}

func (l *list) text() string { return string(l.b) + "}" }
