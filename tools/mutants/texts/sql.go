package texts

import (
	"fmt"
	"strconv"
	"strings"
)

// sqlEnds are the words before which a condition ends.
var sqlEnds = strings.Fields(`WHERE ON WHEN THEN ELSE END ORDER LIMIT FOR GROUP RETURNING UNION SELECT FROM SET USING JOIN LEFT
	CROSS INNER VALUES DO CONFLICT HAVING CASE IF`)

// sqlText is a statement, or a part of one that stands in a literal.
type sqlText struct {
	*lister
	t []token
}

// sql adds the mutants of a statement that begins at offset. What is left out of a condition stays
// in the text and has no effect, for a parameter must be used somewhere: its type and number are
// known from there.
func (l *lister) sql(offset int, text string) {
	s := sqlText{l, lex(sqlToken, text, offset)}
	joins := func(t token) (and, or bool) {
		rest := strings.ToUpper(s.src[t.end:min(t.end+8, len(s.src))])
		return t.is("AND"), t.is("OR") && rest != " IGNORE " && rest != " REPLACE"
	}
	for _, o := range operands(s.t, s.ends, joins) {
		if o.or {
			s.neutral("or", o.first, o.last, " AND 1=0")
		} else {
			s.neutral("and", o.first, o.last, " OR 1=1")
		}
	}
	for i := range s.t {
		s.condition(i)
		s.clause(i)
		s.operator(i)
		s.function(i)
		s.assignments(i)
		s.subquery(i)
		s.table(i)
	}
}

func (s sqlText) ends(i int) bool {
	t := s.t[i]
	if t.is("IF", "LEFT") && i+1 < len(s.t) && s.t[i+1].is("(") {
		return false // a function
	}
	return t.is(sqlEnds...) && !t.is("CASE", "END") || t.is(",", ";") || s.named(i)
}

// named reports whether a token names the expression before it.
func (s sqlText) named(i int) bool {
	word := func(t token) bool {
		return t.is(sqlEnds...) || t.is("AND", "OR", "NOT", "IN", "IS", "DIV", "NULL", "DESC", "BY", "KEY", "UPDATE")
	}
	return i > 0 && s.t[i].kind == 'n' && !word(s.t[i]) &&
		(s.t[i-1].kind == 'n' && !word(s.t[i-1]) || s.t[i-1].kind == '0' || s.t[i-1].is(")"))
}

// until returns the last token before one that ends what begins at i.
func (s sqlText) until(i int, ends func(j int) bool) int {
	depth := s.t[i].depth
	for i+1 < len(s.t) && s.t[i+1].depth >= depth && (s.t[i+1].depth > depth || s.closes(i+1) || !ends(i+1)) {
		i++
	}
	return i
}

// closes reports whether a token is the partner of an earlier bracket of its depth.
func (s sqlText) closes(i int) bool {
	return (s.t[i].is(")") || s.t[i].is("END")) && s.t[i-1].depth >= s.t[i].depth
}

func (s sqlText) str(first, last int) string { return s.src[s.t[first].start:s.t[last].end] }

func (s sqlText) put(op string, first, last int, text string) {
	s.replace(op, s.t[first].start, s.t[last].end, text)
}

// neutral gives an expression a constant value.
func (s sqlText) neutral(op string, first, last int, with string) {
	s.put(op, first, last, fmt.Sprintf("((%s)%s)", s.str(first, last), with))
}

// condition handles a condition as a whole.
func (s sqlText) condition(i int) {
	if i+1 == len(s.t) {
		return
	}
	// One of several conditions is another operator's.
	last := func() int { return s.until(i+1, func(j int) bool { return s.ends(j) || s.t[j].is("AND", "OR") }) }
	switch {
	case s.t[i].is("WHERE", "HAVING"), s.t[i].is("ON") && !s.t[i+1].is("CONFLICT", "DUPLICATE", "TRUE") && i > 0 && !s.indexed(i):
		s.neutral("and", i+1, last(), " OR 1=1")
	case s.t[i].is("WHEN"):
		s.neutral("when", i+1, s.until(i+1, s.ends), " AND 1=0")
	case s.t[i].is("NOT") && !s.t[i+1].is("NULL", "EXISTS"):
		s.replace("not", s.t[i].start, s.t[i+1].start, "")
	}
}

