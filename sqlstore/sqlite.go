package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// SQLite is the dialect of SQLite 3.35 or later, in WAL mode, of which Migrate takes care. See
// the package comment for what its connections must be told.
func SQLite() *Dialect {
	return &Dialect{
		name:   "SQLite",
		schema: sqliteSchema,
		engine: func(s *shared) engine {
			l := newLocked(s, sqliteTexts(s.opts.Table), sqliteColumns{})
			l.room = l.sqliteRoom
			return &sqlite{l}
		},
		class:  sqliteClass,
		commit: sqliteCommit,
	}
}

// sqlite does everything in the locked form: there is no trip to save.
type sqlite struct{ *locked }

// sqliteSchema has columns of their own for what SQL selects by or somebody may look for. The rest is packed
// into head: twelve columns would double the cost of a read. Rows are clustered by
// user. Data comes last, so that neither lists nor the sweep read its pages.
func sqliteSchema(table string) []string {
	return strings.Split(strings.NewReplacer("%", table).Replace(`PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS % (
  tag  BLOB NOT NULL,    -- 16 bytes: hash of the user id
  id   BLOB NOT NULL,    -- 32 bytes: hash of the client's secret
  usr  BLOB,             -- user id, any bytes
  exp  INTEGER NOT NULL, -- end of its life, in microseconds since 1970
  slot INTEGER NOT NULL, -- when to look whether it expired: at exp or before, in units of 2^26 microseconds
  head BLOB NOT NULL,    -- version, writer, handle, created, seen, idle, lifetime, checksums
  meta BLOB,
  data BLOB,
  PRIMARY KEY (tag, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS %_slot ON % (slot);
CREATE TABLE IF NOT EXISTS %_guards (
  tag     BLOB NOT NULL PRIMARY KEY,
  revoked INTEGER NOT NULL, -- last revocation of all of a user's sessions, kept for 16 minutes
  sum     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS %_revoked ON %_guards (revoked);
CREATE TABLE IF NOT EXISTS %_clock (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  at  INTEGER NOT NULL, -- the last instant that was written: no process starts behind it
  sum INTEGER NOT NULL
);
INSERT OR IGNORE INTO %_clock (one, at, sum) VALUES (1, 0, 0)`), ";\n")
}

