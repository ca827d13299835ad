package lua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sojourn-go/sojourn/store"
)

// Check asks each master whether it is fit to hold sessions, and returns in plain words what it
// could lose. It changes nothing. Call it when the program starts, and show the warnings to
// somebody; New does not. Errors: store.ErrUnavailable if a master cannot be asked;
// [errors.ErrUnsupported] if one is older than Redis 7.0.
func (s *Store) Check(ctx context.Context) (warnings []string, err error) {
	if err = store.FromContext(ctx); err == nil {
		warnings, err = s.e.check(ctx)
	}
	return warnings, s.Fail("check", err)
}

func (e *engine) check(ctx context.Context) (warnings []string, err error) {
	nodes, err := e.client.Masters(ctx)
	if err != nil {
		return nil, judge(err)
	}
	for _, n := range nodes {
		answers, err := n.Pipe(ctx, []string{"INFO"}, []string{"CONFIG", "GET", "appendfsync"})
		if err != nil {
			return nil, judge(err)
		}
		text, ok := answers[0].(string)
		if e, refused := answers[0].(*ServerError); refused {
			return nil, judge(e)
		} else if !ok {
			return nil, errAnswer
		}
		info := parseInfo(text)
		if v := info["redis_version"]; v != "" && major(v) < 7 {
			return nil, fmt.Errorf("%w: Redis %s, 7.0 or later is needed", errors.ErrUnsupported, v)
		}
		warnings = append(warnings, judgeInfo(info, setting(answers[1]), e.opts.WaitReplicas)...)
	}
	slices.Sort(warnings)
	return slices.Compact(warnings), nil // masters mostly have the same
}

// judgeInfo returns what a server with that INFO could lose. fsync is empty where the server does
// not tell.
func judgeInfo(info map[string]string, fsync string, wait int) (warnings []string) {
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	if p := info["maxmemory_policy"]; p != "noeviction" {
		warn("maxmemory-policy is %q, not noeviction: when memory is full, sessions are dropped, and revocations may miss some", p)
	}
	switch {
	case info["aof_enabled"] == "0":
		warn("appendonly is off: a restart forgets what came after the last snapshot, and ended sessions of that time are live again")
	case fsync != "" && fsync != "always":
		warn("appendfsync is %s: a power cut may forget about the last second, and ended sessions of it are live again", fsync)
	}
	if replicas, err := strconv.Atoi(info["connected_slaves"]); err == nil {
		switch {
		case replicas < wait:
			warn("%d replicas are connected, and WaitReplicas asks for %d: every end will be reported as unknown", replicas, wait)
		case replicas > 0 && wait == 0:
			warn("WaitReplicas is 0: a fail-over may bring back a session that was ended just before")
		}
	}
	return warnings
}

// setting reads the answer to CONFIG GET of one name, in either protocol. Many hosted servers
// refuse it.
func setting(answer any) string {
	switch a := answer.(type) {
	case map[string]any:
		for _, v := range a {
			text, _ := v.(string)
			return text
		}
	case map[any]any:
		for _, v := range a {
			text, _ := v.(string)
			return text
		}
	case []any:
		if len(a) == 2 {
			text, _ := a[1].(string)
			return text
		}
	}
	return ""
}

// parseInfo reads lines of the form name:value.
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func major(version string) int {
	text, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 7 // not for us to judge
	}
	return n
}
