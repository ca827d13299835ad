package cookie

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

var example = http.Cookie{Name: "__Host-s", Value: "x", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}

// One cookie of a name is sent, the last; others stay.
func TestSet(t *testing.T) {
	j := New(&example)
	const attrs = "; Path=/; HttpOnly; Secure; SameSite=Lax"
	h := http.Header{"Set-Cookie": {"other=1", "__Host-s2=1"}}
	for _, tt := range []struct {
		value string
		life  time.Duration
		want  string
	}{
		{"a", 0, "__Host-s=a" + attrs},
		{"b", time.Hour + 1, "__Host-s=b" + attrs + "; Max-Age=3601"},
		{"c", 10 * MaxAge, "__Host-s=c" + attrs + "; Max-Age=34560000"},
		{"", Remove, "__Host-s=" + attrs + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
	} {
		j.Set(h, true, j.Name, tt.value, tt.life)
		if got := h["Set-Cookie"]; !slices.Equal(got, []string{"other=1", "__Host-s2=1", tt.want}) {
			t.Errorf("%q for %v: %q", tt.value, tt.life, got)
		}
	}
}

// A jar without Secure adds it where the response travels over TLS after all.
func TestSetPlain(t *testing.T) {
	c := example
	c.Name, c.Secure = "s", false
	j := New(&c)
	for https, want := range map[bool]bool{true: true, false: false} {
		h := http.Header{}
		j.Set(h, https, j.Name, "a", 0)
		if got := strings.Contains(h["Set-Cookie"][0], "Secure"); got != want {
			t.Errorf("over TLS %v: %q", https, h["Set-Cookie"])
		}
	}
}

// send is the Cookie header of a browser that got h.
func send(h http.Header) http.Header {
	var pairs []string
	for _, line := range h["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		pairs = append(pairs, pair)
	}
	return http.Header{"Cookie": {strings.Join(pairs, "; ")}}
}

// What SetChunks sends, Join puts together, at every length around the borders.
func TestChunks(t *testing.T) {
	j := New(&example)
	for n := 1; n <= MaxChunks; n++ {
		for _, length := range []int{(n-1)*j.Room() + 1, n * j.Room()} {
			text := strings.Repeat("abcdefghij", length/10+1)[:length]
			h := http.Header{}
			if got := j.SetChunks(h, true, text, n-1, 0); n > 1 && (got != 0 || len(h) > 0) {
				t.Errorf("%d characters in %d cookies: %d, %d header lines", length, n-1, got, len(h))
			}
			if got := j.SetChunks(h, true, text, Max, 0); got != n || len(h["Set-Cookie"]) != n {
				t.Fatalf("%d characters: %d cookies, want %d", length, got, n)
			}
			for _, line := range h["Set-Cookie"] {
				if pair, _, _ := strings.Cut(line, ";"); len(pair)-1 > MaxBytes { // without "="
					t.Errorf("a cookie of %d bytes", len(pair)-1)
				}
			}
			back := send(h)
			var values [Max]string
			if Values(back, j.Name, &values) != 1 {
				t.Fatal("no first chunk")
			}
			if got, ok := j.Join(back, values[0], Max); !ok || got != text {
				t.Errorf("%d characters come back as %d, %v", length, len(got), ok)
			}
			if want := n; n > 1 && j.Chunks(back) != want {
				t.Errorf("%d chunks, want %d", j.Chunks(back), want)
			}
			back.Add("Cookie", "__Host-s.4=the program's own; __Host-s.15=too")
			if want := n; n > 1 && j.Chunks(back) != want {
				t.Errorf("beside others %d chunks, want %d", j.Chunks(back), want)
			}
			h = http.Header{}
			if j.RemoveChunks(h, true, 1, n); len(h["Set-Cookie"]) != n-1 {
				t.Errorf("%d of %d chunks are removed", len(h["Set-Cookie"]), n-1)
			}
		}
	}
}

// There is one way to spell a text.
func TestJoinRefuses(t *testing.T) {
	j := New(&example)
	full := strings.Repeat("x", j.Room())
	second := http.Header{"Cookie": {"__Host-s.1=yy"}}
	for name, tt := range map[string]struct {
		h     http.Header
		first string
		most  int
	}{
		"one of one": {second, "1." + full, 4}, "leading zero": {second, "02." + full, 4}, "sign": {second, "+2." + full, 4},
		"more than allowed": {second, "2." + full, 1}, "first not full": {second, "2." + full[1:], 4}, "first too long": {second, "2.x" + full, 4},
		"second missing": {http.Header{}, "2." + full, 4}, "second empty": {http.Header{"Cookie": {"__Host-s.1="}}, "2." + full, 4},
		"second too long": {http.Header{"Cookie": {"__Host-s.1=y" + full}}, "2." + full, 4},
		"second twice":    {http.Header{"Cookie": {"__Host-s.1=yy; __Host-s.1=yy"}}, "2." + full, 4},
		"second not full": {http.Header{"Cookie": {"__Host-s.1=yy; __Host-s.2=zz"}}, "3." + full, 4},
	} {
		if text, ok := j.Join(tt.h, tt.first, tt.most); ok {
			t.Errorf("%s: %d characters", name, len(text))
		}
	}
	if text, ok := j.Join(second, "2."+full, 2); !ok || text != full+"yy" {
		t.Errorf("the spelling itself: %v", ok)
	}
}

// R27, R33: our scan finds what net/http finds, where both read the header.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"s=1", "a=b; s=1; s=2", `s="q"`, " s = 1", "S=1", "s=", ";;s=1;", "s=1\ts=2", "s=a b", "\u2000s=1", "$Version=1; s=1", "s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		var got [Max]string
		n := Values(h, "s", &got)
		theirs := (&http.Request{Header: h}).CookiesNamed("s")
		if strings.ContainsAny(line, "\"") || strings.Count(line, ";") > 2000 {
			return // they unquote, and give up on floods
		}
		i := 0
		for _, v := range got[:min(n, Max)] { // what is ours is theirs, in the same order; they are laxer about "s = 1" and "s"
			if strings.ContainsFunc(v, func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }) {
				continue // no cookie value, and no token
			}
			for i < len(theirs) && theirs[i].Value != v {
				i++
			}
			if i == len(theirs) {
				t.Fatalf("%q: we have %q, net/http does not: %v", line, v, theirs)
			}
			i++
		}
		for _, v := range got[:min(n, Max)] {
			if !strings.Contains(line, "s="+v) {
				t.Fatalf("%q: invented %q", line, v)
			}
		}
	})
}

