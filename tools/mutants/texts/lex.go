package texts

import (
	"regexp"
	"strings"
)

// A token is a piece of a text; comments and space are none.
type token struct {
	kind       byte // 'n'ame or keyword, '0' number, 's'tring, 'o'perator
	start, end int
	text       string
	depth      int // of the brackets around it; a bracket has the depth outside
}

var (
	luaToken = regexp.MustCompile(`\A(?:(?P<c>--[^\n]*)|(?P<n>[A-Za-z_][A-Za-z_0-9]*)|(?P<d>[0-9]+)|(?P<s>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|(?P<o>\.\.|==|~=|<=|>=|[-+*/%^#<>=(){}\[\];:,.]))`)
	// A name of SQL may be a parameter, or a word in braces that the store replaces. A percent sign
	// stands for the table.
	sqlToken = regexp.MustCompile(`\A(?:(?P<c>--[^\n]*|/\*(?s:.*?)\*/)|(?P<n>[:$]?[A-Za-z_%@][A-Za-z_0-9.%]*|\$[0-9]+|\?|\{[a-z]+\})|(?P<d>[0-9]+)|(?P<s>'[^']*')|(?P<o>::|<=|>=|<>|<<|\|\||[-+*/<>=(),;|&.]))`)
)

// lex splits a text, whose first byte is at offset in the file.
func lex(syntax *regexp.Regexp, text string, offset int) (tokens []token) {
	depth := 0
	for i := 0; i < len(text); {
		m := syntax.FindStringSubmatchIndex(text[i:])
		if m == nil {
			i++ // space, or what no operator looks at
			continue
		}
		t := token{start: offset + i, end: offset + i + m[1], text: text[i : i+m[1]]}
		i += m[1]
		for g, kind := range []byte{1: 'c', 'n', '0', 's', 'o'} {
			if g > 0 && m[2*g] >= 0 {
				t.kind = kind
			}
		}
		if t.kind == 'c' {
			continue
		}
		if t.kind == 'o' && strings.Contains(")}]", t.text) || t.is("END") && syntax == sqlToken {
			depth--
		}
		t.depth = depth
		if t.kind == 'o' && strings.Contains("({[", t.text) || t.is("CASE") && syntax == sqlToken {
			depth++
		}
		tokens = append(tokens, t)
	}
	return tokens
}

// is reports whether the token is one of these words. Case matters where words are not in capitals.
func (t token) is(words ...string) bool {
	for _, w := range words {
		if t.kind != 's' && (t.text == w || w == strings.ToUpper(w) && strings.EqualFold(t.text, w)) {
			return true
		}
	}
	return false
}

// operand is an operand of an and or an or: the tokens from first to last.
type operand struct {
	first, last int
	or          bool
	left, right int // the tokens of the connectives beside it, or -1
}

// operands finds those of every and and or. ends reports whether an expression ends before a token
// of its own depth, and joins tells the connectives.
func operands(tokens []token, ends func(i int) bool, joins func(t token) (and, or bool)) (all []operand) {
	add := func(o operand) {
		for _, p := range all {
			if p == o {
				return
			}
		}
		if o.first <= o.last {
			all = append(all, o)
		}
	}
	for i, t := range tokens {
		and, or := joins(t)
		if !and && !or {
			continue
		}
		stops := func(j int) (stop, connective bool) {
			if tokens[j].depth < t.depth {
				return true, false
			}
			if tokens[j].depth > t.depth {
				return false, false
			}
			a, o := joins(tokens[j])
			return a && and || o || ends(j), a && and || o && or
		}
		l := operand{last: i - 1, or: or, left: -1, right: i}
		for l.first = i; l.first > 0; l.first-- {
			if stop, c := stops(l.first - 1); stop {
				if c {
					l.left = l.first - 1
				}
				break
			}
		}
		add(l)
		r := operand{first: i + 1, or: or, left: i, right: -1}
		for r.last = i; r.last+1 < len(tokens); r.last++ {
			if stop, c := stops(r.last + 1); stop {
				if c {
					r.right = r.last + 1
				}
				break
			}
		}
		add(r)
	}
	return all
}

// arguments splits what stands between the bracket at open and its partner at the commas: the first
// and the last token of each.
func arguments(tokens []token, open int) (args [][2]int, closing int) {
	first := open + 1
	for i := open + 1; i < len(tokens); i++ {
		closes := tokens[i].depth == tokens[open].depth
		if closes || tokens[i].is(",") && tokens[i].depth == tokens[open].depth+1 {
			if first < i {
				args = append(args, [2]int{first, i - 1})
			}
			first = i + 1
		}
		if closes {
			return args, i
		}
	}
	return nil, len(tokens) - 1
}
