package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// mysqlError is an error of a MySQL server, as a driver shows it.
type mysqlError string

func (mysqlError) Error() string { return "Duplicate entry 'secret' for key 'PRIMARY'" }

func mysqlCode(err error) string {
	var e mysqlError
	if errors.As(err, &e) {
		return string(e)
	}
	return ""
}

func TestMySQLNew(t *testing.T) {
	if _, err := New(down(t), MySQL(), nil); err == nil || !strings.Contains(err.Error(), "mysqlstore") {
		t.Errorf("without ErrorCode: %v", err)
	}
	s, err := New(down(t), MySQL(), &Options{Table: "people", ErrorCode: mysqlCode})
	if err != nil {
		t.Fatal(err)
	}
	if schema := s.Schema(); !strings.Contains(schema, "EXISTS people (") || !strings.Contains(schema, "people_guards") || strings.Contains(schema, "%") {
		t.Errorf("the schema is\n%s", schema)
	}
	if _, _, err := s.Get(t.Context(), store.Key{}); !errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("get without a server: %v", err)
	}
}

// TestMySQLOutcomes says what is known of a write after each kind of failure.
func TestMySQLOutcomes(t *testing.T) {
	m := &mysql{shared: &shared{dialect: MySQL(), opts: Options{ErrorCode: mysqlCode}}}
	lost := errors.New("invalid connection to secret")
	for _, c := range []struct {
		err  error
		sent bool
		want error
	}{
		{lost, false, store.ErrUnavailable}, {lost, true, store.ErrIndeterminate},
		{driver.ErrBadConn, true, store.ErrUnavailable}, // a driver says so only if it is safe to send again
		{context.Canceled, false, store.ErrUnavailable}, {context.DeadlineExceeded, true, store.ErrIndeterminate},
		{mysqlError("1205"), true, store.ErrUnavailable}, {mysqlError("1213"), true, store.ErrUnavailable},
		{mysqlError("1146"), true, store.ErrUnavailable}, {mysqlError("1290"), true, store.ErrUnavailable},
		{mysqlError("1792"), true, store.ErrUnavailable}, {mysqlError("1040"), true, store.ErrUnavailable},
		{mysqlError("1053"), true, store.ErrUnavailable}, {mysqlError("1153"), true, store.ErrUnavailable},
		{mysqlError("1114"), true, store.ErrFull}, {mysqlError("1021"), true, store.ErrFull}, {mysqlError("3675"), true, store.ErrFull},
		{mysqlError("1180"), true, store.ErrIndeterminate}, {mysqlError("9999"), true, store.ErrUnavailable},
		{store.ErrConflict, true, store.ErrConflict},
	} {
		got := m.answered(c.err, c.sent)
		matches := 0
		for _, s := range []error{store.ErrUnavailable, store.ErrIndeterminate, store.ErrFull, store.ErrConflict} {
			if errors.Is(got, s) {
				matches++
			}
		}
		if !errors.Is(got, c.want) || matches != 1 || !errors.Is(got, c.err) || strings.Contains(fmt.Sprintf("%v %+v", got, got), "secret") {
			t.Errorf("%v, sent %v: %v, want %v", c.err, c.sent, got, c.want)
		}
	}
	for code, want := range map[string]error{"1213": store.ErrUnavailable, "1180": store.ErrIndeterminate, "1053": store.ErrIndeterminate, "": store.ErrIndeterminate} {
		if _, class := mysqlCommit(code); class != want {
			t.Errorf("COMMIT with %q is %v, want %v", code, class, want)
		}
	}
}

// TestMySQLAgain has a statement that is undone a few times, and one that always is.
func TestMySQLAgain(t *testing.T) {
	m := &mysql{shared: &shared{dialect: MySQL(), opts: Options{ErrorCode: mysqlCode, Wait: 50 * time.Millisecond}}}
	n := 0
	err := m.again(t.Context(), func() error {
		if n++; n < 4 {
			return m.answered(mysqlError("1213"), true)
		}
		return nil
	})
	if err != nil || n != 4 {
		t.Errorf("after %d tries: %v", n, err)
	}
	if err := m.again(t.Context(), func() error { return m.answered(mysqlError("1020"), true) }); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("undone for ever: %v", err)
	}
	n = 0
	if err := m.again(t.Context(), func() error { n++; return m.answered(mysqlError("1064"), true) }); err == nil || n != 1 {
		t.Errorf("a refusal was tried %d times: %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.again(ctx, func() error { return m.answered(mysqlError("1213"), true) }); !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// TestAged grows while it waits, for the instant that it names does not move.
func TestAged(t *testing.T) {
	a := aged{age: 5, began: time.Now().Add(-time.Second)}
	if v, _ := a.Value(); v.(int64) < 1_000_005 {
		t.Errorf("5 µs are %v after a second", v)
	}
	if v, _ := (aged{}).Value(); v.(int64) >= 0 {
		t.Errorf("no age is %v", v)
	}
}
