package diskstore

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// osDisk is the real thing. Everything is reached through [os.Root], from an open directory
// downwards.
type osDisk struct {
	root   *os.Root
	topDir *osDir
	hint   *osDir
	shards [256]osShard
}

// osShard is a directory of users' directories and the lock of them all. It is opened when it is
// first needed, and stays so.
type osShard struct {
	mu   sync.Mutex // held together with the flock: that one is per process
	open atomic.Pointer[openShard]
	init sync.Mutex
}

type openShard struct {
	root *os.Root
	file *os.File // to lock and to sync
}

// quiet means nothing for a file, except that a planted pipe stops nobody; but package os then
// saves four system calls by which it would find out whether the file can be polled.
const quiet = syscall.O_NONBLOCK

const hintsName = "hints"

func shardName(n byte) string { return hex.EncodeToString([]byte{n}) }

// openOS opens a directory whose shards are made already.
func openOS(root *os.Root) (*osDisk, error) {
	h, err := openReal(root, hintsName)
	if err != nil {
		return nil, err
	}
	return &osDisk{root: root, topDir: &osDir{root: root, keep: true}, hint: &osDir{root: h, keep: true}}, nil
}

// openReal opens a directory that is no symbolic link.
func openReal(root *os.Root, name string) (*os.Root, error) {
	fi, err := root.Lstat(name)
	if err != nil {
		return nil, bare(err)
	}
	if !fi.IsDir() {
		return nil, damaged("a file stands where a directory should be")
	}
	r, err := root.OpenRoot(name)
	return r, bare(err)
}

func (d *osDisk) top() dir   { return d.topDir }
func (d *osDisk) hints() dir { return d.hint }

func (d *osDisk) shard(n byte) (*openShard, error) {
	sh := &d.shards[n]
	if o := sh.open.Load(); o != nil {
		return o, nil
	}
	sh.init.Lock()
	defer sh.init.Unlock()
	if o := sh.open.Load(); o != nil {
		return o, nil
	}
	r, err := openReal(d.root, shardName(n))
	if err != nil {
		return nil, err
	}
	f, err := r.Open(".")
	if err != nil {
		r.Close()
		return nil, bare(err)
	}
	o := &openShard{r, f}
	sh.open.Store(o)
	return o, nil
}

func (d *osDisk) close() error {
	for i := range d.shards {
		sh := &d.shards[i]
		sh.mu.Lock() // a write that is under way ends first
		if o := sh.open.Load(); o != nil {
			o.root.Close()
			o.file.Close()
		}
		sh.mu.Unlock()
	}
	d.hint.root.Close()
	return d.root.Close()
}

// lock asks again and again, for a system call that waits would not heed ctx. Who holds a lock does
// so for a few syncs.
func (d *osDisk) lock(ctx context.Context, n byte) (func(), error) {
	o, err := d.shard(n)
	if err != nil {
		return nil, err
	}
	mu := &d.shards[n].mu
	mu.Lock()
	for wait := 20 * time.Microsecond; ; wait = min(2*wait, 2*time.Millisecond) {
		ok, err := tryLock(o.file)
		if ok {
			return func() { unlock(o.file); mu.Unlock() }, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			mu.Unlock()
			return nil, bare(err)
		}
		time.Sleep(wait)
	}
}

func tagName(t store.Tag) string { return hex.EncodeToString(t[:]) }
func idName(id store.ID) string  { return hex.EncodeToString(id[:]) }

// parse reads what hex.EncodeToString wrote, and nothing else.
func parse(dst []byte, name string) bool {
	if len(name) != 2*len(dst) {
		return false
	}
	_, err := hex.Decode(dst, []byte(name))
	return err == nil && name == strings.ToLower(name)
}

func (d *osDisk) open(t store.Tag, write bool) (dir, error) {
	o, err := d.shard(t[0])
	if err != nil {
		return nil, err
	}
	var r *os.Root
	if write {
		r, err = openReal(o.root, tagName(t))
	} else {
		r, err = o.root.OpenRoot(tagName(t))
	}
	if err != nil {
		return nil, bare(err)
	}
	return &osDir{root: r}, nil
}

func (d *osDisk) mkdir(t store.Tag) error {
	o, err := d.shard(t[0])
	if err != nil {
		return err
	}
	return bare(o.root.Mkdir(tagName(t), 0o700))
}

func (d *osDisk) rmdir(t store.Tag) error {
	o, err := d.shard(t[0])
	if err != nil {
		return err
	}
	return bare(o.root.Remove(tagName(t)))
}

func (d *osDisk) syncShard(n byte) error {
	o, err := d.shard(n)
	if err != nil {
		return err
	}
	return bare(o.file.Sync())
}

