package diskstore

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// TestWhyItFails has each reason that a disk gives for a lack of room, and a context that ends
// while a write waits for its lock.
func TestWhyItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, store.Durable)
		f := &flaky{disk: st.disk}
		s, err := open(f, &Options{Reserve: -1}, "first")
		if err != nil {
			t.Fatal(err)
		}
		before := st.view(s)
		rec := st.recs["a1"]
		rec.Writer = store.Writer{1}
		for _, why := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
			f.calls, f.at, f.err = 0, 0, why
			f.waited = func() { f.at = f.calls + 5 }
			if err := s.Update(t.Context(), rec, 1); !errors.Is(err, store.ErrFull) {
				t.Errorf("%v: update answers %v", why, err)
			}
		}
		f.at = 0
		for _, want := range []error{context.Canceled, context.DeadlineExceeded} {
			ctx, cancel := context.WithCancel(t.Context())
			if want == context.DeadlineExceeded {
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			}
			f.waited = func() {
				if want == context.Canceled {
					cancel()
				}
				time.Sleep(2 * time.Second)
			}
			if err := s.Update(ctx, rec, 1); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, want) {
				t.Errorf("update that waited for too long answers %v, want %v", err, want)
			}
			cancel()
		}
		f.waited = nil
		if got := st.view(s); got != before {
			t.Errorf("it shows\n%s, not\n%s", got, before)
		}
	})
}
