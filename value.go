package sojourn

import (
	"context"
	"errors"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

// Value is a named, typed slot in a session's data. Make one for each as a package variable; a
// Value holds no data itself and may be used by all managers.
//
// Values are encoded when set and decoded when read, each on its own, so nothing that a handler
// does to a slice or map that it got or gave changes the session.
type Value[T any] struct{ name string }

const maxName = 64

// NewValue declares a value. It panics if name is not 1 to 64 printable ASCII characters without
// spaces.
func NewValue[T any](name string) Value[T] {
	checkName(name)
	return Value[T]{name}
}

func checkName(name string) {
	if len(name) == 0 || len(name) > maxName {
		panic("sojourn: a value's name has 1 to 64 characters")
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			panic(fmt.Sprintf("sojourn: value name %q holds more than printable ASCII", name))
		}
	}
}

// Name is the value's name.
func (v Value[T]) Name() string { return v.name }

// Get returns the value, or the zero T if there is none.
func (v Value[T]) Get(s *Session) T {
	x, _ := v.Lookup(s)
	return x
}

// ErrNoValue: the session has no such value.
var ErrNoValue = errors.New("sojourn: no such value")

// Lookup returns the value, [ErrNoValue], or [ErrDecode].
func (v Value[T]) Lookup(s *Session) (x T, err error) {
	s.ready()
	defer s.mu.Unlock()
	raw, ok := s.view.Get(v.name)
	if !ok {
		return x, ErrNoValue
	}
	return decode[T](s, v.name, raw)
}

// Has reports whether the session has the value.
func (v Value[T]) Has(s *Session) bool {
	return read(s, func() bool { _, ok := s.view.Get(v.name); return ok })
}

// Set stores x. Of two overlapping requests that set the same value, the later commit wins. Errors:
// the codec's, [ErrTooLarge]; the session is as before then.
func (v Value[T]) Set(s *Session, x T) error {
	s.ready()
	defer s.mu.Unlock()
	raw, err := encode(s, x)
	if err != nil {
		return fmt.Errorf("sojourn: encode value %s: %w", v.name, err)
	}
	return s.apply(func(w *view) error { return s.assign(w, v.name, raw) })
}

// Update changes the value by f, which gets a pointer to it (to the zero T if there is none). f may
// run again, on a newer value, when another request has changed the session: it must not do
// anything but change its argument, and must not use the session, which waits for it. If f returns
// an error nothing changes. After the handler's first byte, an error of a later run goes to the
// observer. Where a later run panics, none of the request's changes is written, and a commit that
// follows all the same fails with [ErrConflict]. Errors: f's, the codec's, [ErrDecode],
// [ErrTooLarge].
func (v Value[T]) Update(s *Session, f func(*T) error) error {
	s.ready()
	defer s.mu.Unlock()
	return s.apply(func(w *view) error {
		var x T
		if raw, ok := w.Get(v.name); ok {
			var err error
			if x, err = decode[T](s, v.name, raw); err != nil && !errors.Is(err, ErrNoValue) {
				return err
			}
		}
		if err := f(&x); err != nil {
			return err
		}
		raw, err := encode(s, x)
		if err != nil {
			return fmt.Errorf("sojourn: encode value %s: %w", v.name, err)
		}
		return s.assign(w, v.name, raw)
	})
}

// Take returns the value and deletes it, once: of two overlapping requests that take the same
// value, one fails to commit with [ErrConflict]. ok is false if there is none, or none that
// decodes, and after the handler's end; the value stays then.
func (v Value[T]) Take(s *Session) (x T, ok bool) {
	s.ready()
	defer s.mu.Unlock()
	raw, ok := s.view.Get(v.name)
	if !ok {
		return x, false
	}
	x, err := decode[T](s, v.name, raw)
	if err != nil {
		return x, false
	}
	taken := string(raw)
	err = s.apply(func(w *view) error { // the first run cannot fail: raw is what the view has
		now, ok := w.Get(v.name)
		if !ok || string(now) != taken {
			return fmt.Errorf("%w: another request took or changed value %s", ErrConflict, v.name)
		}
		w.Delete(v.name)
		return nil
	})
	if err != nil { // the request is over
		var zero T
		return zero, false
	}
	return x, true
}

// Delete removes the value. Deleting what is not there is no change.
func (v Value[T]) Delete(s *Session) {
	s.ready()
	defer s.mu.Unlock()
	_ = s.apply(func(w *view) error { w.Delete(v.name); return nil }) // never fails
}

// Clear removes all values; the user stays signed in.
func (s *Session) Clear() {
	s.ready()
	defer s.mu.Unlock()
	_ = s.apply(func(w *view) error { w.Clear(); return nil }) // never fails
}

// Names lists the names of the session's values, sorted.
func (s *Session) Names() []string {
	return read(s, func() []string { return s.view.Names() })
}

// assign stores raw unless the data would outgrow its room.
func (s *Session) assign(w *view, name string, raw []byte) error {
	old, had := w.Get(name)
	w.Set(name, raw)
	room := store.MaxData
	if s.m.sealed != nil {
		room = s.m.sealedRoom(&s.rec)
	}
	size := w.Size()
	if size <= room {
		return nil
	}
	if had {
		w.Set(name, old)
	} else {
		w.Delete(name)
	}
	return fmt.Errorf("%w: value %s makes %d bytes, at most %d", ErrTooLarge, name, size, room)
}

// RefuseValue is an [Options.OnDecodeError] that makes Lookup and Update fail with [ErrDecode].
func RefuseValue(context.Context, string, []byte, error) ([]byte, error) {
	// Without the codec's words, which can quote the value.
	return nil, errors.New("its bytes do not fit the Go type")
}

// encode is the codec's Append, without its allocations for the commonest values.
func encode[T any](s *Session, x T) ([]byte, error) {
	if _, ok := s.m.opts.Codec.(jsonCodec); ok {
		if text, ok := any(x).(string); ok && plainJSON(text) {
			return appendQuoted(make([]byte, 0, len(text)+2), text), nil
		}
	}
	return encodeAny(s, x)
}

// encodeAny hands over a pointer, whose methods Decode will see, too: a type that encodes itself
// often has them on the pointer only (big.Int), and encoding/json then writes "{}" for a value.
func encodeAny[T any](s *Session, x T) ([]byte, error) { return s.runEncode(&x) }

func decode[T any](s *Session, name string, raw []byte) (T, error) {
	if _, ok := s.m.opts.Codec.(jsonCodec); ok { // Codec.Decode would move the value to the heap
		var x T
		if p, ok := any(&x).(*string); ok {
			if *p, ok = unquoted(raw); ok {
				return x, nil
			}
		}
	}
	return decodeAny[T](s, name, raw)
}

func decodeAny[T any](s *Session, name string, raw []byte) (T, error) {
	var x, zero T
	err := s.runDecode(raw, &x)
	if err == nil {
		return x, nil
	}
	better, refusal := s.runOnDecodeError(name, raw, err)
	if refusal != nil {
		return zero, fmt.Errorf("%w: value %s: %w", ErrDecode, name, refusal)
	}
	if better == nil {
		s.event(s.r.Context(), ValueDropped, name, nil)
		return zero, ErrNoValue
	}
	x = zero
	if err := s.runDecode(better, &x); err != nil {
		return zero, fmt.Errorf("%w: value %s: OnDecodeError gave what does not decode either", ErrDecode, name)
	}
	return x, nil
}
