package diskstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/sojourn-go/sojourn/store"
)

// disk is all that the store asks of a file system, so that tests can put a model in its place that
// loses power. Names never come from a caller's bytes but as hexadecimal digits. What is not there
// is an error that matches [fs.ErrNotExist].
//
// Of durability it promises what POSIX does: the bytes and times of a file after its sync (write
// does one if asked), the names in a directory after the directory's.
type disk interface {
	top() dir   // the store's own files
	hints() dir // see hints.go

	// lock holds a shard, of which a tag's first byte is the number, against all other holders in
	// all processes until release is called. It gives up when ctx ends.
	lock(ctx context.Context, shard byte) (release func(), err error)
	// open opens a user's directory. To write there, it must be no symbolic link; a reader finds
	// the key in each file.
	open(tag store.Tag, write bool) (dir, error)
	mkdir(tag store.Tag) error
	rmdir(tag store.Tag) error // only if it is empty
	syncShard(shard byte) error
	tags(shard byte) ([]store.Tag, error)
	damaged() (dir, error) // opens damaged/, which it makes if need be
	// setAside moves a file of a user's directory there. The caller syncs that directory.
	setAside(tag store.Tag, name, as string) error
	close() error
}

// dir is one open directory of files.
type dir interface {
	// read returns the first bytes of a file, at most so many.
	read(name string, most int) (b []byte, f fileInfo, err error)
	readAt(name string, off int64, most int) ([]byte, error)
	exists(name string) (bool, error)
	// write makes a new file, in place of one that may be there, and syncs it if asked.
	write(name string, b []byte, mtime int64, sync bool) error
	// patch overwrites the beginning of a file, which it makes if need be. Nothing is synced.
	patch(name string, b []byte) error
	// append adds to the end of the file that has the name when the call returns. Nothing is
	// synced. b is added as one piece beside other appends.
	append(name string, b []byte) error
	touch(name string, mtime int64) error
	rename(from, to string) error
	remove(name string) error
	names(most int) ([]string, error) // most of 0 or less: all
	sync() error
	close()
}

type fileInfo struct{ size, mtime int64 }

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// full tells that there is no room for what was to be written.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// bare takes the path from an error of package os, for it holds an ID.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e.Err
	}
	return err
}
