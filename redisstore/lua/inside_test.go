package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// failing is a Driver that fails.
type failing struct {
	Driver
	err error
}

func (f failing) Do(context.Context, Command) ([]byte, error) { return nil, f.err }

// TestJudge has the errors of clients and servers.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		err         error
		read, write error
	}{
		{errors.New("EOF"), store.ErrUnavailable, store.ErrIndeterminate},
		{context.DeadlineExceeded, store.ErrUnavailable, store.ErrIndeterminate},
		{&NotSentError{errors.New("connection refused")}, store.ErrUnavailable, store.ErrUnavailable},
		{&ServerError{"OOM command not allowed"}, store.ErrFull, store.ErrFull},
		{&ServerError{"WRONGTYPE Operation"}, store.ErrCorrupt, store.ErrCorrupt},
		{&ServerError{"READONLY You can't"}, store.ErrUnavailable, store.ErrUnavailable},
		{&ServerError{"NOREPLICAS Not enough"}, store.ErrUnavailable, store.ErrUnavailable},
		{&ServerError{"MISCONF Errors writing"}, store.ErrUnavailable, store.ErrUnavailable},
		{&ServerError{"NOPERM secret"}, store.ErrUnavailable, store.ErrIndeterminate},
		{&ServerError{"ERR secret"}, store.ErrUnavailable, store.ErrIndeterminate},
		{&ServerError{"user_script:7: secret"}, store.ErrUnavailable, store.ErrIndeterminate},
		{&ServerError{"SECRET: secret"}, store.ErrUnavailable, store.ErrIndeterminate},
	} {
		s, err := New(failing{err: c.err}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, get := s.Get(t.Context(), store.Key{})
		for what, err := range map[string]error{"get": get, "delete": s.Delete(t.Context(), store.Key{})} {
			want := c.write
			if what == "get" {
				want = c.read
			}
			if !errors.Is(err, want) || !errors.Is(err, c.err) || !strings.HasPrefix(err.Error(), "redisstore: "+what+": ") {
				t.Errorf("%v, of %s: %v, want %v", c.err, what, err, want)
			}
			if strings.Contains(strings.ToLower(fmt.Sprintf("%v %+v", err, err)), "secret") {
				t.Errorf("the error holds what the server said: %v", err)
			}
		}
	}
}

// TestClock follows a server whose clock is elsewhere, through answers that take their time.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const away = -90 * time.Second
		server := func() int64 { return time.Now().Add(away).UnixMilli() }
		var c clock
		if _, known := c.now(); known {
			t.Error("the time is known before any answer")
		}
		last := int64(0)
		for i := range 200 {
			sent := time.Now()
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			at := server()
			time.Sleep(time.Duration(i%5) * time.Millisecond)
			c.learn(sent, at)
			time.Sleep(time.Duration(i%3) * 100 * time.Millisecond)
			now, known := c.now()
			if off := now - server(); !known || off > 7 || off < -5 {
				t.Fatalf("the time is known: %v, and is %d ms off", known, off)
			}
			if now < last {
				t.Fatalf("the time ran back by %d ms", last-now)
			}
			last = now
		}
		time.Sleep(maxSample + 1)
		if _, known := c.now(); known {
			t.Error("an old answer is believed")
		}
		c.learn(time.Now(), server()+3_600_000) // the server's clock is set
		if now, _ := c.now(); now-server() != 3_600_000 {
			t.Errorf("after the server's clock was set, the time is %d ms off", now-server()-3_600_000)
		}
	})
}

// TestRecent forgets a mark after its time, and not before.
func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recent{keep: time.Second}
		a, b := store.Tag{1}, store.Tag{2}
		r.mark(a)
		time.Sleep(900 * time.Millisecond)
		r.mark(b)
		time.Sleep(200 * time.Millisecond)
		r.mark(store.Tag{3})
		if !r.has(b) {
			t.Error("a mark is forgotten too early")
		}
		time.Sleep(2*time.Second + 1)
		if r.has(a) || r.has(b) || r.has(store.Tag{3}) {
			t.Error("a mark is never forgotten")
		}
	})
}

func TestJudgeInfo(t *testing.T) {
	good := "maxmemory_policy:noeviction\r\naof_enabled:1\r\nconnected_slaves:1\r\n"
	for _, c := range []struct {
		info, fsync string
		wait        int
		want        string // in the only warning; "" = none
	}{
		{good, "always", 1, ""},
		{good, "", 1, ""},
		{strings.Replace(good, "noeviction", "allkeys-lru", 1), "always", 1, "allkeys-lru"},
		{strings.Replace(good, "enabled:1", "enabled:0", 1), "always", 1, "appendonly is off"},
		{good, "everysec", 1, "everysec"},
		{good, "always", 2, "WaitReplicas asks for 2"},
		{good, "always", 0, "fail-over"},
	} {
		got := judgeInfo(parseInfo("# Memory\r\n"+c.info), c.fsync, c.wait)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%q, %s, %d: %q, want %q", c.info, c.fsync, c.wait, got, c.want)
		}
	}
}
