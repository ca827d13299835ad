package explore

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn"
)

// The values that a session of a run holds.
var (
	logValue  = sojourn.NewValue[string]("log")  // the ids of increments, in order
	noteValue = sojourn.NewValue[string]("note") // the id of the last set
	codeValue = sojourn.NewValue[string]("code") // a one-time code
	said      = sojourn.NewFlash[string]("said") // ids of messages
)

// What a prepared session holds.
const (
	startID  = "start"
	theCode  = "once"
	ada, bob = "ada", "bob"
)

// aim says what an act is for, which is what the judge knows of it.
type aim byte

const (
	toRead   aim = iota
	toIncr       // append an id to the log
	toSet        // set the note to an id
	toTake       // take the code
	toSay        // add a message
	toHear       // take the messages
	toCommit     // an explicit Commit
	toLogin
	toLogout
	toRenew
	toRevokeOthers
	toRevokeUser // Manager.RevokeUser
	toRevokeOne  // Manager.Revoke
	toVerify     // check the CSRF token of the last form
	toSend       // write the response's first byte
	toPanic
	toOther
)

// identity reports whether the act is one on identity whose token the response owes.
func (a aim) identity() bool { return a == toLogin || a == toRenew || a == toRevokeOthers }

// An act is one thing that a handler does.
type act struct {
	name string
	aim  aim
	user string // of a login or a revocation
	keep bool   // a login that keeps the visitor's values
	do   func(v *visit, d *deed) error
}

// visit is one request inside its handler.
type visit struct {
	q *request
	m *sojourn.Manager
	w http.ResponseWriter
	r *http.Request
}

// onSession makes an act of one that needs the loaded session.
func onSession(f func(s *sojourn.Session, d *deed) error) func(*visit, *deed) error {
	return func(v *visit, d *deed) error {
		s, err := v.m.Load(v.r)
		if err != nil {
			return err
		}
		return f(s, d)
	}
}

func read(s *sojourn.Session, d *deed) error {
	d.saw = s.User()
	d.values = values{logValue.Name(): logValue.Get(s), noteValue.Name(): noteValue.Get(s)}
	return nil
}

func incr(s *sojourn.Session, d *deed) error {
	return logValue.Update(s, func(l *string) error {
		*l = strings.TrimLeft(*l+" "+d.id, " ")
		return nil
	})
}

func take(s *sojourn.Session, d *deed) error {
	if code, ok := codeValue.Take(s); ok {
		d.got = append(d.got, code)
	}
	return nil
}

func login(user string, opts ...sojourn.LoginOption) func(*visit, *deed) error {
	return func(v *visit, _ *deed) error { return v.m.From(v.r).Login(v.r.Context(), user, opts...) }
}

func rest(d time.Duration) func(*visit, *deed) error {
	return func(v *visit, _ *deed) error { v.q.rest(d); return nil }
}

// errScripted is what scripts panic with.
var errScripted = errors.New("scripted panic")

func panics(err error) act {
	return act{name: fmt.Sprintf("panic(%v)", err), aim: toPanic, do: func(*visit, *deed) error { panic(err) }}
}

