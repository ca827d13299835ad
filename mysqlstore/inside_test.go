package mysqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sojourn-go/sojourn/store"
	storedriver "github.com/sojourn-go/sojourn/store/driver"
)

// said is an error of a server, as the driver shows it.
func said(n uint16) error {
	return &mysql.MySQLError{Number: n, Message: "Duplicate entry 'secret' for key 'PRIMARY'"}
}

// TestJudge says what is known of a write after each kind of failure.
func TestJudge(t *testing.T) {
	cut := errors.New("invalid connection to secret")
	for _, c := range []struct{ err, want error }{
		{unsent{cut}, store.ErrUnavailable}, {cut, nil},
		{driver.ErrBadConn, store.ErrUnavailable}, // the driver says so only if it is safe to send again
		{unsent{context.Canceled}, store.ErrUnavailable}, {context.DeadlineExceeded, nil},
		{said(1205), store.ErrUnavailable}, {said(1213), store.ErrUnavailable}, {said(1146), store.ErrUnavailable},
		{said(1290), store.ErrUnavailable}, {said(1792), store.ErrUnavailable}, {said(1040), store.ErrUnavailable},
		{said(1053), store.ErrUnavailable}, {said(1153), store.ErrUnavailable}, {said(9999), store.ErrUnavailable},
		{said(1114), store.ErrFull}, {said(1021), store.ErrFull}, {said(3675), store.ErrFull},
		{said(1180), nil}, {store.ErrConflict, store.ErrConflict}, {unsent{store.ErrRevoked}, store.ErrRevoked},
		// Of COMMIT nothing is known, but what its refusals say.
		{lost{cut}, nil}, {lost{said(1053)}, nil}, {lost{said(1180)}, nil},
	} {
		got := judge(c.err)
		if c.want == nil && storedriver.Known(got) || c.want != nil && !errors.Is(got, c.want) || !errors.Is(got, c.err) {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
		if number(c.err) != 0 && strings.Contains(fmt.Sprintf("%v %+v", got, got), "secret") {
			t.Errorf("it shows what the server said: %v", got)
		}
	}
}

// TestAgain has a statement that is undone a few times, and one that always is.
func TestAgain(t *testing.T) {
	e := &engine{opts: Options{Wait: 50 * time.Millisecond}}
	n := 0
	err := e.again(t.Context(), func() error {
		if n++; n < 4 {
			return said(1213)
		}
		return nil
	})
	if err != nil || n != 4 {
		t.Errorf("after %d tries: %v", n, err)
	}
	if err := e.again(t.Context(), func() error { return said(1020) }); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("undone for ever: %v", err)
	}
	n = 0
	if err := e.again(t.Context(), func() error { n++; return said(1064) }); err == nil || n != 1 {
		t.Errorf("a refusal was tried %d times: %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.again(ctx, func() error { return said(1213) }); !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// TestStatements looks for names that nothing stands for, and for files that nobody uses.
func TestStatements(t *testing.T) {
	e := newEngine(new(sql.DB), Options{Table: "people"})
	used := map[string]bool{"schema": true, "get_many": true}
	for name, s := range e.all {
		used[strings.TrimSuffix(name, " guardless")] = true
		if strings.ContainsAny(s.text, "{}:") || strings.Contains(s.text, "sojourn") || !strings.Contains(s.text, "people") {
			t.Errorf("%s: a name is left in\n%s", name, s.text)
		}
		if strings.HasSuffix(name, "guardless") && strings.Contains(s.text, "people_guards") {
			t.Errorf("%s has a guard in\n%s", name, s.text)
		}
	}
	files, err := files.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".sql"); !used[name] {
			t.Errorf("%s is not used: %v", f.Name(), slices.Sorted(maps.Keys(used)))
		}
	}
	if strings.ContainsAny(e.schema, "{}") || !strings.Contains(e.schema, "EXISTS people_guards (") || strings.Contains(e.schema, "--") {
		t.Errorf("the schema is\n%s", e.schema)
	}
}

// tell packs as the statements do.
func tell(outcome, base, now, revoked int64) int64 {
	return min(max(now-base+clockHalf, 0), clockMost)<<34 | min(max(now-revoked+revokedAhead, 0), revokedMost)<<4 | outcome
}

func FuzzToldClock(f *testing.F) {
	f.Add(int64(1), int64(0), int64(5))
	f.Add(int64(9), int64(-1<<28), int64(1<<30))
	f.Add(int64(3), int64(1<<40), int64(-1<<40))
	f.Add(int64(3), int64(0), int64(-3)) // the statement has waited for a revocation
	f.Fuzz(func(t *testing.T, outcome, ahead, ago int64) {
		const base = int64(1_800_000_000_000_000)
		outcome, ahead, ago = outcome&15, ahead%(1<<50), ago%(1<<50)
		now := base + ahead
		told := tell(outcome, base, now, now-ago)
		got, at, ok := toldClock(told, base)
		if told < 0 || got != outcome || ok != (ahead > -clockHalf && ahead < clockHalf-1) {
			t.Fatalf("%d packed to %d, unpacked to %d, known %v", outcome, told, got, ok)
		}
		if !ok {
			return
		}
		if micro.Instant(at.Now) != now {
			t.Fatalf("the clock is %d µs off", micro.Instant(at.Now)-now)
		}
		switch {
		case ago+revokedAhead >= revokedMost:
			if !at.Revoked.IsZero() {
				t.Fatalf("a revocation %d µs ago is told as %v", ago, at.Revoked)
			}
		case micro.Instant(at.Revoked) != now-max(ago, -revokedAhead):
			t.Fatalf("the revocation is %d µs off", micro.Instant(at.Revoked)-(now-ago))
		}
	})
}
