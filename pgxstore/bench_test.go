package pgxstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sojourn-go/sojourn/pgxstore"
	"github.com/sojourn-go/sojourn/postgresstore"
	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	p := pool(b, config(b, server(b, "SOJOURN_POSTGRES")))
	s := open(b, p, &pgxstore.Options{Table: table(b)})
	storetest.Bench(b, func(testing.TB) store.Store { return s })
}

const (
	benchers  = 64
	benchRows = 4096
	benchMeta = 48
	benchData = 256
	// benchBytes is as many as a row of the store has beside its key.
	benchBytes = benchMeta + benchData + 8 + 16 + 8 + 8*8
)

func benchRecord(i int) store.Record {
	user := "user" + string([]byte{'0' + byte(i/1000%10), '0' + byte(i/100%10), '0' + byte(i/10%10), '0' + byte(i%10)})
	rec := store.Record{Key: store.Key{Tag: store.TagOf(user)}, User: user, Idle: time.Hour, Lifetime: 24 * time.Hour,
		Meta: make([]byte, benchMeta), Data: make([]byte, benchData)}
	rec.Key.ID[0], rec.Key.ID[1], rec.Handle[0] = byte(i), byte(i>>8), 1
	rand.Read(rec.Writer[:])
	rand.Read(rec.Data)
	return rec
}

// side is one of those that are compared. A request of write reads row i and writes it.
type side struct {
	read, write func(ctx context.Context, i int) error
}

func storeSide(b *testing.B, s store.Store) side {
	recs := make([]store.Record, benchRows)
	var wg sync.WaitGroup
	for g := range benchers {
		wg.Go(func() {
			for i := g; i < benchRows; i += benchers {
				recs[i] = benchRecord(i)
				if _, err := s.Create(b.Context(), recs[i], store.Admission{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return side{
		read: func(ctx context.Context, i int) error { _, _, err := s.Get(ctx, recs[i].Key); return err },
		write: func(ctx context.Context, i int) error {
			rec, _, err := s.Get(ctx, recs[i].Key)
			if err != nil {
				return err
			}
			rand.Read(rec.Data[:8])
			rand.Read(rec.Writer[:])
			return s.Update(ctx, rec, rec.Version)
		},
	}
}

// bareSide is the driver as a program uses it that needs no library: a table with the key and one
// column of bytes.
func bareSide(b *testing.B, p *pgxpool.Pool) side {
	ctx, name := b.Context(), table(b)
	if _, err := p.Exec(ctx, "CREATE TABLE "+name+" (tag bytea, id bytea, row bytea, PRIMARY KEY (tag, id)) WITH (fillfactor = 80)"); err != nil {
		b.Fatal(err)
	}
	batch := &pgx.Batch{}
	keys := make([]store.Key, benchRows)
	for i := range keys {
		keys[i] = benchRecord(i).Key
		batch.Queue("INSERT INTO "+name+" VALUES ($1, $2, $3)", keys[i].Tag[:], keys[i].ID[:], make([]byte, benchBytes))
	}
	if err := p.SendBatch(ctx, batch).Close(); err != nil {
		b.Fatal(err)
	}
	read := func(ctx context.Context, i int) (row []byte, err error) {
		err = p.QueryRow(ctx, "SELECT row FROM "+name+" WHERE tag = $1 AND id = $2", keys[i].Tag[:], keys[i].ID[:]).Scan(&row)
		return row, err
	}
	return side{
		read: func(ctx context.Context, i int) error { _, err := read(ctx, i); return err },
		write: func(ctx context.Context, i int) error {
			row, err := read(ctx, i)
			if err != nil {
				return err
			}
			rand.Read(row[:8])
			tag, err := p.Exec(ctx, "UPDATE "+name+" SET row = $3 WHERE tag = $1 AND id = $2", keys[i].Tag[:], keys[i].ID[:], row)
			if err == nil && tag.RowsAffected() != 1 {
				err = errors.New("no row")
			}
			return err
		},
	}
}

// pair lets goroutines work on one side, then on the other, and so on, so that what else the
// machine does hurts both. It reports how much of the bare driver's rate the store has.
func pair(b *testing.B, goroutines int, sides [2]func(context.Context, int) error) {
	const each = 5 // requests of a goroutine in a turn
	ctx := context.Background()
	var took [2]time.Duration
	var turn atomic.Int64
	for b.Loop() {
		at := int(turn.Add(1))
		for i, do := range sides {
			var wg sync.WaitGroup
			start := time.Now()
			for g := range goroutines {
				wg.Go(func() {
					for n := range each {
						if err := do(ctx, ((at*each+n)*goroutines+g)%benchRows); err != nil { // no two work on one row
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			took[i] += time.Since(start)
		}
	}
	n := float64(turn.Load() * each * int64(goroutines))
	b.ReportMetric(float64(took[0])/float64(took[1]), "of-bare")
	b.ReportMetric(n/took[0].Seconds(), "bare/s")
	b.ReportMetric(n/took[1].Seconds(), "store/s")
}

// BenchmarkPair compares with one SELECT by primary key a request, and with that and one UPDATE of
// the same bytes.
func BenchmarkPair(b *testing.B) {
	c := config(b, server(b, "SOJOURN_POSTGRES"))
	p := pool(b, c)
	bare := bareSide(b, p)
	db := database(b, c.ConnString(), pgx.QueryExecModeCacheStatement)
	db.SetMaxOpenConns(int(c.MaxConns))
	s, err := postgresstore.New(db, &postgresstore.Options{Table: table(b)})
	for _, of := range []struct {
		name string
		side side
	}{
		{"pgx", storeSide(b, open(b, p, &pgxstore.Options{Table: table(b)}))},
		{"sql", storeSide(b, migrated(b, s, err))},
	} {
		b.Run(of.name+"/read", func(b *testing.B) { pair(b, benchers, [2]func(context.Context, int) error{bare.read, of.side.read}) })
		b.Run(of.name+"/read-alone", func(b *testing.B) { pair(b, 1, [2]func(context.Context, int) error{bare.read, of.side.read}) })
		b.Run(of.name+"/write-alone", func(b *testing.B) { pair(b, 1, [2]func(context.Context, int) error{bare.write, of.side.write}) })
		b.Run(of.name+"/write", func(b *testing.B) { pair(b, benchers, [2]func(context.Context, int) error{bare.write, of.side.write}) })
	}
}
