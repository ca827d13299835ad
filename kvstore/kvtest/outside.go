package kvtest

import (
	"bytes"

	"github.com/sojourn-go/sojourn/kvstore"
)

// Outside runs functions outside of any testing/synctest bubble. An engine with tickers of its own
// belongs there: within, 20 fake years would make them tick a thousand million times. A bubble's
// time stands still while it waits for an answer.
type Outside struct {
	calls chan call
	free  chan chan struct{}
}

type call struct {
	f    func()
	done chan struct{}
}

// NewOutside must itself be called outside of all bubbles. Its goroutine ends with the process.
func NewOutside() *Outside {
	o := &Outside{make(chan call), make(chan chan struct{}, 1024)}
	for range cap(o.free) {
		o.free <- make(chan struct{})
	}
	go func() {
		for c := range o.calls {
			go func() {
				c.f()
				c.done <- struct{}{}
			}()
		}
	}()
	return o
}

// Do runs f and waits for it.
func (o *Outside) Do(f func()) {
	done := <-o.free
	o.calls <- call{f, done}
	<-done
	o.free <- done
}

// Engine returns db as it may be used within a bubble.
func (o *Outside) Engine(db kvstore.Driver) kvstore.Driver { return outsider{o, db} }

type outsider struct {
	o  *Outside
	db kvstore.Driver
}

func (e outsider) Get(key []byte) (value []byte, found bool, err error) {
	e.o.Do(func() { value, found, err = e.db.Get(key) })
	return value, found, err
}

func (e outsider) Apply(ops []kvstore.Op, sync bool) (err error) {
	e.o.Do(func() { err = e.db.Apply(ops, sync) })
	return err
}

// Walk gathers everything first, so that f runs in the bubble. It overwrites what f was given, as
// some engine may.
func (e outsider) Walk(from, to []byte, f func(key, value []byte) bool) (err error) {
	var all [][2][]byte
	e.o.Do(func() {
		err = e.db.Walk(from, to, func(key, value []byte) bool {
			all = append(all, [2][]byte{bytes.Clone(key), bytes.Clone(value)})
			return true
		})
	})
	for _, kv := range all {
		more := f(kv[0], kv[1])
		clear(kv[0])
		clear(kv[1])
		if !more {
			break
		}
	}
	return err
}
