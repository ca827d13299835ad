package cql

import "time"

// SetSpare shortens what cells are kept beyond their need, for tests that wait for their end.
func SetSpare(s *Store, d time.Duration) { s.e.spare = d.Milliseconds() }
