package qsess

import (
	"encoding/binary"
	"errors"

	"github.com/sojourn-go/sojourn"
)

// content is what a session keeps.
type content struct {
	maxAge, minRefresh int
	data               []byte
}

// slot is the one value of a session. Everything of the older library is in it.
var slot = sojourn.NewValue[content]("qsess")

// codec is how content is stored: MaxAgeSecs and MinRefreshSecs as varints, then the data.
type codec struct{}

func (codec) Append(b []byte, p any) ([]byte, error) {
	c := p.(*content)
	b = binary.AppendVarint(binary.AppendVarint(b, int64(c.maxAge)), int64(c.minRefresh))
	return append(b, c.data...), nil
}

func (codec) Decode(b []byte, p any) error {
	c := p.(*content)
	for _, to := range []*int{&c.maxAge, &c.minRefresh} {
		n, size := binary.Varint(b)
		if size <= 0 || int64(int(n)) != n {
			return errors.New("qsess: stored session is malformed")
		}
		*to, b = int(n), b[size:]
	}
	c.data = append([]byte(nil), b...)
	return nil
}
