package wire_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/wire"
)

// server answers each line with a line, and remembers what it was asked.
type server struct {
	lis net.Listener
	mu  sync.Mutex
	got []string
	eof int // connections whose client said that it will send no more
}

func serve(t *testing.T) *server {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{lis: lis}
	t.Cleanup(func() { lis.Close() })
	go func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			go s.talk(c)
		}
	}()
	return s
}

func (s *server) talk(c net.Conn) {
	defer c.Close()
	in := bufio.NewScanner(c)
	for in.Scan() {
		s.mu.Lock()
		s.got = append(s.got, in.Text())
		s.mu.Unlock()
		fmt.Fprintf(c, "did %s\n", in.Text())
	}
	if in.Err() == nil {
		s.mu.Lock()
		s.eof++
		s.mu.Unlock()
	}
}

func (s *server) heard(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.got {
		if g == line {
			return true
		}
	}
	return false
}

func (s *server) eofs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.eof
}

type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, n *wire.Network, s *server) *client {
	t.Helper()
	c, err := n.Dial(t.Context(), "tcp", s.lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := c.in.ReadString('\n')
	return strings.TrimSpace(answer), err
}

func (c *client) want(line string) {
	c.t.Helper()
	if got, err := c.ask(line); err != nil || got != "did "+line {
		c.t.Fatalf("%s: got %q, %v", line, got, err)
	}
}

func network(t *testing.T) *wire.Network {
	n := wire.New()
	t.Cleanup(func() { n.Close() })
	return n
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never came: " + what)
		}
	}
}

func TestTurnsCountRoundTrips(t *testing.T) {
	n, s := network(t), serve(t)
	a, b := dial(t, n, s), dial(t, n, s)
	for i := range 5 {
		a.want(fmt.Sprint("a", i))
		b.want(fmt.Sprint("b", i))
	}
	if n.Turns() != 10 {
		t.Errorf("%d turns, want 10", n.Turns())
	}
	// Two requests that go out together are one turn.
	fmt.Fprint(a, "x\ny\n")
	for range 2 {
		if _, err := a.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if turns := n.Turns(); turns != 11 { // the second answer follows no question
		t.Errorf("%d turns after a pipeline, want 11", turns)
	}
}

func TestCutBefore(t *testing.T) {
	n, s := network(t), serve(t)
	c, other := dial(t, n, s), dial(t, n, s)
	fired := n.Arm(wire.Cut{When: wire.Before, Match: wire.Mentions([]byte("pay"))})
	c.want("look")
	if got, err := c.ask("pay"); err == nil {
		t.Fatalf("answered %q", got)
	}
	<-fired
	other.want("pay2") // the cut strikes once
	if s.heard("pay") {
		t.Error("the server was asked")
	}
	dial(t, n, s).want("pay3")
}

func TestCutAfter(t *testing.T) {
	n, s := network(t), serve(t)
	c := dial(t, n, s)
	fired := n.Arm(wire.Cut{When: wire.After, Skip: 1})
	c.want("one")
	if got, err := c.ask("two"); err == nil {
		t.Fatalf("answered %q", got)
	}
	<-fired
	if !s.heard("two") {
		t.Error("the server was not asked")
	}
	if n.Turns() != 2 {
		t.Errorf("%d turns, want 2: the withheld answer counts", n.Turns())
	}
}

func TestDisarm(t *testing.T) {
	n, s := network(t), serve(t)
	n.Arm(wire.Cut{When: wire.Before})
	n.Disarm()
	dial(t, n, s).want("one")
}

func TestStallHoldsAndLosesNothing(t *testing.T) {
	n, s := network(t), serve(t)
	c := dial(t, n, s)
	c.want("one")
	n.Stall()
	n.Stall()
	fmt.Fprintln(c, "two")
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var late net.Error
	if _, err := c.in.ReadByte(); !errors.As(err, &late) || !late.Timeout() {
		t.Fatalf("during the stall: %v", err)
	}
	if s.heard("two") {
		t.Error("a byte got through")
	}
	n.Flow()
	c.SetReadDeadline(time.Time{})
	if got, err := c.in.ReadString('\n'); err != nil || got != "did two\n" {
		t.Fatalf("after the stall: %q, %v", got, err)
	}
}

func TestRefuseAndCutAll(t *testing.T) {
	n, s := network(t), serve(t)
	c := dial(t, n, s)
	c.want("one")
	n.Refuse(true)
	c.want("two")
	unanswered(t, n, s)
	n.CutAll()
	if got, err := c.ask("four"); err == nil {
		t.Errorf("a cut connection answered %q", got)
	}
	eventually(t, "no connection left", func() bool { return n.Conns() == 0 })
	n.Refuse(false)
	dial(t, n, s).want("five")
}

func TestHalfClose(t *testing.T) {
	n, s := network(t), serve(t)
	c := dial(t, n, s)
	c.want("one")
	n.HalfClose(wire.Client)
	if _, err := c.in.ReadByte(); err != io.EOF {
		t.Errorf("client reads %v, want EOF", err)
	}
	fmt.Fprintln(c, "two")
	eventually(t, "the other direction still works", func() bool { return s.heard("two") })

	d := dial(t, n, s)
	d.want("three")
	before := s.eofs()
	n.HalfClose(wire.Server)
	eventually(t, "the server sees the end", func() bool { return s.eofs() > before })
}

func TestDeadServer(t *testing.T) {
	n, s := network(t), serve(t)
	s.lis.Close()
	unanswered(t, n, s)
}

// unanswered makes a connection and wants it reset, during the dial or after it.
func unanswered(t *testing.T, n *wire.Network, s *server) {
	t.Helper()
	conn, err := n.Dial(t.Context(), "tcp", s.lis.Addr().String())
	if err != nil {
		return
	}
	defer conn.Close()
	c := client{t, conn, bufio.NewReader(conn)}
	if got, err := c.ask("anyone?"); err == nil {
		t.Errorf("nobody answered %q", got)
	}
}

func TestClosedNetwork(t *testing.T) {
	n, s := wire.New(), serve(t)
	c := dial(t, n, s)
	c.want("one")
	n.Stall()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ask("two"); err == nil {
		t.Error("answered after Close")
	}
	if _, err := n.Through("127.0.0.1:1"); err == nil {
		t.Error("a closed network leads somewhere")
	}
}

func TestMentions(t *testing.T) {
	m := wire.Mentions([]byte{0x0a, 0xbc})
	for s, want := range map[string]bool{"x\x0a\xbcy": true, "..0abc": true, "0ABC": true, "\x0a": false, "0ab": false} {
		if m([]byte(s)) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
