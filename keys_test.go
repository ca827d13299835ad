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
	if _, err := ParseKeys([]byte("active nonsense\n")); !errors.Is(err, ErrOptions) {
		t.Errorf("a text without keys: %v", err)
	}
	if err := CreateKeys(path); !errors.Is(err, os.ErrExist) || errors.Is(err, ErrOptions) {
		t.Errorf("made where there is a file: %v", err)
	}
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "no", "keys")} {
		if _, err := LoadKeys(path); !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "CreateKeys") || !strings.HasPrefix(err.Error(), "sojourn: ") {
			t.Errorf("no file: %v", err)
		}
	}
}

// What one way of reading keys seals, every other opens.
func TestKeyRingSources(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := CreateKeys(path); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseKeys(body)
	if err != nil {
		t.Fatal(err)
	}
	clear(body) // it is not kept
	for from, to := range map[*KeyRing]*KeyRing{loaded: parsed, parsed: loaded} {
		sealed, err := from.Seal(nil, []byte("plain"), []byte("aad"))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := to.Open(nil, sealed, []byte("aad")); err != nil || string(plain) != "plain" {
			t.Errorf("%q, %v", plain, err)
		}
	}
}
