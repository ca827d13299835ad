package redisstore

import (
	"errors"
	"fmt"

	"github.com/sojourn-go/sojourn/store"
)

// fault is an outcome that the client or the server caused. It shows its class and the server's code and not their
// text, which may quote values; the cause can be had through [errors.As].
type fault struct {
	class error // of package store
	code  string
	hint  string
	cause error
}

func (f *fault) Error() string {
	s := f.class.Error()
	if f.code != "" {
		s += ": redis says " + f.code
	}
	if f.hint != "" {
		s += ": " + f.hint
	}
	return s
}

func (f *fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.class}
	}
	return []error{f.class, f.cause}
}

// Format prints Error for every verb.
func (f *fault) Format(s fmt.State, _ rune) { fmt.Fprint(s, f.Error()) }

// refusals are the codes with which Redis refuses a command before it has done anything. A script that comes upon one of
// them does so at its first write; but NOPERM is told of each command by itself, so a script may have written before.
var refusals = map[string]string{
	"ASK":         "a slot of the cluster is moving",
	"BUSY":        "a script runs too long",
	"CLUSTERDOWN": "a part of the cluster is down",
	"CROSSSLOT":   "",
	"LOADING":     "the server is starting",
	"MASTERDOWN":  "the replica has lost its master",
	"MISCONF":     "the server cannot save to its disk",
	"MOVED":       "a slot of the cluster has moved",
	"NOAUTH":      "the client did not authenticate",
	"NOPERM":      "the user lacks a permission: EVALSHA, EVAL, and on the keys of the prefix what the scripts do",
	"NOREPLICAS":  "fewer replicas than min-replicas-to-write",
	"READONLY":    "this is a replica",
	"TRYAGAIN":    "a slot of the cluster is moving",
	"WRONGPASS":   "",
}

// passing are the refusals that may be over in a moment.
var passing = map[string]bool{
	"ASK": true, "BUSY": true, "CLUSTERDOWN": true, "LOADING": true, "MASTERDOWN": true, "MOVED": true, "READONLY": true, "TRYAGAIN": true,
}

// judge classes what a driver said of a command. After an error that is not known, a write may have been applied.
func judge(err error, write bool) error {
	var known *fault
	if errors.As(err, &known) {
		return err
	}
	f := &fault{class: store.ErrUnavailable, cause: err}
	if write {
		f.class = store.ErrIndeterminate
	}
	var answer *ServerError
	var unsent *NotSentError
	switch {
	case errors.As(err, &answer):
		f.code = answer.Code()
		hint, refused := refusals[f.code]
		switch {
		case refused:
			f.hint = hint
			if f.code != "NOPERM" {
				f.class = store.ErrUnavailable
			}
		case f.code == "OOM":
			f.class, f.hint = store.ErrFull, "used memory is above maxmemory"
		case f.code == "WRONGTYPE":
			// Scripts read the index before they write, or do not mind what is there.
			f.class, f.hint = store.ErrCorrupt, "a key of the prefix is not of this store"
		default:
			f.hint = "Redis 7.0 or later is needed; see Store.Check"
		}
	case errors.As(err, &unsent):
		f.class = store.ErrUnavailable
	}
	return f
}

var errAnswer = errors.New("redisstore: an answer that no script gives")

// codeOf gives the server's code, or "".
func codeOf(err error) string {
	var answer *ServerError
	if errors.As(err, &answer) {
		return answer.Code()
	}
	return ""
}

func fail(op string, err error) error { return fmt.Errorf("redisstore: %s: %w", op, err) }
