package mysqlstore_test

import (
	"context"
	"database/sql"
	"log"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/mysqlstore"
)

func ExampleOpen() {
	st, err := mysqlstore.Open("mysql://shop:password@db.example.com/shop", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
	keys, err := sojourn.LoadKeys("session.keys")
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	_ = sessions.Handler // and so on
}

// A program that has a database already keeps its sessions there, under whatever settings it has.
func ExampleNew() {
	db, err := sql.Open("mysql", "shop:password@tcp(db.example.com)/shop?parseTime=true")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxIdleConns(32) // the default of 2 opens and closes connections all the time
	db.SetMaxOpenConns(32)
	st, err := mysqlstore.New(db, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := st.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
}
