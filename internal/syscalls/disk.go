package syscalls

import (
	"path/filepath"
	"slices"
	"strings"
)

// Disk is what is known of a directory's files after some acts: what was changed, and what of it a
// power cut cannot take any more. It takes POSIX at its word: bytes are durable by a sync of the
// file that begins when they are written, and a name by such a sync of its folder. Some file
// systems do more.
type Disk struct {
	names map[string]*entry
}

// entry is a name, of a file or, gone, of what it was removed from.
type entry struct {
	file  *file
	gone  bool
	since int // when it came to that
}

// file is a file or a folder, whatever names it has.
type file struct {
	folder          bool
	changed, synced int // when it was last changed; when the last sync began that has ended
}

// NewDisk returns the disk before the first act.
func NewDisk() *Disk {
	return &Disk{map[string]*entry{".": {file: &file{folder: true}}}}
}

// Do replays an act. It gives the paths to which a file was renamed or linked before its bytes were
// durable: a power cut may have shown it there torn.
func (d *Disk) Do(a Act) (early []string) {
	for _, c := range a.Calls {
		f := d.file(c.Path)
		switch c.Kind {
		case Make:
			if f == nil {
				d.names[c.Path] = &entry{file: new(file), since: c.Ended}
			}
		case Write:
			if f != nil { // else it has no name any more
				f.changed = c.Ended
			}
		case Sync:
			if f != nil && c.Began > f.synced {
				f.synced = c.Began
			}
		case Mkdir:
			d.forget(c.Path)
			d.names[c.Path] = &entry{file: &file{folder: true}, since: c.Ended}
		case Remove:
			d.names[c.Path] = &entry{f, true, c.Ended}
		case Rename, Link:
			if f.changed > f.synced {
				early = append(early, c.To)
			}
			d.names[c.To] = &entry{file: f, since: c.Ended}
			if c.Kind == Rename {
				d.names[c.Path] = &entry{f, true, c.Ended}
			}
		}
	}
	return early
}

// file returns what has a name, or nil.
func (d *Disk) file(path string) *file {
	if e := d.names[path]; e != nil && !e.gone {
		return e.file
	}
	return nil
}

// forget drops what was in a folder that is made anew.
func (d *Disk) forget(folder string) {
	for path := range d.names {
		if strings.HasPrefix(path, folder+"/") {
			delete(d.names, path)
		}
	}
}

// Loses says what of some acts a power cut may take after all that was done so far: bytes, and
// names. spare names what need not be durable. That an empty folder is removed never need.
func (d *Disk) Loses(spare func(path string) bool, of ...Act) (lost []string) {
	note := func(what, path string) {
		if text := "the " + what + " of " + path; !spare(path) && !slices.Contains(lost, text) {
			lost = append(lost, text)
		}
	}
	for _, a := range of {
		for _, c := range a.Calls {
			if c.Kind != Sync {
				d.loses(c.Path, note)
				d.loses(c.To, note)
			}
		}
	}
	return lost
}

// loses notes what is lost of a path that was changed.
func (d *Disk) loses(path string, note func(what, path string)) {
	e := d.names[path]
	if e == nil {
		return
	}
	if e.gone {
		if !e.file.folder && !d.named(path) {
			note("removal", path)
		}
		return
	}
	if e.file.changed > e.file.synced {
		note("bytes", path)
	}
	for ; path != "."; path = filepath.Dir(path) {
		if !d.named(path) {
			note("name", path)
		}
	}
}

// named reports whether a name, or its removal, is durable.
func (d *Disk) named(path string) bool {
	e, folder := d.names[path], d.names[filepath.Dir(path)]
	return folder != nil && e.since < folder.file.synced
}
