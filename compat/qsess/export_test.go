package qsess

import "net/http"

// CookieValues is cookieValues for the tests.
func CookieValues(h http.Header, name string) []string { return cookieValues(nil, h, name) }
