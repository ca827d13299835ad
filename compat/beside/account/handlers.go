package main

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/sojourn-go/sojourn/compat/qsess"
	qctx "github.com/sojourn-go/sojourn/compat/qsess/qctxhr"
)

// form is what browsers send.
type form struct{ Email, Password, Old, Token, Keep string }

func (f *form) UnmarshalJSON(b []byte) error {
	type plain form
	return json.Unmarshal(b, (*plain)(f))
}

// page is what they get.
type page map[string]any

func (p page) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]any(p)) }

// userKey is the key of a user's record, and the user id of sessions. No address has a slash, so
// none is the beginning of another.
func userKey(email string) []byte {
	return append(append(bytes.Clone(tableUsers), strings.ToLower(email)...), '/')
}

func emailOf(key []byte) string { return strings.TrimSuffix(string(key[1:]), "/") }

// hash is quick, since no passwords of people are in here. The salt has 128 bits, as FIPS mode
// wants.
func hash(email, password string) string {
	salt := sha256.Sum256([]byte(strings.ToLower(email)))
	b, err := pbkdf2.Key(sha256.New, password, salt[:16], 10, 32)
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}

func (s *server) right(key []byte, password string) bool {
	stored, err := s.db.Get(key, nil)
	return err == nil && subtle.ConstantTimeCompare(stored, []byte(hash(emailOf(key), password))) == 1
}

func fail(c *qctx.Ctx, err error) bool {
	if err != nil {
		c.Error(err.Error(), http.StatusInternalServerError)
	}
	return err != nil
}

// mail saves a session and sends its token.
func (s *server) mail(c *qctx.Ctx, sess *qsess.Session, to, path string) bool {
	if fail(c, sess.Save(c.W)) {
		return false
	}
	token, _, err := sess.Token()
	return !fail(c, err) && !fail(c, s.send(to, path+token))
}

func (s *server) doSignup(c *qctx.Ctx) {
	var f form
	if !c.ReadJSON(&f) {
		return
	}
	if has, err := s.db.Has(userKey(f.Email), nil); fail(c, err) || has {
		if has {
			c.Error("there is such a user", http.StatusBadRequest)
		}
		return
	}
	sess := s.verify.NewSession(nil)
	*sess.Data.(*pending) = pending{Email: f.Email, Hash: hash(f.Email, f.Password)}
	if s.mail(c, sess, f.Email, "/verify/") {
		c.WriteJSON(page{"sent": f.Email})
	}
}

func (s *server) doVerify(c *qctx.Ctx) {
	sess, _, err := s.verify.GetTokenSession(c.Params.ByName("token"))
	if err != nil {
		c.Error("too late, or no token", http.StatusBadRequest)
		return
	}
	p := sess.Data.(*pending)
	if fail(c, s.db.Put(userKey(p.Email), []byte(p.Hash), nil)) || fail(c, sess.Delete(c.W)) {
		return
	}
	http.Redirect(c.W, c.R, "/welcome", http.StatusSeeOther)
}

func (s *server) doLogin(c *qctx.Ctx) {
	if old, _, err := s.login.GetSession(c.W, c.R); err == nil && fail(c, old.Delete(c.W)) {
		return
	}
	var f form
	if !c.ReadJSON(&f) {
		return
	}
	key := userKey(f.Email)
	if !s.right(key, f.Password) {
		c.Error("wrong address or password", http.StatusBadRequest)
		return
	}
	c.Sess = s.login.NewSession(key)
	if f.Keep != "" {
		c.Sess.MaxAgeSecs, c.Sess.MinRefreshSecs = 90*24*3600, 24*3600
	}
	if !fail(c, c.Sess.Save(c.W)) {
		c.WriteJSON(page{"user": emailOf(c.Sess.UserID())})
	}
}

func (s *server) doLogout(c *qctx.Ctx) {
	if !fail(c, c.Sess.Delete(c.W)) {
		c.WriteJSON(page{})
	}
}

