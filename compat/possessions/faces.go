package possessions

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// faces is the diskstore of a [DiskStorer] with the text files that show its sessions. A face is
// there before its session is, and shows it a moment after each change; whoever takes it away ends
// the session, and its time of modification may lengthen the session's life, never shorten it.
type faces struct {
	store.Store
	root   *os.Root
	maxAge time.Duration
	mu     sync.Mutex // of show: those of one process need not repeat each other's work
}

const (
	storeFolder = ".store"
	faceHead    = "possessions session\n" // tells our files from others with such names
	newFace     = ".new-"                 // begins the name of a face that is being written; a crash may leave it
	// faceYoung is how long a face may be without its session: for as long as a Create takes.
	faceYoung = time.Minute
)

// files lists a session's files in the diskstore, as its package comment describes them. An error
// says that nobody can tell whether there are any.
func (f *faces) files(id string) (dir string, infos []fs.FileInfo, err error) {
	tag := store.TagOf(id)
	name := hex.EncodeToString(tag[:])
	dir = path.Join(storeFolder, name[:2], name)
	d, err := f.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil, nil
	}
	if err != nil {
		return dir, nil, err
	}
	defer d.Close()
	all, err := d.Readdir(0)
	for _, fi := range all {
		if len(fi.Name()) == 2*len(store.ID{}) {
			infos = append(infos, fi)
		}
	}
	return dir, infos, err
}

// look carries over to a session what was done to its face by hand. gone: it was removed, and so is
// the session.
func (f *faces) look(ctx context.Context, id string) (gone bool, err error) {
	face, noFace := f.root.Stat(id)
	if noFace != nil && !errors.Is(noFace, fs.ErrNotExist) {
		return false, nil // no permission, for one: no reason to end anything
	}
	dir, files, err := f.files(id)
	if err != nil {
		return false, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if noFace != nil {
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

// write writes a face, whole or not at all, beside other processes that do.
func (f *faces) write(id string, data []byte) error {
	text, err := unwrap(data)
	if err != nil {
		text = "{}"
	}
	tmp := newFace + id + "-" + rand.Text()
	if err := f.root.WriteFile(tmp, []byte(faceHead+text+"\n"), 0o600); err != nil {
		_ = f.root.Remove(tmp) // it may not be there; the cleaner removes what is left
		return err
	}
	if err := f.root.Rename(tmp, id); err != nil {
		_ = f.root.Remove(tmp)
		return err
	}
	return nil
}

// show makes the face that of the session as it is now, and none of one that has ended. Whoever
// ends or changes a session shows it afterwards, so the one who looks last, after writing, sees the
// last change.
func (f *faces) show(ctx context.Context, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range 10 { // times that another process comes between
		rec, err := liveOf(ctx, f.Store, id)
		if err == nil {
			rec, _, err = f.Store.Get(ctx, rec.Key)
		}
		if errors.Is(err, store.ErrCorrupt) {
			return // whoever asks for the session sets it aside
		}
		if err == nil {
			if f.write(id, rec.Data) != nil {
				return // on a full disk the old text stays
			}
			var now store.Record
			if now, err = liveOf(ctx, f.Store, id); err == nil && now.Key == rec.Key && now.Version == rec.Version {
				return
			}
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			f.hide(id)
		case err != nil:
			return
		}
	}
}

func (f *faces) hide(id string) { _ = f.root.Remove(id) } // one that stays is cleaned later

func (f *faces) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	if err := f.write(rec.User, rec.Data); err != nil {
		return store.Admitted{}, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	a, err := f.Store.Create(ctx, rec, adm)
	if err != nil && !errors.Is(err, store.ErrIndeterminate) {
		f.show(ctx, rec.User)
	}
	return a, err
}

func (f *faces) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	err := f.Store.Update(ctx, rec, ifVersion)
	if err == nil {
		f.show(ctx, rec.User)
	}
	return err
}

func (f *faces) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	err := f.Store.Rotate(ctx, old, ifVersion, rec, tail)
	if err == nil {
		f.show(ctx, rec.User)
	}
	return err
}

func (f *faces) Delete(ctx context.Context, key store.Key) error {
	rec, _, none := f.Store.Get(ctx, key) // a key does not tell its ID
	err := f.Store.Delete(ctx, key)
	if _, ok := parseID(rec.User); ok && none == nil && err == nil {
		f.show(ctx, rec.User) // a renewed session goes on under another key
	}
	return err
}

func (f *faces) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	if err := f.Store.Touch(ctx, rec, every); err != nil {
		return err
	}
	now := time.Now()
	_ = f.root.Chtimes(rec.User, now, now) // a face only shows the session, whose record has the use
	return nil
}

func (f *faces) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	r, err := f.Store.Revoke(ctx, user, sel)
	if _, ok := parseID(user); ok && err == nil {
		f.show(ctx, user)
	}
	return r, err
}

// clean removes expired sessions, and the faces of those that are no more. What one file refuses
// does not keep it from the others.
func (f *faces) clean(ctx context.Context) error {
	var t troubles
	t.add(f.each(ctx, func(id, name string) error {
		if name != id {
			return nil
		}
		_, err := f.look(ctx, id)
		return err
	}))
	t.add(sweep(ctx, f.Store.Sweep))
	t.add(f.each(ctx, f.discard))
	return t.err()
}

// discard removes a face without a session, or one that was never finished.
func (f *faces) discard(id, name string) error {
	fi, err := f.root.Lstat(name)
	if err != nil || time.Since(fi.ModTime()) < faceYoung {
		return err
	}
	head := faceHead
	if name != id {
		head = head[:min(len(head), int(fi.Size()))] // a crash may have cut it
	} else if _, files, err := f.files(id); err != nil || len(files) > 0 {
		return err
	}
	if ours, err := f.begins(name, head); !ours {
		return err
	}
	return f.root.Remove(name)
}

// begins reports whether a file begins with head. Another is somebody else's.
func (f *faces) begins(name, head string) (bool, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	b := make([]byte, len(head))
	n, err := io.ReadFull(file, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return err == nil && string(b[:n]) == head, err
}

// each calls do for what has the name of a face, or of one that was being written.
func (f *faces) each(ctx context.Context, do func(id, name string) error) error {
	d, err := f.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	var t troubles
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			id, unfinished := strings.CutPrefix(e.Name(), newFace)
			if unfinished {
				id = id[:min(len(id), idLen)]
			}
			if _, ok := parseID(id); !ok || !e.Type().IsRegular() {
				continue
			}
			if err := do(id, e.Name()); !errors.Is(err, fs.ErrNotExist) { // somebody was faster
				t.add(err)
			}
		}
		if err == io.EOF {
			return t.err()
		}
		if err != nil {
			t.add(err)
			return t.err()
		}
	}
}
