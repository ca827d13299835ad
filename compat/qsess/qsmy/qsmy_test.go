package qsmy_test

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qsmy"
	"github.com/sojourn-go/sojourn/compat/qsess/qstest"
)

// The older library's documented columns; any text does.
const dataField, uidField = "VARBINARY(500) NOT NULL", "VARBINARY(50)"

// onEach runs a test on both engines.
func onEach(t *testing.T, test func(t *testing.T, open func(testing.TB) *sql.DB)) {
	for _, name := range []string{"SOJOURN_MYSQL", "SOJOURN_MARIADB"} {
		t.Run(name, func(t *testing.T) {
			address := os.Getenv(name)
			if address == "" {
				t.Skipf("%s is not set: NOT TESTED on this engine", name)
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			c := mysql.NewConfig() // and none of the settings that the older library needed
			c.User, c.Net, c.Addr, c.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
			c.Passwd, _ = u.User.Password()
			test(t, func(t testing.TB) *sql.DB {
				db, err := sql.Open("mysql", c.FormatDSN())
				if err != nil {
					t.Fatal(err)
				}
				db.SetMaxOpenConns(10)
				t.Cleanup(func() { db.Close() })
				return db
			})
		})
	}
}

// tables lists those whose names begin with prefix.
func tables(t testing.TB, db *sql.DB, prefix string) (names []string) {
	t.Helper()
	rows, err := db.Query("SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name LIKE ?", prefix+"%")
	if err != nil {
		t.Error(err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Error(err)
		}
		names = append(names, name)
	}
	return names
}

// newTable gives a name whose tables are dropped in the end.
func newTable(t testing.TB, db *sql.DB) string {
	t.Helper()
	name := "qs_" + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() {
		tables := tables(t, db, name)
		if len(tables) == 0 {
			return
		}
		if _, err := db.Exec("DROP TABLE " + strings.Join(tables, ", ")); err != nil {
			t.Error(err)
		}
	})
	return name
}

func newStore(t testing.TB, db *sql.DB, table string, keys ...[]byte) *qsess.Store {
	t.Helper()
	if len(keys) == 0 {
		keys = [][]byte{qstest.Key1}
	}
	st, err := qsmy.NewMysqlStore(db, table, dataField, uidField, keys...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(st.PruneKill) })
	return st
}

func TestMysqlStore(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *sql.DB) {
		db := open(t)
		prefix := newTable(t, db)
		qstest.Run(t, qstest.BackEnd{Open: func(t testing.TB, name string, keys ...[]byte) *qsess.Store {
			return newStore(t, db, prefix+name, keys...)
		}})
	})
}

// TestPruned is D33: of two tables the older library pruned the first only.
func TestPruned(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *sql.DB) {
		db := open(t)
		for range 2 {
			table := newTable(t, db)
			qstest.PruneTest(t, newStore(t, db, table), func() (n int) {
				if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			})
		}
	})
}

// TestDatabaseGone is D23.
func TestDatabaseGone(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *sql.DB) {
		keeper, db := open(t), open(t) // the keeper drops the table
		qstest.OutageTest(t, newStore(t, db, newTable(t, keeper)), func() { db.Close() })
		if _, err := qsmy.NewMysqlStore(db, "x", "", "", qstest.Key1); !sojourn.IsOutage(err) {
			t.Errorf("NewMysqlStore without a database gave %v", err)
		}
	})
}

// TestLargeData: dataField bounds nothing any more.
func TestLargeData(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *sql.DB) {
		db := open(t)
		st := newStore(t, db, newTable(t, db))
		s := st.NewSession([]byte(strings.Repeat("u", 200)))
		s.Data.(*qsess.VarMap).Vars["large"] = strings.Repeat("x", 100_000)
		if err := s.Save(httptest.NewRecorder()); err != nil {
			t.Fatal(err)
		}
		token, _, err := s.Token()
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := st.GetTokenSession(token)
		if err != nil || len(back.Data.(*qsess.VarMap).Vars["large"].(string)) != 100_000 || len(back.UserID()) != 200 {
			t.Errorf("large data came back otherwise: %v", err)
		}
	})
}

func TestRefused(t *testing.T) {
	onEach(t, func(t *testing.T, open func(testing.TB) *sql.DB) {
		db := open(t)
		old := newTable(t, db)
		if _, err := db.Exec("CREATE TABLE " + old + " (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, data " + dataField + ", userid " + uidField + ", expires DATETIME NOT NULL)"); err != nil {
			t.Fatal(err)
		}
		if st, err := qsmy.NewMysqlStore(db, old, dataField, uidField, qstest.Key1); st != nil || !errors.Is(err, qsess.ErrConfig) || !strings.Contains(err.Error(), "choose another name") {
			t.Errorf("the older library's table: got %v, %v", st, err)
		}
		if left := tables(t, db, old); len(left) != 1 {
			t.Errorf("beside the older library's table it leaves %v", left)
		}
		fresh := newTable(t, db)
		for name, refused := range map[string]func() (*qsess.Store, error){
			"no database": func() (*qsess.Store, error) { return qsmy.NewMysqlStore(nil, "t", "", "", qstest.Key1) },
			"no table":    func() (*qsess.Store, error) { return qsmy.NewMysqlStore(db, "", "", "", qstest.Key1) },
			"no name":     func() (*qsess.Store, error) { return qsmy.NewMysqlStore(db, "a; b", "", "", qstest.Key1) },
			"no key":      func() (*qsess.Store, error) { return qsmy.NewMysqlStore(db, fresh, "", "") },
			"short key":   func() (*qsess.Store, error) { return qsmy.NewMysqlStore(db, fresh, "", "", []byte("x")) },
		} {
			if st, err := refused(); st != nil || !errors.Is(err, qsess.ErrConfig) {
				t.Errorf("%s: got %v, %v, want ErrConfig", name, st, err)
			}
		}
		if left := tables(t, db, fresh); len(left) != 0 {
			t.Errorf("without keys it leaves %v", left)
		}
	})
}
