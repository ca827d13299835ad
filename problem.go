package sojourn

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// A problem is what the client is told of an error, in the members of RFC 9457. Type is where the
// documentation of the error's sentinel is found, so that programs can tell problems apart.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
}

func newProblem(status int, sentinel, title string) problem {
	return problem{"https://pkg.go.dev/github.com/sojourn-go/sojourn#" + sentinel, title, status}
}

// DefaultOnError answers 503 to outages, 401 where nobody is signed in, 409 to conflicts and
// refused sign-ins, 400 to requests with several tokens, 403 to cross-site requests and to what a
// bearer token cannot do, 404 where there is no session to revoke, 413 where data do not fit, and
// 500 to the rest, in plain words and without the cause. It leaves the client's cookie alone.
//
// It logs nothing: what an operator should see of sessions is an [Event] already. An error that is
// answered with 500 and is not [ErrInsecure] is the program's to log.
//
// Clients whose Accept header prefers application/json or application/problem+json to pages and
// plain text get problem details (RFC 9457): type is the address of the documentation of this
// package's sentinel, for example "https://pkg.go.dev/github.com/sojourn-go/sojourn#ErrEnded", or
// "about:blank"; title and status are the words and the number above.
func DefaultOnError(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	if dead := (*deadBearer)(nil); errors.As(err, &dead) {
		w.Header().Set("WWW-Authenticate", dead.challenge)
	}
	p.answer(w, r)
}

func problemOf(err error) problem {
	switch {
	case errors.Is(err, ErrEnded), errors.Is(err, ErrRevoked):
		return newProblem(http.StatusConflict, "ErrEnded", "Your session ended while this request ran. Please sign in and try again.")
	case outage(err), errors.Is(err, ErrFull), errors.Is(err, ErrCorrupt):
		return newProblem(http.StatusServiceUnavailable, "ErrUnavailable",
			"Your session cannot be reached just now. If you were signed in, you still are. Please try again shortly.")
	case errors.Is(err, ErrConflict):
		return newProblem(http.StatusConflict, "ErrConflict", "Your session was changed by another request. Please try again.")
	case errors.Is(err, ErrLimit):
		return newProblem(http.StatusConflict, "ErrLimit", "You are signed in on too many devices. Please sign out on one of them first.")
	case errors.Is(err, ErrNoUser):
		return newProblem(http.StatusUnauthorized, "ErrNoUser", "Please sign in.")
	case errors.Is(err, ErrNotFresh):
		return newProblem(http.StatusUnauthorized, "ErrNotFresh", "Please confirm that it is you: sign in again.")
	case errors.Is(err, ErrAmbiguous):
		return newProblem(http.StatusBadRequest, "ErrAmbiguous", "The request carries more than one session token.")
	case errors.Is(err, errNoOrigin):
		return newProblem(http.StatusForbidden, "ErrCrossSite", "The request has a session cookie and does not say where it comes from. "+
			"A client that is no browser sends this header with it: "+sameOriginHeader)
	case errors.Is(err, errNoCSRF):
		return newProblem(http.StatusForbidden, "ErrCrossSite", "This form has expired, or is another session's. Please load its page again and send it from there.")
	case errors.Is(err, ErrCrossSite):
		return newProblem(http.StatusForbidden, "ErrCrossSite", "Cross-site request refused.")
	case errors.As(err, new(*deadBearer)):
		return newProblem(http.StatusUnauthorized, "ErrNoToken", "The bearer token is not valid. Please sign in without it.")
	case errors.Is(err, errBearer):
		return newProblem(http.StatusForbidden, "ErrNoToken", "This cannot be done with a bearer token.")
	case errors.Is(err, ErrInsecure):
		return newProblem(http.StatusInternalServerError, "ErrInsecure", "Nobody can sign in over this connection, because it is not secure. "+
			"The operator of this site finds in its log what to change.")
	case errors.Is(err, ErrTooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, "ErrTooLarge", "Your session cannot hold any more.")
	case errors.Is(err, ErrNotFound):
		return newProblem(http.StatusNotFound, "ErrNotFound", "There is no such session. It may have ended already.")
	}
	return problem{"about:blank", http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError}
}

var varyAccept = []string{"Accept"}

func (p problem) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	addVary(h, varyAccept)
	if r == nil || !prefersJSON(r.Header["Accept"]) {
		http.Error(w, p.Title, p.Status)
		return
	}
	h.Del("Content-Length")
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that hung up
}

// prefersJSON reports whether an Accept header names JSON, and neither HTML nor plain text with a
// greater weight, or with the same and before it (RFC 9110 section 12.5.1).
func prefersJSON(accept []string) bool {
	json, best := false, 0.0
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			kind, params, _ := strings.Cut(item, ";")
			isJSON := false
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/json", "application/problem+json":
				isJSON = true
			case "text/html", "text/plain", "application/xhtml+xml":
			default:
				continue
			}
			if q := weight(params); q > best {
				json, best = isJSON, q
			}
		}
	}
	return json
}

// weight returns the parameter q of an item of an Accept header: 0 to 1, and 1 without it.
func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			q, _ := strconv.ParseFloat(value, 64)
			return q
		}
	}
	return 1
}
