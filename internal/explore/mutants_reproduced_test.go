package explore

// reproduced are defects that this library once had: each repair is taken out again.
var reproduced = []mutant{
	{"no last look at a token that others can have replaced", "stored/renewed-late/read-3min+ada", 0, "L3", []patch{
		{"commit.go", "if err == nil && !shown && s.contested()", "if !mutated && err == nil && !shown && s.contested()"},
	}},
	{"a token is remembered as another's", "stored/nobody/ada+read", 0, "L1", []patch{
		{"ticket.go", "\t\tm.opened.cookie.Add(&sum, t.key)\n\t}\n\treturn text, err", "\t\tif mutated {\n\t\t\tt.key.ID[0]++\n\t\t}\n\t\tm.opened.cookie.Add(&sum, t.key)\n\t}\n\treturn text, err"},
	}},
	{"what is owed does not go with the error page", "stored/signed-in/ada-incr+read", 1, "L3", []patch{
		{"handler.go", "\ts.pay(v.Context, h)\n", "\tif !mutated {\n\t\ts.pay(v.Context, h)\n\t}\n"},
	}},
	{"a failed commit ends the sign-in before it", "stored/visitor/keep-incr+read", 1, "L3", []patch{
		{"handler.go", "\terr = s.report(detached(v.Context), \"commit\", err)\n", "\terr = s.report(detached(v.Context), \"commit\", err)\n\tif mutated {\n\t\ts.abandon(v.Context)\n\t}\n"},
	}},
	{"nobody finds out what became of a rotation whose answers were lost", "stored/signed-in/ada+read", 1, "L3", []patch{
		{"renewal.go", "if errors.Is(err, ErrIndeterminate) && !errors.Is(err, store.ErrNotFound) {", "if !mutated && errors.Is(err, ErrIndeterminate) && !errors.Is(err, store.ErrNotFound) {"},
	}},
	{"a full store fails a page that only reads, once its renewal is due", "stored/due/read+read", 1, "L4", []patch{
		{"commit.go", "\tif s.renewalDue(now) && s.seals() && s.renewUnasked(", "\tif mutated && s.renewalDue(now) {\n\t\treturn true, s.renew(detached(ctx), withGrace)\n\t}\n\tif s.renewalDue(now) && s.seals() && s.renewUnasked("},
	}},
	{"a full store fails a page that changes something, once its renewal is due", "stored/due/incr+read", 1, "L4", []patch{
		{"commit.go", "\t\ts.event(ctx, StoreFailed, \"renew\", err) // next time", "\t\tif mutated {\n\t\t\treturn err\n\t\t}\n\t\ts.event(ctx, StoreFailed, \"renew\", err) // next time"},
	}},
	{"a CSRF token dies with a renewal", "stored/signed-in/renew+post", 0, "R37", []patch{
		{"csrf.go", "func (s *Session) csrfPlain() []byte {\n", "func (s *Session) csrfPlain() []byte {\n\tif mutated {\n\t\treturn s.rec.Key.ID[:]\n\t}\n"},
	}},
	{"sealed: a late change is committed to nothing", "sealed/signed-in/late-commit+read", 0, "L9", []patch{
		{"commit.go", "\t\tif s.m.sealed != nil { // the data travel with the token", "\t\tif !mutated && s.m.sealed != nil { // the data travel with the token"},
		{"header.go", "\t\tif s.standing.binds() && !s.told() {", "\t\tif !mutated && s.standing.binds() && !s.told() {"},
	}},
	{"sealed: a late sign-out ends nothing", "sealed/visitor/late-logout+read", 0, "L9", []patch{
		{"ends.go", "\t\tif s.stage > stageTold && s.m.sealed != nil &&", "\t\tif !mutated && s.stage > stageTold && s.m.sealed != nil &&"},
	}},
	{"a late commit writes into a header that has gone", "stored/signed-in/late-commit+renew", 0, "L9", []patch{
		{"header.go", "\tif s.stage > stageTold {", "\tif !mutated && s.stage > stageTold {"},
	}},
	{"a slow request loses its session to the idle limit", "stored/nearly-idle/incr-3min+read", 0, "L8", []patch{
		{"keepalive.go", "\tif s.rec.Idle == 0 || s.peek || s.w == nil {", "\tif mutated || s.rec.Idle == 0 || s.peek || s.w == nil {"},
	}},
	{"a page of another site replaces the browser's cookie", "stored/signed-in/cross-set+read", 0, "L2", []patch{
		{"life.go", "\tcase s.site != siteOwn:", "\tcase !mutated && s.site != siteOwn:"},
		{"header.go", "if s.standing.owes() && s.site == siteOwn {", "if s.standing.owes() && (mutated || s.site == siteOwn) {"},
	}},
	{"two sign-ins of one visitor both have its values", "stored/visitor/keep+take-keep", 0, "L7", []patch{
		{"login.go", "\tif values {\n", "\tif values && !mutated {\n"},
	}},
	{"a sign-in keeps a copy of values that have changed since", "stored/visitor/incr+keep", 0, "L7", []patch{
		{"login.go", "data := old.kept(l); !bytes.Equal(", "data := old.kept(l); !mutated && !bytes.Equal("},
	}},
	{"a revocation whose first answer was lost finds nothing", "stored/signed-in/admin-one+read", 1, "L6", []patch{
		{"admin.go", "\t\tif lost {\n\t\t\tdone.N = 1", "\t\tif !mutated && lost {\n\t\t\tdone.N = 1"},
	}},
	{"nothing was written, says the end of a session whose change was", "stored/signed-in/incr+admin", 1, "L7", []patch{
		{"commit.go", "\ts.turn(turnEnded)\n\tif errors.Is(err, ErrIndeterminate) {", "\ts.turn(turnEnded)\n\tif !mutated && errors.Is(err, ErrIndeterminate) {"},
	}},
	{"a sign-in's age is taken when the store is called", "stored/signed-in/ada+admin", 0, "L6", []patch{
		{"login.go", "\tago := s.began.ago()\n", "\tago := s.began.ago()\n\tif mutated {\n\t\tago = 0\n\t}\n"},
	}},
	{"a change that is lost after the first byte is lost without a word", "stored/nobody/late-incr+read", 0, "L9", []patch{
		{"handler.go", "\t\tif err := s.commit(v.Context); err != nil {", "\t\tif err := s.commit(v.Context); !mutated && err != nil {"},
	}},
	{"a page for shared caches has the session's cookie", "stored/signed-in/logout-commit-public+read", 0, "cache", []patch{
		{"header.go", "\tif s.stage == stageTold || s.form != nil", "\tif s.stage == stageTold && !mutated || s.form != nil"},
	}},
	{"three renewals in a row are followed", "stored/renewed-4/read+read", 0, "L7", []patch{
		{"load.go", "\tfor range maxHops + 1 {\n", "\tfor hop := range maxHops + 1 {\n\t\tif mutated && hop == 4 {\n\t\t\tbreak\n\t\t}\n"},
	}},
	{"a confirmation loses the session's values", "stored/signed-in/ada+read", 0, "L7", []patch{
		{"login.go", "\t\tif !l.atLevel {\n", "\t\tif mutated {\n\t\t\trec.Data = nil\n\t\t}\n\t\tif !l.atLevel {\n"},
	}},
}
