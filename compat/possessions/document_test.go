package possessions

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// The sentences of the older library's document that state a behaviour, each quoted above the test
// that holds it.

// "cookieOptions will be set to maxAge 0 (expire on browser close)"; "the browser will still expire
// sessions depending on your cookieOptions maxAge configuration".
func TestCookieMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, make := range map[string]func(CookieOptions) Overseer{
			"memory": func(o CookieOptions) Overseer { return NewStorageOverseer(o, must(NewDefaultMemoryStorer())) },
			"cookie": func(o CookieOptions) Overseer { return NewCookieOverseer(o, randomKey()) },
		} {
			v := visit(t, make(NewCookieOptions()))
			v.at("set", "k", "a", "v", "1")
			v.want("1", "get", "k", "a")
			v.Restart()
			v.want("<none>", "get", "k", "a")

			o := NewCookieOptions()
			o.MaxAge = time.Hour
			v = visit(t, make(o))
			v.at("set", "k", "a", "v", "1")
			v.Restart()
			v.want("1", "get", "k", "a")
			for range 3 {
				time.Sleep(50 * time.Minute)
				v.at("kept")
			}
			v.want("1", "get", "k", "a")
			time.Sleep(time.Hour + time.Second)
			if v.want("<none>", "get", "k", "a"); t.Failed() {
				t.Fatal(name)
			}
		}
	})
}

// The cookie is that of the options.
func TestCookieAttributes(t *testing.T) {
	o := NewCookieOptions()
	if want := (CookieOptions{Name: "id", Path: "/", Secure: true, HTTPOnly: true, SameSite: http.SameSiteDefaultMode}); o != want {
		t.Errorf("defaults: %+v", o)
	}
	o.Name, o.Domain, o.Path, o.SameSite = "__Secure-sess", "example.com", "/app", http.SameSiteNoneMode
	c := sojourntest.NewClient(t, NewOverseeingMiddleware(NewStorageOverseer(o, newOwn(0))).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { Set(w, "a", "1") })))
	got := c.Get("/app").Cookies()[0]
	if got.Name != o.Name || got.Domain != o.Domain || got.Path != o.Path || got.SameSite != o.SameSite || !got.Secure || !got.HttpOnly {
		t.Errorf("%v", got)
	}
	o = NewCookieOptions()
	o.Secure = false // development
	r := httptest.NewRequest("GET", "http://localhost/set?k=a&v=1", nil)
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	site(NewStorageOverseer(o, newOwn(0))).ServeHTTP(w, r)
	if c := w.Result().Cookies(); len(c) != 1 || c[0].Name != "id" || c[0].Secure {
		t.Errorf("development: %v", c)
	}
	for name, bad := range map[string]func(){
		"no name":   func() { NewStorageOverseer(CookieOptions{}, newOwn(0)) },
		"no storer": func() { NewStorageOverseer(NewCookieOptions(), nil) },
		"no cookie": func() { NewCookieOverseer(CookieOptions{Name: "a b", Secure: true}, randomKey()) },
		"weak key":  func() { NewCookieOverseer(NewCookieOptions(), [32]byte{}) },
		"prefix": func() {
			NewStorageOverseer(CookieOptions{Name: "__Host-id", Domain: "example.com", Secure: true}, newOwn(0))
		},
		"no writer": func() { Set(httptest.NewRecorder(), "a", "1") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			bad()
		}()
	}
}

// "then every 2 hours the cleaner will find all disk sessions files that have not been accessed for
// over 1 week and delete them", said of memory: "a cleaner go routine that will delete expired
// sessions on an interval that is defined when creating the memory session storer". "If your maxAge
// and cleanInterval is set to 0 then these … will permanently persist."
func TestMemoryAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := must(NewMemoryStorer(7*day, 2*time.Hour))
		var swept atomic.Int64
		m.clean = func(ctx context.Context) error {
			n, err := m.st.Sweep(ctx, 10)
			swept.Add(int64(n))
			return err
		}
		m.StartCleaner()
		visit(t, NewStorageOverseer(NewCookieOptions(), m)).at("set", "k", "a", "v", "1")
		time.Sleep(7*day - time.Minute)
		if len(ids(t, m)) != 1 || swept.Load() != 0 {
			t.Errorf("within the week: %d sessions, %d swept", len(ids(t, m)), swept.Load())
		}
		time.Sleep(2*time.Hour + 2*time.Minute)
		if len(ids(t, m)) != 0 || swept.Load() != 1 {
			t.Errorf("after it: %d sessions, %d swept", len(ids(t, m)), swept.Load())
		}
		m.StopCleaner()

		forever := must(NewMemoryStorer(0, 0))
		v := visit(t, NewStorageOverseer(NewCookieOptions(), forever))
		v.at("set", "k", "a", "v", "1")
		time.Sleep(99 * 365 * day)
		forever.Clean()
		v.want("1", "get", "k", "a")

		d := must(NewDefaultMemoryStorer())
		if d.maxAge != 48*time.Hour || d.every != time.Hour {
			t.Errorf("defaults: %v, %v", d.maxAge, d.every)
		}
		for _, ages := range [][2]time.Duration{{time.Hour, 0}, {0, time.Hour}, {-1, -1}} {
			if _, err := NewMemoryStorer(ages[0], ages[1]); err == nil {
				t.Errorf("%v: no error", ages)
			}
			if _, err := NewDiskStorer(t.TempDir(), ages[0], ages[1]); err == nil {
				t.Errorf("disk, %v: no error", ages)
			}
		}
	})
}

