package mysqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/ticks"
)

// The statements, one file each, for a table named sojourn. A name after a colon is a value; :keys
// and :tags are lists of them. A name in braces stands for what words says of it.
//
// A statement that changes something tells what it found by LAST_INSERT_ID(n), whose n comes back
// with its answer: one of the outcomes below, or 0 if there was no row (or guard) to look at. It is
// not the number of affected rows that tells, for what that counts depends on the connection.
// MariaDB evaluates such a condition for a row that is not there, too, with NULL for its columns:
// that must give 0.
//
// Assignments read no column that was assigned before them: whether they would see the old or the
// new value depends on the server. Bytes in a list of columns are CAST(... AS BINARY), or a
// temporary table would have the connection's character set.
//
//go:embed sql/*.sql
var files embed.FS

// Outcomes, as statements tell them. They are part of no format.
const (
	toldNothing = iota
	toldDone
	toldBefore // it was applied before, or need not be
	toldGone
	toldChanged // since: a conflict
	toldUser
	toldExists
	toldRevoked
	toldLimit
	toldLifeless
)

// outcomes are what callers are told.
var outcomes = map[int64]error{
	toldDone: nil, toldBefore: nil, toldLifeless: nil, toldNothing: store.ErrNotFound, toldGone: store.ErrNotFound,
	toldChanged: store.ErrConflict, toldExists: store.ErrExists, toldRevoked: store.ErrRevoked, toldLimit: store.ErrLimit,
	toldUser: fmt.Errorf("%w: a rotation keeps the user", store.ErrInvalid),
}

// slot is how many µs the sweep files together. A touch leaves a row where it is filed, so that it
// costs no index, and the sweep files it anew when it comes by.
const slot = 1 << 26

// words are what names in braces stand for. clock packs two instants into an outcome; see
// toldClock.
var words = strings.NewReplacer(
	"{clock}", fmt.Sprintf("(LEAST(GREATEST({now} - :base + %d, 0), %d) << 34) | (LEAST(GREATEST({now} - g.revoked + %d, 0), %d) << 4)", clockHalf, clockMost, revokedAhead, revokedMost),
	"{end}", "LEAST(GREATEST(seen, LEAST(:seen, {now})) + :idle_limit, created + :life_limit, {never})",
	"{never}", strconv.FormatInt(ticks.Never, 10), "{slot}", strconv.Itoa(slot),
	"{done}", strconv.Itoa(toldDone), "{before}", strconv.Itoa(toldBefore), "{gone}", strconv.Itoa(toldGone),
	"{changed}", strconv.Itoa(toldChanged), "{user}", strconv.Itoa(toldUser), "{exists}", strconv.Itoa(toldExists),
	"{revoked}", strconv.Itoa(toldRevoked), "{limit}", strconv.Itoa(toldLimit), "{lifeless}", strconv.Itoa(toldLifeless))

// serverNow is the server's clock, which stands still within a statement.
const serverNow = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"

var (
	comment = regexp.MustCompile(`(?m)\s*--.*$`)
	ownName = regexp.MustCompile(`\bsojourn`)
	value   = regexp.MustCompile(`:[a-z_]+`)
)

// text returns a statement for a table: that of a file of that name.
func text(name, table string) string {
	b, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // they are in the program
	}
	t := comment.ReplaceAllString(string(b), "")
	t = strings.ReplaceAll(words.Replace(words.Replace(t)), "{now}", serverNow)
	return strings.TrimSpace(ownName.ReplaceAllLiteralString(t, table))
}

// guardless makes a statement that needs a user's guard one for records of nobody, or for when the
// guard is held already.
func guardless(text, table string) string {
	return strings.Replace(text, table+"_guards g", "(SELECT CAST(:tag AS BINARY) tag, 0 turn, 0 revoked) g", 1)
}

// statement is prepared at its first use; database/sql prepares it once for each connection.
type statement struct {
	db    *sql.DB
	text  string
	names []string // of the values that it takes
	stmt  atomic.Pointer[sql.Stmt]
}

// newStatement reads the names in a text. Lists have n elements.
func newStatement(db *sql.DB, text string, n int) *statement {
	s := &statement{db: db}
	s.text = value.ReplaceAllStringFunc(text, func(name string) string {
		s.names = append(s.names, name[1:])
		switch name {
		case ":keys":
			return strings.TrimSuffix(strings.Repeat("(?, ?), ", n), ", ")
		case ":tags":
			return strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
		}
		return "?"
	})
	return s
}

// values are what a statement is given, by name.
type values map[string]any

// args returns the values in the order of the statement.
func (s *statement) args(v values) []any {
	args := make([]any, 0, len(s.names))
	for _, name := range s.names {
		switch x := v[name].(type) {
		case []store.Key:
			for i := range x {
				args = append(args, x[i].Tag[:], x[i].ID[:])
			}
		case []store.Tag:
			for i := range x {
				args = append(args, x[i][:])
			}
		case nil:
			panic("mysqlstore: a statement without its " + name)
		default:
			args = append(args, x)
		}
	}
	return args
}

func (s *statement) prepare(ctx context.Context) (*sql.Stmt, error) {
	if st := s.stmt.Load(); st != nil {
		return st, nil
	}
	st, err := s.db.PrepareContext(ctx, s.text)
	if err != nil {
		return nil, err
	}
	if !s.stmt.CompareAndSwap(nil, st) {
		st.Close()
		st = s.stmt.Load()
	}
	return st, nil
}
