// Command servers brings up the real servers that the tests need, and takes them down again.
//
//	servers install [--only NAMES]                install what is missing
//	servers run [--only NAMES] -- COMMAND ...     bring all up, run the command, take all down
//	servers up [--only NAMES]                     bring all up, print export lines, wait for Ctrl-C
//
// NAMES are separated by commas. The environment variable SKIP names servers that are left out; any
// other that cannot be had is an error. An address that the environment gives already
// (SOJOURN_REDIS and so on, see docs/servers.md) is used as it is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/install"
	"github.com/sojourn-go/sojourn/servers/internal/programs"
	"github.com/sojourn-go/sojourn/servers/internal/progress"
	"github.com/sojourn-go/sojourn/servers/internal/system"
)

const usage = `usage: servers install [--only NAMES]
       servers run [--only NAMES] -- COMMAND [ARGUMENT ...]
       servers up [--only NAMES]
The names are %s, or the first word of one for its variants too.
SKIP=NAMES in the environment leaves some out.
`

func main() {
	code, err := command(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func command(args []string) (code int, err error) {
	flags := flag.NewFlagSet("servers", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprintf(os.Stderr, usage, allNames()) }
	only := flags.String("only", "", "the servers, separated by commas (default: all)")
	if len(args) == 0 {
		flags.Usage()
		return 2, nil
	}
	if err := flags.Parse(args[1:]); err != nil {
		return 2, nil // it has printed why
	}
	if err := system.Check(); err != nil {
		return 1, err
	}
	wanted, skipped, err := selected(*only, os.Getenv("SKIP"))
	if err != nil {
		return 2, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	switch args[0] {
	case "install":
		// The race detector needs a C compiler, the shop's test a browser and axe, the tests of the
		// HTTP edge proxies, and those of stores on a disk strace; that is for all modules.
		var more []programs.Program
		if *only == "" {
			more = append([]programs.Program{programs.CC, programs.Chromium, programs.Axe, programs.Strace}, programs.Proxies...)
		}
		return 0, prepare(ctx, wanted, more...)
	case "run":
		if flags.NArg() == 0 {
			flags.Usage()
			return 2, nil
		}
		return with(ctx, wanted, skipped, func(list []*running) (int, error) {
			stop() // from here signals are the command's
			return execute(flags.Args(), environment(list))
		})
	case "up":
		return with(ctx, wanted, skipped, func(list []*running) (int, error) {
			for _, line := range environment(list) {
				fmt.Println("export " + quote(line))
			}
			fmt.Fprintln(os.Stderr, "servers: all answer; Ctrl-C takes them down")
			<-ctx.Done()
			return 0, nil
		})
	}
	flags.Usage()
	return 2, nil
}

// prepare installs what the servers need. Those that only Docker can give are left to it.
func prepare(ctx context.Context, wanted []kind, more ...programs.Program) error {
	board := progress.New(os.Stderr)
	defer board.Close()
	_, start := split(wanted)
	var list []string
	for _, k := range start {
		if byDocker(ctx, k) {
			board.Printf("%s: comes from Docker, for nothing else here can give it", k.name)
			continue
		}
		list = append(list, k.name)
	}
	return install.Install(ctx, board, list, more...)
}

// with brings the servers up, does the work, and takes them down.
func with(ctx context.Context, wanted, skipped []kind, work func([]*running) (int, error)) (code int, err error) {
	if err := prepare(ctx, wanted); err != nil {
		return 1, err
	}
	f := newFleet()
	defer func() {
		if down := f.close(); down != nil {
			code, err = max(code, 1), errors.Join(err, down)
		}
	}()
	given, start := split(wanted)
	began := time.Now()
	board := progress.New(os.Stderr)
	list, err := f.up(ctx, board, start)
	board.Close()
	if err != nil {
		return 1, err
	}
	list = append(list, given...)
	table(os.Stderr, list, skipped, time.Since(began))
	for _, k := range skipped { // an address of the environment does not undo it
		list = append(list, &running{variable: k.variable})
	}
	return work(list)
}

// environment is what the tests read.
func environment(list []*running) []string {
	var env []string
	for _, r := range list {
		env = append(env, r.variable+"="+r.url)
	}
	return env
}

// table prints what runs.
func table(out io.Writer, list []*running, skipped []kind, took time.Duration) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "server\tversion\taddress\tseconds")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\n", r.name, r.version, r.addr, r.took.Seconds())
	}
	for _, k := range skipped {
		fmt.Fprintf(w, "%s\tSKIPPED\tits tests do not run\t\n", k.name)
	}
	w.Flush()
	fmt.Fprintf(out, "servers: up in %.1f s\n", took.Seconds())
}
