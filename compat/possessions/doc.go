// Package possessions is the API of the older library of that name, name for name, over the core and its stores. It is for programs that
// move; new ones use package sojourn, which can do more: users, sign-in, revocation.
package possessions
