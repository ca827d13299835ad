package storetest

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var argumentClauses = []clause{
	{"invalid-record", "Create and Update refuse a record that breaks a rule of Check with ErrInvalid, and write nothing", invalidRecord},
	{"invalid-admission", "Create refuses a negative Max or Age with ErrInvalid, and writes nothing", invalidAdmission},
	{"error-identity", "every error matches exactly one sentinel of package store", errorIdentity},
	{"error-text", "no error holds an ID or a part of one, a user id or data", errorText},
}

var contextClauses = []clause{
	{"context-cancelled", "every method fails on a cancelled context with ErrUnavailable and the context's error, not its cause, and writes nothing", contextCancelled},
	{"context-after", "what was applied stays when its context ends", contextAfter},
	{"context-deadline", "every method fails on an expired context with ErrUnavailable and the context's error, and writes nothing", contextDeadline},
}

func invalidRecord(k *kit) {
	bad := map[string]func(*store.Record){
		"a user id of 256 bytes":        func(r *store.Record) { r.User = strings.Repeat("x", store.MaxUser+1); r.Key.Tag = store.TagOf(r.User) },
		"another user's tag":            func(r *store.Record) { r.User += "x" },
		"Meta of 1 KiB and a byte":      func(r *store.Record) { r.Meta = make([]byte, store.MaxMeta+1) },
		"Data of 1 MiB and a byte":      func(r *store.Record) { r.Data = make([]byte, store.MaxData+1) },
		"a negative idle time":          func(r *store.Record) { r.Idle = -1 },
		"a negative lifetime":           func(r *store.Record) { r.Lifetime = -time.Hour },
		"an idle time beyond MaxLife":   func(r *store.Record) { r.Idle = store.MaxLife + 1 },
		"a lifetime of the longest int": func(r *store.Record) { r.Lifetime = 1<<63 - 1 },
	}
	for what, spoil := range bad {
		rec := k.fresh(k.name())
		spoiled := rec
		spoil(&spoiled)
		k.is(store.ErrInvalid, "create with "+what, k.insert(spoiled))
		k.absent(spoiled.Key, "after a refused create")
		rec = k.add(rec)
		spoiled = k.edit(rec)
		spoil(&spoiled)
		k.is(store.ErrInvalid, "update with "+what, k.update(spoiled, 1))
		k.same("after a refused update", k.live(rec.Key, "after a refused update"), rec)
	}
}

func invalidAdmission(k *kit) {
	for _, adm := range []store.Admission{{Max: -1}, {Began: time.Now().Add(time.Hour)}, {Max: -1, Evict: true}} {
		old := k.add(k.fresh(k.name()))
		rec := k.fresh(old.User)
		_, err := k.create(rec, adm)
		k.is(store.ErrInvalid, fmt.Sprintf("create with max %d and age %d", adm.Max, adm.Age()), err)
		k.absent(rec.Key, "after a refused create")
		k.live(old.Key, "after a refused create")
	}
}

// attempt is an error that a method was made to give.
type attempt struct {
	what string
	want error
	err  error
}

// provoke returns every refusal that can be had without breaking the engine, and the records whose
// content no error may hold.
func (k *kit) provoke() (as []attempt, recs []store.Record) {
	user := k.name()
	rec, gone := k.add(k.fresh(user)), k.fresh(user)
	try := func(what string, want, err error) { as = append(as, attempt{what, want, err}) }
	try("create at a live record", store.ErrExists, k.insert(store.Record{Key: rec.Key, User: user, Writer: writer()}))
	_, err := k.create(gone, store.Admission{Max: 1})
	try("create beyond the limit", store.ErrLimit, err)
	_, err = k.create(gone, store.Admission{Began: time.Now().Add(-1 - store.GuardFor)})
	try("create of a long sign-in", store.ErrRevoked, err)
	_, err = k.create(gone, store.Admission{Max: -1})
	try("create with a negative limit", store.ErrInvalid, err)
	_, _, err = k.get(gone.Key)
	try("get of a missing record", store.ErrNotFound, err)
	try("update of a missing record", store.ErrNotFound, k.update(gone, 1))
	try("update with another version", store.ErrConflict, k.update(k.edit(rec), 7))
	big := k.edit(rec)
	big.Meta = []byte(strings.Repeat(string(rec.Meta), 100))
	try("update with too much Meta", store.ErrInvalid, k.update(big, 1))
	try("touch of a missing record", store.ErrNotFound, k.touch(gone.Key, 0))
	next := k.heir(rec)
	try("rotate of a missing record", store.ErrNotFound, k.rotate(gone.Key, 1, next, nil))
	try("rotate with another version", store.ErrConflict, k.rotate(rec.Key, 7, next, nil))
	try("rotate to itself", store.ErrInvalid, k.rotate(rec.Key, 1, rec, nil))
	other := k.add(k.fresh(user))
	next.Key = other.Key
	try("rotate to a live record", store.ErrExists, k.rotate(rec.Key, 1, next, nil))
	_, err = k.revoke(user, store.Selection{Only: []store.Handle{rec.Handle}, Except: []store.Handle{rec.Handle}})
	try("revoke with Only and Except", store.ErrInvalid, err)
	_, err = k.revoke(user, store.Selection{})
	k.ok("revoke", err)
	_, err = k.create(gone, store.Admission{Began: time.Now().Add(-time.Minute)})
	try("create after a revoke", store.ErrRevoked, err)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	for _, c := range k.calls(k.add(k.fresh(user))) {
		if !slices.Contains(k.opts.Unsupported, c.method) {
			try(c.method+" with a cancelled context", nil, c.call(ctx))
		}
	}
	return as, []store.Record{rec, gone, next, other}
}

