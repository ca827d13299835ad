package qsess

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Migrator is a store with tables.
type Migrator interface {
	store.Store
	// Migrate creates what is missing of them.
	Migrate(context.Context) error
}

// Migrate creates keep's tables where they are missing, for the packages that do so when a Store is
// made. It looks first and writes then: keys that no Store takes are refused, and so is a table
// that is not keep's, as the older library's is not: columns returns the names of the columns that
// the main table has now, none if there is no such table. It takes a minute at most. Errors:
// [ErrConfig], and then nothing was changed; those of columns and of the store.
func Migrate(keep Migrator, columns func(context.Context) ([]string, error), cipherkeys ...[]byte) error {
	if _, err := newRing(cipherkeys); err != nil {
		return fail("migrate", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	have, err := columns(ctx)
	if err != nil {
		return fail("migrate", outage(err, store.ErrUnavailable))
	}
	if len(have) > 0 && !slices.Contains(have, ourColumn) {
		return fail("migrate", badConfig("the database has a table of this name that is not of this library, but perhaps of the older one: choose another name; nothing was changed"))
	}
	if err := keep.Migrate(ctx); err != nil {
		return fail("migrate", err)
	}
	if _, _, err := keep.Get(ctx, store.Key{}); !errors.Is(err, store.ErrNotFound) {
		return fail("migrate", fmt.Errorf("%w (if another program made the table, choose another name)", err))
	}
	return nil
}

// ourColumn is in every table of Sojourn's stores, and in none of the older library's.
const ourColumn = "tag"
