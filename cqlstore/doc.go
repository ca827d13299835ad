// Package cqlstore keeps sessions in Apache Cassandra, through the driver of that project. Package
// gocqlv1, a module of its own, does the same through the driver's older import path, which
// ScyllaDB's fork of it keeps; what both do stands in package cql.
//
//	session, err := gocql.NewCluster("10.0.0.1", "10.0.0.2", "10.0.0.3").CreateSession()
//	...
//	st, err := cqlstore.New(session, &cqlstore.Options{ReplicationFactor: 3})
//	...
//	err = st.Migrate(ctx) // or print st.Schema() and run it yourself
//
// A token-aware host policy saves a hop, and has all writers of a user meet at the same nodes:
//
//	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy("dc1"))
//
// The driver's own time-out (ClusterConfig.Timeout) should be no longer than the calls' contexts.
package cqlstore
