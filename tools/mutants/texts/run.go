package texts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Verdict is what became of a mutant.
type Verdict string

const (
	Killed     Verdict = "killed"     // a test failed
	Alive      Verdict = "alive"      // all passed
	Equivalent Verdict = "equivalent" // listed as such, and not run
	Stillborn  Verdict = "stillborn"  // no engine takes the text
)

// A Result is a mutant with its verdict.
type Result struct {
	ID
	Line    int
	What    string
	Verdict Verdict
	By      string `json:",omitempty"` // the first test that failed, or why it is equivalent
}

// A Runner runs mutants.
type Runner struct {
	Root     string        // of the repository
	Parallel int           // how many at once: tests on servers mostly wait
	Patience time.Duration // for one run of a package's tests; what takes longer counts as failed
	Done     func(Result)  // is called for each that is done, by one goroutine at a time
}

// Run runs mutants of a target until they are all done, or the context is. Tests of the unchanged
// text must pass first. Those that equal names, by [ID.String], are not run.
func (r *Runner) Run(ctx context.Context, t *Target, mutants []Mutant, equal map[string]string) error {
	dir, err := os.MkdirTemp("", "texts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, tests := range t.Tests {
		program := filepath.Join(dir, tests.program())
		if failed, err := r.build(ctx, tests, "", program); err != nil || failed != "" {
			return fmt.Errorf("texts: the unchanged %s: %w %s", t.Name, err, failed)
		}
		if by, out, err := r.test(ctx, t, 0, tests, program); err != nil {
			return err
		} else if by != "" {
			return fmt.Errorf("texts: the unchanged %s fails %s:\n%s", t.Name, by, out)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	slots := make(chan int, max(r.Parallel, 1))
	for slot := range cap(slots) {
		slots <- slot
	}
	for i := range mutants {
		slot := <-slots
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { slots <- slot }()
			res, err := r.one(ctx, t, slot, &mutants[i], equal, filepath.Join(dir, fmt.Sprint(i)))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			r.Done(res)
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

// one runs a mutant, in a folder of its own.
func (r *Runner) one(ctx context.Context, t *Target, slot int, m *Mutant, equal map[string]string, dir string) (Result, error) {
	res := Result{ID: m.ID, Line: m.Line, What: m.What, Verdict: Alive}
	if why, ok := equal[m.ID.String()]; ok {
		res.Verdict, res.By = Equivalent, why
		return res, nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return res, err
	}
	defer os.RemoveAll(dir)
	original, err := os.ReadFile(filepath.Join(r.Root, m.File))
	if err != nil {
		return res, err
	}
	for _, tests := range t.Tests {
		program := filepath.Join(dir, tests.program())
		failed, err := r.program(ctx, m, string(original), tests, program)
		if err != nil {
			return res, err
		}
		if failed != "" {
			res.Verdict, res.By = Stillborn, "the build"
			return res, nil
		}
		by, out, err := r.twice(ctx, t, slot, tests, program)
		if err != nil {
			return res, err
		}
		if by != "" {
			res.Verdict, res.By = Killed, by
			if refused.MatchString(out) {
				res.Verdict = Stillborn
			}
			return res, nil
		}
	}
	return res, nil
}

// twice is test, and the one that fails must fail twice: on a busy machine, a test may fail for
// another reason than the mutant. One that does not is left out, and the others run.
func (r *Runner) twice(ctx context.Context, t *Target, slot int, tests Tests, program string) (by, output string, err error) {
	for {
		by, output, err = r.test(ctx, t, slot, tests, program)
		if err != nil || by == "" || !strings.HasPrefix(by, "Test") {
			return by, output, err
		}
		again, out, err := r.test(ctx, t, slot, Tests{tests.Dir, alone(by), ""}, program)
		if err != nil || again != "" {
			return by, output + out, err
		}
		tests.Skip = strings.Trim(tests.Skip+"|"+alone(by), "|")
	}
}

// alone is the pattern of one test.
func alone(name string) string {
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
	}
	return strings.Join(parts, "/")
}

// refused is what engines say of a text that they cannot read.
var refused = regexp.MustCompile(`(?i)syntax error|error in your SQL syntax|Error compiling script|could not determine data type|SQLSTATE 42|no such column|Unknown column|no viable alternative`)

// A test is told of when its parent ends, but what it prints is told at once: the kit's failures
// have a text of their own.
var (
	failure = regexp.MustCompile(`^\s*--- FAIL: (\S+)`)
	speaks  = regexp.MustCompile(`^=== \w+\s+(\S+)`)
	clause  = regexp.MustCompile(`^\s*storetest\.go:\d+: storetest: `)
)

// test runs a program of tests, and returns the first that fails, with what was printed.
func (r *Runner) test(ctx context.Context, t *Target, slot int, tests Tests, program string) (by, output string, err error) {
	env, err := t.environ(slot)
	if err != nil {
		return "", "", err
	}
	run, stop := context.WithTimeout(ctx, r.Patience)
	defer stop()
	c := exec.CommandContext(run, program, "-test.v", "-test.failfast", "-test.timeout=0", "-test.run="+tests.Run, "-test.skip="+tests.Skip)
	c.Dir, c.Env = filepath.Join(r.Root, tests.Dir), env
	pipe, err := c.StdoutPipe()
	if err != nil {
		return "", "", err
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		return "", "", err
	}
	by, output = firstFailure(pipe)
	if by != "" {
		stop() // the rest is of no interest
	}
	waited := c.Wait()
	switch {
	case by != "":
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case run.Err() != nil:
		by = "nothing in time"
	case waited != nil:
		by = waited.Error() // a panic, or a fatal error of the runtime
	}
	return by, output, nil
}

// environ is the environment without the other targets' servers, whose tests then skip. Those that
// run at once have a slot each, from 0.
func (t *Target) environ(slot int) (env []string, err error) {
	for _, v := range os.Environ() {
		name, address, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "SOJOURN_") && !slices.Contains(t.Env, name) {
			continue
		}
		if name == "SOJOURN_REDIS" && address != "" {
			if address, err = emptyRedis(address, slot); err != nil {
				return nil, err
			}
			v = name + "=" + address
		}
		env = append(env, v)
	}
	return env, nil
}

// emptyRedis empties a database of a Redis, of which it has 16, and returns its address. A walk
// over all records looks at what all other tests have left in its database.
func emptyRedis(address string, slot int) (string, error) {
	slot = 2 + slot%14 // a test has the first two for itself
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	c, err := net.DialTimeout("tcp", u.Host, 10*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(c, "SELECT %d\r\nFLUSHDB\r\nQUIT\r\n", slot)
	if b, err := io.ReadAll(c); err != nil || string(b) != "+OK\r\n+OK\r\n+OK\r\n" {
		return "", fmt.Errorf("texts: emptying a database of the Redis for tests: %q, %w", b, err)
	}
	u.Path = fmt.Sprint("/", slot)
	return u.String(), nil
}

// firstFailure reads until a test fails, and the lines that belong to it.
func firstFailure(from io.Reader) (by, output string) {
	var kept []string
	speaker := ""
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if m := speaks.FindStringSubmatch(lines.Text()); m != nil {
			speaker = m[1]
		}
		if clause.MatchString(lines.Text()) {
			by = speaker
		}
		if m := failure.FindStringSubmatch(lines.Text()); m != nil {
			by = m[1]
		}
		if kept = append(kept, lines.Text()); len(kept) > 200 {
			kept = kept[1:]
		}
		if by != "" {
			break
		}
	}
	return by, strings.Join(kept, "\n")
}
