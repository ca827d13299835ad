package explore

import (
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn"
)

// kind says what an event is.
type kind byte

const (
	sent       kind = iota // a request left the browser
	began                  // an act of its handler began
	ended                  // an act returned
	carriedOut             // a call to the store was carried out, as its fault says
	header                 // the response's header was written
	noticed                // the observer was told
	finished               // the request is over
)

// An event is one entry of a run's trace. Its tick is its index.
type event struct {
	kind
	when   time.Time
	q      *request
	call   *call
	act    *deed
	header *written
	notice *sojourn.Event
}

// A deed is one act of a script, done.
type deed struct {
	*act
	id         string // of the change, different for each
	began, end int    // ticks; end 0: it never returned
	err        error
	saw        string   // the user that a read has seen
	values     values   // and the values
	got        []string // what was taken
	form       string   // the CSRF token of a form
}

// written is a response's header at the moment when it was written.
type written struct {
	at     int
	status int
	header http.Header
	lines  int    // Set-Cookie lines of the session's cookie
	jar    jar    // the cookies that are set
	token  *token // of the session's cookie; nil for none
	remove bool   // the session's cookie is taken away
}

// log adds an event to the run's trace and returns its tick.
func (r *run) log(e event) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.when = time.Now()
	r.trace = append(r.trace, e)
	return len(r.trace) - 1
}
