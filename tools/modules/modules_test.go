package modules

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// Each go.mod of a public module is refused as it is developed, and passes as it is released.
func TestRewrite(t *testing.T) {
	all, err := Load(root(t))
	if err != nil {
		t.Fatal(err)
	}
	const version = "v0.3.0"
	for _, m := range all {
		if !m.Public() {
			continue
		}
		raw, err := m.mod.Format()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.check(raw, version, all); (err == nil) != (m.Path == Core) {
			t.Errorf("%s as it is developed: %v", m.Path, err)
		}
		text, err := m.rewrite(version)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.check(text, version, all); err != nil {
			t.Error(err)
		}
		if s := string(text); strings.Contains(s, "v0.0.0\n") || strings.Contains(s, "=>") {
			t.Errorf("%s is released with\n%s", m.Path, s)
		}
	}
}

// One line is enough to be refused.
func TestCheck(t *testing.T) {
	all, err := Load(root(t))
	if err != nil {
		t.Fatal(err)
	}
	m := &Module{Path: Core + "/somestore", Dir: "somestore"}
	for lines, want := range map[string]string{
		"require " + Core + " v0.2.0\n":                                                 "",
		"require example.com/x v0.0.0\n":                                                "",
		"require " + Core + " v0.0.0\n":                                                 "requires " + Core + " at v0.0.0",
		"require " + Core + " v0.1.0\n":                                                 "the version is v0.2.0",
		"require " + Core + "/servers v0.2.0\n":                                         "not published",
		"require " + Core + " v0.2.0\nreplace " + Core + " => ../\n":                    "a replace line",
		"require example.com/x v1.0.0\nreplace example.com/x => example.com/y v1.0.0\n": "a replace line",
		"require example.com/x v1.0.0\nexclude example.com/x v1.1.0\n":                  "an exclude line",
	} {
		err := m.check([]byte("module "+m.Path+"\n\ngo 1.26\n\n"+lines), "v0.2.0", all)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s%v, want %q", lines, err, want)
		}
	}
	text := "module " + m.Path + "\n\ngo 1.26\n\nreplace example.com/x => example.com/y v1.0.0\n"
	if m.mod, err = modfile.Parse("go.mod", []byte(text), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := m.rewrite("v0.2.0"); err == nil || !strings.Contains(err.Error(), "example.com/x") {
		t.Errorf("somebody else's module is replaced: %v", err)
	}
}

func TestSorted(t *testing.T) {
	want := []string{"a v1.9.0 h1:x\n", "a v1.9.0/go.mod h1:y\n", "a v1.10.0 h1:z\n", "b v1.0.0-rc.1/go.mod h1:x\n", "b v1.0.0-rc.1.0.2020/go.mod h1:x\n", "b v1.0.0 h1:x\n"}
	got := sorted([]string{want[5], want[1], want[0], want[2], want[4], want[3]})
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
