package lua

import (
	"context"
	"time"
)

// Driver is the little that a [Store] needs of a Redis client, so that other clients than rueidis
// can be used: see module redisstore/goredis. Its methods are safe for concurrent use, follow the
// redirections of a cluster, and send a command to the master that has its keys. They do not send
// it a second time when its answer is lost.
//
// What the server answered in place of a result is an error of type [ServerError]. A command that
// surely was not sent is an error of type [NotSentError]. Any other error means that it may have
// been carried out.
type Driver interface {
	// Do sends one command and gives its answer, a string, or nil where the server answered null.
	// The bytes belong to the caller.
	Do(ctx context.Context, cmd Command) ([]byte, error)

	// DoWait sends a command, and in the same trip on the same connection a WAIT for so many
	// replicas. It also tells how many have acknowledged.
	DoWait(ctx context.Context, cmd Command, replicas int, timeout time.Duration) ([]byte, int, error)

	// Masters returns the nodes that together hold all keys.
	Masters(ctx context.Context) ([]Node, error)
}

// Cacher is a [Driver] with a cache on the client's side, which the server tells of changes.
type Cacher interface {
	Driver
	// Cached is GET of a key, at most ttl old from the time at which it was sent. The bytes must
	// not be changed.
	Cached(ctx context.Context, key string, ttl time.Duration) ([]byte, error)
}

// FailsOver is what a [Driver] may have besides: whether another server, with another clock, may
// take over, as with Sentinel and in a cluster. Then [Options].ClockSkew is not 0 by default.
type FailsOver interface{ FailsOver() bool }

// Command is a Redis command: Name Before… Keys… After….
type Command struct {
	// Name is the command, such as GET.
	Name string
	// Before, Keys and After are its arguments: any bytes. At least one key is there, and all lie
	// in one slot.
	Before, Keys, After []string
}

// Node is one master.
type Node interface {
	// Pipe sends commands in one trip and gives their answers in order: string, int64, nil, a slice
	// or map of such, or an error of type [ServerError]. Errors as in [Driver].
	Pipe(ctx context.Context, cmds ...[]string) ([]any, error)
}

// ServerError is an answer of the server that says why it did not do something.
type ServerError struct {
	// Text is what the server said; it begins with a code in capitals. It may quote arguments, so
	// no error of this package shows more than the code.
	Text string
}

// Error shows the code alone.
func (e *ServerError) Error() string { return "redis: " + e.Code() }

// Code is the first word of the text, or "ERR" if that is no code.
func (e *ServerError) Code() string {
	n := 0
	for n < len(e.Text) && 'A' <= e.Text[n] && e.Text[n] <= 'Z' {
		n++
	}
	if n == 0 || n < len(e.Text) && e.Text[n] != ' ' {
		return "ERR"
	}
	return e.Text[:n]
}

// NotSentError says that a command surely did not reach the server.
type NotSentError struct {
	// Cause is the client's error.
	Cause error
}

// Error says nothing of the cause, which may quote addresses or arguments.
func (e *NotSentError) Error() string { return "redis: not sent" }

// Unwrap returns the cause.
func (e *NotSentError) Unwrap() error { return e.Cause }
