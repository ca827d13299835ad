package sqlitestore_test

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// flipped writes a file of some sessions with bytes changed, and opens it.
func flipped(t *testing.T, path string, image []byte, at ...int) *sqlitestore.Store {
	t.Helper()
	image = bytes.Clone(image)
	for _, i := range at {
		image[i] ^= 1 << rand.IntN(8)
	}
	for _, end := range []string{"-wal", "-shm"} {
		os.Remove(path + end)
	}
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := sqlitestore.Open(path, &sqlitestore.Options{NoReserve: true})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// image returns the file of some sessions, and these.
func image(t *testing.T, path string, n int) ([]byte, []store.Record) {
	st := openAt(t, path, &sqlitestore.Options{NoReserve: true})
	recs := make([]store.Record, n)
	for i := range recs {
		rec := shareRecord(fmt.Sprintf("somebody-%04d", i/3))
		rec.Meta, rec.Data = []byte(fmt.Sprintf("meta-%04d-%v", i, rec.Handle)), []byte(fmt.Sprintf("data-%04d-%v", i, rec.Handle))
		if _, err := st.Create(t.Context(), rec, store.Admission{}); err != nil {
			t.Fatal(err)
		}
		got, _, err := st.Get(t.Context(), rec.Key)
		if err != nil {
			t.Fatal(err)
		}
		recs[i] = got
	}
	if err := st.Close(); err != nil { // and thereby copies the log into the file
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, recs
}

func equal(a, b store.Record) bool {
	return a.Key == b.Key && a.Handle == b.Handle && a.User == b.User && a.Version == b.Version && a.Writer == b.Writer &&
		a.Idle == b.Idle && a.Lifetime == b.Lifetime && a.Created.Equal(b.Created) && a.Seen.Equal(b.Seen) &&
		bytes.Equal(a.Meta, b.Meta) && bytes.Equal(a.Data, b.Data)
}

// every finds what lies off from a text, also in what earlier forms of a page have left behind.
func every(img, text []byte, off int) (at []int) {
	for i := 0; ; i++ {
		j := bytes.Index(img[i:], text)
		if j < 0 {
			return at
		}
		i += j
		at = append(at, i+off)
	}
}

// TestFlippedRow damages each column of a row that the store reads.
func TestFlippedRow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	img, recs := image(t, path, 30)
	rec := recs[17]
	id, head := rec.Key.ID[:], slices.Concat(rec.Writer[:], rec.Handle[:])
	for what, at := range map[string][]int{
		"user":     every(img, slices.Concat(id, []byte(rec.User)), 40),
		"version":  every(img, head, -1),
		"writer":   every(img, head, 3),
		"created":  every(img, head, 27),
		"seen":     every(img, head, 35),
		"idle":     every(img, head, 43),
		"lifetime": every(img, head, 51),
		"checksum": every(img, head, 61),
		"meta":     every(img, rec.Meta, 7),
		"data":     every(img, rec.Data, 7),
	} {
		st := flipped(t, path, img, at...)
		ctx := t.Context()
		_, _, err := st.Get(ctx, rec.Key)
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), rec.Handle.String()) {
			t.Errorf("%s: get answers %v, want ErrCorrupt and the handle", what, err)
		}
		next := rec
		next.Writer, next.Key.ID[5] = store.Writer{1}, 0xee
		if err := st.Rotate(ctx, rec.Key, 1, next, nil); what != "data" && !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: rotate answers %v, want ErrCorrupt", what, err)
		}
		if what != "data" { // which lists do not read
			var last error
			n := 0
			for _, err := range st.All(ctx) {
				n++
				last = err
			}
			if !errors.Is(last, store.ErrCorrupt) || n != len(recs) {
				t.Errorf("%s: all yields %d records and %v, want the others and ErrCorrupt", what, n, last)
			}
			if r, err := st.Revoke(ctx, rec.User, store.Selection{}); r.N != 2 || err != nil {
				t.Errorf("%s: revoke answers %d, %v, want the 2 others of the user", what, r.N, err)
			}
			if _, _, err := st.Get(ctx, rec.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: after revoke, get answers %v", what, err)
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFlippedFile damages any byte of the file: what is read is right or an error. SQLite keeps no
// sums of its own pages, so a damaged inner page may hide a record.
func TestFlippedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	img, recs := image(t, path, 60)
	kinds := map[string]int{}
	const rounds = 60
	for range rounds {
		at := rand.IntN(len(img))
		st := flipped(t, path, img, at)
		for _, want := range recs {
			got, _, err := st.Get(t.Context(), want.Key)
			switch {
			case err == nil && !equal(got, want):
				t.Fatalf("byte %d flipped: get gives a wrong record", at)
			case errors.Is(err, store.ErrCorrupt):
				kinds["ErrCorrupt"]++
			case errors.Is(err, store.ErrNotFound):
				kinds["ErrNotFound"]++
			case err != nil:
				kinds["another error"]++
			default:
				kinds["right"]++
			}
		}
		byKey := map[store.Key]store.Record{}
		for _, rec := range recs {
			rec.Data = nil
			byKey[rec.Key] = rec
		}
		for rec, err := range st.All(t.Context()) {
			if err == nil && !equal(rec, byKey[rec.Key]) {
				t.Fatalf("byte %d flipped: all yields a wrong record", at)
			}
		}
		st.Close()
	}
	t.Logf("%d flips, %d reads: %v", rounds, rounds*len(recs), kinds)
}

// TestOtherVersion has a row that another version has written: an outage for whoever asks for it.
// It stays, whatever is asked.
func TestOtherVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	_, recs := image(t, path, 3)
	rec := recs[1]
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var table string
	var usr, head, meta []byte
	if err := db.QueryRow("SELECT name FROM sqlite_schema WHERE sql LIKE '%head BLOB%'").Scan(&table); err != nil {
		t.Fatal(err)
	}
	row := db.QueryRow("SELECT usr, head, meta FROM "+table+" WHERE id = ?", rec.Key.ID[:])
	if err := row.Scan(&usr, &head, &meta); err != nil {
		t.Fatal(err)
	}
	head = append(head[:len(head)-4], "more"...)
	sum := crc32.Checksum(slices.Concat(rec.Key.Tag[:], rec.Key.ID[:], []byte{byte(len(usr))}, head, usr, meta), crc32.MakeTable(crc32.Castagnoli))
	head = binary.BigEndian.AppendUint32(head, sum)
	if _, err := db.Exec("UPDATE "+table+" SET head = ?, exp = 0, slot = 0 WHERE id = ?", head, rec.Key.ID[:]); err != nil {
		t.Fatal(err)
	}

	st := openAt(t, path, &sqlitestore.Options{NoReserve: true})
	defer st.Close()
	ctx := t.Context()
	_, _, got := st.Get(ctx, rec.Key)
	_, created := st.Create(ctx, rec, store.Admission{})
	_, revoked := st.Revoke(ctx, rec.User, store.Selection{})
	var all error
	for _, all = range st.All(ctx) {
	}
	for what, err := range map[string]error{
		"get": got, "create": created, "update": st.Update(ctx, rec, 1), "touch": st.Touch(ctx, rec, 0), "revoke": revoked, "all": all,
	} {
		if !errors.Is(err, driver.ErrVersion) || errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
	if n, err := st.Sweep(ctx, 10); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	var now []byte
	if err := db.QueryRow("SELECT head FROM "+table+" WHERE id = ?", rec.Key.ID[:]).Scan(&now); err != nil || !bytes.Equal(now, head) {
		t.Errorf("it is gone, or changed: %v", err)
	}
}

// TestSweptDamage has a damaged row go in its time.
func TestSweptDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	_, recs := image(t, path, 3)
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var table string
	if err := db.QueryRow("SELECT name FROM sqlite_schema WHERE sql LIKE '%head BLOB%'").Scan(&table); err != nil {
		t.Fatal(err)
	}
	st := openAt(t, path, &sqlitestore.Options{NoReserve: true})
	defer st.Close()
	for i, want := range []int{0, 1} {
		if _, err := db.Exec("UPDATE "+table+" SET meta = 'x', exp = exp * ?, slot = slot * ? WHERE id = ?", 1-i, 1-i, recs[1].Key.ID[:]); err != nil {
			t.Fatal(err)
		}
		if n, err := st.Sweep(t.Context(), 10); n != want || err != nil {
			t.Errorf("swept %d, want %d, %v", n, want, err)
		}
	}
	if _, _, err := st.Get(t.Context(), recs[1].Key); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
