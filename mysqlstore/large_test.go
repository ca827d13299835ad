package mysqlstore_test

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// TestLarge grows and shrinks a record over the size from which its data has a table of its own,
// moves and ends it there, and looks that nothing stays behind.
func TestLarge(t *testing.T) {
	eachServer(t, func(t *testing.T, address string) {
		s, table := openWith(t, address, nil)
		db := bareDB(t, address)
		aside := func(when string, want int) {
			t.Helper()
			var n int
			if err := db.QueryRow("SELECT COUNT(*) FROM " + table + "_data").Scan(&n); err != nil || n != want {
				t.Errorf("%s: %d rows of data, %v, want %d", when, n, err, want)
			}
		}
		data := func(n int) []byte {
			b := make([]byte, n)
			rand.Read(b)
			return b
		}
		same := func(when string, rec store.Record) {
			t.Helper()
			got, _, err := s.Get(t.Context(), rec.Key)
			if err != nil || !bytes.Equal(got.Data, rec.Data) {
				t.Errorf("%s: %d bytes, %v, want %d", when, len(got.Data), err, len(rec.Data))
			}
		}
		rec := record("ada")
		rec.Data = data(store.MaxData)
		if _, err := s.Create(t.Context(), rec, store.Admission{Max: 1}); err != nil {
			t.Fatal(err)
		}
		same("created", rec)
		aside("created", 1)
		for i, size := range []int{40 << 10, 10, 0, 100 << 10, 32 << 10} {
			rec.Data = data(size)
			rec.Writer[0]++
			for range 2 { // the second one is a replay
				if err := s.Update(t.Context(), rec, uint64(i+1)); err != nil {
					t.Fatal(err)
				}
			}
			same("updated", rec)
		}
		next := heir(rec)
		next.Data = data(store.MaxData)
		if err := s.Rotate(t.Context(), rec.Key, 6, next, nil); err != nil {
			t.Fatal(err)
		}
		same("rotated", next)
		small := heir(next)
		small.Data = []byte("small")
		if err := s.Rotate(t.Context(), next.Key, 7, small, nil); err != nil {
			t.Fatal(err)
		}
		same("rotated again", small)
		other := record("ada")
		other.Data = data(50 << 10)
		if a, err := s.Create(t.Context(), other, store.Admission{Max: 1, Evict: true}); err != nil || len(a.Evicted) != 1 {
			t.Fatal(a.Evicted, err)
		}
		same("created at the limit", other)
		if n, err := s.Sweep(t.Context(), 100); n != 2 || err != nil { // the two old keys
			t.Errorf("%d swept, %v, want 2", n, err)
		}
		aside("swept", 1)
		if err := s.Delete(t.Context(), other.Key); err != nil {
			t.Fatal(err)
		}
		aside("deleted", 0)
		anon := record("")
		anon.Data, anon.Lifetime = data(store.MaxData), 200*time.Millisecond
		if _, err := s.Create(t.Context(), anon, store.Admission{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond)
		if _, err := s.Create(t.Context(), anon, store.Admission{}); err != nil { // over what has expired
			t.Fatal(err)
		}
		aside("expired and created", 1)
		time.Sleep(250 * time.Millisecond)
		if n, err := s.Sweep(t.Context(), 100); n != 1 || err != nil {
			t.Errorf("%d swept, %v, want 1", n, err)
		}
		aside("expired and swept", 0)
	})
}

// BenchmarkTouch shows that a record's size does not matter.
func BenchmarkTouch(b *testing.B) {
	eachBench(b, func(b *testing.B, e *bench) {
		for _, size := range []struct {
			name  string
			bytes int
		}{{"256B", 256}, {"32KiB", 32 << 10}, {"1MiB", store.MaxData}} {
			b.Run(size.name, func(b *testing.B) {
				rec := record("ada")
				rec.Data = make([]byte, size.bytes)
				if _, err := e.store.Create(b.Context(), rec, store.Admission{}); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if err := e.store.Touch(b.Context(), rec, 0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}
