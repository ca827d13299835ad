package mysqlstore_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/mysqlstore"
)

// bareAddress spells a URL in the driver's form. It does for addresses of the tests.
func bareAddress(t testing.TB, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s := ""
	if u.User != nil {
		s = u.User.String() + "@"
	}
	return s + "tcp(" + u.Host + ")" + u.Path + "?" + u.RawQuery
}

// TestAddress reads both forms of address, and hides what is in those that cannot be read.
func TestAddress(t *testing.T) {
	for _, good := range []string{
		"mysql://root@127.0.0.1/db", "mysql://u:p%40ss@[::1]:3307/db?timeout=5s", "mariadb://u@host.example/a%2Fb", "u:p@tcp(127.0.0.1:3306)/db",
		"u@unix(/run/mysqld.sock)/db",
	} {
		s, err := mysqlstore.Open(good, nil)
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		s.Close()
	}
	for _, bad := range []string{
		"", "mysql://", "mysql://topsecret@/db", "mysql://u:topsecret@host", "postgres://u:topsecret@host/db", "mysql://u:topsecret%zz@host/db",
		"u:topsecret@tcp(host/db", "mysql://u:topsecret@host/db?parseTime=topsecret", "mysql://u:topsecret@host/db?tls=topsecret",
	} {
		if s, err := mysqlstore.Open(bad, nil); err == nil {
			s.Close()
			t.Errorf("%q is accepted", bad)
		} else if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: the error shows it: %v", bad, err)
		}
	}
	if s, err := mysqlstore.Open("mysql://u@host/db", &mysqlstore.Options{Conns: -1}); err == nil {
		s.Close()
		t.Error("a negative number of connections is accepted")
	}
	if _, err := mysqlstore.Open("mysql://u@host/db", &mysqlstore.Options{Table: "x y"}); err == nil {
		t.Error("a table name that is none is accepted")
	}
}
