package kvstore_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// TestPowerCut (P3, P12) drops batches that were not synced.
func TestPowerCut(t *testing.T) {
	for d := range store.Loose + 1 {
		kvtest.PowerCut(t, 40, d, kvtest.NewMachine(nil))
	}
}

// TestDurability says of each setting which batches are synced.
func TestDurability(t *testing.T) {
	for d, want := range map[store.Durability]string{store.Durable: "cuvwseronk", store.Relaxed: "userok", store.Loose: "serok"} {
		synctest.Test(t, func(t *testing.T) {
			db := new(kvtest.Memory)
			synced := ""
			what := byte(0)
			db.Refuse = func(_ []kvstore.Op, sync bool) error {
				if sync {
					synced += string(what)
				}
				return nil
			}
			s := over(t, db, &kvstore.Options{Durability: d})
			visitor, user, other := fresh(""), fresh("a"), fresh("a")
			shorter, moved := user, user
			shorter.Idle, shorter.Writer[0] = user.Idle/2, user.Writer[0]+1
			moved.Key.ID[0]++
			ended := other
			ended.Lifetime = 1
			for _, step := range []struct {
				what byte
				act  func() error
			}{
				{'c', func() error { _, err := s.Create(bg, visitor, store.Admission{}); return err }},
				{'u', func() error { _, err := s.Create(bg, user, store.Admission{}); return err }},
				{'v', func() error { visitor.Writer[0]++; return s.Update(bg, visitor, 1) }},
				{'w', func() error { user.Writer[1]++; return s.Update(bg, user, 1) }},
				{'t', func() error { time.Sleep(time.Nanosecond); return s.Touch(bg, user, 0) }},
				{'s', func() error { return s.Update(bg, shorter, 2) }}, // which a power cut must not make longer
				{'e', func() error { _, err := s.Create(bg, other, store.Admission{Max: 1, Evict: true}); return err }},
				{'r', func() error { moved = other; moved.Key.ID[0]++; return s.Rotate(bg, other.Key, 1, moved, nil) }},
				{'o', func() error { ended = moved; ended.Lifetime, ended.Writer[0] = 1, 9; return s.Update(bg, ended, 2) }},
				{'n', func() error { visitor.Writer[0]++; return s.Update(bg, visitor, 2) }},
				{'k', func() error { _, err := s.Revoke(bg, "a", store.Selection{}); return err }},
			} {
				what = step.what
				if err := step.act(); err != nil {
					t.Fatalf("%c: %v", what, err)
				}
			}
			if synced != want {
				t.Errorf("setting %d syncs %q, want %q", d, synced, want)
			}
		})
	}
}

// TestSync says of each method how many batches it writes, and that those are synced which must be.
func TestSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(kvtest.Memory)
		var syncs []bool
		db.Refuse = func(_ []kvstore.Op, sync bool) error { syncs = append(syncs, sync); return nil }
		s := over(t, db, nil)
		rec, other := fresh("a"), fresh("a")
		moved := rec
		moved.Key.ID[0]++
		steps := []struct {
			what string
			act  func() error
			want []bool
		}{
			{"create", func() error { _, err := s.Create(bg, rec, store.Admission{}); return err }, []bool{true}},
			{"replay", func() error { _, err := s.Create(bg, rec, store.Admission{}); return err }, nil},
			{"touch", func() error { time.Sleep(time.Nanosecond); return s.Touch(bg, rec, 0) }, []bool{false}},
			{"early touch", func() error { time.Sleep(time.Nanosecond); return s.Touch(bg, rec, time.Second) }, nil},
			{"update", func() error { return s.Update(bg, rec, 1) }, []bool{true}},
			{"rotate", func() error { tail := fresh(""); tail.Key = rec.Key; return s.Rotate(bg, rec.Key, 2, moved, &tail) }, []bool{true}},
			{"evict", func() error {
				_, err := s.Create(bg, other, store.Admission{Max: 1, Evict: true})
				return err
			}, []bool{true}},
			{"delete", func() error { return s.Delete(bg, rec.Key) }, []bool{true}},
			{"delete nothing", func() error { return s.Delete(bg, rec.Key) }, nil},
			{"revoke", func() error { _, err := s.Revoke(bg, "a", store.Selection{}); return err }, []bool{true}},
			{"sweep nothing", func() error { _, err := s.Sweep(bg, 1); return err }, nil},
			{"sweep", func() error {
				r := fresh("")
				r.Idle = 1
				if _, err := s.Create(bg, r, store.Admission{}); err != nil {
					return err
				}
				time.Sleep(time.Nanosecond)
				_, err := s.Sweep(bg, 10)
				return err
			}, []bool{true, false, true}},
		}
		for _, st := range steps {
			syncs = nil
			if err := st.act(); err != nil || !slices.Equal(syncs, st.want) {
				t.Errorf("%s: syncs %v, want %v; %v", st.what, syncs, st.want, err)
			}
		}
	})
}

