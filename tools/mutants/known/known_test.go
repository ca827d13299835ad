package known

import (
	"maps"
	"testing"
)

func TestRead(t *testing.T) {
	got, err := Read("# stores\n\na.go: drop: x()\n\tIt saves\n\ttime.\nb.go: true: ok\nb.go: false: ok #2\n\tNobody asks.\n")
	want := map[string]string{"a.go: drop: x()": "It saves time.", "b.go: true: ok": "Nobody asks.", "b.go: false: ok #2": "Nobody asks."}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %q", err, got)
	}
	for _, list := range []string{"\tOf what?\n", "a: drop: x\n", "a: drop: x\n\tA.\nb: drop: y\n", "a: drop: x\n\tA.\na: drop: x\n\tB.\n", "a: drop: x\na: drop: x\n\tA.\n"} {
		if got, err := Read(list); err == nil {
			t.Errorf("%q is read as %q", list, got)
		}
	}
}
