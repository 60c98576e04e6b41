package api_test

import (
	"io"
	"net/http"
	"testing"

	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// endless is a body of blanks without an end, which JSON allows before its first brace. It counts what was read.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.read += len(b)
	return len(b), nil
}

func (e *endless) Close() error { return nil }

// A body that says that it is too large is refused before any of it is read; one that doesn't say is read to the
// limit and no further.
func TestBodiesAreBounded(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	for _, c := range []struct {
		name   string
		says   int64
		atMost int
	}{
		{"says so", 1<<20 + 1, 0},
		{"says nothing", -1, 2 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := new(endless)
			req := h.request("secretary", "POST", "/api/v1/projects", "{}")
			req.Body, req.ContentLength = io.ReadCloser(body), c.says
			a := send(t, h.server.Handler(), req)
			if a.status != http.StatusRequestEntityTooLarge || body.read > c.atMost {
				t.Errorf("%d after %d bytes, want %d after at most %d: %s", a.status, body.read, http.StatusRequestEntityTooLarge, c.atMost, a.body)
			}
		})
	}
}
