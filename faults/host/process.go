package host

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/sojourn-go/sojourn/store"
)

// argument, before an engine, a folder and an address, says that this process is a host.
const argument = "host"

// Open opens the store of an engine in a folder.
type Open func(engine, dir string) (store.Store, error)

// Main is for a package's TestMain: in a process that [Start] started it serves a store and does
// not return.
func Main(open Open) {
	if len(os.Args) != 5 || os.Args[1] != argument {
		return
	}
	if err := serve(open, os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

func serve(open Open, engine, dir, addr string) error {
	s, err := open(engine, dir)
	if err != nil {
		return err
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println(lis.Addr())
	go Serve(lis, s)
	io.Copy(io.Discard, os.Stdin) // until whoever started it is no more
	return nil
}

// Process is a host over all its starts: address and files stay.
type Process struct {
	Addr        string
	engine, dir string

	mu  sync.Mutex
	cmd *exec.Cmd // nil when none runs
	in  io.Closer
}

const anyPort = "127.0.0.1:0"

// Start starts a host of the engine over the folder.
func Start(ctx context.Context, engine, dir string) (*Process, error) {
	p := &Process{Addr: anyPort, engine: engine, dir: dir}
	return p, p.Start(ctx)
}

// Start starts it again and returns when it serves.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var complaint strings.Builder
	cmd := exec.Command(os.Args[0], argument, p.engine, p.dir, p.Addr)
	cmd.Stderr = &complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("host of %s: %w", p.engine, err)
	}
	defer context.AfterFunc(ctx, func() { cmd.Process.Kill() })()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return fmt.Errorf("host of %s does not serve: %w: %s", p.engine, err, complaint.String())
	}
	if p.cmd, p.in = cmd, in; p.Addr == anyPort {
		p.Addr = strings.TrimSpace(addr)
	}
	return nil
}

// Kill ends the process with SIGKILL and returns when it is gone.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return os.ErrProcessDone
	}
	err := p.cmd.Process.Kill()
	p.cmd.Wait()
	p.in.Close()
	p.cmd = nil
	return err
}

// Close ends the process, if one runs. The files stay.
func (p *Process) Close() error {
	if err := p.Kill(); err != nil && err != os.ErrProcessDone {
		return err
	}
	return nil
}
