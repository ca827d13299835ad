// Package cookie reads and writes the header lines of the session's cookies: one cookie, or several
// that a longer value is cut into. It knows nothing of what is in them.
package cookie

import (
	"net/http"
	"strings"
)

// Max bounds how many cookies of one name are looked at: those of every spelling that a program may
// name, and as many again.
const Max = 16

// MaxChunks bounds how many cookies a value is cut into.
const MaxChunks = 4

// Values collects the values of cookies named name, compared byte for byte, out of all Cookie
// headers, and returns how many there are, which may be more than into holds. net/http's parser
// allocates, trims and unquotes; a token needs none of it.
func Values(h http.Header, name string, into *[Max]string) (n int) {
	for _, line := range h["Cookie"] {
		for len(line) > 0 {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			for len(pair) > 0 && blank(pair[0]) {
				pair = pair[1:]
			}
			if len(pair) <= len(name) || pair[len(name)] != '=' || pair[:len(name)] != name {
				continue
			}
			for blank(pair[len(pair)-1]) {
				pair = pair[:len(pair)-1]
			}
			if n < Max {
				into[n] = pair[len(name)+1:]
			}
			n++
		}
	}
	return n
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
