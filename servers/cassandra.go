package servers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/probe"
	"github.com/sojourn-go/sojourn/servers/internal/programs"
)

var (
	//go:embed conf/cassandra.yaml
	cassandraYAML string
	//go:embed conf/logback.xml
	logbackXML string
	//go:embed conf/jvm.options
	jvmOptions string
)

// The usual ports; each cluster has addresses of its own.
const (
	cqlPort     = 9042
	storagePort = 7000
)

// CassandraOptions are options of [Cassandra].
type CassandraOptions struct {
	// Nodes is their number, 1 to 9; 0 means 1.
	Nodes int
	// Durable makes each write wait for the sync of the commit log, so that a killed node keeps
	// what it acknowledged. False syncs every ten seconds.
	Durable bool
	// Config are more lines of cassandra.yaml; they may not repeat a setting that is there. nil
	// adds none.
	Config []string
}

// Cassandra starts a cluster of Cassandra on loopback addresses of its own. The nodes come up one
// after another, about ten seconds each.
func Cassandra(ctx context.Context, opts *CassandraOptions) (*Cluster, error) {
	o := CassandraOptions{}
	if opts != nil {
		o = *opts
	}
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	began := time.Now()
	c := &Cluster{Name: "cassandra"}
	if o.Nodes < 0 || o.Nodes > 9 {
		return nil, fmt.Errorf("servers: cassandra: %d nodes, want 1 to 9", o.Nodes)
	}
	var hosts []string
	var err error
	for i := range o.Nodes {
		var s *Server
		s, err = launch(ctx, fmt.Sprint("cassandra ", i+1), func(ctx context.Context, s *Server) error {
			if hosts == nil { // the first node claims for all
				var err error
				if hosts, err = s.freeHosts(o.Nodes, cqlPort, storagePort); err != nil {
					return err
				}
			}
			return s.cassandraProcess(hosts[i], hosts[0], &o)
		})
		if err != nil {
			break
		}
		c.Nodes = append(c.Nodes, s)
	}
	if err == nil {
		err = c.acquainted(ctx)
	}
	c.URL = "cassandra://" + strings.Join(c.Addrs(), ",")
	return c.assemble(began, err)
}

func (s *Server) cassandraProcess(host, seed string, o *CassandraOptions) error {
	java, err1 := programs.Find(programs.Java)
	jars, err2 := programs.CassandraJars()
	data, err3 := s.dir.data(nil)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	var yaml strings.Builder
	err := template.Must(template.New("cassandra.yaml").Parse(cassandraYAML)).Execute(&yaml, map[string]any{
		"Seed": seed, "Host": host, "Port": cqlPort, "StoragePort": storagePort, "Data": data, "Durable": o.Durable,
	})
	if err != nil {
		return err
	}
	conf, err1 := s.dir.file("cassandra.yaml", yaml.String()+strings.Join(o.Config, "\n")+"\n")
	logback, err2 := s.dir.file("logback.xml", logbackXML)
	jvm, err3 := s.dir.file("jvm.options", jvmOptions)
	tmp := filepath.Join(s.dir.path, "tmp")
	if err := errors.Join(err1, err2, err3, os.Mkdir(tmp, 0o700)); err != nil {
		return err
	}
	s.Addr = join(host, cqlPort)
	s.URL = "cassandra://" + s.Addr
	s.again = 3 // on a busy machine a node may not hear of the others in the short time that we give it (ring_delay_ms)
	s.proc.command = from(java, "@"+jvm,
		"-Djava.io.tmpdir="+tmp, "-Djna.tmpdir="+tmp, "-Dcassandra.config=file://"+conf, "-Dcassandra.storagedir="+data,
		"-Dlogback.configurationFile="+logback, "-cp", filepath.Join(jars, "*"),
		"org.apache.cassandra.service.CassandraDaemon")
	s.proc.ready = func(ctx context.Context) (string, error) { return probe.CassandraVersion(ctx, s.Addr) }
	return nil
}

// acquainted waits until every node knows all others.
func (c *Cluster) acquainted(ctx context.Context) error {
	for _, s := range c.Nodes {
		err := until(ctx, func() error {
			peers, err := probe.Cassandra(ctx, s.Addr, "SELECT peer FROM system.peers")
			if err == nil && len(peers) != len(c.Nodes)-1 {
				err = fmt.Errorf("%s knows %d others", s.Name, len(peers))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
