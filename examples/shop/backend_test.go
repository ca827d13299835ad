package main

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sojourn-go/sojourn/sojourntest"
)

// A sign-in, and a sign-out, survive a restart of the program.
func TestRestart(t *testing.T) {
	for kind := range openers {
		t.Run(kind, func(t *testing.T) {
			where := kind + ":" + filepath.Join(t.TempDir(), "shop-data", "sessions")
			var b backend
			var sh *shop
			var routes http.Handler
			open := func() {
				var err error
				if b, err = openBackend(where); err != nil {
					t.Fatal(err)
				}
				sh = newTestShop(t, b)
				routes = sh.routes()
			}
			closeIt := func() {
				if err := b.close(); err != nil {
					t.Fatal(err)
				}
			}
			open()
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routes.ServeHTTP(w, r) })
			signIn := url.Values{"user": {"ada"}, "password": {"bernoulli"}, "next": {"/"}}
			stays, leaves := sojourntest.NewClient(t, handler), sojourntest.NewClient(t, handler)
			stays.PostForm("/signin", signIn)
			stays.PostForm("/cart/add", url.Values{"product": {"tea"}})
			leaves.PostForm("/signin", signIn)
			leaves.PostForm("/signout", nil)
			closeIt()

			open()
			defer closeIt()
			s := stays.Session(sh.web)
			if s.User() != "ada" || cart.Get(s).count() != 1 {
				t.Errorf("after the restart: user %q with %d in the cart", s.User(), cart.Get(s).count())
			}
			if user := leaves.Session(sh.web).User(); user != "" {
				t.Errorf("the restart signed %q in again", user)
			}
			list, err := sh.web.Sessions(t.Context(), "ada")
			if err != nil || len(list) != 1 {
				t.Errorf("%d sessions listed, %v", len(list), err)
			}
		})
	}
}

// What is already open, or makes no sense, is refused with words.
func TestOpenBackend(t *testing.T) {
	for _, where := range []string{"", "disk", "disk:", "floppy:a", "sqlite:"} {
		if _, err := openBackend(where); err == nil || !strings.Contains(err.Error(), "sqlite:FILE") {
			t.Errorf("--store %q: %v", where, err)
		}
	}
	for _, kind := range []string{"leveldb", "pebble"} {
		where := kind + ":" + filepath.Join(t.TempDir(), "sessions")
		b, err := openBackend(where)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := openBackend(where); err == nil {
			t.Errorf("%s was opened twice", where)
			t.Error(second.close())
		}
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}
}
