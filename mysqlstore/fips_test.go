package mysqlstore_test

import (
	"crypto/fips140"
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sojourn-go/sojourn/mysqlstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/fipstest"
)

// Some of the kit passes in FIPS 140-only mode: each method, and the connection.
func TestFIPS(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			fipstest.Again(t, `^(TestStore|TestPasswordFIPS)$/^`+s.name+`$/`+fipstest.Clauses)
		})
	}
}

// TestPasswordFIPS signs in with passwords in FIPS 140-only mode: MariaDB's are scrambled by SHA-1,
// and MySQL's are, without TLS, encrypted with SHA-1 at first. Both are refused in words.
func TestPasswordFIPS(t *testing.T) {
	if !fips140.Enforced() {
		return // TestFIPS runs it
	}
	const password = "sixteen letters."
	eachServer(t, func(t *testing.T, address string) {
		user, _ := unprivileged(t, address)
		for _, host := range []string{"'%'", "'localhost'", "'127.0.0.1'"} {
			if _, err := bareDB(t, address).Exec("ALTER USER " + user + "@" + host + " IDENTIFIED BY '" + password + "'"); err != nil {
				t.Fatal(err)
			}
		}
		migrate := func(tls string) error {
			c, err := mysql.ParseDSN(bareAddress(t, address))
			if err != nil {
				t.Fatal(err)
			}
			c.User, c.Passwd, c.DBName, c.TLSConfig = user, password, user, tls
			s, err := mysqlstore.Open(c.FormatDSN(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			return s.Migrate(t.Context())
		}
		reason := "requires mysql native password authentication"
		if strings.HasSuffix(t.Name(), "/MySQL") {
			reason = "not allowed in FIPS 140-only mode"
		}
		if err := migrate(""); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), reason) {
			t.Errorf("without TLS: %v, want a refusal that says: %s", err, reason)
		}
		if strings.HasSuffix(t.Name(), "/MariaDB") {
			return // it has no certificate here, and would scramble with one, too
		}
		if err := migrate("skip-verify"); err != nil {
			t.Errorf("with TLS: %v", err)
		}
	})
}
