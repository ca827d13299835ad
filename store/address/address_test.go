package address

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	a, err := Parse("redis-sentinel://user:p%40ss,@a:1,b:2,[::1]:3/main?x=y")
	if err != nil {
		t.Fatal(err)
	}
	password, _ := a.User.Password()
	if strings.Join(a.Hosts, " ") != "a:1 b:2 [::1]:3" || a.User.Username() != "user" || password != "p@ss," || a.Path != "/main" ||
		a.Query().Get("x") != "y" || a.Host != "a:1" {
		t.Errorf("%v, hosts %q", a.Redacted(), a.Hosts)
	}
	if got := a.Redacted(); got != "redis-sentinel://user:xxxxx@a:1,b:2,[::1]:3/main" || fmt.Sprint(a) != got {
		t.Errorf("shown as %s and %v", got, a)
	}
	a, err = Parse("redis://user:secret@h:1,i/path?password=secret@j,k#secret")
	if got := a.Redacted(); err != nil || got != "redis://user:xxxxx@h:1,i/path" || strings.Join(a.Hosts, " ") != "h:1 i" {
		t.Errorf("%v: shown as %s, hosts %q", err, got, a.Hosts)
	}
	if a.Fragment != "secret" || a.RawQuery != "password=secret@j,k" {
		t.Errorf("showing an address has changed it: %q, %q", a.RawQuery, a.Fragment)
	}
	for text, want := range map[string]string{
		"redis://localhost": "localhost:6379", "redis://[::1],h:7": "[::1]:6379 h:7", "redis://h?db=1": "h:6379", "redis://h:1,i": "h:1 i:6379",
		"redis://h:,[::1]:": "h:6379 [::1]:6379",
	} {
		if a, err := Parse(text); err != nil || strings.Join(a.At("6379"), " ") != want {
			t.Errorf("%s: %q, %v", text, a.At("6379"), err)
		}
	}
	for _, text := range []string{
		"", "localhost:6379", "redis://", "redis://u:secret@", "redis://u:secret@h,", "redis://u:secret@,h", "redis://u:secret@h:x", "redis://u:secret@h,i:x",
		"redis://u:secret@:1", "re dis://u:secret@h", "redis://u:sec%zzret@h",
	} {
		if _, err := Parse(text); err == nil || strings.Contains(err.Error(), "sec") && strings.Contains(err.Error(), "ret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is read can be shown and dialled, and neither what is shown nor an error has the password.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"redis://user:secret@h:1,i/path?password=secret@j,k#secret", "redis://[::1],h:7", "x://a,,b", "redis://h:x", "://", "a://b@c@d,e", "a://%zz@h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			if want := "the address is not like"; !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		for i, host := range a.At("6379") {
			if name, port, err := net.SplitHostPort(host); err != nil || name == "" || port == "" {
				t.Fatalf("%q: host %d is %q: %v", s, i, host, err)
			}
		}
		if password, has := a.User.Password(); has {
			u := *a.URL
			u.User = url.UserPassword(a.User.Username(), password+"-another")
			if other := (Address{&u, a.Hosts}); other.String() != a.String() {
				t.Fatalf("what is shown depends on the password: %s", a)
			}
		}
	})
}
