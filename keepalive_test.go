package sojourn_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
)

// L8: a slow request keeps its session alive wherever other requests' renewals have moved it, with
// the idle limit that they have left it, and not where it has ended.
func TestL8ShortIdleThroughRenewals(t *testing.T) {
	for name, tt := range map[string]struct {
		during string // what another request does, twice
		status int
	}{
		"renewed": {"renew", 200}, "nothing": {"user", 200}, "confirmed": {"login?user=ada", 409}, "signed out": {"logout", 409},
	} {
		bubble(t, func(t *testing.T, g *site) {
			g.onLoaded("shorten", func(s *sojourn.Session, _ *http.Request) (string, error) { return "", s.SetIdle(time.Minute) })
			b := g.signedIn("ada")
			b.ok("shorten")
			slow := b.copy()
			finish := slow.start("append?v=x")
			for range 2 {
				time.Sleep(10 * time.Second)
				b.ok(tt.during)
			}
			time.Sleep(8 * time.Minute)
			if g.status(finish(), tt.status); tt.status == http.StatusOK {
				slow.wants("user", "ada")
			}
			if t.Failed() {
				t.Fatal(name)
			}
		})
	}
}
