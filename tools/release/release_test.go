package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/tools/modules"
)

// A clone is a small repository with a core, a store and a private module.
type clone struct {
	t    *testing.T
	root string
}

func newClone(t *testing.T) clone {
	t.Helper()
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "Ada")
		t.Setenv("GIT_"+who+"_EMAIL", "ada@example.com")
	}
	c := clone{t, t.TempDir()}
	c.write("go.work", "go 1.26\n\nuse (\n\t.\n\t./store1\n\t./tools\n)\n")
	c.write("go.mod", "module "+modules.Core+"\n\ngo 1.26\n")
	c.write("core.go", "// Package sojourn is the core.\npackage sojourn\n\n// Answer answers.\nfunc Answer() int { return 42 }\n")
	for _, dir := range []string{"store1", "tools"} {
		c.write(dir+"/go.mod", "module "+modules.Core+"/"+dir+"\n\ngo 1.26\n\nrequire "+modules.Core+" v0.0.0\n\nreplace "+modules.Core+" => ../\n")
		c.write(dir+"/x.go", "package "+dir+"\n\nimport \""+modules.Core+"\"\n\nfunc Open() int { return sojourn.Answer() }\n")
	}
	c.write("LICENSE", "Free.\n")
	c.write("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-28\n\n- All of it.\n")
	c.git("init", "--quiet", "--initial-branch=main")
	c.commit()
	return c
}

func (c clone) write(name, text string) {
	c.t.Helper()
	name = filepath.Join(c.root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		c.t.Fatal(err)
	}
}

func (c clone) git(args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir = c.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c clone) commit() { c.git("add", "-A"); c.git("commit", "--quiet", "-m", "change") }

// change gives the version a section of the changelog, and the store other code.
func (c clone) change(version, code string) {
	c.write("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n## ["+version+"] - 2026-11-29\n\n- More.\n")
	c.write("store1/x.go", "package store1\n\nimport \""+modules.Core+"\"\n\n"+code)
	c.commit()
}

func (c clone) release(version string, dry bool) (string, error) {
	var out bytes.Buffer
	err := release(c.t.Context(), c.root, version, dry, &out)
	return out.String(), err
}

// released releases the version, which must work.
func (c clone) released(version string) {
	c.t.Helper()
	if out, err := c.release(version, false); err != nil {
		c.t.Fatalf("%s: %v\n%s", version, err, out)
	}
}

// refused fails unless the release is refused in these words, and makes no tag.
func (c clone) refused(version string, words ...string) {
	c.t.Helper()
	tags := c.git("tag")
	out, err := c.release(version, false)
	for _, want := range words {
		if err == nil || !strings.Contains(out+err.Error(), want) {
			c.t.Errorf("%s: %v, want %q\n%s", version, err, want, out)
		}
	}
	if now := c.git("tag"); now != tags {
		c.t.Errorf("%s was refused and left the tags %q", version, now)
	}
}

// A release is a commit beside main whose modules need no replace line, and tags of all of them.
func TestRelease(t *testing.T) {
	c := newClone(t)
	head := c.git("rev-parse", "HEAD")
	if out, err := c.release("v0.1.0", true); err != nil || c.git("tag") != "" {
		t.Fatalf("dry: %v, tags %q\n%s", err, c.git("tag"), out)
	}
	c.released("v0.1.0")
	if got := c.git("tag"); got != "store1/v0.1.0\nv0.1.0" {
		t.Errorf("tags %q", got)
	}
	if now, parent := c.git("rev-parse", "HEAD"), c.git("rev-parse", "store1/v0.1.0^{commit}^"); now != head || parent != head {
		t.Errorf("main was at %s and is at %s; the release stands on %s", head, now, parent)
	}
	if changed := c.git("status", "--porcelain"); changed != "" {
		t.Errorf("the working tree: %s", changed)
	}
	if got, want := c.git("show", "v0.1.0:store1/go.mod"), "module "+modules.Core+"/store1\n\ngo 1.26\n\nrequire "+modules.Core+" v0.1.0"; got != want {
		t.Errorf("store1/go.mod is\n%s\nwant\n%s", got, want)
	}
	if sum := c.git("show", "v0.1.0:store1/go.sum"); strings.Count(sum, modules.Core+" v0.1.0") != 2 || strings.Count(sum, "h1:") != 2 {
		t.Errorf("store1/go.sum is\n%s", sum)
	}
	if got := c.git("show", "v0.1.0:tools/go.mod"); !strings.Contains(got, modules.Core+" v0.1.0") || !strings.Contains(got, "=>") {
		t.Errorf("tools/go.mod is\n%s", got)
	}
}

