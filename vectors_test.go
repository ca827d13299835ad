package sojourn

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// A vector is one case of testdata/vectors, see docs/format.md. Binary values are in hex.
type vector struct {
	Name string            `json:"name"`
	OK   bool              `json:"ok"` // false: must be refused
	In   map[string]string `json:"in"`
	Out  map[string]string `json:"out,omitempty"`
}

// bin is a binary value of in or out.
func bin(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// runners say what the code makes of a vector's input; an error is a refusal.
var runners = map[string]func(testing.TB, map[string]string) (map[string]string, error){
	"key":       runKey,
	"keyfile":   runKeyFile,
	"seal":      runSeal,
	"token":     runToken,
	"sealed":    runSealedSession,
	"envelope":  runEnvelope,
	"meta":      runMeta,
	"flash":     runFlash,
	"successor": runSuccessor,
	"csrf":      runCSRF,
}

// R41, R44-R46: the formats are what docs/format.md says, for this and any other implementation.
func TestVectors(t *testing.T) {
	for kind, run := range runners {
		all := readVectors(t, kind)
		good, bad := 0, 0
		for _, v := range all {
			out, err := run(t, v.In)
			if v.OK {
				good++
			} else {
				bad++
			}
			switch {
			case (err == nil) != v.OK:
				t.Errorf("%s: %s: %v", kind, v.Name, err)
			case v.OK && !sameMap(out, v.Out):
				t.Errorf("%s: %s:\n got %v\nwant %v", kind, v.Name, out, v.Out)
			}
		}
		if good == 0 || bad == 0 && kind != "successor" && kind != "csrf" {
			t.Errorf("%s: %d good and %d bad vectors", kind, good, bad)
		}
	}
}

func sameMap(a, b map[string]string) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

func readVectors(t testing.TB, kind string) (all []vector) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "vectors", kind+".json"))
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil || len(all) == 0 {
		t.Fatalf("%s: %d vectors, %v", kind, len(all), err)
	}
	return all
}

