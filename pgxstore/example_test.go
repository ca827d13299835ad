package pgxstore_test

import (
	"context"
	"log"
	"net/http"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/pgxstore"
)

func ExampleOpen() {
	st, err := pgxstore.Open("postgres://app@127.0.0.1:5432/app", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(context.Background()); err != nil {
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
