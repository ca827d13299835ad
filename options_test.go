package sojourn_test

import (
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// Bad input: every option out of its range, one by one; the error names the option.
func TestOptionsOutOfRange(t *testing.T) {
	type o = sojourn.Options
	const day = 24 * time.Hour
	for _, tt := range []struct {
		field string
		opts  o
	}{
		{"Name", o{Name: strings.Repeat("n", 65)}},
		{"Lifetime", o{Lifetime: -2}},
		{"Lifetime", o{Lifetime: time.Microsecond}},
		{"Lifetime", o{Lifetime: store.MaxLife + 1}},
		{"Idle", o{Idle: -time.Hour}},
		{"Idle", o{Idle: store.MaxLife + 1}},
		{"MaxRemember", o{MaxRemember: -1}},
		{"MaxRemember", o{MaxRemember: time.Second}},
		{"MaxRemember", o{MaxRemember: 400*day + 1}},
		{"TouchEvery", o{TouchEvery: -1}},
		{"TouchEvery", o{TouchEvery: 31 * time.Minute}},
		{"RenewAfter", o{RenewAfter: time.Millisecond}},
		{"RenewAfter", o{RenewAfter: -2}},
		{"RenewGrace", o{RenewGrace: -1}},
		{"RenewGrace", o{RenewGrace: 31 * time.Second}},
		{"RenewGraceMost", o{RenewGraceMost: 29 * time.Second}},
		{"RenewGraceMost", o{RenewGraceMost: 10*time.Minute + 1}},
		{"Assurance", o{Assurance: -1}},
		{"Assurance", o{Assurance: 4}},
		{"Lifetime", o{Assurance: sojourn.AAL1, Lifetime: 31 * day}},
		{"Lifetime", o{Assurance: sojourn.AAL2, Lifetime: sojourn.Unlimited}},
		{"Idle", o{Assurance: sojourn.AAL2, Idle: 61 * time.Minute}},
		{"Idle", o{Assurance: sojourn.AAL3, Idle: 16 * time.Minute}},
		{"Lifetime", o{Assurance: sojourn.AAL3, Lifetime: 13 * time.Hour, Deviation: "because"}},
		{"MaxSessions", o{MaxSessions: -1}},
		{"MaxSessions", o{MaxSessions: 10001}},
		{"DamagedPerMinute", o{DamagedPerMinute: 10001}},
		{"CSRFBodyLimit", o{CSRFBodyLimit: -1}},
		{"CSRFBodyLimit", o{CSRFBodyLimit: 10<<20 + 1}},
		{"Timeout", o{Timeout: -1}},
		{"Timeout", o{Timeout: 6 * time.Minute}},
		{"MaxRevocationLag", o{MaxRevocationLag: -1}},
		{"ClockSkew", o{ClockSkew: -1}},
		{"ClockSkew", o{ClockSkew: 61 * time.Second}},
		{"ClientRetention", o{ClientRetention: -1}},
		{"ClientRetention", o{ClientRetention: time.Millisecond}},
		{"Keys", o{Keys: (*sojourn.KeyRing)(nil)}},
		{"Keys", o{Keys: &sojourn.KeyRing{}}},
		{"Keys", o{Keys: plainSealer{}}},
		{"Custom", o{Custom: &sojourn.CustomTransport{}}},
		{"Custom", o{Custom: &sojourn.CustomTransport{Send: noSend, Delete: noDelete}}},
		{"Custom", o{Custom: &sojourn.CustomTransport{Receive: noReceive, Delete: noDelete}}},
		{"Custom", o{Custom: &sojourn.CustomTransport{Receive: noReceive, Send: noSend}}},
		{"Bearer.Prefix", o{Bearer: &sojourn.BearerOptions{Prefix: "a b"}}},
		{"Bearer.Prefix", o{Bearer: &sojourn.BearerOptions{Prefix: strings.Repeat("p", 21)}}},
		{"Bearer.Prefix", o{Bearer: &sojourn.BearerOptions{Prefix: "a/"}}},
		{"Bearer.Prefix", o{Bearer: &sojourn.BearerOptions{Prefix: "a:"}}},
		{"Bearer.Prefix", o{Bearer: &sojourn.BearerOptions{Prefix: "a@"}}},
		{"Bearer.Prefix", o{Bearer: &sojourn.BearerOptions{Prefix: "a{"}}},
		{"Bearer.Realm", o{Bearer: &sojourn.BearerOptions{Realm: "a\"b"}}},
		{"Bearer.Realm", o{Bearer: &sojourn.BearerOptions{Realm: "a\x00b"}}},
		{"Bearer.Realm", o{Bearer: &sojourn.BearerOptions{Realm: "a\\b"}}},
		{"Bearer.Realm", o{Bearer: &sojourn.BearerOptions{Realm: "a\x7fb"}}},
		{"Bearer.Realm", o{Bearer: &sojourn.BearerOptions{Realm: strings.Repeat("r", 257)}}},
		{"Bearer.Lifetime", o{Bearer: &sojourn.BearerOptions{Lifetime: -2}}},
		{"Cookie.Name", o{Cookie: sojourn.CookieOptions{Name: "plain"}}},
		{"Cookie.Name", o{InsecureLoopbackHTTP: true, Cookie: sojourn.CookieOptions{Name: "__Host-s"}}},
		{"Cookie.Path", o{Cookie: sojourn.CookieOptions{Path: "app"}}},
		{"Cookie.Path", o{Cookie: sojourn.CookieOptions{Path: "/a b"}}},
		{"Cookie.Path", o{Cookie: sojourn.CookieOptions{Path: "/" + strings.Repeat("p", 1024)}}},
		{"Cookie.Domain", o{Cookie: sojourn.CookieOptions{Domain: strings.Repeat("a.", 600) + "example"}}},
		{"Cookie.SameSite", o{Cookie: sojourn.CookieOptions{SameSite: -1}}},
		{"Cookie.MaxAge", o{Cookie: sojourn.CookieOptions{MaxAge: 400*day + 1}}},
		{"Cookie.MaxAge", o{Cookie: sojourn.CookieOptions{MaxAge: -1}}},
		{"Cookie.Domain", o{Cookie: sojourn.CookieOptions{Domain: "a b"}}},
		{"Cookie.SameSite", o{Cookie: sojourn.CookieOptions{SameSite: 7}}},
		{"TrustedProxies", o{TrustedProxies: []netip.Prefix{{}}}},
		{"TrustedProxies", o{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"https://a.example/"}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"http://a.example"}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"https://A.example"}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"*"}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"https://*.a.example"}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{""}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"https://a.example:x"}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"ftp://a.example"}}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"ftp://a.example"}, InsecureLoopbackHTTP: true}},
		{"TrustedOrigins", o{TrustedOrigins: []string{"https://ada@a.example"}}},
		{"ClearSiteData", o{ClearSiteData: []string{`"cache"`}}},
		{"ClearSiteData", o{ClearSiteData: []string{""}}},
	} {
		m, err := sojourn.New(memstore.New(nil), &tt.opts)
		if m != nil || !errors.Is(err, sojourn.ErrOptions) || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%s: %+v: %v", tt.field, tt.opts, err)
		}
	}
	if _, err := sojourn.New(nil, nil); !errors.Is(err, sojourn.ErrOptions) {
		t.Errorf("no store: %v", err)
	}
	if _, err := sojourn.New(durable{memstore.New(nil)}, nil); !errors.Is(err, sojourn.ErrOptions) || !strings.Contains(err.Error(), "CreateKeys") {
		t.Errorf("a durable store without keys: %v", err)
	}
}

