// Package pgxstore keeps sessions in PostgreSQL, through pgx and its pool. Programs on database/sql
// use package postgresstore instead, which runs the same statements.
//
//	st, err := pgxstore.Open("postgres://user:password@host/database", nil)
//	...
//	defer st.Close()
//	err = st.Migrate(ctx) // or print st.Schema() and run it yourself
//	...
//	sessions, err := sojourn.New(st, &sojourn.Options{Keys: keys})
//
// A program that has a pool already gives it to [New]. Everything that the store promises stands in
// package postgresstore.
//
// # The pool
//
// The store sets nothing of its pool, be it the caller's or its own. It works in each of pgx's
// query modes. The default one keeps prepared statements on its connections. That is the fastest,
// and wrong behind PgBouncer in transaction mode before version 1.21 (and later without
// max_prepared_statements): there the config needs
//
//	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // or Exec, or SimpleProtocol
//
// (The last one also needs the default of the setting bytea_output.) A call holds one connection
// for one statement. Of the calls that share statements, at most [Options.Lanes] of a kind are
// under way at once, so a small pool serves many requests. What waits for a connection until its
// context ends fails with store.ErrUnavailable. pgx closes the connection of a call whose context
// ends while its statement is under way, and a write then fails with store.ErrIndeterminate.
package pgxstore
