package possessions

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/redisstore/goredis"
	"github.com/sojourn-go/sojourn/store"
)

// RedisStorer keeps sessions in a database of Redis 7 or later, by redisstore, which says what the
// server must do. Redis ends sessions by itself, by its own clock, so there is no cleaner. Many
// processes may share the database; what seals their cookies is a record in it.
type RedisStorer struct {
	*records
	client *redis.Client
}

var _ Storer = (*RedisStorer)(nil)

// redisPrefix begins the names of all keys; the old library's sessions are named otherwise, and are
// neither seen nor touched.
const redisPrefix = "possessions:"

// NewDefaultRedisStorer is [NewRedisStorer] with a maxAge of 2 days. addr is "host:port", "" means
// "localhost:6379"; db is the number of the database.
func NewDefaultRedisStorer(addr, password string, db int) (*RedisStorer, error) {
	if addr == "" {
		addr = "localhost:6379"
	}
	return NewRedisStorer(redis.Options{Addr: addr, Password: password, DB: db}, defaultMaxAge)
}

// NewRedisStorer makes a storer whose sessions end maxAge after they were made, set or refreshed
// last; 0 means never. It connects when it is first used. The caller ends with Close. Errors: a
// negative maxAge.
func NewRedisStorer(opts redis.Options, maxAge time.Duration) (*RedisStorer, error) {
	return NewRedisStorerClient(redis.NewClient(&opts), maxAge)
}

// NewRedisStorerClient is NewRedisStorer on a client that the program has.
func NewRedisStorerClient(client *redis.Client, maxAge time.Duration) (*RedisStorer, error) {
	return newRedisStorer(client, maxAge, redisPrefix)
}

func newRedisStorer(client *redis.Client, maxAge time.Duration, prefix string) (*RedisStorer, error) {
	if maxAge < 0 {
		return nil, errors.New("possessions: maxAge is negative")
	}
	st, err := goredis.New(client, &goredis.Options{Prefix: prefix})
	if err != nil {
		return nil, fail("open", err)
	}
	keys := func(ctx context.Context) (sojourn.Sealer, error) { return storedKey(ctx, st) }
	return &RedisStorer{&records{st: st, maxAge: maxAge, keys: keys}, client}, nil
}

// Close closes the client.
func (r *RedisStorer) Close() error { return r.client.Close() }

// keyRecord is the user under which a store keeps the key that seals its sessions' cookies. Whoever
// reads it there still cannot make a cookie: each holds a secret of which the store has the hash
// alone.
const keyRecord = "possessions key"

func storedKey(ctx context.Context, st store.Store) (sojourn.Sealer, error) {
	key := store.Key{Tag: store.TagOf(keyRecord)}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		rec, _, err := st.Get(ctx, key)
		if err == nil {
			return sojourn.NewKeyRing(rec.Data)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		rec = store.Record{Key: key, User: keyRecord, Data: sojourn.NewKey(), Writer: writerNonce(), Meta: []byte{1}}
		rand.Read(rec.Handle[:])
		if _, err := st.Create(ctx, rec, store.Admission{}); err != nil && !errors.Is(err, store.ErrExists) {
			return nil, err // an answer that was lost: the next request finds it
		}
	}
}
