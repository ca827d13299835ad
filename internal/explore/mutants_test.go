package explore

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A mutant is the product with one defect: a repair taken out again, or a mistake made.
type mutant struct {
	name     string
	file     string // below the root of the repository
	old, new string // old occurs once in the file
	scenes   string // where to look, as for -explore.only: exploring all takes long
	law      string // that a finding must name
}

// mutants are the defects that the explorer must find.
var mutants = []mutant{
	{"changes are not done again on the newest record", "commit.go", "\treturn s.replay()\n", "\ts.resetView()\n\treturn nil\n",
		"^stored/visitor/incr[+]incr$", "L7"},
}

// Each mutant is built, by an overlay over the source, and explored; it must break its law.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			out := m.explore(t, root)
			if !strings.Contains(out, "\n    explore_test.go:") || !strings.Contains(out, ": "+m.law+": ") {
				t.Errorf("not found: no finding names %s in %s\n%s", m.law, m.scenes, out)
			}
		})
	}
}

// explore builds the mutant and gives what exploring it prints.
func (m mutant) explore(t *testing.T, root string) string {
	dir := t.TempDir()
	binary, overlay := filepath.Join(dir, "mutant.test"), m.overlay(t, root, dir)
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", binary, "./internal/explore")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not build: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), binary, "-test.run=^TestExplore$", "-test.v", "-explore.all", "-explore.samples=0", "-explore.only="+m.scenes)
	run.Dir = filepath.Join(root, "internal", "explore")
	out, err := run.CombinedOutput()
	if err == nil {
		t.Errorf("not found: exploring %s breaks no law", m.scenes)
	}
	return string(out)
}

// overlay writes the mutated file and the list of what it stands for; see go help build.
func (m mutant) overlay(t *testing.T, root, dir string) string {
	path := filepath.Join(root, filepath.FromSlash(m.file))
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		t.Fatalf("the patch does not apply: %s holds its old text %d times", m.file, n)
	}
	changed := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(changed, []byte(strings.Replace(string(src), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}
