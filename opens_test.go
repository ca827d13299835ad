package sojourn_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// countingKeys counts what is opened with a ring.
type countingKeys struct {
	sojourn.Sealer
	opens int
}

func (k *countingKeys) Open(dst, sealed, aad []byte) ([]byte, error) {
	k.opens++
	return k.Sealer.Open(dst, sealed, aad)
}

// L5: however many cookies one request brings, under however many names, no more than 16 texts of
// them are opened, and whoever sends more is nobody.
func TestOpensOfARequest(t *testing.T) {
	const name = "__Host-session"
	until := time.Now().Add(time.Hour)
	former := make([]sojourn.FormerCookie, 8)
	for i := range former {
		former[i] = sojourn.FormerCookie{Name: "sid" + strconv.Itoa(i), Until: until}
	}
	part := strings.Repeat("A", 4092-len(name))
	junk := func(name, value string, n int) []string {
		lines := make([]string, n)
		for i := range lines {
			lines[i] = name + "=" + value[:len(value)-8] + strconv.Itoa(10000000+i)
		}
		return lines
	}
	var parts, ofFormer []string
	for i, n := range []int{16, 16, 1, 1} {
		if i == 0 {
			parts = junk(name, "2.AQ"+part[2:], n)
		} else {
			parts = append(parts, junk(name+"."+strconv.Itoa(i), part, n)...)
		}
	}
	for _, f := range former {
		ofFormer = append(ofFormer, junk(f.Name, "AQ"+part[:122], 16)...)
	}
	for what, c := range map[string]struct {
		sealed  bool
		cookies []string
		opens   bool // some are
	}{
		"parts, sealed": {true, parts, true}, "former names, sealed": {true, ofFormer, true},
		"parts, stored": {false, parts, false}, "former names, stored": {false, ofFormer, true},
	} {
		keys := &countingKeys{Sealer: rigKeys(t)}
		o := &sojourn.Options{Keys: keys, Cookie: sojourn.CookieOptions{Former: former}}
		var m *sojourn.Manager
		if c.sealed {
			m = must(sojourn.NewSealed(&sojourn.SealedOptions{Store: memstore.New(nil), Chunks: 4}, o))
		} else {
			m = must(sojourn.New(memstore.New(nil), o))
		}
		keys.opens = 0
		g := &webRig{TB: t, m: m}
		g.serve(rigRequest("GET", c.cookies...), func(_ http.ResponseWriter, r *http.Request) {
			if s, err := m.Load(r); err != nil || s.User() != "" {
				t.Errorf("%s: %v", what, err)
			}
		})
		if keys.opens > 16 || (keys.opens > 0) != c.opens {
			t.Errorf("%s: %d texts are opened, want at most 16", what, keys.opens)
		}
	}
}
