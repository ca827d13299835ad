package redisstore

import (
	"errors"
	"net"
	"testing"

	"github.com/sojourn-go/sojourn/redisstore/lua"
)

// A connection that was not made has sent nothing.
func TestDialErrors(t *testing.T) {
	var unsent *lua.NotSentError
	if err := rueidisError(&net.OpError{Op: "dial", Err: errors.New("connection refused")}); !errors.As(err, &unsent) {
		t.Errorf("dial: %v", err)
	}
	if err := rueidisError(&net.OpError{Op: "read", Err: errors.New("connection reset")}); errors.As(err, &unsent) {
		t.Errorf("read: %v", err)
	}
}
