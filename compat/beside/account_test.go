package beside

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The import paths, which are all that a program changes.
var moved = strings.NewReplacer(
	"github.com/sojourn-go/sojourn/compat/qsess/qctxhr", "github.com/gkong/go-qweb/qctx",
	"github.com/sojourn-go/sojourn/compat/qsess", "github.com/gkong/go-qweb/qsess",
)

// build makes the account server's program: as it stands, or with the older library's import paths.
func build(t *testing.T, older bool) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "account")
	args := []string{"build", "-buildvcs=false", "-o", binary}
	if older {
		args = append(args, "-overlay", overlay(t))
	}
	cmd := exec.Command("go", append(args, "./account")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return binary
}

// overlay replaces the program's files, for one build, by the same with the older library's import
// paths.
func overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob("account/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	replace := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		other := moved.Replace(string(text))
		if strings.Contains(other, "sojourn") {
			t.Fatalf("%s names more of Sojourn than its import paths", name)
		}
		name, err = filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		replace[name] = filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(replace[name], []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// site is a running account server and the browsers that visit it.
type site struct {
	t            *testing.T
	binary, data string
	addr         string
	stop         func()
	browsers     map[string]*http.Client
}

func newSite(t *testing.T, binary string) *site {
	s := &site{t: t, binary: binary, data: t.TempDir(), browsers: map[string]*http.Client{}}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *site) outbox() string { return filepath.Join(s.data, "outbox") }

func (s *site) start() {
	s.t.Helper()
	cmd := exec.Command(s.binary, filepath.Join(s.data, "db"), s.outbox())
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.stop = func() {
		s.stop = func() {}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || log.Len() > 0 {
			s.t.Errorf("the server ended with %v and wrote %q", err, log.String())
		}
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		s.t.Fatalf("the server does not start: %v", err)
	}
	s.addr = strings.TrimSpace(line)
}

// browser gives who's browser, one with cookies of its own.
func (s *site) browser(who string) *http.Client {
	b := s.browsers[who]
	if b == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			s.t.Fatal(err)
		}
		b = &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		s.browsers[who] = b
	}
	return b
}

var mention = regexp.MustCompile(`\{[a-z]+:[^{}"]+\}`)

// filled puts tokens of mails in the place of mentions such as {verify:ada@x.org}: the last mail
// counts, and a trailing - means the one before it.
func (s *site) filled(text string) string {
	return mention.ReplaceAllStringFunc(text, func(m string) string {
		kind, address, _ := strings.Cut(strings.Trim(m, "{}"), ":")
		mails, err := os.ReadFile(s.outbox())
		if err != nil {
			s.t.Fatal(err)
		}
		last := ""
		for line := range strings.Lines(string(mails)) {
			to, link, _ := strings.Cut(strings.TrimSpace(line), " ")
			if token, ok := strings.CutPrefix(link, "/"+kind+"/"); ok && to == address {
				last = token
			}
		}
		if last == "" {
			s.t.Fatalf("no mail %s", m)
		}
		return last
	})
}

