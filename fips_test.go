package sojourn_test

import (
	"testing"

	"github.com/sojourn-go/sojourn/store/fipstest"
)

// What seals, opens, signs in and ends holds in FIPS 140-only mode.
func TestFIPS(t *testing.T) {
	fipstest.Again(t, `^Test(R[1-9]|Sealed|CSRF|Bearer|Key|Vectors)`)
}
