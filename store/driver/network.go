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
// words of the standard library's own types, and where to. What a client or an engine adds around it
// may quote keys, values and whole addresses with their passwords, and is not shown.
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

func saidByDNS(dns *net.DNSError) string {
	text := "lookup"
	// What is no name of a host may be a part of an address that was read wrongly, its password even.
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
