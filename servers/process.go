package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/system"
)

// A command is how a program is started, the same at each start.
type command struct {
	argv []string
	env  []string // beside that of this process
	user *owner   // nil: as this process
	stop syscall.Signal
}

// A process is one program of a server, over all its starts.
type process struct {
	command
	logfile string
	ready   func(context.Context) (version string, err error) // one question to the server

	mu  sync.Mutex
	cmd *exec.Cmd     // of the last start
	end chan struct{} // closed when it has ended
}

// spawner starts all children on one thread. The kernel ties "die with the parent" to the thread
// that forked, so that thread may end only with this process.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

func spawn(cmd *exec.Cmd) error {
	result := make(chan error)
	spawner() <- func() { result <- cmd.Start() }
	return <-result
}

// Harness makes the command's process die with this one, however this one ends, and starts it. The
// caller waits for it.
func Harness(cmd *exec.Cmd) error {
	system.DieWithThread(cmd)
	return spawn(cmd)
}

// build makes the command ready to start: in a group of its own, so that Ctrl-C reaches us and not
// the servers.
func (c *command) build() *exec.Cmd {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	system.OwnGroup(cmd)
	if c.user != nil {
		system.RunAs(cmd, c.user.uid, c.user.gid)
	}
	cmd.Dir = "/" // that of this process may be closed to the user
	return cmd
}

// run runs the command to its end, for preparations.
func (c *command) run(ctx context.Context) error {
	cmd := c.build()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := Harness(cmd); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { signalFamily(cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", c.argv[0], errors.Join(ctx.Err(), err), tail(out.Bytes()))
	}
	return nil
}

var errEnded = errors.New("it ended before it answered")

// start starts the program and waits until it answers. It fails when it ends before, or when the
// context is done.
func (p *process) start(ctx context.Context) (version string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive() {
		return "", errors.New("it runs already")
	}
	log, err := os.OpenFile(p.logfile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return "", err
	}
	defer log.Close()
	cmd := p.build()
	cmd.Stdout, cmd.Stderr = log, log
	if err := Harness(cmd); err != nil {
		return "", err
	}
	end := make(chan struct{})
	p.cmd, p.end = cmd, end
	go func() {
		cmd.Wait()
		close(end)
	}()
	for {
		version, err = p.ready(ctx)
		if err == nil {
			return version, nil
		}
		select {
		case <-end:
			return "", fmt.Errorf("%w: %s\n%s", errEnded, cmd.ProcessState, p.tail())
		case <-ctx.Done():
			p.kill()
			return "", fmt.Errorf("no answer: %w (the last: %w)\n%s", ctx.Err(), err, p.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// alive reports whether the last start has not ended yet; p.mu is held.
func (p *process) alive() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.end:
		return false
	default:
		return true
	}
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return 0
	}
	return p.cmd.Process.Pid
}

// signal sends the signal to the process and all its children, for a server that forks has to stop,
// go on and die as a whole.
func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return os.ErrProcessDone
	}
	signalFamily(p.cmd.Process.Pid, sig)
	return nil
}

// kill ends the process and its children and waits until they are gone; p.mu is held.
func (p *process) kill() {
	if !p.alive() {
		return
	}
	children := signalFamily(p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.end
	awaitGone(children)
}

// quit asks the process to end in good order, and kills it when it has not after the time.
func (p *process) quit(patience time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.alive() {
		return nil
	}
	children := signalFamily(p.cmd.Process.Pid, system.Resume)
	p.cmd.Process.Signal(p.stop)
	select {
	case <-p.end:
		awaitGone(children)
		return nil
	case <-time.After(patience):
		p.kill()
		return fmt.Errorf("did not stop in %v, so it was killed\n%s", patience, p.tail())
	}
}

// tail is the end of the server's log.
func (p *process) tail() string {
	log, _ := os.ReadFile(p.logfile)
	return tail(log)
}

func tail(log []byte) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	lines = lines[max(0, len(lines)-25):]
	for i, line := range lines {
		lines[i] = "    | " + line
	}
	return strings.Join(lines, "\n")
}