// What others rely on may go with the right step only.
func TestStepsAndAPI(t *testing.T) {
	c := newClone(t)
	c.released("v0.1.0")
	c.change("0.1.1", "func Open() int { return sojourn.Answer() + 1 }\n")
	c.released("v0.1.1")
	c.change("0.1.2", "func Open() int { return sojourn.Answer() }\n\nfunc More() {}\n")
	c.refused("v0.1.2", "1 things were added", "More: added")
	c.change("0.1.2", "func Open(path string) int { return sojourn.Answer() }\n")
	c.refused("v0.1.2", "1 of its changes since v0.1.1 do", "Open: changed")
	var out bytes.Buffer
	if err := listAPI(t.Context(), c.root, &out); err != nil || !strings.Contains(out.String(), "store1: Open: changed") {
		t.Errorf("the list: %v\n%s", err, out.String())
	}
	c.change("0.2.0", "func Open(path string) int { return sojourn.Answer() }\n")
	c.released("v0.2.0")
	c.change("1.0.0", "func Open(path string) int { return sojourn.Answer() }\n")
	c.released("v1.0.0")
	c.change("1.1.0", "func Open() int { return sojourn.Answer() }\n")
	c.refused("v1.1.0", "v1.1.0 may break nothing")
}

// What is not ready is refused, in words that say what to do.
func TestNotReady(t *testing.T) {
	c := newClone(t)
	c.refused("0.1.0", "no version such as")
	c.refused("v0.1", "no version such as")
	c.refused("v1.0.0", "the first release is v0.1.0")
	c.write("new.go", "package sojourn\n")
	c.refused("v0.1.0", "commit or remove", "new.go")
	c.commit()
	const head = "# Changelog\n\n## [Unreleased]\n\n"
	for text, want := range map[string]string{
		head: "no section",
		head + "- Waits.\n\n## [0.1.0] - 2026-11-28\n\n- Old.\n": "entries wait",
		head + "## [0.1.0]\n\n- Undated.\n":                      "no date",
		head + "## [0.1.0] - 2026-11-28\n":                       "no entries",
	} {
		c.write("CHANGELOG.md", text)
		c.commit()
		c.refused("v0.1.0", want)
	}
	c.write("CHANGELOG.md", head+"## [0.1.0] - 2026-11-28\n\n- All of it.\n")
	c.write("store1/go.mod", "module "+modules.Core+"/store1\n\ngo 1.26\n\nrequire "+modules.Core+" v0.0.0\n\nreplace "+modules.Core+" => ../\n\nexclude "+modules.Core+" v0.0.9\n")
	c.commit()
	c.refused("v0.1.0", "store1/go.mod: an exclude line")
	c.write("store1/go.mod", "module "+modules.Core+"/store1\n\ngo 1.26\n\nrequire (\n\t"+modules.Core+" v0.0.0\n\t"+modules.Core+"/tools v0.0.0\n)\n\nreplace "+modules.Core+" => ../\n")
	c.commit()
	c.refused("v0.1.0", "tools, which is not published")
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		tags, version string
		want          step
		words         string
	}{
		{"", "v0.1.0", major, ""},
		{"", "v0.1.0-rc.1", major, ""},
		{"v0.1.0-rc.1", "v0.1.0-rc.1", 0, "does not come after"},
		{"v0.1.0-rc.1", "v0.1.0", major, ""},
		{"v0.1.0", "v0.1.1", patch, ""},
		{"v0.1.0", "v0.1.2", 0, "v0.1.1, v0.2.0, v1.0.0"},
		{"v0.1.0", "v0.2.0", major, ""},
		{"v0.1.0", "v0.0.9", 0, "does not come after"},
		{"v0.1.0 v0.2.0-rc.1", "v0.1.1", 0, "does not come after"},
		{"v0.1.0", "v1.0.0", major, ""},
		{"v1.2.3", "v1.2.4", patch, ""},
		{"v1.2.3", "v1.3.0", minor, ""},
		{"v1.2.3", "v2.0.0", 0, "/v2"},
		{"v1.2.3", "v1.2.4+build", 0, "no version such as"},
	} {
		got, err := next(strings.Fields(c.tags), c.version)
		if c.words == "" && (err != nil || got != c.want) || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s after %s: %v, %v, want %v, %q", c.version, c.tags, got, err, c.want, c.words)
		}
	}
}
