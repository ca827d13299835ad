package servers

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/system"
)

const folderPrefix = "sojourn-servers-"

// A folder holds the data of one server. A lock says whether the process that made it still lives.
type folder struct {
	path string
	lock *os.File
}

var sweepOnce sync.Once

func newFolder(name string) (*folder, error) {
	if err := system.Check(); err != nil {
		return nil, err
	}
	sweepOnce.Do(sweep)
	path, err := os.MkdirTemp("", folderPrefix+name+"-")
	if err != nil {
		return nil, err
	}
	f := &folder{path: path}
	// A server that runs as another user has to reach its part of it.
	if err = os.Chmod(path, 0o711); err == nil {
		f.lock, err = os.Create(filepath.Join(path, "lock"))
	}
	if err == nil {
		_, err = system.Lock(f.lock) // nobody else knows of it
	}
	if err != nil {
		os.RemoveAll(path)
		return nil, err
	}
	return f, nil
}

func (f *folder) remove() error {
	defer f.lock.Close()
	return os.RemoveAll(f.path)
}

// file writes a file into the folder and returns its path.
func (f *folder) file(name, text string) (string, error) {
	path := filepath.Join(f.path, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// data makes a folder in it that belongs to the user that the server runs as.
func (f *folder) data(o *owner) (string, error) {
	path := filepath.Join(f.path, "data")
	if err := os.Mkdir(path, 0o700); err != nil || o == nil {
		return path, err
	}
	return path, os.Chown(path, int(o.uid), int(o.gid))
}

// sweep removes the folders of processes that were killed. Their servers died with them.
func sweep() {
	paths, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, path := range paths {
		// One that is younger may not be locked yet.
		if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		lock, err := os.Open(filepath.Join(path, "lock"))
		if err != nil {
			continue
		}
		if ours, _ := system.Lock(lock); ours {
			os.RemoveAll(path)
		}
		lock.Close()
	}
}

// An owner is the user that a server runs as when it refuses to run as root.
type owner struct{ uid, gid uint32 }

// unprivileged returns nil unless this process is root's.
func unprivileged(names ...string) (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var last error
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			last = err
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &owner{uint32(uid), uint32(gid)}, nil
		}
	}
	return nil, last
}
