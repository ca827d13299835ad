package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// pgBytesOf gives bytes that are not nil, which would be NULL.
func pgBytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// pgArgs are a row's columns but for its key, of the user only if asked.
func pgArgs(args []any, r *row, user bool) []any {
	if user {
		args = append(args, []byte(r.user))
	}
	return append(args, r.handle[:], r.writer[:], r.created, r.seen, r.idle, r.life, pgBytesOf(r.meta), pgBytesOf(r.data))
}

// one runs a statement that answers with one row.
func one(ctx context.Context, r Runner, text string, args []any, dest ...any) error {
	return r.Run(ctx, text, args, func(scan func(...any) error) error { return scan(dest...) })
}

func (p *postgres) create(ctx context.Context, r *row, adm store.Admission) (a admitted, err error) {
	text := p.x.create
	if r.user == "" {
		text = p.x.createNobody
	}
	evict := int64(0)
	if adm.Evict {
		evict = 1
	}
	args := append(pgArgs([]any{r.key.Tag[:], r.key.ID[:]}, r, true), int64(adm.Max), evict, int64(0), int64(0))
	if adm.Age() > 0 {
		args[len(args)-2], args[len(args)-1] = aged{span(adm.Age()), time.Now()}, instant(adm.Known)
	}
	err = p.run(ctx, true, func() error {
		var inserted, ver, revoked, ok, lives int64
		var ended, writer []byte
		if err := one(ctx, p.writes, text, args, &inserted, &ended, &ver, &writer, &revoked, &ok, &lives, &a.now, &a.revoked); err != nil {
			return err
		}
		switch {
		case inserted == 1:
			a.evicted = handles(ended)
			return nil
		case ver == 1 && bytes.Equal(writer, r.writer[:]):
			return nil
		case ver > 0:
			return store.ErrExists
		case revoked == 1:
			return store.ErrRevoked
		case ok == 0:
			return store.ErrLimit
		case lives == 0:
			return nil
		}
		return errPGAgain
	})
	return a, err
}

func handles(b []byte) []store.Handle {
	var hs []store.Handle
	for ; len(b) >= len(store.Handle{}); b = b[len(store.Handle{}):] {
		hs = append(hs, store.Handle(b[:len(store.Handle{})]))
	}
	return hs
}

func (p *postgres) rotate(ctx context.Context, old store.Key, ifVersion uint64, r, tail *row) error {
	text := p.x.rotate
	if r.user == "" {
		text = p.x.rotateNobody
	}
	hasTail := int64(1)
	if tail == nil {
		tail, hasTail = new(row), 0
	}
	ifVersion = min(ifVersion, 1<<62) // no record has come so far
	args := pgArgs([]any{old.Tag[:], old.ID[:], int64(ifVersion), r.key.ID[:]}, r, true)
	args = pgArgs(append(args, hasTail), tail, false)
	return p.run(ctx, true, func() error {
		var inserted, newVer, was, live, ver, same int64
		var writer []byte
		if err := one(ctx, p.writes, text, args, &inserted, &newVer, &writer, &was, &live, &ver, &same); err != nil {
			return err
		}
		switch {
		case inserted == 1, uint64(newVer) == ifVersion+1 && bytes.Equal(writer, r.writer[:]):
			return nil
		case was == 1 && (live == 0 || uint64(ver) != ifVersion):
			return errPGAgain // perhaps this very rotation, sent before, came first: look
		case live == 0:
			return store.ErrNotFound
		case uint64(ver) != ifVersion:
			return store.ErrConflict
		case same == 0:
			return errUser
		case newVer > 0:
			return store.ErrExists
		}
		return errPGAgain
	})
}

func (p *postgres) remove(ctx context.Context, key store.Key) error {
	return p.run(ctx, true, func() error {
		return one(ctx, p.writes, p.x.remove, []any{key.Tag[:], key.ID[:]})
	})
}

func (p *postgres) revoke(ctx context.Context, user string, sel store.Selection) (n int, at int64, err error) {
	mode, list := int64(0), sel.Only
	switch {
	case len(sel.Only) > 0:
		mode = 1
	case len(sel.Except) > 0:
		mode, list = 2, sel.Except
	}
	packed := make([]byte, 0, len(list)*len(store.Handle{}))
	for i := range list {
		packed = append(packed, list[i][:]...)
	}
	tag := store.TagOf(user)
	var done, ended int64
	err = p.run(ctx, true, func() error {
		err := one(ctx, p.writes, p.x.revoke, []any{tag[:], []byte(user), mode, packed}, &done, &ended, &at)
		if err == nil && done == 0 {
			return errPGAgain
		}
		return err
	})
	return int(ended), at, err
}

// list gives the rows of a query that are not damaged, and damaged ones as such.
func (p *postgres) list(ctx context.Context, text string, args ...any) (rows []row, err error) {
	err = p.run(ctx, false, func() error {
		rows = nil
		s := newPGScan(true)
		return p.reads.Run(ctx, text, args, func(scan func(...any) error) error {
			s.reset()
			if err := scan(s.dest...); err != nil {
				return err
			}
			r, _ := s.row(nil)
			rows = append(rows, r)
			return nil
		})
	})
	return rows, err
}

func (p *postgres) user(ctx context.Context, user string) ([]row, error) {
	tag := store.TagOf(user)
	return p.list(ctx, p.x.user, tag[:], []byte(user))
}

func (p *postgres) page(ctx context.Context, after *store.Key) ([]row, *store.Key, error) {
	tag, id := []byte{}, []byte{}
	if after != nil {
		tag, id = after.Tag[:], after.ID[:]
	}
	rows, err := p.list(ctx, p.x.page, tag, id, int64(pageSize))
	if err != nil || len(rows) < pageSize {
		return rows, nil, err
	}
	// A damaged key leads nowhere: only sound ones lead on, and onwards only.
	last := after
	for i := range rows {
		if r := &rows[i]; !r.damaged && (last == nil || keyLess(last, &r.key)) {
			last = &r.key
		}
	}
	if last == after {
		return rows, nil, fmt.Errorf("%w: nothing sound to go on from", store.ErrCorrupt)
	}
	return rows, last, nil
}

func (p *postgres) sweep(ctx context.Context, limit int) (n int, more bool, err error) {
	var deleted, guards int64
	err = p.run(ctx, true, func() error {
		return one(ctx, p.writes, p.x.sweep, []any{int64(limit)}, &deleted)
	})
	if err != nil || int(deleted) == limit {
		return int(deleted), err == nil, err
	}
	err = p.run(ctx, true, func() error {
		return one(ctx, p.writes, p.x.sweepOld, []any{int64(pageSize), guardKept}, &guards)
	})
	return int(deleted), false, err
}
