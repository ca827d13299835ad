// Package servers brings up the real servers that the tests of this repository need, and takes them
// down: Redis, a Redis Cluster, a Sentinel trio, Valkey, PostgreSQL, PgBouncer, MySQL, MariaDB,
// Cassandra; and the reverse proxies nginx, HAProxy and Caddy. Each runs on loopback, on a port or
// an address of its own, with its data in a temporary folder, and dies with the process that
// started it. The programs come from the machine or from the cache that the command servers fills
// ("servers install").
//
// Every constructor returns when the server has answered a real request, or fails with the tail of
// its log. A [Server] is one process; tests of faults kill it, pause it and start it again. A
// [Cluster] is several. Close takes either down and removes its data.
//
// The package is for tests: every server lets everybody in. It needs Linux.
package servers
