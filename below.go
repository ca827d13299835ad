package sojourn

import (
	"net/http"
	"slices"
	"sync/atomic"
)

// Several managers may share a response, one's Handler below another's, or by Open and Save. Where
// the outer one's commit fails, the page goes, but not what the inner one has said: its sign-in has
// succeeded, and its token shall reach the client.

// A spoken function reports whether a line of the header is a session's token, or its removal.
type spoken func(name, line string) bool

// below is what the sessions below a visit have said, the last first. Most requests have none.
type below struct{ last atomic.Pointer[saying] }

type saying struct {
	spoken
	before *saying
}

func (b *below) add(f spoken) {
	for n := (&saying{spoken: f}); ; {
		if n.before = b.last.Load(); b.last.CompareAndSwap(n.before, n) {
			return
		}
	}
}

// said reports whether a line of the header is theirs.
func (b *below) said(name, line string) bool {
	for n := b.last.Load(); n != nil; n = n.before {
		if n.spoken(name, line) {
			return true
		}
	}
	return false
}

// of returns their lines in h, but for those that were found there.
func (b *below) of(h, found http.Header) (lines http.Header) {
	if b.last.Load() == nil {
		return nil
	}
	lines = make(http.Header)
	for name := range h {
		for _, line := range h[name] {
			if b.said(name, line) && !slices.Contains(found[name], line) {
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
			for c := carried; c != nil; c = c.next {
				if c.name == name && slices.Contains(c.put, line) {
					return true
				}
			}
			return false
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
