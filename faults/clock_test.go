package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/site"
	"github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/store"
)

// The clock of the application is 90 s behind the server's, or before it: nothing but a server whose own clock is moved shows that
// honestly, since a Go program's cannot be. Every life is as long as it should be, and visitors notice nothing.
func TestSkewedClock(t *testing.T) {
	dir, err := os.MkdirTemp("", "skew") // which other users may read, as a server's may be another
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	lib := filepath.Join(dir, "skew.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", lib, "testdata/skew.c").CombinedOutput(); err != nil {
		t.Fatalf("the C compiler, which the race detector needs, too: %v\n%s", err, out)
	}
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

// lives lets sessions of short life end at their time, neither at once nor long after, with the instants that a wrong clock would hand in, too.
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

// Lives of 90 and of 400 days are kept as they are, on every engine.
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
