package qsess

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sojourn-go/sojourn"
	"github.com/sojourn-go/sojourn/store"
)

// inside is what a Store and its copies share.
type inside struct {
	keep        store.Store // nil: backEnd
	backEnd     SessBackEnd
	uidToClient bool
	ring        *sojourn.KeyRing

	engines atomic.Pointer[[]bound] // few, mostly one
	mu      sync.Mutex              // of making one
}

// binding is what the tokens of an engine are bound to.
type binding struct {
	auth AuthTypeEnum
	name string // of the cookie
}

type bound struct {
	to binding
	engine
}

// bound returns the engine of a binding, nil if it is not made yet.
func (in *inside) bound(to binding) engine {
	if list := in.engines.Load(); list != nil {
		for i := range *list {
			if b := &(*list)[i]; b.to == to {
				return b.engine
			}
		}
	}
	return nil
}

func (b binding) String() string {
	if b.auth == CookieAuth {
		return "cookie " + b.name
	}
	return "token"
}

// engine keeps sessions under tokens. A token that does not open, or whose session is gone, is
// ErrNoSession.
type engine interface {
	create(ctx context.Context, t *ticket, user string, c content, age time.Duration) error // t is empty at first
	load(ctx context.Context, t *ticket) (user string, c content, ttl int, err error)
	update(ctx context.Context, t *ticket, change func(*content) error) error
	end(ctx context.Context, t *ticket) error
	endUser(ctx context.Context, user string) error
}

// ticket is what the client has of a session, and what its request has loaded.
type ticket struct {
	token string
	open  *sojourn.Session // nil: not loaded, or no more to be relied on
	found http.Request     // what the Manager finds the token in: here, for each request needs one
}

// engine gives the Store's engine, and makes it when it is first asked for.
func (st *Store) engine() (engine, error) {
	in := st.in
	if in == nil {
		return nil, badConfig("a Store comes from NewMapStore and its kin")
	}
	to := binding{auth: st.AuthType}
	if st.AuthType == CookieAuth {
		to.name = st.CookieName
	}
	if e := in.bound(to); e != nil {
		return e, nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if e := in.bound(to); e != nil {
		return e, nil
	}
	e, err := st.newEngine(to.String())
	if err != nil {
		return nil, err
	}
	list := []bound{{to, e}}
	if made := in.engines.Load(); made != nil {
		list = append(list, *made...)
	}
	in.engines.Store(&list)
	return e, nil
}

func (st *Store) newEngine(bound string) (e engine, err error) {
	sealer, err := st.sealer()
	if err != nil {
		return nil, err
	}
	if st.in.keep != nil {
		e, err = newManaged(st.in.keep, sealer, bound, st.MaxAgeSecs)
	} else {
		e, err = newForeign(st.in.backEnd, sealer, bound, st.in.uidToClient)
	}
	if err != nil {
		return nil, badConfig("%w", err)
	}
	return e, nil
}
