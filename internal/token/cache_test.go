package token

import (
	"testing"

	"github.com/sojourn-go/sojourn/store"
)

// Full sets lose entries and stay sets of four; a look-up never gives another token's key.
func TestCacheBounded(t *testing.T) {
	var c Cache
	sums := make([][32]byte, 64)
	for i := range sums {
		sums[i][2], sums[i][31] = byte(i), byte(i+1) // all in set 0
		c.Add(&sums[i], store.Key{ID: sums[i]})
	}
	hits := 0
	for i := range sums {
		if key, ok := c.Find(&sums[i]); ok {
			hits++
			if key.ID != sums[i] {
				t.Error("another token's key")
			}
		}
	}
	if hits != ways {
		t.Errorf("%d of one set's entries are kept, want %d", hits, ways)
	}
}

// Sums of different texts differ, also of such as differ only in length.
func TestSum(t *testing.T) {
	if Sum("a") == Sum("a\x00") || Sum("") == Sum("\x00") {
		t.Error("a text is not known by its hash")
	}
}
