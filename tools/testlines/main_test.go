package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// events is a stream as go test -json writes it.
func events(lines ...event) string {
	var b strings.Builder
	for _, e := range lines {
		line, _ := json.Marshal(e)
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func TestShow(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"passed tests are quiet", events(
			event{"output", "p", "", "-test.shuffle 1\n"},
			event{"output", "p", "TestA", "=== RUN   TestA\n"},
			event{"output", "p", "TestA", "    a_test.go:1: logged\n"},
			event{"output", "p", "TestA", "--- PASS: TestA (0.00s)\n"},
			event{"pass", "p", "TestA", ""},
			event{"output", "p", "", "PASS\n"},
			event{"output", "p", "", "ok  \tp\t0.1s\n"},
			event{"pass", "p", "", ""},
		), "ok  \tp\t0.1s\n"},
		{"what tests count is shown", events(
			event{"output", "p", "TestA", "    a_test.go:1: counted: 7 schedules\n"},
			event{"output", "p", "TestA", "--- PASS: TestA (0.00s)\n"},
			event{"pass", "p", "TestA", ""},
			event{"output", "p", "", "ok  \tp\t0.1s\n"},
			event{"pass", "p", "", ""},
		), "    a_test.go:1: counted: 7 schedules\nok  \tp\t0.1s\n"},
		{"skipped tests are loud", events(
			event{"output", "p", "TestA/x", "    a_test.go:1: REDIS is not set\n"},
			event{"output", "p", "TestA/x", "    --- SKIP: TestA/x (0.00s)\n"},
			event{"skip", "p", "TestA/x", ""},
			event{"output", "p", "TestA", "--- PASS: TestA (0.00s)\n"},
			event{"pass", "p", "TestA", ""},
			event{"output", "p", "", "ok  \tp\t0.1s\n"},
			event{"pass", "p", "", ""},
		), "    a_test.go:1: REDIS is not set\n    --- SKIP: TestA/x (0.00s)\nok  \tp\t0.1s\n"},
		{"failed tests tell all", events(
			event{"output", "p", "", "-test.shuffle 1\n"},
			event{"output", "p", "TestA", "quiet\n"},
			event{"pass", "p", "TestA", ""},
			event{"output", "p", "TestB", "why\n"},
			event{"output", "p", "TestB", "--- FAIL: TestB (0.00s)\n"},
			event{"fail", "p", "TestB", ""},
			event{"output", "p", "TestC", "was running\n"},
			event{"output", "p", "", "FAIL\tp\t0.1s\n"},
			event{"fail", "p", "", ""},
		), "-test.shuffle 1\nwhy\n--- FAIL: TestB (0.00s)\nwas running\nFAIL\tp\t0.1s\n"},
		{"build errors", events(
			event{"build-output", "", "", "# p\n"},
			event{"build-output", "", "", "x.go:1: undefined\n"},
			event{"output", "p", "", "FAIL\tp [build failed]\n"},
			event{"fail", "p", "", ""},
		), "# p\nx.go:1: undefined\nFAIL\tp [build failed]\n"},
		{"no test files", events(
			event{"output", "p", "", "?   \tp\t[no test files]\n"},
			event{"skip", "p", "", ""},
		), "?   \tp\t[no test files]\n"},
		{"packages do not mix", events(
			event{"output", "p", "TestA", "of p\n"},
			event{"output", "q", "TestA", "of q\n"},
			event{"fail", "p", "TestA", ""},
			event{"pass", "q", "TestA", ""},
			event{"fail", "p", "", ""},
			event{"pass", "q", "", ""},
		), "of p\n"},
		{"other lines pass through", "{ not JSON\n== module\n", "{ not JSON\n== module\n"},
		{"a stream that breaks off", events(event{"output", "p", "TestA", "last words\n"}) + "signal: killed", "signal: killedlast words\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			if err := show(&out, strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			if out.String() != c.want {
				t.Errorf("printed\n%s\nwant\n%s", out.String(), c.want)
			}
		})
	}
}
