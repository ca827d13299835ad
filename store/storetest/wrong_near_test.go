package storetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Stores that compare a part of something, or as text.
var wrongNears = slices.Concat(nearKeyStores(), nearHandleStores(), nearVersionStores(), nearWriterStores(), nearOthers)

// careless are comparisons of bytes that find more than what is the same.
var careless = map[string]func(a, b []byte) bool{
	"without the last byte":  func(a, b []byte) bool { return bytes.Equal(a[:len(a)-1], b[:len(b)-1]) },
	"without the first byte": func(a, b []byte) bool { return bytes.Equal(a[1:], b[1:]) },
	"by the first half":      func(a, b []byte) bool { return bytes.Equal(a[:len(a)/2], b[:len(b)/2]) },
	"as text without case":   bytes.EqualFold,
	"as base64 without case": func(a, b []byte) bool {
		return strings.EqualFold(base64.StdEncoding.EncodeToString(a), base64.StdEncoding.EncodeToString(b))
	},
	"up to the first zero": func(a, b []byte) bool { return bytes.Equal(untilZero(a), untilZero(b)) },
}

func untilZero(b []byte) []byte {
	before, _, _ := bytes.Cut(b, []byte{0})
	return before
}

// like returns the key of a record that careless comparing finds for key, or key.
func (s *ref) like(key store.Key, same func(a, b store.Key) bool) store.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.recs[key]; !there {
		for k := range s.recs {
			if same(k, key) {
				return k
			}
		}
	}
	return key
}

func nearKeyStores() (ws []wrong) {
	same := map[string]func(a, b store.Key) bool{
		"without the tag":                  func(a, b store.Key) bool { return a.ID == b.ID },
		"without the last byte of the tag": func(a, b store.Key) bool { return a.ID == b.ID && bytes.Equal(a.Tag[:15], b.Tag[:15]) },
		"by the first half of the tag":     func(a, b store.Key) bool { return a.ID == b.ID && bytes.Equal(a.Tag[:8], b.Tag[:8]) },
	}
	for what, eq := range careless {
		same[what] = func(a, b store.Key) bool { return a.Tag == b.Tag && eq(a.ID[:], b.ID[:]) }
	}
	for what, same := range same {
		for method, set := range map[string]func(a *altered){
			"get": func(a *altered) {
				a.get = func(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
					return a.ref.Get(ctx, a.like(key, same))
				}
			},
			"update": func(a *altered) {
				a.update = func(ctx context.Context, rec store.Record, v uint64) error {
					rec.Key = a.like(rec.Key, same)
					return a.ref.Update(ctx, rec, v)
				}
			},
			"touch": func(a *altered) {
				a.touch = func(ctx context.Context, key store.Key, every time.Duration) error {
					return a.ref.touchKey(ctx, a.like(key, same), every)
				}
			},
			"delete": func(a *altered) {
				a.delete = func(ctx context.Context, key store.Key) error { return a.ref.Delete(ctx, a.like(key, same)) }
			},
			"rotate, of the old key,": func(a *altered) {
				a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
					if near := a.like(old, same); near.Tag == old.Tag && near != rec.Key && tail == nil {
						old = near
					}
					return a.ref.Rotate(ctx, old, v, rec, tail)
				}
			},
			"rotate, of the new key,": func(a *altered) {
				a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
					if near := a.like(rec.Key, same); near != rec.Key && near != old {
						return store.ErrExists
					}
					return a.ref.Rotate(ctx, old, v, rec, tail)
				}
			},
		} {
			if strings.HasPrefix(method, "rotate, of the old") && strings.Contains(what, "tag") {
				continue // its two keys share a tag
			}
			ws = append(ws, wrong{method + " compares keys " + what, []string{"near-key"}, swap(set)})
		}
	}
	return ws
}

func nearHandleStores() (ws []wrong) {
	for what, eq := range careless {
		ws = append(ws, wrong{"revoke compares handles " + what, []string{"near-handle"}, swap(func(a *altered) {
			a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
				wide := func(hs []store.Handle) (all []store.Handle) {
					a.mu.Lock()
					defer a.mu.Unlock()
					for _, rec := range a.recs {
						if slices.ContainsFunc(hs, func(h store.Handle) bool { return eq(h[:], rec.Handle[:]) }) {
							all = append(all, rec.Handle)
						}
					}
					return append(all, hs...)
				}
				return a.ref.Revoke(ctx, user, store.Selection{Only: wide(sel.Only), Except: wide(sel.Except)})
			}
		})})
	}
	return ws
}

