package pebblestore

import (
	"io"
	"testing"

	"github.com/sojourn-go/sojourn/kvstore/kvtest"
	"github.com/sojourn-go/sojourn/store"
)

func TestOpen(t *testing.T) {
	kvtest.OpenTwice(t, func(dir string) (store.Store, io.Closer, error) { return Open(dir, nil) })
}

// A disk that fills up refuses new sessions; reading, touching and ending go on.
func TestOpenFullDisk(t *testing.T) {
	st, closer, err := Open(kvtest.SmallDisk(t, 128), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(kvtest.Full(t, st), "sessions of 40 kB")
	if err := closer.Close(); err != nil {
		t.Error(err)
	}
}
