package qsess

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/sojourn-go/sojourn"
)

// foreign is an engine over the program's own back-end. Its tokens are the back-end's ids, sealed.
type foreign struct {
	be          SessBackEnd
	sealer      sojourn.Sealer
	aad         []byte
	uidToClient bool
}

var tokenText = base64.RawURLEncoding.Strict()

func newForeign(be SessBackEnd, sealer sojourn.Sealer, bound string, uidToClient bool) (*foreign, error) {
	if be == nil {
		return nil, errors.New("NewStore was given no back-end")
	}
	return &foreign{be, sealer, []byte("qsess back-end v1\x00" + bound), uidToClient}, nil
}

func (e *foreign) token(id []byte, user string) (string, error) {
	plain := append(binary.AppendUvarint(nil, uint64(len(id))), id...)
	if e.uidToClient {
		plain = append(plain, user...)
	}
	sealed, err := e.sealer.Seal(nil, plain, e.aad)
	return tokenText.EncodeToString(sealed), err
}

func (e *foreign) open(token string) (id, uid []byte, err error) {
	sealed, err := tokenText.DecodeString(token)
	if err != nil {
		return nil, nil, ErrNoSession
	}
	plain, err := e.sealer.Open(nil, sealed, e.aad)
	if err != nil {
		return nil, nil, ErrNoSession
	}
	n, size := binary.Uvarint(plain)
	if size <= 0 || n > uint64(len(plain)-size) {
		return nil, nil, ErrNoSession
	}
	id = plain[size : size+int(n) : size+int(n)]
	return id, plain[size+int(n):], nil
}

// outage is what an error of the back-end is, if it says nothing else.
func outage(err, kind error) error {
	if err == nil || errors.Is(err, ErrNoSession) || errors.Is(err, ErrConflict) || sojourn.IsOutage(err) {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

func (e *foreign) create(_ context.Context, t *ticket, user string, c content, _ time.Duration) error {
	return e.save(t, nil, user, c)
}

func (e *foreign) save(t *ticket, id []byte, user string, c content) error {
	err := e.be.Save(&id, c.data, []byte(user), c.maxAge, c.minRefresh)
	if err != nil {
		return outage(err, sojourn.ErrIndeterminate)
	}
	token, err := e.token(id, user)
	if err == nil {
		t.token = token
	}
	return err
}

func (e *foreign) get(token string) (id []byte, user string, c content, ttl int, err error) {
	id, uid, err := e.open(token)
	if err != nil {
		return nil, "", c, 0, err
	}
	data, userID, ttl, maxAge, minRefresh, err := e.be.Get(id, uid)
	if err == nil && ttl <= 0 {
		err = ErrNoSession
	}
	return id, string(userID), content{maxAge, minRefresh, data}, ttl, outage(err, sojourn.ErrUnavailable)
}

func (e *foreign) load(_ context.Context, t *ticket) (user string, c content, ttl int, err error) {
	_, user, c, ttl, err = e.get(t.token)
	return user, c, ttl, err
}

func (e *foreign) update(_ context.Context, t *ticket, change func(*content) error) error {
	id, user, c, _, err := e.get(t.token)
	if err == nil {
		err = change(&c)
	}
	if err != nil {
		return err
	}
	return e.save(t, id, user, c)
}

func (e *foreign) end(_ context.Context, t *ticket) error {
	id, uid, err := e.open(t.token)
	if err == nil {
		err = outage(e.be.Delete(id, uid), sojourn.ErrIndeterminate)
	}
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	return err
}

func (e *foreign) endUser(_ context.Context, user string) error {
	return outage(e.be.DeleteByUserID([]byte(user)), sojourn.ErrIndeterminate)
}
