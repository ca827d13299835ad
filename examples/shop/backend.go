package main

import (
	"fmt"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// backend says where sessions are kept.
type backend struct {
	store store.Store
	// sealed keeps the sessions' values in encrypted cookies. The store then has one small record
	// for each signed-in session, so that it can be listed and ended.
	sealed bool
}

// parseBackend reads the flag --store.
func parseBackend(s string) (backend, error) {
	switch s {
	case "memory":
		return backend{store: memstore.New(nil)}, nil
	case "cookie":
		return backend{store: memstore.New(nil), sealed: true}, nil
	}
	return backend{}, fmt.Errorf("--store %q: it is memory or cookie", s)
}

// manager makes the manager of the shop's pages.
func (b backend) manager(opts *sojourn.Options) (*sojourn.Manager, error) {
	if b.sealed {
		return sojourn.NewSealed(&sojourn.SealedOptions{Store: b.store}, opts)
	}
	return sojourn.New(b.store, opts)
}
