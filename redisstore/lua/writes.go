package lua

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/redisstore/internal/record"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// engine is the [driver.Driver]: each write is one script.
type engine struct {
	client Driver
	cacher Cacher // nil unless reads are cached
	opts   Options
	clock  clock
	recent recent
}

// Traits are those of the cache and of the clocks.
func (e *engine) Traits() store.Traits {
	return store.Traits{Lag: e.opts.CacheFor, Skew: e.opts.ClockSkew}
}

// key names a record's key, and tagKey begins the names of all keys of its tag.
func (e *engine) key(k store.Key) string { return record.Key(e.opts.Prefix, k) }

func (e *engine) tagKey(t store.Tag) string { return record.TagKey(e.opts.Prefix, t) }

// outcomes are the codes with which scripts answer, other than K for applied and X for damage.
var outcomes = map[byte]error{
	'N': store.ErrNotFound, 'C': store.ErrConflict, 'E': store.ErrExists, 'L': store.ErrLimit, 'R': store.ErrRevoked,
	'F': driver.Fault(store.ErrFull, "used memory is above maxmemory", nil),
	'I': fmt.Errorf("%w: the record is another user's", store.ErrInvalid),
}

// act runs a script for the tag and turns its answer into an outcome.
func (e *engine) act(ctx context.Context, tag store.Tag, c *call) (answer, error) {
	defer e.recent.mark(tag)
	a, err := e.run(ctx, c)
	if err != nil || a.code == 'K' {
		return a, err
	}
	if a.code == 'X' {
		var h store.Handle
		copy(h[:], a.rest)
		return a, driver.Corrupt(h)
	}
	if err := outcomes[a.code]; err != nil {
		return a, err
	}
	return a, errAnswer
}

// number spells a number for a script, and flag a condition.
func number[N ~int | ~int64 | ~uint64](n N) string { return fmt.Sprintf("%d", n) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}

// Create inserts a record if its user's limit and revocations allow it.
func (e *engine) Create(ctx context.Context, rec *store.Record, adm store.Admission) (a store.Admitted, err error) {
	age := adm.Age()
	if age > 0 {
		age += e.opts.ClockSkew
	}
	known := int64(0)
	if !adm.Known.IsZero() {
		known = milli.Instant(adm.Known)
	}
	tag := e.tagKey(rec.Key.Tag)
	got, err := e.act(ctx, rec.Key.Tag, &call{script: createScript,
		keys: []string{e.key(rec.Key), tag + "u", tag + "g"},
		args: []string{record.Fixed(rec), record.Rest(rec, rec.User), rec.User, number(adm.Max), flag(adm.Evict),
			number(milli.Span(age)), number(known)}})
	if err != nil {
		return a, err
	}
	if len(got.rest) < 8 {
		return a, errAnswer
	}
	a.Now = milli.Time(got.now)
	if revoked := binary.BigEndian.Uint64(got.rest); revoked > 0 {
		a.Revoked = milli.Time(int64(revoked))
	}
	for b := range slices.Chunk(got.rest[8:], len(store.Handle{})) {
		a.Evicted = append(a.Evicted, store.Handle(b))
	}
	return a, nil
}

// Update changes a record. When Redis's memory is full it still ends one or makes it smaller, in a
// second trip.
func (e *engine) Update(ctx context.Context, rec *store.Record, ifVersion uint64) error {
	c := &call{script: updateScript,
		keys: []string{e.key(rec.Key), e.tagKey(rec.Key.Tag) + "u"},
		args: []string{record.Fixed(rec), record.Rest(rec, ""), number(ifVersion), ""}}
	_, err := e.act(ctx, rec.Key.Tag, c)
	if errors.Is(err, store.ErrFull) {
		c.script, c.args[3] = tightScript, "1"
		_, err = e.act(ctx, rec.Key.Tag, c)
	}
	return err
}

// Touch moves a record's Seen, also when memory is full.
func (e *engine) Touch(ctx context.Context, rec *store.Record, every time.Duration) error {
	_, err := e.act(ctx, rec.Key.Tag, &call{script: touchScript,
		keys: []string{e.key(rec.Key), e.tagKey(rec.Key.Tag) + "u"},
		args: []string{number(milli.Span(every))}})
	return err
}

// Rotate moves a record.
func (e *engine) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec, tail *store.Record) error {
	args := []string{record.Fixed(rec), record.Rest(rec, rec.User), rec.User, number(ifVersion), "", "", e.waits()}
	if tail != nil {
		args[4], args[5] = record.Fixed(tail), record.Rest(tail, "")
	}
	_, err := e.act(ctx, old.Tag, &call{script: rotateScript, end: true, args: args,
		keys: []string{e.key(old), e.key(rec.Key), e.tagKey(old.Tag) + "u"}})
	return err
}

func (e *engine) waits() string { return flag(e.opts.WaitReplicas > 0) }

// Delete ends whatever is at the key.
func (e *engine) Delete(ctx context.Context, key store.Key) error {
	_, err := e.act(ctx, key.Tag, &call{script: deleteScript, end: true,
		keys: []string{e.key(key), e.tagKey(key.Tag) + "u"}, args: []string{e.waits()}})
	return err
}

// guardFor is how long a revocation is remembered, besides ClockSkew. Age may be just
// store.GuardFor, and clocks are whole milliseconds.
const guardFor = store.GuardFor + time.Minute

// Revoke ends records of user, in one script whose length grows with their number. Without Only it
// also deletes the damaged records among the user's, uncounted.
func (e *engine) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	kind, only := "all", len(sel.Only) > 0
	switch {
	case only:
		kind = "only"
	case len(sel.Except) > 0:
		kind = "except"
	}
	var handles strings.Builder
	for _, h := range slices.Concat(sel.Only, sel.Except) {
		handles.Write(h[:])
	}
	tag := store.TagOf(user)
	key := e.tagKey(tag)
	a, err := e.act(ctx, tag, &call{script: revokeScript, end: true, keys: []string{key + "u", key + "g"},
		args: []string{user, kind, handles.String(), number(milli.Span(guardFor + e.opts.ClockSkew)), e.waits()}})
	if err == nil && len(a.rest) != 16 {
		err = errAnswer
	}
	if err != nil {
		return r, err
	}
	if r.N = int(binary.BigEndian.Uint64(a.rest)); !only {
		r.At = milli.Time(int64(binary.BigEndian.Uint64(a.rest[8:])))
	}
	return r, nil
}

// Sweep has nothing to do: Redis drops what has expired.
func (e *engine) Sweep(context.Context, int) (int, error) { return 0, nil }
