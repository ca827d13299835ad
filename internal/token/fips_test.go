package token

import (
	"testing"

	"github.com/sojourn-go/sojourn/store/fipstest"
)

// The package passes in FIPS 140-only mode.
func TestFIPS(t *testing.T) { fipstest.Again(t, `^Test`) }
