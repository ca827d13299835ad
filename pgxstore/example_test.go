package pgxstore_test

import (
	"context"
	"log"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/pgxstore"
)

func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://app@127.0.0.1:5432/app")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	st, err := pgxstore.New(pool, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := st.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	keys, err := sojourn.LoadKeys("sessions.key")
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(":8080", sessions.Handler(http.DefaultServeMux)))
}
