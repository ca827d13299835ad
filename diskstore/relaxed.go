package diskstore

import (
	"errors"
	"io/fs"

	"github.com/sojourn-go/sojourn/store"
)

// What is written without a sync, in a store that is not Durable, may be anything after a power
// cut: there, not there, or torn. Four rules keep it from harming the rest.
//
//  1. Only a single file is written so, in place of nothing or of the same record's. What ends
//     anything, and each change of several files, is synced as ever.
//  2. In a Relaxed store the bytes of a user's record are synced before it gets its name, which is
//     not. So the name leads to the record before or after the change, and the sign-in stays.
//  3. A user's directory may itself not be durable, though there are files in it. So whatever is
//     synced there syncs the shard first, which has the directory's name. Once a store was not
//     Durable that stays so: the file "relaxed" tells later processes.
//  4. After a restart of the machine, until a Sweep has been through everything, a file that fails its
//     checksum is taken for torn: it counts as not there, and that Sweep removes it. So a power cut is
//     not reported as damage.
const relaxedName = "relaxed"

// relax finds out whether files may be there that were not synced, and says so to others.
func (s *engine) relax() error {
	top := s.disk.top()
	there, err := top.exists(relaxedName)
	if err != nil {
		return err
	}
	if s.relaxed = there || s.wait != store.Durable; s.relaxed && !there {
		if err := top.write(relaxedName, nil, 0, true); err != nil {
			return err
		}
		return top.sync()
	}
	return nil
}

// torn reports whether a file that fails its checksum may be what a power cut has left.
func (s *engine) torn() bool { return s.relaxed && !s.ordered.Load() }

// untorn takes such a file for none.
func (s *engine) untorn(rec store.Record, err error) (store.Record, error) {
	if errors.Is(err, store.ErrCorrupt) && s.torn() {
		err = fs.ErrNotExist
	}
	return rec, err
}

// anchor makes sure that the user's directory outlives a power cut, with what is synced in it.
func (h *hold) anchor() error {
	if !h.s.relaxed {
		return nil
	}
	return h.s.disk.syncShard(h.tag[0])
}

// bytesWait reports whether a record's bytes are synced before it gets its name.
func (s *engine) bytesWait(rec *store.Record) bool {
	return s.wait == store.Durable || s.wait == store.Relaxed && rec.User != ""
}