func sqliteTexts(table string) texts {
	in := func(text string) string { return strings.ReplaceAll(text, "%", table) }
	const cols = "usr, head, meta"
	return texts{
		// It changes nothing, and takes the write lock.
		lock: in("UPDATE %_clock SET at = at RETURNING at, sum"),
		mark: in("SELECT at, sum FROM %_clock"),
		tick: in("UPDATE %_clock SET at = ?, sum = ?"),

		// With a plus, a driver asks for no column's declared type, and that is a tenth of a read.
		get:   in("SELECT +usr AS u, +head AS h, +meta AS m, +data AS d FROM % WHERE tag = ? AND id = ?"),
		head:  in("SELECT " + cols + " FROM % WHERE tag = ? AND id = ?"),
		byTag: in("SELECT tag, id, " + cols + " FROM % WHERE tag = ?"),
		first: in("SELECT tag, id, " + cols + " FROM % ORDER BY tag, id LIMIT ?"),
		page:  in("SELECT tag, id, " + cols + " FROM % WHERE (tag, id) > (?, ?) ORDER BY tag, id LIMIT ?"),
		due:   in("SELECT tag, id, " + cols + " FROM % WHERE slot <= ? AND (slot < ? OR exp <= ?) ORDER BY slot LIMIT ?"),

		put:    in("INSERT OR REPLACE INTO % (usr, exp, slot, head, meta, data, tag, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
		change: in("UPDATE % SET exp = ?, slot = min(slot, ?), head = ?, meta = ?, data = ? WHERE tag = ? AND id = ?"),
		touch:  in("UPDATE % SET exp = ?, head = ? WHERE tag = ? AND id = ?"),
		refile: in("UPDATE % SET exp = ?, slot = ? WHERE tag = ? AND id = ?"),
		drop:   in("DELETE FROM % WHERE tag = ? AND id = ?"),

		guard:      in("SELECT revoked, sum FROM %_guards WHERE tag = ?"),
		setGuard:   in("INSERT OR REPLACE INTO %_guards (tag, revoked, sum) VALUES (?, ?, ?)"),
		dropGuards: in("DELETE FROM %_guards WHERE revoked < ?"),
	}
}

// migrate runs outside of transactions, where the journal's mode can be changed.
func (s *sqlite) migrate(ctx context.Context) error {
	for _, text := range sqliteSchema(s.opts.Table) {
		for began := time.Now(); ; {
			_, err := s.db.ExecContext(ctx, text)
			if err == nil {
				break
			}
			if err = s.judge(err); !errors.Is(err, errBusy) || time.Since(began) > s.opts.Wait {
				return err
			}
			pause(ctx, time.Millisecond) // another process is at it
		}
	}
	return nil
}

// sqliteRoom gives the log's room back to the disk, for the log is where a deletion is written first.
// Copying the log into the file may need room itself, which the caller's reserve has.
func (l *locked) sqliteRoom(ctx context.Context) error {
	if l.opts.MakeRoom != nil {
		l.opts.MakeRoom()
	}
	_, err := l.db.ExecContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// sqliteClass says what the codes mean that are not just an outage. The upper bits of a code tell more of
// its cause and are not needed.
func sqliteClass(code string) (hint string, class error) {
	n, err := strconv.Atoi(code)
	if err != nil {
		return "", store.ErrUnavailable
	}
	switch n & 0xff {
	case 1:
		return "a statement is refused: call Migrate first", store.ErrUnavailable
	case 5, 6, 15:
		return "", errBusy
	case 8, 14:
		return "the file cannot be opened or written", store.ErrUnavailable
	case 10:
		if n == 522 { // short read
			return "the file is cut off", store.ErrCorrupt
		}
		return "reading or writing the file failed", store.ErrUnavailable
	case 11, 26:
		return "the file is damaged", store.ErrCorrupt
	case 13:
		return "no room on the disk, or as many pages as allowed", store.ErrFull
	}
	return "", store.ErrUnavailable
}

// sqliteCommit knows two refusals that come before anything counts. After a failed write or fsync of the log,
// a later start may find the change in it.
func sqliteCommit(code string) (hint string, class error) {
	hint, class = sqliteClass(code)
	if class == errBusy || class == store.ErrFull {
		return hint, class
	}
	return hint, store.ErrIndeterminate
}

// headLen is the length of the packed columns: version, writer, handle, created, seen, idle, life,
// checksum of data, and checksum of all else.
const headLen = 8 + 8 + 16 + 8 + 8 + 8 + 8 + 4 + 4

// sqliteColumns packs rows. SQLite has no checksums of its pages, so each row has two sums of its own.
type sqliteColumns struct{}

func sqliteHead(r *row) []byte {
	b := make([]byte, 0, headLen)
	b = binary.BigEndian.AppendUint64(b, r.ver)
	b = append(b, r.writer[:]...)
	b = append(b, r.handle[:]...)
	for _, n := range [...]int64{r.created, r.seen, r.idle, r.life} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, r.dataSum)
	return binary.BigEndian.AppendUint32(b, sqliteSum(&r.key, []byte(r.user), b, r.meta))
}

// sqliteSum covers the key too: a row must not pass for another.
func sqliteSum(k *store.Key, user, head, meta []byte) uint32 {
	var b [16 + 32 + 1 + headLen]byte
	p := append(append(b[:0], k.Tag[:]...), k.ID[:]...)
	p = append(append(p, byte(len(user))), head[:headLen-4]...)
	return crc32.Update(crc32.Update(crc32.Checksum(p, castagnoli), castagnoli, user), castagnoli, meta)
}

func (c sqliteColumns) put(r *row) []any { return append([]any{[]byte(r.user)}, c.change(r)...) }

func (sqliteColumns) change(r *row) []any {
	r.dataSum = crc32.Checksum(r.data, castagnoli)
	exp := r.exp()
	return []any{exp, slotOf(exp), sqliteHead(r), r.meta, r.data, r.key.Tag[:], r.key.ID[:]}
}

func (sqliteColumns) touch(r *row) []any {
	return []any{r.exp(), sqliteHead(r), r.key.Tag[:], r.key.ID[:]}
}

// sqliteScan is where columns are scanned to, without a copy.
type sqliteScan struct {
	cols [6]sql.RawBytes // tag, id, usr, head, meta, data
	dest [6]any
}

var sqliteScans = sync.Pool{New: func() any {
	s := new(sqliteScan)
	for i := range s.dest {
		s.dest[i] = &s.cols[i]
	}
	return s
}}

func (sqliteColumns) read(rows *sql.Rows, key *store.Key, data bool) (r row, err error) {
	s := sqliteScans.Get().(*sqliteScan)
	defer sqliteScans.Put(s)
	from, to := 0, 5
	if key != nil {
		from, r.key = 2, *key
	}
	if data {
		to = 6
	}
	if err := rows.Scan(s.dest[from:to]...); err != nil {
		return r, err
	}
	usr, head, meta := s.cols[2], s.cols[3], s.cols[4]
	if key == nil {
		if len(s.cols[0]) != len(r.key.Tag) || len(s.cols[1]) != len(r.key.ID) {
			r.damaged = true
			return r, nil
		}
		copy(r.key.Tag[:], s.cols[0])
		copy(r.key.ID[:], s.cols[1])
	}
	if len(head) != headLen || len(usr) > store.MaxUser {
		r.damaged = true
		return r, nil
	}
	r.handle = store.Handle(head[16:32])
	r.dataSum = binary.BigEndian.Uint32(head[64:])
	if binary.BigEndian.Uint32(head[68:]) != sqliteSum(&r.key, usr, head, meta) ||
		data && crc32.Checksum(s.cols[5], castagnoli) != r.dataSum {
		r.damaged = true
		return r, nil
	}
	n := func(at int) int64 { return int64(binary.BigEndian.Uint64(head[at:])) }
	r.ver, r.writer = uint64(n(0)), store.Writer(head[8:16])
	r.created, r.seen, r.idle, r.life = n(32), n(40), n(48), n(56)
	r.user = string(usr)
	if !data {
		r.meta = append([]byte(nil), meta...)
		return r, nil
	}
	// One allocation for both; neither can grow into the other.
	all := append(append(make([]byte, 0, len(meta)+len(s.cols[5])), meta...), s.cols[5]...)
	r.meta, r.data = all[:len(meta):len(meta)], all[len(meta):]
	return r, nil
}
