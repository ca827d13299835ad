// Package wire is a TCP proxy that works on bytes and knows no protocol. Tests put it between a
// program and its servers to count round trips, and to break connections at the two moments that
// matter to whoever writes: before the request arrived, and after it was carried out but before the
// answer came back.
package wire

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// A Network leads to any number of servers, each through a proxy of its own on a loopback port. Its
// faults hold for all of them. All methods are safe for concurrent use.
type Network struct {
	turns atomic.Int64 // replies that followed a request

	mu      sync.Mutex
	closed  bool
	refuse  bool
	proxies map[string]*proxy // by the server's address
	conns   map[*conn]bool
	cut     *Cut          // armed, nil if none
	fired   chan struct{} // closed when the armed cut struck
	flows   chan struct{} // closed unless the network stalls
	done    sync.WaitGroup
}

// New returns a network without faults. Close it.
func New() *Network {
	flows := make(chan struct{})
	close(flows)
	return &Network{proxies: map[string]*proxy{}, conns: map[*conn]bool{}, flows: flows}
}

// A proxy listens on one port and leads to one server.
type proxy struct {
	net    *Network
	target string
	lis    net.Listener
}

// errClosed is the answer of a network after Close.
var errClosed = errors.New("wire: network is closed")

// Through returns the loopback address that leads to the server at addr ("host:port").
func (n *Network) Through(addr string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return "", errClosed
	}
	if p := n.proxies[addr]; p != nil {
		return p.lis.Addr().String(), nil
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p := &proxy{n, addr, lis}
	n.proxies[addr] = p
	n.done.Go(p.serve)
	return lis.Addr().String(), nil
}

// Dial connects to addr through its proxy. It is for drivers that learn their servers' addresses
// from other servers, and take a dial function.
func (n *Network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	via, err := n.Through(addr)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network, via)
}

// Close ends all connections and waits for the proxies' goroutines.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	for _, p := range n.proxies {
		p.lis.Close()
	}
	n.mu.Unlock()
	n.Flow()
	n.CutAll()
	n.done.Wait()
	return nil
}

// Turns returns how often a server answered after a client had spoken, on all connections since the
// network began: the round trips, as long as requests come one after the other.
func (n *Network) Turns() int { return int(n.turns.Load()) }

// Conns returns how many connections are open.
func (n *Network) Conns() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

// serve accepts until the network is closed.
func (p *proxy) serve() {
	for {
		client, err := p.lis.Accept()
		if err != nil {
			return
		}
		p.net.done.Go(func() { p.handle(client.(*net.TCPConn)) })
	}
}

func (p *proxy) handle(client *net.TCPConn) {
	n := p.net
	n.mu.Lock()
	refuse := n.refuse || n.closed
	n.mu.Unlock()
	if refuse {
		reset(client)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	c := &conn{net: n, client: client, server: server.(*net.TCPConn)}
	if !n.enter(c) {
		c.kill()
		return
	}
	var both sync.WaitGroup
	both.Go(c.requests)
	both.Go(c.replies)
	both.Wait()
	c.client.Close()
	c.server.Close()
	n.mu.Lock()
	delete(n.conns, c)
	n.mu.Unlock()
}

// enter notes a new connection, unless the network was closed meanwhile.
func (n *Network) enter(c *conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.conns[c] = true
	return true
}

// Mentions is a [Cut.Match] that takes requests in which the bytes stand, as they are or in
// hexadecimal.
func Mentions(b []byte) func([]byte) bool {
	lower := hexOf(b)
	upper := bytes.ToUpper(lower)
	return func(request []byte) bool {
		return bytes.Contains(request, b) || bytes.Contains(request, lower) || bytes.Contains(request, upper)
	}
}
