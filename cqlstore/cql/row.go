package cql

import (
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// row is a record as the engine keeps it: its instants and lives are whole ms.
type row struct {
	lives
	key    store.Key
	handle store.Handle
	user   string
	ver    int64
	writer store.Writer
	hor    int64 // of its cells
	meta   []byte
	data   []byte
}

// newRow returns what a caller hands in. Its bytes are the caller's: they are sent before the call
// returns.
func newRow(r *store.Record, version int64) *row {
	return &row{
		lives: lives{milli.Instant(r.Created), milli.Span(r.Lifetime), milli.Instant(r.Seen), milli.Span(r.Idle)},
		key:   r.Key, handle: r.Handle, user: r.User, ver: version, writer: r.Writer, meta: r.Meta, data: r.Data,
	}
}

// settle resolves the instants that lie ahead of the engine's clock: they become its now.
func (r *row) settle(now int64) {
	if r.created > now {
		r.created = ticks.Never
	}
	if r.seen > now {
		r.seen = ticks.Never
	}
}

// at returns the lives with now for what is to be now.
func (l lives) at(now int64) lives {
	if l.created == ticks.Never {
		l.created = now
	}
	if l.seen == ticks.Never {
		l.seen = now
	}
	return l
}

// record gives the row to a caller, with its bytes.
func (r *row) record() store.Record {
	return store.Record{
		Key: r.key, Handle: r.handle, User: r.user, Version: uint64(r.ver), Writer: r.writer,
		Idle: milli.Duration(r.idle), Lifetime: milli.Duration(r.life),
		Created: milli.Time(r.created), Seen: milli.Time(r.seen),
		Meta: r.meta, Data: r.data,
	}
}

// cells are the columns of a row as a driver scans them: those that are null or were not asked for
// are nil.
type cells struct {
	id, guard, writer, user, handle, meta, data  []byte
	revoked, ver, created, life, seen, idle, hor *int64
	now                                          int64
}

// Columns that lists read, and how they are scanned.
const listed = "id,guard,revoked,ver,writer,uid,handle,created,life,seen,idle,hor,meta,toUnixTimestamp(now())"

func (c *cells) list() []any {
	return []any{&c.id, &c.guard, &c.revoked, &c.ver, &c.writer, &c.user, &c.handle, &c.created, &c.life, &c.seen, &c.idle, &c.hor, &c.meta, &c.now}
}

// named is where the columns that a condition names are scanned.
func (c *cells) named() map[string]any {
	return map[string]any{
		"id": &c.id, "guard": &c.guard, "revoked": &c.revoked, "ver": &c.ver, "writer": &c.writer, "uid": &c.user, "handle": &c.handle,
		"created": &c.created, "life": &c.life, "seen": &c.seen, "idle": &c.idle, "hor": &c.hor, "meta": &c.meta, "data": &c.data,
	}
}

// absent reports whether there is no record: nothing was written, all of it has expired, or only
// cells of a touch are left.
func (c *cells) absent() bool { return c.ver == nil || c.seen == nil }

// wrote reports whether the row is what the writer's write to the version before left.
func (c *cells) wrote(w store.Writer, version int64) bool {
	return c.ver != nil && *c.ver == version && string(c.writer) == string(w[:])
}

// row reads the cells of a record that is not absent. Its error is store.ErrCorrupt, and names the
// handle where that can be read; the row then has key and handle only.
func (c *cells) row(key store.Key) (*row, error) {
	r := &row{key: key}
	if len(c.handle) == len(r.handle) {
		copy(r.handle[:], c.handle)
	}
	if c.damaged(key.Tag) {
		return r, driver.Corrupt(r.handle)
	}
	r.lives = lives{*c.created, *c.life, *c.seen, *c.idle}
	r.user, r.ver, r.meta, r.data = string(c.user), *c.ver, c.meta, c.data
	if c.hor != nil { // no condition of an update names it
		r.hor = *c.hor
	}
	copy(r.writer[:], c.writer)
	return r, nil
}

// damaged reports whether the cells are none that a Store writes. The engine's own checksums guard
// their bytes; this finds what other programs wrote.
func (c *cells) damaged(tag store.Tag) bool {
	const most = int64(store.MaxLife / time.Millisecond)
	return len(c.handle) != len(store.Handle{}) || len(c.writer) != len(store.Writer{}) || len(c.user) > store.MaxUser ||
		c.created == nil || c.life == nil || c.idle == nil ||
		*c.ver < 1 || *c.life < 0 || *c.life > most || *c.idle < 0 || *c.idle > most ||
		*c.created > ticks.Never || *c.created < -ticks.Never || *c.seen > ticks.Never || *c.seen < -ticks.Never ||
		len(c.meta) > store.MaxMeta || len(c.data) > store.MaxData ||
		len(c.user) > 0 && store.TagOf(string(c.user)) != tag
}
