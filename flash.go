package sojourn

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sojourn-go/sojourn/internal/field"
)

// Flash is a list of messages that one request leaves for the next page: "Saved." Messages of
// overlapping requests are all kept.
type Flash[T any] struct{ name string }

// NewFlash declares a list of messages. It panics where [NewValue] does; a Flash and a Value of one
// name are in each other's way.
func NewFlash[T any](name string) Flash[T] {
	checkName(name)
	return Flash[T]{name}
}

// Name is the list's name.
func (f Flash[T]) Name() string { return f.name }

// Add appends a message. Errors: the codec's, [ErrTooLarge].
func (f Flash[T]) Add(s *Session, message T) error {
	s.ready()
	defer s.mu.Unlock()
	raw, err := encode(s, message)
	if err != nil {
		return fmt.Errorf("sojourn: encode flash %s: %w", f.name, err)
	}
	// The id tells this message from an equal one.
	item := binary.BigEndian.AppendUint64(nil, random64())
	item = append(item, raw...)
	return s.apply(func(w *view) error {
		list, _ := w.Get(f.name)
		list = binary.AppendUvarint(slices.Clip(list), uint64(len(item)))
		return s.assign(w, f.name, append(list, item...))
	})
}

// Take returns the messages, oldest first, and removes them; also those added by this request. When
// two overlapping pages take at once, both show them. Messages that do not decode are dropped.
// After the handler's end there are none.
func (f Flash[T]) Take(s *Session) (messages []T) {
	s.ready()
	defer s.mu.Unlock()
	raw, ok := s.view.Get(f.name)
	if !ok {
		return nil
	}
	shown := make(map[string]bool)
	for item := range items(raw) {
		shown[string(item[:flashID])] = true
		if m, err := decode[T](s, f.name, item[flashID:]); err == nil {
			messages = append(messages, m)
		}
	}
	err := s.apply(func(w *view) error { // removing cannot fail
		raw, _ := w.Get(f.name)
		var left []byte
		for item := range items(raw) {
			if !shown[string(item[:flashID])] {
				left = binary.AppendUvarint(left, uint64(len(item)))
				left = append(left, item...)
			}
		}
		if left == nil {
			w.Delete(f.name)
		} else {
			w.Set(f.name, left)
		}
		return nil
	})
	if err != nil { // the request is over
		return nil
	}
	return messages
}

const flashID = 8

// items yields the whole items of a list and stops at damage.
func items(raw []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for {
			item, rest, _ := field.Cut(raw) // nothing at the end
			if len(item) < flashID || !yield(item) {
				return
			}
			raw = rest
		}
	}
}
