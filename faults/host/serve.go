package host

import (
	"context"
	"encoding/gob"
	"iter"
	"net"
	"time"

	"github.com/sojourn-go/sojourn/store"
)

// Serve answers calls of the store, one at a time on each connection, until the listener fails.
func Serve(lis net.Listener, s store.Store) error {
	for {
		c, err := lis.Accept()
		if err != nil {
			return err
		}
		go answer(c, s)
	}
}

func answer(c net.Conn, s store.Store) {
	defer c.Close()
	in, out := gob.NewDecoder(c), gob.NewEncoder(c)
	for {
		var q request
		if in.Decode(&q) != nil || out.Encode(q.do(s)) != nil {
			return // the other side has gone
		}
	}
}

// do carries the call out. It outlives its caller, as a server's does, but not the caller's
// patience.
func (q *request) do(s store.Store) *reply {
	ctx := context.Background()
	if q.Left > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, q.Left)
		defer stop()
	}
	var r reply
	var err error
	switch q.Op {
	case opTraits:
		r.Traits = s.Traits()
	case opCreate:
		adm := store.Admission{Max: q.Max, Evict: q.Evict, Known: q.Known}
		if q.Age != 0 {
			adm.Began = time.Now().Add(-q.Age)
		}
		r.Admitted, err = s.Create(ctx, q.Rec, adm)
	case opGet:
		var rec store.Record
		rec, r.Now, err = s.Get(ctx, q.Key)
		r.Records = []store.Record{rec}
	case opUpdate:
		err = s.Update(ctx, q.Rec, q.Version)
	case opTouch:
		err = s.Touch(ctx, q.Rec, q.Every)
	case opRotate:
		err = s.Rotate(ctx, q.Key, q.Version, q.Rec, q.Tail)
	case opDelete:
		err = s.Delete(ctx, q.Key)
	case opUser:
		r.Records, err = collect(s.User(ctx, q.User))
	case opRevoke:
		r.Revoked, err = s.Revoke(ctx, q.User, q.Sel)
	case opSweep:
		r.N, err = s.Sweep(ctx, q.Limit)
	case opAll:
		r.Records, err = collect(s.All(ctx))
	}
	r.Fault = faultOf(err)
	return &r
}

func collect(all iter.Seq2[store.Record, error]) (recs []store.Record, err error) {
	for rec, err := range all {
		if err != nil {
			return recs, err
		}
		recs = append(recs, rec)
	}
	return recs, nil
}
