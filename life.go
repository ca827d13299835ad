package sojourn

import "fmt"

// The life of a request's session is one machine. Its state is a standing: what the request knows
// of the session together with what its response owes the client. turns lists every step from one
// standing to another; there is no other way to change one. docs/design.md draws the picture.
type standing uint8

const (
	// unread: the store was not asked yet.
	unread standing = iota
	// unreadable: the store could not answer, or the request was refused. Nothing is known.
	unreadable
	// visiting: there is no session. The first value that is kept begins one.
	visiting
	// departed: this request signed the session out. The response owes the removal of the token.
	departed
	// torn: the client has the tokens of two live sessions, or more tokens than are looked at, and
	// no telling which the user meant. It is nobody's request. The response should take both away,
	// so that the next sign-in works.
	torn
	// ended: the session ended, or went on without this token, while the client may have sent other
	// requests. None begins in its place: its cookie could replace a newer one.
	ended
	// settled: the request holds a live record, and the client its token.
	settled
	// moved: the request holds a live record, and the client may have an older token that leads to
	// it, or a second cookie. The response should name the present one, if it still is that.
	moved
	// refreshed: this request has renewed the token, and nobody asked for it. The response should
	// name the new one; where it cannot, the old one leads on for RenewGraceMost.
	refreshed
	// renewed: so it has, by an act of the program. The response owes the new token.
	renewed
	// reissued: this request has given the session, of which others know, a token to which the old
	// one does not lead. Nobody else knows the token, and the response owes it.
	reissued
	// issued: this request made the record. Nobody else knows it or its token, and the response
	// owes that. Another sign-in of the user may evict it all the same; see contested.
	issued

	standings
)

// holds reports whether the request holds a live record.
func (s standing) holds() bool { return s >= settled }

// known reports whether the store, or the absence of a token, has said what there is.
func (s standing) known() bool { return s >= visiting }

// shared reports whether the response owes a token of a session that other requests can reach as
// well, and so may have moved on or ended by now.
func (s standing) shared() bool { return s >= moved && s < issued }

// sole reports whether only this request has the token of the session that it holds.
func (s standing) sole() bool { return s == reissued || s == issued }

// owes reports whether the response must change what the client holds.
func (s standing) owes() bool { return s == departed || s == torn || s >= moved }

// binds reports whether it must do so even if the request fails: an act that succeeded shall reach
// the client.
func (s standing) binds() bool { return s == departed || s >= renewed }

// A turn is what happens to a session.
type turn uint8

const (
	turnFailed    turn = iota // reading it failed
	turnNothing               // no record was found, and no trace of one
	turnEnded                 // it was found to have ended
	turnShown                 // its record was read under the token that is known
	turnMoved                 // its record was read under another token, or several cookies came
	turnTorn                  // live records of two sessions were read under the request's tokens
	turnIssued                // the store acknowledged a record of this request's
	turnReissued              // the store acknowledged a rotation to a token to which none leads
	turnRefreshed             // the store acknowledged a renewal that nobody asked for
	turnRenewed               // … or one that was, or there are enough: see tooFar
	turnLeft                  // this request ended it, and the client holds a token
	turnReleased              // this request ended it, and nothing can or need be said to the client
	turnTold                  // the header has what was owed, and leaves
	turnDropped               // the present token was not sure enough to be sent

	turnCount
)

// turns is the machine. An entry of unread cannot happen.
var turns = [standings][turnCount]standing{
	unread: {
		turnFailed: unreadable, turnNothing: visiting, turnEnded: ended, turnShown: settled, turnMoved: moved,
		turnTorn: torn,
	},
	unreadable: { // a sign-out or sign-in has believed a record from the future
		turnFailed: unreadable, turnNothing: visiting, turnEnded: ended, turnShown: settled, turnMoved: moved,
		turnTorn: torn,
	},
	visiting: {turnIssued: issued, turnLeft: departed, turnReleased: visiting},
	departed: {turnIssued: issued, turnLeft: departed, turnReleased: departed, turnTold: visiting},
	torn:     {turnIssued: issued, turnLeft: departed, turnReleased: torn, turnTold: visiting},
	ended:    {turnIssued: issued, turnEnded: ended, turnLeft: departed, turnReleased: ended},
	settled: {
		turnEnded: ended, turnShown: settled, turnMoved: moved, turnIssued: issued, turnReissued: reissued,
		turnRefreshed: refreshed, turnRenewed: renewed, turnLeft: departed, turnReleased: visiting,
	},
	moved: {
		turnEnded: ended, turnShown: moved, turnMoved: moved, turnIssued: issued, turnReissued: reissued,
		turnRefreshed: refreshed, turnRenewed: renewed, turnLeft: departed, turnReleased: visiting, turnTold: settled,
		turnDropped: settled,
	},
	refreshed: {
		turnEnded: ended, turnShown: refreshed, turnMoved: refreshed, turnIssued: issued, turnReissued: reissued,
		turnRefreshed: refreshed, turnRenewed: renewed, turnLeft: departed, turnReleased: visiting, turnTold: settled,
		turnDropped: settled,
	},
	renewed: {
		turnEnded: ended, turnShown: renewed, turnMoved: renewed, turnIssued: issued, turnReissued: reissued,
		turnRefreshed: renewed, turnRenewed: renewed, turnLeft: departed, turnReleased: visiting, turnTold: settled,
		turnDropped: settled,
	},
	reissued: {
		turnEnded: ended, turnShown: reissued, turnMoved: reissued, turnIssued: issued, turnReissued: reissued,
		turnRefreshed: reissued, turnRenewed: reissued, turnLeft: departed, turnReleased: visiting, turnTold: settled,
		turnDropped: settled,
	},
	issued: {
		turnEnded: ended, turnShown: issued, turnMoved: issued, turnIssued: issued, turnReissued: issued,
		turnRefreshed: issued, turnRenewed: issued, turnLeft: departed, turnReleased: visiting, turnTold: settled,
	},
}

// turn moves the session on. It panics where the table has no entry: a defect of this package.
func (s *Session) turn(t turn) {
	next := turns[s.standing][t]
	if next == unread {
		panic(fmt.Sprintf("sojourn: defect: turn %d of a session in standing %d", t, s.standing))
	}
	s.standing = next
	s.named = s.named && t == turnShown // else something else is owed
	if !next.holds() {
		s.vacate()
	}
}

// A stage says how far the response is. Only in the first two can the client be told of a token.
type stage uint8

const (
	stageOpen      stage = iota // the header can be changed
	stageTold                   // … and it has had the session's cookie, by an earlier Commit
	stageUpgrading              // the connection is about to be taken over: the header may never leave
	stageSent                   // the header is gone
	stageOver                   // the handler has returned, or an error page replaced its own
)

// unreachable returns why the client could not be told of a new token; nil if it could. Errors:
// [ErrInsecure], [ErrNoToken], [ErrCrossSite].
func (s *Session) unreachable() error {
	switch {
	case !s.m.secure(s.r):
		return ErrInsecure
	case s.stage > stageTold:
		return ErrNoToken
	case s.got.from == fromBearer && s.standing.holds():
		return errBearer
	case s.got.from == fromBearer:
		return &deadBearer{s.challenge("invalid_token")}
	case s.site != siteOwn:
		return errWithheld
	}
	return nil
}
