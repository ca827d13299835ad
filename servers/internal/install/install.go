// Package install brings what the servers need and the machine lacks.
package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/programs"
	"github.com/sojourn-go/sojourn/servers/internal/progress"
	"github.com/sojourn-go/sojourn/servers/internal/system"
)

type installer struct {
	board   *progress.Board
	cache   string
	machine machine
}

// A plan is what is missing.
type plan struct {
	debs map[programs.Source][]string
	jars bool
}

func (p *plan) add(missing []programs.Program) {
	for _, m := range missing {
		from := programs.Packages[m]
		for _, deb := range from.Debs {
			if !slices.Contains(p.debs[from.Source], deb) {
				p.debs[from.Source] = append(p.debs[from.Source], deb)
			}
		}
	}
}

func (p *plan) empty() bool { return len(p.debs) == 0 && !p.jars }

// look makes the plan for the servers, and for more programs.
func look(servers []string, more []programs.Program) *plan {
	p := &plan{debs: map[programs.Source][]string{}}
	for _, p2 := range more {
		if _, err := programs.Find(p2); err != nil {
			p.add([]programs.Program{p2})
		}
	}
	for _, server := range servers {
		missing, jars := programs.Missing(server)
		p.add(missing)
		p.jars = p.jars || jars
	}
	for tool, wanted := range map[programs.Program]bool{programs.Maven: p.jars, programs.Npm: len(p.debs[programs.NPM]) > 0} {
		if !wanted {
			continue
		}
		if _, err := programs.Find(tool); err != nil {
			p.add([]programs.Program{tool})
		}
	}
	return p
}

// Install brings all that the servers and the other programs need. It does nothing, and needs no
// network, where nothing is missing.
func Install(ctx context.Context, board *progress.Board, servers []string, more ...programs.Program) error {
	if look(servers, more).empty() {
		return nil
	}
	cache, err := programs.Cache()
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, board, cache)
	if err != nil {
		return err
	}
	defer unlock()
	p := look(servers, more) // another process may have done it meanwhile
	if p.empty() {
		return nil
	}
	if len(p.debs) > 0 && !hasApt() {
		return fmt.Errorf("no apt-get and dpkg-deb here (not a Debian system?): please install yourself: %s", p)
	}
	m, err := readMachine(ctx, p)
	if err != nil {
		return err
	}
	i := &installer{board, cache, m}
	if err := i.all(ctx, p); err != nil {
		return err
	}
	if p := look(servers, more); !p.empty() {
		return fmt.Errorf("installed, and still not found: %s", p)
	}
	return nil
}

// all does what can be done side by side.
func (i *installer) all(ctx context.Context, p *plan) error {
	var wg sync.WaitGroup
	errs := make([]error, 3)
	wg.Go(func() {
		if debs := p.debs[programs.System]; len(debs) > 0 {
			errs[0] = i.system(ctx, debs)
		}
		if errs[0] == nil && p.jars { // Maven may have come only now
			errs[0] = i.cassandra(ctx)
		}
		for _, name := range p.debs[programs.NPM] {
			if errs[0] == nil {
				errs[0] = i.npm(ctx, name)
			}
		}
	})
	for n, from := range map[int]programs.Source{1: programs.OwnDeb, 2: programs.NextDeb} {
		debs, dir := p.debs[from], programs.Own
		if from == programs.NextDeb {
			dir = programs.Next
		}
		if len(debs) > 0 {
			wg.Go(func() { errs[n] = i.unpack(ctx, dir, debs) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Possible reports whether this system has the means to bring what the server needs; where it has
// all already, it does.
func Possible(server string) bool {
	p := look([]string{server}, nil)
	switch {
	case len(p.debs) == 0:
		return true
	case !hasApt():
		return false
	}
	_, err := debianCodename()
	return err == nil || len(p.debs[programs.NextDeb]) == 0
}

func hasApt() bool {
	_, err1 := exec.LookPath("apt-get")
	_, err2 := exec.LookPath("dpkg-deb")
	return err1 == nil && err2 == nil
}

// String names what is missing, as packages.
func (p *plan) String() string {
	var all []string
	for _, from := range []programs.Source{programs.System, programs.OwnDeb, programs.NextDeb, programs.NPM} {
		all = append(all, p.debs[from]...)
	}
	if p.jars {
		all = append(all, "the jars of Cassandra "+programs.CassandraVersion)
	}
	return strings.Join(all, " ")
}

// lock waits until no other process installs into the cache.
func lock(ctx context.Context, board *progress.Board, cache string) (unlock func(), err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(cache, "lock"))
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		ours, err := system.Lock(f)
		if err != nil {
			f.Close()
			return nil, err
		}
		if ours {
			return func() { f.Close() }, nil
		}
		if !told {
			board.Printf("another process installs into %s; waiting", cache)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>sojourn</groupId><artifactId>cassandra</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>%s</version></dependency></dependencies>
</project>
`

// cassandra downloads the jars of Cassandra and of all that it needs.
func (i *installer) cassandra(ctx context.Context) (err error) {
	t := i.board.Task("cassandra", "downloading the jars of "+programs.CassandraVersion+" with Maven")
	defer func() { t.End("downloaded", err) }()
	mvn, err := programs.Find(programs.Maven)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(i.cache, "maven-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	file, jars := filepath.Join(work, "pom.xml"), filepath.Join(work, "jars")
	if err := os.WriteFile(file, fmt.Appendf(nil, pom, programs.CassandraVersion), 0o644); err != nil {
		return err
	}
	for range 3 { // what a failed try has downloaded stays in Maven's repository
		err = run(ctx, nil, nil, append(mvn.Argv, "-q", "-B", "-f", file, "dependency:copy-dependencies", "-DoutputDirectory="+jars)...)
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(jars, filepath.Join(i.cache, "cassandra-"+programs.CassandraVersion))
}
