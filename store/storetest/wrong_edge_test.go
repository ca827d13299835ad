package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Stores that err at the end of a life, in one method or for one kind of life.
var wrongEdges = slices.Concat(offByOne(), shapeless(), otherEdges)

// offByOne are stores one of whose methods has another clock.
func offByOne() (ws []wrong) {
	for what, d := range map[string]time.Duration{"early": 1, "late": -1, "a second early": time.Second} {
		shifted := func(a *altered) func() {
			a.ref.clock = func(t time.Time) time.Time { return t.Add(d) }
			return func() { a.ref.clock = func(t time.Time) time.Time { return t } }
		}
		for method, set := range map[string]func(a *altered){
			"create": func(a *altered) {
				a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
					defer shifted(a)()
					return a.ref.Create(ctx, rec, adm)
				}
			},
			"update": func(a *altered) {
				a.update = func(ctx context.Context, rec store.Record, v uint64) error {
					defer shifted(a)()
					return a.ref.Update(ctx, rec, v)
				}
			},
			"touch": func(a *altered) {
				a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
					defer shifted(a)()
					return a.ref.touchKey(ctx, key, every)
				}
			},
			"rotate": func(a *altered) {
				a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
					defer shifted(a)()
					return a.ref.Rotate(ctx, old, v, rec, tail)
				}
			},
			"revoke": func(a *altered) {
				a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
					defer shifted(a)()
					return a.ref.Revoke(ctx, user, sel)
				}
			},
		} {
			ws = append(ws, wrong{method + " ends a life " + what, []string{"end-edge"}, swap(set)})
		}
		ws = append(ws, wrong{"sweep ends a life " + what, []string{"end-swept"}, swap(func(a *altered) {
			a.sweep = func(ctx context.Context, limit int) (int, error) {
				defer shifted(a)()
				return a.ref.Sweep(ctx, limit)
			}
		})})
	}
	return ws
}

// shapeless are stores for which some lives are not what they are.
func shapeless() (ws []wrong) {
	for what, life := range map[string]func(r store.Record) store.Record{
		"idle times count from Created": func(r store.Record) store.Record { r.Seen = r.Created; return r },
		"lifetimes count from Seen":     func(r store.Record) store.Record { r.Created = r.Seen; return r },
		"no limit is an end": func(r store.Record) store.Record {
			if r.Idle == 0 && r.Lifetime == 0 {
				r.Lifetime = time.Hour
			}
			return r
		},
		"the later of two ends counts": func(r store.Record) store.Record {
			if r.Idle > 0 && r.Lifetime > 0 {
				if r.Seen.Add(r.Idle).Before(r.Created.Add(r.Lifetime)) {
					r.Idle = 0
				} else {
					r.Lifetime = 0
				}
			}
			return r
		},
		"lives are at most ten years": func(r store.Record) store.Record {
			r.Idle, r.Lifetime = min(r.Idle, 87600*time.Hour), min(r.Lifetime, 87600*time.Hour)
			return r
		},
		"instants before 1970 are 1970": func(r store.Record) store.Record {
			if r.Created.Before(epoch) {
				r.Created = epoch
			}
			if r.Seen.Before(epoch) {
				r.Seen = epoch
			}
			return r
		},
		"1970 is no instant": func(r store.Record) store.Record {
			if r.Seen.Equal(epoch) {
				r.Idle = 0
			}
			return r
		},
		"tails never end": func(r store.Record) store.Record {
			if r.User == "" && r.Version > 1 {
				r.Idle, r.Lifetime = 0, 0
			}
			return r
		},
	} {
		ws = append(ws, wrong{what, []string{"end-edge", "end-swept"}, turn(func(s *ref) { s.life = life })})
	}
	return ws
}

var otherEdges = []wrong{
	{"an update to no limit keeps the old one", []string{"end-edge"}, swap(func(a *altered) {
		a.update = func(ctx context.Context, rec store.Record, v uint64) error {
			if old, ok := a.raw(rec.Key); ok {
				rec.Idle, rec.Lifetime = cmp.Or(rec.Idle, old.Idle), cmp.Or(rec.Lifetime, old.Lifetime)
			}
			return a.ref.Update(ctx, rec, v)
		}
	})},
	{"a rotate to no limit keeps the old one", []string{"end-edge"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if prev, ok := a.raw(old); ok {
				rec.Idle, rec.Lifetime = cmp.Or(rec.Idle, prev.Idle), cmp.Or(rec.Lifetime, prev.Lifetime)
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"sweep takes what was not used for long", []string{"end-swept"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			for rec := range a.ref.All(ctx) {
				if time.Since(rec.Seen) > 365*24*time.Hour {
					a.ref.Delete(ctx, rec.Key)
				}
			}
			return a.ref.Sweep(ctx, limit)
		}
	})},
	{"sweep takes what is reserved", []string{"reserved"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) {
			for rec := range a.ref.All(ctx) {
				if rec.Key.Tag == store.Reserved {
					a.ref.Delete(ctx, rec.Key)
				}
			}
			return a.ref.Sweep(ctx, limit)
		}
	})},
	{"All hides what is reserved", []string{"reserved"}, swap(func(a *altered) {
		a.all = a.filtered(func(rec store.Record) bool { return rec.Key.Tag != store.Reserved })
	})},
	{"what is reserved never ends", []string{"reserved"}, turn(func(s *ref) {
		s.life = func(r store.Record) store.Record {
			if r.Key.Tag == store.Reserved {
				r.Idle, r.Lifetime = 0, 0
			}
			return r
		}
	})},
	{"a sweep with no limit sweeps all", []string{"sweep"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) { return a.ref.Sweep(ctx, cmp.Or(limit, 1<<30)) }
	})},
	{"a sweep with a negative limit sweeps all", []string{"sweep"}, swap(func(a *altered) {
		a.sweep = func(ctx context.Context, limit int) (int, error) { return a.ref.Sweep(ctx, int(uint32(limit))) }
	})},
}