func ringOf(t testing.TB, in map[string]string) *KeyRing {
	t.Helper()
	k, err := NewKeyRing(bin(t, in["key"]))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func runKey(t testing.TB, in map[string]string) (map[string]string, error) {
	key := bin(t, in["key"])
	if _, err := NewKeyRing(key); err != nil {
		return nil, err
	}
	id := idOfKey(key)
	return map[string]string{"id": hex.EncodeToString(id[:])}, nil
}

func runKeyFile(_ testing.TB, in map[string]string) (map[string]string, error) {
	k, err := parseKeys([]byte(in["text"]))
	if err != nil {
		return nil, err
	}
	return map[string]string{"active": hex.EncodeToString(k.active[:]), "keys": strconv.Itoa(len(k.keys))}, nil
}

func runSeal(t testing.TB, in map[string]string) (map[string]string, error) {
	plain, err := ringOf(t, in).Open(nil, bin(t, in["sealed"]), bin(t, in["aad"]))
	return map[string]string{"plain": hex.EncodeToString(plain)}, err
}

func runToken(t testing.TB, in map[string]string) (map[string]string, error) {
	c, err := openToken(ringOf(t, in), sealAAD(in["purpose"], in["manager"], in["name"]), in["text"])
	key := c.key()
	return map[string]string{
		"secret": hex.EncodeToString(c.secret[:]), "tag": hex.EncodeToString(c.tag[:]), "id": hex.EncodeToString(key.ID[:]),
	}, err
}

func runSealedSession(t testing.TB, in map[string]string) (map[string]string, error) {
	m := &Manager{sealed: &SealedOptions{Chunks: 4}, keys: ringOf(t, in)}
	m.aad.sealed = sealAAD(purposeSealed, in["manager"], in["name"])
	plain, err := m.openSealed(in["text"])
	if err != nil {
		return nil, err
	}
	c, rec, err := decodeSealed(plain)
	if err != nil {
		return nil, err
	}
	if again := encodeSealed(&c, &rec); !bytes.Equal(again, plain) {
		return nil, errors.New("encodes to other bytes")
	}
	return map[string]string{
		"secret": hex.EncodeToString(c.secret[:]), "tag": hex.EncodeToString(c.tag[:]), "handle": rec.Handle.String(),
		"version": strconv.FormatUint(rec.Version, 10), "created": rec.Created.UTC().Format(time.RFC3339Nano),
		"seen": rec.Seen.UTC().Format(time.RFC3339Nano), "idle": rec.Idle.String(), "lifetime": rec.Lifetime.String(),
		"user": rec.User, "meta": hex.EncodeToString(rec.Meta), "data": hex.EncodeToString(rec.Data),
	}, nil
}

func runEnvelope(t testing.TB, in map[string]string) (map[string]string, error) {
	data := bin(t, in["bytes"])
	if err := checkEnvelope(data); err != nil {
		return nil, err
	}
	v := values{data: data}
	v.open()
	out := map[string]string{}
	for _, e := range v.edit.entries {
		out[string(e.name)] = hex.EncodeToString(e.raw)
	}
	if again := v.encode(); !bytes.Equal(again, data) {
		return nil, errors.New("encodes to other bytes")
	}
	return out, nil
}

func runMeta(t testing.TB, in map[string]string) (map[string]string, error) {
	data := bin(t, in["bytes"])
	m, err := decodeMeta(data)
	if err != nil {
		return nil, err
	}
	if again := m.encode(); !bytes.Equal(again, data) {
		return nil, errors.New("encodes to other bytes")
	}
	return map[string]string{
		"issued": m.issued.String(), "auth": m.auth.String(), "level": strconv.Itoa(int(m.level)),
		"persistent": strconv.FormatBool(m.persistent), "bearer": strconv.FormatBool(m.bearer), "label": m.label,
		"address": m.addr, "agent": m.agent, "tail": hex.EncodeToString(m.tail),
		"otherFlags": strconv.FormatUint(m.flags, 10), "unknown": hex.EncodeToString(m.unknown),
	}, nil
}

func runFlash(t testing.TB, in map[string]string) (map[string]string, error) {
	data := bin(t, in["bytes"])
	out := map[string]string{}
	n := 0
	for item := range items(data) {
		out[strconv.Itoa(len(out))] = hex.EncodeToString(item[:flashID]) + " " + string(item[flashID:])
		n += fieldSize(len(item))
	}
	if n != len(data) {
		return nil, errors.New("damaged")
	}
	return out, nil
}

func runSuccessor(t testing.TB, in map[string]string) (map[string]string, error) {
	c := credential{secret: [32]byte(bin(t, in["secret"])), tag: store.Tag(bin(t, in["tag"]))}
	next := c.successor(bin(t, in["nonce"]))
	return map[string]string{"secret": hex.EncodeToString(next.secret[:]), "tag": hex.EncodeToString(next.tag[:])}, nil
}

func runCSRF(t testing.TB, in map[string]string) (map[string]string, error) {
	s := &Session{m: &Manager{}, loaded: true, reading: &reading{state: state{live: true, cred: credential{secret: [32]byte(bin(t, in["secret"]))}}}}
	if err := s.VerifyCSRF(in["token"]); err != nil {
		return nil, err
	}
	mac := s.csrf()
	return map[string]string{"mac": hex.EncodeToString(mac[:])}, nil
}

// The tag of a user has no secret in it; its vector stands here, since the code is package store's.
func TestTagVector(t *testing.T) {
	sum := sha256.Sum256([]byte("sojourn tag v1\x00ada"))
	if tag := store.TagOf("ada"); !bytes.Equal(tag[:], sum[:16]) || hex.EncodeToString(tag[:4]) != strings.ToLower(hex.EncodeToString(sum[:4])) {
		t.Errorf("tag %x, want %x", tag, sum[:16])
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
