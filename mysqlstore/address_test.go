package mysqlstore_test

import (
	"net/url"
	"testing"
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
