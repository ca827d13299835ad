package diskstore

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/disktest"
)

// What each write does to the disk: see journal.go and write.go for why in this order. Where
// nothing is said of a setting, the one before it counts.
var durableSteps = map[string][store.Loose + 1]string{
	"sign-in": {
		store.Durable: "write hint, mkdir user, sync shard, write .n, sync .n, rename .n 01, sync user",
		store.Loose:   "write hint, mkdir user, write .n, rename .n 01",
	},
	"second sign-in": {
		store.Durable: "write hint, write .n, sync .n, rename .n 02, sync user",
		store.Relaxed: "write hint, sync shard, write .n, sync .n, rename .n 02, sync user",
		store.Loose:   "write hint, write .n, rename .n 02",
	},
	"visitor": {
		store.Durable: "write hint, mkdir user, sync shard, write .n, sync .n, rename .n 03, sync user",
		store.Relaxed: "write hint, mkdir user, write .n, rename .n 03",
	},
	"change": {
		store.Durable: "write .n, sync .n, rename .n 01, sync user",
		store.Relaxed: "write .n, sync .n, rename .n 01",
		store.Loose:   "write .n, rename .n 01",
	},
	"long change": {
		store.Durable: "write .n, sync .n, rename .n 01, sync user",
		store.Relaxed: "write .n, sync .n, rename .n 01",
		store.Loose:   "write .n, rename .n 01",
	},
	"touch": {
		store.Durable: "write 01",
	},
	"renewal": {
		store.Durable: "write hint, write .0, sync .0, write .n, sync .n, rename .n .j, sync user, " +
			"remove 01, rename .0 04, sync user, remove .j",
		store.Relaxed: "write hint, sync shard, write .0, sync .0, write .n, sync .n, rename .n .j, sync user, " +
			"remove 01, rename .0 04, sync user, remove .j",
	},
	"renewal with a tail": {
		store.Durable: "write hint, write .0, sync .0, write .1, sync .1, write .n, sync .n, rename .n .j, sync user, " +
			"rename .1 04, rename .0 05, sync user, remove .j",
		store.Relaxed: "write hint, sync shard, write .0, sync .0, write .1, sync .1, write .n, sync .n, rename .n .j, sync user, " +
			"rename .1 04, rename .0 05, sync user, remove .j",
	},
	"sign-in that evicts": {
		store.Durable: "write hint, write .0, sync .0, write .n, sync .n, rename .n .j, sync user, " +
			"remove 02, rename .0 06, sync user, remove .j",
		store.Relaxed: "write hint, sync shard, write .0, sync .0, write .n, sync .n, rename .n .j, sync user, " +
			"remove 02, rename .0 06, sync user, remove .j",
	},
	"sign-out": {
		store.Durable: "remove 03, sync user, remove user",
	},
	"revocation of one": {
		store.Durable: "remove 06, sync user",
	},
	"revocation": {
		store.Durable: "remove 05, write hint, write .n, sync .n, rename .n .g, sync user",
		store.Relaxed: "remove 05, write hint, sync shard, write .n, sync .n, rename .n .g, sync user",
	},
	"revocation of nobody": {
		store.Durable: "write hint, mkdir user, sync shard, write .n, sync .n, rename .n .g, sync user",
	},
}

// TestDurable (P12) looks at the system calls: the real disk syncs what its model in these tests
// syncs, in that order.
func TestDurable(t *testing.T) {
	t.Parallel()
	for d := range store.Loose + 1 {
		marked := ""
		if d != store.Durable {
			marked = ", write relaxed, sync relaxed, sync store"
		}
		t.Run(fmt.Sprint("setting", int(d)), func(t *testing.T) {
			t.Parallel()
			disktest.Run(t, d, disktest.Setup{
				Open: func(dir string, d store.Durability) (store.Store, func() error, error) {
					s, err := Open(filepath.Join(dir, "sessions"), &Options{Durability: d})
					if err != nil {
						return nil, nil, err
					}
					return s, s.Close, nil
				},
				Spare: func(path string) bool {
					switch name := filepath.Base(path); name {
					case clockName, reserveName: // see clock.go, and keepReserve
						return true
					case journalName: // that it is removed: see journal.go
						return true
					}
					return filepath.Base(filepath.Dir(path)) == hintsName // see hints.go
				},
				// The tree is durable before the file says that this is a store.
				Opening: "mkdir store, sync parent, mkdir hints, mkdir shard, sync store, write boot, sync boot, " +
					"write .format, sync .format, rename .format format, sync store" + marked + ", write reserve, sync reserve",
				Closing: "write .clock, sync .clock, rename .clock, sync store",
				Name:    stepName,
				Steps: func(act string, d store.Durability, _ bool) string {
					steps := durableSteps[act]
					if d == store.Loose {
						return cmp.Or(steps[store.Loose], steps[store.Relaxed], steps[store.Durable])
					}
					return cmp.Or(steps[d], steps[store.Durable])
				},
			})
		})
	}
}

// stepName shortens a path: a user's files have names of two characters, of IDs the first ones. The
// mark of the clock, once a second, is left out.
func stepName(path string) string {
	parts := strings.Split(path, "/")
	switch {
	case len(parts) == 4:
		return parts[3][:2]
	case len(parts) == 3 && parts[1] == hintsName:
		return "hint"
	case len(parts) == 3:
		return "user"
	case len(parts) == 2 && len(parts[1]) == 2:
		return "shard"
	case len(parts) == 2 && strings.HasPrefix(parts[1], "."+clockName):
		return "." + clockName
	case len(parts) == 2 && parts[1] == clockName:
		return ""
	case len(parts) == 2:
		return parts[1]
	case path == ".":
		return "parent"
	}
	return "store"
}
