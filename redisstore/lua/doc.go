// Package lua is the store of redisstore and redisstore/goredis without their clients: the scripts
// in Lua that Redis runs, and what calls them. What it promises, and what the server must do,
// stands in package redisstore. A program imports this package only to bring another client: see
// [Driver].
//
// # Names of scripts
//
// Redis keeps a script under the SHA-1 of its text. This package asks a server for that name with
// the first use of each script, one trip more, and computes no SHA-1 itself, which FIPS 140-only
// mode refuses.
package lua
