package qsess

import (
	"reflect"
	"testing"
)

// FuzzContent: stored bytes never harm, and what they mean survives being stored again.
func FuzzContent(f *testing.F) {
	for _, c := range []content{{}, {86400, 3600, []byte("data")}, {1, -1, nil}, {maxSecs, 0, []byte{0}}} {
		b, err := c.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again content
		if c.UnmarshalBinary(b) != nil {
			return
		}
		stored, err := c.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalBinary(stored); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%v became %v, %v", c, again, err)
		}
	})
}
