package explore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// This file reads what the library writes as docs/format.md says, so that the judge need not ask the
// core what it meant.

// A token is a cookie that opens: in stored mode the way to a record, in sealed mode a session.
type token struct {
	secret [32]byte
	key    store.Key
	sealed *store.Record // the session of a sealed cookie
}

// openToken reads the cookies of j; nil if they are none of ours.
func openToken(ring *sojourn.KeyRing, sealed bool, j jar) *token {
	text, purpose := j[cookieName], "cookie"
	if sealed {
		purpose = "sealed session"
		if n, first, chunked := strings.Cut(text, "."); chunked {
			text = first
			for i := '1'; string(i) < n; i++ {
				text += j[cookieName+"."+string(i)]
			}
		}
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) == 0 || raw[0] != 1 {
		return nil
	}
	plain, err := ring.Open(nil, raw[1:], []byte("sojourn v1\x00"+purpose+"\x00\x00"+cookieName))
	if err != nil || len(plain) < 48 {
		return nil
	}
	if sealed {
		return sealedToken(plain[1:])
	}
	t := &token{secret: [32]byte(plain)}
	t.key = store.Key{Tag: store.Tag(plain[32:48]), ID: sha256.Sum256(t.secret[:])}
	return t
}

// sealedToken reads a sealed session behind its version byte.
func sealedToken(b []byte) *token {
	t := &token{secret: [32]byte(b), sealed: &store.Record{Handle: store.Handle(b[48:64])}}
	t.key = store.Key{Tag: store.Tag(b[32:48]), ID: sha256.Sum256(t.secret[:])}
	number := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[64+8*i:])) }
	t.sealed.Created, t.sealed.Seen = time.Unix(0, number(1)), time.Unix(0, number(2))
	t.sealed.Idle, t.sealed.Lifetime = time.Duration(number(3)), time.Duration(number(4))
	user, b := cutField(b[64+5*8:])
	meta, b := cutField(b)
	data, _ := cutField(b)
	t.sealed.Key, t.sealed.User, t.sealed.Meta, t.sealed.Data = t.key, string(user), meta, data
	return t
}

// sealVisitor makes the cookie of a sealed session of a visitor without values that began at an instant.
func sealVisitor(ring *sojourn.KeyRing, created time.Time) string {
	b := append(make([]byte, 0, 128), 1)
	b = append(b, make([]byte, 32+16+16)...) // secret, tag, handle
	for _, n := range []int64{1, created.UnixNano(), created.UnixNano(), int64(idle), int64(12 * time.Hour)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, 0, 0, 0, 0x80) // no user, meta and data; padding
	b = append(b, make([]byte, 128-len(b))...)
	text, err := ring.Seal([]byte{1}, b, []byte("sojourn v1\x00sealed session\x00\x00"+cookieName))
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// successor gives the token to which a tail with this nonce leads.
func (t *token) successor(nonce []byte) *token {
	mac := hmac.New(sha256.New, t.secret[:])
	mac.Write([]byte("sojourn successor v1\x00"))
	mac.Write(nonce)
	next := &token{secret: [32]byte(mac.Sum(nil))}
	next.key = store.Key{Tag: t.key.Tag, ID: sha256.Sum256(next.secret[:])}
	return next
}

// cutField cuts a length and that many bytes off b; nothing from what is damaged.
func cutField(b []byte) (field, rest []byte) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil
	}
	return b[k : k+int(n)], b[k+int(n):]
}

// tailOf gives the nonce of a tail; nil for a session's record. One byte leads nowhere.
func tailOf(rec *store.Record) []byte { return metaField(rec, 8) }

// cameBack gives when the token of a renewal first came back, and reports whether it did, or none was
// awaited (section 6).
func cameBack(rec *store.Record) (at time.Time, ok bool) {
	if received := metaField(rec, 11); received != nil {
		ns, _ := binary.Uvarint(received)
		return time.Unix(0, int64(ns)), true
	}
	return rec.Created, metaField(rec, 1) == nil
}

// later gives a meta as old as it was before time passed: of its times one is no age (type 11).
func later(meta []byte, passed time.Duration) []byte {
	if len(meta) == 0 {
		return meta
	}
	out := []byte{meta[0]}
	for b := meta[1:]; len(b) > 0; {
		t := b[0]
		var v []byte
		if v, b = cutField(b[1:]); t == 11 {
			ns, _ := binary.Uvarint(v)
			v = binary.AppendUvarint(nil, ns+uint64(passed))
		}
		out = append(binary.AppendUvarint(append(out, t), uint64(len(v))), v...)
	}
	return out
}

// metaField gives the value of a record's meta of that type; nil for none.
func metaField(rec *store.Record, typ byte) (v []byte) {
	if len(rec.Meta) == 0 {
		return nil
	}
	for b := rec.Meta[1:]; len(b) > 0; {
		t := b[0]
		if v, b = cutField(b[1:]); t == typ {
			return v
		}
	}
	return nil
}

// values are the values of a session that are text, and the messages of its flash.
type values map[string]string

// valuesOf reads a record's data.
func valuesOf(rec *store.Record) values {
	v := values{}
	if len(rec.Data) == 0 {
		return v
	}
	for b := rec.Data[1:]; len(b) > 0; {
		var name, raw []byte
		name, b = cutField(b)
		if raw, b = cutField(b); name == nil {
			break
		}
		if string(name) == said.Name() {
			v[said.Name()] = strings.Join(messages(raw), " ")
		} else {
			v[string(name)] = strings.Trim(string(raw), `"`)
		}
	}
	return v
}

// messages reads a flash list.
func messages(raw []byte) (list []string) {
	for len(raw) > 0 {
		var item []byte
		if item, raw = cutField(raw); len(item) < 8 {
			break
		}
		list = append(list, strings.Trim(string(item[8:]), `"`))
	}
	return list
}

// has reports whether the value's words hold id.
func (v values) has(name, id string) bool {
	for word := range strings.FieldsSeq(v[name]) {
		if word == id {
			return true
		}
	}
	return false
}

// hold reports whether one of the values has id among its words.
func (v values) hold(id string) bool {
	for name := range v {
		if v.has(name, id) {
			return true
		}
	}
	return false
}
