package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var replayClauses = []clause{
	{"replay-apart", "a write is known again by its key, its version and its writer, not by some of them", replayApart},
	{"replay-handles", "a repeated Create tells no handles and ends nothing more", replayHandles},
	{"replay-touched", "a write is known again after touches, and after whatever happened to other records", replayTouched},
	{"replay-ended", "what has ended is not brought back by a write that is sent again, and a Create then is a new one", replayEnded},
	{"replay-still", "a write that is sent again writes nothing, and is no use, whatever else it says", replayStill},
	{"read-errors", "a read that fails was not indeterminate: it is ErrUnavailable where its context ended, before it or during it", readErrors},
}

func replayApart(k *kit) {
	user := k.name()
	rec, other := k.fresh(user), k.fresh(user)
	other.Writer = rec.Writer
	rec, other = k.add(rec), k.add(other) // one writer at two keys
	if l := k.list(user); len(l) != 2 {
		k.failf("of two creates with one writer at two keys, User yields %d records", len(l))
	}
	again := k.fresh(user)
	again.Key = rec.Key
	k.is(store.ErrExists, "create at a live key by another writer", k.insert(again))
	// The writer of the Create, in the updates of both, and again for the next version.
	w := rec.Writer
	for v := uint64(1); v <= 2; v++ {
		for _, r := range []store.Record{rec, other} {
			change := k.edit(r)
			change.Writer = w
			k.ok("update by the writer of another write", k.update(change, v))
			got := k.live(r.Key, "after update")
			want := change
			want.Version, want.Seen = v+1, got.Seen
			k.same("after an update by the writer of another write", got, want)
		}
	}
	k.is(store.ErrExists, "create by its writer, after updates by the same", k.insert(rec))
	change := k.edit(rec)
	k.is(store.ErrConflict, "update with the version before, by another writer", k.update(change, 2))
	change.Writer = w
	k.is(store.ErrConflict, "update with a later version, by the last writer", k.update(change, 4))
	k.is(store.ErrConflict, "update with an old version, by the last writer", k.update(change, 1))
	// A rotation by the writer of all that, and of the other record's rotation.
	next, moved := k.edit(k.heir(rec)), k.edit(k.heir(other))
	next.Writer, moved.Writer = w, w
	k.ok("rotate by the writer of another write", k.rotate(rec.Key, 3, next, nil))
	k.ok("rotate of another by the same writer", k.rotate(other.Key, 3, moved, nil))
	for _, r := range []store.Record{next, moved} {
		got := k.live(r.Key, "after rotate")
		want := r
		want.Version, want.Seen = 4, got.Seen
		k.same("after a rotate by the writer of another write", got, want)
	}
	k.absent(rec.Key, "after rotate")
	k.absent(other.Key, "after rotate")
	rival := k.heir(rec)
	rival.Key = next.Key
	k.is(store.ErrNotFound, "rotate of what is gone to the same key, by another writer", k.rotate(rec.Key, 3, rival, nil))
	rival = k.heir(rec)
	rival.Writer = w
	k.is(store.ErrNotFound, "rotate of what is gone to another key, by the same writer", k.rotate(rec.Key, 3, rival, nil))
	k.absent(rival.Key, "after a refused rotate")
	rival.Key = next.Key
	k.is(store.ErrNotFound, "rotate of what is gone with another version, by the same writer", k.rotate(rec.Key, 2, rival, nil))
	k.ok("the same rotate again", k.rotate(rec.Key, 3, next, nil))
}

func replayHandles(k *kit) {
	user := k.name()
	recs := k.addN(3, user)
	last := k.fresh(user)
	for i, most := range []int{2, 2, 1, 3} {
		a, err := k.admit(last, store.Admission{Max: most, Evict: true})
		k.ok("create with eviction", err)
		if want := []int{2, 0, 0, 0}[i]; len(a.Evicted) != want {
			k.failf("create with eviction, sent %d times, tells %d handles, want %d", i+1, len(a.Evicted), want)
		}
		if n := len(k.list(user)); n != 2 {
			k.failf("after a create with eviction, sent %d times, %d records are listed, want 2", i+1, n)
		}
	}
	k.live(last.Key, "after its create was repeated")
	left := 0
	for _, rec := range recs {
		if _, _, err := k.get(rec.Key); err == nil {
			left++
		}
	}
	if left != 1 {
		k.failf("a create with eviction at a limit of 2, repeated, left %d of the others, want 1", left)
	}
}

func replayTouched(k *kit) {
	user := k.name()
	rec := k.fresh(user)
	rec.Idle = 100 * k.unit
	disturb := func(key store.Key) {
		k.sleep(k.unit / 10)
		k.ok("touch", k.touch(key, 0))
		k.ok("delete", k.delete(k.add(k.fresh(user)).Key))
		k.revoked("revoke of nothing", user, only(k.fresh("").Handle), 0)
		k.sweep(100)
	}
	k.ok("create", k.insert(rec))
	disturb(rec.Key)
	k.ok("the same create after a touch", k.insert(rec))
	change := k.edit(rec)
	k.ok("update", k.update(change, 1))
	disturb(rec.Key)
	k.ok("the same update after a touch", k.update(change, 1))
	next, tail := k.heir(rec), k.tailOf(rec)
	k.ok("rotate", k.rotate(rec.Key, 2, next, tail))
	disturb(next.Key)
	disturb(rec.Key)
	k.ok("the same rotate after touches", k.rotate(rec.Key, 2, next, tail))
	k.ok("delete of the tail", k.delete(rec.Key))
	k.ok("the same rotate when its tail is gone", k.rotate(rec.Key, 2, next, tail))
	k.absent(rec.Key, "of a tail that was deleted, after the same rotate again")
	k.listed(user, "after repeated writes", next.Key)
}

