package mysqlstore

import (
	"errors"
	"regexp"
	"time"
)

// Options tunes a [Store]. The zero Options is good.
type Options struct {
	// Conns is how many connections [Open] makes at most. Zero means 32. [New] refuses it: the
	// number is the caller's *sql.DB's.
	Conns int

	// Lanes is how many Gets are under way at once, each in a statement of its own, before those
	// that come wait and share the next one. Zero means 2. Below zero, none are shared.
	Lanes int

	// Table begins the names of the three tables, that of sessions being all of it: at most 40
	// letters, digits and underscores, the first no digit. Empty means "sojourn". Stores with other
	// names may lie in the same database.
	Table string

	// Wait is for how long a statement is sent again that others stand in the way of, unless its
	// context ends before. It fails with store.ErrUnavailable then. Zero means 30 s.
	Wait time.Duration
}

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,39}$`)

// complete fills in what is zero.
func (opts *Options) complete() (o Options, err error) {
	if opts != nil {
		o = *opts
	}
	if o.Table == "" {
		o.Table = "sojourn"
	}
	if o.Wait == 0 {
		o.Wait = 30 * time.Second
	}
	if !tableName.MatchString(o.Table) || o.Wait < 0 {
		return o, errors.New("mysqlstore: Options.Table is not a name of at most 40 letters, digits and underscores, or Wait is negative")
	}
	return o, nil
}
