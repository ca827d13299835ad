package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
	"github.com/sojourn-go/sojourn/store"
)

// A conn is an open WebSocket, of either library.
type conn struct {
	send  func(text string) (echo string, err error)
	close func() error
}

// dialers open a WebSocket with a Cookie header, as browsers do: with an Origin.
var dialers = map[string]func(t *testing.T, s *httptest.Server, path, cookie, origin string) (*conn, *http.Response, error){
	"gorilla": func(_ *testing.T, s *httptest.Server, path, cookie, origin string) (*conn, *http.Response, error) {
		d := gorilla.Dialer{TLSClientConfig: s.Client().Transport.(*http.Transport).TLSClientConfig}
		c, resp, err := d.Dial("wss"+strings.TrimPrefix(s.URL, "https")+path, http.Header{"Cookie": {cookie}, "Origin": {origin}})
		if err != nil {
			return nil, resp, err
		}
		return &conn{func(text string) (string, error) {
			if err := c.WriteMessage(gorilla.TextMessage, []byte(text)); err != nil {
				return "", err
			}
			_, echo, err := c.ReadMessage()
			return string(echo), err
		}, c.Close}, resp, nil
	},
	"coder": func(t *testing.T, s *httptest.Server, path, cookie, origin string) (*conn, *http.Response, error) {
		c, resp, err := coder.Dial(t.Context(), s.URL+path, &coder.DialOptions{
			HTTPClient: s.Client(), HTTPHeader: http.Header{"Cookie": {cookie}, "Origin": {origin}},
		})
		if err != nil {
			return nil, resp, err
		}
		return &conn{func(text string) (string, error) {
			if err := c.Write(t.Context(), coder.MessageText, []byte(text)); err != nil {
				return "", err
			}
			_, echo, err := c.Read(t.Context())
			return string(echo), err
		}, c.CloseNow}, resp, nil
	},
}

type rig struct {
	*testing.T
	*httptest.Server
	store    *sojourntest.Faulty
	sessions *sojourn.Manager
	mux      *http.ServeMux
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{T: t, store: &sojourntest.Faulty{Store: memstore.New(nil)}}
	var err error
	if g.sessions, err = sojourn.New(g.store, nil); err != nil {
		t.Fatal(err)
	}
	g.mux = routes(g.sessions)
	g.mux.HandleFunc("GET /said", func(w http.ResponseWriter, r *http.Request) {
		if s, err := g.sessions.Load(r); err == nil {
			fmt.Fprint(w, s.User(), said.Get(s))
		}
	})
	g.Server = httptest.NewUnstartedServer(g.sessions.Handler(g.mux))
	g.Server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}} // a WebSocket over HTTP/2 is another protocol (RFC 8441)
	g.StartTLS()
	t.Cleanup(g.Close)
	return g
}

// page asks for a page with a cookie.
func (g *rig) page(path, cookie string) (text, newCookie string) {
	g.Helper()
	r, err := http.NewRequestWithContext(g.Context(), "GET", g.URL+path, nil)
	if err != nil {
		g.Fatal(err)
	}
	r.Header.Set("Cookie", cookie)
	resp, err := g.Client().Do(r)
	if err != nil {
		g.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.Fatal(err)
	}
	return string(b), cookieOf(resp)
}

func cookieOf(resp *http.Response) string {
	if resp == nil || len(resp.Cookies()) != 1 {
		return ""
	}
	return resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value
}

func (g *rig) records() (n int) {
	g.Helper()
	for _, err := range g.store.Store.All(g.Context()) {
		if err != nil {
			g.Fatal(err)
		}
		n++
	}
	return n
}

// A visitor's first value gets its cookie with the upgrade, and what is said meanwhile is in the
// session, for each library on either side.
func TestUpgrade(t *testing.T) {
	for server := range dialers {
		for client, dial := range dialers {
			g := newRig(t)
			c, resp, err := dial(t, g.Server, "/"+server, "", g.URL)
			if err != nil {
				t.Fatalf("%s from %s: %v", server, client, err)
			}
			cookie := cookieOf(resp)
			if resp.StatusCode != http.StatusSwitchingProtocols || cookie == "" || g.records() != 1 {
				t.Errorf("%s from %s: status %s, cookie %q, %d records", server, client, resp.Status, cookie, g.records())
			}
			for _, text := range []string{"hello", "again"} {
				if echo, err := c.send(text); echo != text || err != nil {
					t.Errorf("%s from %s: echo %q, %v", server, client, echo, err)
				}
			}
			if got, _ := g.page("/said", cookie); got != "2" {
				t.Errorf("%s from %s: said %q while the connection is open", server, client, got)
			}
			c.close()
			if _, resp, err = dial(t, g.Server, "/"+server, cookie, g.URL); err != nil || cookieOf(resp) != "" {
				t.Errorf("%s from %s: with the cookie: %v, %v", server, client, err, resp)
			}
		}
	}
}

