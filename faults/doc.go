// Package faults breaks real servers, and the connections to them, under load, and asserts what
// sessions promise all the same. It holds nothing but tests: package wire cuts connections, package
// law judges what stores acknowledged, package site what browsers were told. What came out stands
// in docs/faults.md.
package faults
