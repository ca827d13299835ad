package possessions

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sojourn-go/sojourn"
)

// codec is sojourn.JSON, which spends most of a request's time on reflection where the values are a
// session's. Those it writes and reads itself, byte for byte the same, as long as they are plain:
// ASCII that JSON does not escape.
type codec struct{}

func (codec) Append(dst []byte, p any) ([]byte, error) {
	m, ok := p.(*map[string]string)
	if !ok || *m == nil {
		return sojourn.JSON.Append(dst, p)
	}
	keys := make([]string, 0, 8) // on the stack, for most
	for k, v := range *m {
		if !plain(k) || !plain(v) {
			return sojourn.JSON.Append(dst, p)
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), k...), `":"`...)
		dst = append(append(dst, (*m)[k]...), '"')
	}
	return append(dst, '}'), nil
}

func (codec) Decode(data []byte, p any) error {
	if m, ok := p.(*map[string]string); ok && *m == nil {
		if fresh, ok := parse(string(data)); ok {
			*m = fresh
			return nil
		}
	}
	return sojourn.JSON.Decode(data, p)
}

// parse reads what Append wrote of plain values. Others are not ok, and what is ok means the same
// in JSON.
func parse(s string) (m map[string]string, ok bool) {
	s, ok = strings.CutPrefix(s, "{")
	if !ok {
		return nil, false
	}
	m = map[string]string{}
	if s == "}" {
		return m, true
	}
	for {
		var key, value string
		if key, s, ok = quoted(s); !ok {
			return nil, false
		}
		if s, ok = strings.CutPrefix(s, ":"); !ok {
			return nil, false
		}
		if value, s, ok = quoted(s); !ok {
			return nil, false
		}
		m[key] = value
		if s == "}" {
			return m, true
		}
		if s, ok = strings.CutPrefix(s, ","); !ok {
			return nil, false
		}
	}
}

// quoted cuts a plain text in quotation marks off the front of s.
func quoted(s string) (text, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, `"`)
	if !ok {
		return "", "", false
	}
	text, rest, ok = strings.Cut(s, `"`)
	return text, rest, ok && plain(text)
}

// plain reports whether s stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
