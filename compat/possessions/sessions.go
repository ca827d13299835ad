package possessions

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/door"
)

// Session is what [Overseer.ReadState] gives and the request's context holds under
// [CTXKeyPossessions].
type Session interface {
	// Get tells the value of key, as this request has changed it, and whether there is one.
	Get(key string) (value string, hasKey bool)
}

// slot is where a session of the core holds all keys and values, as one JSON object.
var slot = sojourn.NewValue[map[string]string](slotName)

const slotName = "possessions"

// session is a loaded session of the core. Like that one it may be used by several goroutines of
// its request.
type session struct {
	s  *sojourn.Session
	of *overseer

	mu     sync.Mutex
	known  bool              // values is what the session has
	values map[string]string // not to be changed
}

// Get is part of [Session]. The values are those with which the session was loaded, and this
// request's own changes.
func (s *session) Get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known { // decoding them costs as much as the rest of the request
		s.values, s.known = slot.Get(s.s), true
	}
	v, ok := s.values[key]
	return v, ok
}

// change does f on the session's values, now and, if another request comes between, again on what
// that one has left. An error makes the commit fail.
func (s *session) change(f func(map[string]string)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = false
	door.Refresh(s.s) // writing is use
	err := slot.Update(s.s, func(m *map[string]string) error {
		if *m == nil {
			*m = map[string]string{}
		}
		f(*m)
		return nil
	})
	if err != nil {
		door.Fail(s.s, err)
	}
	return err
}

func (s *session) set(key, value string) error {
	return s.change(func(m map[string]string) { m[key] = value })
}

func (s *session) del(key string) {
	if _, ok := s.Get(key); ok { // else a visitor without a session would get one
		_ = s.change(func(m map[string]string) { delete(m, key) }) // the commit tells
	}
}

func (s *session) delAll(keep []string) {
	if !slot.Has(s.s) { // as del; but a text that does not decode goes
		return
	}
	_ = s.change(func(m map[string]string) { // the commit tells
		for k := range m {
			if !slices.Contains(keep, k) {
				delete(m, k)
			}
		}
	})
}

// take removes key if it still has the value that was shown: a message that another request has
// left meanwhile stays for the next page.
func (s *session) take(key, shown string) {
	_ = s.change(func(m map[string]string) { // the commit tells
		if m[key] == shown {
			delete(m, key)
		}
	})
}

// commit writes the session, and reads its values anew: others may have added to them.
func (s *session) commit(ctx context.Context) (http.Header, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = false
	return s.s.Commit(ctx)
}

// Get gives the value of key in the session of the request whose context ctx is, and whether there
// is one. What this request has set is seen. Without [OverseeingMiddleware] around the handler
// there are no values.
func Get(ctx context.Context, key string) (string, bool) {
	s, ok := ctx.Value(CTXKeyPossessions{}).(Session)
	if !ok {
		return "", false
	}
	return s.Get(key)
}

// GetObj decodes the JSON value of key into obj, which is a pointer. Errors: one that
// [IsNoMapKeyError] accepts; that of encoding/json where the value does not fit.
func GetObj(ctx context.Context, key string, obj any) error {
	v, ok := Get(ctx, key)
	if !ok {
		return errNoMapKey{}
	}
	return decode(key, v, obj)
}

func decode(key, value string, obj any) error {
	if err := json.Unmarshal([]byte(value), obj); err != nil {
		return fmt.Errorf("possessions: decode value %q: %w", key, err)
	}
	return nil
}

// Set sets key to value in the session, which is made if there is none. Nothing is written before
// the response's first byte; overlapping requests keep each other's changes. Where the data do not
// fit, the response is an error in place of the handler's page.
//
// Like all functions that take the response's writer, it panics if w does not lead to that of
// [OverseeingMiddleware]: see [UnderlyingResponseWriter].
func Set(w http.ResponseWriter, key, value string) {
	_ = find(w).set(key, value) // the commit tells
}

// SetObj is Set with the JSON of obj. Errors: that of encoding/json, and then nothing changes;
// sojourn.ErrTooLarge.
func SetObj(w http.ResponseWriter, key string, obj any) error {
	b, err := json.Marshal(obj)
	if err != nil {
		return fmt.Errorf("possessions: encode value %q: %w", key, err)
	}
	return find(w).set(key, string(b))
}

// Del removes key from the session. Removing what is not there changes nothing.
func Del(w http.ResponseWriter, key string) { find(w).del(key) }

// DelAll removes all keys but those of the whitelist.
func DelAll(w http.ResponseWriter, whitelist []string) { find(w).delAll(whitelist) }

// Refresh pushes the session's expiry back, in the store and, where [CookieOptions].MaxAge is set,
// in the browser. Without a session it does nothing.
func Refresh(w http.ResponseWriter) { door.Refresh(find(w).s) }

// AddFlash sets a message that [GetFlash] shows once, usually in the next request. A second message
// under a key replaces the first.
func AddFlash(w http.ResponseWriter, key string, value string) { Set(w, key, value) }

// AddFlashObj is AddFlash with the JSON of obj. Errors: those of [SetObj].
func AddFlashObj(w http.ResponseWriter, key string, obj any) error { return SetObj(w, key, obj) }

// GetFlash gives the message under key and removes it. Two overlapping pages may both show it.
func GetFlash(w http.ResponseWriter, ctx context.Context, key string) (string, bool) {
	v, ok := Get(ctx, key)
	if ok {
		find(w).take(key, v)
	}
	return v, ok
}

// GetFlashObj is GetFlash for what [AddFlashObj] left; obj is a pointer. The message is removed
// also if it does not fit obj. Errors: those of [GetObj].
func GetFlashObj(w http.ResponseWriter, ctx context.Context, key string, obj any) error {
	v, ok := GetFlash(w, ctx, key)
	if !ok {
		return errNoMapKey{}
	}
	return decode(key, v, obj)
}
