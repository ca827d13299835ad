package texts

import (
	"slices"
	"strings"
	"testing"
)

// mutated returns the mutants of a text, as texts.
func mutated(t *testing.T, file, text string) (all []string) {
	t.Helper()
	ms, err := list(file, text)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		all = append(all, m.Op+": "+m.Apply(text))
	}
	return all
}

func TestList(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"a.lua", "if a and b > 1 then return x end", `
			if false: if false then return x end
			if true: if true then return x end
			and: if b > 1 then return x end
			and: if a then return x end
			edge: if a and b >= 1 then return x end`},
		{"a.lua", "local x = a and\n  b or c -- or d\nf(1)", `
			or: local x = c -- or d f(1)
			and: local x = b or c -- or d f(1)
			and: local x = a or c -- or d f(1)
			or: local x = a and b -- or d f(1)
			statement: local x = a and b or c -- or d`},
		{"a.lua", "local z\ncall('SET', k, v, 'PX', t - 1)", `
			statement: local z
			ttl: local z call('SET', k, v)
			short ttl: local z call('SET', k, v, 'PX', 20000)
			term: local z call('SET', k, v, 'PX', t)`},
		{"a.lua", "x = math.min(a.b, f(c))", `
			argument: x = a.b
			argument: x = f(c)`},
		{"a.sql", "SELECT a FROM t -- AND\nWHERE x = $1 AND (y < 2 OR z) ORDER BY a, b DESC LIMIT $2", `
			and: SELECT a FROM t -- AND WHERE ((x = $1) OR 1=1) AND (y < 2 OR z) ORDER BY a, b DESC LIMIT $2
			and: SELECT a FROM t -- AND WHERE x = $1 AND (((y < 2 OR z)) OR 1=1) ORDER BY a, b DESC LIMIT $2
			or: SELECT a FROM t -- AND WHERE x = $1 AND (((y < 2) AND 1=0) OR z) ORDER BY a, b DESC LIMIT $2
			edge: SELECT a FROM t -- AND WHERE x = $1 AND (y <= 2 OR z) ORDER BY a, b DESC LIMIT $2
			or: SELECT a FROM t -- AND WHERE x = $1 AND (y < 2 OR ((z) AND 1=0)) ORDER BY a, b DESC LIMIT $2
			order: SELECT a FROM t -- AND WHERE x = $1 AND (y < 2 OR z) LIMIT $2
			order: SELECT a FROM t -- AND WHERE x = $1 AND (y < 2 OR z) ORDER BY b DESC LIMIT $2
			order: SELECT a FROM t -- AND WHERE x = $1 AND (y < 2 OR z) ORDER BY a LIMIT $2
			desc: SELECT a FROM t -- AND WHERE x = $1 AND (y < 2 OR z) ORDER BY a, b LIMIT $2
			limit: SELECT a FROM t -- AND WHERE x = $1 AND (y < 2 OR z) ORDER BY a, b DESC LIMIT $2 + 1000000`},
		{"a.sql", "UPDATE t s SET a = $1, b = 2 WHERE c IN (SELECT d FROM u) FOR UPDATE SKIP LOCKED", `
			set: UPDATE t s SET a = CASE WHEN ($1) IS NULL THEN s.a ELSE s.a END, b = 2 WHERE c IN (SELECT d FROM u) FOR UPDATE SKIP LOCKED
			set: UPDATE t s SET a = $1, b = s.b WHERE c IN (SELECT d FROM u) FOR UPDATE SKIP LOCKED
			and: UPDATE t s SET a = $1, b = 2 WHERE ((c IN (SELECT d FROM u)) OR 1=1) FOR UPDATE SKIP LOCKED
			lock: UPDATE t s SET a = $1, b = 2 WHERE c IN (SELECT d FROM u)
			skip: UPDATE t s SET a = $1, b = 2 WHERE c IN (SELECT d FROM u) FOR UPDATE`},
		{"a.sql", "SELECT CASE WHEN a THEN 1 ELSE least(x, y + 3) END, b OR c named", `
			when: SELECT CASE WHEN ((a) AND 1=0) THEN 1 ELSE least(x, y + 3) END, b OR c named
			argument: SELECT CASE WHEN a THEN 1 ELSE least(y + 3, y + 3) END, b OR c named
			argument: SELECT CASE WHEN a THEN 1 ELSE least(x, x) END, b OR c named
			term: SELECT CASE WHEN a THEN 1 ELSE least(x, y + 0 * (3)) END, b OR c named
			or: SELECT CASE WHEN a THEN 1 ELSE least(x, y + 3) END, ((b) AND 1=0) OR c named
			or: SELECT CASE WHEN a THEN 1 ELSE least(x, y + 3) END, b OR ((c) AND 1=0) named`},
		{"a.sql", "WITH a AS (SELECT 1), gone AS (DELETE FROM t), used AS (SELECT 2) SELECT 86400000000 FROM used", `
			statement: WITH a AS (SELECT 1), used AS (SELECT 2) SELECT 86400000000 FROM used
			half: WITH a AS (SELECT 1), gone AS (DELETE FROM t), used AS (SELECT 2) SELECT 43200000000 FROM used`},
		{"a.go", "package a\n\nconst other, q = \"a AND b\", \"SELECT a WHERE b = ?\"\n", `
			and: package a const other, q = "a AND b", "SELECT a WHERE ((b = ?) OR 1=1)"`},
	} {
		var want []string
		for line := range strings.Lines(strings.TrimSpace(c.want)) {
			want = append(want, strings.TrimSpace(line))
		}
		got := mutated(t, c.file, c.text)
		for i := range got {
			got[i] = strings.Join(strings.Fields(got[i]), " ")
		}
		slices.Sort(got)
		slices.Sort(want)
		for _, g := range got {
			if !slices.Contains(want, g) {
				t.Errorf("%s: made\n\t%s", c.text, g)
			}
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: did not make\n\t%s", c.text, w)
			}
		}
	}
}

