package driver_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// odd is a network's error that is no timeout, of which nothing may be shown but its type.
type odd struct{ error }

func (odd) Timeout() bool   { return false }
func (odd) Temporary() bool { return false }

// TestFaultText wants the words of a fault, and no more: its class, its text and what may be shown
// of its cause.
func TestFaultText(t *testing.T) {
	secret := errors.New("secret")
	at := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5432}
	full := store.ErrFull.Error()
	for _, c := range []struct {
		err  error
		want string
	}{
		{driver.Fault(store.ErrFull, "it says 7", nil), full + ": it says 7"},
		{driver.Fault(store.ErrFull, "it says 7", secret), full + ": it says 7"},
		{driver.Fault(store.ErrFull, "it says 7", io.EOF), full + ": it says 7: EOF"},
		{driver.Fault(store.ErrFull, "", io.EOF), full + ": EOF"},
		{driver.Fault(store.ErrFull, "", nil), full},
		{driver.Fault(nil, "it says 7", nil), "it says 7"},
		{driver.Fault(nil, "", io.EOF), "EOF"},
		{driver.Fault(nil, "", &net.OpError{Op: "read", Net: "tcp", Addr: at, Err: secret}), ""},
		{driver.Fault(nil, "", &net.OpError{Op: "read", Net: "tcp", Addr: at, Err: io.EOF}), "read 10.0.0.1:5432: EOF"},
		{driver.Fault(nil, "", odd{secret}), ""},
		{driver.Fault(nil, "", &net.DNSError{Name: "db", Err: "secret"}), "lookup db: no answer"},
		{driver.Fault(nil, "", x509.CertificateInvalidError{Reason: x509.NameMismatch}), "x509: issuer name does not match subject from issuing certificate"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		for _, inner := range c.err.(interface{ Unwrap() []error }).Unwrap() {
			if inner == nil {
				t.Errorf("%q wraps nil", c.want)
			}
		}
	}
}

// TestUnknownErrors shows the type of an error where nothing else may be shown.
func TestUnknownErrors(t *testing.T) {
	for cause, typed := range map[error]bool{odd{errors.New("secret")}: true, io.EOF: false} {
		_, _, err := driver.New("toystore", &stub{err: cause}).Get(t.Context(), store.Key{})
		if text := err.Error(); strings.Contains(text, "driver_test.odd") != typed || strings.Contains(text, "EOF") == typed || strings.Contains(text, "*errors") {
			t.Errorf("%s", text)
		}
	}
}