// TestWaitGivenUp has a writer that hangs in the disk, and others that must not hang with it.
func TestWaitGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(stuck)
		s := over(t, db, nil)
		rec := add(t, s, fresh("a"))
		go func() {
			db.hang.Store(true)
			s.Delete(bg, rec.Key)
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if err := s.Update(ctx, rec, 1); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("update: %v", err)
		}
		if !alive(t, s, rec.Key) { // a reader waits for nobody
			t.Error("ended before it was written")
		}
		time.Sleep(time.Hour)
		if alive(t, s, rec.Key) {
			t.Error("not ended")
		}
	})
}

// stuck takes an hour to write, if it hangs.
type stuck struct {
	kvtest.Memory
	hang atomic.Bool
}

func (e *stuck) Apply(ops []kvstore.Op, sync bool) error {
	if e.hang.Load() {
		time.Sleep(time.Hour)
	}
	return e.Memory.Apply(ops, sync)
}

// TestEngineErrors has an engine that fails, or knows better why.
func TestEngineErrors(t *testing.T) {
	for _, c := range []struct{ engine, want error }{
		{errDisk, store.ErrIndeterminate}, {store.ErrFull, store.ErrFull}, {store.ErrUnavailable, store.ErrUnavailable},
	} {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		db.Refuse = func([]kvstore.Op, bool) error { return c.engine }
		_, err := s.Create(bg, fresh("a"), store.Admission{})
		if !errors.Is(err, c.want) || !errors.Is(err, c.engine) || errors.Is(err, store.ErrIndeterminate) != (c.want == store.ErrIndeterminate) {
			t.Errorf("%v became %v, want %v", c.engine, err, c.want)
		}
	}
	if _, err := kvstore.New("kvstore", new(deaf), nil); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("new: %v", err)
	}
}

// deaf answers nothing.
type deaf struct{ kvtest.Memory }

func (*deaf) Walk(_, _ []byte, _ func(_, _ []byte) bool) error { return errDisk }

// TestRevokedAtBegin has a sign-in that began in the very instant of a revocation.
func TestRevokedAtBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := over(t, new(kvtest.Memory), nil)
		if _, err := s.Revoke(bg, "a", store.Selection{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(store.GuardFor)
		if _, err := s.Sweep(bg, 10); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(bg, fresh("a"), store.Admission{Began: time.Now().Add(-store.GuardFor)}); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("create: %v, want ErrRevoked", err)
		}
		if _, err := s.Create(bg, fresh("a"), store.Admission{Began: time.Now().Add(1 - store.GuardFor)}); err != nil {
			t.Errorf("create of a sign-in that began a nanosecond later: %v", err)
		}
	})
}

// TestWholeReads reads a record, whose data lies apart, while it is written: each answer is of one
// write.
func TestWholeReads(t *testing.T) {
	s := over(t, new(kvtest.Memory), nil)
	rec := fresh("a")
	set := func(v byte) {
		rec.Writer[0], rec.Meta, rec.Data = v, []byte{v}, bytes.Repeat([]byte{v}, 2000*int(v%2)+10)
	}
	set(0)
	key := add(t, s, rec).Key
	done := make(chan struct{})
	go func() {
		defer close(done)
		for v := range uint64(3000) {
			set(byte(v + 1))
			if err := s.Update(bg, rec, v+1); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		got, _, err := s.Get(bg, key)
		if err != nil {
			t.Error(err)
			break
		}
		if v := byte(got.Version - 1); got.Meta[0] != v || got.Data[0] != v || got.Data[len(got.Data)-1] != v {
			t.Error("a read gave the header of one write and the data of another")
			break
		}
	}
	<-done
}
