package main

// Docker stands in for programs that cannot be had otherwise: on a system without apt-get, or for
// MySQL and Valkey on one that is not Debian. Its images are those of the engines' makers. Clusters
// and PgBouncer are not covered, for their nodes tell clients addresses that hold only inside of
// Docker's network.

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/sojourn-go/sojourn/servers/internal/install"
	"github.com/sojourn-go/sojourn/servers/internal/probe"
)

// An image is how one kind of server runs in Docker.
type image struct {
	name string
	port string // inside
	env  []string
	args []string
	url  string // %s is the address
	ask  func(ctx context.Context, addr string) (version string, err error)
}

var (
	redisArgs = []string{"--appendonly", "yes", "--appendfsync", "always"}
	images    = map[string]image{
		"redis":  {"redis:7", "6379", nil, append([]string{"redis-server"}, redisArgs...), "redis://%s", probe.RedisVersion},
		"valkey": {"valkey/valkey:9", "6379", nil, append([]string{"valkey-server"}, redisArgs...), "redis://%s", probe.RedisVersion},
		"postgres": {
			"postgres:15", "5432", []string{"POSTGRES_USER=sojourn", "POSTGRES_DB=sojourn", "POSTGRES_HOST_AUTH_METHOD=trust"},
			[]string{"-c", "max_connections=300"}, "postgres://sojourn@%s/sojourn?sslmode=disable",
			func(ctx context.Context, addr string) (string, error) {
				return probe.PostgresVersion(ctx, addr, "sojourn", "sojourn")
			},
		},
		"mysql": {
			"mysql:9", "3306", []string{"MYSQL_ALLOW_EMPTY_PASSWORD=yes", "MYSQL_DATABASE=sojourn"}, nil,
			"mysql://root@%s/sojourn", probe.MySQL,
		},
		"mariadb": {
			"mariadb:10.11", "3306", []string{"MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1", "MARIADB_DATABASE=sojourn"}, nil,
			"mysql://root@%s/sojourn", probe.MySQL,
		},
	}
)

// dockerWithin bounds the download of an image and its start.
const dockerWithin = 5 * time.Minute

// dockerAnswers reports whether there is an engine, and not only the client.
func dockerAnswers(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Output()
	return err == nil && len(strings.TrimSpace(string(out))) > 0
}

// byDocker reports whether a server has to and can come from Docker.
func byDocker(ctx context.Context, k kind) bool {
	_, known := images[k.name]
	return known && !install.Possible(k.name) && dockerAnswers(ctx)
}

// A container is one that we started. It is removed when it is closed; a run that is killed with
// SIGKILL leaves it, for it is a child of Docker and not of ours.
type container string

// Close ends the container and removes it with its data.
func (c container) Close() error {
	_, err := docker(context.Background(), "rm", "--force", "--volumes", string(c))
	return err
}

// inDocker starts a server of the kind from its image.
func (f *fleet) inDocker(ctx context.Context, kind string) (*running, error) {
	img := images[kind]
	ctx, cancel := context.WithTimeout(ctx, dockerWithin)
	defer cancel()
	began := time.Now()
	args := []string{"run", "--detach", "--publish", "127.0.0.1::" + img.port}
	for _, v := range img.env {
		args = append(args, "--env", v)
	}
	id, err := docker(ctx, append(append(args, img.name), img.args...)...)
	if err != nil {
		return nil, err
	}
	f.keep(container(id))
	addr, err := docker(ctx, "port", id, img.port+"/tcp")
	if err != nil {
		return nil, err
	}
	for {
		version, err := img.ask(ctx, addr)
		if err == nil {
			return &running{version: version + " (docker)", addr: addr, url: fmt.Sprintf(img.url, addr), took: time.Since(began)}, nil
		}
		select {
		case <-ctx.Done():
			log, _ := docker(context.Background(), "logs", "--tail", "25", id)
			return nil, fmt.Errorf("%s: no answer: %w (the last: %w)\n%s", img.name, ctx.Err(), err, log)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// docker runs the client and returns what it prints. It shows the download of an image on its
// standard error, so an id or an address stands alone.
func docker(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w\n%s", args[0], err, errors.String())
	}
	return strings.TrimSpace(string(out)), nil
}
