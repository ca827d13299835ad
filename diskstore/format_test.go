package diskstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

func pathOf(dir string, k store.Key) string {
	return filepath.Join(dir, shardName(k.Tag[0]), tagName(k.Tag), idName(k.ID))
}

func formatSamples() []store.Record {
	full := sample("ada")
	full.Version, full.Created, full.Seen, full.Lifetime = 7, instant(1<<60), instant(1<<60+5), store.MaxLife
	big := full
	big.Data, big.Meta, big.User = make([]byte, store.MaxData), make([]byte, store.MaxMeta), strings.Repeat("u", store.MaxUser)
	return []store.Record{full, big, {Version: 1, Created: instant(oldest), Seen: instant(0)}}
}

func TestFormatRoundTrip(t *testing.T) {
	for _, rec := range formatSamples() {
		b := encode(&rec)
		got, err := decode(b, int64(len(b)), true)
		if err != nil || !bytes.Equal(encode(&got), b) || got.User != rec.User || !bytes.Equal(got.Data, rec.Data) || !got.Seen.Equal(rec.Seen) {
			t.Errorf("a record did not come back: %v", err)
		}
		head, err := decode(b[:min(headMost, len(b))], int64(len(b)), false)
		if err != nil || head.Data != nil || !bytes.Equal(head.Meta, rec.Meta) {
			t.Errorf("a head did not come back: %v", err)
		}
	}
}

// FuzzDecode wants no panic from any bytes, and that only what encode writes is read.
func FuzzDecode(f *testing.F) {
	for _, rec := range formatSamples() {
		b := encode(&rec)
		if len(b) > 1<<12 {
			continue
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		for _, at := range []int{0, 7, 120, 121, 123, 127, 130, 133, len(b) - 1} {
			c := bytes.Clone(b)
			c[at] ^= 1
			f.Add(c)
		}
	}
	f.Add([]byte{})
	f.Add(stamp(guardMagic, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := decode(b, int64(len(b)), true)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Fatalf("another error: %v", err)
			}
		} else if !bytes.Equal(encode(&rec), b) {
			t.Fatal("two files for one record")
		}
		_, _ = decode(b, int64(len(b))+5, false)
		if c, err := decodeJournal(b); err == nil && !bytes.Equal(c.encode(), b) {
			t.Fatal("two journals for one change")
		}
		if es, n := decodeHints(b); n > len(b) || len(es)*hintSize > n {
			t.Fatal("hints from nothing")
		}
		_, _ = readStamp(guardMagic, b)
	})
}

// TestFlippedByte damages a session's file at every offset, by every bit in turn and by cutting it.
func TestFlippedByte(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	s := openAt(t, dir)
	rec := sample("ada")
	rec.Data = rec.Data[:200]
	mustCreate(t, s, rec)
	path := pathOf(dir, rec.Key)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := len(sound) - len(rec.Data)
	try := func(b []byte, what string, at int) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.Get(t.Context(), rec.Key)
		if !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("%s at %d: get: %v", what, at, err)
		}
		if named := strings.Contains(err.Error(), rec.Handle.String()); what == "flip" && named != (at >= head) {
			t.Fatalf("flip at %d: the error names the session: %v; its data begin at %d", at, named, head)
		}
		if what == "flip" && at >= head {
			return // lists and writes do not read data
		}
		change := rec
		change.Writer[0]++
		for name, err := range map[string]error{"update": s.Update(t.Context(), change, 1), "touch": s.Touch(t.Context(), rec, 0)} {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Fatalf("%s at %d: %s: %v", what, at, name, err)
			}
		}
		listed := errors.New("nothing")
		for _, err := range s.User(t.Context(), "ada") {
			listed = err
		}
		if !errors.Is(listed, store.ErrCorrupt) {
			t.Fatalf("%s at %d: list: %v", what, at, listed)
		}
	}
	for at := range sound {
		b := bytes.Clone(sound)
		b[at] ^= 1 << (at % 8)
		try(b, "flip", at)
	}
	for at := range sound {
		try(sound[:at], "cut", at)
	}
	try(append(bytes.Clone(sound), 0), "longer", len(sound))
	if r, err := s.Revoke(t.Context(), "ada", store.Selection{}); r.N != 0 || err != nil {
		t.Fatalf("revoke of a damaged session: %d, %v", r.N, err)
	}
	if _, _, err := s.Get(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("after revoke: %v", err)
	}
}

// TestDamagedNeighbours wants a damaged guard or journal to be told, and to stop nobody else.
func TestDamagedNeighbours(t *testing.T) {
	t.Parallel()
	dir := memoryDir(t)
	s := openAt(t, dir)
	rec, other := sample("ada"), sample("bob")
	mustCreate(t, s, rec)
	mustCreate(t, s, other)
	if _, err := s.Revoke(t.Context(), "ada", store.Selection{Except: []store.Handle{rec.Handle}}); err != nil {
		t.Fatal(err)
	}
	user := filepath.Dir(pathOf(dir, rec.Key))
	if err := os.WriteFile(filepath.Join(user, guardName), stamp(guardMagic, 5)[:19], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), sample("ada"), store.Admission{Began: time.Now().Add(-time.Minute)}); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("create beside a damaged guard: %v", err)
	}
	if err := os.WriteFile(filepath.Join(user, journalName), []byte(journalMagic), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), rec, 1); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("update beside a damaged journal: %v", err)
	}
	// All of the user's sessions have ended, and the next one begins.
	if _, _, err := s.Get(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get after a damaged journal: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, damagedName, asideName(rec.Key.Tag, journalName))); string(b) != journalMagic {
		t.Errorf("the journal is not set aside: %v", err)
	}
	if _, err := s.Create(t.Context(), sample("ada"), store.Admission{}); err != nil {
		t.Errorf("create after a damaged journal: %v", err)
	}
	if _, _, err := s.Get(t.Context(), other.Key); err != nil {
		t.Errorf("get of another user's session: %v", err)
	}
	if _, err := s.Sweep(t.Context(), 10); err != nil {
		t.Errorf("sweep beside a damaged journal: %v", err)
	}
}
