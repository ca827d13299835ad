package servers

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sojourn-go/sojourn/servers/internal/probe"
	"github.com/sojourn-go/sojourn/servers/internal/programs"
)

// ProxyOptions are options of [Nginx], [HAProxy] and [Caddy].
type ProxyOptions struct {
	// Config is the text of the configuration. In it PORT stands for the port that the proxy shall
	// listen on, a free one, and DIR for the folder of the server, where it can write. It has no
	// default.
	Config string
	// Files are more files to put into DIR, by name, such as certificates. nil means none.
	Files map[string]string
}

// Nginx starts nginx with the directives of a block http.
func Nginx(ctx context.Context, opts *ProxyOptions) (*Server, error) {
	o := *opts
	o.Config = "daemon off;\npid DIR/pid;\nerror_log stderr;\nUSER\nevents { }\nhttp {\naccess_log off;\n" +
		"client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;\n" +
		o.Config + "\n}\n"
	as := "" // the processes that serve have a user of their own only if the first is root's
	if os.Geteuid() == 0 {
		as = "user root;"
	}
	o.Config = strings.ReplaceAll(o.Config, "USER", as)
	return proxy(ctx, "nginx", programs.Nginx, &o, []string{"-v"}, func(dir, conf string) ([]string, []string) {
		return []string{"-p", dir, "-e", "stderr", "-c", conf}, nil
	})
}

// HAProxy starts HAProxy.
func HAProxy(ctx context.Context, opts *ProxyOptions) (*Server, error) {
	return proxy(ctx, "haproxy", programs.HAProxy, opts, []string{"-v"}, func(_, conf string) ([]string, []string) {
		return []string{"-db", "-f", conf}, nil
	})
}

// Caddy starts Caddy with a Caddyfile.
func Caddy(ctx context.Context, opts *ProxyOptions) (*Server, error) {
	return proxy(ctx, "caddy", programs.Caddy, opts, []string{"version"}, func(dir, conf string) ([]string, []string) {
		return []string{"run", "--config", conf, "--adapter", "caddyfile"}, []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_DATA_HOME=" + dir}
	})
}

// proxy starts a reverse proxy; args makes its arguments and environment.
func proxy(ctx context.Context, name string, program programs.Program, opts *ProxyOptions, version []string, args func(dir, conf string) (argv, env []string)) (*Server, error) {
	return launch(ctx, name, func(ctx context.Context, s *Server) error {
		found, err := programs.Find(program)
		if err != nil {
			return err
		}
		port, err := s.freePort(0)
		if err != nil {
			return err
		}
		fill := strings.NewReplacer("PORT", strconv.Itoa(port), "DIR", s.dir.path)
		for file, text := range opts.Files {
			if _, err := s.dir.file(file, text); err != nil {
				return err
			}
		}
		conf, err := s.dir.file(name+".conf", fill.Replace(opts.Config))
		if err != nil {
			return err
		}
		s.Addr = join(localhost, port)
		argv, env := args(filepath.Dir(conf), conf)
		s.proc.command = from(found, argv...)
		s.proc.env = append(s.proc.env[:len(s.proc.env):len(s.proc.env)], env...)
		s.proc.stop = syscall.SIGTERM
		ask := from(found, version...)
		s.proc.ready = func(ctx context.Context) (string, error) { return probe.Proxy(ctx, s.Addr, ask.argv, ask.env) }
		return nil
	})
}
