package redisstore

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/sojourn-go/sojourn/redisstore/lua"
)

// rueidisDriver is [lua.Driver] over rueidis. Commands are built without its flags, so that it
// never sends one again by itself, nor to a replica.
type rueidisDriver struct{ client rueidis.Client }

var _ lua.Cacher = rueidisDriver{}

func (d rueidisDriver) build(cmd lua.Command) rueidis.Completed {
	return d.client.B().Arbitrary(cmd.Name).Args(cmd.Before...).Keys(cmd.Keys...).Args(cmd.After...).Build()
}

func (d rueidisDriver) Do(ctx context.Context, cmd lua.Command) ([]byte, error) {
	return rueidisBytes(d.client.Do(ctx, d.build(cmd)))
}

func rueidisBytes(r rueidis.RedisResult) ([]byte, error) {
	b, err := r.AsBytes()
	if err != nil {
		if rueidis.IsRedisNil(err) {
			return nil, nil
		}
		return nil, rueidisError(err)
	}
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

// rueidisError translates what rueidis says.
func rueidisError(err error) error {
	if answer, ok := rueidis.IsRedisErr(err); ok {
		return &lua.ServerError{Text: answer.Error()}
	}
	var op *net.OpError
	if errors.Is(err, rueidis.ErrNoSlot) || errors.As(err, &op) && op.Op == "dial" {
		return &lua.NotSentError{Cause: err}
	}
	return err
}

// FailsOver reports whether the client is to a cluster or Sentinel, and not to one server.
func (d rueidisDriver) FailsOver() bool { return d.client.Mode() != rueidis.ClientModeStandalone }

// DoWait runs on a goroutine of its own, since rueidis waits for a connection without a context.
// When ctx ends before one is there, the goroutine stays until then, and sends nothing.
func (d rueidisDriver) DoWait(ctx context.Context, cmd lua.Command, replicas int, timeout time.Duration) ([]byte, int, error) {
	var b []byte
	var acks int
	var err error
	var decided atomic.Bool // that it is sent, or that it is not
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = d.client.Dedicated(func(c rueidis.DedicatedClient) (err error) {
			if !decided.CompareAndSwap(false, true) {
				return nil
			}
			b, acks, err = rueidisWait(ctx, c, cmd, replicas, timeout)
			return err
		})
	}()
	select {
	case <-done:
	case <-ctx.Done():
		if decided.CompareAndSwap(false, true) {
			return nil, 0, &lua.NotSentError{Cause: ctx.Err()}
		}
		<-done
	}
	return b, acks, err
}

func rueidisWait(ctx context.Context, c rueidis.DedicatedClient, cmd lua.Command, replicas int, timeout time.Duration) ([]byte, int, error) {
	rs := c.DoMulti(ctx, c.B().Arbitrary(cmd.Name).Args(cmd.Before...).Keys(cmd.Keys...).Args(cmd.After...).Build(),
		c.B().Arbitrary("WAIT").Args(strconv.Itoa(replicas), strconv.FormatInt(timeout.Milliseconds(), 10)).Blocking())
	b, err := rueidisBytes(rs[0])
	if err != nil {
		return nil, 0, err
	}
	n, err := rs[1].AsInt64()
	return b, int(n), lost(err)
}

// lost is for an error after the write was answered: nobody knows what became of it.
func lost(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(errors.New("redis: no answer to WAIT"), err)
}

func (d rueidisDriver) Cached(ctx context.Context, key string, ttl time.Duration) ([]byte, error) {
	r := d.client.DoCache(ctx, d.client.B().Get().Key(key).Cache(), ttl)
	// Who waited for another's read, of which the answer came late, has an entry that is over
	// already.
	if at := r.CachePXAT(); at > 0 && at <= time.Now().UnixMilli() {
		return d.Do(ctx, lua.Command{Name: "GET", Keys: []string{key}})
	}
	return rueidisBytes(r)
}

func (d rueidisDriver) Masters(ctx context.Context) ([]lua.Node, error) {
	var nodes []lua.Node
	for _, c := range d.client.Nodes() {
		nodes = append(nodes, rueidisNode{c})
	}
	return masters(ctx, nodes, d.client.Mode() == rueidis.ClientModeCluster)
}

type rueidisNode struct{ client rueidis.Client }

func (n rueidisNode) Pipe(ctx context.Context, cmds ...[]string) ([]any, error) {
	build := make(rueidis.Commands, len(cmds))
	for i, c := range cmds {
		build[i] = n.client.B().Arbitrary(c...).Build()
	}
	answers := make([]any, len(cmds))
	for i, r := range n.client.DoMulti(ctx, build...) {
		v, err := r.ToAny()
		if err != nil && !rueidis.IsRedisNil(err) {
			err = rueidisError(err)
			var answer *lua.ServerError
			if !errors.As(err, &answer) {
				return nil, err
			}
			v = answer
		}
		answers[i] = v
	}
	return answers, nil
}
