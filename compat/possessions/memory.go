package possessions

import (
	"context"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
)

// MemoryStorer keeps sessions in the memory of this process: a memstore, which has many locks in
// place of one. It ends with the process.
type MemoryStorer struct {
	*records
	*cleaner
}

var _ Storer = (*MemoryStorer)(nil)

// NewDefaultMemoryStorer is [NewMemoryStorer] with a maxAge of 2 days and a cleanInterval of 1
// hour. The error is always nil.
func NewDefaultMemoryStorer() (*MemoryStorer, error) {
	return NewMemoryStorer(defaultMaxAge, defaultClean)
}

// NewMemoryStorer makes a storer whose sessions end maxAge after they were made, set or refreshed
// last: exactly then, cleaner or not. With StartCleaner their memory is freed every cleanInterval.
// Both zero: sessions stay until the process ends. One of both zero, or a negative one, is an
// error.
func NewMemoryStorer(maxAge, cleanInterval time.Duration) (*MemoryStorer, error) {
	if err := checkAges(maxAge, cleanInterval); err != nil {
		return nil, err
	}
	st, ring := memstore.New(nil), newRing()
	return &MemoryStorer{
		&records{st: st, maxAge: maxAge, keys: func(context.Context) (sojourn.Sealer, error) { return ring, nil }},
		&cleaner{every: cleanInterval, clean: func(ctx context.Context) error { return sweep(ctx, st.Sweep) }},
	}, nil
}
