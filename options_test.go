package sojourn_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
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
		{"Bearer.Prefix", o{Bearer: &sojourn.BearerOptions{Prefix: "a b"}}},
		{"Bearer.Prefix", o{Bearer: &sojourn.BearerOptions{Prefix: strings.Repeat("p", 21)}}},
		{"Bearer.Realm", o{Bearer: &sojourn.BearerOptions{Realm: "a\"b"}}},
		{"Bearer.Realm", o{Bearer: &sojourn.BearerOptions{Realm: "a\x00b"}}},
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
