package cql

import (
	"context"
	"fmt"
	"time"
)

// closeLimit is how long [Close] waits. A session that can be closed takes milliseconds.
const closeLimit = 10 * time.Second

// Close closes a driver's session and waits for that, but no longer than 10 s: the Close of
// apache's driver (seen with v2.1.2) and of gocql (v1.7.0), which has the same code, may wait for
// ever for a control connection that is being made again. What is left behind then is one goroutine
// and what the session still holds, until the program ends. Errors: [context.DeadlineExceeded].
func Close(session interface{ Close() }) error {
	closed := make(chan struct{})
	go func() {
		session.Close()
		close(closed)
	}()
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-closed:
		return nil
	case <-limit.C:
		return fmt.Errorf("cqlstore: close: the driver has not closed its session within %v, and is left to itself: %w", closeLimit, context.DeadlineExceeded)
	}
}
