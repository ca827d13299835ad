package main

import "slices"

// A suite is a package whose tests are run.
type suite struct {
	module string // the module's folder, below the root
	pkg    string
	leave  []string // tests that see nothing of the target, or only its speed
}

func (s suite) without(name string) bool {
	return slices.Contains(s.leave, name) || slices.Contains(again, name)
}

// again are tests that run others in a process of its own, where a setting differs that no mutant
// is about.
var again = []string{"TestFIPS"}

// A target is code that is mutated together, and the suites that have to notice.
type target struct {
	name   string
	code   map[string][]string // patterns by module folder
	suites []suite
}

// targets are the core and the embedded stores. The texts of the server stores (Lua, SQL, CQL) are
// in package texts. The explorer is asked last, about what all other tests of the core let live; it
// has mutants of its own besides (internal/explore).
var targets = []target{
	{
		name: "core",
		code: map[string][]string{".": {".", "./internal/call", "./internal/cookie", "./internal/envelope",
			"./internal/field", "./internal/keys", "./internal/meta", "./internal/sealed", "./internal/token",
			"./internal/xaes"}},
		suites: []suite{{module: ".", pkg: "."}, {module: ".", pkg: "./internal/call"},
			{module: ".", pkg: "./internal/cookie"}, {module: ".", pkg: "./internal/envelope"},
			{module: ".", pkg: "./internal/field"}, {module: ".", pkg: "./internal/keys"},
			{module: ".", pkg: "./internal/meta"}, {module: ".", pkg: "./internal/sealed"},
			{module: ".", pkg: "./internal/token"}, {module: ".", pkg: "./internal/xaes"},
			{module: ".", pkg: "./internal/explore", leave: []string{"TestMutants", "TestReplay", "TestEngine"}}},
	},
	{
		name:   "memory",
		code:   map[string][]string{".": {"./memstore"}},
		suites: []suite{{module: ".", pkg: "./memstore"}},
	},
	{
		name: "shared", // what the embedded stores share
		code: map[string][]string{".": {"./store", "./store/driver", "./store/embedded", "./store/gather",
			"./store/ticks", "./store/address"}},
		suites: []suite{{module: ".", pkg: "./store/driver"}, {module: ".", pkg: "./store/embedded"},
			{module: ".", pkg: "./store/gather"}, {module: ".", pkg: "./store/ticks"},
			{module: ".", pkg: "./store/address"}, {module: ".", pkg: "./memstore"},
			{module: ".", pkg: "./kvstore"}, {module: ".", pkg: "./diskstore"},
			{module: "sqlitestore", pkg: "."}},
	},
	{
		name:   "disk",
		code:   map[string][]string{".": {"./diskstore"}},
		suites: []suite{{module: ".", pkg: "./diskstore"}},
	},
	{
		name:   "key-value",
		code:   map[string][]string{".": {"./kvstore"}},
		suites: []suite{{module: ".", pkg: "./kvstore"}, {module: "leveldbstore", pkg: "."}},
	},
	{name: "leveldb", code: map[string][]string{"leveldbstore": {"."}}, suites: []suite{{module: "leveldbstore", pkg: "."}}},
	{name: "pebble", code: map[string][]string{"pebblestore": {"."}}, suites: []suite{{module: "pebblestore", pkg: "."}}},
	{name: "bbolt", code: map[string][]string{"bboltstore": {"."}}, suites: []suite{{module: "bboltstore", pkg: "."}}},
	{
		name:   "sqlite",
		code:   map[string][]string{".": {"./sqlite"}, "sqlitestore": {"."}},
		suites: []suite{{module: ".", pkg: "./sqlite"}, {module: "sqlitestore", pkg: "."}},
	},
}
