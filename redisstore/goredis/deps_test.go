package goredis_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Who uses Redis through go-redis does not get rueidis into the program.
func TestWithoutRueidis(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	found := false
	for _, d := range deps {
		found = found || d == "github.com/redis/go-redis/v9"
		if strings.Contains(d, "rueidis") {
			t.Errorf("goredis needs %s", d)
		}
	}
	if !found {
		t.Errorf("%d packages, and go-redis is not among them", len(deps))
	}
}
