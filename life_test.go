package sojourn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/sojourn-go/sojourn/memstore"
)

// names for failures.
var (
	standingNames = [standings]string{"unread", "unreadable", "visiting", "departed", "torn", "ended", "settled", "moved", "refreshed", "renewed", "reissued", "issued"}
	turnNames     = [turnCount]string{"failed", "nothing", "ended", "shown", "moved", "torn", "issued", "reissued", "refreshed", "renewed", "left", "released", "told", "dropped"}
)

func in(t turn, list ...turn) bool { return slices.Contains(list, t) }

// reads are the turns by which a request learns something and does nothing.
func reads(t turn) bool {
	return in(t, turnFailed, turnNothing, turnEnded, turnShown, turnMoved, turnTorn)
}

// rules are what every step of the machine keeps to.
var rules = []struct {
	rule string
	ok   func(from standing, t turn, to standing) bool
}{
	{"nothing becomes unread again", func(_ standing, _ turn, to standing) bool { return to != unread }},
	{"only reading leaves unread, and it owes the client nothing that binds", func(from standing, t turn, to standing) bool {
		return from != unread || reads(t) && !to.binds()
	}},
	{"a read that fails says nothing, and nothing else makes a session unreadable", func(from standing, t turn, to standing) bool {
		return (t == turnFailed) == (to == unreadable) && (t != turnFailed || !from.known())
	}},
	{"a first read that succeeds answers what it found", func(from standing, t turn, to standing) bool {
		return from != unread || to.known() && to.holds() == in(t, turnShown, turnMoved) || t == turnFailed
	}},
	{"nothing more is read of a session that is not held", func(from standing, t turn, _ standing) bool {
		return !reads(t) || !from.known() || from.holds() || from == ended && t == turnEnded
	}},
	{"where nothing was found there is a visitor, and nothing is found only of what is not held", func(from standing, t turn, to standing) bool {
		return t != turnNothing || to == visiting && !from.known()
	}},
	{"what could not be read is known only by a sign-out or sign-in that looks again", func(from standing, t turn, to standing) bool {
		return from != unreadable || reads(t) && to == turns[unread][t]
	}},
	{"a record is held only after the store showed or acknowledged it", func(from standing, t turn, to standing) bool {
		return from.holds() || !to.holds() || t == turnIssued || !from.known() && in(t, turnShown, turnMoved)
	}},
	{"a held record stays held until it ends", func(from standing, t turn, to standing) bool {
		return !from.holds() || to.holds() != in(t, turnEnded, turnLeft, turnReleased)
	}},
	// L3
	{"a debt that binds is paid by telling, or by an end, or by the request that has renewed after this one", func(from standing, t turn, to standing) bool {
		return !from.binds() || to.binds() || in(t, turnTold, turnEnded, turnLeft, turnReleased) || from.shared() && t == turnDropped
	}},
	{"a debt of any kind is forgiven by the same, or because it is not sure enough", func(from standing, t turn, to standing) bool {
		return !from.owes() || to.owes() || in(t, turnTold, turnEnded, turnLeft, turnReleased, turnDropped)
	}},
	{"only a debt that other requests can pay is dropped", func(from standing, t turn, to standing) bool {
		return t != turnDropped || from.shared() && to.holds() && !to.owes()
	}},
	{"telling pays all, and changes nothing else", func(from standing, t turn, to standing) bool {
		return t != turnTold || from.owes() && !to.owes() && from.holds() == to.holds() && to != ended
	}},
	// L1
	{"reading alone never makes a debt that binds", func(from standing, t turn, to standing) bool {
		return !reads(t) || !to.binds() || from.binds()
	}},
	{"a record that is shown where it was looked for changes no debt", func(from standing, t turn, to standing) bool {
		return t != turnShown || to == from || !from.known() && !to.owes()
	}},
	{"a token that was led elsewhere is owed", func(_ standing, t turn, to standing) bool {
		return t != turnMoved || to.owes()
	}},
	{"a session that others can reach too is shared, unless this request has made it", func(from standing, t turn, to standing) bool {
		return !in(t, turnMoved, turnRefreshed, turnRenewed, turnReissued) || to.shared() || from == issued
	}},
	{"a session of this request's own is its own, whatever else happens to the record", func(from standing, t turn, to standing) bool {
		return from != issued || !to.shared()
	}},
	{"a token that only this request has stays so, whatever else happens to the record", func(from standing, t turn, to standing) bool {
		return !from.sole() || !to.holds() || to.sole() || in(t, turnTold, turnDropped)
	}},
	{"what this request makes is owed, and binds", func(_ standing, t turn, to standing) bool {
		return !in(t, turnIssued, turnReissued, turnRenewed) || to.holds() && to.binds()
	}},
	{"what nobody has asked for is owed, and binds no more than before", func(from standing, t turn, to standing) bool {
		return t != turnRefreshed || to.owes() && to.binds() == from.binds()
	}},
	{"a new record is nobody else's", func(_ standing, t turn, to standing) bool {
		return t != turnIssued || to == issued
	}},
	{"a token to which none leads is nobody else's", func(_ standing, t turn, to standing) bool {
		return t != turnReissued || to.sole()
	}},
	{"only a held record is rotated", func(from standing, t turn, _ standing) bool {
		return !in(t, turnRefreshed, turnRenewed, turnReissued) || from.holds()
	}},
	// L2, L6
	{"what has ended takes a cookie away by a sign-out only, and begins again by a sign-in only", func(from standing, t turn, to standing) bool {
		return from != ended || to == ended || t == turnIssued || t == turnLeft && to == departed
	}},
	{"an end that is found is no sign-out by this request", func(_ standing, t turn, to standing) bool {
		return t != turnEnded || to == ended
	}},
	{"a sign-out removes the client's token, unless that is not its own", func(from standing, t turn, to standing) bool {
		return t != turnLeft || to == departed || from == ended && to == ended
	}},
	{"a release leaves a visitor, who owes no more than before", func(from standing, t turn, to standing) bool {
		return t != turnReleased || to == from && !from.holds() || to == visiting && from.holds()
	}},
	{"signed out stays signed out but for a sign-in", func(from standing, t turn, to standing) bool {
		return from != departed || !to.holds() || t == turnIssued
	}},
}

