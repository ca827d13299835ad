package qsmy_test

import (
	"database/sql"

	"github.com/sojourn-go/sojourn/compat/qsess/qsmy"
)

func Example() {
	db, err := sql.Open("mysql", "shop@tcp(localhost)/shop")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	sessions, err := qsmy.NewMysqlStore(db, "sessions", "", "", []byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	defer func() { sessions.PruneKill <- 1 }() // before the database is closed
	sessions.CookieSecure = true
}
