package store

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Tag is the routing tag: all records of a user share it, so that one partition of any engine holds
// them all.
type Tag [16]byte

// ID addresses a record within its tag. It is the SHA-256 of a secret that only the client has, so
// nothing a store holds can be sent as a token.
type ID [32]byte

// Handle is the public name of a session: stable while the session lives, also when its key
// changes. It opens nothing and may be listed and logged.
type Handle [16]byte

// Writer is a random nonce that identifies one write, so that a write sent twice is recognised.
type Writer [8]byte

// Key addresses a record. It prints as its tag only.
type Key struct {
	Tag Tag
	ID  ID
}

// Record is what a store keeps for one session.
//
// Durations are handed in, instants come back: Created and Seen are in the store's clock. In a
// record handed to a write, a zero Created or Seen means "now". A Created that is not zero is kept
// as given (a renewed or moved session keeps its age). A Seen that is not zero moves the stored one
// forward only; where a record is inserted it is taken as given. Both are clamped to the store's
// now, so that no caller's clock can lengthen a life.
type Record struct {
	Key     Key
	Handle  Handle
	User    string // any bytes, at most MaxUser; "" = anonymous
	Version uint64 // set by the store
	Writer  Writer // random in each write, never zero

	Idle     time.Duration // life after Seen; 0 = no such limit
	Lifetime time.Duration // life after Created; 0 = no such limit
	Created  time.Time
	Seen     time.Time

	Meta []byte // opaque to the store, at most MaxMeta; listed by User and All
	Data []byte // opaque to the store, at most MaxData; not listed
}

// Bounds that every store accepts and [Check] enforces.
const (
	MaxUser = 255     // bytes
	MaxMeta = 1 << 10 // bytes
	MaxData = 1 << 20 // bytes
	// MaxLife bounds Idle and Lifetime (and Created+Lifetime stays within what every engine's time
	// types hold).
	MaxLife = 100 * 365 * 24 * time.Hour
)

// TagOf returns the routing tag of a user: the first half of a domain-separated SHA-256. It needs
// no key: clients never see it, because tokens are sealed.
func TagOf(user string) Tag {
	const domain = "sojourn tag v1\x00"
	var buf [len(domain) + MaxUser]byte // on the stack: every sign-in comes here
	sum := sha256.Sum256(append(append(buf[:0], domain...), user...))
	return Tag(sum[:16])
}

// IDOf returns the ID of the record that belongs to a client's secret.
func IDOf(secret *[32]byte) ID { return sha256.Sum256(secret[:]) }

// Expires returns when the record ends if it is not touched, in the store's clock. The zero time
// means never.
func (r *Record) Expires() time.Time {
	var t time.Time
	if r.Idle > 0 {
		t = r.Seen.Add(r.Idle)
	}
	if r.Lifetime > 0 {
		if d := r.Created.Add(r.Lifetime); t.IsZero() || d.Before(t) {
			t = d
		}
	}
	return t
}

// Live reports whether the record is unexpired at now: it is, up to but not including the instant
// that Expires returns.
func (r *Record) Live(now time.Time) bool {
	return (r.Idle <= 0 || now.Sub(r.Seen) < r.Idle) && (r.Lifetime <= 0 || now.Sub(r.Created) < r.Lifetime)
}

// Check refuses what no store may accept, before any I/O: stores call it on each record handed in.
// Errors: [ErrInvalid].
func Check(r *Record) error {
	switch {
	case len(r.User) > MaxUser:
		return CheckUser(r.User)
	case r.User != "" && r.Key.Tag != TagOf(r.User):
		return fmt.Errorf("%w: tag does not belong to the user", ErrInvalid)
	case len(r.Meta) > MaxMeta:
		return fmt.Errorf("%w: meta of %d bytes, at most %d", ErrInvalid, len(r.Meta), MaxMeta)
	case len(r.Data) > MaxData:
		return fmt.Errorf("%w: data of %d bytes, at most %d", ErrInvalid, len(r.Data), MaxData)
	case r.Writer == Writer{}:
		return fmt.Errorf("%w: writer is zero; two writes would look like one", ErrInvalid)
	case r.Idle < 0 || r.Idle > MaxLife || r.Lifetime < 0 || r.Lifetime > MaxLife:
		return fmt.Errorf("%w: idle %v or lifetime %v not within 0 to %v", ErrInvalid, r.Idle, r.Lifetime, MaxLife)
	}
	return nil
}