// What pushes the expiry back: setting and refreshing, on every storer, and reading on disk alone.
// "If the user refreshes a website and you're using the ResetMiddleware then that 1 week timer will
// be reset."
func TestPushedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := must(NewMemoryStorer(time.Hour, time.Hour))
		for path, pushes := range map[string]bool{"set": true, "refresh": true, "kept": true, "flash": true, "get": false, "none": false} {
			v := visit(t, NewStorageOverseer(NewCookieOptions(), m))
			v.at("set", "k", "a", "v", "1")
			time.Sleep(40 * time.Minute)
			v.at(path, "k", "b", "v", "2")
			time.Sleep(40 * time.Minute)
			if lives := v.at("get", "k", "a") == "1"; lives != pushes {
				t.Errorf("%s pushes: %v, want %v", path, lives, pushes)
			}
		}
		id := must(m.All(t.Context()))
		for _, id := range id {
			ok(t, m.Del(t.Context(), id))
		}
		visit(t, NewStorageOverseer(NewCookieOptions(), m)).at("set", "k", "a", "v", "1")
		key := only(t, m)
		time.Sleep(40 * time.Minute)
		ok(t, m.ResetExpiry(t.Context(), key))
		time.Sleep(40 * time.Minute)
		if _, err := m.Get(t.Context(), key); err != nil {
			t.Errorf("ResetExpiry did not push: %v", err)
		}
	})
}

// "Cookie sessions are stored in encrypted form (AES-GCM encrypted and base64 encoded) in the
// clients browser."
func TestCookieSealed(t *testing.T) {
	key := randomKey()
	o := NewCookieOverseer(NewCookieOptions(), key)
	v := visit(t, o)
	v.at("set", "k", "secret", "v", "word")
	r := request(v)
	c, err := r.Cookie("id")
	if err != nil || strings.Trim(c.Value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		t.Errorf("%v, %v", c, err)
	}
	if got := record(site(NewCookieOverseer(NewCookieOptions(), key)), r, "/get?k=secret"); got != "word" {
		t.Errorf("another process with the key: %q", got)
	}
	if got := record(site(NewCookieOverseer(NewCookieOptions(), randomKey())), r, "/get?k=secret"); got != "<none>" {
		t.Errorf("another key: %q", got)
	}
	for i := range len(c.Value) {
		b := []byte(c.Value)
		b[i] ^= 1
		r.Header.Set("Cookie", "id="+string(b))
		if got := record(site(o), r, "/get?k=secret"); got == "word" && i < len(b)-1 { // the last may hold unused bits, which are refused too
			t.Errorf("byte %d changed: %q", i, got)
		}
	}
}

// What NewCookieOverseer's page says that a session holds.
func TestCookieRoom(t *testing.T) {
	fits := func(name string, size int) bool {
		opts := NewCookieOptions()
		opts.Name = name
		o := NewCookieOverseer(opts, randomKey())
		value := strings.Repeat("x", size-len(`{"k":""}`))
		r := httptest.NewRequest("GET", sojourntest.Origin+"/set?k=k&v="+value, nil)
		w := httptest.NewRecorder()
		site(o).ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		if w.Code == http.StatusRequestEntityTooLarge && len(cookies) == 0 {
			return false
		}
		if w.Code != http.StatusOK || len(cookies) != 1 || len(cookies[0].Name)+len(cookies[0].Value) > 4096 {
			t.Fatalf("%d bytes: status %d, cookies %v", size, w.Code, cookies)
		}
		again := httptest.NewRequest("GET", sojourntest.Origin+"/", nil)
		again.AddCookie(cookies[0])
		return record(site(o), again, "/get?k=k") == value
	}
	for n := 1; n <= 64; n++ {
		if name := strings.Repeat("n", n); !fits(name, 2700) {
			t.Errorf("with a name of %d bytes 2,700 do not fit", n)
		}
	}
	most := 2700
	for fits("id", most+1) {
		most++
	}
	if most != 2856 {
		t.Errorf("with the default name %d bytes fit", most)
	}
}

// D19, as far as it is possessions': a cookie of one overseer opens no session of another on the
// same storer or key, and no ID, handle or stored text opens anything.
func TestP19Crossover(t *testing.T) {
	key, m := randomKey(), must(NewDefaultMemoryStorer())
	second := NewCookieOptions()
	second.Name = "second"
	for name, pair := range map[string][2]Overseer{
		"cookie": {NewCookieOverseer(NewCookieOptions(), key), NewCookieOverseer(second, key)},
		"memory": {NewStorageOverseer(NewCookieOptions(), m), NewStorageOverseer(second, m)},
	} {
		v := visit(t, pair[0])
		v.at("set", "k", "a", "v", "1")
		r := request(v)
		c, _ := r.Cookie("id")
		r.Header.Set("Cookie", "second="+c.Value)
		if got := record(site(pair[1]), r, "/get?k=a"); got != "<none>" {
			t.Errorf("%s: crossed over: %q", name, got)
		}
	}
	on(t, storers, func(t *testing.T, o Overseer, s Storer) {
		v := visit(t, o)
		v.at("set", "k", "a", "v", "1")
		r := request(v)
		c, _ := r.Cookie("id")
		id := only(t, s)
		text, err := s.Get(t.Context(), id)
		ok(t, err)
		if strings.Contains(text, c.Value) || strings.Contains(c.Value, id) {
			t.Error("cookie and store share a secret")
		}
		for _, token := range []string{id, strings.ReplaceAll(id, "-", ""), fmt.Sprint(store.TagOf(id))} {
			r.Header.Set("Cookie", "id="+token)
			if got := record(site(o), r, "/get?k=a"); got != "<none>" {
				t.Errorf("%q opens a session", token)
			}
		}
	})
}
