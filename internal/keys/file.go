package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sojourn-go/sojourn/internal/xaes"
)

// Load reads a key file, or makes one with one fresh key, mode 0600, if there is none. Errors:
// [Refused] for a file that others may read or that does not parse, and the operating system's.
func Load(path string) (*Ring, error) {
	b, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := createFile(path); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		b, err = readFile(path)
	}
	if err != nil {
		return nil, err
	}
	k, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return k, nil
}

const maxFile = 1 << 16

func readFile(path string) ([]byte, error) {
	// Looked at before it is opened: opening a pipe would wait for its writer.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, refuse("key file %s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if m := info.Mode(); !m.IsRegular() || m.Perm()&0o077 != 0 {
		return nil, refuse("key file %s has mode %v: make it a file that only its owner reads (chmod 600)", path, m)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		return nil, refuse("key file %s has more than %d bytes", path, maxFile)
	}
	return b, err
}

// createFile links a complete file into place, so that two processes that start
// together agree on one key and none reads half a file.
func createFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "# Sojourn keys: whoever reads this file can forge sessions.\nactive %s\n", base64.StdEncoding.EncodeToString(NewKey()))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	// The keys must survive a power cut, or everybody is signed out.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Parse reads the text of a key file. Errors: [Refused].
func Parse(b []byte) (*Ring, error) {
	k := &Ring{keys: make(map[ID]*xaes.AEAD)}
	active, revoked := 0, make(map[ID]bool)
	for n, line := range bytes.Split(b, []byte("\n")) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		if len(fields) != 2 {
			return nil, refuse("line %d: not 'STATE BASE64'", n+1)
		}
		key, err := base64.StdEncoding.Strict().DecodeString(fields[1])
		if err != nil {
			return nil, refuse("line %d: key is not base64", n+1) // without the decoder's words: they could quote the key
		}
		switch fields[0] {
		case "active":
			active++
			err = k.add(key, true)
		case "prepared", "retired":
			err = k.add(key, false)
		case "revoked":
			revoked[IDOf(key)] = true
		default:
			return nil, refuse("line %d: the state is none of active, prepared, retired, revoked", n+1)
		}
		if err != nil {
			return nil, refuse("line %d: key %w", n+1, err)
		}
	}
	if active != 1 {
		return nil, refuse("it has %d active keys, not 1", active)
	}
	for id := range revoked {
		if k.keys[id] != nil {
			return nil, refuse("it has a key both as revoked and in another state")
		}
	}
	return k, nil
}
