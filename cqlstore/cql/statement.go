package cql

import (
	"crypto/rand"
	"strings"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// build puts a statement together. The texts are few, so the driver prepares each once.
type build struct {
	e    *engine
	now  int64 // the estimate
	text strings.Builder
	args []any
}

func (e *engine) build(now int64) *build { return &build{e: e, now: now} }

// add appends text with one ? for each argument, and the table's name for @.
func (b *build) add(text string, args ...any) *build {
	b.text.WriteString(strings.ReplaceAll(text, "@", b.e.table))
	b.args = append(b.args, args...)
	return b
}

// ago appends text and the instant a span before now, where now is the coordinator's as it executes
// the statement, unless Options.BoundClock asks for the estimate. One of a negative span lies
// ahead.
func (b *build) ago(text string, span int64) *build {
	if b.e.opts.BoundClock {
		return b.add(text+"?", b.now-span)
	}
	return b.add(text+"toUnixTimestamp(now())-(bigint)?", span)
}

// at appends text and an instant, or now if it is to be now.
func (b *build) at(text string, t int64) *build {
	if t == ticks.Never {
		return b.ago(text, 0)
	}
	return b.add(text+"?", t)
}

func (b *build) done() Statement { return Statement{b.text.String(), b.args} }

// bytes is never null.
func bytes[B ~[]byte | ~string](b B) []byte {
	if len(b) == 0 {
		return []byte{}
	}
	return []byte(b)
}

// where names a row.
func (b *build) where(key store.Key) *build {
	return b.add(" WHERE tag=? AND id=?", key.Tag[:], key.ID[:])
}

// put begins the statement that writes every cell of a row, so that all have one time to live.
func (b *build) put(r *row) *build {
	now := r.lives.at(b.now)
	ttl, horizon := b.e.keep(now, b.now)
	created, seen := r.created, r.seen
	if created == ticks.Never { // one now, for the engine would read its clock twice; and Create tells it
		created, seen = now.created, now.seen
	}
	b.add("UPDATE @ USING TTL ? SET ver=?,writer=?,uid=?,handle=?,life=?,idle=?", int(ttl), r.ver, r.writer[:], bytes(r.user), r.handle[:], r.life, r.idle)
	b.at(",created=", created).at(",seen=", seen).ago(",hor=", -horizon)
	return b.add(",meta=?,data=?", bytes(r.meta), bytes(r.data)).where(r.key)
}

// alive appends the conditions that the record has these lives (as far as they are guessed) and has
// not ended. They name what a refused answer is to tell.
func (b *build) alive(l lives) *build {
	b.add(" AND idle=? AND life=?", l.idle, l.life)
	return b.ago(" AND created>", limit(l.life)).ago(" AND seen>", limit(l.idle))
}

// expect is what is found at a key to which a record is inserted: nothing, or a record that has
// ended.
type expect struct {
	ver, seen *int64
	writer    []byte
}

// insert writes a row where nothing is, or what is expected.
func (b *build) insert(r *row, have expect) Statement {
	return b.put(r).add(" IF ver=? AND writer=? AND seen=?", null(have.ver), blob(have.writer), null(have.seen)).done()
}

// null and blob bind a nil as null.
func null(p *int64) any {
	if p == nil {
		return nil
	}
	return *p
}

func blob(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// guardTTL is how long a guard lives, in seconds. It is compared only between a read and the write
// that follows.
const guardTTL = 86400

// revokedTTL is how long a revocation is remembered, in seconds: a minute longer than asked, for
// times to live are rounded.
const revokedTTL = int(store.GuardFor/1e9) + 60

// guard writes the partition's guard, if a condition, which may be empty, holds.
func (b *build) guard(tag store.Tag, to []byte) *build {
	return b.add("UPDATE @ USING TTL ? SET guard=? WHERE tag=?", guardTTL, to, tag[:])
}

func newGuard() []byte {
	g := make([]byte, 16)
	rand.Read(g)
	return g
}

func (e *engine) remove(key store.Key) Statement {
	return e.build(0).add("DELETE FROM @").where(key).done()
}
