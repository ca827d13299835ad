// Package kvtest tests engines under package kvstore beyond what
// [github.com/sojourn-go/sojourn/store/storetest] can see: that what was acknowledged outlives the
// process and the power, and what the store costs beside its bare engine. It needs the standard
// library only.
//
// What takes an [Open] or a [Closer] takes any store in a directory, be its engine under package
// kvstore or not.
//
// # The law
//
// [Kill] and [PowerCut] let several workers change sessions at full speed. Each has users of its
// own and does one thing at a time, so the states that it goes through are a sequence, of which it
// notes what it begins and what was acknowledged. After the crash the database must show one of
// these states, whole: not before the last acknowledged one, not after the last begun one. Then
// every acknowledged sign-in, change and sign-out holds, each session is as before or as after, and
// no ended session lives.
package kvtest
