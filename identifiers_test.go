package sojourn_test

// Tokens and what a store knows of them: R1 to R10.

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/door"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// R1: 256 random bits in each token: no two alike, every bit of the stored key's half the time set.
func TestR01Entropy(t *testing.T) {
	const n = 20_000
	st := newFaultStore(memstore.New(nil))
	m := must(sojourn.New(st, nil))
	r := (&browser{}).request(t.Context(), "")
	seen := make(map[string]bool, n)
	var bits [256]int
	for range n {
		s := must(m.Open(t.Context(), r))
		if err := s.Login(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		text := must(s.Token()).Reveal()
		if len(text) != 124 || seen[text] {
			t.Fatalf("token of %d characters, seen before: %v", len(text), seen[text])
		}
		seen[text] = true
		if err := s.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ids := make(map[store.ID]bool)
	for _, rec := range st.seen {
		if rec.User == "" || !rec.Created.IsZero() && !rec.Live(time.Now()) {
			continue // what a session moves to that ends, and the mark at its key: neither opens anything
		}
		ids[rec.Key.ID] = true
		for i := range bits {
			bits[i] += int(rec.Key.ID[i/8] >> (i % 8) & 1)
		}
	}
	if len(ids) != n {
		t.Errorf("%d distinct keys of %d", len(ids), n)
	}
	for i, k := range bits {
		if d := k - n/2; d*d > n*9 { // six standard deviations
			t.Errorf("bit %d set %d times of %d", i, k, n)
		}
	}
}

// R1, R2: there is one source of randomness, whose failure stops the program (crypto/rand says so);
// no file knows another.
func TestR02OneSourceOfRandomness(t *testing.T) {
	files := must(os.ReadDir("."))
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree := must(parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly))
		for _, imp := range tree.Imports {
			if strings.HasPrefix(imp.Path.Value, `"math/rand`) || strings.Contains(imp.Path.Value, "uuid") {
				t.Errorf("%s imports %s", f.Name(), imp.Path.Value)
			}
		}
	}
}

// R3: a genuine token of a session that is gone is not adopted either.
func TestR03NeverAdopted(t *testing.T) {
	g := newSite(t)
	b := g.browser()
	b.ok("set?k=a")
	dead := b.copy()
	b.ok("logout")
	next := dead.copy()
	next.ok("set?k=b")
	if next.cookie == dead.cookie {
		t.Error("adopted")
	}
	dead.wants("names", "")
	next.wants("names", "b")
}

// spellings of some bytes, as a dump might show them.
func spellings(b []byte) []string {
	return []string{
		string(b), hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
		strings.TrimRight(base64.URLEncoding.EncodeToString(b), "="), fmt.Sprint(b),
	}
}

// R4, R5: nothing that a store is given forms a token, and nothing in it is taken for one.
func TestR04StoreHoldsNoToken(t *testing.T) {
	g := newSite(t, func(o *sojourn.Options) { o.Bearer = &sojourn.BearerOptions{} })
	b := g.browser()
	var tokens []string
	for _, path := range []string{"set?k=a", "login?user=ada&keep=a", "renew", "set?k=b", "login?user=ada", "others", "renew"} {
		b.ok(path)
		tokens = append(tokens, b.cookie)
	}
	tok, _, err := g.IssueBearer(b.request(t.Context(), ""), "ada")
	if err != nil {
		t.Fatal(err)
	}
	tokens = append(tokens, tok.Reveal())
	var dump []byte
	var parts [][]byte
	for _, r := range g.store.seen {
		parts = append(parts, r.Key.ID[:], r.Key.Tag[:], r.Handle[:], r.Writer[:], r.Meta, r.Data, []byte(r.User),
			bytes.Join([][]byte{r.Key.ID[:], r.Key.Tag[:]}, nil), bytes.Join([][]byte{{1}, r.Key.ID[:], r.Key.Tag[:]}, nil))
	}
	for rec := range g.store.Store.All(t.Context()) {
		parts = append(parts, rec.Key.ID[:], rec.Meta)
	}
	dump = bytes.Join(parts, []byte{0})
	for _, tok := range tokens {
		raw := must(base64.RawURLEncoding.DecodeString(tok))
		for _, piece := range [][]byte{[]byte(tok), []byte(tok[len(tok)-40:]), raw, raw[len(raw)-24:]} {
			for _, s := range spellings(piece) {
				if bytes.Contains(dump, []byte(s)) {
					t.Errorf("store holds a token's %d bytes", len(s))
				}
			}
		}
	}
	texts := []string{g.infos("ada")[0].Handle.String(), fmt.Sprint(g.infos("ada"))}
	for _, p := range parts {
		texts = append(texts, spellings(p)...)
	}
	g.store.reset()
	for _, s := range texts {
		r := (&browser{}).request(t.Context(), "user")
		r.Header.Set("Cookie", cookieName+"="+s)
		if w := g.browser().send(r); w.Body.Len() != 0 {
			t.Errorf("%.20q opens a session", s)
		}
		r = (&browser{}).request(t.Context(), "user")
		r.Header.Set("Authorization", "Bearer "+s)
		if w := g.browser().send(r); w.Body.String() == "ada" {
			t.Errorf("%.20q opens a session as bearer", s)
		}
	}
	if n := g.store.count(); n != 0 {
		t.Errorf("%d store calls for what is in the store", n)
	}
}

