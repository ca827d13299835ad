package shop

import (
	"bufio"
	"io"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// asShop makes this program, which is the test, run as the shop.
const asShop = "SHOP_TEST_RUNS_AS_SHOP"

func TestMain(m *testing.M) {
	if os.Getenv(asShop) != "" {
		Main(all)
		return
	}
	os.Exit(m.Run())
}

// TestPair puts two processes of the shop behind one port, whose requests go to one and the other
// in turn, and does there in a browser what a visitor does. Nothing may differ from a shop that is
// one process.
func TestPair(t *testing.T) {
	browser := chromium(t)
	for _, name := range []string{"disk", "sqlite", "SOJOURN_REDIS_CLUSTER", "SOJOURN_POSTGRES", "SOJOURN_MYSQL", "SOJOURN_MARIADB", "SOJOURN_CASSANDRA"} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			where := name + ":" + filepath.Join(data, "sessions")
			if !slices.Contains(files(), name) {
				where = server(t, name)
			}
			base := servePair(t, where, data)
			b, err := all.open(t.Context(), where, data)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := b.close(); err != nil {
					t.Error(err)
				}
			})
			sh, err := newShop(b, data, time.Minute, testLog(t))
			if err != nil {
				t.Fatal(err)
			}
			forget(t, sh)
			newVisit(t, sh, name, base, browser).all()
		})
	}
}

// servePair gives the URL of the port.
func servePair(t *testing.T, where, data string) string {
	t.Helper()
	var shops []*url.URL
	for range 2 {
		shops = append(shops, startShop(t, "--addr", "localhost:0", "--store", where, "--data", data, "--fresh", "4s"))
	}
	var turn atomic.Int64
	var asked [2]atomic.Int64
	t.Cleanup(func() {
		if a, b := asked[0].Load(), asked[1].Load(); a < 10 || b < 10 {
			t.Errorf("one process answered %d requests and the other %d", a, b)
		}
	})
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			i := turn.Add(1) % 2
			asked[i].Add(1)
			r.SetURL(shops[i])
			r.Out.Host = r.In.Host // the shop is called as the port is
		},
	})
	t.Cleanup(front.Close)
	_, port, _ := net.SplitHostPort(front.Listener.Addr().String())
	return "http://localhost:" + port
}

var opened = regexp.MustCompile(`http://\S+`)

// startShop starts a process of the shop, which ends with the test, and gives its address.
func startShop(t *testing.T, args ...string) *url.URL {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asShop+"=yes")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("interrupt: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the shop ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	at, parseErr := url.Parse(opened.FindString(line))
	if err != nil || parseErr != nil || at.Host == "" {
		t.Fatalf("the shop says %q, %v", line, err)
	}
	go io.Copy(io.Discard, out)
	return at
}
