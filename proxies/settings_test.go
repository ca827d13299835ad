package proxies

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// An app signs ada in, and tells who is there and from which network.
type app struct {
	*sojourn.Manager
	mu     sync.Mutex
	events []sojourn.Event
}

func newApp(t *testing.T, o sojourn.Options) *app {
	t.Helper()
	a := &app{}
	o.Observe = func(_ context.Context, e sojourn.Event) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.events = append(a.events, e)
	}
	m, err := sojourn.New(memstore.New(nil), &o)
	if err != nil {
		t.Fatal(err)
	}
	a.Manager = m
	return a
}

func (a *app) serve(t *testing.T, l net.Listener) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := a.From(r).Login(r.Context(), "ada"); err != nil {
			sojourn.DefaultOnError(w, r, err)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s, err := a.Load(r)
		if err != nil {
			sojourn.DefaultOnError(w, r, err)
			return
		}
		fmt.Fprintf(w, "%q from %s", s.User(), s.Info().Network)
	})
	s := httptest.NewUnstartedServer(a.Handler(mux))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
}

func (a *app) refusals(name sojourn.EventName) (hints []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		if e.Name == name {
			hints = append(hints, e.Hint)
		}
	}
	return hints
}

func listen(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

const network = "127.1.2.0/24" // of clientAddr

// The settings of the documentation sign in, whatever the client says of itself.
func TestSettings(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			a, l := newApp(t, sojourn.Options{TrustedProxies: loopback}), listen(t, "tcp", "127.0.0.1:0")
			a.serve(t, l)
			proxy := front(t, p, conf(t, p.file), p.overTLS, l.Addr().String())
			t.Logf("%s %s", p.name, proxy.Version)
			for name, said := range map[string][]string{
				"honest": nil,
				"lying":  {"X-Forwarded-Proto", "http", "X-Forwarded-For", "203.0.113.9", "Forwarded", "for=203.0.113.9;proto=http"},
			} {
				b := newBrowser(t, proxy, "https")
				if status, page := b.send(t, "POST", "/login", said...); status != 200 {
					t.Errorf("%s: %d %s", name, status, page)
				}
				if status, page := b.send(t, "GET", "/", said...); status != 200 || page != `"ada" from `+network {
					t.Errorf("%s: %d %s", name, status, page)
				}
				for _, c := range b.Jar.Cookies(mustURL(t, b.origin+"/")) {
					if c.Name != "__Host-session" {
						t.Errorf("%s: cookie %s", name, c.Name)
					}
				}
			}
		})
	}
}

// No session travels over the proxy's plain side, whatever the client says, and the log says why.
func TestPlainSide(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			a, l := newApp(t, sojourn.Options{TrustedProxies: loopback}), listen(t, "tcp", "127.0.0.1:0")
			a.serve(t, l)
			b := newBrowser(t, front(t, p, conf(t, p.file), p.plain, l.Addr().String()), "http")
			said := []string{"X-Forwarded-Proto", "https", "Forwarded", "proto=https"}
			if status, page := b.send(t, "POST", "/login", said...); status != 500 {
				t.Errorf("%d %s", status, page)
			}
			if h := a.refusals(sojourn.InsecureRefused); len(h) != 1 || !strings.Contains(h[0], "redirect to https") {
				t.Errorf("told was %q", h)
			}
		})
	}
}

// Over a Unix socket, too.
func TestUnixSocket(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "http.sock")
			a, l := newApp(t, sojourn.Options{TrustUnixSockets: true}), listen(t, "unix", socket)
			a.serve(t, l)
			config := conf(t, p.file)
			for tcp, unix := range map[string]string{
				"proxy_pass http://127.0.0.1:8080": "proxy_pass http://unix:" + socket + ":/ ; # 127.0.0.1:8080",
				"server app 127.0.0.1:8080":        "server app unix@" + socket + " # 127.0.0.1:8080",
				"reverse_proxy 127.0.0.1:8080 {":   "reverse_proxy unix/" + socket + " { # 127.0.0.1:8080",
			} {
				config = strings.ReplaceAll(config, tcp, unix)
			}
			b := newBrowser(t, front(t, p, config, p.overTLS, "127.0.0.1:1"), "https")
			if status, page := b.send(t, "POST", "/login"); status != 200 {
				t.Errorf("%d %s", status, page)
			}
			if status, page := b.send(t, "GET", "/"); status != 200 || page != `"ada" from `+network {
				t.Errorf("%d %s", status, page)
			}
		})
	}
}

// TLS that HAProxy ends at layer 4, with the PROXY protocol: the listener tells.
func TestLayer4(t *testing.T) {
	haproxy := programs[1]
	for name, c := range map[string]struct {
		https func(*http.Request) bool
		want  int
	}{
		"told":     {func(*http.Request) bool { return true }, 200},
		"not told": {nil, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, l := newApp(t, sojourn.Options{HTTPS: c.https}), listen(t, "tcp", "127.0.0.1:0")
			a.serve(t, proxyProtocol{l})
			b := newBrowser(t, front(t, haproxy, conf(t, "haproxy-layer4.cfg"), haproxy.overTLS, l.Addr().String()), "https")
			if status, page := b.send(t, "POST", "/login"); status != c.want {
				t.Errorf("%d %s", status, page)
			}
			if c.want == 200 {
				if status, page := b.send(t, "GET", "/"); status != 200 || page != `"ada" from `+network {
					t.Errorf("%d %s", status, page)
				}
				return
			}
			if h := a.refusals(sojourn.InsecureRefused); len(h) != 1 || !strings.Contains(h[0], "set Options.HTTPS") {
				t.Errorf("told was %q", h)
			}
		})
	}
}

// proxyProtocol reads version 1 of HAProxy's PROXY protocol: a line before what the client sent.
type proxyProtocol struct{ net.Listener }

func (p proxyProtocol) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &proxied{Conn: c, in: bufio.NewReader(c)}, nil
}

type proxied struct {
	net.Conn
	in     *bufio.Reader
	once   sync.Once
	client net.Addr
	err    error
}

func (c *proxied) header() {
	c.once.Do(func() {
		c.client = c.Conn.RemoteAddr()
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, err := c.in.ReadString('\n')
		f := strings.Fields(line)
		if err != nil || len(f) != 6 || f[0] != "PROXY" {
			c.err = errors.Join(io.ErrUnexpectedEOF, err)
			return
		}
		c.SetReadDeadline(time.Time{})
		if a, err := netip.ParseAddrPort(net.JoinHostPort(f[2], f[4])); err == nil {
			c.client = net.TCPAddrFromAddrPort(a)
		}
	})
}

func (c *proxied) Read(b []byte) (int, error) {
	if c.header(); c.err != nil {
		return 0, c.err
	}
	return c.in.Read(b)
}

func (c *proxied) RemoteAddr() net.Addr {
	c.header()
	return c.client
}