// The acts.
var (
	aRead = act{name: "read", aim: toRead, do: onSession(read)}
	aIncr = act{name: "increment", aim: toIncr, do: onSession(incr)}
	aSet  = act{name: "set", aim: toSet, do: onSession(func(s *sojourn.Session, d *deed) error { return noteValue.Set(s, d.id) })}
	aTake = act{name: "take the code", aim: toTake, do: onSession(take)}
	aSay  = act{name: "add a flash", aim: toSay, do: onSession(func(s *sojourn.Session, d *deed) error { return said.Add(s, d.id) })}
	aHear = act{name: "take flashes", aim: toHear, do: onSession(func(s *sojourn.Session, d *deed) error { d.got = said.Take(s); return nil })}
	aPeek = act{name: "peek", aim: toOther, do: func(v *visit, _ *deed) error { v.m.From(v.r).Peek(); return nil }}

	aForm = act{name: "render a form", aim: toOther, do: onSession(func(s *sojourn.Session, d *deed) error { d.form = s.CSRFToken(); return nil })}
	aPost = act{name: "verify the form", aim: toVerify, do: func(v *visit, d *deed) error {
		s, err := v.m.Load(v.r)
		if err == nil && v.q.form != "" {
			err = s.VerifyCSRF(v.q.form)
		}
		return err
	}}

	aCommit = act{name: "Commit", aim: toCommit, do: func(v *visit, _ *deed) error {
		_, err := v.m.From(v.r).Commit(v.r.Context())
		return err
	}}
	aSend = act{name: "write the first byte", aim: toSend, do: func(v *visit, _ *deed) error {
		if _, err := v.w.Write([]byte("<")); err != nil {
			return err
		}
		return http.NewResponseController(v.w).Flush()
	}}
	aPublic = act{name: "Cache-Control: public", aim: toOther, do: func(v *visit, _ *deed) error {
		v.w.Header().Set("Cache-Control", "public, max-age=600")
		return nil
	}}
	aSleep = act{name: "work for 12 minutes", aim: toOther, do: rest(12 * time.Minute)}
	aThree = act{name: "work for 3 minutes", aim: toOther, do: rest(3 * time.Minute)}

	aAda      = act{name: "Login(ada)", aim: toLogin, user: ada, do: login(ada)}
	aBob      = act{name: "Login(bob)", aim: toLogin, user: bob, do: login(bob)}
	aKeep     = act{name: "Login(ada, Keep)", aim: toLogin, user: ada, keep: true, do: login(ada, sojourn.Keep(logValue, codeValue))}
	aKeepAll  = act{name: "Login(ada, KeepAll)", aim: toLogin, user: ada, keep: true, do: login(ada, sojourn.KeepAll())}
	aRemember = act{name: "Login(ada, Remember)", aim: toLogin, user: ada, do: login(ada, sojourn.Remember(7*24*time.Hour))}
	aLogout   = act{name: "Logout", aim: toLogout, do: func(v *visit, _ *deed) error { return v.m.From(v.r).Logout(v.r.Context()) }}
	aRenew    = act{name: "Renew", aim: toRenew, do: func(v *visit, _ *deed) error { return v.m.From(v.r).Renew(v.r.Context()) }}
	aOthers   = act{name: "RevokeOthers", aim: toRevokeOthers, user: ada, do: func(v *visit, _ *deed) error {
		_, err := v.m.From(v.r).RevokeOthers(v.r.Context())
		return err
	}}
	aRevokeAda = act{name: "RevokeUser(ada)", aim: toRevokeUser, user: ada, do: func(v *visit, _ *deed) error {
		_, err := v.m.RevokeUser(v.r.Context(), ada)
		return err
	}}
	aRevokeOne = act{name: "Revoke(ada, the session)", aim: toRevokeOne, user: ada, do: func(v *visit, _ *deed) error {
		return v.m.Revoke(v.r.Context(), ada, v.q.run.handle)
	}}
)

// A script is what one request's handler does: its acts in order until one fails, and then an error
// page, or at the end a page.
type script struct {
	name     string
	acts     []act
	stubborn bool // goes on after a failed act
	rescued  bool // a recoverer stands around the manager's handler and answers panics
	stranger bool // comes without this browser's cookie
	cross    bool // is a cross-site POST, to which browsers add no cookie
	refused  bool // to a route that is not made for that
	plain    bool // is tried in every situation
	slow     bool // only in the situations that are about time
}

