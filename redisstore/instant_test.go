package redisstore_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/redisstore"
	"github.com/sojourn-go/sojourn/redisstore/lua"
	"github.com/sojourn-go/sojourn/store"
)

// frozen stands between a store and its driver, and lets other Lua run first, at the very instant
// that the script then takes for now.
type frozen struct {
	lua.Cacher
	first string
}

// clockStops gives the Lua that follows, and the script, one instant: now_.
const clockStops = `
local redis_, time_ = redis, redis.call('TIME')
local redis = {pcall = redis_.pcall, call = function(name, ...)
	if name == 'TIME' then return time_ end
	return redis_.call(name, ...)
end}
local now_ = time_[1] * 1000 + math.floor(time_[2] / 1000)
local function write_(k, at, n) redis.call('SETRANGE', k, at, struct.pack('>i8', n)) end
local function first_(u) return u:sub(1, -2) .. 's:' .. redis.call('ZRANGE', u, 0, -1)[1]:sub(1, 32) end
local function ends_(k) write_(k, 17, now_ - 3600000); redis.call('PERSIST', k) end
local function given_(n, created, seen, life)
	local w, c, s, i, l = struct.unpack('>c8i8i8i8i8', ARGV[n])
	ARGV[n] = struct.pack('>c8i8i8i8i8', w, created or c, seen or s, i, life or l) .. ARGV[n]:sub(41)
end
`

func (f *frozen) Do(ctx context.Context, cmd lua.Command) ([]byte, error) {
	if f.first != "" && cmd.Name == "EVALSHA" {
		return nil, &lua.ServerError{Text: "NOSCRIPT No matching script."}
	}
	if f.first != "" && cmd.Name == "EVAL" {
		head, text, _ := strings.Cut(cmd.Before[0], "\n")
		cmd.Before = []string{head + clockStops + f.first + "\n" + text, cmd.Before[1]}
	}
	return f.Cacher.Do(ctx, cmd)
}

