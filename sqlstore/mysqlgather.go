package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/sojourn-go/sojourn/store"
	"github.com/sojourn-go/sojourn/store/gather"
)

// found is what Get tells of a key: row and now, or an error, which is ErrNotFound until the row comes.
type found struct {
	row row
	now int64
	err error
}

// getSizes are how many keys the statements take that read several rows; each is prepared once.
var getSizes = [...]int{4, 16, 64}

// getMany gives the texts of these. The primary key is forced, for what the servers know of so small a table
// may tell them to read all of it.
func getMany(size int) string {
	from := strings.Replace(mysqlData, "{S} s", "{S} s FORCE INDEX (PRIMARY)", 1)
	return "SELECT s.tag, s.id, " + mysqlCols + from + " WHERE (s.tag, s.id) IN (" + list("(?, ?)", size) + ") AND exp > NOW"
}

// gatherGets has two lanes: more make smaller batches, and with four the rate was half of that, measured in turns.
func (m *mysql) gatherGets() {
	m.gets = gather.New(gather.Options[store.Key]{Lanes: m.lanes(2), ReadOnly: true, Most: getSizes[len(getSizes)-1]}, m.sendGets)
}

func (m *mysql) get(ctx context.Context, key store.Key) (row, int64, error) {
	f, err := m.gets.Do(ctx, key)
	if err == nil {
		err = f.err
	}
	return f.row, f.now, err
}

// sendGets reads the rows of several keys, of which some may be equal.
func (m *mysql) sendGets(ctx context.Context, keys []store.Key, answers []found) error {
	if len(keys) == 1 {
		a := &answers[0]
		a.row, a.now, a.err = m.lookup(ctx, &m.q.get, keys[0], true)
		return nil
	}
	at := 0
	for getSizes[at] < len(keys) {
		at++
	}
	st, err := m.q.getMany[at].on(ctx)
	if err != nil {
		return m.asked(err)
	}
	args := make([]any, 0, 2*getSizes[at])
	for i := range getSizes[at] {
		k := &keys[min(i, len(keys)-1)] // the last one also stands where there is none
		args = append(args, k.Tag[:], k.ID[:])
	}
	for i := range answers {
		answers[i].err = store.ErrNotFound
	}
	err = eachOf(ctx, st, func(rows *sql.Rows) error {
		r, now, err := mysqlRead(rows, nil, true)
		if err != nil {
			return err
		}
		first := true
		for i := range keys {
			if keys[i] == r.key {
				answers[i].give(r, now, first)
				first = false
			}
		}
		return nil
	}, args...)
	return m.asked(err)
}

// give answers with a row, whose bytes nobody has yet if first says so.
func (f *found) give(r row, now int64, first bool) {
	if r.damaged {
		f.err = r.corrupt()
		return
	}
	if !first {
		r.meta, r.data = append([]byte(nil), r.meta...), append([]byte(nil), r.data...)
	}
	f.row, f.now, f.err = r, now, nil
}
