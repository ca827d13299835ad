// Package fipstest lets tests draw random bytes inside bubbles of testing/synctest in FIPS mode
// (GODEBUG=fips140=on or only). There Go's own source of entropy measures how the processor's time
// varies; a bubble's clock stands still, so the source fails its health tests and the program
// panics with "fips140/drbg: failed to obtain initial entropy". Whether it is asked at all depends
// on how many generators earlier tests have left behind.
//
// A test package with bubbles, or with [github.com/sojourn-go/sojourn/store/storetest] on a store
// within the process, imports this one for its effect: in FIPS mode all random bytes of the process
// then come from a stream whose seed is drawn when it starts, outside any bubble. Without FIPS mode
// nothing changes. A program that is no test panics.
//
// [Again] is for tests that are to pass in FIPS mode, too, whenever they run.
package fipstest

import (
	"bytes"
	"crypto/fips140"
	"crypto/rand"
	"encoding/binary"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/cryptotest"
)

func init() {
	// Module v1.0.0 asks the operating system alone, and would let nobody take its place.
	if !fips140.Enabled() || fips140.Version() == "v1.0.0" {
		return
	}
	var seed [8]byte
	rand.Read(seed[:])
	reader := rand.Reader
	// A T of its own, which never ends: the stream is for the whole process, parallel tests
	// included.
	cryptotest.SetGlobalRandom(new(testing.T), binary.LittleEndian.Uint64(seed[:]))
	// The reader that is Go's own draws from the stream, too, and crypto/tls takes no other in FIPS
	// 140-only mode.
	rand.Reader = reader
}

// Clauses chooses some of the kit's clauses (package storetest), which call each method that stores
// offer. What a store has of cryptography is random bytes and its connection: the other clauses
// would only do the same again.
const Clauses = `^(create|update|touch|rotate-tail|delete|revoke|user-list|all|sweep)$`

// Again runs tests of the calling test's program once more, in a process of its own with
// GODEBUG=fips140=only: those that run, an expression as go test -run takes it, chooses. It fails
// the test if they fail or if there are none, and skips it if they all skip. In that process it
// does nothing.
func Again(t *testing.T, run string) {
	t.Helper()
	if fips140.Enforced() {
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Nobody would end the process if this one were killed.
	cmd := exec.CommandContext(t.Context(), program, "-test.run="+run, "-test.v", "-test.timeout=30m")
	const settings = "fips140=only"
	cmd.Env = append(cmd.Environ(), "GODEBUG="+settings)
	out, err := cmd.CombinedOutput()
	switch passed := bytes.Contains(out, []byte("--- PASS: ")); {
	case err != nil:
		t.Fatalf("with GODEBUG=%s: %v\n%s", settings, err, out)
	case !passed && bytes.Contains(out, []byte("--- SKIP: ")):
		t.Skip(strings.TrimSpace(string(out)))
	case !passed:
		t.Fatalf("with GODEBUG=%s no test is named %s", settings, run)
	}
}
