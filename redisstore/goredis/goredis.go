// Package goredis keeps sessions in Redis or Valkey on a go-redis client that the program already
// has, to one server, Sentinel or a cluster:
//
//	st, err := goredis.New(client, nil)
//
// Everything that the store promises stands in package redisstore, whose client, rueidis, does not
// get into the program. rueidis sends what waits at the same moment in one system call; go-redis
// uses a connection for each call, which costs about half of the rate under load. Cached reads
// (Options.CacheFor) need rueidis.
//
// The client's own retries are not used for this store's commands, whatever MaxRetries says: a
// command that was sent twice without telling would make "surely not applied" a guess.
package goredis

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sojourn-go/sojourn/redisstore/lua"
)

type (
	// Options tunes a [Store]; see [lua.Options].
	Options = lua.Options
	// Store is a store in Redis or Valkey; see [lua.Store].
	Store = lua.Store
)

// New makes a store on a client, which the caller made and will close after the last call: a
// [*redis.Client] (also to Sentinel) or a [*redis.ClusterClient]. It sends nothing. It fails for
// other clients, for one that reads from replicas, since they may be behind, and where [lua.New]
// does.
func New(client redis.UniversalClient, opts *Options) (*Store, error) {
	d := driver{client: client}
	missing := errors.New("goredis: New needs a *redis.Client or a *redis.ClusterClient")
	switch c := client.(type) {
	case *redis.Client:
		if c == nil {
			return nil, missing
		}
		d.single = c
	case *redis.ClusterClient:
		if c == nil {
			return nil, missing
		}
		if c.Options().ReadOnly {
			return nil, errors.New("goredis: the client reads from replicas (ReadOnly, RouteByLatency or RouteRandomly), which may be behind")
		}
		d.cluster = c
	default:
		return nil, missing
	}
	return lua.New(d, opts)
}

// driver is a [lua.Driver]; one of single and cluster is client.
type driver struct {
	client  redis.UniversalClient
	single  *redis.Client
	cluster *redis.ClusterClient
}

// FailsOver reports whether the client is to a cluster or Sentinel, and not to one server. A client
// that [redis.NewFailoverClient] made has that name for an address.
func (d driver) FailsOver() bool {
	return d.cluster != nil || d.single.Options().Addr == "FailoverClient"
}

// once is a command that go-redis does not send again by itself.
type once struct{ *redis.StringCmd }

// NoRetry overrides go-redis's own.
func (once) NoRetry() bool { return true }

func newOnce(ctx context.Context, cmd lua.Command) once {
	args := make([]any, 0, 1+len(cmd.Before)+len(cmd.Keys)+len(cmd.After))
	args = append(args, cmd.Name)
	for _, list := range [...][]string{cmd.Before, cmd.Keys, cmd.After} {
		for _, a := range list {
			args = append(args, a)
		}
	}
	c := once{redis.NewStringCmd(ctx, args...)}
	c.SetFirstKeyPos(int8(1 + len(cmd.Before)))
	return c
}

func (c once) bytes() ([]byte, error) {
	b, err := c.Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err == nil && b == nil {
		b = []byte{}
	}
	return b, translate(err)
}

// translate says what an error means to the store.
func translate(err error) error {
	var answer redis.Error
	var op *net.OpError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer):
		return &lua.ServerError{Text: answer.Error()}
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted), errors.As(err, &op) && op.Op == "dial":
		return &lua.NotSentError{Cause: err}
	}
	return err
}

func (d driver) Do(ctx context.Context, cmd lua.Command) ([]byte, error) {
	c := newOnce(ctx, cmd)
	_ = d.client.Process(ctx, c) // the error is the command's
	return c.bytes()
}

func (d driver) DoWait(ctx context.Context, cmd lua.Command, replicas int, timeout time.Duration) ([]byte, int, error) {
	node := d.single
	if d.cluster != nil {
		var err error
		if node, err = d.cluster.MasterForKey(ctx, cmd.Keys[0]); err != nil {
			return nil, 0, &lua.NotSentError{Cause: err}
		}
	}
	c := newOnce(ctx, cmd)
	wait := redis.NewIntCmd(ctx, "WAIT", replicas, timeout.Milliseconds())
	pipe := node.WithTimeout(timeout + max(node.Options().ReadTimeout, time.Second)).Pipeline()
	_ = pipe.Process(ctx, c)
	_ = pipe.Process(ctx, wait)
	_, _ = pipe.Exec(ctx) // errors are the commands'
	b, err := c.bytes()
	if err != nil {
		if d.cluster != nil {
			d.cluster.ReloadState(ctx) // the slot may have moved
		}
		return nil, 0, err
	}
	n, err := wait.Result()
	if err != nil {
		return nil, 0, errors.Join(errors.New("redis: no answer to WAIT"), err)
	}
	return b, int(n), nil
}

func (d driver) Masters(ctx context.Context) ([]lua.Node, error) {
	if d.single != nil {
		return []lua.Node{node{d.single}}, nil
	}
	var mu sync.Mutex
	var nodes []lua.Node
	err := d.cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, node{c})
		return nil
	})
	return nodes, translate(err)
}

type node struct{ client *redis.Client }

func (n node) Pipe(ctx context.Context, cmds ...[]string) ([]any, error) {
	pipe := n.client.Pipeline()
	sent := make([]*redis.Cmd, len(cmds))
	for i, c := range cmds {
		args := make([]any, len(c))
		for j := range c {
			args[j] = c[j]
		}
		sent[i] = pipe.Do(ctx, args...)
	}
	_, _ = pipe.Exec(ctx)
	answers := make([]any, len(cmds))
	for i, c := range sent {
		v, err := c.Result()
		var answer *lua.ServerError
		switch err = translate(err); {
		case errors.Is(err, redis.Nil):
		case errors.As(err, &answer):
			v = answer
		case err != nil:
			return nil, err
		}
		answers[i] = v
	}
	return answers, nil
}