// R7, R8: junk dies before any I/O; so do sign-outs of nothing.
func TestR07Junk(t *testing.T) {
	g := newSite(t)
	live := g.signedIn("ada")
	g.store.reset()
	junk := []string{
		"", " ", "\r\nSet-Cookie: x=y", "a\x00b", "../../etc/passwd", "get session:1\r\n", strings.Repeat("A", 64<<10), "\xff\xfe", "ünïcode",
		`"quoted"`, "a,b", strings.Repeat("=", 124), live.cookie + "A", live.cookie[:123], live.cookie[1:], strings.ToUpper(live.cookie), live.cookie + "=",
		live.cookie + "\n", "B" + live.cookie[1:], live.cookie[:60] + "A" + live.cookie[61:] + "!",
	}
	for i := range 124 { // one character changed, each in turn
		c := byte('A')
		if live.cookie[i] == c {
			c = 'B'
		}
		junk = append(junk, live.cookie[:i]+string(c)+live.cookie[i+1:])
	}
	paths := []string{"user", "none", "logout", "names", "renew"}
	n := 0
	for n < 10_000 {
		for i, j := range junk {
			r := (&browser{}).request(t.Context(), paths[(n+i)%len(paths)])
			r.Header["Cookie"] = []string{cookieName + "=" + j}
			w := g.browser().send(r)
			if w.Code != 200 || strings.Contains(w.Body.String(), "ada") {
				t.Fatalf("%.30q: %d %s", j, w.Code, w.Body)
			}
			n++
		}
	}
	if k := g.store.count(); k != 0 {
		t.Errorf("%d store calls after %d junk requests", k, n)
	}
}

// R8: genuine tokens of sessions that are gone write nothing.
func TestR08DeadTokensWriteNothing(t *testing.T) {
	g := newSite(t)
	b := g.signedIn("ada")
	dead := b.copy()
	b.ok("logout")
	g.store.reset()
	for range 100 {
		for _, path := range []string{"user", "none", "logout", "names", "renew", "get?k=a"} {
			dead.copy().ok(path)
		}
	}
	if n := g.store.writes(); n != 0 {
		t.Error(n, "writes")
	}
}

// R9: a collision is tried again with a new token, and never merged; after a few there is an error.
func TestR09Collisions(t *testing.T) {
	for n, want := range map[int]int{0: 200, 1: 200, 2: 200, 3: 500, 100: 500} {
		for _, path := range []string{"set?k=a", "login?user=ada"} {
			g := newSite(t)
			g.store.setBefore(failTimes(n, store.ErrExists), opCreate)
			b := g.browser()
			w := b.get(path)
			g.status(w, want)
			if (b.cookie != "") != (want == 200) || g.records() > 1 {
				t.Error("token or record after a collision", g.records())
			}
			keys := map[store.ID]bool{}
			for _, r := range g.store.seen {
				keys[r.Key.ID] = true
			}
			if len(keys) != g.store.count(opCreate) || len(keys) != min(n, 2)+1 {
				t.Errorf("%d keys in %d tries", len(keys), g.store.count(opCreate))
			}
		}
	}
}

