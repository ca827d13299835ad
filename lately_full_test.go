package sojourn

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/sojourn-go/sojourn/store"
)

// A user's name may be a part of a whole record's memory, which is not kept with it.
func TestLatelyKeepsNoRecord(t *testing.T) {
	var l lately
	user := strings.Repeat("x", 100)[:3]
	l.note(user, time.Now())
	for kept := range l.done {
		if unsafe.StringData(kept) == unsafe.StringData(user) {
			t.Error("the memory that the name was in is kept")
		}
	}
}

// What is remembered of revocations is bounded. Where it is full, those go first that no sign-in is
// old enough to have begun before; and only where that is not enough, all.
func TestLatelyIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now()
		var l lately
		fill := func(n int) {
			t.Helper()
			for i := range n {
				l.note(fmt.Sprint(i), at)
				if len(l.done) > latelyMost {
					t.Fatalf("%d are remembered, at most %d", len(l.done), latelyMost)
				}
			}
		}
		remembers := func(when, user string, want bool) {
			t.Helper()
			if got := !l.known(user, 0).IsZero(); got != want {
				t.Errorf("%s: %s's is remembered: %t, want %t", when, user, got, want)
			}
		}
		fill(latelyMost - 1)
		time.Sleep(store.GuardFor + 1)
		l.note("ada", at)
		time.Sleep(time.Nanosecond)
		remembers("just full", "ada", true)
		remembers("just full", "7", true)
		l.note("bob", at)
		time.Sleep(time.Nanosecond)
		remembers("full of old ones", "ada", true)
		remembers("full of old ones", "bob", true)
		remembers("full of old ones", "7", false)

		time.Sleep(store.GuardFor - 2)
		fill(latelyMost - 2)
		l.note("eve", at) // ada's is just as old as the oldest sign-in may be
		time.Sleep(time.Nanosecond)
		remembers("full", "eve", true)
		remembers("full", "ada", false)
		remembers("full", "bob", false)
		remembers("full", "7", false)
	})
}