func TestTurns(t *testing.T) {
	for from := range standings {
		for tn := range turnCount {
			to := turns[from][tn]
			if to == unread { // impossible: see TestTurnOfTheSession
				continue
			}
			for _, r := range rules {
				if !r.ok(from, tn, to) {
					t.Errorf("%s, when %s, becomes %s: %s", standingNames[from], turnNames[tn], standingNames[to], r.rule)
				}
			}
		}
	}
}

// No standing is out of reach, and no turn is good for nothing.
func TestTurnsReachAll(t *testing.T) {
	reached := map[standing]bool{unread: true}
	used := map[turn]bool{}
	for n := 0; n < len(reached); {
		n = len(reached)
		for from := range standings {
			for tn := range turnCount {
				if to := turns[from][tn]; reached[from] && to != unread {
					reached[to], used[tn] = true, true
				}
			}
		}
	}
	for s := range standings {
		if !reached[s] {
			t.Errorf("nothing leads to %s", standingNames[s])
		}
	}
	for tn := range turnCount {
		if !used[tn] {
			t.Errorf("%s never happens", turnNames[tn])
		}
	}
}

// What may happen at any time may happen in every standing: an end to what is held, a sign-in to
// and a sign-out of what is known. A record that could not be read can be put away.
func TestTurnsAreTotal(t *testing.T) {
	for s := range standings {
		for tn, always := range map[turn]bool{
			turnIssued: s.known(), turnReleased: s.known(), turnLeft: s.known(),
			turnEnded: s.holds() || s == ended, turnShown: s.holds(), turnMoved: s.holds(), turnReissued: s.holds(), turnRenewed: s.holds(),
			turnTold: s.owes(), turnDropped: s.shared(), turnNothing: s == unreadable,
		} {
			if always && turns[s][tn] == unread {
				t.Errorf("%s cannot be %s", standingNames[s], turnNames[tn])
			}
		}
	}
	for _, tn := range turnOf {
		if turns[unread][tn] == unread {
			t.Errorf("the first read cannot answer %s", turnNames[tn])
		}
	}
}

// The questions to a standing agree with each other.
func TestStandings(t *testing.T) {
	for s := range standings {
		for rule, ok := range map[string]bool{
			"holds, so known": !s.holds() || s.known(), "owes, so known": !s.owes() || s.known(),
			"binds, so owes": !s.binds() || s.owes(), "shared, so held and owed": !s.shared() || s.holds() && s.owes(),
		} {
			if !ok {
				t.Errorf("%s: not %q", standingNames[s], rule)
			}
		}
	}
}

// turn takes the table's way, keeps what is held and drops what is not, and panics where the table
// has none.
func TestTurnOfTheSession(t *testing.T) {
	m, err := New(memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	for from := range standings {
		for tn := range turnCount {
			name := fmt.Sprintf("%s, %s", standingNames[from], turnNames[tn])
			s := &Session{m: m, standing: from, reading: &reading{}}
			s.rec.User, s.secret.bearer, s.unsaved = "ada", true, true
			s.view.idle = 7
			s.ops = []op{func(*view) error { return nil }}
			panicked := func() (p bool) {
				defer func() { p = recover() != nil }()
				s.turn(tn)
				return false
			}()
			to := turns[from][tn]
			if panicked != (to == unread) {
				t.Errorf("%s: panic %v", name, panicked)
			}
			if panicked {
				if s.standing != from {
					t.Errorf("%s: the panic left %s", name, standingNames[s.standing])
				}
				continue
			}
			kept := s.rec.User == "ada" && s.secret.bearer && s.unsaved && s.view.idle == 7 && len(s.ops) == 1
			gone := s.rec.User == "" && s.secret == (secret{}) && !s.unsaved && s.view.idle == m.opts.Idle && s.ops == nil
			if s.standing != to || to.holds() && !kept || !to.holds() && !gone {
				t.Errorf("%s: %s, keeps what it held: %v, drops it: %v", name, standingNames[s.standing], kept, gone)
			}
		}
	}
	bare := &Session{m: m}
	bare.turn(turnFailed) // before anything was read
}

// L9: where a client can be told of a token, and why not.
func TestUnreachable(t *testing.T) {
	m, err := New(memstore.New(nil), &Options{Bearer: &BearerOptions{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, secure := range []bool{true, false} {
		for _, where := range []site{siteOwn, siteSignIn, siteRead} {
			for _, from := range []source{fromNowhere, fromCookie, fromBearer, fromCustom} {
				for st := stageOpen; st <= stageOver; st++ {
					r := httptest.NewRequest("POST", "https://example.com/", nil)
					if r.TLS = nil; secure {
						r.TLS = &tls.ConnectionState{}
					}
					s := &Session{stage: st, site: where}
					s.init(m, r)
					s.got.from = from
					var want error
					switch {
					case !secure:
						want = ErrInsecure
					case st != stageOpen && st != stageTold, from == fromBearer:
						want = ErrNoToken
					case where != siteOwn:
						want = ErrCrossSite
					}
					if got := s.unreachable(); !errors.Is(got, want) || (got == nil) != (want == nil) {
						t.Errorf("secure %v, site %d, source %d, stage %d: %v, want %v", secure, where, from, st, got, want)
					}
				}
			}
		}
	}
}
