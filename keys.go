package sojourn

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/sojourn-go/sojourn/internal/keys"
)

// A Sealer encrypts and authenticates tokens and sealed sessions. [KeyRing] is the one to use;
// bring your own to keep keys in an HSM or a key service. Both methods append to dst and are safe
// for concurrent use. Open fails for everything that Seal did not make under the same associated
// data. Where it cannot tell, for a key service does not answer, say, its error matches
// [ErrUnavailable]: such a request fails as it does when the store cannot be reached, and the client
// keeps its token. An error of any other kind says that the text is a forgery.
type Sealer interface {
	Seal(dst, plaintext, associatedData []byte) ([]byte, error)
	Open(dst, sealed, associatedData []byte) ([]byte, error)
}

// KeyRing is an ordered set of 32-byte keys: the active one seals, it and all others open. What it
// seals begins with the key's id, so no key is ever tried in vain. The cipher is XAES-256-GCM
// (c2sp.org/XAES-256-GCM), whose random nonces need no counting. A KeyRing is immutable and prints
// nothing of its keys.
type KeyRing struct{ ring *keys.Ring }

// NewKey returns 32 random bytes for a [KeyRing].
func NewKey() []byte { return keys.NewKey() }

// NewKeyRing makes a ring: active seals, active and others open. To change keys without signing
// anybody out, deploy the new key among others everywhere, then make it the active one, and drop
// the old one when the longest session has ended. Errors: [ErrOptions] for keys that are not 32
// bytes, are no random bytes (one byte repeated, or text), or occur twice.
func NewKeyRing(active []byte, others ...[]byte) (*KeyRing, error) {
	return newKeyRing(keys.New(active, others...))
}

// ParseKeys makes a ring of the text of a key file, for keys that come some other way than in a
// file: from an environment variable or a secret manager, say. b is not kept.
//
// Each line is a state and 32 bytes in base64: "active" (exactly one: it seals), "prepared" and
// "retired" (they open), "revoked" (refused). Lines that begin with # are comments. At most 64 KiB.
// A rolling change of keys: add the new key as prepared everywhere; then make it active and the old
// one retired; then remove the old one. Errors: [ErrOptions], also for an empty text.
//
// A shell makes the first one so:
//
//	printf 'active %s\n' "$(head -c32 /dev/urandom | base64)"
func ParseKeys(b []byte) (*KeyRing, error) { return newKeyRing(keys.Parse(b)) }

// LoadKeys reads a key file, whose text is that of [ParseKeys]. [CreateKeys] makes one.
//
// On Unix the file, and each folder and link that leads to it, belongs to root or to the user who
// runs the program; nobody else may write the file (its mode is 0400 to 0644), and folders that
// everybody may write have the sticky bit. So mounted secrets of Kubernetes and Docker are read as
// they come. Who can read the file can forge sessions, so on a machine with other users make it
// 0600. Errors: [ErrOptions] for a file where that does not hold, which says why, or that does not
// parse; and the operating system's: [io/fs.ErrNotExist] where there is none.
func LoadKeys(path string) (*KeyRing, error) { return newKeyRing(keys.Load(path)) }

// CreateKeys makes a key file with one fresh key, mode 0600, for [LoadKeys]. Call it once for a
// store, when it is set up, and give the file to each process that shares the store: with keys of
// its own a process takes everybody else's tokens for forgeries. Of several that call it at once
// one succeeds, and none reads half a file. Errors: one that matches [io/fs.ErrExist] where path is
// taken already, which leaves it as it is; [ErrOptions] for a folder from which LoadKeys would not
// read; the operating system's.
func CreateKeys(path string) error {
	_, err := newKeyRing(nil, keys.Create(path))
	return err
}

func newKeyRing(ring *keys.Ring, err error) (*KeyRing, error) {
	var refused *keys.Refused
	if errors.As(err, &refused) {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if err != nil {
		return nil, fmt.Errorf("sojourn: %w", err)
	}
	return &KeyRing{ring}, nil
}

// keys gives the ring's keys; a nil ring has none.
func (k *KeyRing) keys() *keys.Ring {
	if k == nil {
		return nil
	}
	return k.ring
}

// KeyIDs are the names of the ring's keys, that of the active one first. They say nothing about the
// keys, and may be logged.
func (k *KeyRing) KeyIDs() []string { return k.keys().IDs() }

// Seal is part of [Sealer].
func (k *KeyRing) Seal(dst, plaintext, aad []byte) ([]byte, error) {
	return k.keys().Seal(dst, plaintext, aad)
}

// Open is part of [Sealer].
func (k *KeyRing) Open(dst, sealed, aad []byte) ([]byte, error) {
	return k.keys().Open(dst, sealed, aad)
}

// String hides the keys.
func (k *KeyRing) String() string {
	if k == nil {
		return "KeyRing(nil)"
	}
	return fmt.Sprintf("KeyRing(%d keys)", k.ring.Len())
}

// Format prints String for every verb.
func (k *KeyRing) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue logs String.
func (k *KeyRing) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText fails: keys are not for export.
func (k *KeyRing) MarshalText() ([]byte, error) {
	return nil, errors.New("sojourn: a KeyRing cannot be marshalled")
}
