package driver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// clientError is what a client of a server makes of the network's errors.
type clientError struct{ inner error }

func (e *clientError) Error() string {
	return "connect to postgres://app:hunter2@db/shop with key 7f7f: " + e.inner.Error()
}
func (e *clientError) Unwrap() error { return e.inner }

// A store's error says what the network said, and neither the client's words around it nor a
// password.
func TestCausesAreShown(t *testing.T) {
	for name, c := range map[string]struct {
		cause error
		want  string
		as    any
	}{
		"refused":           {refused(t), "dial 127.0.0.1:", new(syscall.Errno)},
		"unknown host":      {&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "db.internal", IsNotFound: true}}, "lookup db.internal: no such host", new(*net.DNSError)},
		"no host's name":    {&net.DNSError{Name: "app:hunter2@db", IsNotFound: true}, "lookup: no such host", new(*net.DNSError)},
		"resolver is down":  {&net.DNSError{Name: "db", IsTimeout: true}, "lookup db: timeout", new(*net.DNSError)},
		"unknown authority": {handshake(t, &tls.Config{ServerName: "example.com"}), "authority that is not known here", new(x509.UnknownAuthorityError)},
		"another name":      {handshake(t, &tls.Config{ServerName: "db.internal", RootCAs: authority(t)}), "not db.internal", new(x509.HostnameError)},
		"TLS refused":       {handshake(t, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}), "the server refused: tls: ", new(*net.OpError)},
		"no TLS there":      {noTLS(t), "does not speak TLS", new(tls.RecordHeaderError)},
		"closed":            {&net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5432}, Err: syscall.ECONNRESET}, "read 10.0.0.1:5432: connection reset by peer", new(*net.OpError)},
		"timeout":           {late(t), "timeout", new(net.Error)},
		"a client's words":  {errors.Join(errors.New("x"), fmt.Errorf("y: %w", errors.New("server refused TLS connection"))), "server refused TLS connection", nil},
		"context":           {context.DeadlineExceeded, "context deadline exceeded", nil},
	} {
		for how, err := range map[string]error{
			"as it is":        &clientError{c.cause},
			"with words":      driver.Fault(store.ErrUnavailable, "the server cannot be reached", &clientError{c.cause}),
			"without a class": driver.Fault(nil, "COMMIT failed", &clientError{c.cause}),
		} {
			s := driver.New("toystore", &stub{err: err})
			_, _, got := s.Get(t.Context(), store.Key{})
			text := fmt.Sprintf("%v %+v", got, errors.Unwrap(got))
			if !errors.Is(got, store.ErrUnavailable) || !strings.Contains(text, c.want) {
				t.Errorf("%s, %s: %s, want %q", name, how, text, c.want)
			}
			if strings.Contains(text, "hunter2") || strings.Contains(text, "7f7f") {
				t.Errorf("%s, %s shows what the client quotes: %s", name, how, text)
			}
			if client := new(*clientError); !errors.As(got, client) || c.as != nil && !errors.As(got, c.as) {
				t.Errorf("%s, %s: %v is not of the client's type and %T", name, how, got, c.as)
			}
		}
	}
}

// refused is what a port says on which nobody listens.
func refused(t *testing.T) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = net.Dial("tcp", l.Addr().String())
	if err == nil {
		t.Fatal("somebody listens there")
	}
	return err
}

func tlsServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = quiet()
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func authority(t *testing.T) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(tlsServer(t).Certificate())
	return pool
}

func handshake(t *testing.T, c *tls.Config) error {
	t.Helper()
	_, err := tls.Dial("tcp", tlsServer(t).Listener.Addr().String(), c)
	if err == nil {
		t.Fatal("the handshake succeeds")
	}
	return err
}

func noTLS(t *testing.T) error {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = quiet()
	s.Start()
	t.Cleanup(s.Close)
	_, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{ServerName: "example.com"})
	if err == nil {
		t.Fatal("the handshake succeeds")
	}
	return err
}

// late is what a read says whose deadline is over.
func late(t *testing.T) error {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	a.SetDeadline(time.Unix(1, 0))
	_, err := a.Read(make([]byte, 1))
	return err
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
