package store

// Durability says which writes of a store on this machine's disk are there when they return, and
// survive a power cut. All survive a crash of the process, if the store does not say otherwise.
type Durability int

// The settings. In all of them Rotate, Delete, Revoke, and Updates and Creates that end something,
// are on the disk when they return: a power cut revives no session and no token. Touches never
// wait.
const (
	// Durable: every write is on the disk when it returns, but Touch.
	Durable Durability = iota
	// Relaxed: Updates, and Creates of records without a user, do not wait for the disk. A power
	// cut loses what they wrote in the last seconds: changes of data, and visitors' sessions as a
	// whole. A user's sign-in stays.
	Relaxed
	// Loose: as Relaxed, and Creates of records with a user do not wait either. It is for programs
	// whose users are not signed in, but names of sessions.
	Loose
)
