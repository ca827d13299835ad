package possessions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/diskstore"
	"github.com/sojourn-go/sojourn/store"
)

// DiskStorer keeps sessions in a folder. What counts is a diskstore in it, which survives kills and
// power cuts and may be used by several processes of one machine. Beside it, for people and their
// tools, each session has a text file, named by its UUID, with the session's values in JSON:
//
//	FOLDER/a668b3bb-0cf1-4627-8cd4-7f62d09ebad6   a session's values
//	FOLDER/.key                                   what seals the cookies; 0600
//	FOLDER/.store/                                the diskstore
//
// The text file's modification time is that of the session's last use: Get, Set, requests and
// refreshing set it, and touching the file by hand pushes the session's expiry back. Removing it
// ends the session. Editing it changes nothing; use Set.
type DiskStorer struct {
	*records
	*cleaner
	faces *faces
}

var _ Storer = (*DiskStorer)(nil)

// NewDefaultDiskStorer is [NewDiskStorer] with a maxAge of 2 days, a cleanInterval of 1 hour, and a
// folder of the given name in the system's folder for temporary files, closed to other users; ""
// makes a new one with a random name. Many systems empty that folder at a restart. Errors: those of
// NewDiskStorer; a name that leads elsewhere; a folder of another user.
func NewDefaultDiskStorer(tmpSubFolder string) (*DiskStorer, error) {
	folder, err := tempFolder(tmpSubFolder)
	if err != nil {
		return nil, fail("open folder", err)
	}
	return NewDiskStorer(folder, defaultMaxAge, defaultClean)
}

func tempFolder(sub string) (string, error) {
	if sub == "" {
		return os.MkdirTemp("", "sessions-")
	}
	if !filepath.IsLocal(sub) || filepath.Base(sub) != sub || sub == "." {
		return "", fmt.Errorf("%q is not the name of a folder", sub)
	}
	folder := filepath.Join(os.TempDir(), sub)
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	if fi, err := os.Lstat(folder); err != nil || !fi.IsDir() {
		return "", errors.Join(fmt.Errorf("%q is no folder", sub), err) // a link that somebody has planted
	}
	return folder, os.Chmod(folder, 0o700) // fails where it is another user's
}

// NewDiskStorer opens or makes a storer in folder, whose parent exists. Sessions end maxAge after
// their last use, exactly then, cleaner or not; with StartCleaner their files are removed every
// cleanInterval. Both zero: they persist. Whatever else is in the folder is left alone. The caller
// ends with Close. Errors: as diskstore.Open; one of both durations zero, or a negative one.
//
// A power cut loses what the last seconds have changed, and sessions as a whole, as with the older
// library; a kill of the process loses nothing, and what was ended stays so in any case.
// [NewDiskStorerWith] has other settings.
func NewDiskStorer(folder string, maxAge, cleanInterval time.Duration) (*DiskStorer, error) {
	return NewDiskStorerWith(store.Loose, folder, maxAge, cleanInterval)
}

// NewDiskStorerWith is [NewDiskStorer] with another setting of what waits for the disk:
// [store.Durable], where every Set does, some milliseconds each, or [store.Loose]. All processes
// that use the folder have the same.
func NewDiskStorerWith(d store.Durability, folder string, maxAge, cleanInterval time.Duration) (*DiskStorer, error) {
	if err := checkAges(maxAge, cleanInterval); err != nil {
		return nil, err
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fail("open folder", err)
	}
	key := filepath.Join(folder, ".key")
	if err := sojourn.CreateKeys(key); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fail("make key", err)
	}
	ring, err := sojourn.LoadKeys(key)
	if err != nil {
		return nil, fail("open key", err)
	}
	st, err := diskstore.Open(filepath.Join(folder, storeFolder), &diskstore.Options{Durability: d})
	if err != nil {
		return nil, fail("open store", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		st.Close()
		return nil, fail("open folder", err)
	}
	f := &faces{Store: st, root: root, maxAge: maxAge}
	keys := func(context.Context) (sojourn.Sealer, error) { return ring, nil }
	return &DiskStorer{
		&records{st: f, maxAge: maxAge, keys: keys, reads: true, byUUID: true, look: f.look},
		&cleaner{every: cleanInterval, clean: f.clean}, f,
	}, nil
}

// Close stops the cleaner and frees the folder; later calls fail. Closing twice is no error.
func (d *DiskStorer) Close() error {
	d.StopCleaner()
	return errors.Join(d.faces.Store.(*diskstore.Store).Close(), d.faces.root.Close())
}