func nearVersionStores() (ws []wrong) {
	for what, same := range map[string]func(a, b uint64) bool{
		"by 8 bits":            func(a, b uint64) bool { return uint8(a) == uint8(b) },
		"by 16 bits":           func(a, b uint64) bool { return uint16(a) == uint16(b) },
		"by 32 bits":           func(a, b uint64) bool { return uint32(a) == uint32(b) },
		"without the sign bit": func(a, b uint64) bool { return a<<1 == b<<1 },
		"where it is given":    func(a, b uint64) bool { return a == b || b == 0 },
		"but for the largest":  func(a, b uint64) bool { return a == b || b == 1<<64-1 },
	} {
		given := func(a *altered, key store.Key, v uint64) uint64 {
			if rec, ok := a.raw(key); ok && same(rec.Version, v) {
				return rec.Version
			}
			return v
		}
		ws = append(ws, wrong{"update compares versions " + what, []string{"near-version"}, swap(func(a *altered) {
			a.update = func(ctx context.Context, rec store.Record, v uint64) error {
				return a.ref.Update(ctx, rec, given(a, rec.Key, v))
			}
		})}, wrong{"rotate compares versions " + what, []string{"near-version"}, swap(func(a *altered) {
			a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
				return a.ref.Rotate(ctx, old, given(a, old, v), rec, tail)
			}
		})})
	}
	return ws
}

func nearWriterStores() (ws []wrong) {
	for what, eq := range careless {
		given := func(a *altered, key store.Key, w store.Writer) store.Writer {
			if rec, ok := a.raw(key); ok && eq(rec.Writer[:], w[:]) {
				return rec.Writer
			}
			return w
		}
		ws = append(ws, wrong{"create compares writers " + what, []string{"near-writer"}, swap(func(a *altered) {
			a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
				rec.Writer = given(a, rec.Key, rec.Writer)
				return a.ref.Create(ctx, rec, adm)
			}
		})}, wrong{"update compares writers " + what, []string{"near-writer"}, swap(func(a *altered) {
			a.update = func(ctx context.Context, rec store.Record, v uint64) error {
				rec.Writer = given(a, rec.Key, rec.Writer)
				return a.ref.Update(ctx, rec, v)
			}
		})}, wrong{"rotate compares writers " + what, []string{"near-writer"}, swap(func(a *altered) {
			a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
				rec.Writer = given(a, rec.Key, rec.Writer)
				return a.ref.Rotate(ctx, old, v, rec, tail)
			}
		})})
	}
	return ws
}

// withHandle ends all records under the tag that have the handle of the one at key.
func (s *ref) withHandle(key store.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.recs[key].Handle
	for k, rec := range s.recs {
		if k.Tag == key.Tag && rec.Handle == h {
			delete(s.recs, k)
		}
	}
}

var nearOthers = []wrong{
	{"the delete of a tail ends its session", []string{"near-handle"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error {
			if rec, ok := a.raw(key); ok && rec.User == "" {
				a.withHandle(key)
			}
			return a.ref.Delete(ctx, key)
		}
	})},
	{"the delete of a session goes by its handle", []string{"near-handle"}, swap(func(a *altered) {
		a.delete = func(ctx context.Context, key store.Key) error { a.withHandle(key); return a.ref.Delete(ctx, key) }
	})},
	{"the handle zero is none", []string{"near-handle"}, swap(func(a *altered) {
		a.revoke = func(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
			if slices.Contains(sel.Only, store.Handle{}) {
				return store.Revoked{}, nil
			}
			return a.ref.Revoke(ctx, user, sel)
		}
	})},
	{"a rotate to the handle zero keeps the old one", []string{"near-handle"}, swap(func(a *altered) {
		a.rotate = func(ctx context.Context, old store.Key, v uint64, rec store.Record, tail *store.Record) error {
			if prev, ok := a.raw(old); ok && rec.Handle == (store.Handle{}) {
				rec.Handle = prev.Handle
			}
			return a.ref.Rotate(ctx, old, v, rec, tail)
		}
	})},
	{"limits count users without case", []string{"user-others"}, countsUsers(strings.EqualFold)},
	{"limits count users up to a zero", []string{"user-others"}, countsUsers(func(a, b string) bool { return bytes.Equal(untilZero([]byte(a)), untilZero([]byte(b))) })},
	{"limits count users that begin alike", []string{"user-others"}, countsUsers(strings.HasPrefix)},
	{"limits count users that end alike", []string{"user-others"}, countsUsers(strings.HasSuffix)},
	{"limits count users without their spaces", []string{"user-others"}, countsUsers(func(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) })},
	{"limits count users as patterns", []string{"user-others"}, countsUsers(func(a, b string) bool {
		front, found := strings.CutSuffix(b, "%")
		return a == b || found && strings.HasPrefix(a, front)
	})},
}

// countsUsers is a store that counts the records of users who are alike.
func countsUsers(alike func(a, b string) bool) func(*ref) store.Store {
	return swap(func(a *altered) {
		a.create = func(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
			n := 0
			for r := range a.ref.All(ctx) {
				if r.User != "" && alike(r.User, rec.User) && r.Key != rec.Key {
					n++
				}
			}
			if rec.User != "" && adm.Max > 0 && !adm.Evict && n >= adm.Max {
				return store.Admitted{}, store.ErrLimit
			}
			return a.ref.Create(ctx, rec, adm)
		}
	})
}
