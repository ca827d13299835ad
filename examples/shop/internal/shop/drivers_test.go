package shop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/bboltstore"
	"github.com/sojourn-go/sojourn/cqlstore"
	"github.com/sojourn-go/sojourn/leveldbstore"
	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/pebblestore"
	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/sqlitestore"
)

// all are the drivers of all programs of the shop together.
var all = Drivers{
	"leveldb":   By(leveldbstore.Open, nil),
	"pebble":    By(pebblestore.Open, nil),
	"bbolt":     By(bboltstore.Open, nil),
	"sqlite":    By(sqlitestore.Open, nil),
	"redis":     By(redisstore.Open, nil),
	"postgres":  By(pgxstore.Open, nil),
	"mysql":     By(mysqlstore.Open, nil),
	"cassandra": By(cqlstore.Open, &cqlstore.Options{ReplicationFactor: 1}),
}

// files are the kinds whose stores live in a file or folder of this machine.
func files() (names []string) {
	for name, k := range kinds {
		if !k.server && name != "memory" && name != "cookie" {
			names = append(names, name)
		}
	}
	return names
}

// make demo builds the program that has the store's driver, says so, and hands its arguments on.
func TestDemo(t *testing.T) {
	// A go command that makes a program, which prints the folder it is made from and its arguments.
	const fake = `#!/bin/sh
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\necho %s "$@"\n' "$3" >"$2"
chmod +x "$2"
`
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	demo := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "../../../../scripts/demo.sh", args...)
		cmd.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "DEMO="+filepath.Join(bin, "shop"))
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	for name, k := range kinds {
		address, program := name+":x", "./"
		if k.server {
			address = name + "://u@h/x"
		}
		if k.driver != "" {
			program = "./with/" + k.driver
			if _, err := os.Stat(filepath.Join("../..", program, "main.go")); err != nil || all[k.driver] == nil {
				t.Errorf("%s: no program or no test of the driver: %v", name, err)
			}
			if _, err := (Drivers{}).open(t.Context(), address, t.TempDir()); err == nil || !strings.Contains(err.Error(), "examples/shop/with/"+k.driver) {
				t.Errorf("%s without a driver: %v", name, err)
			}
		}
		for _, args := range [][]string{{"--store=" + address}, {"-store", address}, {"--fresh", "4s", "--store", address, "--addr=localhost:0"}} {
			said, got, _ := strings.Cut(demo(args...), "\n")
			if want := program + " " + strings.Join(args, " "); got != want || !strings.Contains(said, program) {
				t.Errorf("%v: %q, then %q, want %q", args, said, got, want)
			}
		}
	}
	if _, got, _ := strings.Cut(demo(), "\n"); got != "./" {
		t.Errorf("without arguments: %q", got)
	}
}
