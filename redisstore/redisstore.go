package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore/internal/record"
	"github.com/sojourn-go/sojourn/store"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Prefix begins the names of all keys. Stores with different prefixes in one database do not see each other. At
	// most 64 bytes, without braces. Empty means "sojourn:".
	//
	// The number of the database is the client's matter (rueidis: SelectDB, go-redis: DB; a cluster has only 0).
	Prefix string

	// CacheFor lets Get answer from rueidis's client-side cache, with what the server said at most so long ago, up to
	// 1 minute. The server tells the client of changes, usually within a millisecond, but an
	// ended session may be served until this time is over; see [Store.Traits] and [Fresh]. 0 means no cache.
	CacheFor time.Duration

	// WaitReplicas is how many replicas must have a Revoke, Delete or Rotate before it is acknowledged. If they
	// have not after WaitTimeout, the end stands in the master all the same, and the call fails with
	// store.ErrIndeterminate; it may be sent again. It makes these calls as slow as the slowest of so many replicas. 0
	// means not to wait.
	WaitReplicas int

	// WaitTimeout bounds the wait for replicas. 0 means 1 s.
	WaitTimeout time.Duration

	// ClockSkew is by how much the clock of a server that takes over may differ from that of the one before it, at most. It is added to a
	// positive Admission.Age: a sign-in that began within so long after a Revoke is refused, too. 0 means 1 s for a client of
	// Sentinel or of a cluster, and none for a client of one server; set it where that one's address may move to another server.
	ClockSkew time.Duration
}

// Store is a [store.Store] in Redis. Make it with [New].
type Store struct {
	driver Driver
	cacher Cacher // nil unless reads are cached
	opts   Options
	clock  clock
	recent recent
}

var _ store.Store = (*Store)(nil)

// New makes a Store on a client, which the caller made and will close after the last call. It sends nothing; see
// [Store.Check]. It fails if the client is missing or an option is out of its bounds.
func New(client rueidis.Client, opts *Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("redisstore: New needs a client")
	}
	return NewWith(rueidisDriver{client}, opts)
}

// NewWith is [New] for any client that a [Driver] has been written for. CacheFor needs one that is a [Cacher].
func NewWith(d Driver, opts *Options) (*Store, error) {
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
	s := &Store{driver: d, opts: o}
	switch {
	case d == nil:
		return nil, errors.New("redisstore: NewWith needs a driver")
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
		s.cacher = c
		s.recent.keep = o.CacheFor
	}
	return s, nil
}

// key names a record's key, and tagKey begins the names of all keys of its tag.
func (s *Store) key(k store.Key) string { return record.Key(s.opts.Prefix, k) }

func (s *Store) tagKey(t store.Tag) string { return record.TagKey(s.opts.Prefix, t) }

// outcomes are the codes with which scripts answer, other than K for applied.
var outcomes = map[byte]error{
	'N': store.ErrNotFound, 'C': store.ErrConflict, 'E': store.ErrExists, 'L': store.ErrLimit, 'R': store.ErrRevoked,
	'F': &fault{class: store.ErrFull, code: "OOM", hint: "used memory is above maxmemory"},
	'I': fmt.Errorf("%w: the record is another user's", store.ErrInvalid),
}

// act runs a script for the tag and turns its answer into an outcome.
func (s *Store) act(ctx context.Context, op string, tag store.Tag, c *call) ([]byte, error) {
	rest, _, err := s.acted(ctx, op, tag, c)
	return rest, err
}

// acted also gives the server's time.
func (s *Store) acted(ctx context.Context, op string, tag store.Tag, c *call) (rest []byte, now int64, err error) {
	defer s.recent.mark(tag)
	code, rest, now, err := s.run(ctx, c)
	switch {
	case err != nil:
		return nil, 0, fail(op, err)
	case code == 'K':
		return rest, now, nil
	case code == 'X':
		d := &record.Damage{}
		copy(d.Handle[:], rest)
		return nil, 0, fail(op, d)
	case outcomes[code] != nil:
		return nil, 0, fail(op, outcomes[code])
	}
	return nil, 0, fail(op, judge(errAnswer, c.write))
}