// A sign-in or a renewal before the upgrade reaches the client with it.
func TestUpgradeSendsNewToken(t *testing.T) {
	for name, dial := range dialers {
		g := newRig(t)
		g.mux.HandleFunc("GET /sign-in/"+name, func(w http.ResponseWriter, r *http.Request) {
			if err := g.sessions.From(r).Login(r.Context(), "ada"); err != nil {
				t.Error(err)
			}
			g.mux.ServeHTTP(w, pathed(r, "/"+name))
		})
		g.mux.HandleFunc("GET /renew/"+name, func(w http.ResponseWriter, r *http.Request) {
			if err := g.sessions.From(r).Renew(r.Context()); err != nil {
				t.Error(err)
			}
			g.mux.ServeHTTP(w, pathed(r, "/"+name))
		})
		cookie := ""
		for _, path := range []string{"/sign-in/", "/renew/"} {
			c, resp, err := dial(t, g.Server, path+name, cookie, g.URL)
			if err != nil {
				t.Fatalf("%s%s: %v", path, name, err)
			}
			before := cookie
			if cookie = cookieOf(resp); cookie == "" || cookie == before {
				t.Errorf("%s%s: no new cookie", path, name)
			}
			c.close()
		}
		if got, _ := g.page("/said", cookie); got != "ada0" {
			t.Errorf("%s: after the renewal %q", name, got)
		}
	}
}

func pathed(r *http.Request, path string) *http.Request {
	r = r.Clone(r.Context())
	r.URL.Path = path
	return r
}

// An upgrade by gorilla that would lose the cookie fails, says what to call, and leaves no record
// that nobody can reach.
func TestUpgradeWithoutCommit(t *testing.T) {
	g := newRig(t)
	said := make(chan error, 1)
	g.mux.HandleFunc("GET /forgetful", func(w http.ResponseWriter, r *http.Request) {
		if _, err := greet(g.sessions, r); err != nil {
			t.Error(err)
		}
		_, err := (&gorilla.Upgrader{}).Upgrade(w, r, nil)
		said <- err
	})
	_, resp, err := dialers["gorilla"](t, g.Server, "/forgetful", "", g.URL)
	if err == nil || resp == nil || resp.StatusCode != http.StatusInternalServerError || cookieOf(resp) != "" || g.records() != 0 {
		t.Errorf("%v, %v, %d records", err, resp, g.records())
	}
	if err := <-said; err == nil || !strings.Contains(err.Error(), sojourn.ErrNoToken.Error()) || !strings.Contains(err.Error(), "Session.Commit") {
		t.Errorf("the handler is told %v", err)
	}
}

// Where the session cannot be written there is an error page, and no half of an upgrade.
func TestUpgradeFails(t *testing.T) {
	for name, dial := range dialers {
		g := newRig(t)
		g.store.Fail(store.ErrFull, sojourntest.OpCreate)
		_, resp, err := dial(t, g.Server, "/"+name, "", g.URL)
		if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("%s: %v, %v", name, err, resp)
		}
		for _, field := range []string{"Upgrade", "Sec-Websocket-Accept", "Set-Cookie"} {
			if resp.Header[field] != nil {
				t.Errorf("%s: %s %q", name, field, resp.Header[field])
			}
		}
		if strings.Contains(resp.Header.Get("Connection"), "Upgrade") {
			t.Errorf("%s: Connection %q", name, resp.Header["Connection"])
		}
	}
}

// Both libraries refuse pages of other origins by themselves, also those of sister domains, which
// are the same site to cookies.
func TestUpgradeFromElsewhere(t *testing.T) {
	for name, dial := range dialers {
		g := newRig(t)
		if _, resp, err := dial(t, g.Server, "/"+name, "", "https://evil.example"); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v, %v", name, err, resp)
		}
	}
}

// A session that ends elsewhere is over for the open connection, too.
func TestUpgradeOutlivedBySignOut(t *testing.T) {
	for name, dial := range dialers {
		g := newRig(t)
		g.mux.HandleFunc("GET /sign-in", func(_ http.ResponseWriter, r *http.Request) {
			if err := g.sessions.From(r).Login(r.Context(), "ada"); err != nil {
				t.Error(err)
			}
		})
		_, cookie := g.page("/sign-in", "")
		c, _, err := dial(t, g.Server, "/"+name, cookie, g.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.send("hello"); err != nil {
			t.Error(err)
		}
		if n, err := g.sessions.RevokeUser(context.Background(), "ada"); n != 1 || err != nil {
			t.Errorf("revoked %d, %v", n, err)
		}
		if echo, err := c.send("hello"); err == nil {
			t.Errorf("%s: echo %q after the session's end", name, echo)
		}
		c.close()
	}
}
