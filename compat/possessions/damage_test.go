package possessions

import (
	"bytes"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hurt changes a byte of each session's file in a storer's folder, from the front or, less than 0,
// from the back.
func hurt(t *testing.T, d *DiskStorer, at int, but string) (n int) {
	t.Helper()
	root := filepath.Join(d.faces.root.Name(), storeFolder)
	ok(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || len(e.Name()) != 64 || but != "" && strings.Contains(path, but) {
			return err
		}
		fi, err := e.Info()
		ok(t, err)
		b, err := os.ReadFile(path)
		ok(t, err)
		b[(at+len(b))%len(b)] ^= 8
		ok(t, os.WriteFile(path, b, 0o600))
		ok(t, os.Chtimes(path, fi.ModTime(), fi.ModTime()))
		n++
		return nil
	}))
	return n
}

// quiet lets nothing through to the log, and gives what would have come.
func quiet(t *testing.T) *bytes.Buffer {
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(old) })
	return &log
}

// A damaged record costs its visitor the session, and nobody anything else: the next request begins
// anew, the log tells, lists go on past it, the storer takes it for none, and a cleaning removes
// it.
func TestDamagedSession(t *testing.T) {
	log := quiet(t)
	for _, at := range []int{20, -1} { // head; values
		d := newDisk(t, time.Hour)
		o := NewStorageOverseer(NewCookieOptions(), d)
		v, other := visit(t, o), visit(t, o)
		v.at("set", "k", "a", "v", "1")
		id := only(t, d)
		if n := hurt(t, d, at, ""); n != 1 {
			t.Fatal(n)
		}
		other.at("set", "k", "b", "v", "2")
		want := 1
		if at < 0 {
			want = 2 // what lists show of it is whole
		}
		if all := ids(t, d); len(all) != want {
			t.Errorf("byte %d: All lists %d", at, len(all))
		}
		log.Reset()
		v.want("<none>", "get", "k", "a")
		if !strings.Contains(log.String(), "session_damaged") {
			t.Errorf("byte %d: the log has %q", at, log)
		}
		v.at("set", "k", "a", "v", "3")
		v.want("3", "get", "k", "a")
		other.want("2", "get", "k", "b")
		if _, err := d.Get(t.Context(), id); !IsNoSessionError(err) {
			t.Errorf("byte %d: get: %v", at, err)
		}
		if all := ids(t, d); len(all) != 2 {
			t.Errorf("byte %d: All lists %d", at, len(all))
		}
		old := time.Now().Add(-2 * faceYoung)
		face := filepath.Join(d.faces.root.Name(), id)
		ok(t, os.Chtimes(face, old, old))
		d.OnCleanError = func(err error) { t.Error(err) }
		d.Clean()
		if _, err := os.Stat(face); !os.IsNotExist(err) {
			t.Errorf("byte %d: the text file of the damaged session is still there: %v", at, err)
		}
	}
}

// A storer's own methods take a damaged session for none, and Set makes it anew.
func TestDamagedForTools(t *testing.T) {
	const id = "a668b3bb-0cf1-4627-8cd4-7f62d09ebad6"
	for _, at := range []int{20, -1} {
		d := newDisk(t, time.Hour)
		ok(t, d.Set(t.Context(), id, `{"a":"1"}`))
		hurt(t, d, at, "")
		if _, err := d.Get(t.Context(), id); !IsNoSessionError(err) {
			t.Errorf("byte %d: get: %v", at, err)
		}
		ok(t, d.Set(t.Context(), id, `{"a":"2"}`))
		if v, err := d.Get(t.Context(), id); v != `{"a":"2"}` || err != nil {
			t.Errorf("byte %d: %q, %v", at, v, err)
		}
		ok(t, d.Del(t.Context(), id))
		if _, err := d.Get(t.Context(), id); !IsNoSessionError(err) || len(ids(t, d)) != 0 {
			t.Errorf("byte %d: after Del: %v", at, err)
		}
	}
}

// What nobody asks for any more a cleaning removes in its time, and tells.
func TestDamagedIsCleaned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t, time.Hour)
		visit(t, NewStorageOverseer(NewCookieOptions(), d)).at("set", "k", "a", "v", "1")
		hurt(t, d, 20, "")
		var told []error
		d.OnCleanError = func(err error) { told = append(told, err) }
		d.Clean()
		if n := hurt(t, d, 20, "damaged"); n != 1 || len(told) != 0 {
			t.Errorf("before its time: %d files, %v", n, told)
		}
		hurt(t, d, 20, "damaged") // a third change of the bit: damaged again
		time.Sleep(2 * time.Hour)
		d.Clean()
		if n := hurt(t, d, 20, "damaged"); n != 0 || len(told) != 1 {
			t.Errorf("in its time: %d files, %v", n, told)
		}
	})
}

// More damage than the core's option is an outage: status 503, and the records stay.
func TestMuchDamage(t *testing.T) {
	quiet(t)
	d := newDisk(t, time.Hour)
	opts := NewCookieOptions()
	o := NewStorageOverseer(opts, d)
	var all []visitor
	for range 12 {
		v := visit(t, o)
		v.at("set", "k", "a", "v", "1")
		all = append(all, v)
	}
	hurt(t, d, 20, "")
	got := map[int]int{}
	for _, v := range all {
		resp := v.Get("/none")
		resp.Body.Close()
		got[resp.StatusCode]++
	}
	if got[http.StatusOK] != 10 || got[http.StatusServiceUnavailable] != 2 {
		t.Errorf("answers: %v", got)
	}
	if n := hurt(t, d, 20, "damaged"); n != 2 {
		t.Errorf("%d records are left", n)
	}
}
