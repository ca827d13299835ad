package host

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Client is the store of a host, as the driver of a server would be: a call that could not be sent
// is [store.ErrUnavailable], and a write whose answer is lost [store.ErrIndeterminate]. It is safe
// for concurrent use.
type Client struct {
	dial   func(context.Context) (net.Conn, error)
	traits store.Traits

	mu   sync.Mutex
	idle []*link
}

var _ store.Store = (*Client)(nil)

// link is a connection.
type link struct {
	net.Conn
	in  *gob.Decoder
	out *gob.Encoder
}

// NewClient asks the host for its traits. dial connects to it.
func NewClient(ctx context.Context, dial func(context.Context) (net.Conn, error)) (*Client, error) {
	c := &Client{dial: dial}
	r, err := c.call(ctx, &request{Op: opTraits})
	if err != nil {
		return nil, err
	}
	c.traits = r.Traits
	c.traits.Local, c.traits.Push = false, false // the way to it takes time, and carries no Watch
	return c, nil
}

// Close closes the connections that no call uses.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.idle {
		l.Close()
	}
	c.idle = nil
	return nil
}

// take returns a connection that is free, or a new one.
func (c *Client) take(ctx context.Context) (*link, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		l := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return l, nil
	}
	c.mu.Unlock()
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("host: connect: %w: %w", store.ErrUnavailable, err)
	}
	return &link{conn, gob.NewDecoder(conn), gob.NewEncoder(conn)}, nil
}

// call sends a request and waits for its answer, until ctx ends.
func (c *Client) call(ctx context.Context, q *request) (*reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("host: not sent: %w: %w", store.ErrUnavailable, err)
	}
	l, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		q.Left = max(time.Until(end), 1)
	}
	stop := context.AfterFunc(ctx, func() { l.SetDeadline(time.Unix(1, 0)) })
	var r reply
	err = l.out.Encode(q)
	if err == nil {
		err = l.in.Decode(&r)
	}
	if !stop() || err != nil {
		l.Close()
	} else {
		c.mu.Lock()
		c.idle = append(c.idle, l)
		c.mu.Unlock()
	}
	if err != nil {
		return nil, lost(q.Op, errors.Join(ctx.Err(), err))
	}
	return &r, r.Fault.err()
}

// Traits are those of the host's store, which is no longer in this process.
func (c *Client) Traits() store.Traits { return c.traits }

// Create calls the host.
func (c *Client) Create(ctx context.Context, rec store.Record, adm store.Admission) (store.Admitted, error) {
	r, err := c.call(ctx, &request{Op: opCreate, Rec: rec, Max: adm.Max, Evict: adm.Evict, Age: adm.Age(), Known: adm.Known})
	if err != nil {
		return store.Admitted{}, err
	}
	return r.Admitted, nil
}

// Get calls the host.
func (c *Client) Get(ctx context.Context, key store.Key) (store.Record, time.Time, error) {
	r, err := c.call(ctx, &request{Op: opGet, Key: key})
	if err != nil {
		return store.Record{}, time.Time{}, err
	}
	return r.Records[0], r.Now, nil
}

// Update calls the host.
func (c *Client) Update(ctx context.Context, rec store.Record, ifVersion uint64) error {
	_, err := c.call(ctx, &request{Op: opUpdate, Rec: rec, Version: ifVersion})
	return err
}

// Touch calls the host.
func (c *Client) Touch(ctx context.Context, rec store.Record, every time.Duration) error {
	_, err := c.call(ctx, &request{Op: opTouch, Rec: rec, Every: every})
	return err
}

// Rotate calls the host.
func (c *Client) Rotate(ctx context.Context, old store.Key, ifVersion uint64, rec store.Record, tail *store.Record) error {
	_, err := c.call(ctx, &request{Op: opRotate, Key: old, Version: ifVersion, Rec: rec, Tail: tail})
	return err
}

// Delete calls the host.
func (c *Client) Delete(ctx context.Context, key store.Key) error {
	_, err := c.call(ctx, &request{Op: opDelete, Key: key})
	return err
}

// Revoke calls the host.
func (c *Client) Revoke(ctx context.Context, user string, sel store.Selection) (store.Revoked, error) {
	r, err := c.call(ctx, &request{Op: opRevoke, User: user, Sel: sel})
	if err != nil {
		return store.Revoked{}, err
	}
	return r.Revoked, nil
}

// Sweep calls the host.
func (c *Client) Sweep(ctx context.Context, limit int) (int, error) {
	r, err := c.call(ctx, &request{Op: opSweep, Limit: limit})
	if err != nil {
		return 0, err
	}
	return r.N, nil
}

// User yields what the host had at one moment.
func (c *Client) User(ctx context.Context, user string) iter.Seq2[store.Record, error] {
	return c.walk(ctx, &request{Op: opUser, User: user})
}

// All yields what the host had at one moment.
func (c *Client) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return c.walk(ctx, &request{Op: opAll})
}

func (c *Client) walk(ctx context.Context, q *request) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		r, err := c.call(ctx, q)
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		for _, rec := range r.Records {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// Watch fails: a host does not push.
func (c *Client) Watch(context.Context, func(store.Ending)) error { return errors.ErrUnsupported }
