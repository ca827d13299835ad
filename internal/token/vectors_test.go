package token

import (
	"bytes"
	"encoding/base64"
	"os"
	"testing"

	"github.com/sojourn-go/sojourn/internal/keys"
	"github.com/sojourn-go/sojourn/internal/vectors"
	"github.com/sojourn-go/sojourn/store"
)

func TestVectors(t *testing.T) {
	write := os.Getenv("SOJOURN_WRITE_VECTORS") != ""
	vectors.Test(t, write, "token", runToken, tokenVectors())
	vectors.Test(t, write, "successor", runSuccessor, successorVectors())
}

func ringOf(t testing.TB, key string) *keys.Ring {
	t.Helper()
	k, err := keys.New(vectors.Bytes(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func runToken(t testing.TB, in map[string]string) (map[string]string, error) {
	c, err := Open(ringOf(t, in["key"]), AAD(in["purpose"], in["manager"], in["name"]), in["text"])
	key := c.Key()
	return map[string]string{
		"secret": vectors.Hex(c.Secret[:]), "tag": vectors.Hex(c.Tag[:]), "id": vectors.Hex(key.ID[:]),
	}, err
}

func runSuccessor(t testing.TB, in map[string]string) (map[string]string, error) {
	c := Credential{Secret: [32]byte(vectors.Bytes(t, in["secret"])), Tag: store.Tag(vectors.Bytes(t, in["tag"]))}
	next := c.Successor(vectors.Bytes(t, in["nonce"]))
	return map[string]string{"secret": vectors.Hex(next.Secret[:]), "tag": vectors.Hex(next.Tag[:])}, nil
}

func vecCredential(user string) Credential {
	c := Credential{Secret: [32]byte(vectors.Key(0x80))}
	c.Tag = store.TagOf(user)
	return c
}

func tokenVectors() []vectors.Case {
	key := vectors.Key(1)
	c := vecCredential("ada")
	plain := append(c.Secret[:len(c.Secret):32], c.Tag[:]...)
	base := vectors.In(nil, "key", vectors.Hex(key), "purpose", "cookie", "manager", "", "name", "__Host-session")
	seal := func(purpose, manager, name string, plain []byte) []byte {
		return vectors.Seal(key, plain, AAD(purpose, manager, name))
	}
	cookie := seal("cookie", "", "__Host-session", plain)
	good := vectors.Text(1, cookie)
	return []vectors.Case{
		vectors.Good("cookie", vectors.In(base, "text", good)),
		vectors.Good("bearer of a named manager", vectors.In(base, "purpose", "bearer", "manager", "api", "name", "", "text", vectors.Text(1, seal("bearer", "api", "", plain)))),
		vectors.Bad("cookie as bearer", vectors.In(base, "purpose", "bearer", "name", "", "text", good)),
		vectors.Bad("other cookie", vectors.In(base, "name", "__Host-admin", "text", good)),
		vectors.Bad("other manager", vectors.In(base, "manager", "api", "text", good)),
		vectors.Bad("other version", vectors.In(base, "text", vectors.Text(2, cookie))),
		vectors.Bad("other key", vectors.In(base, "key", vectors.Hex(vectors.Key(2)), "text", good)),
		vectors.Bad("47 bytes", vectors.In(base, "text", vectors.Text(1, seal("cookie", "", "__Host-session", plain[:47])))),
		vectors.Bad("49 bytes", vectors.In(base, "text", vectors.Text(1, seal("cookie", "", "__Host-session", append(bytes.Clone(plain), 0))))),
		vectors.Bad("line end", vectors.In(base, "text", good[:60]+"\n"+good[60:])),
		vectors.Bad("padding", vectors.In(base, "text", good+"=")),
		vectors.Bad("standard alphabet", vectors.In(base, "text", base64.RawStdEncoding.EncodeToString(append([]byte{1}, cookie...)))),
		vectors.Bad("cut", vectors.In(base, "text", good[:123])),
		vectors.Bad("empty", vectors.In(base, "text", "")),
	}
}

func successorVectors() []vectors.Case {
	c := vecCredential("ada")
	base := vectors.In(nil, "secret", vectors.Hex(c.Secret[:]), "tag", vectors.Hex(c.Tag[:]))
	return []vectors.Case{
		vectors.Good("32-byte nonce", vectors.In(base, "nonce", vectors.Hex(vectors.Key(0x20)))),
		vectors.Good("other nonce", vectors.In(base, "nonce", vectors.Hex(vectors.Key(0x21)))),
	}
}