// indexed reports whether the ON belongs to a CREATE INDEX.
func (s sqlText) indexed(i int) bool {
	for ; i >= 0 && !s.t[i].is(";"); i-- {
		if s.t[i].is("INDEX") {
			return true
		}
	}
	return false
}

// clause handles ORDER BY, LIMIT, and what locks.
func (s sqlText) clause(i int) {
	next := func(words ...string) bool { return i+1 < len(s.t) && s.t[i+1].is(words...) }
	ends := func(j int) bool { return s.ends(j) && !s.t[j].is(",") }
	switch {
	case s.t[i].is("ORDER"):
		last := s.until(i, ends)
		s.put("order", i, last, "")
		for from, j := i+2, i+2; j <= last; j++ {
			if j == last || s.t[j+1].is(",") && s.t[j+1].depth == s.t[i].depth {
				if from > i+2 {
					s.put("order", from-1, j, "")
				} else if j < last {
					s.put("order", from, j+1, "")
				}
				from = j + 2
			}
		}
	case s.t[i].is("DESC"):
		s.put("desc", i, i, "")
	case s.t[i].is("LIMIT"):
		last := s.until(i, s.ends)
		if e := s.str(i+1, last); strings.ContainsAny(e, "$?") {
			s.put("limit", i+1, last, e+" + 1000000")
		} else {
			s.put("limit", i, last, "")
		}
	case s.t[i].is("FOR") && next("UPDATE"):
		last := i + 1
		for last+1 < len(s.t) && s.t[last+1].depth == s.t[i].depth && !s.t[last+1].is(")", "ON") {
			last++
		}
		s.put("lock", i, last, "")
	case s.t[i].is("SKIP") && next("LOCKED"):
		s.put("skip", i, i+1, "")
	case s.t[i].is("FORCE"):
		_, last := arguments(s.t, i+2)
		s.put("force", i, last, "")
	}
}

// operator handles comparisons, sums, and numbers that are times.
func (s sqlText) operator(i int) {
	t := s.t[i]
	switch {
	case otherEdge[t.text] != "":
		s.put("edge", i, i, otherEdge[t.text])
	case t.is("+", "-") && i > 0 && !s.t[i-1].is("(", ",", "SELECT") && !s.t[i+1].is("0"):
		last := s.primary(i + 1)
		s.put("term", i+1, last, fmt.Sprintf("0 * (%s)", s.str(i+1, last)))
	case t.kind == '0' && len(t.text) > 7 && len(t.text) < 16: // less is a unit, and more is for ever
		n, _ := strconv.ParseInt(t.text, 10, 64) // digits, and not too many
		s.put("half", i, i, strconv.FormatInt(n/2, 10))
	}
}

// primary returns the last token of an operand of a sum.
func (s sqlText) primary(i int) int {
	for i+1 < len(s.t) {
		switch {
		case s.t[i+1].is("(", "::", "*", "DIV"):
			_, last := i, i+1
			if s.t[i+1].is("(") {
				_, last = arguments(s.t, i+1)
			}
			i = last
		case s.t[i].is("::", "*", "DIV"):
			i++
		default:
			return i
		}
	}
	return i
}

// function handles calls that choose among their arguments.
func (s sqlText) function(i int) {
	if i+1 == len(s.t) || !s.t[i+1].is("(") || !s.t[i].is("LEAST", "GREATEST", "COALESCE", "IF", "NULLIF", "MIN", "MAX") {
		return
	}
	args, _ := arguments(s.t, i+1)
	arg := func(n int) string { return s.str(args[n][0], args[n][1]) }
	switch {
	case len(args) < 2:
	case s.t[i].is("NULLIF"):
		s.put("argument", args[1][0], args[1][1], "NULL")
	case s.t[i].is("IF"):
		s.put("argument", args[1][0], args[1][1], arg(2))
		s.put("argument", args[2][0], args[2][1], arg(1))
	default:
		for n := range args {
			other := arg((n + 1) % len(args))
			if strings.Contains(other, "?") {
				other = "9007199254740991" // it would be a parameter more
			}
			if strings.ContainsAny(arg(n), "$?") {
				other = fmt.Sprintf("CASE WHEN (%s) IS NULL THEN %s ELSE %[2]s END", arg(n), other)
			}
			s.put("argument", args[n][0], args[n][1], other)
		}
	}
}

