// Command repocheck checks what the compiler and the usual linters cannot know about this
// repository: which room may import which, what every module must have, and that the README's code
// is code that compiles.
//
// Usage: repocheck [-fix] [directory]. It prints one finding a line and exits with 1 if there is
// any. With -fix it first writes the lists of tests in docs/promises.md anew, and wraps comments
// and pages.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/sojourn-go/sojourn/tools/repocheck/rules"
)

func main() {
	fix := flag.Bool("fix", false, "write the lists of tests in docs/promises.md, and wrap comments and pages")
	flag.Parse()
	root := "."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}
	repo, err := rules.Load(root)
	if err == nil && *fix {
		if err = rules.Fix(repo); err == nil {
			repo, err = rules.Load(root)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "repocheck:", err)
		os.Exit(2)
	}
	found := 0
	for _, rule := range rules.All {
		for _, f := range rule.Check(repo) {
			fmt.Printf("%s: %s (%s)\n", f.Where, f.Text, rule.Name)
			found++
		}
	}
	if found > 0 {
		fmt.Fprintf(os.Stderr, "repocheck: %d findings in %d Go files\n", found, len(repo.Files))
		os.Exit(1)
	}
	fmt.Printf("repocheck: %d rules hold in %d Go files of %d modules\n", len(rules.All), len(repo.Files), len(repo.Modules))
}
