package wire

import (
	"net"
	"sync"
	"time"
)

// quiet is how long a server must say nothing more before its answer counts as whole.
const quiet = 30 * time.Millisecond

// conn is a client's connection and the one to its server.
type conn struct {
	net            *Network
	client, server *net.TCPConn

	mu       sync.Mutex
	asked    bool // the client spoke last
	withhold bool // the answer is not to be delivered
}

// requests carries bytes from the client to the server.
func (c *conn) requests() {
	buf := make([]byte, 64<<10)
	for {
		k, err := c.client.Read(buf)
		if k > 0 {
			c.net.pass()
			when, hit := c.net.strike(buf[:k])
			if hit && when == Before {
				c.kill()
				return
			}
			c.mu.Lock()
			c.asked = true // before the bytes go: the answer may overtake us
			c.withhold = c.withhold || hit
			c.mu.Unlock()
			if _, err := c.server.Write(buf[:k]); err != nil {
				c.kill()
				return
			}
		}
		if err != nil {
			c.server.CloseWrite()
			return
		}
	}
}

// replies carries bytes from the server to the client, and counts.
func (c *conn) replies() {
	buf := make([]byte, 64<<10)
	for {
		k, err := c.server.Read(buf)
		if k > 0 {
			c.net.pass()
			c.mu.Lock()
			if c.asked {
				c.asked = false
				c.net.turns.Add(1)
			}
			withhold := c.withhold
			c.mu.Unlock()
			if withhold {
				c.hearOut(buf)
				return
			}
			if _, err := c.client.Write(buf[:k]); err != nil {
				c.kill()
				return
			}
		}
		if err != nil {
			c.client.CloseWrite()
			return
		}
	}
}

// hearOut lets the server finish its answer, which nobody gets, and cuts the connection.
func (c *conn) hearOut(buf []byte) {
	for {
		c.server.SetReadDeadline(time.Now().Add(quiet))
		if _, err := c.server.Read(buf); err != nil {
			c.kill()
			return
		}
	}
}

// kill resets both sides.
func (c *conn) kill() {
	reset(c.client)
	reset(c.server)
}
