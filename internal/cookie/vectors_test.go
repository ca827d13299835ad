package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/internal/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Test(t, os.Getenv("SOJOURN_WRITE_VECTORS") != "", "chunks", runVector, chunkVectors())
}

var repeated = regexp.MustCompile(`\{(.)\*(\d+)\}`)

// expand writes "{a*3}" as "aaa".
func expand(t testing.TB, s string) string {
	return repeated.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Repeat(parts[1], n)
	})
}

// collapse does the opposite for a text of some long runs.
func collapse(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		rest := strings.TrimLeft(s, s[:1])
		fmt.Fprintf(&b, "{%c*%d}", s[0], len(s)-len(rest))
		s = rest
	}
	return b.String()
}

func runVector(t testing.TB, in map[string]string) (map[string]string, error) {
	c := example
	c.Name = in["name"]
	j := New(&c)
	h := http.Header{"Cookie": {expand(t, in["cookies"])}}
	most, err := strconv.Atoi(in["most"])
	if err != nil {
		t.Fatal(err)
	}
	var values [Max]string
	if Values(h, j.Name, &values) != 1 {
		t.Fatal("not one cookie of the name")
	}
	text, ok := j.Join(h, values[0], most)
	if !ok {
		return nil, errors.New("refused")
	}
	back := http.Header{}
	if j.SetChunks(back, true, text, most, 0) == 0 {
		return nil, errors.New("too long")
	}
	if got := send(back)["Cookie"][0]; got != h["Cookie"][0] {
		return nil, errors.New("is spelled another way")
	}
	return map[string]string{"text": collapse(text)}, nil
}

func chunkVectors() []vectors.Case {
	const name = "__Host-session" // with room for 4078 characters
	in := func(most int, pairs ...string) map[string]string {
		for i := range pairs {
			if i == 0 {
				pairs[i] = name + "=" + pairs[i]
			} else {
				pairs[i] = fmt.Sprintf("%s.%d=%s", name, i, pairs[i])
			}
		}
		return vectors.In(nil, "name", name, "most", strconv.Itoa(most), "cookies", strings.Join(pairs, "; "))
	}
	return []vectors.Case{
		vectors.Good("one cookie", in(1, "{a*10}")),
		vectors.Good("one full cookie", in(1, "{a*4078}")),
		vectors.Good("two, the second of one character", in(4, "2.{a*4078}", "b")),
		vectors.Good("two, both full", in(2, "2.{a*4078}", "{b*4078}")),
		vectors.Good("four", in(4, "4.{a*4078}", "{b*4078}", "{c*4078}", "{d*7}")),
		vectors.Bad("one over-long cookie", in(4, "{a*4079}")),
		vectors.Bad("the first over-long", in(4, "2.{a*4079}", "{b*10}")),
		vectors.Bad("the first not full", in(4, "2.{a*4077}", "{b*10}")),
		vectors.Bad("the second over-long", in(4, "2.{a*4078}", "{b*4079}")),
		vectors.Bad("the second of three not full", in(4, "3.{a*4078}", "{b*4077}", "{c*10}")),
		vectors.Bad("the last empty", in(4, "2.{a*4078}", "")),
		vectors.Bad("the last missing", in(4, "2.{a*4078}")),
		vectors.Bad("a count of one", in(4, "1.{a*10}")),
		vectors.Bad("a count with a zero before it", in(4, "02.{a*4078}", "{b*10}")),
		vectors.Bad("a count with a sign", in(4, "+2.{a*4078}", "{b*10}")),
		vectors.Bad("more than the manager allows", in(2, "3.{a*4078}", "{b*4078}", "{c*10}")),
		vectors.Bad("five", in(4, "5.{a*4078}", "{b*4078}", "{c*4078}", "{d*4078}", "{e*10}")),
	}
}
