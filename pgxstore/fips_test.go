package pgxstore_test

import (
	"crypto/fips140"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/fipstest"
)

// Some of the kit passes in FIPS 140-only mode, through both clients: each method, and the
// connection.
func TestFIPS(t *testing.T) {
	fipstest.Again(t, `^Test(SQL)?Store$/`+fipstest.Clauses)
}

// Where a server asks for a password by MD5, a store that Open made refuses in words, and the
// driver does not panic.
func TestMD5FIPS(t *testing.T) {
	if !fips140.Enforced() {
		fipstest.Again(t, `^TestMD5FIPS$`)
		return
	}
	// The tests' server asks nobody for a password, so here is one that does nothing else.
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1000))
			conn.Write([]byte("R\x00\x00\x00\x0c\x00\x00\x00\x05salt")) // AuthenticationMD5Password
			conn.Read(make([]byte, 1000))
			conn.Close()
		}
	}()
	s, err := pgxstore.Open("postgres://u:topsecret@"+lis.Addr().String()+"/d?sslmode=disable", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "md5") {
		t.Errorf("got %v", err)
	}
}
