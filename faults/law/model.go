package law

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sojourn-go/sojourn/store"
)

// op is what an act asks for.
type op int

const (
	create op = iota
	get
	update
	touch
	rotate
	remove // the record at a key
	end    // the session, whatever its key
)

func (o op) String() string {
	return [...]string{"create", "get", "update", "touch", "rotate", "delete", "end"}[o]
}

// outcome is how an act was answered.
type outcome int

const (
	applied outcome = iota
	notFound
	conflict
	refused // surely not applied, for a reason that the model does not follow
	unavailable
	indeterminate
	wrong
	exists
	limit
	revoked
	full
	invalid
	corrupt
)

var sentinels = map[outcome]error{
	notFound: store.ErrNotFound, conflict: store.ErrConflict, exists: store.ErrExists, limit: store.ErrLimit,
	revoked: store.ErrRevoked, full: store.ErrFull, invalid: store.ErrInvalid, corrupt: store.ErrCorrupt,
	unavailable: store.ErrUnavailable, indeterminate: store.ErrIndeterminate,
}

func (o outcome) String() string {
	switch o {
	case applied:
		return "applied"
	case refused:
		return "refused"
	case wrong:
		return "wrong"
	}
	return sentinels[o].Error()
}

type input struct {
	op        op
	key, next store.ID
	version   uint64 // expected
	writer    store.Writer
}

type output struct {
	outcome outcome
	version uint64 // read
	writer  store.Writer
}

// state is a session, as the contract has it.
type state struct {
	phase   phase
	key     store.ID
	version uint64
	writer  store.Writer
}

type phase int

const (
	unborn phase = iota
	alive
	ended
)

// step returns the states that may follow, none if the answer cannot be.
func (l *Log) step(s state, in input, out output) []state {
	at := s.phase == alive && s.key == in.key
	switch out.outcome {
	case applied:
		if in.op == get || in.op == touch {
			return l.looked(s, in, out, at)
		}
		if next, ok := s.apply(in, at); ok {
			return []state{next}
		}
		return nil
	case indeterminate:
		if next, ok := s.apply(in, at); ok && next != s {
			return []state{s, next}
		}
		return []state{s}
	case notFound:
		if at && in.op != create {
			return nil
		}
	case conflict:
		if (!at || s.version == in.version) && !l.tailed[in.key] {
			return nil
		}
	}
	return []state{s} // the rest was surely not applied
}

// looked is for acts that change nothing that the model knows.
func (l *Log) looked(s state, in input, out output, at bool) []state {
	switch {
	case in.op == touch && (at || l.tailed[in.key]):
	case in.op == get && at && s.version == out.version && s.writer == out.writer:
	default:
		return nil
	}
	return []state{s}
}

// apply carries out a write, or says that it cannot be.
func (s state) apply(in input, at bool) (state, bool) {
	switch in.op {
	case create:
		if s.phase == alive && s.key == in.key && s.version == 1 && s.writer == in.writer {
			return s, true // sent twice
		}
		return state{alive, in.key, 1, in.writer}, s.phase == unborn
	case update:
		if at && s.version == in.version+1 && s.writer == in.writer {
			return s, true
		}
		return state{alive, in.key, in.version + 1, in.writer}, at && s.version == in.version
	case rotate:
		if s.phase == alive && s.key == in.next && s.version == in.version+1 && s.writer == in.writer {
			return s, true
		}
		return state{alive, in.next, in.version + 1, in.writer}, at && s.version == in.version
	case remove:
		if !at {
			return s, true
		}
	}
	if s.phase == unborn {
		return s, true // an end does not hinder a creation that comes after it
	}
	return state{phase: ended}, true
}

// explain looks for an order of a session's acts that the contract allows.
func (l *Log) explain(h *history, limit time.Duration) porcupine.CheckResult {
	nd := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, in, out any) (next []any) {
			for _, n := range l.step(s.(state), in.(input), out.(output)) {
				next = append(next, n)
			}
			return next
		},
	}
	return porcupine.CheckOperationsTimeout(nd.ToModel(), h.ops, limit)
}

// describe tells a history in words that hold no key, user or data.
func (h *history) describe(most int) string {
	names := map[store.ID]int{}
	for i, id := range h.ids {
		names[id] = i
	}
	text := ""
	for i, o := range h.ops {
		if i < len(h.ops)-most {
			continue
		}
		in, out := o.Input.(input), o.Output.(output)
		text += fmt.Sprintf("\n  %v..%v %v key %d if %d by %x: %v (version %d by %x)", ms(o.Call), ms(o.Return), in.op, names[in.key], in.version, in.writer[:2], out.outcome, out.version, out.writer[:2])
	}
	return text
}

func ms(t int64) string {
	if t == never {
		return "never"
	}
	return time.Duration(t).Round(10 * time.Microsecond).String()
}
