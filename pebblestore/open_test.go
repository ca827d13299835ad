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
