package redisstore

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore/lua"
	"github.com/sojourn-go/sojourn/store"
)

type (
	// Options tunes a [Store]; see [lua.Options].
	Options = lua.Options
	// Store is a store in Redis or Valkey; see [lua.Store].
	Store = lua.Store
)

var _ store.Store = (*Store)(nil)

// New makes a Store on a client, which the caller made and will close after the last call. It sends
// nothing; see [lua.Store.Check]. It fails if the client is missing or an option is out of its
// bounds.
func New(client rueidis.Client, opts *Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("redisstore: New needs a client")
	}
	return lua.New(rueidisDriver{client}, opts)
}

// Fresh returns a context in which Get does not use the cache. Put it around what must not be
// served to an ended session, before anything loads the session:
//
//	mux.Handle("/payout", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//		payout.ServeHTTP(w, r.WithContext(redisstore.Fresh(r.Context())))
//	}))
//
// It does nothing for a store without a cache.
func Fresh(ctx context.Context) context.Context { return lua.Fresh(ctx) }
