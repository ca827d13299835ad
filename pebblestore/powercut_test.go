package pebblestore

import (
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

// TestPowerCut (P12) drops what was not synced: none of it, some blocks of it, or the end of the
// log from any byte on.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for d := range store.Loose + 1 {
		kvtest.PowerCut(t, 30, d, &machine{t: t, disk: vfs.NewCrashableMem()})
	}
}

type machine struct {
	t    *testing.T
	disk *vfs.MemFS // at the next start
	on   *vfs.MemFS
	db   *pebble.DB
}

func (m *machine) Start(d store.Durability) (store.Store, error) {
	m.on = m.disk
	var err error
	// Small memtables, so that cuts meet flushes and compactions, too.
	m.db, err = pebble.Open("db", &pebble.Options{FS: m.on, Logger: quiet{}, MemTableSize: 256 << 10})
	if err != nil {
		return nil, err
	}
	return New(m.db, &Options{Durability: d})
}

func (m *machine) Stop() error { return m.db.Close() }

func (m *machine) Cut() {
	if rand.IntN(2) == 0 {
		m.disk = m.on.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rand.IntN(100), RNG: rand.New(rand.NewPCG(rand.Uint64(), 1))})
		return
	}
	// Both images are of one instant only if nobody writes between, and so the one with all data
	// comes second: what it has beyond the first was not synced when that was made.
	m.disk = m.on.CrashClone(vfs.CrashCloneCfg{})
	all := m.on.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	names, err := m.disk.List("db")
	if err != nil {
		m.t.Error(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			m.tear(m.disk.PathJoin("db", name), all)
		}
	}
}

// tear takes from a log a part of its unsynced end.
func (m *machine) tear(name string, all *vfs.MemFS) {
	synced, written := m.read(m.disk, name), m.read(all, name)
	if len(written) <= len(synced) {
		return
	}
	torn := append(synced, written[len(synced):len(synced)+1+rand.IntN(len(written)-len(synced))]...)
	if rand.IntN(2) == 0 {
		torn[len(torn)-1] ^= 0x40
	}
	f, err := m.disk.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(torn)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		m.t.Error(err)
	}
}

func (m *machine) read(fs *vfs.MemFS, name string) []byte {
	f, err := fs.Open(name)
	if err != nil {
		return nil // rotated away meanwhile
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		m.t.Error(err)
	}
	return b
}
