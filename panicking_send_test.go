package sojourn_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn"
)

// A custom transport that panics, and panics again when the page of the failure is to carry the
// token, still leaves a session that is over.
func TestSendPanicsAlways(t *testing.T) {
	c := sojourn.CustomTransport{
		Receive: func(*http.Request) string { return "" },
		Send:    func(http.Header, sojourn.Token, time.Duration) error { panic("send") },
		Delete:  func(http.Header) error { return nil },
	}
	g := newWebRig(t, nil, sojourn.Options{Custom: &c})
	var s *sojourn.Session
	func() {
		defer func() {
			if p := recover(); p != "send" {
				t.Errorf("panic %v", p)
			}
		}()
		g.do("", func(of *sojourn.Session) {
			s = of
			rigOK(t, s.Login(t.Context(), "ada"))
		})
	}()
	if err := rigNote.Set(s, "late"); err == nil {
		t.Error("the session is used after its request")
	}
}
