package modules

import (
	"bytes"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

var emptyCaches = flag.Bool("empty-caches", false, "install with an empty HOME, module cache and build cache: it takes minutes")

// A market is where the modules of the working tree can be had, as if they were published.
type market struct {
	modules  []*Module
	proxy    string // a folder
	version  string
	caches   []string // variables
	modCache string
	others   string // GOPROXY for what is not ours
}

// openMarket publishes the working tree at a version that no other run has: the module cache keeps
// what it once had of a version.
func openMarket(t *testing.T) *market {
	t.Helper()
	scratch := t.TempDir()
	s, err := Take(t.Context(), root(t), scratch)
	if err != nil {
		t.Fatal(err)
	}
	m := &market{modules: s.Modules, proxy: filepath.Join(scratch, "proxy"), version: "v0.1.0-proof." + strings.ToLower(rand.Text()), others: goEnv(t, "GOPROXY")}
	if err := s.Publish(t.Context(), m.version, m.proxy); err != nil {
		t.Fatal(err)
	}
	m.modCache = goEnv(t, "GOMODCACHE")
	if *emptyCaches {
		m.modCache = filepath.Join(scratch, "mod")
		m.caches = []string{"HOME=" + scratch, "GOPATH=" + filepath.Join(scratch, "gopath"), "GOMODCACHE=" + m.modCache, "GOCACHE=" + filepath.Join(scratch, "cache")}
	} else {
		t.Cleanup(func() { m.forget(t) })
	}
	return m
}

// forget takes the version out of the module cache that other work uses.
func (m *market) forget(t *testing.T) {
	for _, dir := range []string{filepath.Join(m.modCache, "cache", "download", "github.com", "sojourn-go"), filepath.Join(m.modCache, "github.com", "sojourn-go")} {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !strings.Contains(d.Name(), m.version) {
				return err
			}
			if err := os.RemoveAll(name); err != nil {
				return err
			}
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			t.Errorf("the module cache keeps %s: %v", m.version, err)
		}
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// A user is somebody's module, which knows this repository by its published modules only.
type user struct {
	t   *testing.T
	m   *market
	dir string
}

func (m *market) newUser(t *testing.T) *user {
	t.Helper()
	u := &user{t, m, t.TempDir()}
	u.mustGo("mod", "init", "example.com/user")
	return u
}

// goCommand runs the go command as it comes: no workspace, nothing replaced.
func (u *user) goCommand(args ...string) (string, error) {
	cmd := exec.CommandContext(u.t.Context(), "go", args...)
	cmd.Dir = u.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -modcacherw", "GONOSUMDB="+Core+","+Core+"/*",
		"GOPROXY=file://"+filepath.ToSlash(u.m.proxy)+","+u.m.others)
	cmd.Env = append(cmd.Env, u.m.caches...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (u *user) mustGo(args ...string) {
	u.t.Helper()
	if out, err := u.goCommand(args...); err != nil {
		u.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// program writes main.go, builds it, and gives the name of the binary.
func (u *user) program(text string) string {
	u.t.Helper()
	if err := os.WriteFile(filepath.Join(u.dir, "main.go"), []byte(text), 0o666); err != nil {
		u.t.Fatal(err)
	}
	u.mustGo("build", "-o", "program", ".")
	return filepath.Join(u.dir, "program")
}

// stores are the modules and packages that the program in testdata runs on, with an address: a file
// or folder, or that of a server which is not there.
var stores = []struct{ module, pkg, address string }{
	{"", "diskstore", "sessions"},
	{"sqlitestore", "sqlitestore", "sessions.db"},
	{"leveldbstore", "leveldbstore", "sessions"},
	{"pebblestore", "pebblestore", "sessions"},
	{"bboltstore", "bboltstore", "sessions.db"},
	{"redisstore", "redisstore", "redis://u:secret@%s/0"},
	{"pgxstore", "pgxstore", "postgres://u:secret@%s/x"},
	{"mysqlstore", "mysqlstore", "mysql://u:secret@%s/x"},
	{"cqlstore", "cqlstore", "cassandra://u:secret@%s/x"},
}

// Every public module installs from its published form, in an empty module of somebody else, and
// its packages build there. A small program runs on each store.
func TestInstall(t *testing.T) {
	m := openMarket(t)
	text, err := os.ReadFile(filepath.Join("testdata", "store.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, mod := range m.modules {
		if !mod.Public() {
			continue
		}
		t.Run(mod.Path, func(t *testing.T) {
			t.Parallel()
			u := m.newUser(t)
			u.mustGo("get", mod.Path+"@"+m.version)
			u.mustGo("build", mod.Path+"/...")
			if mod.Path == Core {
				u.quickstart()
			}
			for _, st := range stores {
				if st.module == mod.Dir {
					u.run(u.program(on(t, string(text), st.pkg)), st.address)
				}
			}
			if mod.Dir == "sqlitestore" {
				u.moves(string(text))
			}
		})
	}
}

// on is the program on another store: one line of it changes.
func on(t *testing.T, text, pkg string) string {
	t.Helper()
	const line = "\tengine \"" + Core + "/sqlitestore\"\n"
	if strings.Count(text, line) != 1 {
		t.Fatalf("the program has no line %q", line)
	}
	return strings.Replace(text, line, "\tengine \""+Core+"/"+pkg+"\"\n", 1)
}

// run runs the program: twice on files, where the second finds the session of the first, and on
// servers with wrong addresses, which it refuses in words.
func (u *user) run(program, address string) {
	u.t.Helper()
	if !strings.Contains(address, "://") {
		u.says(program, address, "ada", "200 1 cookies: 1")
		u.says(program, address, "ada", "200 2 cookies: 1")
		return
	}
	for where, want := range map[string]string{"127.0.0.1:1": "127.0.0.1:1", "localhost:x": "is not like"} {
		out, err := u.start(program, fmt.Sprintf(address, where), "ada")
		if err == nil || !strings.Contains(out, want) || strings.Contains(out, "secret") || strings.Contains(out, "panic") {
			u.t.Errorf("at %s the program ends with %v and says %q, want %q and no password", where, err, out, want)
		}
	}
}

func (u *user) start(program, address, name string) (string, error) {
	cmd := exec.CommandContext(u.t.Context(), program, address, filepath.Join(u.dir, "keys"), name)
	cmd.Dir = u.dir
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (u *user) says(program, address, name, want string) {
	u.t.Helper()
	if out, err := u.start(program, address, name); err != nil || out != want {
		u.t.Errorf("the program says %q, %v, want %q", out, err, want)
	}
}

// moves makes the program on SQLite one on PostgreSQL, by one line and a go get.
func (u *user) moves(text string) {
	u.t.Run("to PostgreSQL", func(t *testing.T) {
		u := &user{t, u.m, u.dir}
		u.mustGo("get", Core+"/pgxstore@"+u.m.version)
		program := u.program(on(t, text, "pgxstore"))
		address := os.Getenv("SOJOURN_POSTGRES")
		if address == "" {
			t.Skip("SOJOURN_POSTGRES is not set: the program that moved is built, but NOT RUN")
		}
		name := "mover " + u.m.version + time.Now().String() // nobody else's, also where another run has used the server
		u.says(program, address, name, "200 1 cookies: 1")
		u.says(program, address, name, "200 2 cookies: 1")
	})
}

// quickstart runs the program of the README.
func (u *user) quickstart() {
	u.t.Helper()
	text, err := os.ReadFile(filepath.Join(root(u.t), "examples", "quickstart", "main.go"))
	if err != nil {
		u.t.Fatal(err)
	}
	const address = `"localhost:8080"`
	if !bytes.Contains(text, []byte(address)) {
		u.t.Fatal("the quickstart does not listen on " + address)
	}
	// Its port may be taken here. The address comes as an argument; nothing else of it changes.
	program := strings.Replace(string(text), address, "os.Args[1]", 1)
	program = strings.Replace(program, "\t\"net/http\"\n", "\t\"net/http\"\n\t\"os\"\n", 1)
	name := u.program(program)
	ctx, stop := context.WithCancel(u.t.Context())
	cmd := exec.CommandContext(ctx, name, freeAddress(u.t))
	cmd.Stderr = u.t.Output()
	if err := cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	u.visit("http://"+cmd.Args[1], ended)
	stop()
	<-ended
}

// visit asks for the page until the program listens, and fails if it ends before.
func (u *user) visit(url string, ended chan error) {
	u.t.Helper()
	for {
		resp, err := http.Get(url)
		if err == nil {
			page, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("visit 1")) || len(resp.Cookies()) != 1 {
				u.t.Errorf("the quickstart answers %s with %d cookies:\n%s", resp.Status, len(resp.Cookies()), page)
			}
			return
		}
		select {
		case err := <-ended:
			ended <- err
			u.t.Errorf("the quickstart ended: %v", err)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The proof above can fail: a module that still requires v0.0.0 does not install.
func TestInstallFails(t *testing.T) {
	m := &market{proxy: filepath.Join(t.TempDir(), "proxy"), others: "off", caches: []string{"GOMODCACHE=" + t.TempDir()}}
	at := filepath.Join(m.proxy, filepath.FromSlash(Core), "redisstore", "@v")
	if err := os.MkdirAll(at, 0o777); err != nil {
		t.Fatal(err)
	}
	developed := filepath.Join(root(t), "redisstore")
	mod, err := os.ReadFile(filepath.Join(developed, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, module.Version{Path: Core + "/redisstore", Version: "v0.1.0"}, developed); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"v0.1.0.info": []byte(`{"Version":"v0.1.0"}`), "v0.1.0.mod": mod, "v0.1.0.zip": archive.Bytes()} {
		if err := os.WriteFile(filepath.Join(at, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	u := m.newUser(t)
	if out, err := u.goCommand("get", Core+"/redisstore@v0.1.0"); err == nil || !strings.Contains(out, Core+" v0.0.0") {
		t.Errorf("a module that requires v0.0.0 installs: %v\n%s", err, out)
	}
}

// Every program in the list of stores stands for a module that is there.
func TestStoresAreModules(t *testing.T) {
	all, err := Load(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		listed := slices.ContainsFunc(stores, func(st struct{ module, pkg, address string }) bool { return st.module == m.Dir })
		if strings.HasSuffix(m.Dir, "store") && m.Public() && !listed {
			t.Errorf("no program runs on %s", m.Dir)
		}
	}
}
