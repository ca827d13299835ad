// Package shop is a small web shop that shows what sojourn does. All its pages are plain forms and
// work without JavaScript. Each program of it brings the drivers of some stores: so a reader who
// tries it builds no driver that is not used.
package shop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Main runs the shop as a program with these drivers, until it is interrupted.
func Main(d Drivers) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := d.run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// run serves the shop until ctx ends.
func (d Drivers) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var c config
	flags.StringVar(&c.addr, "addr", "localhost:8080", "`address` to listen on; sessions travel over loopback only")
	flags.StringVar(&c.store, "store", "disk:shop-data/sessions", storeUsage)
	flags.StringVar(&c.data, "data", "shop-data", "`folder` of orders, addresses and keys; several processes that are one shop share it")
	flags.DurationVar(&c.fresh, "fresh", 2*time.Minute, "how long a sign-in opens the account page without asking again")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(c.data, 0o700); err != nil {
		return err
	}
	b, err := d.open(ctx, c.store, c.data)
	if err != nil {
		return err
	}
	err = openShop(ctx, b, c, stdout, stderr)
	return errors.Join(err, b.close())
}

// config is what the flags say.
type config struct {
	addr, store, data string
	fresh             time.Duration
}

// openShop makes the shop and serves it.
func openShop(ctx context.Context, b backend, c config, stdout, stderr io.Writer) error {
	sh, err := newShop(b, c.data, c.fresh, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: choose another address with --addr=localhost:8081 (make demo ARGS=--addr=localhost:8081)", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "The shop is open at http://%s (sessions: %s). Ctrl-C closes it.\n", visible(c.addr, l), b.name)
	return serve(ctx, l, sh)
}

// visible is what a browser on this machine should open.
func visible(addr string, l net.Listener) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port)
}

// serve answers requests and sweeps expired sessions until ctx ends, and lets requests under way
// finish.
func serve(ctx context.Context, l net.Listener, sh *shop) error {
	server := &http.Server{Handler: sh.routes(), ReadHeaderTimeout: 10 * time.Second}
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { _ = sh.web.RunSweeper(ctx, time.Minute) }) // ends with ctx; failures go to the observer
	background.Go(func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	cancel()
	background.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