// R10: whatever bytes a store gives for a record, nothing panics and no user is made up.
func TestR10DamagedRecords(t *testing.T) {
	g := newSite(t, func(o *sojourn.Options) { o.DamagedPerMinute = -1 }) // or the first would be the last
	b := g.signedIn("ada")
	b.ok("set?k=a&v=value")
	var rec store.Record
	g.store.mutate = func(r *store.Record) { rec = *r }
	b.ok("user")
	damage := [][]byte{{}, {0}, {1}, {2, 0}, {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, {1, 1}, {1, 0, 0}, bytes.Repeat([]byte{0xff}, 1000)}
	for _, whole := range [][]byte{rec.Data, rec.Meta} {
		for i := range whole {
			d := bytes.Clone(whole)
			d[i] ^= 0x81
			damage = append(damage, d, whole[:i])
		}
	}
	for _, d := range damage {
		for _, field := range []func(*store.Record) *[]byte{
			func(r *store.Record) *[]byte { return &r.Data }, func(r *store.Record) *[]byte { return &r.Meta },
		} {
			g.store.mutate = func(r *store.Record) { *field(r) = d }
			for _, path := range []string{"peek", "names", "get?k=a"} {
				w := b.copy().get(path)
				if w.Code != 200 && w.Code != http.StatusServiceUnavailable && w.Code != 500 {
					t.Error(w.Code)
				}
				if w.Code != 200 {
					g.noCookie(w)
				}
			}
		}
	}
	g.store.heal()
	b.wants("user", "ada")
}

// R10: values of every codec survive any bytes.
func TestR10Codecs(t *testing.T) {
	type tree struct {
		Next *tree
		M    map[string][]int
	}
	for _, c := range []sojourn.Codec{sojourn.JSON, sojourn.Gob, door.Binary} {
		good := must(c.Append(nil, tree{M: map[string][]int{"a": {1}}}))
		for i := range good {
			for _, x := range []byte{1, 0x80, 0xff} {
				d := bytes.Clone(good)
				d[i] ^= x
				var v tree
				_ = c.Decode(d, &v)
				_ = c.Decode(d[:i], &v)
			}
		}
		deep := []byte(strings.Repeat(`{"Next":`, 100_000))
		var v tree
		if err := c.Decode(deep, &v); err == nil {
			t.Error("unbounded depth decodes")
		}
	}
}

// R49 in part: an error's text names no token, key, user or data.
func TestErrorsAreSilent(t *testing.T) {
	const user = "ada.lovelace@example.com"
	g := newSite(t, func(o *sojourn.Options) { o.DamagedPerMinute = -1 })
	b := g.signedIn(user)
	b.ok("set?k=a&v=verysecretvalue")
	var rec store.Record
	g.store.mutate = func(r *store.Record) { rec = *r; r.Meta = []byte{1, 9} }
	_, err := g.Open(t.Context(), b.request(t.Context(), ""))
	if !errors.Is(err, sojourn.ErrUnavailable) {
		t.Error(err)
	}
	_, list := g.Sessions(context.Background(), strings.Repeat(user, 100))
	_, _, bearer := g.IssueBearer(b.request(t.Context(), ""), user)
	g.store.setBefore(fail(store.ErrUnavailable))
	for _, err := range []error{err, list, bearer, must(g.Open(t.Context(), (&browser{}).request(t.Context(), ""))).Login(t.Context(), strings.Repeat(user, 20))} {
		for _, secret := range append(spellings(rec.Key.ID[:]), b.cookie, user, "verysecretvalue") {
			if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, secret) {
				t.Errorf("%v holds a secret", err)
			}
		}
	}
}

// What is no handle is refused in one line, which does not repeat it.
func TestParseHandle(t *testing.T) {
	h := store.Handle{1, 2, 3}
	if got, err := store.ParseHandle(h.String()); err != nil || got != h {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "x", h.String() + "A", h.String()[:21], h.String() + "\n", "<script>"} {
		_, err := store.ParseHandle(text)
		if !errors.Is(err, store.ErrInvalid) || strings.Contains(err.Error(), "\n") || text != "" && strings.Contains(err.Error(), text+" ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
