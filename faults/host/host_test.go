package host_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/sojourn-go/sojourn/faults/host"
	"github.com/sojourn-go/sojourn/faults/law"
	"github.com/sojourn-go/sojourn/memstore"
	"github.com/sojourn-go/sojourn/store"
)

// serve serves the store and returns a client of it.
func serve(t testing.TB, s store.Store) *host.Client {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	go host.Serve(lis, s)
	c, err := host.NewClient(t.Context(), func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", lis.Addr().String())
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestLaw works through a host, which changes nothing of what the law says of the store behind it.
func TestLaw(t *testing.T) {
	s, l := serve(t, memstore.New(nil)), law.NewLog()
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	law.Work(ctx, law.Load{Pause: time.Millisecond}, l.Watch(s))
	v, err := l.Judge(t.Context(), s)
	if err := errors.Join(err, v.Err()); err != nil {
		t.Error(err)
	}
	if l.Counts().Acked == 0 {
		t.Error("nothing was done")
	}
}

// bad answers with what the store before it would not.
type bad struct {
	store.Store
	err  error
	hang chan struct{}
}

func (b *bad) Delete(context.Context, store.Key) error { <-b.hang; return b.err }
func (b *bad) Get(context.Context, store.Key) (store.Record, time.Time, error) {
	<-b.hang
	return store.Record{}, time.Time{}, b.err
}

func TestErrors(t *testing.T) {
	both := fmt.Errorf("%w: %w", store.ErrFull, store.ErrConflict)
	b := &bad{memstore.New(nil), both, make(chan struct{})}
	c := serve(t, b)
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := c.Delete(ctx, store.Key{}); !errors.Is(err, store.ErrIndeterminate) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write whose answer does not come: %v", err)
	}
	if _, _, err := c.Get(ctx, store.Key{}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a read whose answer does not come: %v", err)
	}
	if err := c.Delete(ctx, store.Key{}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a write that came too late to be sent: %v", err)
	}
	close(b.hang)
	if err := c.Delete(t.Context(), store.Key{}); !errors.Is(err, store.ErrFull) || !errors.Is(err, store.ErrConflict) {
		t.Errorf("an error of two kinds arrives as %v", err)
	}
}

// TestNobody finds no host where it was.
func TestNobody(t *testing.T) {
	nowhere := func(context.Context) (net.Conn, error) { return nil, errors.New("nobody listens") }
	if _, err := host.NewClient(t.Context(), nowhere); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a host that is not there: %v", err)
	}
}
