package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// must fails the test at the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestCreateAndLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	_, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "CreateKeys") || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Fatalf("loading made %v", left)
	}
	must(t, Create(path))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	k, err := Load(path)
	must(t, err)
	if err := Create(path); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "key file "+path+": file exists") || strings.Contains(err.Error(), ".keys-") {
		t.Errorf("made twice: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if again, err := Load(path); err != nil || again.active != k.active {
		t.Errorf("loaded twice: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	dangling := filepath.Join(dir, "dangling")
	must(t, os.Symlink(filepath.Join(dir, "planted"), dangling))
	if err := Create(dangling); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a link that leads nowhere: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "planted")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key was made where a planted link points: %v", err)
	}
	if err := Create(filepath.Join(dir, "no", "keys")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if err := Create(filepath.Join(file, "keys")); err == nil || refused(err) || strings.Contains(err.Error(), ".keys-") || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in the place of the folder: %v", err)
	}
	open := filepath.Join(dir, "open")
	must(t, os.Mkdir(open, 0o700), os.Chmod(open, 0o777))
	if err := Create(filepath.Join(open, "keys")); !refused(err) {
		t.Errorf("a folder that everybody writes: %v", err)
	}
	if left, _ := os.ReadDir(open); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	must(t, Create(path))
	body, err := os.ReadFile(path)
	big, loop, file := filepath.Join(dir, "big"), filepath.Join(dir, "loop"), filepath.Join(dir, "dangling")
	must(t, err, os.WriteFile(big, append(body, bytes.Repeat([]byte("#\n"), maxFile/2)...), 0o600), os.Symlink("loop", loop), os.Symlink("none", file))
	for name, path := range map[string]string{"too big": big, "a folder": dir, "a link to itself": loop, "a device": os.DevNull} {
		if _, err := Load(path); !refused(err) || !strings.HasPrefix(err.Error(), "key file "+path+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(path, "keys")); err == nil || refused(err) || !strings.HasPrefix(err.Error(), "key file "+path) {
		t.Errorf("a file in the place of a folder: %v", err)
	}
	if pipe := filepath.Join(dir, "pipe"); makePipe(pipe) == nil {
		if _, err := Load(pipe); !refused(err) {
			t.Errorf("a pipe: %v", err)
		}
	}
	for name, path := range map[string]string{"no folder": filepath.Join(dir, "no", "keys"), "a link to nothing": file} {
		if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) || refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadModes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	must(t, Create(path))
	for _, mode := range []os.FileMode{0o400, 0o600, 0o440, 0o640, 0o444, 0o644} {
		must(t, os.Chmod(path, mode))
		if _, err := Load(path); err != nil {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o620, 0o660, 0o602, 0o606, 0o646, 0o664, 0o666, 0o777} {
		must(t, os.Chmod(path, mode))
		if _, err := Load(path); !refused(err) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "chmod go-w") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	must(t, os.Chmod(path, 0o600))
	for mode, want := range map[os.FileMode]bool{
		0o700: true, 0o755: true, 0o775: true, 0o777: false, 0o773: false,
		0o777 | os.ModeSticky: true, 0o777 | os.ModeSticky | os.ModeSetgid: true, 0o777 | os.ModeSetgid: false,
	} {
		must(t, os.Chmod(dir, mode))
		if _, err := Load(path); (err == nil) != want || err != nil && (!refused(err) || !strings.Contains(err.Error(), "chmod +t")) {
			t.Errorf("folder of mode %v: %v", mode, err)
		}
	}
}

// mount makes what the kubelet makes of a Secret with the key "keys": a folder of mode 1777, and in
// it keys -> ..data/keys, ..data -> ..2026_11_27, and the file there.
func mount(t *testing.T, mode os.FileMode) (dir, path string) {
	t.Helper()
	return mountIn(t, t.TempDir(), mode)
}

func mountIn(t *testing.T, folder string, mode os.FileMode) (dir, path string) {
	t.Helper()
	dir = filepath.Join(folder, "secret")
	data := filepath.Join(dir, "..2026_11_27")
	path = filepath.Join(dir, "keys")
	must(t, os.Mkdir(dir, 0o755), os.Chmod(dir, 0o777|os.ModeSticky), os.Mkdir(data, 0o755), Create(filepath.Join(data, "keys")),
		os.Chmod(filepath.Join(data, "keys"), mode), os.Symlink("..2026_11_27", filepath.Join(dir, "..data")), os.Symlink("..data/keys", path))
	return dir, path
}

func TestLoadMountedSecret(t *testing.T) {
	dir, path := mount(t, 0o444)
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
	t.Chdir(dir)
	for _, path := range []string{"keys", "./keys", "..data/keys", "../secret//keys", "..data/../keys"} {
		if _, err := Load(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	absolute := filepath.Join(t.TempDir(), "absolute")
	must(t, os.Symlink(path, absolute))
	if _, err := Load(absolute); err != nil {
		t.Errorf("through an absolute link: %v", err)
	}
	// What "link/.." is, the system says, not the text of the path.
	behind := filepath.Join(t.TempDir(), "behind")
	open := filepath.Join(behind, "open")
	must(t, os.MkdirAll(filepath.Join(open, "folder"), 0o755), Create(filepath.Join(open, "keys")), os.Chmod(open, 0o777),
		os.Symlink(filepath.Join(open, "folder"), filepath.Join(behind, "link")), Create(filepath.Join(behind, "keys")))
	t.Chdir(behind)
	for _, path := range []string{behind + "/link/../keys", "link/../keys"} {
		if _, err := Load(path); !refused(err) || !strings.Contains(err.Error(), open) {
			t.Errorf("%s: beside a link's target, in a folder that everybody writes: %v", path, err)
		}
	}
	// A folder on the way that only a link leads through is one like the others.
	must(t, os.Chmod(filepath.Join(dir, "..2026_11_27"), 0o777))
	if _, err := Load(path); !refused(err) || !strings.Contains(err.Error(), "..2026_11_27") {
		t.Errorf("behind a link, a folder that everybody writes: %v", err)
	}
}

// As many links are followed as kernels do, and what a program's folder was before it went is asked
// of nobody.
func TestLoadLongWay(t *testing.T) {
	dir := t.TempDir()
	must(t, Create(filepath.Join(dir, "0")))
	for i := range maxLinks + 1 {
		must(t, os.Symlink(strconv.Itoa(i), filepath.Join(dir, strconv.Itoa(i+1))))
	}
	for n, ok := range map[int]bool{maxLinks: true, maxLinks + 1: false} {
		if _, err := Load(filepath.Join(dir, strconv.Itoa(n))); (err == nil) != ok || !ok && !refused(err) {
			t.Errorf("%d links: %v", n, err)
		}
	}
	gone := filepath.Join(dir, "gone")
	must(t, os.Mkdir(gone, 0o700))
	t.Chdir(gone)
	must(t, os.Remove(gone))
	if _, err := Load("keys"); err == nil || !strings.Contains(err.Error(), "getwd") {
		t.Errorf("in a folder that is gone: %v", err)
	}
}

// Whose it is: the rule, for every kind of entry and user.
func TestJudge(t *testing.T) {
	const us, stranger = 1000, 1001
	for _, tt := range []struct {
		mode  fs.FileMode
		owner int
		us    int
		ok    bool
	}{
		{0o444, 0, us, true}, {0o440, 0, us, true}, {0o600, us, us, true}, {0o600, 0, 0, true},
		{0o400, stranger, us, false}, {0o400, us, 0, false}, {0o664, 0, us, false}, {0o646, us, us, false},
		{fs.ModeDir | 0o755, 0, us, true}, {fs.ModeDir | 0o700, us, us, true}, {fs.ModeDir | 0o777 | fs.ModeSticky, 0, us, true},
		{fs.ModeDir | 0o700, stranger, us, false}, {fs.ModeDir | 0o777 | fs.ModeSticky, stranger, us, false}, {fs.ModeDir | 0o777, 0, us, false},
		{fs.ModeSymlink | 0o777, 0, us, true}, {fs.ModeSymlink | 0o777, us, us, true}, {fs.ModeSymlink | 0o777, stranger, us, false},
	} {
		err := judge("/x/keys", tt.mode, tt.owner, tt.us)
		if (err == nil) != tt.ok || err != nil && (!refused(err) || !strings.Contains(err.Error(), "/x/keys")) {
			t.Errorf("mode %v of user %d, read by %d: %v", tt.mode, tt.owner, tt.us, err)
		}
	}
}

// A file, link or folder of somebody else, as the system tells it.
func TestLoadStrangers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: giving a file to somebody else needs root; TestJudge has the rule")
	}
	const stranger = 54321
	for _, name := range []string{"", "keys", "..data", "..2026_11_27", "..2026_11_27/keys"} {
		dir, path := mount(t, 0o444)
		must(t, os.Lchown(filepath.Join(dir, name), stranger, stranger))
		if _, err := Load(path); !refused(err) || !strings.Contains(err.Error(), filepath.Join(dir, name)+" belongs to user 54321") {
			t.Errorf("%q is somebody else's: %v", name, err)
		}
	}
}

// A container's process that is not root reads root's secrets, by its group (fsGroup) or as
// anybody.
func TestLoadNotRoot(t *testing.T) {
	if path := os.Getenv("SOJOURN_TEST_KEYFILE"); path != "" {
		_, err := Load(path)
		must(t, err)
		fmt.Printf("\nread by %d\n", os.Geteuid())
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: starting a process of another user needs root")
	}
	self, err := os.ReadFile(os.Args[0])
	must(t, err)
	entered := func() (dir string) { // folders of go test's own may be such that only root enters
		dir, err := os.MkdirTemp("/tmp", "sojourn")
		must(t, err, os.Chmod(dir, 0o755))
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	program := filepath.Join(entered(), "test")
	must(t, os.WriteFile(program, self, 0o755))
	const user = 54321
	for _, mode := range []os.FileMode{0o440, 0o444, 0o400} {
		dir, path := mountIn(t, entered(), mode)
		must(t, os.Chown(filepath.Join(dir, "..data", "keys"), 0, user))
		out, err := runAs(user, program, "SOJOURN_TEST_KEYFILE="+path, "-test.run=^TestLoadNotRoot$")
		want := mode != 0o400 // for root alone: the system refuses
		if read := strings.Contains(out, "\nread by 54321\n"); read != want || (err == nil) != want || !want && !strings.Contains(out, "user 54321, who runs this program, may not read it") {
			t.Errorf("mode %v: %v\n%s", mode, err, out)
		}
	}
}

// Threads and processes that start together agree on one key.
func TestCreateRace(t *testing.T) {
	once := func(path string) (*Ring, error) {
		if err := Create(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		return Load(path)
	}
	if path := os.Getenv("SOJOURN_TEST_KEYFILE"); path != "" {
		k, err := once(path)
		must(t, err)
		fmt.Printf("\nkey %x\n", k.active)
		return
	}
	path := filepath.Join(t.TempDir(), "keys")
	ids := make([]string, 20)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			if i%5 > 0 {
				k, err := once(path)
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = fmt.Sprintf("%x", k.active)
				return
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestCreateRace$")
			cmd.Env = append(os.Environ(), "SOJOURN_TEST_KEYFILE="+path)
			out, err := cmd.Output()
			_, id, _ := strings.Cut(string(out), "\nkey ")
			if err != nil || len(id) < 8 {
				t.Errorf("%v: %s", err, out)
				return
			}
			ids[i] = id[:8]
		})
	}
	wg.Wait()
	if slices.Sort(ids); ids[0] != ids[len(ids)-1] {
		t.Errorf("several keys: %v", ids)
	}
}