// assignments handles the columns that an UPDATE sets: each keeps the value that it had.
func (s sqlText) assignments(i int) {
	first, of := 0, ""
	switch {
	case s.t[i].is("SET") && i > 0 && i+2 < len(s.t) && s.t[i+2].is("="), s.t[i].is("UPDATE") && i > 0 && s.t[i-1].is("KEY"):
		first, of = i+1, s.subject(i)
	default:
		return
	}
	last := s.until(first, func(j int) bool { return s.ends(j) && !s.t[j].is(",") })
	for from, j := first, first; j <= last; j++ {
		if j < last && !(s.t[j+1].is(",") && s.t[j+1].depth == s.t[first].depth) {
			continue
		}
		if j >= from+2 {
			s.assignment(from, j, of)
		}
		from = j + 2
	}
}

func (s sqlText) assignment(from, to int, of string) {
	column, value := s.t[from].text, s.str(from+2, to)
	if !strings.Contains(column, ".") {
		column = of + column
	}
	if value == column || value == s.t[from].text {
		return
	}
	if strings.ContainsAny(value, "$?") {
		column = fmt.Sprintf("CASE WHEN (%s) IS NULL THEN %s ELSE %[2]s END", value, column)
	}
	s.put("set", from+2, to, column)
}

// subject returns the name of the table that is changed at a token, with a dot.
func (s sqlText) subject(i int) string {
	for j := i - 1; j >= 0; j-- {
		switch {
		case s.t[j].depth < s.t[i].depth:
			return ""
		case s.t[j].depth > s.t[i].depth:
		case s.t[j].is("UPDATE") && !s.t[j+1].is("SET"):
			if s.t[j+2].is("SET", "LEFT") {
				return s.t[j+1].text + "."
			}
			return s.t[j+2].text + "."
		case s.t[j].is("INTO"):
			if s.t[j+2].is("AS") {
				return s.t[j+3].text + "."
			}
			return s.t[j+1].text + "."
		}
	}
	return ""
}

// subquery handles named queries that nothing reads: they are statements of their own.
func (s sqlText) subquery(i int) {
	if !s.t[i].is("AS") || i+1 == len(s.t) || !s.t[i+1].is("(") || i < 2 || !s.t[i-2].is(",") {
		return
	}
	for _, t := range s.t[i:] {
		if t.text == s.t[i-1].text || strings.HasPrefix(t.text, s.t[i-1].text+".") {
			return
		}
	}
	_, last := arguments(s.t, i+1)
	s.put("statement", i-2, last, "")
}

// table handles what makes the tables.
func (s sqlText) table(i int) {
	t := s.t[i]
	switch {
	case t.is("CREATE") && i+1 < len(s.t) && !s.t[i+1].is("TABLE"), t.is("ALTER", "INSERT") && i > 0 && s.t[i-1].is(";"):
		s.put("schema", i, s.until(i, func(j int) bool { return s.t[j].is(";") }), "SELECT 1")
	case t.is("PRIMARY", "KEY") && i > 0 && s.t[i-1].is(",") && t.depth == 1:
		last := s.until(i, func(j int) bool { return s.t[j].is(",") })
		s.put("schema", i-1, last, "")
	case t.is("WITH", "ENGINE") && s.indexedOrTable(i):
		s.put("schema", i, s.until(i, func(j int) bool { return s.t[j].is(";") }), "")
	}
}

// indexedOrTable reports whether a token stands behind the columns of a CREATE TABLE.
func (s sqlText) indexedOrTable(i int) bool {
	for ; i >= 0 && !s.t[i].is(";"); i-- {
		if s.t[i].is("TABLE") {
			return true
		}
	}
	return false
}
