package qsess

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn"
)

// GetSession finds the request's session by its cookie or token, and tells for how many seconds it
// will live if it is not saved again. It writes nothing, to the database or to w. Errors:
// [ErrNoSession] if the request has no live session; outages; sojourn.ErrAmbiguous if it carries
// two; sojourn.ErrCorrupt and sojourn.ErrDecode if what is stored cannot be read.
func (st *Store) GetSession(w http.ResponseWriter, r *http.Request) (s *Session, timeToLiveSecs int, e error) {
	var room [maxCookies]string
	tokens, err := st.tokens(w, r, room[:0])
	if err != nil {
		return nil, 0, fail("get session", err)
	}
	for _, t := range tokens {
		found, ttl, err := st.load(r.Context(), t)
		switch {
		case errors.Is(err, ErrNoSession): // a cookie of somebody else's that has the same name
		case err != nil:
			return nil, 0, fail("get session", err)
		case s != nil:
			return nil, 0, fail("get session", sojourn.ErrAmbiguous)
		default:
			s, timeToLiveSecs = found, ttl
		}
	}
	if s == nil {
		return nil, 0, fail("get session", ErrNoSession)
	}
	return s, timeToLiveSecs, nil
}

// GetTokenSession is [Store.GetSession] for a token, or for a cookie's value. Errors: those of
// GetSession.
func (st *Store) GetTokenSession(token string) (s *Session, timeToLiveSecs int, e error) {
	s, ttl, err := st.load(context.Background(), token)
	return s, ttl, fail("get session", err)
}

func (st *Store) load(ctx context.Context, token string) (*Session, int, error) {
	if token == "" {
		return nil, 0, ErrNoSession
	}
	eng, err := st.engine()
	if err != nil {
		return nil, 0, err
	}
	var one struct { // allocation for both
		s Session
		t ticket
	}
	s, t := &one.s, &one.t
	t.token = token
	userID, c, ttl, err := eng.load(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	st.begin(s)
	if err := s.Data.Unmarshal(c.data); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", sojourn.ErrDecode, err)
	}
	s.MaxAgeSecs, s.MinRefreshSecs = c.maxAge, c.minRefresh
	s.userID, s.ticket, s.base, s.ctx = []byte(userID), t, c, ctx
	s.remember()
	return s, ttl, nil
}

// maxCookies bounds how many cookies of one name are looked at.
const maxCookies = 4

// tokens appends what the request carries to list, which is empty.
func (st *Store) tokens(w http.ResponseWriter, r *http.Request, list []string) ([]string, error) {
	switch {
	case st.AuthType == CookieAuth:
		return cookieValues(list, r.Header, st.CookieName), nil
	case st.AuthType != TokenAuth:
		return nil, badConfig("AuthType is %v", st.AuthType)
	case st.GetToken != nil:
		t, err := st.GetToken(w, r)
		if err != nil && !sojourn.IsOutage(err) {
			err = fmt.Errorf("%w: %w", ErrNoSession, err)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	default:
		lines := r.Header.Values("Authorization")
		if len(lines) > 1 {
			return nil, sojourn.ErrAmbiguous
		}
		if scheme, t, ok := strings.Cut(strings.Join(lines, ""), " "); ok && strings.EqualFold(scheme, "Bearer") {
			list = append(list, strings.TrimSpace(t))
		}
	}
	return list, nil
}

// space is what net/http takes for it in headers.
const space = " \t\r\n"

// cookieValues appends the different values of the cookies of that name to list, maxCookies at
// most. It is what http.Request.CookiesNamed finds, but allocates nothing: each request comes here.
// A value that is not one for net/http is none of ours, and opens nothing.
func cookieValues(list []string, h http.Header, name string) []string {
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, value, _ := strings.Cut(strings.Trim(pair, space), "=")
			if strings.TrimRight(key, space) != name || len(list) == maxCookies {
				continue
			}
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			if !slices.Contains(list, value) {
				list = append(list, value)
			}
		}
	}
	return list
}

// send gives the client its token.
func (s *Session) send(w http.ResponseWriter) error {
	st := s.store
	if st.AuthType == CookieAuth {
		c := st.cookie(s.ticket.token)
		c.MaxAge = s.MaxAgeSecs // and no Expires, which is by the client's clock
		setCookie(w.Header(), c)
		return nil
	}
	if st.SendToken == nil {
		return nil
	}
	return st.SendToken(s.ticket.token, s.MaxAgeSecs, w)
}

// unsend takes it away.
func (s *Session) unsend(w http.ResponseWriter) error {
	st := s.store
	if st.AuthType == CookieAuth {
		c := st.cookie("")
		c.MaxAge, c.Expires = -1, time.Unix(1, 0)
		setCookie(w.Header(), c)
		return nil
	}
	if st.DeleteToken == nil {
		return nil
	}
	return st.DeleteToken(w)
}

func (st *Store) cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name: st.CookieName, Value: value, Path: st.CookiePath, Domain: st.CookieDomain,
		Secure: st.CookieSecure, HttpOnly: st.CookieHTTPOnly, SameSite: st.CookieSameSite,
	}
}

// checkCookie finds what net/http would drop without a word.
func (st *Store) checkCookie() error {
	switch st.AuthType {
	case CookieAuth:
		if err := st.cookie("x").Valid(); err != nil {
			return badConfig("cookie: %w", err)
		}
	case TokenAuth:
	default:
		return badConfig("AuthType is %v", st.AuthType)
	}
	return nil
}

// setCookie adds c in place of any other of its name, and keeps caches from handing it to somebody
// else.
func setCookie(h http.Header, c *http.Cookie) {
	lines := h["Set-Cookie"]
	same := func(line string) bool {
		return strings.HasPrefix(line, c.Name) && strings.HasPrefix(line[len(c.Name):], "=")
	}
	if slices.ContainsFunc(lines, same) {
		lines = slices.DeleteFunc(slices.Clone(lines), same)
	}
	h["Set-Cookie"] = append(lines, c.String())
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
}