// CheckCreate is Check for what Create is given. It also refuses a negative Max or Age with
// [ErrInvalid] and an Age over [GuardFor] with [ErrRevoked] (the store cannot know of revocations
// that old), and clears the conditions for an anonymous record, which has none.
func CheckCreate(rec *Record, adm *Admission) error {
	if err := Check(rec); err != nil {
		return err
	}
	if rec.User == "" {
		*adm = Admission{}
	}
	age := adm.Age()
	if adm.Max < 0 || age < 0 {
		return fmt.Errorf("%w: admission with max %d, age %v", ErrInvalid, adm.Max, age)
	}
	if age > GuardFor {
		return fmt.Errorf("%w: the sign-in took %v, at most %v", ErrRevoked, age, GuardFor)
	}
	return nil
}

// CheckRotate refuses a rotation whose keys, users or tail do not fit together. Errors:
// [ErrInvalid].
func CheckRotate(old Key, rec, tail *Record) error {
	if err := Check(rec); err != nil {
		return err
	}
	if old.Tag != rec.Key.Tag || old.ID == rec.Key.ID {
		return fmt.Errorf("%w: rotation needs keys of one tag and two IDs", ErrInvalid)
	}
	if tail == nil {
		return nil
	}
	if tail.Key != old || tail.User != "" {
		return fmt.Errorf("%w: a tail has the old key and no user", ErrInvalid)
	}
	return Check(tail)
}

// CheckSelection refuses a selection with both Only and Except. Errors: [ErrInvalid].
func CheckSelection(s Selection) error {
	if len(s.Only) > 0 && len(s.Except) > 0 {
		return fmt.Errorf("%w: selection with both Only and Except", ErrInvalid)
	}
	return nil
}

// CheckUser refuses a user id that no record can have. Errors: [ErrInvalid].
func CheckUser(user string) error {
	if len(user) > MaxUser {
		return fmt.Errorf("%w: user id of %d bytes, at most %d", ErrInvalid, len(user), MaxUser)
	}
	return nil
}

// Picks reports whether the selection takes the record with handle h.
func (s Selection) Picks(h Handle) bool {
	if len(s.Only) > 0 {
		return contains(s.Only, h)
	}
	return !contains(s.Except, h)
}

func contains(hs []Handle, h Handle) bool {
	for i := range hs {
		if hs[i] == h {
			return true
		}
	}
	return false
}

// String returns the handle's public spelling: 22 characters of base64url.
func (h Handle) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// MarshalText is String as bytes.
func (h Handle) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is [ParseHandle] in place.
func (h *Handle) UnmarshalText(b []byte) (err error) {
	*h, err = ParseHandle(string(b))
	return err
}

// ParseHandle reads what String wrote. Errors: [ErrInvalid].
func ParseHandle(s string) (h Handle, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) || len(s) != base64.RawURLEncoding.EncodedLen(len(h)) { // the decoder skips line ends
		return Handle{}, fmt.Errorf("%w: not a session handle", ErrInvalid)
	}
	copy(h[:], b)
	return h, nil
}

// String names the record by its handle and never shows its key or data.
func (r Record) String() string { return "session " + r.Handle.String() }

// Format prints String for every verb, so that no %+v can leak data.
func (r Record) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }

// MarshalJSON fails: what a record holds is not for logs, and a store that needs an encoding
// encodes the fields.
func (r Record) MarshalJSON() ([]byte, error) {
	return nil, errors.New("store: a Record is not for JSON: encode its fields")
}

// LogValue logs the handle alone.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// String hides the ID: it is a hash, yet nobody needs it in a log.
func (k Key) String() string { return fmt.Sprintf("key %x/…", k.Tag) }

// Format prints String for every verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }
