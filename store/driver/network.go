package driver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// shown is what may be shown of a cause: what the network, TLS or the operating system said, in the
// words of the standard library's own types, and where to. What a client or an engine adds around
// it may quote keys, values and whole addresses with their passwords, and is not shown.
func shown(cause error) string {
	said := said(cause)
	if said == "" {
		return ""
	}
	var op *net.OpError
	if errors.As(cause, &op) {
		switch op.Addr.(type) {
		case *net.TCPAddr, *net.UnixAddr:
			return op.Op + " " + op.Addr.String() + ": " + said
		}
	}
	return said
}

func said(cause error) string {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(cause, known) {
			return known.Error()
		}
	}
	if text := saidByTLS(cause); text != "" {
		return text
	}
	if text := saidPlainly(cause); text != "" {
		return text
	}
	var (
		dns     *net.DNSError
		errno   syscall.Errno
		timeout net.Error
	)
	switch {
	case errors.As(cause, &dns):
		return saidByDNS(dns)
	case errors.As(cause, &errno):
		return errno.Error()
	case errors.As(cause, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return ""
}

func saidByTLS(cause error) string {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     *net.OpError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(cause, &authority):
		return "x509: the server's certificate is signed by an authority that is not known here"
	case errors.As(cause, &host):
		return host.Error()
	case errors.As(cause, &invalid):
		return invalid.Error()
	case errors.As(cause, &alert) && alert.Op == "remote error": // how crypto/tls tells of an alert, whose type is its own
		return "the server refused: " + alert.Err.Error()
	case errors.As(cause, &record):
		return "the server does not speak TLS: " + record.Msg
	}
	return ""
}

// plain are what clients say of connections in errors without a type, which quote nothing.
var plain = map[string]bool{
	"server refused TLS connection":                                                        true, // pgx
	"TLS requested but server does not support TLS":                                        true, // go-sql-driver/mysql
	"this user requires mysql native password authentication":                              true, // go-sql-driver/mysql
	"pq: SSL is not enabled on the server":                                                 true,
	"gocql: connection closed waiting for response":                                        true,
	"gocql: no control connection available":                                               true,
	"gocql: no streams available on connection":                                            true,
	"gocql: too many query timeouts on the connection":                                     true,
	"gocql: no hosts available in the pool":                                                true,
	"gocql: no response received from cassandra within timeout period":                     true,
	"rueidis client is closing or unable to connect redis":                                 true,
	`authentication method requirement "!md5" failed: server requested md5 authentication`: true, // pgx, as pgxstore asks it in FIPS 140-only mode
	// crypto/rsa, for MySQL's passwords without TLS
	"crypto/rsa: use of hash functions other than SHA-2 or SHA-3 is not allowed in FIPS 140-only mode": true,
}

// saidPlainly looks for one of these, as a whole error, among all that cause wraps.
func saidPlainly(cause error) string {
	switch e := cause.(type) {
	case nil:
		return ""
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if text := saidPlainly(inner); text != "" {
				return text
			}
		}
		return ""
	}
	if text := cause.Error(); plain[text] {
		return text
	}
	return saidPlainly(errors.Unwrap(cause))
}

func saidByDNS(dns *net.DNSError) string {
	text := "lookup"
	// What is no name of a host may be a part of an address that was read wrongly, its password
	// even.
	if isName := strings.Trim(strings.ToLower(dns.Name), "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""; isName {
		text += " " + dns.Name
	}
	switch {
	case dns.IsNotFound:
		return text + ": no such host"
	case dns.IsTimeout:
		return text + ": timeout"
	}
	return text + ": no answer"
}
