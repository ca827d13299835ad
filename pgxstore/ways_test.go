package pgxstore_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/lib/pq"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/postgresstore"
	"github.com/sojourn-go/sojourn/store"
)

var modes = []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
	pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol}

// TestModes has each of pgx's query modes, natively and through database/sql.
func TestModes(t *testing.T) {
	name := table(t)
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			c := config(t, server(t, "SOJOURN_POSTGRES"))
			c.ConnConfig.DefaultQueryExecMode = mode
			exercise(t, open(t, pool(t, c), &pgxstore.Options{Table: name}))
			s, err := postgresstore.New(database(t, c.ConnString(), mode), &postgresstore.Options{Table: name})
			exercise(t, migrated(t, s, err))
		})
	}
}

// TestPgBouncerModes has those that do without prepared statements on a pooled server connection.
func TestPgBouncerModes(t *testing.T) {
	name := table(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			c := config(t, server(t, "SOJOURN_PGBOUNCER"))
			c.ConnConfig.DefaultQueryExecMode = mode
			exercise(t, open(t, pool(t, c), &pgxstore.Options{Table: name}))
			s, err := postgresstore.New(database(t, c.ConnString(), mode), &postgresstore.Options{Table: name})
			exercise(t, migrated(t, s, err))
		})
	}
}

// TestPQ has the other driver of database/sql.
func TestPQ(t *testing.T) {
	db, err := sql.Open("postgres", server(t, "SOJOURN_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := postgresstore.New(db, &postgresstore.Options{Table: table(t)})
	exercise(t, migrated(t, s, err))
}

// TestSettings has sessions of the server whose settings differ.
func TestSettings(t *testing.T) {
	name := table(t)
	for _, set := range []map[string]string{
		{"TimeZone": "Pacific/Kiritimati"}, // 14 hours ahead
		{"TimeZone": "America/St_Johns", "DateStyle": "German", "IntervalStyle": "iso_8601"},
		{"default_transaction_isolation": "repeatable read"},
		{"default_transaction_isolation": "serializable", "extra_float_digits": "0"},
		{"enable_indexscan": "off", "enable_bitmapscan": "off", "enable_nestloop": "off", "jit": "off"},
	} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
			c := config(t, server(t, "SOJOURN_POSTGRES"))
			c.ConnConfig.DefaultQueryExecMode = mode
			for k, v := range set {
				c.ConnConfig.RuntimeParams[k] = v
			}
			t.Run(fmt.Sprint(set, mode), func(t *testing.T) {
				exercise(t, open(t, pool(t, c), &pgxstore.Options{Table: name}))
			})
		}
	}
}

// TestZones writes in one zone and reads in another, with lives that a month, a year and a change
// of clocks lie in.
func TestZones(t *testing.T) {
	name := table(t)
	in := func(zone string) store.Store {
		c := config(t, server(t, "SOJOURN_POSTGRES"))
		c.ConnConfig.RuntimeParams["TimeZone"] = zone
		return open(t, pool(t, c), &pgxstore.Options{Table: name})
	}
	east, west := in("Pacific/Kiritimati"), in("Pacific/Niue")
	for _, life := range []time.Duration{90 * 24 * time.Hour, 400 * 24 * time.Hour, store.MaxLife} {
		for _, idle := range []time.Duration{0, time.Hour, life} {
			rec := record(somebody())
			rec.Idle, rec.Lifetime = idle, life
			if _, err := east.Create(t.Context(), rec, store.Admission{}); err != nil {
				t.Fatal(err)
			}
			if err := west.Touch(t.Context(), rec, 0); err != nil {
				t.Fatal(err)
			}
			a, _, err := east.Get(t.Context(), rec.Key)
			if err != nil {
				t.Fatal(err)
			}
			b, now, err := west.Get(t.Context(), rec.Key)
			if err != nil {
				t.Fatal(err)
			}
			if !a.Created.Equal(b.Created) || !a.Seen.Equal(b.Seen) || b.Idle != idle || b.Lifetime != life ||
				now.Sub(b.Created) > time.Minute || b.Expires().Before(now) {
				t.Errorf("life %v, idle %v: %v and %v, now %v", life, idle, a.Seen, b.Seen, now)
			}
		}
	}
	if n, err := west.Sweep(t.Context(), 100); n != 0 || err != nil {
		t.Errorf("a sweep in another zone deleted %d, %v", n, err)
	}
}
