package faults_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/sojourn-go/sojourn/bboltstore"
	"github.com/sojourn-go/sojourn/diskstore"
	"github.com/sojourn-go/sojourn/faults/host"
	"github.com/sojourn-go/sojourn/faults/wire"
	"github.com/sojourn-go/sojourn/leveldbstore"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/pebblestore"
	"github.com/sojourn-go/sojourn/sqlitestore"
	"github.com/sojourn-go/sojourn/store"
)

// files are the engines that live in a program and keep files. Each runs in a process of its own,
// which a test can kill.
var files = []string{"disk", "sqlite", "leveldb", "pebble", "bbolt"}

func init() {
	starts["memory"] = func(context.Context) (*machine, error) {
		s := memstore.New(nil)
		return &machine{all: nothing{}, connect: func(testing.TB, *machine, *wire.Network) store.Store { return s }}, nil
	}
	for _, name := range files {
		starts[name] = func(ctx context.Context) (*machine, error) {
			dir, err := os.MkdirTemp("", "sojourn-"+name)
			if err != nil {
				return nil, err
			}
			p, err := host.Start(ctx, name, dir)
			if err != nil {
				return nil, err
			}
			return &machine{hosts: []*host.Process{p}, all: folder{p, dir}, connect: connectHost}, nil
		}
	}
}

// openFiles opens an engine in a folder, as a host does.
func openFiles(engine, dir string) (store.Store, error) {
	switch engine {
	case "disk":
		return diskstore.Open(filepath.Join(dir, "sessions"), nil)
	case "sqlite":
		s, err := sqlitestore.Open(filepath.Join(dir, "sessions.db"), nil)
		if err != nil {
			return nil, err
		}
		return s, s.Migrate(context.Background())
	case "leveldb":
		return leveldbstore.Open(dir, nil)
	case "pebble":
		return pebblestore.Open(dir, nil)
	case "bbolt":
		return bboltstore.Open(filepath.Join(dir, "sessions.db"), nil)
	}
	return nil, fmt.Errorf("no engine is called %q", engine)
}

func connectHost(t testing.TB, m *machine, n *wire.Network) store.Store {
	t.Helper()
	c, err := host.NewClient(t.Context(), func(ctx context.Context) (net.Conn, error) {
		return n.Dial(ctx, "tcp", m.hosts[0].Addr)
	})
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// folder is a host with its files.
type folder struct {
	*host.Process
	dir string
}

func (f folder) Close() error {
	if err := f.Process.Close(); err != nil {
		return err
	}
	return os.RemoveAll(f.dir)
}
