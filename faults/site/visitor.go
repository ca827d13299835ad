package site

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Result is what the visitors of a run saw.
type Result struct {
	Requests int
	Acked    int // changes that a response of status 200 told of
	Refused  int // answers of status 503
	// Lost counts changes that were told of and are no more, and sessions that are gone unasked.
	Lost int
	// Resurrected counts cookies that open a session again after a sign-out was told of.
	Resurrected int
	// Ended are answers of status 409 that the session had ended. A store that loses nothing gives
	// the visitors no cause for them.
	Ended []string
	// Conflicts counts answers of status 409 that others changed the session all the time.
	Conflicts int
	// Breaches are answers that an outage must not have: a cookie removed, "signed out", any other
	// status than 503; and counters that are too high.
	Breaches []string
	// Outage is the longest time in which nobody got an answer of status 200.
	Outage time.Duration

	mu    sync.Mutex
	start time.Time
	good  time.Duration
}

// Visit lets n visitors use the site until ctx ends, and then, when the store must be healthy
// again, looks at what they have. It waits for the site for as long as final lives.
func (s *Site) Visit(ctx, final context.Context, n int) *Result {
	res := &Result{start: time.Now()}
	var wg sync.WaitGroup
	for i := range n {
		v := &visitor{site: s, res: res, id: i, final: final, user: fmt.Sprintf("visitor-%d-%d", time.Now().UnixNano(), i), jar: map[string]string{}}
		wg.Go(func() {
			for ctx.Err() == nil {
				v.stay(ctx)
			}
			v.end()
		})
	}
	wg.Wait()
	return res
}

func (r *Result) breach(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Breaches = append(r.Breaches, fmt.Sprintf(format, args...))
}

// visitor is a browser and the person before it.
type visitor struct {
	site  *Site
	res   *Result
	id    int
	user  string
	final context.Context

	mu    sync.Mutex
	jar   map[string]string
	turn  int
	told  int      // of changes to the present session
	maybe int      // changes that may have been made
	out   int      // answers that the visitor is not signed in
	over  []string // cookies of sessions that were signed out
}

// stay signs in, uses the site for a while, and signs out.
func (v *visitor) stay(ctx context.Context) {
	if v.send("POST", "/login?user="+url.QueryEscape(v.user)).Code != http.StatusOK {
		time.Sleep(10 * time.Millisecond)
		return
	}
	v.told, v.maybe, v.out = 0, 0, 0
	for range 25 {
		if ctx.Err() != nil {
			return
		}
		var wg sync.WaitGroup // two at a time: both must count
		wg.Go(v.count)
		wg.Go(v.count)
		wg.Wait()
	}
	v.look()
	v.leave()
}

// count makes one change.
func (v *visitor) count() {
	w := v.send("POST", "/count")
	v.mu.Lock()
	defer v.mu.Unlock()
	switch w.Code {
	case http.StatusOK:
		v.told++
		v.site.acked.Add(1)
		v.res.mu.Lock()
		v.res.Acked++
		v.res.mu.Unlock()
	case http.StatusServiceUnavailable:
		v.maybe++
	case signedOut:
		v.out++
	}
}

// ToldSignedOut is the breach of a visitor who heard "you are not signed in" while the session
// lived.
const ToldSignedOut = "a visitor was told to be signed out, and was not"

// look compares the session with what was told of it, when the store answers.
func (v *visitor) look() {
	w, _ := v.insist("GET", "/count")
	if w == nil {
		return
	}
	n, err := strconv.Atoi(w.Body.String())
	v.res.mu.Lock()
	defer v.res.mu.Unlock()
	switch {
	case w.Code == signedOut:
		v.res.Lost += max(1, v.told)
	case v.out > 0:
		v.res.Breaches = append(v.res.Breaches, ToldSignedOut)
	case err != nil:
		v.res.Breaches = append(v.res.Breaches, fmt.Sprintf("a counter cannot be read: status %d", w.Code))
	case n < v.told:
		v.res.Lost += v.told - n
	case n > v.told+v.maybe:
		v.res.Breaches = append(v.res.Breaches, fmt.Sprintf("a counter is %d after %d changes and %d possible ones", n, v.told, v.maybe))
	}
}

