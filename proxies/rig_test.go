package proxies

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/servers"
)

// site is the name that browsers ask for.
const site = "shop.example.com"

// certificate is one for site, and its key, in PEM.
var certificate, key = func() (string, string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{site}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}()

// A program is a kind of proxy.
type program struct {
	name  string
	file  string // of conf
	start func(context.Context, *servers.ProxyOptions) (*servers.Server, error)
	// here replaces in a configuration what is of the documentation's machine: where it listens,
	// over TLS or not, and where its certificate is.
	overTLS, plain []string
}

var programs = []program{
	{
		"nginx", "nginx.conf", servers.Nginx,
		[]string{"listen 443 ssl", "listen 127.0.0.1:PORT ssl", "/etc/ssl/", "DIR/"},
		[]string{"listen 443 ssl", "listen 127.0.0.1:PORT", "/etc/ssl/", "DIR/"},
	},
	{
		"haproxy", "haproxy.cfg", servers.HAProxy,
		[]string{"bind :443", "bind 127.0.0.1:PORT", "/etc/ssl/shop.pem", "DIR/both.pem"},
		[]string{"bind :443 ssl crt /etc/ssl/shop.pem", "bind 127.0.0.1:PORT"},
	},
	{
		"caddy", "Caddyfile", servers.Caddy,
		[]string{site + " {", caddyHere + "https://" + site + ":PORT {\n    bind 127.0.0.1\n    tls DIR/shop.pem DIR/shop.key"},
		[]string{site + " {", caddyHere + "http://" + site + ":PORT {\n    bind 127.0.0.1"},
	},
}

const caddyHere = "{\n    admin off\n    auto_https off\n}\n"

// front starts the proxy with a configuration, in which the program is at 127.0.0.1:8080, in front
// of what stands at app.
func front(t *testing.T, p program, config string, here []string, app string) *servers.Server {
	t.Helper()
	for i := 0; i < len(here); i += 2 {
		if !strings.Contains(config, here[i]) && !strings.HasPrefix(here[i], "/etc") {
			t.Fatalf("%s: no %q in the configuration", p.name, here[i])
		}
	}
	if !strings.Contains(config, "127.0.0.1:8080") && !strings.Contains(config, "localhost:8080") {
		t.Fatalf("%s: the configuration names no program", p.name)
	}
	_, port, _ := net.SplitHostPort(app)
	config = strings.NewReplacer(append(here, "127.0.0.1:8080", app, "localhost:8080", "localhost:"+port)...).Replace(config)
	s, err := p.start(t.Context(), &servers.ProxyOptions{
		Config: config, Files: map[string]string{"shop.pem": certificate, "shop.key": key, "both.pem": certificate + key},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s %s says:\n%s", p.name, s.Version, s.Log())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func conf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("conf/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A browser keeps cookies, and says of each request what browsers of today say.
type browser struct {
	*http.Client
	origin string
}

// clientAddr is the browser's own: another loopback address than the proxies', so that it shows.
const clientAddr = "127.1.2.3"

func newBrowser(t *testing.T, proxy *servers.Server, scheme string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(certificate))
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddr)}}
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, proxy.Addr)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	_, port, _ := net.SplitHostPort(proxy.Addr)
	return &browser{&http.Client{Transport: tr, Jar: jar}, scheme + "://" + net.JoinHostPort(site, port)}
}

// send sends a request with the headers of pairs besides the browser's own, and gives status and
// page.
func (b *browser) send(t *testing.T, method, path string, pairs ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(b.origin, "https") { // browsers say it to nobody else
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if method == "POST" {
		r.Header.Set("Origin", b.origin)
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	resp, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(page)
}

// lockedBuffer takes what a process writes while somebody reads.
type lockedBuffer struct {
	ch chan struct{}
	b  bytes.Buffer
}

func newLockedBuffer() *lockedBuffer { return &lockedBuffer{ch: make(chan struct{}, 1)} }

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.ch <- struct{}{}
	defer func() { <-l.ch }()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.ch <- struct{}{}
	defer func() { <-l.ch }()
	return l.b.String()
}