// A line for a cookie of the name at another place stays, whoever wrote it.
func TestSetKeepsOtherPlaces(t *testing.T) {
	c := example
	c.Name, c.Domain, c.Path = "s", ".Example.com", "/app"
	j := New(&c)
	for line, stays := range map[string]bool{
		"s=1; Domain=example.com; Path=/app":              false,
		"s=1;domain = .EXAMPLE.com ;PATH=/app; Secure":    false,
		"s=1; Path=/x; Path=/app; Domain=example.com":     false, // the last counts
		"s=1; Domain=example.com":                         false, // at the request's own path
		"s=1; Domain=example.com; Path=app":               false,
		"s=1; Path=/app":                                  true,
		"s=1; Domain=example.com; Path=/app; Comment=/x":  false,
		"s=1; Domain=sub.example.com; Path=/app":          true,
		"s=1; Domain=example.com; Path=/":                 true,
		"s=1; Domain=example.com; Path=/app; Partitioned": true,
		"s":                                   true,
		"s2=1; Domain=example.com; Path=/app": true,
		"":                                    true,
	} {
		h := http.Header{"Set-Cookie": {line}}
		j.Set(h, true, "s", "new", 0)
		if got := len(h["Set-Cookie"]) == 2; got != stays {
			t.Errorf("%q: stays %v, want %v", line, got, stays)
		}
	}
	o := New(&http.Cookie{Name: "s", Domain: "EXAMPLE.com", Path: "/app", Secure: true})
	if !j.Same(&o) {
		t.Error("attributes besides name, domain, path and partition tell cookies apart")
	}
}

// Of several cookies of a chunk's name each is tried, within bounds.
func TestJoinAll(t *testing.T) {
	j := New(&example)
	text := func(c string, n int) string { return strings.Repeat(c, n*j.Room()-5) }
	h := http.Header{}
	add := func(text string) (first string) {
		sent := http.Header{}
		j.SetChunks(sent, true, text, Max, 0)
		h["Cookie"] = append(h["Cookie"], send(sent)["Cookie"]...)
		var values [Max]string
		Values(send(sent), j.Name, &values)
		return values[0]
	}
	tries := func(first, want string) (found bool, n int) {
		all := j.JoinAll(h, first, Max)
		return slices.Contains(all, want), len(all)
	}
	a := add(text("a", 3))
	if ok, n := tries(a, text("a", 3)); !ok || n != 1 {
		t.Errorf("one of each: %v among %d", ok, n)
	}
	h["Cookie"] = append(h["Cookie"], "__Host-s.1=planted")
	if ok, n := tries(a, text("a", 3)); !ok || n != 1 {
		t.Errorf("beside one that is cut short: %v among %d", ok, n)
	}
	h["Cookie"] = h["Cookie"][:len(h["Cookie"])-1]
	b := add(text("b", 4))
	for first, want := range map[string]string{a: text("a", 3), b: text("b", 4)} {
		if _, ok := j.Join(h, first, Max); ok {
			t.Error("Join chooses among chunks")
		}
		if ok, n := tries(first, want); !ok || n > maxTexts {
			t.Errorf("two of each: %v among %d", ok, n)
		}
	}
	if ok, n := tries("short", "short"); !ok || n != 1 {
		t.Errorf("one that is not cut: %v among %d", ok, n)
	}
	add(text("c", 4))
	if _, n := tries(b, ""); n != 0 {
		t.Errorf("three of each: %d tries", n)
	}
	for _, wrong := range []string{"5." + a[2:], "1." + a[2:], "02." + a[2:], "x." + a[2:]} {
		if _, n := tries(wrong, ""); n != 0 {
			t.Errorf("%.3q: %d tries", wrong, n)
		}
	}
}

// A program's own cookies may have names that begin with the session's.
func TestSetsItsOwn(t *testing.T) {
	j := New(&http.Cookie{Name: "s", Path: "/"})
	for name, want := range map[string]bool{"s": true, "s.1": true, "s.3": true, "s.csrf": true, "s.0": false, "s.4": false, "s.11": false, "s.theme": false, "s.": false, "s-1": false, "t": false, ".csrf": false, ".1": false, "": false} {
		if got := j.Sets(name + "=x; Path=/"); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
