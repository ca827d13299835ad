package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

var userClauses = []clause{
	{"user-list", "User yields the user's live records, each once, with all fields but Data", userList},
	{"user-others", "User yields and limits count no other user's records, however alike their ids are", userOthers},
	{"user-revoke", "Revoke ends no other user's records, however alike their ids are", userRevoke},
	{"user-nobody", `"" is nobody: User yields nothing and Revoke ends nothing`, userNobody},
	{"user-tag", "a record without a user is nobody's, though its tag be a user's: not listed, not revoked, not counted", userTag},
	{"user-long", "a user id may have 255 bytes, of any kind, and not 256", userLong},
}

// alike returns users that careless comparing, joining or cutting mixes up.
func (k *kit) alike() []string {
	base := k.name()
	number, other := fmt.Sprintf("%d%d", 1e18+rand.Int64N(8e18), 1), "2" // as numbers they may be the same
	return []string{
		base, base + "0", base + "1", base + "10", strings.ToLower(base), base[:len(base)-1],
		base + "\x00", base + "\x00\x00", "\x00" + base, base + " ", " " + base, base + "\n", base + "/", base + ":1",
		base + "%", base + "_", base + "*", base + "'", base + `"`, base + `\`, base + "{1}",
		base + "\xff", base + "\xfe\xff", base + "\xff\xff", base + "\xef\xbf\xbd", // U+FFFD is what careless decoding makes of the others
		base + "é", base + "e\u0301", base + "\x00a\x00b",
		base[:len(base)-1] + "_", base[:len(base)-1] + "?", base[:len(base)-1] + "%", base[:len(base)-1] + "*",
		number, number[:19] + other, "0" + number, "+" + number, number + ".0", number + "e0", number + " ",
		strings.Repeat("x", store.MaxUser-len(base)) + base, base + strings.Repeat("x", store.MaxUser-len(base)),
		base + strings.Repeat("x", store.MaxUser-len(base)-1) + "y",
	}
}

func userList(k *kit) {
	user := k.name()
	recs := k.freshN(5, user)
	for i := range recs {
		recs[i].Idle = 20 * k.unit
		recs[i] = k.add(recs[i])
	}
	k.sleep(k.unit / 10)
	k.ok("update", k.update(k.edit(recs[1]), 1))
	k.ok("touch", k.touch(recs[2].Key, 0))
	moved := k.heir(recs[3])
	k.ok("rotate", k.rotate(recs[3].Key, 1, moved, nil))
	k.ok("delete", k.delete(recs[4].Key))
	recs[3] = moved
	listed := k.list(user)
	for i := range recs[:4] {
		want := k.live(recs[i].Key, "of a listed record")
		want.Data = nil
		got := find(listed, want.Key)
		if got == nil {
			k.failf("User does not yield one of the user's records")
		}
		k.same("in User", *got, want)
	}
	if len(listed) != 4 {
		k.failf("User yields %d records, want 4", len(listed))
	}
	if n := len(k.list(k.name())); n > 0 {
		k.failf("User yields %d records of a user who has none", n)
	}
}

func userOthers(k *kit) {
	owner := map[store.Key]string{}
	users := k.alike()
	for _, user := range users {
		rec := k.fresh(user)
		_, err := k.create(rec, store.Admission{Max: 1})
		k.ok("create at a limit of 1 for a user without records, among others who are alike", err)
		owner[rec.Key] = user
	}
	for _, user := range users { // and once more, when all of them have one
		k.ok("create at a limit of 2 for a user with one record, among others who are alike", k.limited(user, 2))
		for _, rec := range k.list(user) {
			if _, first := owner[rec.Key]; !first {
				k.ok("delete", k.delete(rec.Key))
			}
		}
		listed := k.list(user)
		if len(listed) != 1 || listed[0].User != user || owner[listed[0].Key] != user {
			k.failf("user %q has one record, and User yields %d", user, len(listed))
		}
	}
}

func userRevoke(k *kit) {
	users := k.alike()
	recs := make([]store.Record, len(users))
	for i, user := range users {
		recs[i] = k.add(k.fresh(user))
	}
	for i, user := range users {
		k.revoked("revoke of one user among others", user, store.Selection{}, 1)
		for j, rec := range recs {
			if j > i {
				k.live(rec.Key, "after another user's records were revoked")
			}
			if j == i+1 || j == i-1 || j == (i+len(recs)/2)%len(recs) && j > i {
				k.alikeSignIn(rec.User, j < i)
			}
		}
	}
}

// alikeSignIn signs a user in who was revoked, or was not, among users that are alike.
func (k *kit) alikeSignIn(user string, revoked bool) {
	err := k.signIn(user, time.Now().Add(-time.Minute))
	if revoked {
		k.is(store.ErrRevoked, "create of a sign-in that began before the user was revoked, among others", err)
		return
	}
	k.ok("create for a user who was not revoked, among others", err)
}

func userNobody(k *kit) {
	recs := append(k.addN(2, ""), k.add(k.fresh(k.name())))
	if n := len(k.list("")); n > 0 {
		k.failf("User yields %d records of nobody", n)
	}
	for _, sel := range []store.Selection{{}, {Only: []store.Handle{recs[0].Handle}}, {Except: []store.Handle{recs[0].Handle}}} {
		k.revoked("revoke of nobody", "", sel, 0)
	}
	for _, rec := range recs {
		k.live(rec.Key, "after nobody's records were revoked")
	}
	// Nobody has neither a limit nor a revocation.
	rec := k.fresh("")
	evicted, err := k.create(rec, store.Admission{Max: 1, Began: time.Now().Add(-store.GuardFor)})
	if k.ok("create without a user, with conditions", err); len(evicted) > 0 {
		k.failf("create without a user evicted %d records", len(evicted))
	}
	for _, adm := range []store.Admission{{Max: -1}, {Began: time.Now().Add(time.Hour)}, {Began: time.Now().Add(-2 * store.GuardFor)}} {
		_, err = k.create(k.fresh(""), adm)
		k.ok("create without a user, with conditions that make no sense", err)
	}
}

func userTag(k *kit) {
	user := k.name()
	stray := k.fresh("")
	stray.Key.Tag = store.TagOf(user)
	k.add(stray)
	rec := k.fresh(user)
	_, err := k.create(rec, store.Admission{Max: 1})
	k.ok("create at a limit of 1, beside a record without a user", err)
	if l := k.list(user); len(l) != 1 || l[0].Key != rec.Key {
		k.failf("beside a record without a user, User yields %d records, want the user's one", len(l))
	}
	k.revoked("revoke beside a record without a user", user, store.Selection{}, 1)
	k.live(stray.Key, "of a record without a user, after revoke")
}

func userLong(k *kit) {
	every := make([]byte, store.MaxUser)
	for i := range every {
		every[i] = byte(255 - i)
	}
	copy(every[200:], k.name())
	longest := string(every)
	rec := k.add(k.fresh(longest))
	if rec.User != longest {
		k.failf("a user id of %d bytes came back as %d", len(longest), len(rec.User))
	}
	if l := k.list(longest); len(l) != 1 || l[0].User != longest {
		k.failf("User yields %d records of a user id of %d bytes, want 1", len(l), len(longest))
	}
	long := k.fresh(longest + "x")
	k.is(store.ErrInvalid, "create for a user id of 256 bytes", k.insert(long))
	k.absent(long.Key, "after a refused create")
	k.revoked("revoke", longest, store.Selection{}, 1)
}
