// Package cqlstore keeps sessions in Apache Cassandra, through the driver of that project. Package
// gocqlv1, a module of its own, does the same through the driver's older import path, which
// ScyllaDB's fork of it keeps; what both do stands in package cql.
//
//	st, err := cqlstore.Open("cassandra://10.0.0.1,10.0.0.2,10.0.0.3/sojourn?replicas=3", nil)
//	...
//	defer st.Close()
//	err = st.Migrate(ctx) // or print st.Schema() and run it yourself
//
// A program that has a session already gives it to [New]. A token-aware host policy saves a hop,
// and has all writers of a user meet at the same nodes:
//
//	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy("dc1"))
//
// Close such a session by [Close]: the driver's own may wait for ever while it connects anew, and
// then a program does not end. The store that [Open] made does so itself.
//
// The driver's own time-out (ClusterConfig.Timeout) should be no longer than the calls' contexts.
package cqlstore