// act does one step and returns what the browser sees: status, where it is sent, and the page.
func (s *site) act(who, act string) string {
	s.t.Helper()
	method, rest, _ := strings.Cut(act, " ")
	path, body, _ := strings.Cut(rest, " ")
	r, err := http.NewRequest(method, "http://"+s.addr+s.filled(path), strings.NewReader(s.filled(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.browser(who).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprintln(resp.StatusCode, resp.Header.Get("Location"), strings.TrimSpace(string(page))))
}

// story is what users of the account server do, and what they see.
var story = []struct{ who, act, sees string }{
	{"laptop", `POST /me`, `401  not logged in`},
	{"laptop", `POST /signup {"Email":"Ada@x.org","Password":"one"}`, `200  {"sent":"Ada@x.org"}`},
	{"laptop", `POST /login {"Email":"ada@x.org","Password":"one"}`, `400  wrong address or password`}, // not verified yet
	{"phone", `GET /verify/{verify:Ada@x.org}`, `303 /welcome`},
	{"phone", `GET /verify/{verify:Ada@x.org}`, `400  too late, or no token`}, // once only
	{"phone", `GET /email/{verify:Ada@x.org}`, `400  too late, or no token`},
	{"laptop", `POST /signup {"Email":"ada@x.org","Password":"x"}`, `400  there is such a user`},
	{"laptop", `POST /login {"Email":"ada@x.org","Password":"one"}`, `200  {"user":"ada@x.org"}`},
	{"laptop", `POST /me`, `200  {"maxAge":86400,"user":"ada@x.org","visited":true}`},
	{"phone", `POST /login {"Email":"ada@x.org","Password":"one","Keep":"yes"}`, `200  {"user":"ada@x.org"}`},
	{"phone", `POST /me`, `200  {"maxAge":7776000,"user":"ada@x.org","visited":true}`},
	{"bob", `POST /signup {"Email":"ada@x.org2","Password":"two"}`, `200  {"sent":"ada@x.org2"}`}, // whose name begins with Ada's
	{"bob", `GET /verify/{verify:ada@x.org2}`, `303 /welcome`},
	{"bob", `POST /login {"Email":"ada@x.org2","Password":"two"}`, `200  {"user":"ada@x.org2"}`},

	{"laptop", `POST /password {"Old":"wrong","Password":"three"}`, `400  wrong password`},
	{"laptop", `POST /password {"Old":"one","Password":"three"}`, `200  {"user":"ada@x.org"}`},
	{"laptop", `POST /me`, `200  {"maxAge":86400,"user":"ada@x.org","visited":true}`}, // stays signed in
	{"phone", `POST /me`, `401  not logged in`},                                       // and is not any more
	{"bob", `POST /me`, `200  {"maxAge":86400,"user":"ada@x.org2","visited":true}`},
	{"phone", `POST /login {"Email":"ada@x.org","Password":"one"}`, `400  wrong address or password`},
	{"phone", `POST /login {"Email":"ada@x.org","Password":"three"}`, `200  {"user":"ada@x.org"}`},
	{"", "restart", ""},
	{"phone", `POST /me`, `200  {"maxAge":86400,"user":"ada@x.org","visited":true}`},

	{"laptop", `POST /forgot {"Email":"nobody@x.org"}`, `400  there is no such user`},
	{"laptop", `POST /forgot {"Email":"ada@x.org"}`, `200  {"sent":"ada@x.org"}`},
	{"thief", `POST /recover {"Token":"{verify:Ada@x.org}","Password":"mine"}`, `400  too late, or no token`},
	{"thief", `POST /recover {"Token":"guessed","Password":"mine"}`, `400  too late, or no token`},
	{"tablet", `POST /recover {"Token":"{recover:ada@x.org}","Password":"four"}`, `200  {}`},
	{"thief", `POST /recover {"Token":"{recover:ada@x.org}","Password":"mine"}`, `400  too late, or no token`}, // used
	{"laptop", `POST /me`, `401  not logged in`},
	{"phone", `POST /me`, `401  not logged in`},
	{"bob", `POST /me`, `200  {"maxAge":86400,"user":"ada@x.org2","visited":true}`},
	{"tablet", `POST /login {"Email":"ada@x.org","Password":"four"}`, `200  {"user":"ada@x.org"}`},

	{"tablet", `POST /email {"Email":"lovelace@x.org","Password":"four"}`, `200  {"sent":"lovelace@x.org"}`},
	{"tablet", `POST /me`, `200  {"maxAge":86400,"user":"ada@x.org","visited":true}`}, // until the click
	{"phone", `GET /email/{email:lovelace@x.org}`, `303 /changed`},
	{"tablet", `POST /me`, `401  not logged in`},
	{"tablet", `POST /login {"Email":"ada@x.org","Password":"four"}`, `400  wrong address or password`},
	{"tablet", `POST /login {"Email":"lovelace@x.org","Password":"four"}`, `200  {"user":"lovelace@x.org"}`},
	{"tablet", `POST /login {"Email":"lovelace@x.org","Password":"four"}`, `200  {"user":"lovelace@x.org"}`}, // in place of the one from before
	{"tablet", `POST /logout`, `200  {}`},
	{"tablet", `POST /me`, `401  not logged in`},
	{"bob", `POST /logout`, `200  {}`},
	{"bob", `POST /logout`, `401  not logged in`},
	{"", `GET /backup`, "200  4 ada@x.org2\n4 lovelace@x.org\n5 ada@x.org\n5 ada@x.org2\n5 lovelace@x.org"},
}

// TestAccountServer: a program written for the older library runs with other import paths and
// nothing else changed, and its users see what they saw.
func TestAccountServer(t *testing.T) {
	for name, older := range map[string]bool{"the older library": true, "moved": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, build(t, older))
			for i, step := range story {
				if step.act == "restart" {
					s.stop()
					s.start()
					continue
				}
				if got := s.act(step.who, step.act); got != step.sees {
					t.Errorf("step %d, %s: %s\n\tsees  %q\n\twants %q", i, step.who, step.act, got, step.sees)
				}
			}
		})
	}
}
