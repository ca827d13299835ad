package kvtest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sojourn-go/sojourn/store"
)

// Writers measures writes by one and by 64 at a time, in each setting of durability: a visitor's
// new session, a change of a user's data, and a sign-in. It reports writes a second: where those
// that wait for the disk share one wait, 64 writers do far more than one.
func Writers(b *testing.B, open Open) {
	for d, name := range []string{"durable", "relaxed", "loose"} {
		for _, kind := range []string{"visitor", "change", "sign-in"} {
			for _, writers := range []int{1, 64} {
				b.Run(fmt.Sprintf("%s/%s/%d", name, kind, writers), func(b *testing.B) {
					s, close, err := open(b.TempDir(), store.Durability(d))
					if err != nil {
						b.Fatal(err)
					}
					defer close()
					write(b, s, kind, writers)
				})
			}
		}
	}
}

func write(b *testing.B, s store.Store, kind string, writers int) {
	made := func(user string) session {
		w := session{User: user, Size: 200}.moved()
		w.Version, w.Size = 1, 200
		if w.Key.Tag = store.TagOf(user); user == "" {
			copy(w.Key.Tag[:], w.Key.ID[:])
		}
		return w
	}
	users := make([]session, writers)
	for i := range users {
		users[i] = made(fmt.Sprint("user-", i))
		if _, err := s.Create(b.Context(), users[i].record(), store.Admission{}); err != nil {
			b.Fatal(err)
		}
	}
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range users {
		wg.Go(func() {
			for n.Add(1) <= int64(b.N) {
				var err error
				switch w := &users[i]; kind {
				case "change":
					old := w.Version
					*w = w.next()
					w.Size = 200
					err = s.Update(b.Context(), w.record(), old)
				case "visitor":
					_, err = s.Create(b.Context(), made("").record(), store.Admission{})
				default:
					_, err = s.Create(b.Context(), made(w.User).record(), store.Admission{})
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
