package redisstore

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/redisstore/internal/record"
	"github.com/sojourn-go/sojourn/store"
)

// Get returns the live record at key and the server's present time. It is a plain GET, at the master: Redis itself judges
// whether the key has expired, and what it returned is as old as the answer. The time comes from the newest answer that
// held one, and once a second from a script that asks. Errors: store.ErrNotFound, ErrUnavailable, ErrCorrupt.
func (s *Store) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	const op = "get"
	if err := store.FromContext(ctx); err != nil {
		return store.Record{}, time.Time{}, fail(op, err)
	}
	if _, known := s.clock.now(); !known {
		return s.ask(ctx, op, key)
	}
	cached := s.cacher != nil && !fresh(ctx) && !s.recent.has(key.Tag)
	b, err := s.read(ctx, s.key(key), cached)
	switch {
	case passing[codeOf(err)]:
		return s.ask(ctx, op, key)
	case err != nil:
		return store.Record{}, time.Time{}, fail(op, judge(err, false))
	case b == nil:
		return store.Record{}, time.Time{}, fail(op, store.ErrNotFound)
	case cached:
		b = bytes.Clone(b)
	}
	rec, err := record.Decode(key, b)
	if err != nil {
		return store.Record{}, time.Time{}, fail(op, err)
	}
	// The time that was known at the start may have become too old on the way. And where the record is over, Redis does not think so.
	now, known := s.clock.now()
	if !known || !rec.Live(time.UnixMilli(now)) {
		return s.ask(ctx, op, key)
	}
	return rec, latest(&rec, now), nil
}

func (s *Store) read(ctx context.Context, key string, cached bool) ([]byte, error) {
	if cached {
		return s.cacher.Cached(ctx, key, s.opts.CacheFor)
	}
	return s.driver.Do(ctx, Command{Name: "GET", Keys: []string{key}})
}

// latest gives now, or what the record shows to be past already.
func latest(rec *store.Record, now int64) time.Time {
	t := time.UnixMilli(now).UTC()
	for _, seen := range [...]time.Time{rec.Created, rec.Seen} {
		if seen.After(t) {
			t = seen
		}
	}
	return t
}

// ask reads with a script, which tells the time as well. Its judgement is final.
func (s *Store) ask(ctx context.Context, op string, key store.Key) (store.Record, time.Time, error) {
	c := &call{script: getScript, keys: []string{s.key(key)}}
	code, b, now, err := s.run(ctx, c)
	switch {
	case err != nil:
		return store.Record{}, time.Time{}, fail(op, err)
	case code == 'N':
		return store.Record{}, time.Time{}, fail(op, store.ErrNotFound)
	}
	rec, err := record.Decode(key, b)
	if err == nil && !rec.Live(time.UnixMilli(now)) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, time.Time{}, fail(op, err)
	}
	return rec, latest(&rec, now), nil
}

// Traits tell the longest time for which Get may serve an ended record: [Options.CacheFor]. A manager tells it
// as its own, and refuses more than its MaxRevocationLag.
func (s *Store) Traits() store.Traits {
	return store.Traits{Lag: s.opts.CacheFor, Skew: s.opts.ClockSkew}
}

type freshKey struct{}

// Fresh gives a context in which Get does not use the cache. Put it around what must not be served to an ended
// session, before anything loads the session:
//
//	mux.Handle("/payout", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//		payout.ServeHTTP(w, r.WithContext(redisstore.Fresh(r.Context())))
//	}))
//
// It does nothing for a store without a cache.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }

func fresh(ctx context.Context) bool { return ctx.Value(freshKey{}) != nil }

// recent holds the tags to which this store has lately sent something other than a Get. Their records are not read from the cache
// until what it may hold from before is over: a writer sees what it wrote, and one that met another writer
// sees that one's record. Two maps in turn, each for the time of keep, so nothing needs to be swept.
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