func replayEnded(k *kit) {
	for what, end := range map[string]func(store.Record){
		"deleted": func(rec store.Record) { k.ok("delete", k.delete(rec.Key)) },
		"revoked": func(rec store.Record) { k.revokeAll(rec.User) },
		"rotated away": func(rec store.Record) {
			k.ok("rotate", k.rotate(rec.Key, k.live(rec.Key, "before a rotate").Version, k.heir(rec), nil))
		},
	} {
		rec := k.fresh(k.name())
		k.ok("create", k.insert(rec))
		change := k.edit(rec)
		k.ok("update", k.update(change, 1))
		next := k.heir(rec)
		k.ok("rotate", k.rotate(rec.Key, 2, next, nil))
		end(next)
		k.is(store.ErrNotFound, "the same rotate again, where its record was "+what, k.rotate(rec.Key, 2, next, nil))
		k.is(store.ErrNotFound, "the same update again, where its record was "+what, k.update(change, 1))
		k.absent(next.Key, "after it was "+what+", and its rotate sent again")
		k.absent(rec.Key, "after it was "+what+", and its writes sent again")
		k.ok("the same create again, where its record was "+what, k.insert(rec))
		if got := k.live(rec.Key, "after it was created anew"); got.Version != 1 {
			k.failf("the create of a record that was %s, sent again, left version %d, want 1", what, got.Version)
		}
	}
}

func replayStill(k *kit) {
	rec := k.fresh(k.name())
	rec.Idle = 100 * k.unit
	again := func(what string, send func() error) store.Record {
		k.ok(what, send())
		key := rec.Key
		before := k.live(key, "after "+what)
		k.sleep(k.unit / 4)
		rec = k.other(rec)
		k.ok("the same "+what+" again, with other content", send())
		k.same("after the same "+what+" was sent again", k.live(key, "after the same "+what+" again"), before)
		return before
	}
	again("create", func() error { return k.insert(rec) })
	rec.Writer = writer()
	again("update", func() error { return k.update(rec, 1) })
	old := rec.Key
	tail := k.tailOf(rec)
	rec = k.heir(rec)
	again("rotate", func() error { return k.rotate(old, 2, rec, tail) })
	left := k.live(old, "of the tail")
	tail.Data, tail.Meta = k.other(*tail).Data, k.other(*tail).Meta
	k.ok("the same rotate again, with another tail", k.rotate(old, 2, rec, tail))
	k.same("after the same rotate with another tail", k.live(old, "of the tail"), left)
}

// other returns rec with other content.
func (k *kit) other(rec store.Record) store.Record {
	change := k.edit(rec)
	change.Key, change.Writer = rec.Key, rec.Writer
	change.Idle, change.Lifetime = rec.Idle+k.unit, rec.Lifetime+k.unit
	return change
}

// reads are the methods that change nothing.
func (k *kit) reads(rec store.Record) []call {
	var rs []call
	for _, c := range k.calls(rec) {
		switch c.method {
		case "Get", "User", "All":
			rs = append(rs, c)
		}
	}
	return rs
}

func readErrors(k *kit) {
	rec := k.add(k.fresh(k.name()))
	judge := func(what string, err error, allowed error) {
		if err = k.answer(what, err); err == nil && allowed == nil {
			return
		}
		if err == nil || errors.Is(err, store.ErrIndeterminate) || !errors.Is(err, store.ErrUnavailable) {
			k.failf("%s, whose context ended: got %v, want ErrUnavailable, and not ErrIndeterminate", what, err)
		}
		if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			k.failf("%s, whose context ended: %v does not match the context's error", what, err)
		}
	}
	ended, cancel := context.WithCancel(k.ctx)
	cancel()
	late, cancelLate := context.WithDeadline(k.ctx, time.Now().Add(-time.Second))
	defer cancelLate()
	for _, c := range k.reads(rec) {
		for _, ctx := range []context.Context{ended, late} {
			judge(c.method, c.call(ctx), ctx.Err())
		}
	}
	// A context that ends during the call: the answer comes, or the error of one that ended.
	for i := range k.rounds(60) {
		for _, c := range k.reads(rec) {
			ctx, cancel := context.WithCancel(k.ctx)
			begun := make(chan struct{})
			var err error
			k.gated(
				func() { close(begun); err = c.call(ctx) },
				func() {
					if <-begun; k.exact && i%2 == 0 {
						k.settled() // where it waits for something
					} else {
						time.Sleep(time.Duration(i*i) * 100)
					}
					cancel()
				})
			judge(c.method, err, nil)
		}
	}
	k.live(rec.Key, "after reads whose context ended")
}
