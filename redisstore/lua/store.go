package lua

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Prefix begins the names of all keys. Stores with different prefixes in one database do not
	// see each other. At most 64 bytes, without braces. Empty means "sojourn:".
	//
	// The number of the database is the client's matter (rueidis: SelectDB, go-redis: DB; a cluster
	// has only 0).
	Prefix string

	// CacheFor lets Get answer from rueidis's client-side cache, with what the server said at most
	// so long ago, up to 1 minute. The server tells the client of changes, usually within a
	// millisecond, but an ended session may be served until this time is over: it is the Lag of the
	// store's Traits. See [Fresh]. 0 means no cache.
	CacheFor time.Duration

	// WaitReplicas is how many replicas must have a Revoke, Delete or Rotate before it is
	// acknowledged. If they have not after WaitTimeout, the end stands in the master all the same,
	// and the call fails with store.ErrIndeterminate; it may be sent again. It makes these calls as
	// slow as the slowest of so many replicas. 0 means not to wait.
	WaitReplicas int

	// WaitTimeout bounds the wait for replicas. 0 means 1 s.
	WaitTimeout time.Duration

	// ClockSkew is by how much the clock of a server that takes over may differ from that of the
	// one before it, at most: the Skew of the store's Traits. A sign-in that began within so long
	// after a Revoke is refused, too, unless it knows of it (store.Admission.Known). 0 means 1 s
	// for a client of Sentinel or of a cluster, and none for a client of one server; set it where
	// that one's address may move to another server.
	ClockSkew time.Duration
}

// Store is a [store.Store] in Redis. Make it with [New], or with that of the package for a client.
type Store struct {
	*driver.Store
	e *engine
}

var _ store.Store = (*Store)(nil)

// New makes a Store over a driver. It sends nothing; see [Store.Check]. CacheFor needs a driver
// that is a [Cacher]. One that is an [io.Closer] is closed by [Store.Close]. It fails if the driver
// is missing or an option is out of its bounds.
func New(d Driver, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Prefix == "" {
		o.Prefix = "sojourn:"
	}
	if o.WaitTimeout == 0 {
		o.WaitTimeout = time.Second
	}
	if f, ok := d.(FailsOver); ok && o.ClockSkew == 0 && f.FailsOver() {
		o.ClockSkew = time.Second
	}
	e := &engine{client: d, opts: o}
	switch {
	case d == nil:
		return nil, errors.New("redisstore: New needs a client")
	case len(o.Prefix) > 64 || strings.ContainsAny(o.Prefix, "{}"):
		return nil, errors.New("redisstore: Options.Prefix has braces, or more than 64 bytes")
	case o.CacheFor < 0 || o.CacheFor > time.Minute || o.CacheFor > 0 && o.CacheFor < time.Millisecond:
		return nil, errors.New("redisstore: Options.CacheFor is not 0 and not within 1 ms to 1 min")
	case o.WaitReplicas < 0 || o.WaitTimeout < time.Millisecond:
		return nil, errors.New("redisstore: Options.WaitReplicas is negative, or WaitTimeout below 1 ms")
	case o.ClockSkew < 0:
		return nil, errors.New("redisstore: Options.ClockSkew is negative")
	case o.CacheFor > 0:
		c, ok := d.(Cacher)
		if !ok {
			return nil, errors.New("redisstore: Options.CacheFor needs a client with a cache: use rueidis")
		}
		e.cacher = c
		e.recent.keep = o.CacheFor
	}
	return &Store{driver.New("redisstore", e), e}, nil
}

// Close closes the connections that Open of package redisstore made. It does nothing for a Store
// from a New, whose client is the caller's. No method may be called after it.
func (s *Store) Close() error {
	if c, ok := s.e.client.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
