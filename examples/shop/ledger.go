package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"sync"
	"time"
)

// account is a demo user. A real shop keeps a slow hash of the password, not the password, and shows
// it to nobody.
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

// ledger is the shop's database: what belongs to users and not to sessions. The zero ledger is empty.
type ledger struct {
	mu        sync.Mutex
	addresses map[string]string
	purchases map[string][]purchase
}

func (l *ledger) order(user string, b basket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.purchases == nil {
		l.purchases = map[string][]purchase{}
	}
	l.purchases[user] = append(l.purchases[user], purchase{time.Now(), b.lines(), b.total()})
}

// orders gives the user's orders, newest first.
func (l *ledger) orders(user string) []purchase {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.purchases[user])
	slices.Reverse(list)
	return list
}

func (l *ledger) address(user string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addresses[user]
}

func (l *ledger) setAddress(user, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addresses == nil {
		l.addresses = map[string]string{}
	}
	l.addresses[user] = address
}
