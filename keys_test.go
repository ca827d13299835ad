package sojourn

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A nil or empty ring is an error instead of a panic.
func TestKeyRingEmpty(t *testing.T) {
	for _, k := range []*KeyRing{nil, {}} {
		if _, err := k.Seal(nil, nil, nil); err == nil {
			t.Error("an empty ring seals")
		}
		if _, err := k.Open(nil, make([]byte, 100), nil); err == nil {
			t.Error("an empty ring opens")
		}
		if s := fmt.Sprint(k); !strings.HasPrefix(s, "KeyRing(") {
			t.Error(s)
		}
		if _, err := NewSealed(&SealedOptions{AcceptReplayUntilExpiry: true}, &Options{Keys: k}); !errors.Is(err, ErrOptions) {
			t.Errorf("New with an empty ring: %v", err)
		}
	}
}

// What is wrong with keys or their file is ErrOptions; the operating system's errors are its own.
func TestKeyRingErrors(t *testing.T) {
	if _, err := NewKeyRing(make([]byte, 32)); !errors.Is(err, ErrOptions) {
		t.Errorf("a weak key: %v", err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	if err := os.WriteFile(path, []byte("active nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(path); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), path) {
		t.Errorf("a file without keys: %v", err)
	}
	if _, err := LoadKeys(filepath.Join(dir, "no", "keys")); !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrOptions) {
		t.Errorf("no folder: %v", err)
	}
}