// TestIdentity moves a line: its mutants keep their names. Two in a line have two.
func TestIdentity(t *testing.T) {
	names := func(text string) (all []ID) {
		ms, err := list("a.lua", text)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			all = append(all, m.ID)
		}
		return all
	}
	a, b := names("local x = a < b == c < d"), names("-- more\n\n  local x = a < b == c < d\n")
	if !slices.Equal(a, b) || len(a) != 2 || a[0] == a[1] {
		t.Errorf("%v and %v", a, b)
	}
}

// TestEquivalents reads the list, and each of its entries must name a mutant that is there.
func TestEquivalents(t *testing.T) {
	equal, err := Equivalents()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for i := range Targets {
		ms, err := Targets[i].Mutants("../../..")
		if err != nil {
			t.Fatal(err)
		}
		if len(ms) == 0 {
			t.Errorf("%s has no mutants", Targets[i].Name)
		}
		for _, m := range ms {
			there[m.ID.String()] = true
		}
	}
	for id := range equal {
		if !there[id] {
			t.Errorf("known.txt names a mutant that is not there: %v", id)
		}
	}
}

// TestFirstFailure reads what tests print.
func TestFirstFailure(t *testing.T) {
	by, out := firstFailure(strings.NewReader("=== RUN a\n    a.go:1: why\n    --- FAIL: TestStore/clause (0.00s)\n--- FAIL: TestStore\n"))
	if by != "TestStore/clause" || !strings.Contains(out, "why") {
		t.Errorf("%q, %q", by, out)
	}
	by, _ = firstFailure(strings.NewReader("=== RUN   TestStore/a\n=== NAME  TestStore/b\n    storetest.go:1: storetest: b: why\n=== NAME  TestStore/c\n"))
	if by != "TestStore/b" {
		t.Errorf("a clause of the kit: %q", by)
	}
	if by, _ := firstFailure(strings.NewReader("ok\n")); by != "" {
		t.Errorf("%q", by)
	}
}

// TestFit makes texts as long as their originals, out of comments only.
func TestFit(t *testing.T) {
	for _, c := range []struct {
		text, want string
		size       int
	}{
		{"a < b\n", "a < b\n   ", 9},
		{"-- words\na <= b -- more\n", "--\na <= b -- more\n", 18},
		{"-- words\na <= '-- b' -- more\n", "--\na <= '-- b' --ore\n", 21},
		{"a <= b", "", 5},
	} {
		if got, ok := fit(c.text, "a.sql", c.size); got != c.want || ok != (c.want != "") {
			t.Errorf("%q in %d bytes: %q, %v", c.text, c.size, got, ok)
		}
	}
}
