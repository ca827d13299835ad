package proxies

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/servers"
)

// beginners are configurations as each proxy's own documentation begins: TLS, one name, one
// program.
var beginners = map[string]string{
	"nginx": `server {
    listen 443 ssl;
    server_name shop.example.com;
    ssl_certificate /etc/ssl/shop.pem;
    ssl_certificate_key /etc/ssl/shop.key;
    location / {
        proxy_pass http://localhost:8080;
    }
}
`,
	"haproxy": `frontend shop
    mode http
    bind :443 ssl crt /etc/ssl/shop.pem
    default_backend app
backend app
    mode http
    server app 127.0.0.1:8080
`,
	"caddy": `shop.example.com {
    reverse_proxy localhost:8080
}
`,
}

// The README's program behind a proxy as its documentation begins signs in, or says in the log
// which lines to add; and with these it signs in.
func TestQuickstart(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			source, err := os.ReadFile("../examples/quickstart/main.go")
			if err != nil {
				t.Fatal(err)
			}
			program, config := string(source), beginners[p.name]
			for try := range 4 {
				signedIn, log := attempt(t, p, program, config)
				if signedIn {
					t.Logf("%s: signed in at try %d with\n%s", p.name, try+1, config)
					return
				}
				before := program + config
				program, config = heed(t, p, log, program, config)
				if program+config == before {
					t.Fatalf("not signed in, and the log says of no line to add:\n%s", log)
				}
			}
			t.Fatal("not signed in, whatever the log said was done")
		})
	}
}

// attempt runs the program behind the proxy and reports whether a browser gets to be signed in, and
// what the program has logged.
func attempt(t *testing.T, p program, source, config string) (signedIn bool, log string) {
	t.Helper()
	l := listen(t, "tcp", "localhost:0")
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	stop, logged := start(t, strings.ReplaceAll(source, "localhost:8080", "localhost:"+port), addr)
	defer stop()
	proxy := front(t, p, config, p.overTLS, addr)
	b := newBrowser(t, proxy, "https")
	b.send(t, "GET", "/")
	b.send(t, "POST", "/login")
	_, page := b.send(t, "GET", "/")
	for _, c := range b.Jar.Cookies(mustURL(t, "http://"+strings.TrimPrefix(b.origin, "https://")+"/")) {
		if strings.Contains(page, `Hello "ada"`) {
			t.Errorf("%s: signed in with the cookie %s, which travels over plain HTTP, too", p.name, c.Name)
		}
	}
	return strings.Contains(page, `Hello "ada"`), logged.String()
}

// start builds the program and runs it until it answers.
func start(t *testing.T, source, addr string) (stop func(), log *lockedBuffer) {
	t.Helper()
	dir := t.TempDir()
	file, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "quickstart")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, file)
	build.Dir, build.Env = "..", append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, source)
	}
	log = newLockedBuffer()
	cmd := exec.Command(binary)
	cmd.Stdout, cmd.Stderr = log, log
	if err := servers.Harness(cmd); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return stop, log
		}
		if time.Now().After(deadline) {
			stop()
			t.Fatalf("the program does not answer:\n%s", log)
		}
	}
}

var (
	option  = regexp.MustCompile(`add (netip\.MustParsePrefix\("[^"]+"\)) to Options\.TrustedProxies`)
	setting = regexp.MustCompile(`(nginx|HAProxy): "([^"]+)"`)
)

// heed does what the log says, and no more.
func heed(t *testing.T, p program, log, program, config string) (string, string) {
	t.Helper()
	log = strings.ReplaceAll(log, `\"`, `"`)
	if strings.Contains(log, "drop InsecureLoopbackHTTP") {
		program = regexp.MustCompile(`(?m)^\s*InsecureLoopbackHTTP:.*\n`).ReplaceAllString(program, "")
	}
	if m := option.FindStringSubmatch(log); m != nil && !strings.Contains(program, m[1]) {
		program = strings.Replace(program, "&sojourn.Options{\n", fmt.Sprintf("&sojourn.Options{\nTrustedProxies: []netip.Prefix{%s},\n", m[1]), 1)
		program = strings.Replace(program, `"net/http"`, "\"net/http\"\n\"net/netip\"", 1)
	}
	for _, m := range setting.FindAllStringSubmatch(log, -1) {
		if !strings.EqualFold(m[1], p.name) || strings.Contains(config, m[2]) {
			continue
		}
		after := map[string]string{"nginx": "location / {\n", "haproxy": "/etc/ssl/shop.pem\n"}[p.name]
		config = strings.Replace(config, after, after+m[2]+"\n", 1)
	}
	return program, config
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
