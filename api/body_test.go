package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

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

// TestSlowUploads: who needs longer for a file than an answer may take is still answered.
func TestSlowUploads(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	server := httptest.NewUnstartedServer(h.server.Handler())
	server.Config.WriteTimeout = 20 * time.Millisecond
	server.Start()
	defer server.Close()
	p := h.advance()
	for path, file := range map[string]struct{ who, name, content string }{
		"/api/v1/imports/recognition?kind=shishi&unit=b1": {"secretary", "a.csv", strangeLedger}, "/api/v1/projects/" + p.ID + "/evidence": {"owner", "a.pdf", pdf}} {
		body, kind := form(t, file.name, file.content)
		half := body.Next(body.Len() / 2)
		slow, w := io.Pipe()
		go func() {
			_, err := w.Write(half)
			<-time.After(50 * time.Millisecond) // longer than WriteTimeout, and no matter how much
			if err == nil {
				_, err = body.WriteTo(w)
			}
			_ = w.CloseWithError(err)
		}()
		req := h.request(file.who, "POST", path, nil, "Content-Type", kind, "If-Match", p.etag())
		req.Body, req.ContentLength, req.RequestURI = slow, -1, ""
		u, err := url.Parse(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		req.URL, req.Host = u, u.Host
		a, err := server.Client().Do(req)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		_ = a.Body.Close()
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}
