package qspgx_test

import (
	"context"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/compat/qsess/qspgx"
)

func Example() {
	pool, err := pgxpool.New(context.Background(), "postgres://shop@localhost/shop")
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	sessions, err := qspgx.NewPgxStore(pool, "sessions", os.Stderr, []byte("replace me: 32 random bytes here"))
	if err != nil {
		panic(err)
	}
	defer func() { sessions.PruneKill <- 1 }() // before the pool is closed
	sessions.CookieSecure = true
}
