package sojourn_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// canary collects everything that could be logged, and the secrets that must not be in it.
type canary struct {
	seen    bytes.Buffer
	secrets []string
}

// secret notes a text and the spellings that its bytes could take.
func (c *canary) secret(s string) {
	b := []byte(s)
	c.secrets = append(c.secrets, s, hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b), fmt.Sprint(b))
}

// log prints v in every way that a program might.
func (c *canary) log(v any) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&c.seen, verb+"\n", v)
		fmt.Fprintf(&c.seen, verb+"\n", []any{v})
		fmt.Fprintf(&c.seen, verb+"\n", struct{ hidden any }{v})
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&c.seen, nil), slog.NewTextHandler(&c.seen, nil)} {
		slog.New(h).Info("x", "v", v, "group", []any{v})
	}
	b, err := json.Marshal(v)
	fmt.Fprintf(&c.seen, "%s %v\n", b, err)
	var g bytes.Buffer
	err = gob.NewEncoder(&g).Encode(v)
	fmt.Fprintf(&c.seen, "%s %x %v\n", g.Bytes(), g.Bytes(), err)
	func() {
		defer func() { fmt.Fprintf(&c.seen, "%v %s", recover(), debug.Stack()) }()
		panic(v)
	}()
}

// check looks for any 8 characters in a row of any secret.
func (c *canary) check(t *testing.T) {
	t.Helper()
	text := c.seen.String()
	for _, s := range c.secrets {
		step := 1 // 8 characters of base64 are 48 bits: no accident
		if strings.Contains(s, " ") {
			step = 16 // a list of numbers: look for longer runs
		} else if strings.Trim(s, "0123456789abcdef") == "" {
			step = 2 // hex
		}
		for i := 0; i+8*step <= len(s); i++ {
			if j := strings.Index(text, s[i:i+8*step]); j >= 0 {
				t.Errorf("%q of a secret is in %q", s[i:i+8*step], text[max(0, j-60):min(len(text), j+60)])
				break
			}
		}
	}
}

// R49: no token, key or payload in anything that this library gives to be logged.
func TestRedactionCanary(t *testing.T) {
	const payload = "PAYLOAD-hush-hush-42"
	c := &canary{}
	c.secret(payload)
	st := &brokenReads{Store: memstore.New(nil)}
	key := sojourn.NewKey()
	c.secret(string(key))
	ring, err := sojourn.NewKeyRing(key, sojourn.NewKey())
	rigOK(t, err)
	g := newWebRig(t, st, sojourn.Options{Keys: ring, Bearer: &sojourn.BearerOptions{}})
	note := func(w *httptest.ResponseRecorder) string {
		for _, k := range w.Result().Cookies() {
			if k.Value != "" {
				c.secret(k.Value)
			}
		}
		return rigCookies(w)
	}
	act := func(cookie string, f func(s *sojourn.Session)) string {
		return note(g.serve(rigRequest("POST", cookie), func(w http.ResponseWriter, r *http.Request) {
			s, err := g.m.Load(r)
			if err != nil {
				c.log(err)
				s = g.m.From(r)
			}
			f(s)
			c.log(s)
			c.log(r.Context())
			c.log(w)
			c.log(struct{ s *sojourn.Session }{s})
		}))
	}
	cookie := act("", func(s *sojourn.Session) {
		rigOK(t, rigNote.Set(s, payload))
		rigOK(t, s.Login(t.Context(), "ada", sojourn.KeepAll()))
		c.log(s.Info())
		c.log(s.Handle())
		tok, err := s.Token()
		rigOK(t, err)
		c.log(tok)
		c.log(&tok)
		c.log(struct{ Token sojourn.Token }{tok})
		c.log(struct{ token sojourn.Token }{tok}) // fmt calls no methods here
		c.log(map[string]any{"t": []sojourn.Token{tok}})
		c.secret(s.CSRFToken())
		c.log(s.VerifyCSRF(tok.Reveal()))
	})
	old := cookie
	cookie = act(cookie, func(s *sojourn.Session) { rigOK(t, s.Renew(t.Context())) })
	tok, info, err := g.m.IssueBearer(rigRequest("POST"), "ada", sojourn.Label("ci"))
	rigOK(t, err)
	c.secret(tok.Reveal())
	c.log(tok)
	c.log(info)
	list, err := g.m.Sessions(t.Context(), "ada")
	rigOK(t, err)
	c.log(list)
	for rec, err := range st.All(t.Context()) {
		rigOK(t, err)
		c.log(rec.String())
		c.log(rec.Key.String())
	}
	for _, cause := range []error{store.ErrUnavailable, store.ErrCorrupt, errors.New("driver")} {
		st.err = cause
		act(cookie, func(s *sojourn.Session) { c.log(s.Login(t.Context(), "eve")); c.log(s.Logout(t.Context())) })
	}
	st.err = nil
	act(cookie+"; "+old+"; __Host-session=junk", func(*sojourn.Session) {})
	act(cookie, func(s *sojourn.Session) {
		c.log(rigNumber.Set(s, 7))
		_, err := sojourn.NewValue[int]("note").Lookup(s)
		c.log(err)
		c.log(rigNote.Set(s, strings.Repeat(payload, 1<<17)))
		rigOK(t, s.Logout(t.Context()))
	})
	act(cookie, func(*sojourn.Session) {})
	c.log(ring)
	c.log(*ring) //nolint:govet // a copy prints by reflection
	c.log(sojourn.Options{Keys: ring})
	c.log(g.m)
	for _, e := range g.ev {
		c.log(e)
		c.log(e.Err)
	}
	if len(g.ev) < 8 || c.seen.Len() < 10000 {
		t.Errorf("%d events, %d bytes: the scenario does not run", len(g.ev), c.seen.Len())
	}
	c.check(t)
}

var rigNumber = sojourn.NewValue[int]("number")

// R49: the canary sings.
func TestRedactionCanaryWorks(t *testing.T) {
	for _, leak := range []any{"tok-abcdefgh-1234", []byte("tok-abcdefgh-1234"), errors.New("bad token tok-abcdefgh-1234")} {
		inner := &canary{}
		inner.secret("tok-abcdefgh-1234")
		inner.log(leak)
		found := false
		for _, s := range inner.secrets {
			found = found || strings.Contains(inner.seen.String(), s)
		}
		if !found {
			t.Errorf("%T passed", leak)
		}
	}
}

// R49: what a client calls itself stays one line, and short.
func TestRedactionUserAgent(t *testing.T) {
	g := newWebRig(t, nil, sojourn.Options{})
	for ua, want := range map[string]string{
		"a\r\nEvil: 1": "aEvil: 1", "a\u0085b\u2028c\u2029d": "abcd", "\x1b[31mred": "[31mred",
		strings.Repeat("é", 200): strings.Repeat("é", 128), "bad\xffbyte": "bad\ufffdbyte",
	} {
		r := rigRequest("POST")
		r.Header["User-Agent"] = []string{ua}
		g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
			s := g.m.From(r)
			rigOK(t, s.Login(r.Context(), "ada"))
			if in := s.Info(); in.Agent != want || in.Network != "192.0.2.0/24" {
				t.Errorf("%q: agent %q, network %q", ua, in.Agent, in.Network)
			}
		})
	}
}
