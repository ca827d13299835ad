package mysqlstore

import "time"

// SetAhead has a store take the server's clock for so far ahead of the machine's.
func SetAhead(s *Store, d time.Duration) { s.e.clock.ahead.Store(d.Microseconds()) }