// TestToTheMoment has calls at the very instant at which something changes, and records that Redis
// was kept from deleting: their own bytes say when they end.
func TestToTheMoment(t *testing.T) {
	c := dial(t, option(t, "SOJOURN_REDIS"))
	const user = "somebody"
	began := store.Admission{Began: time.Now().Add(-time.Minute)}
	type fixture struct {
		*redisstore.Store
		d           *frozen
		first, next store.Record
		raw
	}
	changed := func(f *fixture) store.Record {
		r := f.first
		rand.Read(r.Writer[:])
		return r
	}
	update := func(t *testing.T, f *fixture) error { return f.Update(t.Context(), changed(f), 1) }
	rotate := func(t *testing.T, f *fixture) error { return f.Rotate(t.Context(), f.first.Key, 1, f.next, nil) }
	second := func(adm store.Admission, evicted int) func(t *testing.T, f *fixture) error {
		return func(t *testing.T, f *fixture) error {
			a, err := f.Create(t.Context(), f.next, adm)
			if len(a.Evicted) != evicted {
				t.Errorf("%d records were evicted, want %d", len(a.Evicted), evicted)
			}
			return err
		}
	}
	atKey := func(t *testing.T, f *fixture) error {
		_, err := f.Create(t.Context(), changed(f), store.Admission{})
		return err
	}
	atRotation := func(t *testing.T, f *fixture) error {
		first := f.d.first
		f.d.first = ""
		create(t, f, f.next)
		f.d.first = first
		rand.Read(f.next.Writer[:])
		return rotate(t, f)
	}
	revoke := func(sel store.Selection, ended int) func(t *testing.T, f *fixture) error {
		return func(t *testing.T, f *fixture) error {
			r, err := f.Revoke(t.Context(), user, sel)
			if r.N != ended {
				t.Errorf("%d records were ended, want %d", r.N, ended)
			}
			return err
		}
	}
	lists := func(n int) func(*testing.T, *fixture) {
		return func(t *testing.T, f *fixture) {
			if got := count(t, f, user); got != n {
				t.Errorf("User yields %d records, want %d", got, n)
			}
		}
	}
	noIndex := func(t *testing.T, f *fixture) {
		if left := f.left(t, f.index); left != -2 {
			t.Errorf("the index of nothing is there, for %v", left)
		}
	}
	seen := func(least, most time.Duration) func(*testing.T, *fixture) {
		return func(t *testing.T, f *fixture) {
			r, now, err := f.Get(t.Context(), f.first.Key)
			if err != nil {
				t.Fatal(err)
			}
			if ago := now.Sub(r.Seen); ago < least || ago > most {
				t.Errorf("it was seen %v ago, want %v to %v", ago, least, most)
			}
		}
	}
	touch := func(every time.Duration) func(t *testing.T, f *fixture) error {
		return func(t *testing.T, f *fixture) error { return f.Touch(t.Context(), f.first, every) }
	}
	for what, act := range map[string]struct {
		lua  string
		call func(*testing.T, *fixture) error
		want error
		then func(*testing.T, *fixture)
	}{
		"a sign-in that began at the revocation":      {`redis.call('SET', KEYS[3], string.format('%.0f', now_ - ARGV[6]))`, second(began, 0), store.ErrRevoked, lists(1)},
		"a sign-in that began after the revocation":   {`redis.call('SET', KEYS[3], string.format('%.0f', now_ - ARGV[6] - 1))`, second(began, 0), nil, lists(2)},
		"no beginning, and a revocation ahead":        {`redis.call('SET', KEYS[3], string.format('%.0f', now_ + 5000))`, second(store.Admission{}, 0), nil, lists(2)},
		"a revocation at the instant of another":      {`redis.call('SET', KEYS[2], string.format('%.0f', now_ + 5000))`, revoke(store.Selection{}, 1), nil, func(t *testing.T, f *fixture) { f.later(t, 5000) }},
		"a record that ends as it begins evicts none": {`given_(1, now_ - 3600000, now_)`, second(store.Admission{Max: 1, Evict: true}, 0), nil, lists(1)},
		"an ended record is not counted":              {`ends_(first_(KEYS[2]))`, second(store.Admission{Max: 1}, 0), nil, lists(1)},
		"an ended record is not evicted":              {`ends_(first_(KEYS[2]))`, second(store.Admission{Max: 1, Evict: true}, 0), nil, lists(1)},
		"an ended record makes room":                  {`ends_(KEYS[1])`, atKey, nil, lists(1)},
		"an ended record is not updated":              {`ends_(KEYS[1])`, update, store.ErrNotFound, nil},
		"an ended record is not touched":              {`ends_(KEYS[1])`, touch(0), store.ErrNotFound, nil},
		"an ended record is not rotated":              {`ends_(KEYS[1])`, rotate, store.ErrNotFound, nil},
		"an ended record is in the way of nobody":     {`ends_(KEYS[2])`, atRotation, nil, lists(1)},
		"an ended record is not revoked":              {`ends_(first_(KEYS[1]))`, revoke(store.Selection{}, 0), nil, noIndex},
		"a member without a record is not revoked":    {`redis.call('DEL', first_(KEYS[1]))`, revoke(store.Selection{}, 0), nil, noIndex},
		"an ended record is not listed": {``, func(t *testing.T, f *fixture) error {
			at := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(-2*time.Hour).UnixMilli()))
			f.do(t, f.record, "SETRANGE", "17", string(at))
			f.do(t, f.record, "PERSIST")
			return nil
		}, nil, lists(0)},
		"an update to a life that is over": {`write_(KEYS[1], 17, now_ - 1000); given_(1, nil, now_, 1000)`, update, nil, noIndex},
		"an update that was seen later":    {`given_(1, nil, now_ + 60000)`, update, nil, seen(0, 30*time.Second)},
		"an update that was seen before":   {`given_(1, nil, now_ - 60000)`, update, nil, seen(0, 30*time.Second)},
		"a rotation to a life that is over": {`given_(1, now_ - 3600000, now_)`, rotate, nil, func(t *testing.T, f *fixture) {
			noIndex(t, f)
			lists(0)(t, f)
		}},
		"a touch as soon as it is due":    {`write_(KEYS[1], 25, now_ - ARGV[1])`, touch(time.Minute), nil, seen(0, 30*time.Second)},
		"a touch before it is due":        {`write_(KEYS[1], 25, now_ - ARGV[1] + 1)`, touch(time.Hour), nil, seen(time.Hour-time.Second, 2*time.Hour)},
		"a touch of what was seen later":  {`write_(KEYS[1], 25, now_ + 60000)`, touch(0), nil, seen(-time.Minute, 0)},
		"an idle record is not updated":   {`write_(KEYS[1], 33, 1000); write_(KEYS[1], 25, now_ - 1000); redis.call('PERSIST', KEYS[1])`, update, store.ErrNotFound, nil},
		"an idle record is not rotated":   {`write_(KEYS[1], 33, 1000); write_(KEYS[1], 25, now_ - 1000); redis.call('PERSIST', KEYS[1])`, rotate, store.ErrNotFound, nil},
		"a record of nobody is not found": {`redis.call('DEL', KEYS[1])`, touch(0), store.ErrNotFound, nil},
	} {
		t.Run(what, func(t *testing.T) {
			p := prefix()
			d := &frozen{Cacher: redisstore.NewDriver(c)}
			s, err := lua.New(d, &redisstore.Options{Prefix: p})
			if err != nil {
				t.Fatal(err)
			}
			f := &fixture{Store: s, d: d, first: create(t, s, record(user)), next: record(user)}
			f.raw = keysOf(t, c, p)
			d.first = act.lua
			err = act.call(t, f)
			if act.want == nil && err != nil || act.want != nil && !errors.Is(err, act.want) {
				t.Errorf("%v, want %v", err, act.want)
			}
			d.first = ""
			if act.then != nil {
				act.then(t, f)
			}
		})
	}
}

// later fails unless the user's last revocation lies ahead.
func (k raw) later(t *testing.T, ms int64) {
	t.Helper()
	at, err := k.do(t, k.index[:len(k.index)-1]+"g", "GET").AsInt64()
	if err != nil || time.UnixMilli(at).Before(time.Now().Add(time.Duration(ms)*time.Millisecond/2)) {
		t.Errorf("the revocation is at %v, %v; want it after the one before", time.UnixMilli(at), err)
	}
}
