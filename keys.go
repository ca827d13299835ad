package sojourn

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/sojourn-go/sojourn/internal/xaes"
)

// A Sealer encrypts and authenticates tokens and sealed sessions. [KeyRing] is
// the one to use; bring your own to keep keys in an HSM or a key service.
// Both methods append to dst and are safe for concurrent use. Open fails for everything
// that Seal did not make under the same associated data.
type Sealer interface {
	Seal(dst, plaintext, associatedData []byte) ([]byte, error)
	Open(dst, sealed, associatedData []byte) ([]byte, error)
}

// KeyRing is an ordered set of 32-byte keys: the active one seals, it and all
// others open. What it seals begins with the key's id, so no key is ever tried in vain.
// The cipher is XAES-256-GCM (c2sp.org/XAES-256-GCM), whose random nonces need
// no counting. A KeyRing is immutable and prints nothing of its keys.
type KeyRing struct {
	active keyID
	keys   map[keyID]*xaes.AEAD
}

type keyID [4]byte

// errOpen is the one answer to everything that does not open.
var errOpen = errors.New("sojourn: cannot be opened")

// NewKey returns 32 random bytes for a [KeyRing].
func NewKey() []byte {
	b := make([]byte, 32)
	rand.Read(b) // stops the program when the system has no randomness
	return b
}

// NewKeyRing makes a ring: active seals, active and others open. To change keys without
// signing anybody out, deploy the new key among others everywhere, then make it the
// active one, and drop the old one when the longest session has ended.
// Errors: [ErrOptions] for keys that are not 32 bytes, are no random bytes (one byte
// repeated, or text), or occur twice.
func NewKeyRing(active []byte, others ...[]byte) (*KeyRing, error) {
	k := &KeyRing{keys: make(map[keyID]*xaes.AEAD)}
	for i, b := range append([][]byte{active}, others...) {
		if err := k.add(b, i == 0); err != nil {
			return nil, fmt.Errorf("%w: key %d: %w", ErrOptions, i, err)
		}
	}
	return k, nil
}

func (k *KeyRing) add(b []byte, active bool) error {
	if err := checkKey(b); err != nil {
		return err
	}
	aead, err := xaes.New(b)
	if err != nil {
		return err
	}
	id := idOfKey(b)
	if _, dup := k.keys[id]; dup {
		return errors.New("occurs twice (or shares its id with another: make a new one)")
	}
	k.keys[id] = aead
	if active {
		k.active = id
	}
	return nil
}

func idOfKey(b []byte) (id keyID) {
	sum := sha256.Sum256(append([]byte("sojourn key id v1\x00"), b...))
	copy(id[:], sum[:])
	return id
}

// checkKey refuses what cannot be 256 random bits. A random key is text with a
// probability of 10^-13.
func checkKey(b []byte) error {
	if len(b) != xaes.KeySize {
		return fmt.Errorf("has %d bytes, not 32: use NewKey or 'head -c32 /dev/urandom'", len(b))
	}
	same, text := true, true
	for _, c := range b {
		same = same && c == b[0]
		text = text && (c >= ' ' && c <= '~' || c == '\n' || c == '\t')
	}
	if same {
		return errors.New("is one byte repeated: use NewKey")
	}
	if text {
		return errors.New("is text, not 32 random bytes: decode it, or derive a key from it with a KDF first")
	}
	return nil
}

// Seal is part of [Sealer].
func (k *KeyRing) Seal(dst, plaintext, aad []byte) ([]byte, error) {
	if k == nil || k.keys[k.active] == nil {
		return nil, errors.New("sojourn: the KeyRing is empty: make it with NewKeyRing or LoadKeys, and check their error")
	}
	dst = append(dst, k.active[:]...)
	return k.keys[k.active].Seal(dst, plaintext, aad), nil
}

// Open is part of [Sealer].
func (k *KeyRing) Open(dst, sealed, aad []byte) ([]byte, error) {
	if k == nil || len(sealed) < len(keyID{}) {
		return nil, errOpen
	}
	aead := k.keys[keyID(sealed[:4])]
	if aead == nil {
		return nil, errOpen
	}
	out, err := aead.Open(dst, sealed[4:], aad)
	if err != nil {
		return nil, errOpen
	}
	return out, nil
}

// LoadKeys reads a key file, or makes one with one fresh key, mode 0600, if
// there is none. Each line is a state and 32 bytes in base64: "active" (exactly one: it
// seals), "prepared" and "retired" (they open), "revoked" (refused). Lines that begin with #
// are comments. A rolling change of keys: add the new key as prepared
// everywhere; then make it active and the old one retired; then remove the old one.
// Errors: [ErrOptions] for a file that others may read or that does not parse,
// and the operating system's.
func LoadKeys(path string) (*KeyRing, error) {
	b, err := readKeyFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := createKeyFile(path); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		b, err = readKeyFile(path)
	}
	if err != nil {
		return nil, err
	}
	k, err := parseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("%w: key file %s: %w", ErrOptions, path, err)
	}
	return k, nil
}

const maxKeyFile = 1 << 16

func readKeyFile(path string) ([]byte, error) {
	// Looked at before it is opened: opening a pipe would wait for its writer.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: key file %s is no file", ErrOptions, path)
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
		return nil, fmt.Errorf("%w: key file %s has mode %v: make it a file that only its owner reads (chmod 600)", ErrOptions, path, m)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(b) > maxKeyFile {
		return nil, fmt.Errorf("%w: key file %s has more than %d bytes", ErrOptions, path, maxKeyFile)
	}
	return b, err
}

// createKeyFile links a complete file into place, so that two processes that start
// together agree on one key and none reads half a file.
func createKeyFile(path string) error {
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

func parseKeys(b []byte) (*KeyRing, error) {
	k := &KeyRing{keys: make(map[keyID]*xaes.AEAD)}
	active, revoked := 0, make(map[keyID]bool)
	for n, line := range bytes.Split(b, []byte("\n")) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("line %d: not 'STATE BASE64'", n+1)
		}
		key, err := base64.StdEncoding.Strict().DecodeString(fields[1])
		if err != nil {
			return nil, fmt.Errorf("line %d: key is not base64", n+1) // without the decoder's words: they could quote the key
		}
		switch fields[0] {
		case "active":
			active++
			err = k.add(key, true)
		case "prepared", "retired":
			err = k.add(key, false)
		case "revoked":
			revoked[idOfKey(key)] = true
		default:
			return nil, fmt.Errorf("line %d: the state is none of active, prepared, retired, revoked", n+1)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: key %w", n+1, err)
		}
	}
	if active != 1 {
		return nil, fmt.Errorf("it has %d active keys, not 1", active)
	}
	for id := range revoked {
		if k.keys[id] != nil {
			return nil, errors.New("it has a key both as revoked and in another state")
		}
	}
	return k, nil
}

// String hides the keys.
func (k *KeyRing) String() string {
	if k == nil {
		return "KeyRing(nil)"
	}
	return fmt.Sprintf("KeyRing(%d keys)", len(k.keys))
}

// Format prints String for every verb.
func (k *KeyRing) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue logs String.
func (k *KeyRing) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText fails: keys are not for export.
func (k *KeyRing) MarshalText() ([]byte, error) {
	return nil, errors.New("sojourn: a KeyRing cannot be marshalled")
}
