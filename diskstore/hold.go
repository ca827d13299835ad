package diskstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// hold is the exclusive hold of one tag's directory, in this process and all others.
type hold struct {
	s       *Store
	tag     store.Tag
	dir     dir // nil: there is none
	release func()
	time    int64
}

// hold takes the lock, finishes what a crash has left, and then reads the clock: an instant
// from before the wait could find a record live that was seen expired since.
func (s *Store) hold(ctx context.Context, tag store.Tag) (*hold, error) {
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
		err = h.finish()
	}
	if err == nil {
		err = ctx.Err() // the wait may have been long
	}
	if err != nil {
		h.close()
		return nil, classify(err, false)
	}
	s.clock.tick()
	h.time = s.clock.now()
	return h, nil
}

func (h *hold) close() {
	if h.dir != nil {
		h.dir.close()
	}
	h.release()
}

// now is the instant of the hold, in the time.Time that records have.
func (h *hold) now() time.Time { return instant(h.time) }

// head reads a record without its Data. ok tells that it is live.
func (h *hold) head(id store.ID) (rec store.Record, ok bool, err error) {
	if h.dir == nil {
		return rec, false, nil
	}
	rec, err = h.s.read(h.dir, store.Key{Tag: h.tag, ID: id}, headMost)
	if missing(err) {
		return store.Record{}, false, nil
	}
	if err != nil {
		return rec, false, classify(err, false)
	}
	h.time = max(h.time, h.s.clock.now()) // an instant in the record may have moved it
	return rec, rec.Live(h.now()), nil
}

// read reads a file and gives the record its time of last use.
func (s *Store) read(d dir, key store.Key, most int) (store.Record, error) {
	b, info, err := d.read(idName(key.ID), most)
	if err != nil {
		return store.Record{}, err
	}
	rec, err := decode(b, info.size, most == fileMost)
	if err != nil {
		return store.Record{}, err
	}
	if rec.Key.ID != key.ID || rec.Key.Tag != key.Tag {
		return store.Record{}, fmt.Errorf("%w: the file of session %v under another's name", store.ErrCorrupt, rec.Handle)
	}
	s.clock.observe(max(rec.Created.UnixNano(), rec.Seen.UnixNano()))
	if info.mtime > rec.Seen.UnixNano() && info.mtime > 0 {
		rec.Seen = instant(max(rec.Seen.UnixNano(), min(info.mtime, s.clock.now())))
	}
	return rec, nil
}

// mtimeOf gives the modification time for rec's file. 1970 says nothing: not every
// file system has earlier times.
func mtimeOf(rec *store.Record) int64 { return max(rec.Seen.UnixNano(), 0) }

// ensure makes the directory, so that its name is durable before anything in it is. One
// that is empty may be left from a crash before that; one that is not was synced.
func (h *hold) ensure() error {
	if h.dir != nil {
		names, err := h.dir.names(1)
		if err != nil || len(names) > 0 {
			return err
		}
		return h.s.disk.syncShard(h.tag[0])
	}
	err := h.s.disk.mkdir(h.tag)
	if err == nil {
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

// put writes one file in place of what its name had. done tells whether it may be there.
func (h *hold) put(name string, b []byte, mtime int64) (done bool, err error) {
	if err := h.dir.write(newName, b, mtime); err != nil {
		return false, err
	}
	if err := h.dir.rename(newName, name); err != nil {
		return false, err
	}
	return true, h.dir.sync()
}

// again makes durable what a write that is sent again has done before: who sent it first may have been killed
// before its sync.
func (h *hold) again() error { return classify(h.dir.sync(), true) }

// end removes files. It syncs also where none was there: another's removal may not be durable yet.
func (h *hold) end(ids ...store.ID) error {
	for _, id := range ids {
		if err := h.dir.remove(idName(id)); err != nil && !missing(err) {
			return classify(err, true)
		}
	}
	if err := h.dir.sync(); err != nil {
		return classify(err, true)
	}
	h.tidy()
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

// records reads the records of the directory, without Data, expired ones included. What is
// damaged it leaves out, and gives the first as the error bad.
func (h *hold) records() (recs []store.Record, bad, err error) {
	if h.dir == nil {
		return nil, nil, nil
	}
	names, err := h.dir.names(0)
	if err != nil {
		return nil, nil, classify(err, false)
	}
	for _, name := range names {
		var id store.ID
		if !parse(id[:], name) {
			continue
		}
		rec, _, err := h.head(id)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			if bad == nil {
				bad = err
			}
		case err != nil:
			return nil, nil, err
		case rec.Version > 0:
			recs = append(recs, rec)
		}
	}
	return recs, bad, nil
}

// of gives the user's live records.
func (h *hold) of(user string) (mine []store.Record, err error) {
	recs, _, err := h.records()
	for i := range recs {
		if recs[i].User == user && recs[i].Live(h.now()) {
			mine = append(mine, recs[i])
		}
	}
	return mine, err
}

// revoked gives the instant of the user's last Revoke that is remembered.
func (h *hold) revoked() (at int64, ok bool, err error) {
	if h.dir == nil {
		return 0, false, nil
	}
	b, _, err := h.dir.read(guardName, stampSize+1)
	if missing(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, classify(err, false)
	}
	if at, err = readStamp(guardMagic, b); err != nil {
		return 0, false, err
	}
	h.s.clock.observe(at)
	h.time = max(h.time, h.s.clock.now())
	return at, true, nil
}