func noReceive(*http.Request) string                         { return "" }
func noSend(http.Header, sojourn.Token, time.Duration) error { return nil }
func noDelete(http.Header) error                             { return nil }

// What is left at zero has the default that its documentation names, or what the level allows.
func TestOptionsDefaults(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			opts     sojourn.Options
			life     time.Duration // of a session in constant use
			idle     time.Duration
			remember time.Duration // at most
		}{
			"none":                     {sojourn.Options{}, 12 * time.Hour, 30 * time.Minute, 30 * day},
			"AAL1":                     {sojourn.Options{Assurance: sojourn.AAL1}, 30 * day, 30 * time.Minute, 30 * day},
			"AAL2":                     {sojourn.Options{Assurance: sojourn.AAL2}, day, time.Hour, day},
			"AAL3":                     {sojourn.Options{Assurance: sojourn.AAL3}, 12 * time.Hour, 15 * time.Minute, 12 * time.Hour},
			"AAL2, less remembered":    {sojourn.Options{Assurance: sojourn.AAL2, MaxRemember: time.Hour}, day, time.Hour, time.Hour},
			"AAL2, with a reason":      {sojourn.Options{Assurance: sojourn.AAL2, MaxRemember: 2 * day, Deviation: "a kiosk"}, day, time.Hour, 2 * day},
			"none, more is remembered": {sojourn.Options{MaxRemember: 90 * day}, 12 * time.Hour, 30 * time.Minute, 90 * day},
		} {
			g := newWebRig(t, nil, tt.opts)
			g.do("", func(s *sojourn.Session) {
				rigOK(t, s.Login(t.Context(), "ada"))
				if got := s.ExpiresIn(); got != tt.idle {
					t.Errorf("%s: idle limit %v, want %v", name, got, tt.idle)
				}
				if err := s.SetIdle(tt.life); err != nil || s.ExpiresIn() > tt.life {
					t.Errorf("%s: an idle limit as long as the life %v: %v, %v left", name, tt.life, err, s.ExpiresIn())
				}
				if err := s.SetIdle(tt.life + 1); !errors.Is(err, sojourn.ErrOptions) {
					t.Errorf("%s: an idle limit longer than the life %v: %v", name, tt.life, err)
				}
				s.Discard()
				rigOK(t, s.Login(t.Context(), "ada", sojourn.Remember(tt.remember)))
				if err := s.Login(t.Context(), "ada", sojourn.Remember(tt.remember+1)); !errors.Is(err, sojourn.ErrOptions) {
					t.Errorf("%s: remembered for more than %v: %v", name, tt.remember, err)
				}
			})
		}
		g := newWebRig(t, nil, sojourn.Options{Bearer: &sojourn.BearerOptions{}})
		for want, o := range map[time.Duration]sojourn.BearerOptions{12 * time.Hour: {}, store.MaxLife: {Lifetime: sojourn.Unlimited}, day: {Lifetime: day}} {
			g = newWebRig(t, nil, sojourn.Options{Bearer: &o})
			r := rigRequest("POST")
			r.Header.Set("Authorization", "Bearer "+g.bearer("ada"))
			g.serve(r, func(_ http.ResponseWriter, r *http.Request) {
				if s, err := g.m.Load(r); err != nil || s.ExpiresIn() != want {
					t.Errorf("bearer: %v left, %v, want %v", s.ExpiresIn(), err, want)
				}
			})
		}
	})
}

