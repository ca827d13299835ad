// Package fipstest lets tests draw random bytes inside bubbles of testing/synctest in FIPS mode
// (GODEBUG=fips140=on or only). There Go's own source of entropy measures how the processor's time
// varies; a bubble's clock stands still, so the source fails its health tests and the program
// panics with "fips140/drbg: failed to obtain initial entropy". Whether it is asked at all depends
// on how many generators earlier tests have left behind.
//
// A test package with bubbles, or with [github.com/sojourn-go/sojourn/store/storetest] on a store
// within the process, imports this one for its effect:
//
//	import _ "github.com/sojourn-go/sojourn/store/fipstest"
//
// In FIPS mode all random bytes of the process then come from a stream whose seed is drawn when it
// starts, outside any bubble. Without FIPS mode nothing changes. It panics in a program that is no
// test.
package fipstest

import (
	"crypto/fips140"
	"crypto/rand"
	"encoding/binary"
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
