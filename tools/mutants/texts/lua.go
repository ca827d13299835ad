package texts

import "strings"

var luaKeywords = strings.Fields("and break do else elseif end false for function if in local nil not or repeat return then true until while")

// lua adds the mutants of a Lua script.
func (l *lister) lua() {
	t := lex(luaToken, l.src, 0)
	// A statement ends with its line, unless an operator goes on.
	binary := func(t token) bool {
		return t.kind == 'o' && !strings.Contains(")}]", t.text) || t.is("and", "or", "not")
	}
	newline := func(i int) bool {
		return i > 0 && strings.Contains(l.src[t[i-1].end:t[i].start], "\n") &&
			!binary(t[i-1]) && (!binary(t[i]) || t[i].is("not"))
	}
	ends := func(i int) bool {
		return t[i].is("if", "elseif", "then", "else", "return", "local", "do", "while", "end", "in", "for", "function", ",", "=", ";", "{") || newline(i)
	}
	for _, o := range operands(t, ends, func(t token) (bool, bool) { return t.is("and"), t.is("or") }) {
		op := "and"
		if o.or {
			op = "or"
		}
		if o.left >= 0 {
			l.replace(op, t[o.left].start, t[o.last].end, "")
		} else {
			l.replace(op, t[o.first].start, t[o.right+1].start, "")
		}
	}
	for i := range t {
		l.luaToken(t, i)
		l.luaStatement(t, i, newline)
	}
}

func (l *lister) luaToken(t []token, i int) {
	whole := func(op, text string) { l.replace(op, t[i].start, t[i].end, text) }
	switch {
	case t[i].is("<", "<=", ">", ">="):
		whole("edge", otherEdge[t[i].text])
	case t[i].is("if", "elseif"):
		j := i + 1
		for !t[j].is("then") {
			j++
		}
		l.replace("if true", t[i+1].start, t[j-1].end, "true")
		l.replace("if false", t[i+1].start, t[j-1].end, "false")
	case t[i].is("not"):
		l.replace("not", t[i].start, t[i+1].start, "")
	case t[i].is("+", "-") && i > 0 && (t[i-1].kind == 'n' && !isKeyword(t[i-1]) || t[i-1].kind == '0' || t[i-1].is(")", "]")):
		l.replace("term", t[i-1].end, t[primary(t, i+1)].end, "")
	case t[i].is("min", "max") && t[i+1].is("("):
		args, last := arguments(t, i+1)
		for _, a := range args {
			l.replace("argument", t[i-2].start, t[last].end, l.src[t[a[0]].start:t[a[1]].end])
		}
	case t[i].text == "'PX'" || t[i].text == "'PXAT'":
		last := i + 2
		for t[last+1].depth >= t[i].depth && !t[last+1].is(",") {
			last++
		}
		l.replace("ttl", t[i-1].start, t[last].end, "")
		if t[i].text == "'PX'" {
			l.replace("short ttl", t[i+2].start, t[last].end, "20000")
		}
	case t[i].text == "'GT'":
		l.replace("ttl", t[i-1].start, t[i].end, "")
	}
}

var otherEdge = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">"}

func isKeyword(t token) bool { return t.is(luaKeywords...) }

// luaStatement adds mutants without the statement that begins at a token, if one does that is no
// declaration.
func (l *lister) luaStatement(t []token, i int, newline func(int) bool) {
	if !newline(i) || t[i].kind != 'n' || isKeyword(t[i]) && !t[i].is("return") {
		return
	}
	j := i
	for j+1 < len(t) && (t[j+1].depth > t[i].depth || !newline(j+1) && !t[j+1].is("end", "else", "elseif")) {
		j++
	}
	if t[i].is("return") {
		if j+1 < len(t) {
			l.replace("return", t[i].start, t[j].end, "")
		}
		return
	}
	l.replace("statement", t[i].start, t[j].end, "")
}

// primary returns the last token of the operand that begins at a token, with the products it is in.
func primary(t []token, i int) int {
	depth := t[i].depth
	for i+1 < len(t) {
		next := t[i+1]
		switch {
		case next.depth > depth, next.is(")", "]") && next.depth == depth && t[i].depth > depth, next.is("[", "(", ".", ":") && next.depth == depth,
			t[i].is("(", "[", ".", ":", "*", "/", "%", "#"), next.is("*", "/", "%") && next.depth == depth, next.is(")", "]") && t[i].is("(", "["):
			i++
		default:
			return i
		}
	}
	return i
}
