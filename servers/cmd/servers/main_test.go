package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	library "github.com/sojourn-go/sojourn/servers"
	"github.com/sojourn-go/sojourn/servers/internal/system"
)

// The test binary is the command itself when this is set.
const asCommand = "SERVERS_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Unsetenv(asCommand)
		main()
	}
	os.Exit(m.Run())
}

// theCommand makes one, with folders for temporary files of its own, and nothing given.
func theCommand(t *testing.T, args ...string) (cmd *exec.Cmd, tmp string) {
	t.Helper()
	tmp, err := os.MkdirTemp("", "t") // a short path: there are sockets below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o755); err != nil { // PostgreSQL runs as another user
		t.Fatal(err)
	}
	cmd = exec.Command(os.Args[0], args...)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name == "SOJOURN_SERVERS_CACHE" || !strings.HasPrefix(name, "SOJOURN_") && name != "SKIP" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, asCommand+"=1", "TMPDIR="+tmp)
	return cmd, tmp
}

func run(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), log.String(), cmd.ProcessState.ExitCode()
}

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v, %v", left, err)
	}
}

func TestRunGivesAddressesAndTheExitCode(t *testing.T) {
	t.Parallel()
	cmd, tmp := theCommand(t, "run", "--only", "redis,pgbouncer", "--", "sh", "-c", "env; exit 7")
	out, log, code := run(t, cmd)
	if code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	for _, want := range []string{
		"SOJOURN_REDIS=redis://127.0.0.1:", "SOJOURN_REDIS_CLUSTER=redis-cluster://127.0.0.1:",
		"SOJOURN_REDIS_SENTINEL=redis-sentinel://127.0.0.1:", "SOJOURN_PGBOUNCER=postgres://sojourn@127.0.0.1:",
	} {
		if !strings.Contains(out, "\n"+want) {
			t.Errorf("the command did not get %s", want)
		}
	}
	if strings.Contains(out, "SOJOURN_VALKEY") {
		t.Error("a server that was not wanted has an address")
	}
	if !strings.Contains(log, "server          version") || !strings.Contains(log, "servers: up in ") {
		t.Errorf("no table:\n%s", log)
	}
	empty(t, tmp)
}

func TestSkipLeavesOut(t *testing.T) {
	t.Parallel()
	cmd, _ := theCommand(t, "run", "--only", "valkey,redis", "--", "sh", "-c", `echo "[$SOJOURN_VALKEY][$SOJOURN_REDIS_CLUSTER]"`)
	cmd.Env = append(cmd.Env, "SKIP=valkey,redis", "SOJOURN_VALKEY=redis://127.0.0.1:1")
	out, log, code := run(t, cmd)
	if code != 0 || out != "[][]\n" {
		t.Errorf("exit code %d, output %q", code, out)
	}
	if strings.Count(log, "SKIPPED") != 4 {
		t.Errorf("the table does not show what is skipped:\n%s", log)
	}
}

func TestGivenAddressIsUsed(t *testing.T) {
	t.Parallel()
	cmd, _ := theCommand(t, "run", "--only", "valkey", "--", "printenv", "SOJOURN_VALKEY")
	cmd.Env = append(cmd.Env, "SOJOURN_VALKEY=redis://there:6379", "PATH=/usr/bin:/bin")
	out, log, code := run(t, cmd)
	if code != 0 || out != "redis://there:6379\n" || !strings.Contains(log, "(given)") {
		t.Errorf("exit code %d, output %q, log:\n%s", code, out, log)
	}
}

func TestServerThatCannotBeHadFailsTheRun(t *testing.T) {
	t.Parallel()
	cmd, tmp := theCommand(t, "run", "--only", "valkey", "--", "echo", "ran")
	// Nothing is found, and nothing to install with.
	cmd.Env = append(cmd.Env, "PATH="+tmp, "SOJOURN_SERVERS_CACHE="+tmp+"/cache")
	out, log, code := run(t, cmd)
	if code == 0 || out != "" {
		t.Errorf("exit code %d, output %q", code, out)
	}
	if !strings.Contains(log, "valkey-server") {
		t.Errorf("it does not say what is missing:\n%s", log)
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"dance"}, {"run"}, {"run", "--only", "redis", "--"}, {"up", "--only", "oracle"}, {"install", "--no-such-flag"},
	} {
		cmd, _ := theCommand(t, args...)
		if _, log, code := run(t, cmd); code != 2 || log == "" {
			t.Errorf("%q: exit code %d, said %q", args, code, log)
		}
	}
}

