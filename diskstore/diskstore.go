// Package diskstore keeps sessions in plain files below one directory: a directory for each user, a
// file for each session. It needs no server and nothing but the standard library, and everything
// there can be seen with ls.
//
//	sessions, err := diskstore.Open("/var/lib/shop/sessions", nil)
//	...
//	defer sessions.Close()
//	manager, err := sojourn.New(sessions, nil)
//
// # Durability
//
// Create, Update, Rotate, Delete and Revoke are on the disk when they return: they survive a crash
// of the process and a power cut. A Touch survives a crash of the process only, as do changes of
// data and visitors' sessions where [Options].Durability says so. Whatever crashes, each session is
// as it was before a call or after it, and a Rotate or an eviction happened altogether or not at
// all. A Revoke that a crash interrupts may have ended some of a user's sessions and not others, as
// long as it was not acknowledged.
//
// # Processes
//
// Several processes of one machine may use a directory at once, with all guarantees of
// [store.Store]: each write holds a lock (flock), which the system frees when its holder dies. So a
// server may be restarted without a gap, and sessions may be listed and revoked by a tool beside
// it. Local file systems only: locks and renames over NFS and its like do not keep these promises.
// A process that is stopped (SIGSTOP) in the middle of a write delays the others' writes to one in
// 256 users, until their contexts end.
//
// # Time of last use
//
// It is a file's modification time, because access times do not move on file systems mounted
// relatime or noatime. To touch(1) a session's file extends its life as Touch does; times in the
// future count as now. Tools that set modification times to now (restoring a backup without its
// times) touch every session. Times are exact to the nanosecond where the file system's are (ext4,
// XFS, Btrfs, APFS, tmpfs); elsewhere a touch counts from up to one of its ticks earlier.
//
// The clock does not follow changes of the machine's clock while the process runs. Over a restart
// it never runs back, except for the last second before a crash: see clock.go, also for processes
// that were started before and after such a change.
//
// # Costs
//
// Get is one open and one read, about 1.4 times what package os needs for them, without a lock.
// Writes cost what syncs cost: an Update or a Create two, a new user's first Create three, a Rotate
// four (with a tail five), a Delete one, a Revoke three. A Touch needs none. A session takes a file
// and, where its user has no other, a directory: two inodes, and on most file systems 4 KiB for
// each. Sweep does not grow with what is stored: see Sweep. A write holds one of 256 locks, which
// users share by their tags.
//
// # Files
//
//	format, clock, boot, reserve, relaxed   the store's own
//	hints/                           what Sweep will look at
//	damaged/                         what was set aside
//	TT/TAG/ID                        a session: hexadecimal digits, TT the first two of TAG
//	TT/TAG/.g                        when the user's sessions were revoked
//	TT/TAG/.n .0 .1 .j               only while something is written, or after a crash
//
// No name comes from user input. Directories are 0700, files 0600. Everything is opened through
// [os.Root], files carry the key that they belong to, and new files are made afresh: a planted
// symbolic link is never written through, and what it points to is never taken for a session.
// Formats are described in format.go, journal.go, hints.go and damaged.go. To copy a store for a
// backup, copy the directory with its times while no process uses it.
//
// # Damage
//
// A session's file that fails its checksum is [store.ErrCorrupt], for that session only; User and
// All go on past it. Delete, Revoke and, when the end has come that it was filed with, Sweep set it
// aside: it moves to damaged/, where it can be looked at, with all that the session held, for 7
// days. There are 64 files there at most; what comes later is removed. A damaged journal (.j) is
// set aside by the first write that finds it, which fails with [store.ErrCorrupt], and all of that
// user's sessions end with it, for nobody knows which of them it was to end; it stays while
// damaged/ is full.
//
// A file with right checksums in a version that is not known here is [store.ErrUnavailable], for
// Revoke too, and stays.
package diskstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
	"github.com/sojourn-go/sojourn/store/embedded"
)

// Options of a [Store]. The zero Options is right for most.
type Options struct {
	// Reserve is the number of bytes kept aside in a file, given up on a full disk so that
	// revocations can be written. 0 means 256 KiB, less than 0 none.
	Reserve int
	// Durability says which writes wait for the disk; see [store.Durability]. All processes that
	// use the directory have the same.
	Durability store.Durability
}

// Store is a [store.Store] in a directory. Make it with [Open].
type Store struct {
	*driver.Store
	engine *engine
}

var _ store.Store = (*Store)(nil)

// engine is the [embedded.Driver] behind a Store.
type engine struct {
	disk    disk
	clock   clock
	reserve int
	wait    store.Durability
	relaxed bool // files may be there that were not synced: see relaxed.go
	closed  atomic.Bool
	sweeper sweeper
	boot    string      // name of this run of the machine
	ordered atomic.Bool // nothing is left of a crash of the machine: see journal.go and hints.go
}

const (
	formatName  = "format"
	formatText  = "sojourn diskstore 1\n"
	reserveName = "reserve"
	bootName    = "boot"
)

