package diskstore

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// sample returns a new record, with 1 KiB of Data.
func sample(user string) store.Record {
	rec := store.Record{User: user, Idle: 30 * time.Minute, Meta: []byte("meta"), Data: make([]byte, 1024)}
	rec.Key.Tag = store.TagOf(user)
	if user == "" {
		rand.Read(rec.Key.Tag[:])
	}
	rand.Read(rec.Key.ID[:])
	rand.Read(rec.Handle[:])
	rand.Read(rec.Writer[:])
	rand.Read(rec.Data)
	return rec
}

func mustCreate(t testing.TB, s *Store, rec store.Record) {
	t.Helper()
	if _, err := s.Create(t.Context(), rec, store.Admission{}); err != nil {
		t.Fatal(err)
	}
}

// contest measures two ways to do the same, turn by turn, so that both meet the same machine, and
// reports how fast ours is compared with bare: 1 is as fast.
func contest(b *testing.B, rounds int, bare, ours func()) {
	var ratios []float64
	var sums [2]time.Duration
	n := 0
	for b.Loop() {
		for range rounds {
			var took [2]time.Duration
			for i, f := range []func(){bare, ours} {
				start := time.Now()
				f()
				took[i] = time.Since(start)
				sums[i] += took[i]
			}
			n++
			ratios = append(ratios, float64(took[0])/float64(took[1]))
		}
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ours/bare")
	b.ReportMetric(float64(sums[0].Nanoseconds())/float64(n), "bare-ns")
	b.ReportMetric(float64(sums[1].Nanoseconds())/float64(n), "ours-ns")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReadRatio compares Get with opening and reading the same file with package os.
func BenchmarkReadRatio(b *testing.B) {
	dir := b.TempDir()
	s := openAt(b, dir)
	var keys []store.Key
	var paths []string
	for i := range 100 {
		rec := sample("user" + strconv.Itoa(i))
		mustCreate(b, s, rec)
		keys = append(keys, rec.Key)
		paths = append(paths, filepath.Join(dir, shardName(rec.Key.Tag[0]), tagName(rec.Key.Tag), idName(rec.Key.ID)))
	}
	contest(b, 20,
		func() {
			for _, p := range paths {
				if _, err := os.ReadFile(p); err != nil {
					b.Fatal(err)
				}
			}
		},
		func() {
			for _, k := range keys {
				if _, _, err := s.Get(b.Context(), k); err != nil {
					b.Fatal(err)
				}
			}
		})
}

// bareWrite is a durable replacement of a file, as anyone would write it.
func bareWrite(dir string, b []byte) error {
	temp := filepath.Join(dir, "temp")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, "record")); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// BenchmarkWriteRatio compares durable writes of 32 goroutines with bare replacements of as many
// bytes by as many goroutines, each in a directory of its own on the same disk.
func BenchmarkWriteRatio(b *testing.B) {
	const workers, each = 32, 4
	dir := b.TempDir()
	s := openAt(b, filepath.Join(dir, "store"))
	recs := make([]store.Record, workers)
	var dirs []string
	for i := range recs {
		recs[i] = sample(fmt.Sprint("user", i))
		mustCreate(b, s, recs[i])
		dirs = append(dirs, filepath.Join(dir, "bare", strconv.Itoa(i%8), strconv.Itoa(i)))
		if err := os.MkdirAll(dirs[i], 0o700); err != nil {
			b.Fatal(err)
		}
	}
	size := len(encode(&recs[0]))
	crowd := func(f func(i int) error) func() {
		return func() {
			var wg sync.WaitGroup
			for i := range workers {
				wg.Go(func() {
					for range each {
						if err := f(i); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		}
	}
	version := make([]uint64, workers)
	bare := crowd(func(i int) error { return bareWrite(dirs[i], make([]byte, size)) })
	b.Run("update", func(b *testing.B) {
		contest(b, 3, bare, crowd(func(i int) error {
			version[i]++
			rec := recs[i]
			rand.Read(rec.Writer[:])
			return s.Update(b.Context(), rec, version[i])
		}))
	})
	b.Run("create", func(b *testing.B) {
		contest(b, 3, bare, crowd(func(i int) error {
			_, err := s.Create(b.Context(), sample(recs[i].User), store.Admission{})
			return err
		}))
	})
	// These have no counterpart: a new user's directory is made durable too, a rotation has a
	// journal.
	b.Run("create-for-new-user", func(b *testing.B) {
		contest(b, 3, bare, crowd(func(int) error {
			_, err := s.Create(b.Context(), sample(rand.Text()), store.Admission{})
			return err
		}))
	})
	turned := slices.Clone(recs)
	for i := range turned {
		turned[i] = sample(recs[i].User)
		mustCreate(b, s, turned[i])
	}
	turn := make([]uint64, workers)
	b.Run("rotate", func(b *testing.B) {
		contest(b, 3, bare, crowd(func(i int) error {
			old := turned[i].Key
			rand.Read(turned[i].Key.ID[:])
			rand.Read(turned[i].Writer[:])
			turn[i]++
			return s.Rotate(b.Context(), old, turn[i], turned[i], nil)
		}))
	})
}

// BenchmarkWriters measures writes by one and by 64 at a time, in each setting of durability, as
// kvtest does for the key-value stores.
func BenchmarkWriters(b *testing.B) {
	for d, name := range []string{"durable", "relaxed", "loose"} {
		for _, kind := range []string{"visitor", "change", "sign-in"} {
			for _, writers := range []int{1, 64} {
				b.Run(fmt.Sprintf("%s/%s/%d", name, kind, writers), func(b *testing.B) {
					s, err := Open(filepath.Join(b.TempDir(), "store"), &Options{Durability: store.Durability(d)})
					if err != nil {
						b.Fatal(err)
					}
					defer s.Close()
					writeBy(b, s, kind, writers)
				})
			}
		}
	}
}

func writeBy(b *testing.B, s *Store, kind string, writers int) {
	users := make([]store.Record, writers)
	for i := range users {
		users[i] = sample(fmt.Sprint("user-", i))
		mustCreate(b, s, users[i])
	}
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range users {
		wg.Go(func() {
			for version := uint64(1); n.Add(1) <= int64(b.N); version++ {
				var err error
				switch rec := users[i]; kind {
				case "change":
					rand.Read(rec.Writer[:])
					err = s.Update(b.Context(), rec, version)
				case "visitor":
					_, err = s.Create(b.Context(), sample(""), store.Admission{})
				default:
					_, err = s.Create(b.Context(), sample(rec.User), store.Admission{})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}
