package explore

// mistakes are defects that a change of the core could bring.
var mistakes = []mutant{
	{"changes are not done again on the newest record", "stored/visitor/incr+incr", 0, "L7", []patch{
		{"commit.go", "\t\treturn err\n\t}\n\treturn s.replay()\n}\n\n// catchUp", "\t\treturn err\n\t}\n\tif mutated {\n\t\ts.resetView()\n\t\treturn nil\n\t}\n\treturn s.replay()\n}\n\n// catchUp"},
	}},
	{"an act gives up where another request was faster", "stored/visitor/incr+set", 0, "L7", []patch{
		{"commit.go", "\t\tcase !startsAgain(err, i),", "\t\tcase mutated, !startsAgain(err, i),"},
	}},
	{"a renewal takes whatever stands at its key for its own record", "stored/due/read+ada", 1, "L2", []patch{
		{"renewal.go", "\tcase err == nil && at.Writer == rec.Writer:", "\tcase err == nil && (mutated || at.Writer == rec.Writer):"},
	}},
	{"a renewal that was overtaken writes its old view", "stored/visitor/incr+renew-incr", 1, "L7", []patch{
		{"commit.go", "ErrIndeterminate) // what went with the step was written\n\t}\n", "ErrIndeterminate) // what went with the step was written\n\t}\n\tif mutated {\n\t\treturn nil\n\t}\n"},
	}},
	{"a mark at the old key does not say that the end was written", "stored/nobody/bob-logout+read", 2, "L2", []patch{
		{"renewal.go", "\tif ours && lifeless(rec) {", "\tif !mutated && ours && lifeless(rec) {"},
	}},
	{"a renewal leads nowhere", "stored/due/read+incr", 0, "L7", []patch{
		{"renewal.go", "\treturn s.m.successor(s.ticket(), nonce[:]), tail", "\tif mutated {\n\t\ttail = s.mark(markReplaced)\n\t}\n\treturn s.m.successor(s.ticket(), nonce[:]), tail"},
	}},
	{"an old token leads on for as long as its tail lives", "stored/renewed-late/read+incr-3min", 0, "L6", []patch{
		{"load.go", "\tcase arrived.After(innocent):", "\tcase !mutated && arrived.After(innocent):"},
	}},
	{"a confirmation leaves the token before it alive", "stored/signed-in/ada+read", 0, "L6", []patch{
		{"login.go", "\t\treturn s.rotate(ctx, rec, mt, atOnce)", "\t\treturn s.rotate(ctx, rec, mt, map[bool]grace{true: withGrace}[mutated])"},
	}},
	{"a confirmation that comes after another one begins anew", "stored/signed-in/ada+ada", 0, "L7", []patch{
		{"login.go", "case s.past.reissued() && s.past.user == user,", "case !mutated && s.past.reissued() && s.past.user == user,"},
	}},
	{"a confirmed token is taken for nobody else's", "stored/renewed-late/ada-commit-3min+bob", 0, "L3", []patch{
		{"life.go", "{ return s >= moved && s < issued }", "{ return s >= moved && s < issued && !(mutated && s == reissued) }"},
	}},
	{"what an explicit Commit has told is not looked at again", "stored/renewed-late/renew-commit-3min+ada", 0, "L3", []patch{
		{"header.go", "\tif s.w == nil {\n\t\ts.turn(turnTold)", "\tif mutated || s.w == nil {\n\t\ts.turn(turnTold)"},
	}},
	{"a dead token stays in the header that an explicit Commit has filled", "stored/renewed-late/renew-commit-3min+ada", 0, "L2", []patch{
		{"header.go", "\tif s.stage != stageTold || s.w == nil", "\tif mutated || s.stage != stageTold || s.w == nil"},
	}},
	{"sealed: a late sign-out forgets the mark that it has met", "sealed/nearly-idle/late-logout+renew-commit-3min", 1, "L6", []patch{
		{"sealed.go", "\t\terr = store.ErrConflict // reading", "\t\terr = store.ErrConflict\n\t\tif mutated {\n\t\t\terr = store.ErrNotFound\n\t\t}\n\t\t// reading"},
	}},
	{"RevokeOthers leaves the token before it alive", "stored/signed-in/others+read", 0, "L6", []patch{
		{"ends.go", "s.renew(ctx, atOnce)", "s.renew(ctx, map[bool]grace{true: withGrace}[mutated])"},
	}},
	{"a sign-out takes a confirmation for the end", "stored/signed-in/logout+ada", 0, "L6", []patch{
		{"ends.go", "\tcase err == nil, rec.User == \"\" && errors.Is(err, ErrEnded):", "\tcase err == nil, (mutated || rec.User == \"\") && errors.Is(err, ErrEnded):"},
	}},
	{"a sign-out takes the mark of a confirmation for the end", "stored/signed-in/logout+ada", 0, "L6", []patch{
		{"ends.go", "\tcase s.past.reissued():", "\tcase !mutated && s.past.reissued():"},
	}},
	{"a sign-out of what was revoked leaves the cookie", "stored/signed-in/logout+admin", 0, "L3", []patch{
		{"ends.go", "\tcase s.standing == ended && s.past.isMark():", "\tcase s.standing == ended && (mutated || s.past.isMark()):"},
	}},
	{"an end leaves no mark", "stored/signed-in/set+bob", 0, "L2", []patch{
		{"ends.go", "\terr := s.move(ctx, s.rec.Key, corpse, s.mark(mark))", "\ttail := s.mark(mark)\n\tif mutated {\n\t\ttail = nil\n\t}\n\terr := s.move(ctx, s.rec.Key, corpse, tail)"},
	}},
	{"a visitor's session begins in the place of one that has ended", "stored/signed-in/set+bob", 0, "L2", []patch{
		{"commit.go", "\tif s.standing == ended {", "\tif !mutated && s.standing == ended {"},
	}},
	{"a damaged record counts as a live one", "stored/visitor/ada+renew", 1, "L2", []patch{
		{"damage.go", "\treturn gone, nil\n", "\tif mutated {\n\t\treturn liveHere, nil\n\t}\n\treturn gone, nil\n"},
	}},
	{"a token is sent that is known to have been renewed", "stored/visitor/renew+renew", 1, "L2", []patch{
		{"commit.go", "\t\tif s.past != nil && s.standing.shared() {", "\t\tif !mutated && s.past != nil && s.standing.shared() {"},
	}},
	{"the error page has a renewed token that was not looked at again", "stored/renewed-late/renew-incr-12min+ada", 1, "L3", []patch{
		{"handler.go", "\tif s.standing.binds() && s.contested() {", "\tif !mutated && s.standing.binds() && s.contested() {"},
	}},
	{"a sign-in that fails leaves its record", "stored/visitor/ada+read", 1, "L3", []patch{
		{"login.go", "\t\t\ts.erase(ctx, made)\n\t\t\ts.restore(before)", "\t\t\tif !mutated {\n\t\t\t\ts.erase(ctx, made)\n\t\t\t}\n\t\t\ts.restore(before)"},
	}},
	{"a record whose making was never acknowledged stays", "stored/nobody/ada+read", 1, "L3", []patch{
		{"commit.go", "\t\tif errors.Is(err, ErrIndeterminate) {\n\t\t\ts.erase(", "\t\tif !mutated && errors.Is(err, ErrIndeterminate) {\n\t\t\ts.erase("},
	}},
	{"a panic page has no token", "stored/signed-in/bob-panic+read", 0, "L3", []patch{
		{"handler.go", "\t\t} else {\n\t\t\ts.pay(", "\t\t} else if !mutated {\n\t\t\ts.pay("},
	}},
	{"an aborted sign-in lives on", "stored/nobody/bob-abort+read", 0, "L3", []patch{
		{"handler.go", "\t\tif errors.Is(err, http.ErrAbortHandler) {", "\t\tif !mutated && errors.Is(err, http.ErrAbortHandler) {"},
	}},
	{"sealed: an aborted renewal lives on", "sealed/signed-in/renew-abort+read", 0, "L3", []patch{
		{"renewal.go", "\tcase !leads:\n\t\ts.turn(turnReissued)", "\tcase !leads && !(mutated && g == withGrace):\n\t\ts.turn(turnReissued)"},
	}},
	{"an outage is taken for nobody", "stored/signed-in/read+read", 1, "P4", []patch{
		{"load.go", "\tif err != nil {\n\t\ts.event(ctx, StoreFailed, \"load\", err)", "\tif mutated {\n\t\terr = nil\n\t}\n\tif err != nil {\n\t\ts.event(ctx, StoreFailed, \"load\", err)"},
	}},
	{"a page tells of a commit that has failed as of one that did not", "stored/signed-in/incr+read", 1, "L7", []patch{
		{"handler.go", "\terr := s.commit(v.Context)\n\tif err == nil {", "\terr := s.commit(v.Context)\n\tif mutated {\n\t\terr = nil\n\t}\n\tif err == nil {"},
	}},
}
