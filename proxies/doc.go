// Package proxies holds the settings of reverse proxies that docs/http.md shows, in the folder
// conf. Its tests drive the real programs with them, and the README's program behind proxies that
// are configured as their own documentation begins.
package proxies