func (s *server) doMe(c *qctx.Ctx) {
	visited, err := s.db.Has(append(bytes.Clone(tableVisits), c.Sess.UserID()[1:]...), nil)
	if !fail(c, err) {
		c.WriteJSON(page{"user": emailOf(c.Sess.UserID()), "maxAge": c.Sess.MaxAgeSecs, "visited": visited})
	}
}

func (s *server) doForgot(c *qctx.Ctx) {
	var f form
	if !c.ReadJSON(&f) {
		return
	}
	key := userKey(f.Email)
	if has, err := s.db.Has(key, nil); fail(c, err) || !has {
		if !has {
			c.Error("there is no such user", http.StatusBadRequest)
		}
		return
	}
	if s.mail(c, s.recovery.NewSession(key), f.Email, "/recover/") {
		c.WriteJSON(page{"sent": f.Email})
	}
}

// doRecover sets a new password and signs the user out everywhere.
func (s *server) doRecover(c *qctx.Ctx) {
	var f form
	if !c.ReadJSON(&f) {
		return
	}
	sess, _, err := s.recovery.GetTokenSession(f.Token)
	if err != nil {
		c.Error("too late, or no token", http.StatusBadRequest)
		return
	}
	key := sess.UserID()
	if fail(c, s.db.Put(key, []byte(hash(emailOf(key), f.Password)), nil)) ||
		fail(c, s.login.NewSession(key).DeleteByUserID(c.W)) || fail(c, sess.Delete(c.W)) {
		return
	}
	c.WriteJSON(page{})
}

// doPassword changes the password, signs the user out everywhere, and in again here.
func (s *server) doPassword(c *qctx.Ctx) {
	var f form
	if !c.ReadJSON(&f) {
		return
	}
	key := c.Sess.UserID()
	if !s.right(key, f.Old) {
		c.Error("wrong password", http.StatusBadRequest)
		return
	}
	if fail(c, s.db.Put(key, []byte(hash(emailOf(key), f.Password)), nil)) {
		return
	}
	again := s.login.NewSession(key)
	if fail(c, again.DeleteByUserID(c.W)) || fail(c, again.Save(c.W)) {
		return
	}
	c.WriteJSON(page{"user": emailOf(again.UserID())})
}

func (s *server) doEmail(c *qctx.Ctx) {
	var f form
	if !c.ReadJSON(&f) {
		return
	}
	if !s.right(c.Sess.UserID(), f.Password) {
		c.Error("wrong password", http.StatusBadRequest)
		return
	}
	sess := s.email.NewSession(nil)
	*sess.Data.(*pending) = pending{Email: f.Email, Old: emailOf(c.Sess.UserID()), Hash: hash(f.Email, f.Password)}
	if s.mail(c, sess, f.Email, "/email/") {
		c.WriteJSON(page{"sent": f.Email})
	}
}

// doEmailChange gives a user another key, which ends the sessions under the old one.
func (s *server) doEmailChange(c *qctx.Ctx) {
	sess, _, err := s.email.GetTokenSession(c.Params.ByName("token"))
	if err != nil {
		c.Error("too late, or no token", http.StatusBadRequest)
		return
	}
	p := sess.Data.(*pending)
	old := userKey(p.Old)
	if fail(c, s.db.Put(userKey(p.Email), []byte(p.Hash), nil)) || fail(c, s.db.Delete(old, nil)) ||
		fail(c, s.login.NewSession(old).DeleteByUserID(c.W)) || fail(c, sess.Delete(c.W)) {
		return
	}
	http.Redirect(c.W, c.R, "/changed", http.StatusSeeOther)
}

// doBackup shows the program's own tables.
func (s *server) doBackup(c *qctx.Ctx) {
	for _, table := range [][]byte{tableUsers, tableVisits} {
		it := s.db.NewIterator(util.BytesPrefix(table), nil)
		for it.Next() {
			fmt.Fprintf(c.W, "%d %s\n", table[0], emailOf(it.Key()))
		}
		it.Release()
		if fail(c, it.Error()) {
			return
		}
	}
}
