package cql

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a session whose Close returns when it is told to.
type stuck chan struct{}

func (s stuck) Close() { <-s }

// stuckDriver is one that Open has made on such a session.
type stuckDriver struct {
	Driver
	session stuck
}

func (d stuckDriver) Close() error { return Close(d.session) }

// A Close that never returns is waited for 10 s and no longer, by the store, too; any other as long
// as it takes.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session := make(stuck)
		defer close(session) // a bubble waits for its goroutines
		st, err := New(stuckDriver{session: session}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for what, closing := range map[string]func() error{
			"Close": func() error { return Close(session) }, "Store.Close": st.Close,
		} {
			began := time.Now()
			err := closing()
			if took := time.Since(began); took != closeLimit || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s of a session that never closes: %v after %v", what, err, took)
			}
		}

		slow := make(stuck)
		time.AfterFunc(closeLimit-1, func() { close(slow) })
		began := time.Now()
		if err := Close(slow); err != nil || time.Since(began) != closeLimit-1 {
			t.Errorf("Close of a slow session: %v after %v", err, time.Since(began))
		}
	})
}
