package kvstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// flip changes a byte of a value.
func flip(t *testing.T, db *kvtest.Memory, key []byte, at int) {
	t.Helper()
	v, found, _ := db.Get(key)
	if !found {
		t.Fatal("no such key")
	}
	v[at] ^= 0x10
	db.Apply([]kvstore.Op{{Key: key, Value: v}}, true)
}

// TestFlippedBytes damages each byte of each entry of a record in turn.
func TestFlippedBytes(t *testing.T) {
	for _, size := range []int{0, 50, 1025} {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		rec, other := fresh("a"), add(t, s, fresh("a"))
		rec.Data = make([]byte, size)
		for _, kind := range []string{"\x00s", "\x00d"} {
			if kind == "\x00d" && size <= 1024 {
				continue
			}
			add(t, s, rec)
			key := append([]byte(kind), append(rec.Key.Tag[:], rec.Key.ID[:]...)...)
			whole, _, _ := db.Get(key)
			for at := range whole {
				flip(t, db, key, at)
				got, _, err := s.Get(bg, rec.Key)
				if !errors.Is(err, store.ErrCorrupt) || got.User != "" || len(got.Data) > 0 {
					t.Fatalf("size %d, byte %d of %q: %v", size, at, kind, err)
				}
				// The handle shows unless it is itself hit, or what tells that it is one.
				if at > 0 && (at < 9 || at >= 25 || kind == "\x00d") && !strings.Contains(err.Error(), rec.Handle.String()) {
					t.Fatalf("byte %d: %v does not name the handle", at, err)
				}
				flip(t, db, key, at)
			}
			if err := s.Delete(bg, rec.Key); err != nil {
				t.Fatal(err)
			}
		}
		if !alive(t, s, other.Key) {
			t.Error("damage reached another session")
		}
	}
}

// TestDamaged has one damaged record among good ones, for every method.
func TestDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		bad := add(t, s, fresh("a"))
		good := add(t, s, fresh("a"))
		stranger := add(t, s, fresh("b"))
		key := append([]byte("\x00s"), append(bad.Key.Tag[:], bad.Key.ID[:]...)...)
		flip(t, db, key, 60)

		for what, seq := range map[string]func() (int, error){
			"User": func() (n int, err error) {
				for _, err = range s.User(bg, "a") {
					n++
				}
				return n - 1, err
			},
			"All": func() (n int, err error) {
				for _, err = range s.All(bg) {
					n++
				}
				return n - 2, err
			},
		} {
			if n, err := seq(); n != 1 || !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), bad.Handle.String()) {
				t.Errorf("%s yields %d records too many or too few, and %v", what, n-1, err)
			}
		}
		next := bad
		next.Key.ID[0]++
		_, created := s.Create(bg, bad, store.Admission{})
		for what, err := range map[string]error{
			"create": created, "update": s.Update(bg, bad, 1), "touch": s.Touch(bg, bad, 0),
			"rotate": s.Rotate(bg, bad.Key, 1, next, nil),
		} {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: %v, want ErrCorrupt", what, err)
			}
		}
		if _, err := s.Create(bg, fresh("a"), store.Admission{Max: 2}); err != nil {
			t.Errorf("a damaged record counts in a limit: %v", err)
		}
		if r, err := s.Revoke(bg, "a", store.Selection{Only: []store.Handle{good.Handle}}); r.N != 1 || err != nil {
			t.Errorf("revoke: %d, %v", r.N, err)
		}
		if _, _, err := s.Get(bg, bad.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after a revoke a damaged record is still there: %v", err)
		}
		if !alive(t, s, stranger.Key) {
			t.Error("another user's is gone")
		}
	})
}

