package qsess_test

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/sojourn-go/sojourn/compat/qsess"
	"github.com/sojourn-go/sojourn/compat/qsess/qctx"
)

// Methods and fields of the document, each of the type that it had: where one is missing or
// differs, this does not compile.
var (
	_ func(qsess.AuthTypeEnum) string = qsess.AuthTypeEnum.String

	_ func(qsess.SessBackEnd, *[]byte, []byte, []byte, int, int) error                    = qsess.SessBackEnd.Save
	_ func(qsess.SessBackEnd, []byte, []byte) ([]byte, []byte, int, int, int, error)      = qsess.SessBackEnd.Get
	_ func(qsess.SessBackEnd, []byte, []byte) error                                       = qsess.SessBackEnd.Delete
	_ func(qsess.SessBackEnd, []byte) error                                               = qsess.SessBackEnd.DeleteByUserID
	_ func(qsess.SessData) ([]byte, error)                                                = qsess.SessData.Marshal
	_ func(qsess.SessData, []byte) error                                                  = qsess.SessData.Unmarshal
	_ map[interface{}]interface{}                                                         = qsess.VarMap{}.Vars
	_ func(*qsess.Session, http.ResponseWriter) error                                     = (*qsess.Session).Delete
	_ func(*qsess.Session, http.ResponseWriter) error                                     = (*qsess.Session).DeleteByUserID
	_ func(*qsess.Session, http.ResponseWriter) error                                     = (*qsess.Session).Save
	_ func(*qsess.Session) (string, int, error)                                           = (*qsess.Session).Token
	_ func(*qsess.Session) []byte                                                         = (*qsess.Session).UserID
	_ func(*qsess.Store) qsess.SessBackEnd                                                = (*qsess.Store).BackEnd
	_ func(*qsess.Store, http.ResponseWriter, *http.Request) (*qsess.Session, int, error) = (*qsess.Store).GetSession
	_ func(*qsess.Store, string) (*qsess.Session, int, error)                             = (*qsess.Store).GetTokenSession
	_ func(*qsess.Store, []byte) *qsess.Session                                           = (*qsess.Store).NewSession

	_ = func(s qsess.Session) (qsess.SessData, int, int) { return s.Data, s.MaxAgeSecs, s.MinRefreshSecs }
	_ = func(s *qsess.Store) {
		var _ func() qsess.SessData = s.NewSessData
		var _, _ int = s.MaxAgeSecs, s.MinRefreshSecs
		var _, _, _ string = s.CookieName, s.CookieDomain, s.CookiePath
		var _, _ bool = s.CookieSecure, s.CookieHTTPOnly
		var _ http.SameSite = s.CookieSameSite
		var _ qsess.AuthTypeEnum = s.AuthType
		var _ func(string, int, http.ResponseWriter) error = s.SendToken
		var _ func(http.ResponseWriter) error = s.DeleteToken
		var _ func(http.ResponseWriter, *http.Request) (string, error) = s.GetToken
		var _, _ func([]byte) ([]byte, error) = s.Encrypt, s.Decrypt
		var _ func([]byte, time.Time) error = s.SessionSaved
		var _, _ chan int = s.PruneInterval, s.PruneKill
	}
	_ = func(c *qctx.Ctx, h qctx.CtxHandler, s qctx.MakerStack, w *qctx.WrappedRW) {
		var _ http.ResponseWriter = c.W
		var _ *http.Request = c.R
		var _ string = c.Params.ByName("")
		var _ *qsess.Session = c.Sess
		var _ func(string, int) = c.Error
		var _ func(json.Unmarshaler) bool = c.ReadJSON
		var _ func(json.Marshaler) = c.WriteJSON
		h.CtxServeHTTP(c)
		var _ qctx.MakerStack = s.Append(func(h qctx.CtxHandler) qctx.CtxHandler { return h })
		var _ http.Handler = s.Handle(func(*qctx.Ctx) {})
		var _, _ bool = w.WroteHeader, w.WroteBody
		var _ int = w.StatusCode
	}
)
