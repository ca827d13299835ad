package explore

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A mutant is the product with one defect: a repair taken out again, or a mistake made.
type mutant struct {
	name    string
	scene   string // where it shows, as for -explore.scene
	faults  int    // how many that takes, at most
	law     string // that it breaks
	patches []patch
}

// A patch changes a place of the source. The word mutated in its new text stands for a condition:
// that its mutant is tried. So one binary, which is built for this test alone, holds all of them.
type patch struct {
	file     string // below the root of the repository
	old, new string // old occurs once in the file
}

// Each mutant breaks its law in its scene, where the product breaks none, or fails its test.
func TestMutants(t *testing.T) {
	found := slices.Concat(reproduced, mistakes)
	all := slices.Clone(found)
	for _, u := range unseen {
		all = append(all, mutant{name: u.name, patches: u.patches})
	}
	overlay := mutantSource(t, all)
	explorer, core := buildTest(t, "./internal/explore", "-overlay", overlay), buildTest(t, ".", "-overlay", overlay)
	for i, m := range found {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if out, err := m.explore(t, explorer, 0); err != nil {
				t.Errorf("%s breaks a law without the defect: %v\n%s", m.scene, err, out)
			}
			out, err := m.explore(t, explorer, i+1)
			if err == nil || !strings.Contains(out, " breaks "+m.law+": ") {
				t.Errorf("not found: no finding names %s in %s\n%s", m.law, m.scene, out)
			}
		})
	}
	for i, u := range unseen {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			if out, err := u.test(t, core, 0); err != nil {
				t.Errorf("%s fails without the defect: %v\n%s", u.by, err, out)
			}
			if out, err := u.test(t, core, len(found)+i+1); err == nil || !strings.Contains(out, "--- FAIL: "+u.by) && !(u.hangs && strings.Contains(out, "panic: test timed out")) {
				t.Errorf("not found: %s passes\n%s", u.by, out)
			}
		})
	}
}

// mutationVar says in the environment which mutant is tried, counted from 1.
const mutationVar = "SOJOURN_MUTATION"

// explore explores the scene with the defect of that number and gives what that prints.
func (m mutant) explore(t *testing.T, binary string, number int) (string, error) {
	return mutated(t, number, ".", binary, "-test.run=^TestExplore$", "-test.v", "-explore.scene="+m.scene, fmt.Sprintf("-explore.faults=%d", m.faults))
}

// mutated runs a binary with the defect of that number; 0 is none.
func mutated(t *testing.T, number int, dir, binary string, args ...string) (string, error) {
	run := exec.CommandContext(t.Context(), binary, args...)
	run.Dir = dir
	run.Env = append(os.Environ(), fmt.Sprintf("%s=%d", mutationVar, number))
	out, err := run.CombinedOutput()
	return string(out), err
}

// top gives the root of the repository.
func top(t *testing.T) string {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// mutantSource lays the patches of all mutants over the source and gives the file that says so; see
// go help build.
func mutantSource(t *testing.T, mutants []mutant) (overlay string) {
	root, dir := top(t), t.TempDir()
	over := map[string]string{}
	add := func(file, text string) {
		name := filepath.Join(dir, fmt.Sprintf("%d.go", len(over)))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		over[filepath.Join(root, filepath.FromSlash(file))] = name
	}
	for file, text := range patched(t, root, mutants) {
		add(file, text)
	}
	add("mutation.go", "package sojourn\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\nvar mutation, _ = strconv.Atoi(os.Getenv(\""+mutationVar+"\"))\n")
	list, err := json.Marshal(map[string]any{"Replace": over})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// buildTest builds the test of a package of this module, without the race detector.
func buildTest(t *testing.T, dir string, flags ...string) (binary string) {
	binary = filepath.Join(t.TempDir(), "explore.test")
	build := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"test", "-c", "-race=false", "-o", binary}, flags, []string{dir})...)
	build.Dir = top(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the test of %s does not build: %v\n%s", dir, err, out)
	}
	return binary
}

// patched gives the text of each file that mutants change.
func patched(t *testing.T, root string, mutants []mutant) map[string]string {
	type edit struct {
		from, to int
		text     string
	}
	sources, edits := map[string]string{}, map[string][]edit{}
	for i, m := range mutants {
		for _, p := range m.patches {
			if sources[p.file] == "" {
				b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.file)))
				if err != nil {
					t.Fatal(err)
				}
				sources[p.file] = string(b)
			}
			if n := strings.Count(sources[p.file], p.old); n != 1 {
				t.Errorf("%s: the patch does not apply: %s holds its old text %d times:\n%s", m.name, p.file, n, p.old)
				continue
			}
			from := strings.Index(sources[p.file], p.old)
			edits[p.file] = append(edits[p.file], edit{from, from + len(p.old), strings.ReplaceAll(p.new, "mutated", fmt.Sprintf("(mutation == %d)", i+1))})
		}
	}
	for file, list := range edits {
		slices.SortFunc(list, func(a, b edit) int { return b.from - a.from })
		end := len(sources[file])
		for _, e := range list {
			if e.to > end {
				t.Fatalf("two patches overlap in %s, at %q", file, e.text)
			}
			sources[file] = sources[file][:e.from] + e.text + sources[file][e.to:]
			end = e.from
		}
	}
	return sources
}