// plainSealer hides and binds nothing.
type plainSealer struct{}

func (plainSealer) Seal(dst, p, _ []byte) ([]byte, error) { return append(dst, p...), nil }
func (plainSealer) Open(dst, p, _ []byte) ([]byte, error) { return append(dst, p...), nil }

// The edges of each range are inside; New changes nothing of what it was given.
func TestOptionsAccepted(t *testing.T) {
	const day = 24 * time.Hour
	for _, o := range []sojourn.Options{
		{}, {Lifetime: sojourn.Unlimited, Idle: sojourn.Unlimited}, {Lifetime: store.MaxLife, Idle: store.MaxLife},
		{MaxRemember: 400 * day}, {RenewAfter: sojourn.Unlimited}, {Assurance: sojourn.AAL1}, {Assurance: sojourn.AAL2}, {Assurance: sojourn.AAL3},
		{Assurance: sojourn.AAL2, Idle: 2 * time.Hour, Deviation: "kiosk"}, {MaxSessions: 10000, RefuseAtLimit: true},
		{Name: strings.Repeat("n", 64)}, {Bearer: &sojourn.BearerOptions{Lifetime: sojourn.Unlimited, Prefix: "acme_"}},
		{DamagedPerMinute: 10000}, {DamagedPerMinute: -1}, {CSRFBodyLimit: 1}, {CSRFBodyLimit: 10 << 20},
		{Timeout: time.Millisecond}, {Timeout: 5 * time.Minute}, {ClockSkew: time.Minute}, {ClientRetention: time.Second},
		{Lifetime: time.Millisecond}, {MaxRemember: time.Minute}, {RenewGrace: time.Millisecond, RenewGraceMost: time.Millisecond},
		{Bearer: &sojourn.BearerOptions{Prefix: "aAzZ09-_" + strings.Repeat("p", 12), Realm: " ~" + strings.Repeat("r", 254)}},
		{TrustedOrigins: []string{"http://a.example"}, InsecureLoopbackHTTP: true},
		{Custom: &sojourn.CustomTransport{Receive: noReceive, Send: noSend, Delete: noDelete}},
		{TrustedOrigins: []string{"https://a.example:8443"}, ClearSiteData: []string{"*"}},
		{Cookie: sojourn.CookieOptions{Name: "__Secure-s", MaxAge: 400 * day, Path: "/" + strings.Repeat("p", 1023)}},
	} {
		before := o
		if _, err := sojourn.New(memstore.New(nil), &o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
		if o.Lifetime != before.Lifetime || !reflect.DeepEqual(o.Cookie, before.Cookie) || o.Codec != nil {
			t.Errorf("New changed the caller's options: %+v", o)
		}
	}
}

// durable is a store that survives a restart.
type durable struct{ store.Store }

func (durable) Traits() store.Traits { return store.Traits{} }
