package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const localhost = "127.0.0.1"

// freePort claims a port of 127.0.0.1 that nobody listens on, and likewise the port above it by
// also, unless that is 0. Ports are drawn from below those that the kernel gives to clients, so
// that no outgoing connection takes one while its server is down.
func (s *Server) freePort(also int) (int, error) {
	for range 1000 {
		port := 11000 + rand.IntN(11000)
		if !listens(localhost, port) || also > 0 && !listens(localhost, port+also) {
			continue
		}
		if s.claim(strconv.Itoa(port)) {
			return port, nil
		}
	}
	return 0, errors.New("no free port")
}

// port is the wanted port, or a free one when that is 0.
func (s *Server) port(wanted, also int) (int, error) {
	if wanted != 0 {
		return wanted, nil
	}
	return s.freePort(also)
}

// claim keeps a port or address for this process until the server is closed: what is free now could
// be taken by another process that looks at the same moment, or while the server is down. An
// abstract socket is such a claim; the kernel takes it back when the process ends.
func (s *Server) claim(what string) bool {
	l, err := net.Listen("unix", "@sojourn-servers/"+what)
	if err != nil {
		return false
	}
	s.release = append(s.release, func() { l.Close() })
	return true
}

func listens(host string, port int) bool {
	l, err := net.Listen("tcp", join(host, port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// freeHosts claims n neighbouring loopback addresses on each of which all the ports are free. All
// of 127.0.0.0/8 is this machine's, so each cluster can have the usual ports.
func (s *Server) freeHosts(n int, ports ...int) ([]string, error) {
	for range 1000 {
		block := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(254), 1+rand.IntN(254))
		var hosts []string
		free := true
		for i := range n {
			host := block + strconv.Itoa(i+1)
			hosts = append(hosts, host)
			for _, port := range ports {
				free = free && listens(host, port)
			}
		}
		if free && s.claim(block) {
			return hosts, nil
		}
	}
	return nil, errors.New("no free loopback addresses")
}

func join(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
