package sojourn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/internal/cookie"
)

// shared header values; net/http never writes into them.
var (
	noStore    = []string{"no-store"}
	varyCookie = []string{"Cookie"}
	varyBearer = []string{"Authorization"}
)

// writeHeader tells the client what it is owed, and caches about the response.
func (s *Session) writeHeader(ctx context.Context, h http.Header) error {
	if !s.standing.known() {
		return nil
	}
	if s.stage > stageTold {
		if s.standing.binds() && !s.told() {
			return ErrNoToken
		}
		return nil
	}
	s.vary(h)
	s.takeBack(h)
	if s.standing.owes() && s.site == siteOwn {
		if err := s.tellIfAble(ctx, h); err != nil {
			return err
		}
	}
	if s.form != nil {
		s.sendForm(h)
	}
	if s.stage == stageTold || s.form != nil || s.standing.holds() && !private(h["Cache-Control"]) {
		h["Cache-Control"] = noStore
	}
	return nil
}

// tellIfAble is tell, and where that fails with a debt that does not bind, the header is as it was:
// the client keeps what it has, which leads on.
func (s *Session) tellIfAble(ctx context.Context, h http.Header) error {
	if s.standing.binds() {
		err := s.tell(h)
		if err != nil {
			s.abandon(ctx)
		}
		return err
	}
	was := h.Clone()
	if err := s.tell(h); err != nil {
		clear(h)
		maps.Copy(h, was)
		s.carried = nil
		if !errors.As(err, new(*sealError)) { // else it was told
			s.event(ctx, SealFailed, "send", err)
		}
	}
	return nil
}

// abandon ends a session whose only token the client will not get.
func (s *Session) abandon(ctx context.Context) {
	if !s.standing.sole() {
		return
	}
	s.event(ctx, ChangeLost, "the client cannot be told of its session, which ends", nil)
	s.erase(ctx, s.rec.Key)
	s.turn(turnEnded)
}

// private reports whether the handler itself keeps shared caches from using its page unasked.
func private(cacheControl []string) bool {
	for _, line := range cacheControl {
		for d := range strings.SplitSeq(line, ",") {
			switch strings.ToLower(strings.TrimSpace(d)) {
			case "private", "no-store", "no-cache":
				return true
			}
		}
	}
	return false
}

// vary keeps shared caches from handing one visitor's page to another.
func (s *Session) vary(h http.Header) {
	if s.m.opts.Custom == nil {
		addVary(h, varyCookie)
	}
	if s.m.opts.Bearer != nil {
		addVary(h, varyBearer)
	}
}

func addVary(h http.Header, field []string) {
	have := h["Vary"]
	if have == nil {
		h["Vary"] = field[:1:1]
		return
	}
	for _, v := range have {
		if v == field[0] || v == "*" {
			return
		}
	}
	h["Vary"] = append(have[:len(have):len(have)], field[0])
}

func clearSiteData(types []string) string {
	out := ""
	for i, t := range types {
		if i > 0 {
			out += ", "
		}
		out += `"` + t + `"`
	}
	return out
}

// tell sends the client its token, or removes it.
func (s *Session) tell(h http.Header) (err error) {
	if s.got.from == fromBearer {
		s.turn(turnTold) // it cannot be told, and leads on
		return nil
	}
	if s.m.opts.Custom == nil {
		s.removeFormer(h) // before what follows, for clients that cannot tell them apart
	}
	if s.signedOut && s.rec.User == "" && s.m.https(s.r) && len(s.m.opts.ClearSiteData) > 0 {
		h["Clear-Site-Data"] = []string{clearSiteData(s.m.opts.ClearSiteData)}
	}
	switch {
	case !s.standing.holds():
		err = s.removeToken(h)
	case s.m.sealed != nil:
		err = s.writeSealed(h, s.cookieLife())
	default:
		err = s.writeToken(h)
	}
	if err != nil {
		return err
	}
	if s.got.from == fromNowhere {
		s.got.from = fromCookie // for a Logout that follows in this request: the client has a token now
	}
	s.tellAround()
	s.named, s.stage = true, max(s.stage, stageTold)
	if s.w == nil {
		s.turn(turnTold) // whoever asked for it sends it
	}
	return nil
}

// told reports whether the header has what the response owes. An upgrade does not begin before.
func (s *Session) told() bool {
	return s.stage == stageUpgrading || s.stage == stageTold && s.named
}

// persistent reports whether the browser keeps the cookie when it closes.
func (s *Session) persistent() bool { return s.facts.Remembered || s.m.opts.Cookie.Persistent }

// cookieLife is how long the browser keeps the cookie; 0 until it closes.
func (s *Session) cookieLife() time.Duration {
	if !s.persistent() {
		return 0
	}
	life := cookie.MaxAge
	if s.rec.Lifetime > 0 {
		life = max(time.Second, s.rec.Created.Add(s.rec.Lifetime).Sub(s.storeNow()))
	}
	if most := s.m.opts.Cookie.MaxAge; most > 0 {
		life = min(life, most)
	}
	return life
}

