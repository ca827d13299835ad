package qsess

import (
	"reflect"
	"testing"
)

// FuzzContent: stored bytes never harm, and what they mean survives being stored again.
func FuzzContent(f *testing.F) {
	for _, c := range []content{{}, {86400, 3600, []byte("data")}, {1, -1, nil}, {maxSecs, 0, []byte{0}}} {
		b, err := codec{}.Append(nil, &c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again content
		if (codec{}).Decode(b, &c) != nil {
			return
		}
		stored, err := codec{}.Append(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		if err := (codec{}).Decode(stored, &again); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%v became %v, %v", c, again, err)
		}
	})
}