// instant is the server's time of a revocation, and the zero time where there was none.
func instant(b []byte) time.Time {
	ms := int64(binary.BigEndian.Uint64(b))
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// known is an instant for a script.
func known(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return decimal(t.UnixMilli())
}

// Create inserts rec as [store.Store] says. Errors: store.ErrExists, ErrLimit, ErrRevoked,
// ErrFull, ErrInvalid, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Create(ctx context.Context, rec store.Record, adm store.Admission) (a store.Admitted, err error) {
	const op = "create"
	if err := store.FromContext(ctx); err != nil {
		return a, fail(op, err)
	}
	if err := store.CheckCreate(&rec, &adm); err != nil {
		return a, fail(op, err)
	}
	tag := s.tagKey(rec.Key.Tag)
	args := []string{record.Fixed(&rec), record.Rest(&rec, rec.User), rec.User, strconv.Itoa(adm.Max), flag(adm.Evict), "0", "0", known(adm.Known)}
	if rec.User != "" && adm.Age() > 0 {
		began, err := s.began(ctx, rec.Key, adm.Age())
		if err != nil {
			return a, fail(op, err)
		}
		adm.Began = adm.Began.Add(-s.opts.ClockSkew)
		args[5], args[6] = decimal(record.Millis(adm.Age())), decimal(began)
	}
	answer, now, err := s.acted(ctx, op, rec.Key.Tag, &call{script: createScript, write: true, args: args,
		keys: []string{s.key(rec.Key), tag + "u", tag + "g"},
		again: func(time.Duration) {
			if adm.Age() > 0 { // the sign-in has grown older
				args[5] = decimal(record.Millis(adm.Age()))
			}
		}})
	if err == nil && len(answer) < 8 {
		err = fail(op, judge(errAnswer, true))
	}
	if err != nil {
		return a, err
	}
	a.Now, a.Revoked = time.UnixMilli(now).UTC(), instant(answer)
	for answer = answer[8:]; len(answer) >= len(store.Handle{}); answer = answer[len(store.Handle{}):] {
		a.Evicted = append(a.Evicted, store.Handle(answer[:len(store.Handle{})]))
	}
	return a, nil
}

// began gives the server's time at which a sign-in of that age began, or an earlier one. The age alone would not do: it is
// compared when the script runs, and until then the call may wait for a connection. Where no answer told the time
// lately, the server is asked first.
func (s *Store) began(ctx context.Context, key store.Key, age time.Duration) (int64, error) {
	start := time.Now()
	now, known := s.clock.floor()
	if !known {
		_, _, at, err := s.run(ctx, &call{script: getScript, keys: []string{s.key(key)}})
		if err != nil {
			return 0, err
		}
		now = at - record.Millis(time.Since(start))
	}
	return now - record.Millis(age+s.opts.ClockSkew), nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// Update replaces a record's Idle, Lifetime, Meta and Data as [store.Store] says. When Redis's memory is full it still
// ends a record or makes it smaller, in a second trip. Errors: store.ErrConflict, ErrNotFound, ErrFull, ErrInvalid,
// ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	const op = "update"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	if err := store.Check(&rec); err != nil {
		return fail(op, err)
	}
	c := &call{script: updateScript, write: true,
		keys: []string{s.key(rec.Key), s.tagKey(rec.Key.Tag) + "u"},
		args: []string{record.Fixed(&rec), record.Rest(&rec, ""), strconv.FormatUint(ifVersion, 10), ""}}
	_, err := s.act(ctx, op, rec.Key.Tag, c)
	if errors.Is(err, store.ErrFull) {
		c.script, c.args[3] = tightScript, "1"
		_, err = s.act(ctx, op, rec.Key.Tag, c)
	}
	return err
}

