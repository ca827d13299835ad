// Command release prepares a release of all public modules at one version, or lists how their API
// differs from the last one.
//
//	release [-dry] v0.1.0
//	release -api
//
// It checks, makes a commit and tags in this clone, and says how to push them; it pushes nothing.
// See docs/releasing.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/sojourn-go/sojourn/tools/modules"
)

func main() {
	dry := flag.Bool("dry", false, "check everything, and make neither commit nor tags")
	api := flag.Bool("api", false, "list how the API differs from the last release")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case *api && flag.NArg() == 0:
		err = listAPI(ctx, ".", os.Stdout)
	case !*api && flag.NArg() == 1:
		err = release(ctx, ".", flag.Arg(0), *dry, os.Stdout)
	default:
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release makes the release's commit and tags in the repository at root.
func release(ctx context.Context, root, version string, dry bool, out io.Writer) error {
	r, err := open(ctx, root)
	if err != nil {
		return err
	}
	defer r.close()
	step, err := next(r.tags, version)
	if err != nil {
		return err
	}
	if err := r.clean(ctx); err != nil {
		return err
	}
	if err := r.changelog(version); err != nil {
		return err
	}
	if err := r.compatible(ctx, version, step, out); err != nil {
		return err
	}
	snapshot, err := r.build(ctx, version, out)
	if err != nil {
		return err
	}
	if dry {
		fmt.Fprintf(out, "%s can be released: nothing was changed.\n", version)
		return nil
	}
	tags, err := snapshot.Commit(ctx, version)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is tagged. Look at it with: git show %s\nThen: git push --atomic origin %s\n", version, version, strings.Join(tags, " "))
	return nil
}

// listAPI prints how the API differs from the last release.
func listAPI(ctx context.Context, root string, out io.Writer) error {
	r, err := open(ctx, root)
	if err != nil {
		return err
	}
	defer r.close()
	if len(r.tags) == 0 {
		fmt.Fprintln(out, "no release yet: there is nothing to compare with")
		return nil
	}
	return r.compatible(ctx, "", major, out)
}

// build makes the released form of every module, and proves that it stands by itself: it builds,
// from the others' released forms, and its go.mod and go.sum are tidy.
func (r *repository) build(ctx context.Context, version string, out io.Writer) (*modules.Snapshot, error) {
	s, err := modules.Take(ctx, r.root, r.scratch)
	if err != nil {
		return nil, err
	}
	proxy := r.in("proxy")
	if err := s.Publish(ctx, version, proxy); err != nil {
		return nil, err
	}
	if err := s.Checkout(ctx, r.in("released")); err != nil {
		return nil, err
	}
	// A module cache of its own: one that is used further would keep this form of the version.
	cache, err := r.command(ctx, r.root, nil, "go", "env", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	others, err := r.command(ctx, r.root, nil, "go", "env", "GOPROXY")
	if err != nil {
		return nil, err
	}
	env := []string{"GOWORK=off", "GOFLAGS=-mod=readonly -modcacherw", "GOMODCACHE=" + r.in("mod"), "GONOSUMDB=" + modules.Core + "," + modules.Core + "/*",
		"GOPROXY=file://" + proxy + ",file://" + cache + "/cache/download," + others}
	for _, m := range s.Modules {
		if !m.Public() {
			continue
		}
		fmt.Fprintf(out, "building %s@%s\n", m.Path, version)
		for _, args := range [][]string{{"mod", "tidy", "-diff"}, {"build", "./..."}} {
			if _, err := r.command(ctx, r.in("released/"+m.Dir), env, "go", args...); err != nil {
				return nil, fmt.Errorf("%s as it would be released: %w", m.Path, err)
			}
		}
	}
	return s, nil
}