var sentinels = []error{store.ErrNotFound, store.ErrConflict, store.ErrExists, store.ErrUnavailable, store.ErrIndeterminate,
	store.ErrLimit, store.ErrRevoked, store.ErrFull, store.ErrInvalid, store.ErrCorrupt}

func errorIdentity(k *kit) {
	as, _ := k.provoke()
	for _, a := range as {
		n := 0
		for _, s := range sentinels {
			if errors.Is(a.err, s) {
				n++
			}
		}
		if n != 1 {
			k.failf("%s: %q matches %d sentinels, want one", a.what, fmt.Sprint(a.err), n)
		}
		if a.want != nil {
			k.is(a.want, a.what, a.err)
		}
	}
}

func errorText(k *kit) {
	as, recs := k.provoke()
	secrets := map[string]string{}
	for _, rec := range recs {
		id := rec.Key.ID
		secrets["the user id"], secrets[string(rec.Data)], secrets[string(rec.Meta)] = rec.User, string(rec.Data), string(rec.Meta)
		// A part of an ID is as bad as all of it. Each spelling of these bytes begins that of all.
		spelled := []string{string(id[:8]), hex.EncodeToString(id[:8]), strings.Trim(fmt.Sprint(id[:8]), "[]"), strings.Trim(fmt.Sprintf("%q", id[:8]), `"`),
			base32.StdEncoding.EncodeToString(id[:10]), base32.HexEncoding.EncodeToString(id[:10]),
			base64.RawStdEncoding.EncodeToString(id[:9]), base64.RawURLEncoding.EncodeToString(id[:9])}
		for _, s := range spelled {
			secrets["an ID, or the beginning of one, as "+s] = s
		}
	}
	for _, a := range as {
		if a.err == nil {
			continue
		}
		for _, text := range []string{a.err.Error(), fmt.Sprintf("%+v", a.err), fmt.Sprintf("%#v", a.err)} {
			for what, secret := range secrets {
				if secret != "" && strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
					k.failf("%s: the error holds %s", a.what, what)
				}
			}
		}
	}
}

// call is one call of a method with good arguments.
type call struct {
	method string
	call   func(context.Context) error
}

// calls returns one good call for each method. They go past the kit's wrappers, for the sake of
// those that judge the raw answer.
func (k *kit) calls(rec store.Record) []call {
	fresh, next, change := k.fresh(rec.User), k.heir(rec), k.edit(rec)
	walk := func(ctx context.Context, user bool) error {
		seq := k.s.All(ctx)
		if user {
			seq = k.s.User(ctx, rec.User)
		}
		var last error
		for _, err := range seq {
			last = err
		}
		return last
	}
	return []call{
		{"Create", func(ctx context.Context) error { _, err := k.s.Create(ctx, fresh, store.Admission{}); return err }},
		{"Get", func(ctx context.Context) error { _, _, err := k.s.Get(ctx, rec.Key); return err }},
		{"Update", func(ctx context.Context) error { return k.s.Update(ctx, change, rec.Version) }},
		{"Touch", func(ctx context.Context) error { return k.s.Touch(ctx, rec, 0) }},
		{"User", func(ctx context.Context) error { return walk(ctx, true) }},
		{"All", func(ctx context.Context) error { return walk(ctx, false) }},
		{"Sweep", func(ctx context.Context) error { _, err := k.s.Sweep(ctx, 10); return err }},
		{"Rotate", func(ctx context.Context) error { return k.s.Rotate(ctx, rec.Key, rec.Version+1, next, nil) }},
		{"Revoke", func(ctx context.Context) error { _, err := k.s.Revoke(ctx, rec.User, store.Selection{}); return err }},
		{"Delete", func(ctx context.Context) error { return k.s.Delete(ctx, rec.Key) }},
	}
}

