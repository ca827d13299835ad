package lua

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/redisstore/internal/record"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// milli is the tick of all instants and lives.
const milli = ticks.Milli

// Get is a plain GET, at the master: Redis itself judges whether the key has expired, and what it
// returned is as old as the answer. The time comes from the newest answer that held one, and once a
// second from a script that asks.
func (e *engine) Get(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	if _, known := e.clock.now(); !known {
		return e.ask(ctx, key)
	}
	cached := e.cacher != nil && !fresh(ctx) && !e.recent.has(key.Tag)
	b, err := e.read(ctx, e.key(key), cached)
	switch {
	case passing[codeOf(err)]:
		return e.ask(ctx, key)
	case err != nil:
		return rec, now, judge(err)
	case b == nil:
		return rec, now, store.ErrNotFound
	case cached:
		b = bytes.Clone(b)
	}
	if rec, err = record.Decode(key, b); err != nil {
		return rec, now, err
	}
	// The time that was known at the start may have become too old on the way. And where the record
	// is over, Redis does not think so.
	at, known := e.clock.now()
	if !known || !rec.Live(milli.Time(at)) {
		return e.ask(ctx, key)
	}
	return rec, latest(&rec, at), nil
}

func (e *engine) read(ctx context.Context, key string, cached bool) ([]byte, error) {
	if cached {
		return e.cacher.Cached(ctx, key, e.opts.CacheFor)
	}
	return e.client.Do(ctx, Command{Name: "GET", Keys: []string{key}})
}

// latest returns now, or what the record shows to be past already.
func latest(rec *store.Record, now int64) time.Time {
	t := milli.Time(now)
	for _, seen := range [...]time.Time{rec.Created, rec.Seen} {
		if seen.After(t) {
			t = seen
		}
	}
	return t
}

// ask reads with a script, which tells the time as well. Its judgement is final.
func (e *engine) ask(ctx context.Context, key store.Key) (rec store.Record, now time.Time, err error) {
	a, err := e.run(ctx, &call{script: getScript, keys: []string{e.key(key)}})
	if err == nil && a.code == 'N' {
		err = store.ErrNotFound
	}
	if err != nil {
		return rec, now, err
	}
	if rec, err = record.Decode(key, a.rest); err == nil && !rec.Live(milli.Time(a.now)) {
		err = store.ErrNotFound
	}
	return rec, latest(&rec, a.now), err
}

type freshKey struct{}

// Fresh returns a context in which Get does not use the cache. It does nothing for a store without
// a cache.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }

func fresh(ctx context.Context) bool { return ctx.Value(freshKey{}) != nil }

// recent holds the tags to which this store has lately sent something other than a Get. Their
// records are not read from the cache until what it may hold from before is over: a writer sees
// what it wrote, and one that met another writer sees that one's record. Two maps in turn, each for
// the time of keep, so nothing needs to be swept.
type recent struct {
	keep      time.Duration // 0 = nothing is cached
	mu        sync.RWMutex
	since     time.Time
	now, last map[store.Tag]struct{}
}

func (r *recent) mark(t store.Tag) {
	if r.keep == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := time.Now(); r.now == nil || at.Sub(r.since) > r.keep {
		r.last, r.now, r.since = r.now, map[store.Tag]struct{}{}, at
	}
	r.now[t] = struct{}{}
}

func (r *recent) has(t store.Tag) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	age := time.Since(r.since)
	_, now := r.now[t]
	_, last := r.last[t]
	return now && age <= 2*r.keep || last && age <= r.keep
}
