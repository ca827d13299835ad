package main

import (
	"context"
	"fmt"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"

	"github.com/sojourn-go/sojourn/tools/modules"
)

// compatible lists how the API of each public module differs from the last release, and fails where
// the step does not allow it.
func (r *repository) compatible(ctx context.Context, version string, s step, out io.Writer) error {
	last := full(r.tags)
	if last == "" {
		return nil
	}
	before, err := r.before(ctx, last)
	if err != nil {
		return err
	}
	changes, err := compare(ctx, before, r.root)
	if err != nil {
		return err
	}
	var breaks, adds []string
	for _, c := range changes {
		if c.breaks {
			breaks = append(breaks, c.text)
		} else {
			adds = append(adds, c.text)
		}
	}
	fmt.Fprintf(out, "since %s: %d incompatible changes, %d additions\n", last, len(breaks), len(adds))
	for _, text := range slices.Concat(breaks, adds) {
		fmt.Fprintln(out, " ", text)
	}
	switch {
	case s < major && len(breaks) > 0:
		return fmt.Errorf("%s may break nothing, and %d of its changes since %s do: see above", version, len(breaks), last)
	case s < minor && len(adds) > 0:
		return fmt.Errorf("%s is a patch, and since %s %d things were added: see above", version, last, len(adds))
	}
	return nil
}

// before checks out what the release was made of: the parent of its commit, where modules find each
// other by replace lines.
func (r *repository) before(ctx context.Context, tag string) (dir string, err error) {
	dir = r.in("before")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	commit, err := r.command(ctx, r.root, nil, "git", "rev-parse", "--verify", tag+"^{commit}^")
	if err != nil {
		return "", err
	}
	if _, err := r.command(ctx, r.scratch, nil, "git", "clone", "--quiet", "--shared", "--no-checkout", r.root, dir); err != nil {
		return "", err
	}
	_, err = r.command(ctx, dir, nil, "git", "checkout", "--quiet", "--detach", commit)
	return dir, err
}

// A change of the API.
type change struct {
	text   string
	breaks bool
}

// compare says how the public modules in one folder differ from those in another.
func compare(ctx context.Context, before, now string) ([]change, error) {
	old, err := modules.Load(before)
	if err != nil {
		return nil, err
	}
	all, err := modules.Load(now)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, m := range old {
		if !m.Public() {
			continue
		}
		if !slices.ContainsFunc(all, func(n *modules.Module) bool { return n.Path == m.Path }) {
			changes = append(changes, change{m.Path + ": the module is gone", true})
			continue
		}
		a, err := load(ctx, before, m)
		if err != nil {
			return nil, err
		}
		b, err := load(ctx, now, m)
		if err != nil {
			return nil, err
		}
		for _, c := range apidiff.ModuleChanges(a, b).Changes {
			changes = append(changes, change{m.Path + ": " + c.Message, !c.Compatible})
		}
	}
	return changes, nil
}

// load reads the types of the packages that the module's users can import.
func load(ctx context.Context, root string, m *modules.Module) (*apidiff.Module, error) {
	loaded, err := packages.Load(&packages.Config{
		Context: ctx,
		Mode:    packages.NeedName | packages.NeedTypes | packages.NeedModule,
		Dir:     filepath.Join(root, filepath.FromSlash(m.Dir)),
		Env:     append(os.Environ(), "GOWORK=off"),
	}, m.Path+"/...")
	if err != nil {
		return nil, err
	}
	mod := &apidiff.Module{Path: m.Path}
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("%s: %w", p.PkgPath, p.Errors[0])
		}
		if p.Module != nil && p.Module.Path == m.Path && p.Name != "main" && !strings.Contains(p.PkgPath+"/", "/internal/") {
			mod.Packages = append(mod.Packages, p.Types)
		}
	}
	slices.SortFunc(mod.Packages, func(a, b *types.Package) int { return strings.Compare(a.Path(), b.Path()) })
	return mod, nil
}
