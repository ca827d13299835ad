package diskstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// hold is the exclusive hold of one tag's directory, in this process and all others. It is the
// [embedded.View] as well.
type hold struct {
	s       *engine
	tag     store.Tag
	dir     dir // nil: there is none
	release func()
	time    int64
	bad     []store.ID // of files that were found damaged
}

// hold takes the lock, finishes what a crash has left, and then reads the clock: an instant from
// before the wait could find a record live that was seen expired since.
func (s *engine) hold(ctx context.Context, tag store.Tag) (*hold, error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	release, err := s.disk.lock(ctx, tag[0])
	if err != nil {
		return nil, classify(err, false)
	}
	h := &hold{s: s, tag: tag, release: release}
	h.dir, err = s.disk.open(tag, true)
	if missing(err) {
		h.dir, err = nil, nil
	}
	if err == nil && h.dir != nil {
		if err = h.finish(); errors.Is(err, store.ErrCorrupt) {
			err = h.abandon(err)
		}
	}
	if err == nil {
		err = ctx.Err() // the wait may have been long
	}
	if err != nil {
		h.close()
		return nil, classify(err, false)
	}
	s.clock.tick()
	h.time = s.clock.Now()
	return h, nil
}

func (h *hold) close() {
	if h.dir != nil {
		h.dir.close()
	}
	h.release()
}

var errClosed = fmt.Errorf("%w: the store is closed", store.ErrUnavailable)

// Now is the instant of the hold.
func (h *hold) Now() time.Time { return instant(h.time) }

// Find is part of [embedded.View].
func (h *hold) Find(id store.ID, rec *store.Record) (found bool, err error) {
	if h.dir == nil {
		return false, nil
	}
	*rec, err = h.s.read(h.dir, store.Key{Tag: h.tag, ID: id}, headMost)
	if missing(err) {
		return false, nil
	}
	if errors.Is(err, store.ErrCorrupt) {
		if h.bad = append(h.bad, id); h.s.torn() {
			return false, nil
		}
	}
	if err != nil {
		return false, classify(err, false)
	}
	h.time = max(h.time, h.s.clock.Now()) // an instant in the record may have moved it
	return true, nil
}

// read reads a file and gives the record its time of last use.
func (s *engine) read(d dir, key store.Key, most int) (store.Record, error) {
	b, info, err := d.read(idName(key.ID), most)
	if err != nil {
		return store.Record{}, err
	}
	rec, err := decode(b, info.size, most == fileMost)
	if err != nil {
		return store.Record{}, err
	}
	if rec.Key.ID != key.ID || rec.Key.Tag != key.Tag {
		return store.Record{}, fmt.Errorf("%w: the file of session %v has another session's name", store.ErrCorrupt, rec.Handle)
	}
	s.clock.Observe(max(rec.Created.UnixNano(), rec.Seen.UnixNano()))
	if info.mtime > rec.Seen.UnixNano() && info.mtime > 0 {
		rec.Seen = instant(max(rec.Seen.UnixNano(), min(info.mtime, s.clock.Now())))
	}
	return rec, nil
}

// mtimeOf returns the modification time for rec's file. 1970 says nothing: not every file system
// has earlier times.
func mtimeOf(rec *store.Record) int64 { return max(rec.Seen.UnixNano(), 0) }

// ensure makes the directory, so that its name is durable before anything in it is that waits. One
// that is empty may be left from a crash before that; one that is not was synced, or see
// relaxed.go.
func (h *hold) ensure(waits bool) error {
	if h.dir != nil {
		names, err := h.dir.names(1)
		switch {
		case err != nil || !waits:
			return err
		case len(names) > 0:
			return h.anchor()
		}
		return h.s.disk.syncShard(h.tag[0])
	}
	err := h.s.disk.mkdir(h.tag)
	if err == nil && waits {
		err = h.s.disk.syncShard(h.tag[0])
	}
	if err == nil {
		h.dir, err = h.s.disk.open(h.tag, true)
	}
	if err != nil {
		_ = h.s.disk.rmdir(h.tag) // an empty directory left behind says nothing
	}
	return err
}

// put writes one file in place of what its name had. done reports whether it may be there. bytes
// and whole say whether its bytes, and then its name, are to be durable.
func (h *hold) put(name string, b []byte, mtime int64, bytes, whole bool) (done bool, err error) {
	if err := h.dir.write(newName, b, mtime, bytes); err != nil {
		return false, err
	}
	if err := h.dir.rename(newName, name); err != nil || !whole {
		return err == nil, err
	}
	return true, h.dir.sync()
}

// again makes durable what a write that is sent again has done before: who sent it first may have
// been killed before its sync.
func (h *hold) again() error {
	if h.dir == nil {
		return nil
	}
	return classify(h.dir.sync(), true)
}

// end removes files. It syncs also where none was there: another's removal may not be durable yet.
func (h *hold) end(ids ...store.ID) error {
	if h.dir == nil {
		return nil
	}
	if err := h.remove(ids); err != nil {
		return err
	}
	if err := h.dir.sync(); err != nil {
		return classify(err, true)
	}
	h.tidy()
	return nil
}

// remove removes files, as far as they are there. What is damaged is set aside.
func (h *hold) remove(ids []store.ID) error {
	for _, id := range ids {
		if slices.Contains(h.bad, id) && h.setAside(idName(id)) {
			continue
		}
		if err := h.dir.remove(idName(id)); err != nil && !missing(err) {
			return classify(err, true)
		}
	}
	return nil
}

// tidy removes a directory that holds nothing any more.
func (h *hold) tidy() {
	if h.s.disk.rmdir(h.tag) == nil {
		return
	}
	names, err := h.dir.names(8)
	if err != nil {
		return
	}
	for _, name := range names {
		switch name {
		case newName, putNames[0], putNames[1]: // left by a crash
		default:
			return
		}
	}
	for _, name := range names {
		_ = h.dir.remove(name) // what stays is removed another time
	}
	_ = h.s.disk.rmdir(h.tag) // refused while anything is in it
}

// Each is part of [embedded.View].
func (h *hold) Each(_ string, f func(*store.Record, error)) error {
	var other error
	err := h.each(func(rec *store.Record, err error) {
		if errors.Is(err, driver.ErrVersion) {
			other = err
			return
		}
		f(rec, err)
	})
	return cmp.Or(err, other)
}

// each reads all records of the directory, without Data. Of what is damaged or of another version f
// gets the key and the error.
func (h *hold) each(f func(*store.Record, error)) error {
	if h.dir == nil {
		return nil
	}
	names, err := h.dir.names(0)
	if err != nil {
		return classify(err, false)
	}
	for _, name := range names {
		var rec store.Record
		key := store.Key{Tag: h.tag}
		if !parse(key.ID[:], name) {
			continue
		}
		found, err := h.Find(key.ID, &rec)
		switch {
		case errors.Is(err, store.ErrCorrupt), errors.Is(err, driver.ErrVersion):
			f(&store.Record{Key: key}, err)
		case err != nil:
			return err
		case found:
			f(&rec, nil)
		}
	}
	return nil
}

// Revoked is part of [embedded.View].
func (h *hold) Revoked() (time.Time, error) {
	if h.dir == nil {
		return time.Time{}, nil
	}
	b, _, err := h.dir.read(guardName, stampSize+1)
	if missing(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, classify(err, false)
	}
	at, err := readStamp(guardMagic, b)
	if err != nil {
		return time.Time{}, err
	}
	h.s.clock.Observe(at)
	h.time = max(h.time, h.s.clock.Now())
	return instant(at), nil
}
