package postgresstore

import (
	"context"
	"slices"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// micro is the tick of all instants and lives.
const micro = ticks.Micro

// filled returns bytes that are not nil, which would be NULL.
func filled(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// columns appends the columns of a record, from its handle on.
func columns(args []any, r *store.Record) []any {
	return append(args, r.Handle[:], r.Writer[:], micro.Instant(r.Created), micro.Instant(r.Seen),
		micro.Span(r.Idle), micro.Span(r.Lifetime), filled(r.Meta), filled(r.Data))
}

// Create inserts a record if its user's limit and revocations allow it.
func (e *engine) Create(ctx context.Context, r *store.Record, adm store.Admission) (store.Admitted, error) {
	known := int64(0)
	if !adm.Known.IsZero() {
		known = micro.Instant(adm.Known)
	}
	args := columns([]any{r.Key.Tag[:], r.Key.ID[:], []byte(r.User)}, r)
	args = append(args, int64(adm.Max), flag(adm.Evict), micro.Span(adm.Age()), known)
	return one(ctx, e, "create", args, func(rows Rows) (a store.Admitted, err error) {
		var word, handles []byte
		var now, revoked int64
		if err := rows.Scan(&word, &now, &revoked, &handles); err != nil {
			return a, err
		}
		a.Now = micro.Time(now)
		if revoked > 0 {
			a.Revoked = micro.Time(revoked)
		}
		const size = len(store.Handle{})
		for ; len(handles) >= size; handles = handles[size:] {
			a.Evicted = append(a.Evicted, store.Handle(handles[:size]))
		}
		return a, outcome(word)
	})
}

// Rotate moves a record.
func (e *engine) Rotate(ctx context.Context, old store.Key, ifVersion uint64, r, tail *store.Record) error {
	hasTail := flag(tail != nil)
	if tail == nil {
		tail = new(store.Record)
	}
	args := columns([]any{old.Tag[:], old.ID[:], version(ifVersion), r.Key.ID[:], []byte(r.User)}, r)
	args = columns(append(args, hasTail), tail)
	_, err := one(ctx, e, "rotate", args, scanWord)
	return err
}

// version returns a version as a column can hold it. No record has come so far.
func version(v uint64) int64 { return int64(min(v, 1<<62)) }

func scanWord(rows Rows) (none struct{}, err error) {
	var word []byte
	if err := rows.Scan(&word); err != nil {
		return none, err
	}
	return none, outcome(word)
}

// Delete ends whatever is at the key.
func (e *engine) Delete(ctx context.Context, key store.Key) error {
	_, err := ask(ctx, e, "delete", []any{key.Tag[:], key.ID[:]}, scanWord)
	return err
}

// Revoke ends records of user, damaged ones too where their user can be read.
func (e *engine) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	only := len(sel.Only) > 0
	var handles []byte
	for _, h := range slices.Concat(sel.Only, sel.Except) { // one of them is empty
		handles = append(handles, h[:]...)
	}
	tag := store.TagOf(user)
	return one(ctx, e, "revoke", []any{tag[:], []byte(user), filled(handles), flag(only)}, func(rows Rows) (r store.Revoked, err error) {
		var word []byte
		var n, at int64
		if err := rows.Scan(&word, &n, &at); err != nil {
			return r, err
		}
		if r.N = int(n); !only {
			r.At = micro.Time(at)
		}
		return r, outcome(word)
	})
}

// sweepSize is how many rows a statement of Sweep looks at: their locks are held until its end.
const sweepSize = 256

// guardKept is for how long a revocation is kept, in µs. An age of just GuardFor must still find
// it, and a minute is left for rounding.
const guardKept = int64(store.GuardFor+60e9) / 1e3

// Sweep deletes expired records, and then guards that nobody needs.
func (e *engine) Sweep(ctx context.Context, limit int) (sum int, err error) {
	count := func(rows Rows) (n int64, err error) { return n, rows.Scan(&n) }
	for sum < limit {
		most := min(limit-sum, sweepSize)
		n, err := one(ctx, e, "sweep", []any{int64(most)}, count)
		sum += int(n)
		if err != nil {
			return sum, err
		}
		if int(n) < most {
			_, err := one(ctx, e, "sweep_guards", []any{int64(sweepSize), guardKept}, count)
			return sum, err
		}
		if err := store.FromContext(ctx); err != nil {
			return sum, err
		}
	}
	return sum, nil
}
