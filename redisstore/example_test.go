package redisstore_test

import (
	"context"
	"log"
	"net/http"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/redisstore"
)

// A program with one Redis; redis-cluster:// and redis-sentinel:// name several.
func ExampleOpen() {
	st, err := redisstore.Open("redis://localhost:6379", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	warnings, err := st.Check(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range warnings {
		log.Print(w)
	}
	keys, err := sojourn.LoadKeys("session.keys")
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(":8080", sessions.Handler(http.NotFoundHandler())))
}

// Reads from rueidis's cache for two seconds at most, but not for what moves money.
func ExampleFresh() {
	option := rueidis.ClientOption{InitAddress: []string{"localhost:6379"}, ConnWriteTimeout: time.Second}
	option.Dialer.KeepAlive = 250 * time.Millisecond
	client, err := rueidis.NewClient(option)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	st, err := redisstore.New(client, &redisstore.Options{CacheFor: 2 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := sojourn.New(st, &sojourn.Options{Keys: must(sojourn.LoadKeys("session.keys")), MaxRevocationLag: 2 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	payout := sessions.RequireUser(http.NotFoundHandler())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payout", func(w http.ResponseWriter, r *http.Request) {
		payout.ServeHTTP(w, r.WithContext(redisstore.Fresh(r.Context())))
	})
	log.Fatal(http.ListenAndServe(":8080", sessions.Handler(mux)))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