// Touch sets a record's Seen as [store.Store] says, also when memory is full. Errors: store.ErrNotFound,
// ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	const op = "touch"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	_, err := s.act(ctx, op, rec.Key.Tag, &call{script: touchScript, write: true,
		keys: []string{s.key(rec.Key), s.tagKey(rec.Key.Tag) + "u"},
		args: []string{strconv.FormatInt(record.Millis(every), 10)}})
	return err
}

// Rotate moves a record to a new key as [store.Store] says. Errors: store.ErrConflict, ErrNotFound,
// ErrExists, ErrFull, ErrInvalid, ErrUnavailable, ErrIndeterminate, ErrCorrupt.
func (s *Store) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	const op = "rotate"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	if err := store.CheckRotate(old, &rec, tail); err != nil {
		return fail(op, err)
	}
	args := []string{record.Fixed(&rec), record.Rest(&rec, rec.User), rec.User, strconv.FormatUint(ifVersion, 10), "", "", s.waits()}
	if tail != nil {
		args[4], args[5] = record.Fixed(tail), record.Rest(tail, "")
	}
	_, err := s.act(ctx, op, old.Tag, &call{script: rotateScript, write: true, end: true, args: args,
		keys: []string{s.key(old), s.key(rec.Key), s.tagKey(old.Tag) + "u"}})
	return err
}

func (s *Store) waits() string { return flag(s.opts.WaitReplicas > 0) }

// Delete ends the record at key, if there is one; a damaged one too. Errors:
// store.ErrUnavailable, ErrIndeterminate.
func (s *Store) Delete(ctx context.Context, key store.Key) error {
	const op = "delete"
	if err := store.FromContext(ctx); err != nil {
		return fail(op, err)
	}
	_, err := s.act(ctx, op, key.Tag, &call{script: deleteScript, write: true, end: true,
		keys: []string{s.key(key), s.tagKey(key.Tag) + "u"}, args: []string{s.waits()}})
	return err
}

// guardFor is how long a revocation is remembered, besides ClockSkew. Age may be just store.GuardFor, and clocks are whole milliseconds.
const guardFor = store.GuardFor + time.Minute

// Revoke ends records of user as [store.Store] says, in one script whose length grows with their number. Without Only it
// also deletes the damaged records among the user's, uncounted. Errors: store.ErrInvalid, ErrUnavailable,
// ErrIndeterminate, and ErrCorrupt if the user's index is no set.
func (s *Store) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	const op = "revoke"
	if err := store.FromContext(ctx); err != nil {
		return r, fail(op, err)
	}
	if err := errors.Join(store.CheckSelection(sel), store.CheckUser(user)); err != nil {
		return r, fail(op, err)
	}
	if user == "" {
		return r, nil
	}
	kind, named := "all", sel.Except
	switch {
	case len(sel.Only) > 0:
		kind, named = "only", sel.Only
	case len(sel.Except) > 0:
		kind = "except"
	}
	var handles strings.Builder
	for _, h := range named {
		handles.Write(h[:])
	}
	tag := store.TagOf(user)
	key := s.tagKey(tag)
	answer, err := s.act(ctx, op, tag, &call{script: revokeScript, write: true, end: true, keys: []string{key + "u", key + "g"},
		args: []string{user, kind, handles.String(), decimal(record.Millis(guardFor + s.opts.ClockSkew)), s.waits()}})
	if err != nil {
		return r, err
	}
	if len(answer) != 16 {
		return r, fail(op, judge(errAnswer, true))
	}
	return store.Revoked{N: int(binary.BigEndian.Uint64(answer)), At: instant(answer[8:])}, nil
}

// Watch is not supported.
func (s *Store) Watch(context.Context, func(store.Ending)) error {
	return fail("watch", errors.ErrUnsupported)
}

// Sweep has nothing to do: Redis drops what has expired. Errors: store.ErrUnavailable, for a context that has ended.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	if err := store.FromContext(ctx); err != nil {
		return 0, fail("sweep", err)
	}
	return 0, nil
}
