// Command account is an account server as programs have it that were written for the older library
// qsess: sign-up, change of address and lost passwords by tokens in e-mails, sign-in by cookie, and
// everything in one goleveldb database with numbered tables, the first of which is zero. The tests
// build it twice: as it stands, and with the older library's import paths, which are all that
// differs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/syndtr/goleveldb/leveldb"

	"github.com/sojourn-go/sojourn/compat/qsess"
	qctx "github.com/sojourn-go/sojourn/compat/qsess/qctxhr"
	"github.com/sojourn-go/sojourn/compat/qsess/qsldb"
)

// The tables: each key in the database begins with one of these.
var (
	tableLogin    = []byte{0}
	tableVerify   = []byte{1}
	tableEmail    = []byte{2}
	tableRecovery = []byte{3}
	tableUsers    = []byte{4}
	tableVisits   = []byte{5}
)

var keys = [][]byte{[]byte("the key that seals, of 32 bytes."), []byte("the one of before, of 32 bytes..")}

type server struct {
	db                             *leveldb.DB
	outbox                         string
	login, verify, email, recovery *qsess.Store
}

// pending is the data of sessions that wait for a click in an e-mail.
type pending struct{ Email, Hash, Old string }

func (p *pending) Marshal() ([]byte, error)    { return json.Marshal(p) }
func (p *pending) Unmarshal(data []byte) error { return json.Unmarshal(data, p) }

func newPending() qsess.SessData { return new(pending) }

func (s *server) openStores() error {
	for _, t := range []struct {
		st     **qsess.Store
		prefix []byte
		auth   string
		maxAge int
		data   func() qsess.SessData
	}{
		{&s.login, tableLogin, "cookie", 24 * 3600, nil},
		{&s.verify, tableVerify, "token", 3600, newPending},
		{&s.email, tableEmail, "token", 3600, newPending},
		{&s.recovery, tableRecovery, "token", 600, nil},
	} {
		st, err := qsldb.NewGldbStore(s.db, t.prefix, os.Stderr, keys...)
		if err != nil {
			return err
		}
		if st.AuthType, err = qsess.ParseAuthType(t.auth); err != nil {
			return err
		}
		st.MaxAgeSecs, st.NewSessData = t.maxAge, t.data
		*t.st = st
	}
	s.login.CookieName = "account"
	s.login.SessionSaved = s.visited
	return nil
}

func (s *server) stores() []*qsess.Store {
	return []*qsess.Store{s.login, s.verify, s.email, s.recovery}
}

// visited keeps when a user was last here. The user id is the key of table users; for a moment it
// is that of table visits, in place, as one real program has it.
func (s *server) visited(user []byte, at time.Time) error {
	user[0] = tableVisits[0]
	err := s.db.Put(user, []byte(at.UTC().Format(time.RFC3339)), nil)
	user[0] = tableUsers[0]
	return err
}

func (s *server) handler() http.Handler {
	all := qctx.MwStack(qctx.MwRecovery(os.Stderr, true, false), qctx.MwHeader("Content-Type", "text/plain; charset=utf-8"))
	members := all.Append(qctx.MwRequireSess(s.login))
	r := httprouter.New()
	r.POST("/signup", all.HRHandle(s.doSignup))
	r.GET("/verify/:token", all.HRHandle(s.doVerify))
	r.POST("/login", all.HRHandle(s.doLogin))
	r.POST("/logout", members.HRHandle(s.doLogout))
	r.POST("/me", members.HRHandle(s.doMe))
	r.POST("/forgot", all.HRHandle(s.doForgot))
	r.POST("/recover", all.HRHandle(s.doRecover))
	r.POST("/password", members.HRHandle(s.doPassword))
	r.POST("/email", members.HRHandle(s.doEmail))
	r.GET("/email/:token", all.HRHandle(s.doEmailChange))
	r.GET("/backup", qctx.Hr2Ctx(qctx.CtxHandlerFunc(s.doBackup)))
	return r
}

func run() error {
	if len(os.Args) != 3 {
		return errors.New("usage: account DATABASE OUTBOX, a directory and the file that e-mails are written to")
	}
	db, err := leveldb.OpenFile(os.Args[1], nil)
	if err != nil {
		return err
	}
	s := &server{db: db, outbox: os.Args[2]}
	if err := s.openStores(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr()) // for whoever started it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Handler: s.handler()}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	<-ctx.Done()
	if err := srv.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	for _, st := range s.stores() {
		st.PruneKill <- 1
	}
	return db.Close()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// send writes an e-mail.
func (s *server) send(to, link string) error {
	f, err := os.OpenFile(s.outbox, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s\n", to, strings.TrimSpace(link))
	return errors.Join(err, f.Close())
}
