package shop

import (
	"io"
	"net"
	"strings"
	"testing"
)

// Where the port is taken the shop says how to choose another one.
func TestPortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = all.run(t.Context(), []string{"--addr", l.Addr().String(), "--store", "memory", "--data", t.TempDir()}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--addr=localhost:8081") {
		t.Error(err)
	}
}