func (d *osDisk) tags(n byte) (tags []store.Tag, err error) {
	o, err := d.shard(n)
	if err != nil {
		return nil, err
	}
	names, err := (&osDir{root: o.root, keep: true}).names(0)
	for _, name := range names {
		var t store.Tag
		if parse(t[:], name) && t[0] == n {
			tags = append(tags, t)
		}
	}
	return tags, err
}

func (d *osDisk) damaged() (dir, error) {
	if err := d.root.Mkdir(damagedName, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, bare(err)
	}
	r, err := openReal(d.root, damagedName)
	if err != nil {
		return nil, err
	}
	return &osDir{root: r}, nil
}

func (d *osDisk) setAside(t store.Tag, name, as string) error {
	return bare(d.root.Rename(path.Join(shardName(t[0]), tagName(t), name), path.Join(damagedName, as)))
}

// osDir is one directory.
type osDir struct {
	root *os.Root
	keep bool // it stays open for the store's life
}

func (d *osDir) close() {
	if !d.keep {
		d.root.Close()
	}
}

func (d *osDir) read(name string, most int) ([]byte, fileInfo, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|quiet, 0)
	if err != nil {
		return nil, fileInfo{}, bare(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, fileInfo{}, bare(err)
	}
	if !fi.Mode().IsRegular() {
		return nil, fileInfo{}, damaged("not a regular file")
	}
	info := fileInfo{fi.Size(), fi.ModTime().UnixNano()}
	b := make([]byte, min(info.size, int64(most)))
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, info, bare(err)
	}
	return b, info, nil
}

func (d *osDir) readAt(name string, off int64, most int) ([]byte, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|quiet, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	b := make([]byte, most)
	n, err := f.ReadAt(b, off)
	if err == io.EOF {
		err = nil
	}
	return b[:n], bare(err)
}

func (d *osDir) exists(name string) (bool, error) {
	_, err := d.root.Lstat(name)
	if err != nil && missing(err) {
		return false, nil
	}
	return err == nil, bare(err)
}

func (d *osDir) write(name string, b []byte, mtime int64, sync bool) (err error) {
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY | quiet // O_EXCL follows no link
	f, err := d.root.OpenFile(name, flags, 0o600)
	if errors.Is(err, fs.ErrExist) { // left by a crash
		if err = d.root.Remove(name); err == nil {
			f, err = d.root.OpenFile(name, flags, 0o600)
		}
	}
	if err != nil {
		return bare(err)
	}
	_, err = f.Write(b)
	if err == nil {
		// Before the sync, so that it is as durable as the rest.
		err = d.touch(name, mtime)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		d.root.Remove(name)
	}
	return bare(err)
}

func (d *osDir) patch(name string, b []byte) error {
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_WRONLY|quiet, 0o600)
	if err != nil {
		return bare(err)
	}
	_, err = f.WriteAt(b, 0)
	if e := f.Close(); err == nil {
		err = e
	}
	return bare(err)
}

// append writes again where a sweep has meanwhile taken the file away to read its last.
func (d *osDir) append(name string, b []byte) error {
	for {
		f, err := d.root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY|quiet, 0o600)
		if err != nil {
			return bare(err)
		}
		stays, err := d.appendTo(f, name, b)
		f.Close() // only now: the number of a file that is open is given to no other
		if err != nil || stays {
			return bare(err)
		}
	}
}

// appendTo reports whether the file still has the name after the write.
func (d *osDir) appendTo(f *os.File, name string, b []byte) (stays bool, err error) {
	if _, err := f.Write(b); err != nil {
		return false, err
	}
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := d.root.Lstat(name)
	if missing(err) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}

func (d *osDir) touch(name string, mtime int64) error {
	t := time.Unix(0, mtime)
	return bare(d.root.Chtimes(name, t, t))
}

func (d *osDir) rename(from, to string) error { return bare(d.root.Rename(from, to)) }
func (d *osDir) remove(name string) error     { return bare(d.root.Remove(name)) }

func (d *osDir) names(most int) ([]string, error) {
	f, err := d.root.OpenFile(".", os.O_RDONLY|quiet, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(most)
	if err == io.EOF {
		err = nil
	}
	return names, bare(err)
}

func (d *osDir) sync() error {
	f, err := d.root.OpenFile(".", os.O_RDONLY|quiet, 0)
	if err != nil {
		return bare(err)
	}
	defer f.Close()
	return bare(f.Sync())
}

// makeTree makes the shards, once. A tree that is half made is made whole.
func makeTree(root *os.Root) error {
	made := func(name string) error {
		err := root.Mkdir(name, 0o700)
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return bare(err)
	}
	if err := made(hintsName); err != nil {
		return err
	}
	for i := range 256 {
		if err := made(shardName(byte(i))); err != nil {
			return err
		}
	}
	return nil
}

// bootID tells one run of the machine from another, or is empty where the system does not tell.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strconv.Quote(string(b))
}
