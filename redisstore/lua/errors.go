package lua

import (
	"errors"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/driver"
)

// refusals are the codes with which Redis refuses a command before it has done anything. A script
// that comes upon one of them does so at its first write; but NOPERM is told of each command by
// itself, so a script may have written before.
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

// judge says what an error means, as far as it is known. After any other, a write may have been
// applied.
func judge(err error) error {
	if driver.Known(err) {
		return err
	}
	var unsent *NotSentError
	if errors.As(err, &unsent) {
		return driver.Fault(store.ErrUnavailable, "the server cannot be reached", err)
	}
	code := codeOf(err)
	if code == "" {
		return err
	}
	hint, class := meaning(code)
	if hint != "" {
		hint = ": " + hint
	}
	return driver.Fault(class, "redis says "+code+hint, err)
}

// meaning returns the sentinel for a code, or nil where nobody knows what became of the command.
func meaning(code string) (hint string, class error) {
	hint, refused := refusals[code]
	switch {
	case code == "NOPERM":
		return hint, nil
	case refused:
		return hint, store.ErrUnavailable
	case code == "OOM":
		return "used memory is above maxmemory", store.ErrFull
	case code == "WRONGTYPE":
		// Scripts read the index before they write, or do not mind what is there.
		return "a key of the prefix is not of this store", store.ErrCorrupt
	}
	return "Redis 7.0 or later is needed; see Store.Check", nil
}

var errAnswer = errors.New("redisstore: the answer is not of the script's form")

// codeOf returns the server's code, or "".
func codeOf(err error) string {
	var answer *ServerError
	if errors.As(err, &answer) {
		return answer.Code()
	}
	return ""
}
