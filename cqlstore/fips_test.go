package cqlstore_test

import (
	"testing"

	"github.com/sojourn-go/sojourn/store/fipstest"
)

// Some of the kit passes in FIPS 140-only mode: each method, and the connection.
func TestFIPS(t *testing.T) {
	fipstest.Again(t, `^TestKitBoundClock$/`+fipstest.Clauses)
}
