package mysqlstore

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// verdict is what a caller is told.
func verdict(a answer, err error) error {
	if err != nil {
		return err
	}
	return outcomes[a.told]
}

// version returns a version as a column can hold it. No record has come so far.
func version(v uint64) int64 { return int64(min(v, 1<<62)) }

// Update changes a record.
func (e *engine) Update(ctx context.Context, r *store.Record, ifVersion uint64) error {
	v := values{"tag": r.Key.Tag[:], "id": r.Key.ID[:], "version": version(ifVersion)}
	return verdict(e.write(ctx, r, "update", v.put("", r).body(r)))
}

// Touch is one statement whether it is due or not: the same row lock tells both.
func (e *engine) Touch(ctx context.Context, r *store.Record, every time.Duration) error {
	return verdict(e.run(ctx, "touch", values{"tag": r.Key.Tag[:], "id": r.Key.ID[:], "every": micro.Span(every)}))
}

// Rotate moves a record. A tail's data stays with it: it is small.
func (e *engine) Rotate(ctx context.Context, old store.Key, ifVersion uint64, r, tail *store.Record) error {
	v := values{"tag": old.Tag[:], "old": old.ID[:], "id": r.Key.ID[:], "user": []byte(r.User), "version": version(ifVersion)}
	v.put("", r).body(r)
	if tail != nil {
		v.put("tail_", tail)
	} else {
		v.put("tail_", &store.Record{Created: time.Unix(0, 0), Lifetime: 1}) // which is over
	}
	if r.User == "" {
		return verdict(e.write(ctx, r, "rotate guardless", v))
	}
	return verdict(e.guarded(ctx, old.Tag, r, "rotate", v))
}

// Delete ends whatever is at the key.
func (e *engine) Delete(ctx context.Context, key store.Key) error {
	_, err := e.run(ctx, "delete", values{"tag": key.Tag[:], "id": key.ID[:]})
	return err
}

// guardKept is for how long a revocation is kept, in µs. An age of just GuardFor must still find
// it, and a minute is left for rounding.
const guardKept = int64((store.GuardFor + time.Minute) / time.Microsecond)

// Revoke ends records of user.
func (e *engine) Revoke(ctx context.Context, user string, sel store.Selection) (r store.Revoked, err error) {
	only := int64(0)
	if len(sel.Only) > 0 {
		only = 1
	}
	var handles strings.Builder
	handles.WriteByte('-') // never empty, which a mode of MariaDB takes for NULL
	for _, h := range slices.Concat(sel.Only, sel.Except) {
		handles.WriteByte(',')
		handles.WriteString(strings.ToUpper(hex.EncodeToString(h[:])))
	}
	tag := store.TagOf(user)
	a, err := e.guarded(ctx, tag, nil, "revoke", values{"tag": tag[:], "user": []byte(user), "handles": handles.String(),
		"only": only, "keep": guardKept, "nothing": []byte{}})
	if err != nil {
		return r, err
	}
	if r.N = int(a.rows) - 1; only == 0 { // the guard is one of the rows
		r.At = micro.Time(a.told)
	}
	return r, nil
}

// sweepSize is how many rows the statements of Sweep take: their locks are held until its end.
const sweepSize = 32

// Sweep deletes guards that were kept for long enough, and then expired records.
func (e *engine) Sweep(ctx context.Context, limit int) (sum int, err error) {
	if err := e.sweepGuards(ctx); err != nil {
		return 0, err
	}
	for sum < limit {
		n, more, err := e.sweep(ctx, min(limit-sum, sweepSize))
		sum += n
		if err == nil && more {
			err = store.FromContext(ctx)
		}
		if err != nil || !more {
			return sum, err
		}
	}
	return sum, nil
}