func TestSignalsTakeAllDown(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGKILL": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The shell's child ignores the signal's way to the shell: it must go, too.
			cmd, tmp := theCommand(t, "run", "--only", "redis,pgbouncer,mariadb", "--", "sh", "-c", "sleep 1000 & echo ready; wait")
			pids := started(t, cmd)
			cmd.Process.Signal(sig)
			err := cmd.Wait()
			if want := 128 + int(sig); sig != syscall.SIGKILL && cmd.ProcessState.ExitCode() != want {
				t.Errorf("ended with %v, want exit code %d", err, want)
			}
			goneSoon(t, pids, sig == syscall.SIGKILL)
			if sig != syscall.SIGKILL {
				empty(t, tmp)
			}
		})
	}
}

func TestUpPrintsExports(t *testing.T) {
	t.Parallel()
	cmd, tmp := theCommand(t, "up", "--only", "valkey")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 200)
	n, err := pipe.Read(line)
	if err != nil || !strings.HasPrefix(string(line[:n]), "export SOJOURN_VALKEY='redis://127.0.0.1:") {
		t.Errorf("printed %q, %v", line[:n], err)
	}
	pids := descendants(cmd.Process.Pid)
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	goneSoon(t, pids, false)
	empty(t, tmp)
}

// started runs the command until it says that it is ready, and returns all its descendants.
func started(t *testing.T, cmd *exec.Cmd) []int {
	t.Helper()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	word := make([]byte, len("ready"))
	if _, err := io.ReadFull(pipe, word); err != nil {
		cmd.Wait()
		t.Fatalf("%v\n%s", err, &log)
	}
	pids := descendants(cmd.Process.Pid)
	if len(pids) < 15 {
		t.Errorf("only %d processes below the command", len(pids))
	}
	return pids
}

// goneSoon fails when one of the processes lives on. After SIGKILL the kernel ends the servers, and
// PostgreSQL's children see for themselves that their parent is gone; but the command's own
// children, of which we start only the first, may be left.
func goneSoon(t *testing.T, pids []int, killed bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var left []string
		for _, pid := range pids {
			comm, state := process(pid)
			if state != "" && state != "Z" && !(killed && comm == "sleep") {
				left = append(left, strconv.Itoa(pid)+" "+comm)
			}
			if killed && comm == "sleep" {
				system.Kill(pid, syscall.SIGKILL)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %q", left)
		}
	}
}

func process(pid int) (comm, state string) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", ""
	}
	_, after, _ := strings.Cut(string(text), "(")
	i := strings.LastIndex(after, ")")
	return after[:i], strings.Fields(after[i+1:])[0]
}

func descendants(pid int) []int {
	var list []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && len(f) > 1 && f[1] == strconv.Itoa(pid) {
			list = append(append(list, child), descendants(child)...)
		}
	}
	return list
}

// No engine runs where this was written, so a script plays the client of Docker, and the server
// behind it is one of ours: what is shown is the order of the calls and that the container is
// removed.
func TestDockerGivesWhatNothingElseCan(t *testing.T) {
	t.Parallel()
	s, err := library.Redis(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cmd, tmp := theCommand(t, "run", "--only", "valkey", "--", "/bin/sh", "-c", "echo $SOJOURN_VALKEY")
	calls := tmp + "/calls"
	script := "#!/bin/sh\necho \"$*\" >>" + calls + "\ncase $1 in version) echo 27.0;; run) echo c0ffee;; port) echo " + s.Addr + ";; esac\n"
	if err := os.WriteFile(tmp+"/docker", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "PATH="+tmp, "SOJOURN_SERVERS_CACHE="+tmp+"/cache")
	out, log, code := run(t, cmd)
	if code != 0 || out != s.URL+"\n" || !strings.Contains(log, "(docker)") {
		t.Errorf("exit code %d, output %q, log:\n%s", code, out, log)
	}
	did, _ := os.ReadFile(calls)
	for _, want := range []string{"run --detach --publish 127.0.0.1::6379 valkey/valkey:9 valkey-server --appendonly yes", "port c0ffee 6379/tcp", "rm --force --volumes c0ffee"} {
		if !strings.Contains(string(did), want) {
			t.Errorf("docker was not called with %q:\n%s", want, did)
		}
	}
}
