package kvtest

import (
	"errors"
	"sync"

	"github.com/sojourn-go/sojourn/kvstore"
	"github.com/sojourn-go/sojourn/store"
)

// Damager damages records for storetest, of stores without a prefix. Its zero value is ready.
type Damager struct {
	mu  sync.Mutex
	dbs map[store.Store]kvstore.Driver
}

// Over notes the database of a store, which it returns.
func (d *Damager) Over(s store.Store, db kvstore.Driver) store.Store {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dbs == nil {
		d.dbs = map[store.Store]kvstore.Driver{}
	}
	d.dbs[s] = db
	return s
}

// Damage is for storetest.Options.
func (d *Damager) Damage(s store.Store, key store.Key) error {
	d.mu.Lock()
	db := d.dbs[s]
	d.mu.Unlock()
	name := append(append([]byte("\x00s"), key.Tag[:]...), key.ID[:]...)
	value, found, err := db.Get(name)
	if err != nil || !found {
		return errors.Join(err, errors.New("kvtest: nothing to damage"))
	}
	value[len(value)-1] ^= 1
	return db.Apply([]kvstore.Op{{Key: name, Value: value}}, true)
}
