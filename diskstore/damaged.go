package diskstore

import (
	"errors"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// The folder damaged/ has what was set aside: files that fail their checksums, when they are
// removed, so that somebody can find out what has damaged them. They hold what the sessions held.
//
//	TAG.ID   a session's file
//	TAG..j   a journal
const (
	damagedName = "damaged"
	// damagedMost bounds the folder. What comes later is removed without a copy.
	damagedMost = 64
	// damagedFor is for how long a file is there, by its modification time. Sweep removes it then.
	damagedFor = 7 * 24 * time.Hour
)

// asideName is what a file of a user's directory is called in damaged/.
func asideName(tag store.Tag, name string) string { return tagName(tag) + "." + name }

// setAside moves a file to damaged/ and reports whether it has.
func (h *hold) setAside(name string) bool {
	d, err := h.s.disk.damaged()
	if err != nil {
		return false
	}
	defer d.close()
	if names, err := d.names(damagedMost); err != nil || len(names) >= damagedMost {
		return false
	}
	as := asideName(h.tag, name)
	if h.s.disk.setAside(h.tag, name, as) != nil {
		return false
	}
	_ = d.touch(as, h.s.clock.Now()) // or else it goes sooner
	return true
}

// inspect notes which of the files are damaged, before they are removed.
func (h *hold) inspect(ids []store.ID) {
	for _, id := range ids {
		if _, err := h.s.read(h.dir, store.Key{Tag: h.tag, ID: id}, fileMost); errors.Is(err, store.ErrCorrupt) {
			h.bad = append(h.bad, id)
		}
	}
}

// abandon ends all of a user's sessions where the journal is damaged: nobody knows which of them
// the change was to end. It gives the error by which whoever asked learns of it; the next one finds
// nothing. Where damaged/ is full it changes nothing.
func (h *hold) abandon(damage error) error {
	d, err := h.s.disk.damaged()
	if err != nil {
		return damage
	}
	names, err := d.names(damagedMost)
	d.close()
	if err != nil || len(names) >= damagedMost {
		return damage
	}
	if names, err = h.dir.names(0); err != nil {
		return damage
	}
	for _, name := range names {
		var id store.ID
		if !parse(id[:], name) && !slices.Contains(putNames[:], name) {
			continue
		}
		if err := h.dir.remove(name); err != nil && !missing(err) {
			return damage
		}
	}
	if h.dir.sync() == nil && h.setAside(journalName) && h.dir.sync() == nil {
		h.tidy()
	}
	return damage
}

// forget empties damaged/ of what has been there for long enough.
func (s *engine) forget() error {
	if there, err := s.disk.top().exists(damagedName); err != nil || !there {
		return err
	}
	d, err := s.disk.damaged()
	if err != nil {
		return err
	}
	defer d.close()
	names, err := d.names(0)
	for _, name := range names {
		_, info, e := d.read(name, 0)
		if e == nil && s.clock.Now()-info.mtime < int64(damagedFor) {
			continue
		}
		if e = d.remove(name); err == nil && e != nil && !missing(e) {
			err = e
		}
	}
	return err
}
