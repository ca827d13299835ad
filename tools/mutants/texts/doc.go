// Package texts makes mutants of the texts that the stores send to their engines, Lua, SQL and CQL,
// and runs the stores' tests against them on real servers. A mutant differs in one place: a
// condition that always holds, a comparison with another edge, a column that is not set, a time to
// live that is not given. One that no test notices shows a rule that nobody watches.
//
// Places are found by a lexer, not by a parser: [List] reads Lua files, SQL files, and the string
// literals of Go files. [Run] lays a mutant over the tree with go's -overlay, which works for
// embedded files as well, so no file is ever changed.
//
// Mutants that mean the same as the original are listed, each with a reason, in known.txt.
package texts