// TestSweptDamage has a damaged record go in its time, and not before; it is told once.
func TestSweptDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{0, 2000} {
			db := new(kvtest.Memory)
			s := over(t, db, nil)
			rec, good := fresh("a"), add(t, s, fresh("b"))
			rec.Data = make([]byte, size)
			bad := add(t, s, rec)
			flip(t, db, append([]byte("\x00s"), append(bad.Key.Tag[:], bad.Key.ID[:]...)...), 60)
			if n, err := s.Sweep(bg, 100); n != 0 || err != nil {
				t.Errorf("swept %d before its time, and %v", n, err)
			}
			time.Sleep(2 * time.Hour)
			if n, err := s.Sweep(bg, 100); n != 2 || !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("swept %d of 2, and %v", n, err)
			}
			for _, key := range []store.Key{bad.Key, good.Key} {
				if _, _, err := s.Get(bg, key); !errors.Is(err, store.ErrNotFound) {
					t.Error(err)
				}
			}
			if keys := append(db.Keys("\x00s"), append(db.Keys("\x00d"), db.Keys("\x00e")...)...); len(keys) > 0 {
				t.Errorf("left: %q", keys)
			}
			if n, err := s.Sweep(bg, 100); n != 0 || err != nil {
				t.Errorf("a second sweep: %d, %v", n, err)
			}
		}
	})
}

// TestOtherVersion has a record that another version has written: it is an outage for whoever asks
// for it, and stays, whatever is asked.
func TestOtherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		old := add(t, s, fresh("a"))
		stranger := add(t, s, fresh("b"))
		key := append([]byte("\x00s"), append(old.Key.Tag[:], old.Key.ID[:]...)...)
		v, _, _ := db.Get(key)
		v[0] = 2
		c := crc32.MakeTable(crc32.Castagnoli)
		binary.BigEndian.PutUint32(v[5:], crc32.Update(crc32.Update(crc32.Checksum(key[1:], c), c, v[:5]), c, v[9:]))
		db.Apply([]kvstore.Op{{Key: key, Value: v}}, true)

		_, _, got := s.Get(bg, old.Key)
		_, created := s.Create(bg, old, store.Admission{})
		_, revoked := s.Revoke(bg, "a", store.Selection{})
		var user, all error
		for _, user = range s.User(bg, "a") {
		}
		n := 0
		for _, all = range s.All(bg) {
			n++
		}
		if n != 2 {
			t.Errorf("All yields %d of one record and an error", n)
		}
		time.Sleep(2 * time.Hour)
		swept, sweep := s.Sweep(bg, 100)
		if swept != 1 || alive(t, s, stranger.Key) {
			t.Errorf("%d of 1 swept", swept)
		}
		for what, err := range map[string]error{
			"get": got, "create": created, "update": s.Update(bg, old, 1), "touch": s.Touch(bg, old, 0), "revoke": revoked,
			"user": user, "all": all, "sweep": sweep,
		} {
			if !errors.Is(err, driver.ErrVersion) || !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: %v, want ErrUnavailable", what, err)
			}
		}
		if now, found, _ := db.Get(key); !found || !bytes.Equal(now, v) {
			t.Error("it is gone, or changed")
		}
	})
}

// TestDamagedGuard refuses too much rather than too little, until it is swept.
func TestDamagedGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := new(kvtest.Memory)
		s := over(t, db, nil)
		if _, err := s.Revoke(bg, "a", store.Selection{}); err != nil {
			t.Fatal(err)
		}
		flip(t, db, db.Keys("\x00g")[0], 4)
		if _, err := s.Create(bg, fresh("a"), store.Admission{Began: time.Now().Add(-time.Second)}); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("create: %v, want ErrRevoked", err)
		}
		time.Sleep(store.GuardFor + 2*time.Minute)
		s.Sweep(bg, 1)
		if _, err := s.Create(bg, fresh("a"), store.Admission{Began: time.Now().Add(-time.Second)}); err != nil {
			t.Errorf("create after the sweep: %v", err)
		}
	})
}

// TestLostData loses what lies apart, whole; and exchanges it for another write's.
func TestLostData(t *testing.T) {
	db := new(kvtest.Memory)
	s := over(t, db, nil)
	rec := fresh("a")
	rec.Data = bytes.Repeat([]byte("x"), 2000)
	add(t, s, rec)
	key := db.Keys("\x00d")[0]
	before, _, _ := db.Get(key)
	rec.Writer[0]++
	if err := s.Update(bg, rec, 1); err != nil {
		t.Fatal(err)
	}
	db.Apply([]kvstore.Op{{Key: key, Value: before}}, true)
	if _, _, err := s.Get(bg, rec.Key); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("with another write's data: %v, want ErrCorrupt", err)
	}
	db.Apply([]kvstore.Op{{Key: key, Delete: true}}, true)
	if _, _, err := s.Get(bg, rec.Key); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("without data: %v, want ErrCorrupt", err)
	}
}