func (s *Session) writeToken(h http.Header) error {
	text, err := s.m.sealToken(s.ticket())
	if err != nil {
		return s.sealFailed("seal token", err)
	}
	if c := s.m.opts.Custom; c != nil {
		own := text // newToken keeps its address
		life := s.left()
		if s.rec.Expires().IsZero() {
			life = 0
		}
		return s.custom(h, func() error { return c.Send(h, newToken(own), life) })
	}
	s.m.jar.Set(h, s.m.https(s.r), s.m.jar.Name, text, s.cookieLife())
	return nil
}

// seals reports whether a token could be sealed now, and tells of it where it could not: a renewal
// that nobody asked for waits until then. A KeyRing never fails.
func (s *Session) seals() bool {
	if _, ring := s.m.keys.(*KeyRing); ring {
		return true
	}
	_, err := s.m.sealToken(s.ticket())
	if err != nil {
		_ = s.sealFailed("seal token", err)
	}
	return err == nil
}

// A sealError is the failure of the program's own Sealer, which is not the store's.
type sealError struct {
	act string
	err error
}

func (e *sealError) Error() string { return fmt.Sprintf("sojourn: %s: %v", e.act, e.err) }
func (e *sealError) Unwrap() error { return e.err }

// sealFailed tells of it.
func (s *Session) sealFailed(act string, err error) error {
	s.event(s.r.Context(), SealFailed, act, err)
	return &sealError{act, err}
}

func (s *Session) removeToken(h http.Header) error {
	if c := s.m.opts.Custom; c != nil {
		return s.custom(h, func() error { return c.Delete(h) })
	}
	s.m.jar.Set(h, s.m.https(s.r), s.m.jar.Name, "", cookie.Remove)
	s.removeChunks(h, 1)
	return nil
}

// Token returns the session's present token, for programs that send it themselves; zero if the
// session has no record. A custom transport's Send gets it too. Errors: the Sealer's.
func (s *Session) Token() (Token, error) {
	s.ready()
	defer s.mu.Unlock()
	if !s.standing.holds() || s.m.sealed != nil {
		return Token{}, nil
	}
	seal := s.m.sealToken
	if s.secret.bearer {
		seal = s.m.sealBearer
	}
	text, err := seal(s.ticket())
	if err != nil {
		return Token{}, s.sealFailed("seal token", err)
	}
	return newToken(text), nil
}

// restoreHeader takes back what the handler said about a page that will not be sent: h is as it was
// found. What is said of the site stays, and so do the tokens of other managers' sessions: their
// acts have succeeded.
func (v *visit) restoreHeader(h http.Header) {
	tokens := v.below.of(h, v.found)
	for name := range h {
		switch name {
		case "Strict-Transport-Security", "Content-Security-Policy":
		default:
			delete(h, name)
		}
	}
	maps.Copy(h, v.found)
	for name, lines := range tokens {
		h[name] = append(slices.Clip(h[name]), lines...)
		h["Cache-Control"] = noStore
	}
}

// takeBack drops the session's token from a header that has it from an earlier Commit or Save: if
// the session has ended or gone on since, a dead token shall not take the place of what the client
// has.
func (s *Session) takeBack(h http.Header) {
	if s.stage != stageTold || s.w == nil && s.standing != ended {
		return
	}
	s.undo(h)
	if all := clearSiteData(s.m.opts.ClearSiteData); s.signedOut && s.standing.holds() && slices.Equal(h["Clear-Site-Data"], []string{all}) {
		delete(h, "Clear-Site-Data") // it would take the new session's cookie along
	}
	if s.m.opts.Custom != nil || len(h["Set-Cookie"]) == 0 {
		return
	}
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], s.m.jar.Sets)
	if len(h["Set-Cookie"]) == 0 {
		delete(h, "Set-Cookie")
	}
}

// A change is what a custom transport did to one field of the header.
type change struct {
	name      string
	took, put []string
	next      *change
}

// custom runs f, which is a custom transport's, and notes what it changes.
func (s *Session) custom(h http.Header, f func() error) error {
	before := h.Clone()
	s.undo(before) // if it has run before, both are one change
	err := f()
	s.carried = nil
	for name, lines := range h {
		if !slices.Equal(before[name], lines) {
			s.carried = &change{name, without(before[name], lines), without(lines, before[name]), s.carried}
		}
	}
	return err
}

// undo takes back what a custom transport has put into h, where it still is.
func (s *Session) undo(h http.Header) {
	for c := s.carried; c != nil; c = c.next {
		left := without(h[c.name], c.put)
		if len(left) == len(h[c.name]) {
			continue
		}
		if left = append(left, c.took...); len(left) == 0 {
			delete(h, c.name)
		} else {
			h[c.name] = left
		}
	}
}

// without returns a copy of lines without those.
func without(lines, those []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return slices.Contains(those, l) })
}
