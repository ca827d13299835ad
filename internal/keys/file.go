package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sojourn-go/sojourn/internal/xaes"
)

// Load reads a key file, whose folders, links and mode let nobody but root and the program's own
// user change it. Errors: [Refused] for other files and for what does not parse, and the operating
// system's.
func Load(path string) (*Ring, error) {
	b, err := readFile(path)
	var k *Ring
	if err == nil {
		k, err = Parse(b)
	}
	switch {
	case err == nil:
		return k, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("key file %s: make it once with CreateKeys, and give it to each process that shares the sessions: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("key file %s: user %d, who runs this program, may not read it: %w", path, os.Geteuid(), err)
	}
	return nil, fmt.Errorf("key file %s: %w", path, err)
}

const maxFile = 1 << 16

func readFile(path string) ([]byte, error) {
	info, err := checkPath(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, refuse("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// It may be another one by now, where a group may write the folder.
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, refuse("it is not a regular file")
	}
	if err := checkEntry(path, info); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Create makes a key file with one fresh key, mode 0600, in a folder where Load would read it.
// Errors: one that matches [fs.ErrExist] where there is something already, which is left alone;
// [Refused] for the folder; the operating system's.
func Create(path string) error {
	_, err := checkPath(filepath.Dir(path))
	if err == nil {
		err = createFile(path)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("key file %s: %w", path, bare(err))
}

// bare takes the path from an error of package os: it may be that of the temporary file.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// createFile links a complete file into place, so that two processes that start together agree on
// one key and none reads half a file.
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
	// The keys must survive a power cut, or everybody is signed out; a second name of theirs must
	// not.
	os.Remove(f.Name())
	dir, err := os.Open(filepath.Dir(path))
	return errors.Join(err, dir.Sync(), dir.Close())
}

// Parse reads the text of a key file and keeps nothing of b. Errors: [Refused].
func Parse(b []byte) (*Ring, error) {
	if len(b) > maxFile {
		return nil, refuse("the text has more than %d bytes", maxFile)
	}
	k := &Ring{keys: make(map[ID]*xaes.AEAD)}
	lines, active, revoked := 0, 0, make(map[ID]bool)
	for n, line := range bytes.Split(b, []byte("\n")) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		if len(fields) != 2 {
			return nil, refuse("line %d: it is not the word \"active\" (or prepared, retired, revoked), a space and 32 bytes in base64; each key has a line of its own", n+1)
		}
		lines++
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
			if err = check(key); revoked[IDOf(key)] {
				err = errTwice
			}
			revoked[IDOf(key)] = true
		default:
			return nil, refuse("line %d: the state is none of active, prepared, retired, revoked", n+1)
		}
		if err != nil {
			return nil, refuse("line %d: key %v", n+1, err)
		}
	}
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return nil, refuse("the text is empty: it has no keys")
	case lines == 0:
		return nil, refuse("the text has no keys, but comments only")
	case active != 1:
		return nil, refuse("the text has %d active keys, not 1", active)
	}
	for id := range revoked {
		if k.keys[id] != nil {
			return nil, refuse("the text has a key both as revoked and in another state")
		}
	}
	return k, nil
}
