package qctx

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// WrappedRW notes what was written to a response. Everything that the writer below can do still
// works: by http.ResponseController through Unwrap, and by the old interfaces.
type WrappedRW struct {
	http.ResponseWriter
	WroteHeader bool // status and header are out
	WroteBody   bool // some of the body is out
	StatusCode  int  // valid if WroteHeader
}

// wrap puts a WrappedRW around the response, once.
func (c *Ctx) wrap() *WrappedRW {
	w, ok := c.W.(*WrappedRW)
	if !ok {
		w = &WrappedRW{ResponseWriter: c.W}
		c.W = w
	}
	return w
}

// WriteHeader sends the header. Only the first final status counts.
func (w *WrappedRW) WriteHeader(code int) {
	if code >= 200 || code == http.StatusSwitchingProtocols {
		w.header(code)
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *WrappedRW) header(code int) {
	if !w.WroteHeader {
		w.WroteHeader, w.StatusCode = true, code
	}
}

// Write sends some of the body.
func (w *WrappedRW) Write(data []byte) (int, error) {
	w.header(http.StatusOK)
	w.WroteBody = w.WroteBody || len(data) > 0
	return w.ResponseWriter.Write(data)
}

// ReadFrom sends what r has, by the quick way of the writer below.
func (w *WrappedRW) ReadFrom(r io.Reader) (int64, error) {
	w.header(http.StatusOK)
	n, err := io.Copy(w.ResponseWriter, r)
	w.WroteBody = w.WroteBody || n > 0
	return n, err
}

// Flush sends what is buffered, where the writer below can.
func (w *WrappedRW) Flush() { _ = w.FlushError() }

// FlushError is Flush that says whether it worked.
func (w *WrappedRW) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if err == nil {
		w.header(http.StatusOK)
	}
	return err
}

// Hijack hands over the connection, where the writer below can.
func (w *WrappedRW) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.header(http.StatusSwitchingProtocols)
	}
	return conn, rw, err
}

// Unwrap gives the writer below to http.ResponseController.
func (w *WrappedRW) Unwrap() http.ResponseWriter { return w.ResponseWriter }