// Open opens the store in a directory, which it makes if there is none; its parent must exist. nil
// means the zero [Options]. The caller closes the Store. Errors: store.ErrUnavailable, also for a
// directory with other content; store.ErrCorrupt where a part of the store is no directory;
// store.ErrFull; [errors.ErrUnsupported] on systems without flock (Windows).
func Open(dir string, opts *Options) (*Store, error) {
	if err := errNoLock; err != nil {
		return nil, notOpened(dir, err)
	}
	d, err := prepare(dir)
	if err != nil {
		return nil, notOpened(dir, classify(err, false))
	}
	s, err := open(d, opts, bootID())
	if err != nil {
		d.close()
		return nil, notOpened(dir, classify(err, false))
	}
	return s, nil
}

func notOpened(dir string, err error) error { return fmt.Errorf("%s: open %s: %w", name, dir, err) }

const name = "diskstore"

// prepare makes the tree of directories, durably, before anything is put there.
func prepare(path string) (d *osDisk, err error) {
	if err := os.Mkdir(path, 0o700); err == nil {
		err = syncPath(filepath.Dir(path))
		if err != nil {
			return nil, bare(err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, bare(err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, bare(err)
	}
	defer func() {
		if err != nil {
			root.Close()
		}
	}()
	top := &osDir{root: root, keep: true}
	there, err := top.exists(formatName)
	if err != nil {
		return nil, err
	}
	if !there {
		if err := ours(top); err != nil {
			return nil, err
		}
		if err := makeTree(root); err != nil {
			return nil, err
		}
		if err := top.sync(); err != nil {
			return nil, err
		}
	}
	return openOS(root)
}

// ours refuses a directory with anything in it that is not a store half made.
func ours(top dir) error {
	names, err := top.names(0)
	for _, name := range names {
		var shard [1]byte
		switch name { // another process may be making the same store
		case hintsName, bootName, formatName, "." + formatName, clockName, reserveName, damagedName, relaxedName, "lost+found":
			continue
		}
		if !parse(shard[:], name) {
			return errors.New("the directory is not empty and holds no session store")
		}
	}
	return err
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// open makes a Store on a disk whose directories are there.
func open(d disk, opts *Options, boot string) (*Store, error) {
	s := &engine{disk: d, reserve: 256 << 10, boot: boot}
	if opts != nil {
		s.wait = opts.Durability
		if opts.Reserve != 0 {
			s.reserve = max(opts.Reserve, 0)
		}
	}
	top := d.top()
	b, _, err := top.read(formatName, 100)
	switch {
	case missing(err):
		if err := s.found(boot); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case string(b) != formatText:
		return nil, errors.New("the directory holds a store of another format")
	}
	if err := s.relax(); err != nil {
		return nil, err
	}
	s.clock.open(d)
	s.ordered.Store(s.swept())
	s.keepReserve()
	return &Store{embedded.New(name, s), s}, nil
}

// swept reports whether a Sweep has been through everything since the machine was started, or the
// store was made since.
func (s *engine) swept() bool {
	b, _, err := s.disk.top().read(bootName, 100)
	return err == nil && s.boot != "" && string(b) == s.boot
}

// found writes the files that make a tree of directories a store.
func (s *engine) found(boot string) error {
	release, err := s.disk.lock(context.Background(), 0) // another process may do the same
	if err != nil {
		return err
	}
	defer release()
	top := s.disk.top()
	if there, err := top.exists(formatName); err != nil || there {
		return err
	}
	// Without sessions no hints are missing; said before the store exists.
	if err := top.write(bootName, []byte(boot), 0, true); err != nil {
		return err
	}
	if err := top.write("."+formatName, []byte(formatText), 0, true); err != nil {
		return err
	}
	if err := top.rename("."+formatName, formatName); err != nil {
		return err
	}
	return top.sync()
}

// Close ends the use of the directory and frees its handles. Calls that are under way should have
// returned; later ones fail with store.ErrUnavailable. Closing twice is no error. Errors:
// store.ErrUnavailable, which loses nothing.
func (s *Store) Close() error { return s.Fail("close", s.engine.close()) }

func (s *engine) close() error {
	if s.closed.Swap(true) {
		return nil
	}
	err := s.clock.keep()
	if e := s.disk.close(); err == nil {
		err = e
	}
	if full(err) {
		return nil
	}
	return classify(err, false)
}

// keepReserve fills the reserve, if there is room.
func (s *engine) keepReserve() {
	if s.reserve == 0 {
		return
	}
	if there, err := s.disk.top().exists(reserveName); err == nil && !there {
		b := make([]byte, s.reserve)
		for i := range b {
			b[i] = byte(i*i>>8 ^ i) // no hole, nor anything that a file system would squeeze
		}
		_ = s.disk.top().write(reserveName, b, 0, true) // without room there is none to keep; tried again by the next Sweep
	}
}

// spending does f, which ends sessions, and once more with the room of the reserve if there was
// none.
func (s *engine) spending(f func() error) error {
	err := f()
	if full(err) && s.disk.top().remove(reserveName) == nil {
		err = f()
	}
	return err
}

// classify gives an error of the disk its sentinel. maybe says that something may have been done.
func classify(err error, maybe bool) error {
	switch {
	case err == nil || driver.Known(err):
		return err
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, context.DeadlineExceeded)
	case maybe:
		return fmt.Errorf("%w: %v", store.ErrIndeterminate, err)
	case full(err):
		return fmt.Errorf("%w: %v", store.ErrFull, err)
	}
	return fmt.Errorf("%w: %v", store.ErrUnavailable, err)
}
