package sojourn_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/internal/xaes"
)

// least is the floor with no more added than what Sojourn promises costs in any implementation, so
// that a ratio can be told apart into the price of the promises and that of this library:
//
//   - the session reaches the handler by the request's context, and net/http gives a request a context
//     only by copying it;
//   - a response writer stands before the first byte, for the commit;
//   - a record has a user, a handle, a version, a writer and two instants; expiry is judged by the clock at each read;
//   - bytes are never shared, so a record is copied on its way out and on its way in;
//   - a write is a compare-and-swap with a random writer;
//   - tokens are sealed, by the same XAES-256-GCM; one that was sealed before is known by its SHA-256;
//   - a sign-in reads the session from before, and ends it in a shard of its own; its record says which
//     browser signed in;
//   - shared caches are told that the page depends on the cookie.
//
// It has no retries, no errors, no limits, no revocation, no codec, no events and one kind of
// token, and holds no names of values.
type least struct {
	shards [256]leastShard
	known  [256]knownShard
	seal   *xaes.AEAD
	start  time.Time
}

type leastShard struct {
	mu sync.RWMutex
	m  map[[32]byte]*leastRecord
}

type knownShard struct {
	mu sync.RWMutex
	m  map[[32]byte][32]byte // of a token's text: the record's id
}

type leastRecord struct {
	handle        [16]byte
	version       uint64
	writer        [8]byte
	created, seen time.Duration
	idle, life    time.Duration
	user          string
	data          []byte
}

func newLeast() *least {
	l := &least{start: time.Now()}
	for i := range l.shards {
		l.shards[i].m = make(map[[32]byte]*leastRecord)
		l.known[i].m = make(map[[32]byte][32]byte)
	}
	l.seal = orDie(xaes.New(make([]byte, xaes.KeySize)))
	return l
}

// leastVisit is what the context holds.
type leastVisit struct {
	context.Context
	l       *least
	w       http.ResponseWriter
	started bool
	began   time.Duration
	id      [32]byte
	rec     leastRecord
}

func (v *leastVisit) Value(key any) any {
	if l, ok := key.(*least); ok && l == v.l {
		return v
	}
	return v.Context.Value(key)
}

func (v *leastVisit) Header() http.Header { return v.w.Header() }
func (v *leastVisit) WriteHeader(code int) {
	v.begin()
	v.w.WriteHeader(code)
}
func (v *leastVisit) Write(p []byte) (int, error)       { v.begin(); return v.w.Write(p) }
func (v *leastVisit) WriteString(s string) (int, error) { v.begin(); return io.WriteString(v.w, s) }

func (v *leastVisit) begin() {
	if !v.started {
		v.started = true
		h := v.w.Header()
		h["Vary"], h["Cache-Control"] = leastVary, leastCache
	}
}

var leastVary, leastCache = []string{"Cookie"}, []string{"no-store"}

// handler is the middleware.
func (l *least) handler(next func(*leastVisit, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &leastVisit{Context: r.Context(), l: l, w: w, began: time.Since(l.start)}
		r = r.WithContext(v)
		next(r.Context().Value(l).(*leastVisit), r)
	}
}

// load reads the request's session.
func (l *least) load(v *leastVisit, r *http.Request) bool {
	c, err := r.Cookie(floorCookie)
	if err != nil {
		return false
	}
	sum := leastSum(c.Value)
	k := &l.known[sum[0]]
	k.mu.RLock()
	id, ok := k.m[sum]
	k.mu.RUnlock()
	if !ok {
		return false
	}
	sh := &l.shards[id[0]]
	sh.mu.RLock()
	rec, now := sh.m[id], time.Since(l.start)
	if rec == nil || now >= min(rec.seen+rec.idle, rec.created+rec.life) {
		sh.mu.RUnlock()
		return false
	}
	v.id, v.rec = id, *rec
	sh.mu.RUnlock()
	v.rec.data = append([]byte(nil), v.rec.data...)
	return true
}

// leastSum hashes a token's text, on the stack.
func leastSum(text string) [32]byte {
	var buf [160]byte
	return sha256.Sum256(buf[:copy(buf[:], text)])
}

// insert makes a session and sends its token.
func (l *least) insert(v *leastVisit, r *http.Request, user string, data []byte) {
	var token [48]byte
	rand.Read(token[:])
	v.id = sha256.Sum256(token[:32])
	rec := &leastRecord{version: 1, created: v.began, seen: v.began, idle: time.Hour, life: 24 * time.Hour, user: user}
	rand.Read(rec.handle[:])
	rand.Read(rec.writer[:])
	rec.data = append(append(rec.data, data...), r.UserAgent()...)
	sh := &l.shards[v.id[0]]
	sh.mu.Lock()
	sh.m[v.id] = rec
	sh.mu.Unlock()
	text := base64.RawURLEncoding.EncodeToString(l.seal.Seal(make([]byte, 0, 96), token[:], leastAAD))
	sum := leastSum(text)
	k := &l.known[sum[0]]
	k.mu.Lock()
	k.m[sum] = v.id
	k.mu.Unlock()
	http.SetCookie(v, &http.Cookie{
		Name: floorCookie, Value: text, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

var leastAAD = []byte("purpose, manager, name")

func (l *least) read(v *leastVisit, r *http.Request) {
	if !l.load(v, r) {
		return
	}
	from, to := cut(v.rec.data, asked)
	v.Write(v.rec.data[from:to])
}

func (l *least) write(v *leastVisit, r *http.Request) {
	if !l.load(v, r) {
		return
	}
	from, to := cut(v.rec.data, asked)
	was := string(v.rec.data[from:to])
	next := v.rec
	next.data = append(append(append(make([]byte, 0, len(v.rec.data)), v.rec.data[:from]...), r.Header["X-Value"][0]...), v.rec.data[to:]...)
	rand.Read(next.writer[:])
	next.version++
	sh := &l.shards[v.id[0]]
	sh.mu.Lock()
	rec, now := sh.m[v.id], time.Since(l.start)
	ok := rec != nil && rec.version == v.rec.version && now < min(rec.seen+rec.idle, rec.created+rec.life)
	if ok {
		next.seen = now
		kept := next
		kept.data = append([]byte(nil), next.data...)
		sh.m[v.id] = &kept
	}
	sh.mu.Unlock()
	if ok {
		io.WriteString(v, was)
	}
}

func (l *least) login(v *leastVisit, r *http.Request) {
	if !l.load(v, r) {
		return
	}
	user, old := r.Header["X-User"][0], v.id
	l.insert(v, r, user, []byte(packed(user)))
	sh := &l.shards[old[0]]
	sh.mu.Lock()
	delete(sh.m, old)
	sh.mu.Unlock()
	io.WriteString(v, user)
}

func leastRig(l *least) *rig {
	return newRig(l.handler(func(v *leastVisit, r *http.Request) {
		i := clientOf(r)
		l.insert(v, r, "user", []byte(packed(fieldsOf(i)...)))
	}))
}
