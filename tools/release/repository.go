package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// A repository is the one that is released.
type repository struct {
	root, scratch string
	tags          []string // the releases of the core, and so of all, from the first to the last
}

func open(ctx context.Context, root string) (*repository, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	r := &repository{root: root}
	list, err := r.command(ctx, root, nil, "git", "tag", "--list", "v*")
	if err != nil {
		return nil, err
	}
	for _, tag := range strings.Fields(list) {
		if semver.IsValid(tag) {
			r.tags = append(r.tags, tag)
		}
	}
	semver.Sort(r.tags)
	r.scratch, err = os.MkdirTemp("", "release-")
	return r, err
}

func (r *repository) close() { os.RemoveAll(r.scratch) }

// in is a path in the folder that is removed in the end.
func (r *repository) in(name string) string {
	return filepath.Join(r.scratch, filepath.FromSlash(name))
}

// command runs a program and gives what it prints; its error holds what it says.
func (r *repository) command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// clean fails where something is not committed: the tags would stand for what nobody else has.
func (r *repository) clean(ctx context.Context) error {
	changed, err := r.command(ctx, r.root, nil, "git", "status", "--porcelain")
	if err == nil && changed != "" {
		err = fmt.Errorf("commit or remove these first:\n%s", changed)
	}
	return err
}

var section = regexp.MustCompile(`(?m)^## \[(.+?)\](.*)$`)

// changelog fails unless CHANGELOG.md has a dated section of the version, with entries, and none
// waits under Unreleased.
func (r *repository) changelog(version string) error {
	text, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(version, "v")
	found := false
	heads := section.FindAllSubmatchIndex(text, -1)
	for i, at := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		title, date, body := string(text[at[2]:at[3]]), string(text[at[4]:at[5]]), bytes.TrimSpace(text[at[1]:end])
		switch {
		case title == "Unreleased" && len(body) > 0:
			return fmt.Errorf("CHANGELOG.md: entries wait under [Unreleased]: put them under \"## [%s] - DATE\"", name)
		case title == name && (len(body) == 0 || !regexp.MustCompile(`^ - \d{4}-\d\d-\d\d$`).MatchString(date)):
			return fmt.Errorf("CHANGELOG.md: the section of %s has no entries, or no date: \"## [%s] - 2006-01-02\"", version, name)
		case title == name:
			found = true
		}
	}
	if !found {
		return fmt.Errorf("CHANGELOG.md has no section \"## [%s] - DATE\"", name)
	}
	return nil
}

// What a version may change.
type step int

const (
	patch step = iota // mends
	minor             // adds; before v1 it may break
	major             // breaks
)

// next says what step the version is after the releases so far.
func next(tags []string, version string) (step, error) {
	if semver.Canonical(version) != version {
		return 0, fmt.Errorf("%q is no version such as v0.1.0 or v0.1.0-rc.1", version)
	}
	base := strings.TrimSuffix(version, semver.Prerelease(version))
	if len(tags) == 0 {
		if base != "v0.1.0" {
			return 0, fmt.Errorf("the first release is v0.1.0, not %s", version)
		}
		return major, nil
	}
	if last := tags[len(tags)-1]; semver.Compare(version, last) <= 0 {
		return 0, fmt.Errorf("%s does not come after %s", version, last)
	}
	last := full(tags)
	if last == "" {
		last = "v0.0.0" // only v0.1.0-rc.N so far
	}
	var x, y, z int
	if _, err := fmt.Sscanf(last, "v%d.%d.%d", &x, &y, &z); err != nil {
		return 0, err
	}
	after := []string{fmt.Sprintf("v%d.%d.%d", x, y, z+1), fmt.Sprintf("v%d.%d.0", x, y+1), fmt.Sprintf("v%d.0.0", x+1)}
	i := slices.Index(after, base)
	switch {
	case i < 0:
		return 0, fmt.Errorf("after %s comes one of %s, not %s", last, strings.Join(after, ", "), version)
	case step(i) == major && x > 0:
		return 0, errors.New("from v2 on the paths of all modules end in /v2: change them first, and this command")
	case step(i) == minor && x == 0:
		return major, nil
	}
	return step(i), nil
}

// full is the last release that is no pre-release, "" if there is none.
func full(tags []string) string {
	for _, tag := range slices.Backward(tags) {
		if semver.Prerelease(tag) == "" {
			return tag
		}
	}
	return ""
}
