package qctx

import (
	"errors"
	"net/http"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/compat/qsess"
)

// MwRequireSess lets requests through that have a session of st's, and puts it into Ctx.Sess.
// Others are answered: with status 401 if there is none, or none that can be read, so that signing
// in again is the way out; with 503 in an outage, and then the client keeps its cookie, for it may
// well be signed in; with 500 if the Store's fields do not make sense.
//
// A session that was saved more than MinRefreshSecs ago is refreshed, by saving it before the
// handler runs, since a cookie may go out with it; never if MinRefreshSecs is negative. If it has
// just ended, the answer is 401, too. Any other failure of a refresh stops nobody who has just been
// seen to be signed in: the next request tries again.
func MwRequireSess(st *qsess.Store) MwMaker {
	return func(next CtxHandler) CtxHandler {
		return CtxHandlerFunc(func(c *Ctx) {
			s, ttl, err := st.GetSession(c.W, c.R)
			if err == nil && s.MinRefreshSecs >= 0 && ttl < s.MaxAgeSecs-s.MinRefreshSecs {
				if e := s.Save(c.W); errors.Is(e, qsess.ErrNoSession) {
					err = e
				}
			}
			if err != nil {
				c.refuse(err)
				return
			}
			c.Sess = s
			next.CtxServeHTTP(c)
		})
	}
}

func (c *Ctx) refuse(err error) {
	for _, way := range []error{qsess.ErrNoSession, sojourn.ErrDecode, sojourn.ErrCorrupt, sojourn.ErrAmbiguous} {
		if errors.Is(err, way) && !sojourn.IsOutage(err) {
			c.Error("not logged in", http.StatusUnauthorized)
			return
		}
	}
	if errors.Is(err, qsess.ErrConfig) {
		c.Error("internal error", http.StatusInternalServerError)
		return
	}
	c.W.Header().Set("Retry-After", "5")
	c.W.Header().Set("Cache-Control", "no-store")
	c.Error("temporarily unavailable", http.StatusServiceUnavailable)
}
