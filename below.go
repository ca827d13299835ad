package sojourn

import (
	"net/http"
	"slices"
	"sync"
)

// Several managers may share a response, one's Handler below another's, or by Open and Save. Where
// the outer one's commit fails, the page goes, but not what the inner one has said: its sign-in has
// succeeded, and its token shall reach the client.

// A spoken function reports whether a line of the header is a session's token, or its removal.
type spoken func(name, line string) bool

// below is what the sessions below a visit have said. Its lock is the innermost.
type below struct {
	mu  sync.Mutex
	all []spoken
}

func (b *below) add(f spoken) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, f)
}

// of returns their lines in h, but for those that were found there.
func (b *below) of(h, found http.Header) (lines http.Header) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) == 0 {
		return nil
	}
	lines = make(http.Header)
	for name := range h {
		for _, line := range h[name] {
			said := slices.ContainsFunc(b.all, func(f spoken) bool { return f(name, line) })
			if said && !slices.Contains(found[name], line) {
				lines[name] = append(lines[name], line)
			}
		}
	}
	return lines
}

// spoken is the session's own.
func (s *Session) spoken() spoken {
	if s.m.opts.Custom != nil {
		carried := s.carried
		return func(name, line string) bool {
			return slices.ContainsFunc(carried, func(c change) bool { return c.name == name && slices.Contains(c.put, line) })
		}
	}
	return func(name, line string) bool { return name == "Set-Cookie" && s.m.jar.Sets(line) }
}

// tellAround tells the visits around this session that it has just written its token.
func (s *Session) tellAround() {
	v, ok := s.r.Context().Value(anyManager{}).(*visit)
	for ok {
		if &v.s != s {
			v.below.add(s.spoken())
		}
		v, ok = v.Context.Value(anyManager{}).(*visit)
	}
}

// tellWriters tells the visits whose writers are around w, for a request that was built by hand and
// whose context has none.
func (s *Session) tellWriters(w http.ResponseWriter) {
	for {
		switch t := w.(type) {
		case *writer:
			if &t.v.s != s && s.stage == stageTold {
				t.v.below.add(s.spoken())
			}
			w = t.w
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return
		}
	}
}
