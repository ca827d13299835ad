package diskstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// hurt changes a byte of a session's file and gives what is there then.
func hurt(t *testing.T, dir string, key store.Key, at int) []byte {
	t.Helper()
	b, err := os.ReadFile(pathOf(dir, key))
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 4
	rewrite(t, pathOf(dir, key), b)
	return b
}

// rewrite gives a file other bytes and its old time.
func rewrite(t *testing.T, path string, b []byte) {
	t.Helper()
	fi, err := os.Stat(path)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err == nil {
		err = os.Chtimes(path, fi.ModTime(), fi.ModTime())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// asides lists what is in damaged/.
func asides(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(dir, damagedName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// TestSetAside has each way to end a damaged session keep its file; a sound one leaves no copy.
func TestSetAside(t *testing.T) {
	for what, end := range map[string]func(*testing.T, *Store, store.Record) error{
		"delete": func(t *testing.T, s *Store, rec store.Record) error { return s.Delete(t.Context(), rec.Key) },
		"revoke": func(t *testing.T, s *Store, rec store.Record) error {
			_, err := s.Revoke(t.Context(), rec.User, store.Selection{})
			return err
		},
		"sweep": func(t *testing.T, s *Store, rec store.Record) error {
			if n, err := s.Sweep(t.Context(), 10); n != 0 || err != nil {
				t.Errorf("swept %d before its time: %v", n, err)
			}
			time.Sleep(2 * time.Hour)
			n, err := s.Sweep(t.Context(), 10)
			if n != 2 || !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("swept %d of 2, %v", n, err)
			}
			return nil
		},
	} {
		for _, at := range []int{20, headSize + 3 + 3} { // in the head; in the data, which lists do not read
			if what != "delete" && at > headSize {
				continue // it ends as a sound one does
			}
			t.Run(fmt.Sprint(what, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir := memoryDir(t)
					s := openAt(t, dir)
					bad, good := sample("ada"), sample("bob")
					bad.Meta, bad.Data, bad.Idle, good.Idle = nil, []byte("some data"), time.Hour, time.Hour
					mustCreate(t, s, bad)
					mustCreate(t, s, good)
					want := hurt(t, dir, bad.Key, at)
					if err := end(t, s, bad); err != nil {
						t.Fatal(err)
					}
					if _, _, err := s.Get(t.Context(), bad.Key); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("get: %v", err)
					}
					if err := s.Delete(t.Context(), good.Key); err != nil {
						t.Error(err)
					}
					names := asides(t, dir)
					if len(names) != 1 {
						t.Fatalf("set aside: %q", names)
					}
					b, err := os.ReadFile(filepath.Join(dir, damagedName, names[0]))
					if names[0] != asideName(bad.Key.Tag, idName(bad.Key.ID)) || !bytes.Equal(b, want) {
						t.Errorf("%s is not what was there: %v", names[0], err)
					}
					time.Sleep(damagedFor)
					s.Sweep(t.Context(), 10)
					if names := asides(t, dir); len(names) > 0 {
						t.Errorf("after a week there is %q", names)
					}
				})
			})
		}
	}
}

// TestSetAsideBound fills damaged/: what comes then is removed all the same, but for a journal.
func TestSetAsideBound(t *testing.T) {
	dir := memoryDir(t)
	s := openAt(t, dir)
	for i := range damagedMost + 5 {
		rec := sample(fmt.Sprint(i))
		mustCreate(t, s, rec)
		hurt(t, dir, rec.Key, 20)
		if err := s.Delete(t.Context(), rec.Key); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(pathOf(dir, rec.Key)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the %dth is still there: %v", i, err)
		}
	}
	if n := len(asides(t, dir)); n != damagedMost {
		t.Errorf("%d files", n)
	}
	rec := sample("ada")
	mustCreate(t, s, rec)
	journal := filepath.Join(filepath.Dir(pathOf(dir, rec.Key)), journalName)
	if err := os.WriteFile(journal, []byte(journalMagic), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Update(t.Context(), rec, 1); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("beside a damaged journal: %v", err)
		}
	}
	if _, err := os.Stat(pathOf(dir, rec.Key)); err != nil {
		t.Error("without room for the journal its sessions are gone")
	}
}