// scripts are all that are explored, by subject.
var scripts = []*script{
	// data
	{name: "read", acts: []act{aRead}, plain: true},
	{name: "peek", acts: []act{aPeek, aRead}},
	{name: "incr", acts: []act{aIncr}, plain: true},
	{name: "set", acts: []act{aSet}},
	{name: "take", acts: []act{aTake}, plain: true},
	{name: "say", acts: []act{aSay}},
	{name: "hear", acts: []act{aHear}},
	{name: "incr-commit", acts: []act{aIncr, aCommit}, plain: true},

	// identity
	{name: "ada", acts: []act{aAda}, plain: true},
	{name: "bob", acts: []act{aBob}, plain: true},
	{name: "keep", acts: []act{aKeep}},
	{name: "keepall", acts: []act{aKeepAll}, plain: true},
	{name: "remember", acts: []act{aRemember}},
	{name: "logout", acts: []act{aLogout}, plain: true},
	{name: "renew", acts: []act{aRenew}, plain: true},
	{name: "others", acts: []act{aOthers}, plain: true},

	// identity and data
	{name: "ada-incr", acts: []act{aAda, aIncr}, plain: true},
	{name: "keep-incr", acts: []act{aKeep, aIncr}},
	{name: "bob-set", acts: []act{aBob, aSet}},
	{name: "incr-keepall", acts: []act{aIncr, aKeepAll}},
	{name: "take-keep", acts: []act{aTake, aKeep}},
	{name: "renew-incr", acts: []act{aRenew, aIncr}},
	{name: "others-incr", acts: []act{aOthers, aIncr}},
	{name: "bob-or-incr", acts: []act{aBob, aIncr}, stubborn: true},
	{name: "logout-bob", acts: []act{aLogout, aBob}},
	{name: "bob-logout", acts: []act{aBob, aLogout}},
	{name: "ada-commit", acts: []act{aAda, aCommit}},
	{name: "renew-commit", acts: []act{aRenew, aCommit}},
	{name: "logout-commit-public", acts: []act{aLogout, aCommit, aPublic}},
	{name: "revoke-ada", acts: []act{aRevokeAda, aAda}},

	// from outside
	{name: "admin", acts: []act{aRevokeAda}, stranger: true, plain: true},
	{name: "cross-set", acts: []act{aSet}, cross: true},
	{name: "cross-bob", acts: []act{aBob}, cross: true},
	{name: "cross-refused", acts: []act{aSet}, cross: true, refused: true},
	{name: "admin-one", acts: []act{aRevokeOne}, stranger: true},

	// forms
	{name: "form", acts: []act{aForm}},
	{name: "post", acts: []act{aPost}},

	// after the first byte
	{name: "late-incr", acts: []act{aRead, aSend, aIncr}, plain: true},
	{name: "late-commit", acts: []act{aRead, aSend, aSet, aCommit}},
	{name: "late-ada", acts: []act{aSend, aAda}},
	{name: "late-logout", acts: []act{aRead, aSend, aLogout, aCommit}},

	// panics
	{name: "incr-panic", acts: []act{aIncr, panics(errScripted)}, rescued: true},
	{name: "bob-panic", acts: []act{aBob, panics(errScripted)}, rescued: true, plain: true},
	{name: "ada-incr-panic", acts: []act{aAda, aIncr, panics(errScripted)}, rescued: true},
	{name: "bob-abort", acts: []act{aBob, panics(http.ErrAbortHandler)}},
	{name: "ada-die", acts: []act{aAda, panics(errScripted)}},
	{name: "renew-abort", acts: []act{aRenew, panics(http.ErrAbortHandler)}},
	{name: "bob-send-panic", acts: []act{aBob, aSend, panics(errScripted)}, rescued: true},

	// long requests
	{name: "read-3min", acts: []act{aRead, aThree}, slow: true},
	{name: "incr-3min", acts: []act{aRead, aThree, aIncr}, slow: true},
	{name: "incr-12min", acts: []act{aRead, aSleep, aIncr}, slow: true},
	{name: "renew-commit-3min", acts: []act{aRenew, aCommit, aThree}, slow: true},
	{name: "incr-commit-3min", acts: []act{aIncr, aCommit, aThree}, slow: true},
	{name: "ada-commit-3min", acts: []act{aAda, aCommit, aThree}, slow: true},
	{name: "renew-incr-12min", acts: []act{aRenew, aSleep, aIncr}, slow: true},
}

func scriptNamed(name string) *script {
	for _, s := range scripts {
		if s.name == name {
			return s
		}
	}
	return nil
}
