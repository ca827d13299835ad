package possessions

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// faces is the diskstore of a [DiskStorer] with the text files that show its sessions. A face is there before its session is, and
// shows it a moment after each change; whoever takes it away ends the session, and its time of modification may lengthen
// the session's life, never shorten it.
type faces struct {
	store.Store
	root   *os.Root
	maxAge time.Duration
	mu     sync.Mutex // one writer of faces, so that the last shows what is there last
}

const (
	storeFolder = ".store"
	faceHead    = "possessions session\n" // tells our files from others with such names
	// faceYoung is how long a face may be without its session: for as long as a Create takes.
	faceYoung = time.Minute
)

// files lists a session's files in the diskstore, as its package comment describes them.
func (f *faces) files(id string) (dir string, infos []fs.FileInfo) {
	tag := store.TagOf(id)
	name := hex.EncodeToString(tag[:])
	dir = path.Join(storeFolder, name[:2], name)
	d, err := f.root.Open(dir)
	if err != nil {
		return dir, nil
	}
	defer d.Close()
	all, _ := d.Readdir(0)
	for _, fi := range all {
		if len(fi.Name()) == 2*len(store.ID{}) {
			infos = append(infos, fi)
		}
	}
	return dir, infos
}

// look carries over to a session what was done to its face by hand. gone: it was removed, and so is the session.
func (f *faces) look(ctx context.Context, id string) (gone bool, err error) {
	face, err := f.root.Stat(id)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, nil // no permission, for one: no reason to end anything
	}
	dir, files := f.files(id)
	if err != nil {
		if len(files) == 0 {
			return true, nil
		}
		_, err = f.Store.Revoke(ctx, id, store.Selection{})
		return err == nil, err
	}
	for _, fi := range files {
		// More than a second: the face is written just after the session.
		if d := face.ModTime().Sub(fi.ModTime()); d > time.Second && (f.maxAge == 0 || d < f.maxAge) {
			_ = f.root.Chtimes(path.Join(dir, fi.Name()), face.ModTime(), face.ModTime()) // or else it ends when it would have
		}
	}
	return false, nil
}

// show writes the face of a session as it is now.
func (f *faces) show(ctx context.Context, rec *store.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now, _, err := f.Store.Get(ctx, rec.Key); err == nil {
		rec = &now
	}
	text, err := unwrap(rec.Data)
	if err != nil {
		text = "{}"
	}
	tmp := ".new-" + rec.User
	if err := f.root.WriteFile(tmp, []byte(faceHead+text+"\n"), 0o600); err != nil {
		_ = f.root.Remove(tmp)
		return err
	}
	return f.root.Rename(tmp, rec.User)
}

func (f *faces) hide(id string) { _ = f.root.Remove(id) } // one that stays is cleaned later

func (f *faces) Create(ctx context.Context, rec store.Record, adm store.Admission) ([]store.Handle, error) {
	if err := f.show(ctx, &rec); err != nil {
		return nil, errors.Join(store.ErrUnavailable, err)
	}
	evicted, err := f.Store.Create(ctx, rec, adm)
	if err != nil && !errors.Is(err, store.ErrIndeterminate) && !errors.Is(err, store.ErrExists) {
		f.hide(rec.User)
	}
	return evicted, err
}

func (f *faces) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	if err := f.Store.Update(ctx, rec, ifVersion); err != nil {
		return err
	}
	now := time.Now()
	if rec.Seen.IsZero() {
		rec.Seen = now
	}
	if !rec.Live(now) { // a sign-out
		f.hide(rec.User)
		return nil
	}
	_ = f.show(ctx, &rec) // on a full disk the old text stays
	return nil
}

func (f *faces) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	if err := f.Store.Touch(ctx, rec, every); err != nil {
		return err
	}
	now := time.Now()
	_ = f.root.Chtimes(rec.User, now, now)
	return nil
}

func (f *faces) Revoke(ctx context.Context, user string, sel store.Selection) (int, error) {
	n, err := f.Store.Revoke(ctx, user, sel)
	if _, ok := parseID(user); ok && err == nil {
		f.hide(user)
	}
	return n, err
}

// clean removes expired sessions, and the faces of those that are no more.
func (f *faces) clean(ctx context.Context) error {
	err := f.each(func(id string, _ fs.FileInfo) error {
		_, err := f.look(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	if err := sweep(ctx, f.Store.Sweep); err != nil {
		return err
	}
	return f.each(func(id string, fi fs.FileInfo) error {
		if _, files := f.files(id); len(files) > 0 || time.Since(fi.ModTime()) < faceYoung {
			return nil
		}
		if text, err := f.root.ReadFile(id); err != nil || !strings.HasPrefix(string(text), faceHead) {
			return nil // somebody else's
		}
		return f.root.Remove(id)
	})
}

// each calls do for what has the name of a face.
func (f *faces) each(do func(id string, fi fs.FileInfo) error) error {
	d, err := f.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		infos, err := d.Readdir(256)
		for _, fi := range infos {
			if _, ok := parseID(fi.Name()); ok && fi.Mode().IsRegular() {
				if err := do(fi.Name(), fi); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
		if err != nil || len(infos) == 0 {
			return nil // io.EOF, or a folder that is going away
		}
	}
}