// leave signs out, here or everywhere, and keeps a copy of the dead cookie.
func (v *visitor) leave() {
	path := "/logout"
	if v.turn%3 == 0 {
		path = "/everywhere"
	}
	cookie := v.cookies()
	w, again := v.insist("POST", path)
	if w == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if w.Code == http.StatusOK || w.Code == signedOut && again { // the first attempt may have done it
		v.over = append(v.over, cookie)
	}
	clear(v.jar)
}

// end is after the run: the last session holds what it should, and none of the dead cookies opens
// one.
func (v *visitor) end() {
	if v.cookies() != "" {
		v.look()
	}
	for _, cookie := range v.over {
		v.mu.Lock()
		v.jar = parse(cookie)
		v.mu.Unlock()
		if w, _ := v.insist("GET", "/count"); w != nil && w.Code == http.StatusOK {
			v.res.mu.Lock()
			v.res.Resurrected++
			v.res.mu.Unlock()
		}
	}
}

// insist sends a request until the store answers, or final ends, and reports whether once was not
// enough.
func (v *visitor) insist(method, path string) (w *httptest.ResponseRecorder, again bool) {
	for ; ; again = true {
		w = v.send(method, path)
		if w.Code != http.StatusServiceUnavailable {
			return w, again
		}
		if v.final.Err() != nil {
			v.res.breach("%s %s: the site did not recover", method, path)
			return nil, true
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// send makes one request, to the next node, and keeps the cookies of the answer.
func (v *visitor) send(method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://site.example"+path, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if c := v.cookies(); c != "" {
		r.Header.Set("Cookie", c)
	}
	v.mu.Lock()
	v.turn++
	node := v.site.nodes[(v.id+v.turn)%len(v.site.nodes)]
	v.mu.Unlock()
	w := httptest.NewRecorder()
	node.ServeHTTP(w, r)
	set := w.Result().Cookies()
	v.res.saw(w.Code, path, w.Body.String(), slices.ContainsFunc(set, func(c *http.Cookie) bool { return c.MaxAge < 0 || c.Value == "" }))
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range set {
		if c.MaxAge < 0 {
			delete(v.jar, c.Name)
		} else {
			v.jar[c.Name] = c.Value
		}
	}
	return w
}

// saw counts an answer and judges what can be judged at once.
func (r *Result) saw(status int, path, body string, removes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Requests++
	path, _, _ = strings.Cut(path, "?")
	switch status {
	case http.StatusOK:
		now := time.Since(r.start)
		r.Outage = max(r.Outage, now-r.good)
		r.good = now
	case signedOut: // the visitor knows whether that is so
	case http.StatusConflict:
		switch {
		case strings.Contains(body, "changed by another"):
			r.Conflicts++
		case path == "/count": // a sign-in may be refused that began right after a revocation, and an end be overtaken by its own first attempt
			r.Ended = append(r.Ended, path+": "+body)
		}
	case http.StatusServiceUnavailable:
		r.Refused++
		// It may hand out a token that the same request renewed before the store failed.
		if removes {
			r.Breaches = append(r.Breaches, path+": an answer of status 503 removes the cookie")
		}
	default:
		r.Breaches = append(r.Breaches, fmt.Sprintf("%s: status %d: %s", path, status, body))
	}
}

func (v *visitor) cookies() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []string
	for name, value := range v.jar {
		all = append(all, name+"="+value)
	}
	return strings.Join(all, "; ")
}

func parse(cookie string) map[string]string {
	jar := map[string]string{}
	for _, c := range strings.Split(cookie, "; ") {
		if name, value, ok := strings.Cut(c, "="); ok {
			jar[name] = value
		}
	}
	return jar
}
