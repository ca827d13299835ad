package cqlstore

import (
	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/sojourn-go/sojourn/cqlstore/cql"
)

// DriverOf returns what New puts under a store, for tests that stand between.
func DriverOf(session *gocql.Session) cql.Driver { return driver{session} }
