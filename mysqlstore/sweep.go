package mysqlstore

import (
	"context"
	"database/sql"

	"github.com/sojourn-go/sojourn/store"
)

// sweep looks at some rows that may have expired. It returns how many it deleted, and whether there
// may be more.
func (e *engine) sweep(ctx context.Context, limit int) (n int, more bool, err error) {
	var over, living []store.Key
	var away []int // rows beside those of over
	err = e.query(ctx, "due", values{"most": int64(sweepSize)}, func(rows *sql.Rows) error {
		var tag, id sql.RawBytes
		var dead bool
		var aside int
		if err := rows.Scan(&tag, &id, &dead, &aside); err != nil {
			return err
		}
		var k store.Key
		copy(k.Tag[:], tag)
		copy(k.ID[:], id)
		if dead {
			over, away = append(over, k), append(away, min(aside, 1))
		} else {
			living = append(living, k)
		}
		return nil
	})
	if err != nil {
		return 0, false, first(err)
	}
	more = len(over)+len(living) == sweepSize
	if len(over) > limit {
		over, more = over[:limit], true
	}
	deleted, err := runAll(ctx, e, "sweep", "keys", over)
	if err != nil {
		return 0, false, err
	}
	for i := range over {
		deleted -= away[i]
	}
	deleted = max(deleted, 0)
	filed, err := runAll(ctx, e, "refile", "keys", living) // prolonged since they were filed
	return deleted, more && deleted+filed > 0, err
}

// runAll runs a statement for a list of sweepSize, of which the last one stands for those that are
// missing. It returns how many rows it changed.
func runAll[T any](ctx context.Context, e *engine, name, list string, of []T) (rows int, err error) {
	if len(of) == 0 {
		return 0, nil
	}
	for len(of) < sweepSize {
		of = append(of, of[len(of)-1])
	}
	a, err := e.run(ctx, name, values{list: of})
	return int(a.rows), err
}

func (e *engine) sweepGuards(ctx context.Context) error {
	for {
		var tags []store.Tag
		err := e.query(ctx, "due_guards", values{"most": int64(sweepSize)}, func(rows *sql.Rows) error {
			var tag sql.RawBytes
			err := rows.Scan(&tag)
			tags = append(tags, store.Tag{})
			copy(tags[len(tags)-1][:], tag)
			return err
		})
		if err != nil {
			return first(err)
		}
		if n, err := runAll(ctx, e, "sweep_guards", "tags", tags); err != nil || n < sweepSize {
			return err
		}
	}
}
