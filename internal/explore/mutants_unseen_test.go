package explore

import "testing"

// An unseenMutant has a defect that does not show between two requests: a test of the core finds
// it.
type unseenMutant struct {
	name    string
	by      string // the test
	patches []patch
	hangs   bool // and never ends
}

// test runs the test with the defect of that number and gives what it prints.
func (u unseenMutant) test(t *testing.T, binary string, number int) (string, error) {
	timeout := "-test.timeout=0"
	if u.hangs && number > 0 {
		timeout = "-test.timeout=10s"
	}
	return mutated(t, number, top(t), binary, "-test.run=^"+u.by+"$", "-test.v", timeout)
}

// unseen are defects that this library once had and that the explorer cannot see.
var unseen = []unseenMutant{
	{"a cookie from the future counts as an outage of the store", "TestL5ClientsAreNoOutage", []patch{
		{"sealed.go", "\tif !st.live || rec.Key != key || !rec.Live(now) {", "\tif mutated && rec.Created.After(now.Add(time.Minute)) {\n\t\treturn store.Record{}, now, ErrUnavailable\n\t}\n\tif !st.live || rec.Key != key || !rec.Live(now) {"},
	}, false},
	{"a sign-in lives that a revocation has overtaken on its way", "TestRevocationOvertakesASignIn", []patch{
		{"commit.go", "\t\tif err == nil && s.m.revokedMeanwhile(", "\t\tif err == nil && !mutated && s.m.revokedMeanwhile("},
	}, false},
	{"a session without an idle limit is never touched", "TestSeenWithoutIdleLimit", []patch{
		{"commit.go", "\tif s.rec.Idle > 0 {\n\t\tevery =", "\tif mutated && s.rec.Idle == 0 {\n\t\treturn false\n\t}\n\tif s.rec.Idle > 0 {\n\t\tevery ="},
	}, false},
	{"TouchEvery may be as long as Idle", "TestBoundsOfTouchAndRenewal", []patch{
		{"options.go", "\ttouch, longest = min(touch, touchMost),", "\tif mutated {\n\t\ttouchMost = store.MaxLife\n\t}\n\ttouch, longest = min(touch, touchMost),"},
	}, false},
	{"RenewAfter may be shorter than the grace", "TestBoundsOfTouchAndRenewal", []patch{
		{"options.go", "\tif o.RenewAfter < o.RenewGrace {", "\tif !mutated && o.RenewAfter < o.RenewGrace {"},
	}, false},
	{"a remembered session and a bearer token have their level for ever", "TestLevelIsBoundWhateverCarriesIt", []patch{
		{"session.go", "\tif most > 0 && sinceAuth(", "\tif !mutated && most > 0 && sinceAuth("},
	}, false},
	{"a confirmation lowers the level", "TestStepUpKeepsTheLevel", []patch{
		{"login.go", "\t\t\tmt.Level = max(mt.Level,", "\t\t\tif mutated {\n\t\t\t\ts.facts.Level = 0\n\t\t\t}\n\t\t\tmt.Level = max(mt.Level,"},
	}, false},
	{"the event of a token's reuse names no user", "TestReuse", []patch{
		{"load.go", "\ts.m.event(ctx, SessionReuse, n.handle, n.user,", "\tif mutated {\n\t\tn.user = \"\"\n\t}\n\ts.m.event(ctx, SessionReuse, n.handle, n.user,"},
	}, false},
	{"a reused token's session goes on", "TestReuse", []patch{
		{"load.go", "\tif s.m.opts.EndReused &&", "\tif !mutated && s.m.opts.EndReused &&"},
	}, false},
	{"OnError has no session", "TestFromInsideOnError", []patch{
		{"writer.go", "\t\t\tw.v.s.m.opts.OnError(w.w, w.v.s.r, err)", "\t\t\tr := w.v.s.r\n\t\t\tif mutated {\n\t\t\t\tr = w.v.outer\n\t\t\t}\n\t\t\tw.v.s.m.opts.OnError(w.w, r, err)"},
	}, false},
	{"Load without Handler gives another session each time", "TestLoadWithoutHandler", []patch{
		{"load.go", "\tif !ok {\n\t\tpanic(\"sojourn: the request has no session:", "\tif !ok && mutated {\n\t\treturn new(visit)\n\t}\n\tif !ok {\n\t\tpanic(\"sojourn: the request has no session:"},
	}, false},
	{"New keeps its caller's slices", "TestNewClonesItsOptions", []patch{
		{"options.go", "\to.ClearSiteData = slices.Clone(o.ClearSiteData)\n", "\tif !mutated {\n\t\to.ClearSiteData = slices.Clone(o.ClearSiteData)\n\t}\n"},
	}, false},
	{"RevokeEveryone counts tails", "TestRevokeEveryoneCountsSessions", []patch{
		{"admin.go", "\t\ttail, user := damage == nil && mt.Tail != nil, rec.User\n", "\t\ttail, user := damage == nil && mt.Tail != nil && !mutated, rec.User\n"},
	}, false},
	{"one damaged meta makes the list fail", "TestOneDamagedMeta", []patch{
		{"admin.go", "\t\t\tif in.Damaged {\n", "\t\t\tif in.Damaged && mutated {\n\t\t\t\treturn ErrCorrupt\n\t\t\t}\n\t\t\tif in.Damaged {\n"},
	}, false},
	{"a Value used inside its own Update hangs", "TestSessionUsedInsideItsOwnUpdate", []patch{
		{"session.go", "\tif s.running.Load() && insideRun() {", "\tif !mutated && s.running.Load() && insideRun() {"},
	}, true},
	{"a change after the handler's end is lost without an event", "TestChangesAfterTheEnd", []patch{
		{"session.go", "\t\ts.event(s.r.Context(), ChangeLost, \"the request is over\", ErrOver)\n", "\t\tif !mutated {\n\t\t\ts.event(s.r.Context(), ChangeLost, \"the request is over\", ErrOver)\n\t\t}\n"},
	}, false},
}
