package wire

import (
	"encoding/hex"
	"net"
)

// When says at which moment a [Cut] strikes.
type When int

const (
	// Before the request is delivered: the server never hears of it.
	Before When = iota
	// After the server has answered: it did what was asked, and the client does not learn of it.
	After
)

// A Cut breaks the connection of one request.
type Cut struct {
	When When
	// Match chooses the request by the bytes that the client sent at once. nil takes any.
	Match func(request []byte) bool
	// Skip lets so many matching requests pass.
	Skip int
}

// Arm lets the cut strike once, in place of any that was armed before. The channel is closed when
// it did.
func (n *Network) Arm(c Cut) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut, n.fired = &c, make(chan struct{})
	return n.fired
}

// Disarm takes back a cut that has not struck.
func (n *Network) Disarm() {
	n.mu.Lock()
	n.cut = nil
	n.mu.Unlock()
}

// strike reports whether the armed cut is meant for this request; if so it is used up.
func (n *Network) strike(request []byte) (When, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.cut
	if c == nil || c.Match != nil && !c.Match(request) {
		return 0, false
	}
	if c.Skip > 0 {
		c.Skip--
		return 0, false
	}
	n.cut = nil
	close(n.fired)
	return c.When, true
}

// Stall holds every byte in both directions until Flow. Nothing is lost; new connections are
// accepted.
func (n *Network) Stall() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.flows:
		n.flows = make(chan struct{})
	default: // it stalls already
	}
}

// Flow ends a stall.
func (n *Network) Flow() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.flows:
	default:
		close(n.flows)
	}
}

// pass waits while the network stalls.
func (n *Network) pass() {
	n.mu.Lock()
	flows := n.flows
	n.mu.Unlock()
	<-flows
}

// Refuse says whether new connections are reset at once. Those that exist stay.
func (n *Network) Refuse(yes bool) {
	n.mu.Lock()
	n.refuse = yes
	n.mu.Unlock()
}

// CutAll resets all connections, on both sides.
func (n *Network) CutAll() {
	for _, c := range n.list() {
		c.kill()
	}
}

// A Side is an end of a connection.
type Side int

// The sides that HalfClose names.
const (
	Client Side = iota
	Server
)

// HalfClose tells one side of all connections that the other will send no more; the way back stays
// open.
func (n *Network) HalfClose(told Side) {
	for _, c := range n.list() {
		if told == Server {
			c.server.CloseWrite()
		} else {
			c.client.CloseWrite()
		}
	}
}

func (n *Network) list() (all []*conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		all = append(all, c)
	}
	return all
}

// reset closes the connection without the courtesy of a FIN, as the end of a process or a firewall
// does.
func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

func hexOf(b []byte) []byte { return hex.AppendEncode(nil, b) }
