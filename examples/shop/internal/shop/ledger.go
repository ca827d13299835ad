package shop

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// account is a demo user. A real shop keeps a slow hash of the password, not the password, and
// shows it to nobody.
type account struct{ ID, Name, Password string }

var accounts = []account{
	{"ada", "Ada", "bernoulli"},
	{"grace", "Grace", "flow-matic"},
	{"barbara", "Barbara", "substitute"},
}

// checkPassword takes the same time for unknown users.
func checkPassword(user, password string) bool {
	i := slices.IndexFunc(accounts, func(a account) bool { return a.ID == user })
	want := sha256.Sum256(nil)
	if i >= 0 {
		want = sha256.Sum256([]byte(accounts[i].Password))
	}
	got := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && i >= 0
}

// purchase is one order.
type purchase struct {
	At    time.Time
	Lines []line
	Total int
}

// ledger is the shop's database: what belongs to users and not to sessions. It is a file with a
// line of JSON for each event, to which several processes append. A real shop has a real database.
type ledger struct{ path string }

// event is one line of the ledger.
type event struct {
	User    string
	Address *string   `json:",omitempty"` // the user's new address
	Order   *purchase `json:",omitempty"`
}

// add appends an event with one write, so that lines of several processes do not mix.
func (l ledger) add(e event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

func (l ledger) order(user string, b basket) error {
	return l.add(event{User: user, Order: &purchase{time.Now(), b.lines(), b.total()}})
}

func (l ledger) setAddress(user, address string) error {
	return l.add(event{User: user, Address: &address})
}

// of gives the user's address and orders, newest first.
func (l ledger) of(user string) (address string, orders []purchase, err error) {
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var e event
		err := d.Decode(&e)
		switch {
		case errors.Is(err, io.EOF):
			slices.Reverse(orders)
			return address, orders, nil
		case err != nil:
			return "", nil, fmt.Errorf("ledger %s: %w", l.path, err)
		case e.User != user:
		case e.Address != nil:
			address = *e.Address
		case e.Order != nil:
			orders = append(orders, *e.Order)
		}
	}
}
