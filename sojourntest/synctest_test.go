package sojourntest_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/sojourntest"
)

const hour = time.Hour

func TestIdleAndRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, err := sojourn.New(memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		once := sojourntest.NewClient(t, app(sessions))
		keep := sojourntest.NewClient(t, app(sessions))
		once.PostForm("/login", url.Values{"user": {"ada"}})
		keep.PostForm("/login", url.Values{"user": {"ada"}, "keep": {"on"}})
		see := func(when string, onceWant, keepWant int) {
			t.Helper()
			for _, b := range []struct {
				name   string
				client *sojourntest.Client
				want   int
			}{{"once", once, onceWant}, {"remembered", keep, keepWant}} {
				if got := b.client.Get("/").StatusCode; got != b.want {
					t.Errorf("%s, %s: status %d, want %d", when, b.name, got, b.want)
				}
			}
		}
		time.Sleep(29 * time.Minute)
		see("within the idle limit", http.StatusOK, http.StatusOK)
		time.Sleep(31 * time.Minute)
		see("after the idle limit", http.StatusUnauthorized, http.StatusOK)
		keep.Restart()
		time.Sleep(10 * 24 * hour)
		see("ten days later", http.StatusUnauthorized, http.StatusOK)
		time.Sleep(5 * 24 * hour)
		see("after the remembered time", http.StatusUnauthorized, http.StatusUnauthorized)
	})
}
