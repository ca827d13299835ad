// Package programs knows where the servers' programs are: on the machine, or in the cache that
// package install fills.
package programs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A Program is one that servers need.
type Program string

// The programs by the name of their file.
const (
	Redis         Program = "redis-server"
	RedisCLI      Program = "redis-cli"
	Valkey        Program = "valkey-server"
	Initdb        Program = "initdb"
	Postgres      Program = "postgres"
	PgBouncer     Program = "pgbouncer"
	MariaDB       Program = "mariadbd"
	MariaDBCreate Program = "mariadb-install-db"
	MySQL         Program = "mysqld"
	Java          Program = "java"
	Maven         Program = "mvn"
	Chromium      Program = "chromium"
	CC            Program = "cc"
	Nginx         Program = "nginx"
	HAProxy       Program = "haproxy"
	Caddy         Program = "caddy"
	Npm           Program = "npm"
	Strace        Program = "strace"     // by which tests see what reaches the disk
	Axe           Program = "axe.min.js" // looks for what keeps people out of a page; run by a browser
)

// Proxies are the reverse proxies, which tests start in front of a program of theirs.
var Proxies = []Program{Nginx, HAProxy, Caddy}

// CassandraVersion is the release of Cassandra whose jars the cache holds.
const CassandraVersion = "5.0.6"

// AxeVersion is the release of axe-core in the cache.
const AxeVersion = "4.14.1"

// Folders of the cache.
const (
	Own  = "own" // packages of the machine's own release
	Next = "sid" // packages of Debian's next one
)

// A Found program and how to start it.
type Found struct {
	Argv []string // what stands before the program's own arguments
	Env  []string
	Root string // the root of its files: "/" or a folder of the cache
}

// Cache is the folder that holds what was downloaded.
func Cache() (string, error) {
	if dir := os.Getenv("SOJOURN_SERVERS_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if os.Geteuid() == 0 {
		// Not in root's home: other users run servers out of it.
		return "/var/cache/sojourn-servers", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "sojourn-servers"), err
}

// Find finds a program. One of the machine's own comes first.
func Find(p Program) (Found, error) {
	if path := onMachine(p); path != "" {
		return Found{Argv: []string{path}, Root: "/"}, nil
	}
	cache, err := Cache()
	if err != nil {
		return Found{}, err
	}
	if Packages[p].Source == NPM {
		file := filepath.Join(cache, Packages[p].Debs[0], string(p))
		if _, err := os.Stat(file); err != nil {
			return Found{}, fmt.Errorf("%s is not there: run make setup", p)
		}
		return Found{Argv: []string{file}, Root: filepath.Dir(file)}, nil
	}
	// MariaDB, of the own release, has a program with the name of MySQL's.
	dir := Own
	if Packages[p].Source == NextDeb {
		dir = Next
	}
	root := filepath.Join(cache, dir)
	for _, pattern := range places(p) {
		if path := newest(filepath.Join(root, pattern)); path != "" {
			return inCache(root, dir, path), nil
		}
	}
	return Found{}, fmt.Errorf("%s is not installed: run make setup", p)
}

// inCache says how to start a program out of the cache. One of the machine's release needs only its
// libraries; one of the next release also that release's own loader and C library.
func inCache(root, dir, path string) Found {
	var libs []string
	for _, pattern := range []string{"lib", "usr/lib"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern, "*-linux-gnu*"))
		libs = append(libs, found...)
	}
	search := strings.Join(libs, ":")
	if dir == Next {
		if loader := newest(filepath.Join(root, "usr/lib/*-linux-gnu*/ld-linux-*.so.*")); loader != "" {
			return Found{Argv: []string{loader, "--library-path", search, path}, Root: root}
		}
	}
	return Found{Argv: []string{path}, Env: []string{"LD_LIBRARY_PATH=" + search}, Root: root}
}

// places are patterns of a program's path below a root.
func places(p Program) []string {
	switch p {
	case Initdb, Postgres:
		return []string{"usr/lib/postgresql/*/bin/" + string(p)}
	case Java:
		return []string{"usr/lib/jvm/*/bin/java"}
	}
	return []string{"usr/bin/" + string(p), "usr/sbin/" + string(p)}
}

func onMachine(p Program) string {
	switch p {
	case Java:
		return java()
	case MySQL:
		// Debian's MariaDB has a program of this name, too.
		path := look("mysqld")
		if out, err := exec.Command(path, "--version").Output(); path == "" || err != nil || strings.Contains(string(out), "MariaDB") {
			return ""
		}
		return path
	case CC:
		if cc := os.Getenv("CC"); cc != "" {
			return look(cc)
		}
		return look("gcc")
	case Initdb, Postgres:
		if path := newest("/" + places(p)[0]); path != "" {
			return path
		}
	}
	return look(string(p))
}

// look looks in PATH and where root's PATH has more.
func look(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

// newest is the last of the files that match, by the numbers in their paths.
func newest(pattern string) string {
	paths, _ := filepath.Glob(pattern)
	paths = slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Stat(path)
		return err != nil
	})
	if len(paths) == 0 {
		return ""
	}
	return slices.MaxFunc(paths, func(a, b string) int {
		if len(a) != len(b) { // 9 is before 15
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

// java finds a Java 17, the newest that Cassandra 5.0 supports.
func java() string {
	candidates := []string{os.Getenv("JAVA_HOME") + "/bin/java", look("java")}
	more, _ := filepath.Glob("/usr/lib/jvm/*/bin/java")
	for _, path := range append(candidates, more...) {
		out, err := exec.Command(path, "-version").CombinedOutput()
		if err == nil && strings.Contains(string(out), ` version "17.`) {
			return path
		}
	}
	return ""
}

// CassandraJars is the folder of Cassandra's jars in the cache.
func CassandraJars() (string, error) {
	cache, err := Cache()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "cassandra-"+CassandraVersion)
	if _, err := os.Stat(dir); err != nil {
		return dir, errors.New("the jars of Cassandra are not there: run make setup")
	}
	return dir, nil
}
