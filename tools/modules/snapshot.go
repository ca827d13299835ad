package modules

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// A Snapshot is a working tree as it is now, in a clone of its own: what is done to it leaves the
// tree and its repository alone.
type Snapshot struct {
	Modules []*Module // each after those that it requires
	root    string
	clone   string
}

// Take makes a snapshot of the working tree at root, with what is not committed, but not with what
// git ignores. The clone is a new folder in scratch, which the caller removes.
func Take(ctx context.Context, root, scratch string) (*Snapshot, error) {
	all, err := Load(root)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Modules: all, root: root, clone: filepath.Join(scratch, "clone")}
	if _, err := git(ctx, scratch, nil, "clone", "--quiet", "--shared", "--no-checkout", root, s.clone); err != nil {
		return nil, err
	}
	if _, err := s.git(ctx, nil, "--work-tree="+root, "add", "--all"); err != nil {
		return nil, err
	}
	return s, nil
}

// Tree is the hash of what the snapshot holds.
func (s *Snapshot) Tree(ctx context.Context) (string, error) { return s.git(ctx, nil, "write-tree") }

// Publish turns every module into its form of the version, and puts the public ones into the folder
// proxy, in the layout that GOPROXY=file://… reads. It fails where one could not be installed.
func (s *Snapshot) Publish(ctx context.Context, version, proxy string) error {
	sums := map[string]string{} // the lines of go.sum for each module of ours that is done
	for _, m := range s.Modules {
		mod, err := m.rewrite(version)
		if err != nil {
			return err
		}
		if m.Public() {
			if err := m.check(mod, version, s.Modules); err != nil {
				return err
			}
		}
		if err := s.write(ctx, m.file("go.mod"), mod); err != nil {
			return err
		}
		if err := s.writeSum(ctx, m, sums); err != nil {
			return err
		}
		if !m.Public() {
			continue
		}
		if sums[m.Path], err = s.archive(ctx, module.Version{Path: m.Path, Version: version}, m.Dir, mod, proxy); err != nil {
			return err
		}
	}
	return nil
}

// writeSum adds what the module requires of ours to its go.sum.
func (s *Snapshot) writeSum(ctx context.Context, m *Module, sums map[string]string) error {
	var lines []string
	if !m.Public() {
		return nil // its replace lines need no sums
	}
	old, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(m.file("go.sum"))))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for line := range strings.Lines(string(old)) {
		if p, _, _ := strings.Cut(line, " "); !ours(p) {
			lines = append(lines, line)
		}
	}
	for _, r := range m.mod.Require {
		lines = append(lines, slices.Collect(strings.Lines(sums[r.Mod.Path]))...)
	}
	if len(lines) == 0 {
		return nil
	}
	return s.write(ctx, m.file("go.sum"), []byte(strings.Join(sorted(lines), "")))
}

// sorted puts the lines of a go.sum into the order that go mod tidy gives them: versions by their
// meaning, so that v1.9.0 stands before v1.10.0.
func sorted(lines []string) []string {
	var order []module.Version
	of := map[module.Version]string{}
	for _, line := range lines {
		f := strings.Fields(line)
		v := module.Version{Path: f[0], Version: f[1]}
		order = append(order, v)
		of[v] = line
	}
	module.Sort(order)
	for i, v := range order {
		lines[i] = of[v]
	}
	return lines
}

// archive writes the module's files of the proxy, and gives its lines of go.sum.
func (s *Snapshot) archive(ctx context.Context, v module.Version, dir string, mod []byte, proxy string) (string, error) {
	escaped, err := module.EscapePath(v.Path)
	if err != nil {
		return "", err
	}
	tree, err := s.Tree(ctx)
	if err != nil {
		return "", err
	}
	var archive bytes.Buffer
	if err := zip.CreateFromVCS(&archive, v, s.clone, tree, dir); err != nil {
		return "", err
	}
	at := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(at, 0o777); err != nil {
		return "", err
	}
	for name, text := range map[string][]byte{
		"list":              []byte(v.Version + "\n"),
		v.Version + ".info": fmt.Appendf(nil, "{\"Version\":%q,\"Time\":%q}\n", v.Version, time.Now().UTC().Format(time.RFC3339)),
		v.Version + ".mod":  mod,
		v.Version + ".zip":  archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(at, name), text, 0o666); err != nil {
			return "", err
		}
	}
	whole, err := dirhash.HashZip(filepath.Join(at, v.Version+".zip"), dirhash.Hash1)
	if err != nil {
		return "", err
	}
	alone, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(mod)), nil })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", v.Path, v.Version, whole, v.Path, v.Version, alone), nil
}

// Commit makes a commit of the snapshot on top of the working tree's last one, tags it for every
// public module, and brings the tags, and nothing else, into the working tree's repository.
func (s *Snapshot) Commit(ctx context.Context, version string) (tags []string, err error) {
	tree, err := s.Tree(ctx)
	if err != nil {
		return nil, err
	}
	commit, err := s.git(ctx, nil, "commit-tree", tree, "-p", "HEAD", "-m", "Release "+version+"\n\nNot on the line of main: every go.mod has real versions, and public ones no\nreplace line.")
	if err != nil {
		return nil, err
	}
	fetch := []string{"fetch", "--quiet", "--no-tags", s.clone}
	for _, m := range s.Modules {
		if !m.Public() {
			continue
		}
		tag := m.Tag(version)
		if _, err := s.git(ctx, nil, "tag", "-a", "-m", m.Path+" "+version, tag, commit); err != nil {
			return nil, err
		}
		tags = append(tags, tag)
		fetch = append(fetch, "refs/tags/"+tag+":refs/tags/"+tag)
	}
	_, err = git(ctx, s.root, nil, fetch...)
	return tags, err
}

// Checkout writes the snapshot's files into a new folder.
func (s *Snapshot) Checkout(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	_, err := s.git(ctx, nil, "--work-tree="+dir, "checkout-index", "--all")
	return err
}

// write puts a file into the snapshot.
func (s *Snapshot) write(ctx context.Context, name string, text []byte) error {
	hash, err := s.git(ctx, text, "hash-object", "-w", "--stdin")
	if err != nil {
		return err
	}
	_, err = s.git(ctx, nil, "update-index", "--add", "--cacheinfo", "100644,"+hash+","+name)
	return err
}

func (s *Snapshot) git(ctx context.Context, stdin []byte, args ...string) (string, error) {
	return git(ctx, s.clone, stdin, append([]string{"--git-dir=" + filepath.Join(s.clone, ".git")}, args...)...)
}

// git runs git in a folder and gives what it prints, without the space around it.
func git(ctx context.Context, dir string, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(stdin)
	// A clone may belong to another user, in containers and CI.
	cmd.Env = append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}
