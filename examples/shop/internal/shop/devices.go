package shop

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// device is one session in the list of a user's sessions.
type device struct {
	sojourn.Info
	Name string
	This bool
}

// deviceList is the data of the devices page.
type deviceList struct {
	Devices  []device
	Others   bool
	NewToken string // shown once
	Address  string
}

func (sh *shop) deviceList(r *http.Request, s *sojourn.Session) (deviceList, error) {
	list := deviceList{Address: "http://" + r.Host}
	sessions, err := sh.web.Sessions(r.Context(), s.User())
	for _, in := range sessions {
		d := device{Info: in, Name: browserName(in.Agent), This: in.Handle == s.Handle()}
		if in.Bearer {
			d.Name = in.Label
		}
		if list.Others = list.Others || !d.This; d.This {
			list.Devices = slices.Insert(list.Devices, 0, d) // this one first, then the last used
		} else {
			list.Devices = append(list.Devices, d)
		}
	}
	return list, err
}

func (sh *shop) devices(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	list, err := sh.deviceList(r, s)
	if err != nil {
		return err
	}
	list.NewToken = takeNewToken(w, r)
	return sh.render(w, r, s, "devices.html", "Your devices", list)
}

func (sh *shop) endDevice(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	h, err := store.ParseHandle(r.PostFormValue("session"))
	if err != nil {
		return sh.badRequest(w, r, "There is no such device.")
	}
	notice := "The device is signed out."
	switch err := sh.web.Revoke(r.Context(), s.User(), h); {
	case errors.Is(err, sojourn.ErrNotFound):
		notice = "That device is signed out already, or has signed in anew: please look again."
	case err != nil:
		return err
	}
	if err := notices.Add(s, notice); err != nil {
		return err
	}
	return back(w, r, "/devices")
}

func (sh *shop) endOtherDevices(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	if _, err := s.RevokeOthers(r.Context()); err != nil {
		return err
	}
	if err := notices.Add(s, "All other devices are signed out."); err != nil {
		return err
	}
	return back(w, r, "/devices")
}

// issueToken makes a token for programs. The next page shows it.
func (sh *shop) issueToken(w http.ResponseWriter, r *http.Request, s *sojourn.Session) error {
	label := strings.ToValidUTF8(strings.TrimSpace(r.PostFormValue("label")), "")
	if label == "" || len(label) > 64 {
		label = "API token"
	}
	token, _, err := sh.api.IssueBearer(r, s.User(), sojourn.Label(label))
	if err != nil {
		return err
	}
	http.SetCookie(w, newTokenCookie(r, token.Reveal(), 60))
	return back(w, r, "/devices")
}

// newTokenCookie carries a new token over the redirect to the page that shows it, so that reloading
// that page makes no second one. The token goes to this browser in any case; kept in the session it
// would be in the store, which has nothing else that opens anything.
func newTokenCookie(r *http.Request, token string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: "shop-new-token", Value: token, Path: "/devices", MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	}
}

// takeNewToken gives the token that was just made, once.
func takeNewToken(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie("shop-new-token")
	if err != nil {
		return ""
	}
	http.SetCookie(w, newTokenCookie(r, "", -1))
	w.Header().Set("Cache-Control", "no-store")
	return c.Value
}

// me is the API: it tells a program whose token it has.
func (sh *shop) me(w http.ResponseWriter, r *http.Request) {
	in := sh.api.From(r).Info()
	writeJSON(w, http.StatusOK, struct {
		User    string    `json:"user"`
		Token   string    `json:"token_label"`
		Expires time.Time `json:"expires"`
	}{in.User, in.Label, in.Expires})
}

func noToken(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "no valid token"})
}

func writeJSON(w http.ResponseWriter, status int, x any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(x) // a client that went away
}

// browserName reads a User-Agent roughly: enough to tell one's own devices apart. It proves
// nothing.
func browserName(agent string) string {
	first := func(names ...string) string {
		for i := 0; i < len(names); i += 2 {
			if strings.Contains(agent, names[i]) {
				return names[i+1]
			}
		}
		return ""
	}
	browser := first("Edg", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl", "Go-http-client", "Go program")
	system := first("iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS X", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	switch {
	case browser == "" && system == "":
		return "Unknown browser"
	case browser == "":
		return "A browser on " + system
	case system == "":
		return browser
	}
	return browser + " on " + system
}
