package faults_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/faults/site"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// R19, P11: the clock of the application is 90 s behind the server's, or before it: nothing but a
// server whose own clock is moved shows that honestly, since a Go program's cannot be. Every life
// is as long as it should be, and visitors notice nothing.
func TestSkewedClock(t *testing.T) {
	lib := skewLib(t)
	for _, c := range []struct {
		name string
		skew int // seconds by which the server's clock is ahead
	}{{"redis", 90}, {"redis", -90}, {"postgres", 90}, {"postgres", -90}, {"mariadb", -90}, {"mysql", 90}} {
		t.Run(fmt.Sprintf("%s/%+d", c.name, c.skew), func(t *testing.T) {
			skip(t, c.name)
			t.Setenv("LD_PRELOAD", lib)
			t.Setenv("SKEW", fmt.Sprint(c.skew))
			m, err := starts[c.name](t.Context())
			if err != nil {
				t.Fatal(err)
			}
			os.Unsetenv("LD_PRELOAD")
			t.Cleanup(func() { m.all.Close() })
			m.name = c.name
			s := m.open(t, network(t))
			rec := newRecord("")
			_, err = s.Create(t.Context(), rec, store.Admission{})
			must(t, err)
			_, now, err := s.Get(t.Context(), rec.Key)
			must(t, err)
			if off := time.Until(now) - time.Duration(c.skew)*time.Second; off.Abs() > 20*time.Second {
				t.Fatalf("the server's clock is off by %v, not by %d s: nothing is proved", time.Until(now), c.skew)
			}
			lives(t, s)
			shop, err := site.New(10*time.Second, s, s) // no outage is meant here, however busy the machine
			must(t, err)
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
			defer stop()
			r := shop.Visit(ctx, t.Context(), 3)
			if r.Lost+r.Resurrected+r.Refused+len(r.Ended)+len(r.Breaches) > 0 || r.Acked < 2 {
				t.Errorf("visitors: %d acked, %d lost, %d alive again, %d refused, ended %q, %q", r.Acked, r.Lost, r.Resurrected, r.Refused, r.Ended, r.Breaches)
			}
			report(row{scenario: fmt.Sprintf("server's clock off by %+d s", c.skew), engine: c.name, acts: r.Requests, acked: r.Acked, lost: r.Lost, resurrected: r.Resurrected})
		})
	}
}

// skewLib builds the library that moves a server's clock.
func skewLib(t *testing.T) string {
	t.Helper()
	lib := filepath.Join(publicDir(t), "skew.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", lib, "testdata/skew.c").CombinedOutput(); err != nil {
		t.Fatalf("the C compiler, which the race detector needs, too: %v\n%s", err, out)
	}
	return lib
}

// publicDir is a folder that other users may read, as a server's may be another.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "skew")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

// movable starts an engine whose clock runs ahead by what the last call of ahead said.
func movable(t *testing.T, name, lib string) (st store.Store, ahead func(time.Duration)) {
	t.Helper()
	file := filepath.Join(publicDir(t), "skew")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o644)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	ahead = func(d time.Duration) { // in place: the server has the file in its memory, and dies if it shrinks
		_, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(d/time.Second)), 0)
		must(t, err)
	}
	ahead(0)
	t.Setenv("LD_PRELOAD", lib)
	t.Setenv("SKEW_FILE", file)
	m, err := starts[name](t.Context())
	must(t, err)
	os.Unsetenv("LD_PRELOAD")
	t.Cleanup(func() { m.all.Close() })
	m.name = name
	return m.open(t, network(t)), ahead
}