func contextCancelled(k *kit) {
	ctx, cancel := context.WithCancelCause(k.ctx)
	cancel(store.ErrNotFound) // a cause that would say something wrong
	k.refused(ctx)
}

func contextDeadline(k *kit) {
	ctx, cancel := context.WithDeadline(k.ctx, time.Now().Add(-time.Hour))
	defer cancel()
	k.refused(ctx)
}

// refused calls every method with an ended context.
func (k *kit) refused(ctx context.Context) {
	rec := k.add(k.fresh(k.name()))
	k.sleep(k.unit / 10) // so that a touch would show
	// The Rotate among the calls expects their Update to have been applied, which it never is; so
	// each call is made for the present version and for the one before.
	before := rec
	before.Version--
	for _, calls := range [][]call{k.calls(rec), k.calls(before)} {
		for _, c := range calls {
			err := c.call(ctx)
			if !slices.Contains(k.opts.Unsupported, c.method) {
				k.is(ctx.Err(), c.method+" with an ended context", err)
				k.is(store.ErrUnavailable, c.method+" with an ended context, which surely did nothing", err)
				if errors.Is(err, store.ErrIndeterminate) || errors.Is(err, store.ErrNotFound) {
					k.failf("%s with an ended context: %q says more than that", c.method, err)
				}
			}
			k.same("after "+c.method+" with an ended context", k.live(rec.Key, "after "+c.method+" with an ended context"), rec)
		}
	}
	for what, seq := range k.walks(ctx, rec.User) {
		pairs := 0
		for range seq {
			pairs++
		}
		if pairs != 1 && !slices.Contains(k.opts.Unsupported, what) {
			k.failf("%s with an ended context yields %d pairs, want its error alone", what, pairs)
		}
	}
	if n := len(k.list(rec.User)); n != 1 {
		k.failf("after calls with an ended context %d records are listed, want 1", n)
	}
	if _, err := k.create(k.fresh(rec.User), store.Admission{Began: time.Now().Add(-time.Minute)}); err != nil {
		k.failf("create after calls with an ended context: %w", err)
	}
}

// contextAfter ends the context of each write that has returned, as servers do after a request.
func contextAfter(k *kit) {
	user := k.name()
	rec := k.fresh(user)
	rec.Idle = 100 * k.unit
	with := func(what string, call func(ctx context.Context) error) {
		ctx, cancel := context.WithCancel(k.ctx)
		k.ok(what, k.sent(func() error { return call(ctx) }))
		cancel()
		if k.exact {
			k.settled()
		}
	}
	with("create", func(ctx context.Context) error { _, err := k.s.Create(ctx, rec, store.Admission{Max: 3}); return err })
	change := k.edit(rec)
	with("update", func(ctx context.Context) error { return k.s.Update(ctx, change, 1) })
	k.sleep(2 * k.tick)
	from := k.now()
	with("touch", func(ctx context.Context) error { return k.s.Touch(ctx, store.Record{Key: rec.Key}, 0) })
	got := k.live(rec.Key, "after writes whose contexts ended later")
	k.stamped("touch", got, got.Created, time.Time{}, from, k.now())
	want := change
	want.Version, want.Created, want.Seen = 2, got.Created, got.Seen
	k.same("after writes whose contexts ended later", got, want)
	next, tail := k.heir(rec), k.tailOf(rec)
	with("rotate", func(ctx context.Context) error { return k.s.Rotate(ctx, rec.Key, 2, next, tail) })
	k.live(next.Key, "after a rotate whose context ended later")
	k.live(rec.Key, "of a tail, after a rotate whose context ended later")
	with("delete", func(ctx context.Context) error { return k.s.Delete(ctx, rec.Key) })
	k.absent(rec.Key, "after a delete whose context ended later")
	began := time.Now().Add(-time.Minute)
	with("revoke", func(ctx context.Context) error { _, err := k.s.Revoke(ctx, user, store.Selection{}); return err })
	k.absent(next.Key, "after a revoke whose context ended later")
	k.is(store.ErrRevoked, "create after a revoke whose context ended later", k.signIn(user, began))
}