// TestOtherVersion has a file of another version: an outage for whoever asks for it. It stays.
func TestOtherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := memoryDir(t)
		s := openAt(t, dir)
		rec, other := sample("ada"), sample("bob")
		rec.Meta, rec.Data, rec.Idle = nil, nil, time.Hour
		mustCreate(t, s, rec)
		mustCreate(t, s, other)
		b := hurt(t, dir, rec.Key, 24)
		b[7] = 2
		binary.BigEndian.PutUint32(b[132:], sum(b[:132], b[headSize:]))
		rewrite(t, pathOf(dir, rec.Key), b)

		_, _, got := s.Get(t.Context(), rec.Key)
		_, created := s.Create(t.Context(), rec, store.Admission{})
		_, revoked := s.Revoke(t.Context(), "ada", store.Selection{})
		n, last := count(s.All(t.Context()))
		if n != 1 {
			t.Errorf("All yields %d of 1", n)
		}
		time.Sleep(2 * time.Hour)
		_, swept := s.Sweep(t.Context(), 10)
		for what, err := range map[string]error{
			"get": got, "create": created, "update": s.Update(t.Context(), rec, 1), "touch": s.Touch(t.Context(), rec, 0),
			"revoke": revoked, "all": last, "sweep": swept,
		} {
			if !errors.Is(err, driver.ErrVersion) || errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: %v, want ErrUnavailable", what, err)
			}
		}
		if now, err := os.ReadFile(pathOf(dir, rec.Key)); !bytes.Equal(now, b) {
			t.Errorf("it is gone, or changed: %v", err)
		}
	})
}

func count(seq func(func(store.Record, error) bool)) (n int, last error) {
	for _, err := range seq {
		if last = err; err == nil {
			n++
		}
	}
	return n, last
}

// TestThingsInTheWay has files and folders where others belong: lists and sweeps tell of them and
// do the rest.
func TestThingsInTheWay(t *testing.T) {
	for what, lay := range map[string]func(dir string, key store.Key) error{
		"a folder named like a hints file": func(dir string, _ store.Key) error {
			return os.Mkdir(filepath.Join(dir, hintsName, "m0000000001"), 0o700)
		},
		"a file for a user's folder": func(dir string, key store.Key) error {
			tag := key.Tag
			tag[15]++
			return os.WriteFile(filepath.Join(dir, shardName(tag[0]), tagName(tag)), nil, 0o600)
		},
		"a link for a user's folder": func(dir string, key store.Key) error {
			tag := key.Tag
			tag[15]++
			return os.Symlink("nowhere", filepath.Join(dir, shardName(tag[0]), tagName(tag)))
		},
		"a folder for a session's file": func(dir string, key store.Key) error {
			key.ID[0]++
			return os.MkdirAll(filepath.Join(pathOf(dir, key), "full"), 0o700)
		},
		"a file for a shard": func(dir string, key store.Key) error {
			shard := filepath.Join(dir, shardName(key.Tag[0]^1))
			return errors.Join(os.Remove(shard), os.WriteFile(shard, nil, 0o600))
		},
		"a file for damaged/": func(dir string, _ store.Key) error {
			return os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600)
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := memoryDir(t)
				s := openAt(t, dir)
				recs := []store.Record{sample("ada"), sample("bob"), sample("eve")}
				for _, rec := range recs {
					rec.Idle = time.Hour
					mustCreate(t, s, rec)
				}
				if err := lay(dir, recs[1].Key); err != nil {
					t.Fatal(err)
				}
				again := openAt(t, dir) // as after a restart of the machine
				again.engine.ordered.Store(false)
				again.engine.boot = "another"
				for _, s := range []*Store{s, again} {
					if n, err := count(s.All(t.Context())); n != len(recs) {
						t.Errorf("All yields %d, and %v", n, err)
					}
				}
				time.Sleep(2 * time.Hour)
				if n, err := s.Sweep(t.Context(), 10); n != len(recs) {
					t.Errorf("swept %d, and %v", n, err)
				}
				if n, err := again.Sweep(t.Context(), 10); n != 0 || err == nil && !strings.HasPrefix(what, "a folder for") {
					t.Errorf("swept %d again, and %v, which should tell", n, err)
				}
			})
		})
	}
}
