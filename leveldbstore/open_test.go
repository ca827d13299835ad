package leveldbstore

import (
	"testing"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
)

func TestOpen(t *testing.T) {
	kvtest.OpenTwice(t, func(dir string) (kvtest.Closer, error) { return Open(dir, nil) })
}

// A disk that fills up refuses new sessions; reading, touching and ending go on.
func TestOpenFullDisk(t *testing.T) {
	st, err := Open(kvtest.SmallDisk(t, 192), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(kvtest.Full(t, st), "sessions of 40 kB")
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