// doors is an application where users come and go.
func doors(sessions *sojourn.Manager) http.Handler {
	mux := http.NewServeMux()
	act := func(path string, f func(*sojourn.Session, *http.Request) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := f(sessions.From(r), r); err != nil {
				sojourn.DefaultOnError(w, r, err)
			}
		})
	}
	act("POST /login", func(s *sojourn.Session, r *http.Request) error { return s.Login(r.Context(), r.FormValue("user")) })
	act("POST /logout", func(s *sojourn.Session, r *http.Request) error { return s.Logout(r.Context()) })
	mux.Handle("GET /", sessions.RequireUser(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	return sessions.Handler(mux)
}

// The server's clock is ten minutes ahead, and is put right. Nobody is signed out by that; those
// who do not want to wait until it has caught up sign out, or in, at once.
func TestClockPutRight(t *testing.T) {
	lib := skewLib(t)
	for _, name := range []string{"postgres", "redis"} {
		t.Run(name, func(t *testing.T) {
			skip(t, name)
			st, ahead := movable(t, name, lib)
			keys, err := sojourn.NewKeyRing(sojourn.NewKey())
			must(t, err)
			sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
			must(t, err)
			status := func(what string, resp *http.Response, want ...int) {
				t.Helper()
				if !slices.Contains(want, resp.StatusCode) {
					t.Errorf("%s: status %d, want %d: %s", what, resp.StatusCode, want, sojourntest.Body(t, resp))
				}
			}
			login := func(c *sojourntest.Client, user string) *http.Response {
				return c.PostForm("/login", url.Values{"user": {user}})
			}
			visitor := func(user string) *sojourntest.Client {
				c := sojourntest.NewClient(t, doors(sessions))
				status("sign-in with the clock ahead", login(c, user), http.StatusOK)
				return c
			}

			ahead(10 * time.Minute)
			waits, leaves, changes := visitor("waits"), visitor("leaves"), visitor("changes")
			visitor("gone")
			if infos, err := sessions.Sessions(t.Context(), "waits"); err != nil || len(infos) != 1 || time.Until(infos[0].Created) < 9*time.Minute {
				t.Fatalf("the server's clock is not ahead, %v, %v: nothing is proved", infos, err)
			}
			n, err := sessions.RevokeUser(t.Context(), "gone")
			if must(t, err); n != 1 {
				t.Errorf("revoked %d", n)
			}

			ahead(0)
			page := []int{http.StatusServiceUnavailable}
			if name == "redis" {
				page = append(page, http.StatusOK) // its clock is never before what it has read
			}
			status("a page", waits.Get("/"), page...)
			status("sign-out", leaves.PostForm("/logout", nil), http.StatusOK)
			status("a page after it", leaves.Get("/"), http.StatusUnauthorized)
			status("sign-in", login(changes, "changes"), http.StatusOK)
			status("a page after it", changes.Get("/"), http.StatusOK)
			other, err := sojourn.New(st, &sojourn.Options{Keys: keys}) // this one knows that it revoked before
			must(t, err)
			status("sign-in of a user who was revoked ten minutes from now",
				login(sojourntest.NewClient(t, doors(other)), "gone"), http.StatusConflict)
			for user, want := range map[string]int{"waits": 1, "leaves": 0, "changes": 1, "gone": 0} {
				infos, err := sessions.Sessions(t.Context(), user)
				if must(t, err); len(infos) != want {
					t.Errorf("%s has %d sessions, want %d", user, len(infos), want)
				}
			}

			ahead(10 * time.Minute) // as if they had passed
			status("the page when the clock has caught up", waits.Get("/"), http.StatusOK)
		})
	}
}

// lives lets sessions of short life end at their time, neither at once nor long after, with the
// instants that a wrong clock would hand in, too.
func lives(t *testing.T, s store.Store) {
	t.Helper()
	const life = 3 * time.Second
	var all sync.WaitGroup
	for name, r := range map[string]store.Record{
		"idle":                    {Idle: life},
		"lifetime":                {Lifetime: life},
		"created in the future":   {Lifetime: life, Created: time.Now().Add(time.Hour)},
		"last seen in the future": {Idle: life, Seen: time.Now().Add(time.Hour)},
	} {
		all.Go(func() {
			rec := newRecord("")
			rec.Idle, rec.Lifetime, rec.Created, rec.Seen = r.Idle, r.Lifetime, r.Created, r.Seen
			if err := endsAfter(t.Context(), s, rec, life); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
}

// endsAfter creates the record, and wants it to be read until its life is over, and not after.
func endsAfter(ctx context.Context, s store.Store, rec store.Record, life time.Duration) error {
	const slack = 50 * time.Millisecond
	before := time.Now()
	if _, err := s.Create(ctx, rec, store.Admission{}); err != nil {
		return err
	}
	created := time.Now()
	for {
		from := time.Now()
		_, _, err := s.Get(ctx, rec.Key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if age := time.Since(before); age < life-slack {
				return fmt.Errorf("gone after %v of %v", age, life)
			}
			return nil
		case err != nil:
			return err
		case from.Sub(created) > life+slack:
			return fmt.Errorf("alive after %v of %v", from.Sub(created), life)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// R15: lives of 90 and of 400 days are kept as they are, on every engine.
func TestLongLives(t *testing.T) {
	const day = 24 * time.Hour
	for _, name := range every {
		t.Run(name, func(t *testing.T) {
			s := start(t, name).open(t, network(t))
			for _, life := range []struct{ idle, lifetime time.Duration }{{90 * day, 400 * day}, {0, 400 * day}, {400 * day, 0}, {0, 0}} {
				rec := newRecord(newUser())
				rec.Idle, rec.Lifetime = life.idle, life.lifetime
				_, err := s.Create(t.Context(), rec, store.Admission{})
				must(t, err)
				for range 2 { // as created, and as touched and updated
					got, now, err := s.Get(t.Context(), rec.Key)
					must(t, err)
					want := time.Time{}
					if life.idle > 0 {
						want = got.Seen.Add(life.idle)
					} else if life.lifetime > 0 {
						want = got.Created.Add(life.lifetime)
					}
					if !got.Expires().Equal(want) || now.Sub(got.Seen).Abs() > time.Minute || now.Sub(got.Created).Abs() > time.Minute {
						t.Errorf("%v: expires %v, want %v (created %v, seen %v, now %v)", life, got.Expires(), want, got.Created, got.Seen, now)
					}
					must(t, s.Touch(t.Context(), got, 0))
					must(t, s.Update(t.Context(), again(got), got.Version))
				}
			}
		})
	}
}

// Sessions written by connections of one time zone are the same to those of another.
func TestTimeZones(t *testing.T) {
	for name, zones := range map[string][]string{
		"postgres":     {"timezone=Pacific/Kiritimati", "timezone=America/Caracas"},
		"postgres-sql": {"timezone=Pacific/Kiritimati", "timezone=America/Caracas"},
		"mariadb":      {"time_zone=" + url.QueryEscape("'+13:00'"), "parseTime=true&loc=America%2FCaracas&time_zone=" + url.QueryEscape("'-11:30'")},
		"mysql":        {"time_zone=" + url.QueryEscape("'+13:00'"), "parseTime=true&loc=America%2FCaracas&time_zone=" + url.QueryEscape("'-11:30'")},
	} {
		t.Run(name, func(t *testing.T) {
			m := start(t, name)
			m.open(t, network(t)) // migrates
			var stores []store.Store
			for _, z := range zones {
				there := &servers.Server{Addr: m.nodes[0].Addr, URL: m.nodes[0].URL}
				there.URL += map[bool]string{true: "&", false: "?"}[strings.Contains(there.URL, "?")] + z
				stores = append(stores, m.connect(t, &machine{name: name, nodes: []*servers.Server{there}}, network(t)))
			}
			for i, a := range stores {
				b := stores[1-i]
				rec := newRecord(newUser())
				_, err := a.Create(t.Context(), rec, store.Admission{})
				must(t, err)
				got, now, err := b.Get(t.Context(), rec.Key)
				must(t, err)
				if now.Sub(got.Created).Abs() > time.Minute || !got.Expires().Equal(got.Seen.Add(rec.Idle)) || time.Since(now).Abs() > time.Minute {
					t.Errorf("created %v, expires %v, now %v", got.Created, got.Expires(), now)
				}
				must(t, b.Touch(t.Context(), got, 0))
				must(t, b.Update(t.Context(), again(got), 1))
				same, _, err := a.Get(t.Context(), rec.Key)
				must(t, err)
				if !same.Created.Equal(got.Created) || same.Seen.Before(got.Seen) {
					t.Errorf("created %v and %v, seen %v and %v", got.Created, same.Created, got.Seen, same.Seen)
				}
			}
		})
	}
}
