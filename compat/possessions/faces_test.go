package possessions

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// between is a store that lets another process come between a write and what follows it.
type between struct {
	store.Store
	after func() // called once, after the next Update or Get
	get   bool
}

func (b *between) do() {
	if f := b.after; f != nil {
		b.after = nil
		f()
	}
}

func (b *between) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	err := b.Store.Update(ctx, rec, ifVersion)
	if !b.get {
		b.do()
	}
	return err
}

func (b *between) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	rec, now, err := b.Store.Get(ctx, key)
	if b.get {
		b.do()
	}
	return rec, now, err
}

// sameFolder opens a storer's folder once more, as another process does.
func sameFolder(t *testing.T, d *DiskStorer) *DiskStorer {
	t.Helper()
	other, err := NewDiskStorer(d.faces.root.Name(), d.maxAge, d.every)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return other
}

// faceText is what a session's text file says, "" without one.
func faceText(t *testing.T, d *DiskStorer, id string) string {
	t.Helper()
	text, err := d.faces.root.ReadFile(id)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(text), faceHead), "\n")
}

// The text file of a session that another process ends or changes is not written again with the old
// values.
func TestFaceAfterOthers(t *testing.T) {
	for when, get := range map[string]bool{"after the update": false, "after the read for the file": true} {
		t.Run(when, func(t *testing.T) {
			d := newDisk(t, time.Hour)
			other, ctx := sameFolder(t, d), t.Context()
			b := &between{Store: d.faces.Store, get: get}
			d.faces.Store = b
			t.Cleanup(func() { d.faces.Store = b.Store })
			const id = "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6"
			ok(t, d.Set(ctx, id, `{"a":"0"}`))
			// A Set is a read, an update, and a read for the file.
			set := func(text string, act func()) {
				t.Helper()
				rec, err := d.read(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				rec.Data, rec.Writer, rec.Seen = wrap(text), writerNonce(), time.Time{}
				b.after = act
				ok(t, d.faces.Update(ctx, rec, rec.Version))
				if b.after != nil {
					t.Error("nobody came between")
				}
			}
			set(`{"a":"1"}`, func() { ok(t, other.Set(ctx, id, `{"a":"2"}`)) })
			if got := faceText(t, d, id); got != `{"a":"2"}` {
				t.Errorf("changed by another: the file says %q", got)
			}
			set(`{"a":"3"}`, func() { ok(t, other.Del(ctx, id)) })
			if got := faceText(t, d, id); got != "" {
				t.Errorf("ended by another: the file says %q", got)
			}
		})
	}
}

// A session that its key ends takes its file along; one that goes on under another key keeps it,
// with what it holds now.
func TestFaceOfKeys(t *testing.T) {
	d := newDisk(t, time.Hour)
	o, ctx := NewStorageOverseer(NewCookieOptions(), d), t.Context()
	v := visit(t, o)
	v.at("set", "k", "a", "v", "1")
	id := only(t, d)
	old, err := d.read(ctx, id)
	ok(t, err)
	rec := old
	rec.Key.ID[0] ^= 1
	rec.Handle[0] ^= 1
	rec.Data, rec.Writer = wrap(`{"a":"2"}`), writerNonce()
	ok(t, d.faces.Rotate(ctx, old.Key, old.Version, rec, nil))
	if got := faceText(t, d, id); got != `{"a":"2"}` {
		t.Errorf("renewed: the file says %q", got)
	}
	ok(t, d.faces.Delete(ctx, old.Key)) // which nobody has any more
	if got := faceText(t, d, id); got == "" {
		t.Error("the end of an old key took the file away")
	}
	ok(t, d.faces.Delete(ctx, rec.Key))
	if got := faceText(t, d, id); got != "" {
		t.Errorf("ended by its key: the file says %q", got)
	}
	if n := len(ids(t, d)); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// What a crash leaves of a file that was being written is cleaned, whole or cut; what only looks
// like it is not, nor what is being written.
func TestCleanUnfinished(t *testing.T) {
	d := newDisk(t, time.Hour)
	const id = "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6"
	old := time.Now().Add(-2 * faceYoung)
	for name, f := range map[string]struct {
		text  string
		young bool
		stays bool
	}{
		newFace + id + "-WHOLE": {text: faceHead + "{}\n"},
		newFace + id + "-CUT":   {text: faceHead[:5]},
		newFace + id + "-EMPTY": {},
		newFace + id:            {text: faceHead + "{}\n"},
		newFace + id + "-YOUNG": {text: faceHead, young: true, stays: true},
		newFace + id + "-OTHER": {text: "mine", stays: true},
		newFace + "notes":       {text: faceHead, stays: true},
		id:                      {text: faceHead + "{}\n"},
		id + "-mine":            {text: faceHead, stays: true},
	} {
		file := filepath.Join(d.faces.root.Name(), name)
		ok(t, os.WriteFile(file, []byte(f.text), 0o600))
		if !f.young {
			ok(t, os.Chtimes(file, old, old))
		}
		d.Clean()
		if _, err := os.Stat(file); (err == nil) != f.stays {
			t.Errorf("%s: %v, want it to stay: %v", name, err, f.stays)
		}
	}
}
