package possessions

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn"
)

// reporter writes a line about what the program is told in no other way: in the older library it
// was a panic, which net/http logged.
type reporter struct {
	out io.Writer // nil: os.Stderr

	mu     sync.Mutex
	next   time.Time // of the next line
	missed int       // that had no line since the last
}

// reportEvery keeps an outage from filling the disk.
const reportEvery = time.Second

// write writes a line about err, to the log of the server whose request r is, if it has one. r may
// be nil.
func (rep *reporter) write(r *http.Request, err error) {
	rep.mu.Lock()
	defer rep.mu.Unlock()
	now := time.Now()
	if now.Before(rep.next) {
		rep.missed++
		return
	}
	line := err.Error()
	if rep.missed > 0 {
		line = fmt.Sprintf("%s (and %d errors since the last line)", line, rep.missed)
	}
	rep.next, rep.missed = now.Add(reportEvery), 0
	if r != nil {
		line = fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, line)
		if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && srv.ErrorLog != nil {
			srv.ErrorLog.Print(line)
			return
		}
	}
	out := rep.out
	if out == nil {
		out = os.Stderr
	}
	fmt.Fprintf(out, "%s %s\n", now.Format("2006/01/02 15:04:05"), line)
}

// visitors are the errors that a visitor causes, and not the program or its store.
var visitors = []error{
	sojourn.ErrConflict, sojourn.ErrEnded, sojourn.ErrRevoked, sojourn.ErrLimit, sojourn.ErrNoUser, sojourn.ErrNotFresh,
	sojourn.ErrAmbiguous, sojourn.ErrCrossSite,
}

// answer is the OnError of overseers whose program has none: the core's pages, a line for whoever
// runs the program, and for the developer at the same machine what to do.
func (rep *reporter) answer(w http.ResponseWriter, r *http.Request, err error) {
	for _, v := range visitors {
		if errors.Is(err, v) {
			sojourn.DefaultOnError(w, r, err)
			return
		}
	}
	rep.write(r, err)
	if errors.Is(err, sojourn.ErrInsecure) && atThisMachine(r) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sojourn.DefaultOnError(w, r, err)
}

// explain says an error of the core in the words of this package's options.
func explain(err error) error {
	if !errors.Is(err, sojourn.ErrInsecure) {
		return err
	}
	return insecure{err}
}

// insecure is a sojourn.ErrInsecure.
type insecure struct{ error }

func (insecure) Error() string {
	return "possessions: no session travels over plain HTTP: while developing on localhost set CookieOptions.Secure to false; " +
		"behind a proxy that ends TLS name the proxy in CookieOptions.Sojourn.TrustedProxies; else serve HTTPS"
}

func (e insecure) Unwrap() error { return e.error }

// atThisMachine reports whether the client is the machine itself, and asked for it by such a name.
func atThisMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
