package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// row is a record as engines keep it: its instants and lives are whole µs.
type row struct {
	key     store.Key
	handle  store.Handle
	user    string
	ver     uint64
	writer  store.Writer
	created int64 // unset in what callers hand in: the engine's now
	seen    int64 // likewise
	idle    int64 // 0 = no such limit
	life    int64 // likewise
	meta    []byte
	data    []byte
	dataSum uint32 // of data, known even where data was not read
	damaged bool   // the bytes do not fit their sum; only key and handle are as stored
}

// newRow gives what a caller hands in. Its bytes are the caller's: engines send
// them on before the call returns.
func newRow(r *store.Record, version uint64) *row {
	return &row{
		key: r.Key, handle: r.Handle, user: r.User, ver: version, writer: r.Writer,
		created: instant(r.Created), seen: instant(r.Seen), idle: span(r.Idle), life: span(r.Lifetime),
		meta: r.Meta, data: r.Data,
	}
}

// settle resolves the instants of a row that is inserted.
func (r *row) settle(now int64) { r.created, r.seen = clamp(r.created, now), clamp(r.seen, now) }

// exp is when the record ends.
func (r *row) exp() int64 {
	end := int64(never)
	if r.idle > 0 {
		end = min(end, r.seen+r.idle)
	}
	if r.life > 0 {
		end = min(end, r.created+r.life)
	}
	return end
}

func (r *row) live(now int64) bool { return now < r.exp() }

// wrote tells whether the row is what the writer's write to the version before left.
func (r *row) wrote(w store.Writer, version uint64) bool { return r.ver == version && r.writer == w }

// record gives the row to a caller, with its bytes.
func (r *row) record() store.Record {
	return store.Record{
		Key: r.key, Handle: r.handle, User: r.user, Version: r.ver, Writer: r.writer,
		Idle: time.Duration(r.idle) * time.Microsecond, Lifetime: time.Duration(r.life) * time.Microsecond,
		Created: time.UnixMicro(r.created).UTC(), Seen: time.UnixMicro(r.seen).UTC(),
		Meta: r.meta, Data: r.data,
	}
}

// corrupt is the error for a damaged row.
func (r *row) corrupt() error {
	if r.handle == (store.Handle{}) {
		return fmt.Errorf("%w: its handle cannot be read", store.ErrCorrupt)
	}
	return fmt.Errorf("%w: session %v", store.ErrCorrupt, r.handle)
}

// engine is what each dialect does in its own way; [Store] does the rest. Instants in the rows
// that are handed in may be unset, and any may lie ahead of the engine's now: the engine
// resolves them. Errors are sentinels of package store or what a driver said, which
// Store translates.
//
// locked, which needs nothing but transactions, is one for every dialect; where an engine can do a
// method in one statement, its file embeds locked and overrides that method.
type engine interface {
	migrate(ctx context.Context) error
	create(ctx context.Context, r *row, adm store.Admission) (admitted, error)
	get(ctx context.Context, key store.Key) (r row, now int64, err error)
	update(ctx context.Context, r *row, ifVersion uint64) error
	touch(ctx context.Context, key store.Key, every int64) error
	rotate(ctx context.Context, old store.Key, ifVersion uint64, r, tail *row) error
	remove(ctx context.Context, key store.Key) error
	// user gives the live rows of a user, as they were at one instant, and damaged ones that may be his.
	user(ctx context.Context, user string) ([]row, error)
	// page gives some live and damaged rows after a key (nil: from the start), and the key to go
	// on from, or nil at the end.
	page(ctx context.Context, after *store.Key) ([]row, *store.Key, error)
	// revoke also tells the instant of the revocation that it left.
	revoke(ctx context.Context, user string, sel store.Selection) (n int, at int64, err error)
	// sweep looks at one batch of what may have expired, and tells how many it deleted
	// and whether there may be more.
	sweep(ctx context.Context, limit int) (n int, more bool, err error)
}

// admitted is [store.Admitted] in µs; revoked is unset if there is none.
type admitted struct {
	evicted      []store.Handle
	now, revoked int64
}

// instantTime is an instant for the caller; unset is the zero time.
func instantTime(t int64) time.Time {
	if t == unset {
		return time.Time{}
	}
	return time.UnixMicro(t).UTC()
}

// errUser is a rotation to another user than the old record's.
var errUser = fmt.Errorf("%w: a rotation keeps the user", store.ErrInvalid)

// errUnready is given where Migrate did not come to its end.
var errUnready = fmt.Errorf("%w: the store's tables are empty: call Migrate", store.ErrUnavailable)
