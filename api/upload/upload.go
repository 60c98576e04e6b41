// Package upload moves evidence between requests and the place where files lie, for the JSON API and the pages alike.
package upload

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// Files keeps the bytes of evidence; storage/files implements it.
type Files interface {
	// Put stores what r holds, at most limit bytes, and returns what follows from name and bytes: Name, Type, Size,
	// SHA256. Refusals are Invalid errors about the field "file".
	Put(ctx context.Context, name string, r io.Reader, limit int64) (engine.Evidence, error)
	// Get opens the file with the digest; the caller closes it. A file that is gone or was altered is a Damaged
	// error that says so.
	Get(digest audit.Digest) (io.ReadSeekCloser, int64, error)
}

// Time is how long a large file over a slow line may take, which is longer than any other body may.
const Time = 10 * time.Minute

// GiveTime lets the body of a request take Time, and the answer come after it. Without it the server's own limits hold.
func GiveTime(w http.ResponseWriter) {
	c, end := http.NewResponseController(w), time.Now().Add(Time)
	_ = c.SetReadDeadline(end)
	_ = c.SetWriteDeadline(end.Add(time.Minute))
}

// maxText is the largest part besides the file, in bytes: a note of 1,000 Chinese characters, and room.
const maxText = 8 << 10

// Put keeps a file part. What goes wrong while reading it is the caller's connection, not our disk.
func Put(ctx context.Context, files Files, part *multipart.Part, limit int64) (engine.Evidence, error) {
	r := &watched{r: part}
	file, err := files.Put(ctx, part.FileName(), r, limit)
	if err != nil && r.err != nil {
		return file, Broken(r.err)
	}
	return file, err
}

// watched remembers why reading ended, when it was not the end.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// Text reads a part besides the file.
func Text(part *multipart.Part) (string, error) {
	b, err := io.ReadAll(io.LimitReader(part, maxText+1))
	switch {
	case err != nil:
		return "", Broken(err)
	case len(b) > maxText:
		return "", &engine.Error{Kind: engine.Invalid, Field: part.FormName(), Key: "field.too_long", Args: map[string]any{"limit": maxText}}
	case !utf8.Valid(b):
		return "", &engine.Error{Kind: engine.Invalid, Field: part.FormName(), Key: "field.not_text"}
	}
	return string(b), nil
}

// Broken is the answer to a body that ended where none ends; a *http.MaxBytesError stays one.
func Broken(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
	}
	return &engine.Error{Kind: engine.Invalid, Key: "api.broken_upload", Err: err}
}

// Send answers with a piece of evidence, in a disposition: Attachment, or "inline" for what can carry no script. It
// serves ranges, and 304 to whoever has the file: the digest never lies.
func Send(w http.ResponseWriter, r *http.Request, e engine.Evidence, disposition string, file io.ReadSeeker) {
	h := w.Header()
	h.Set("Content-Type", e.Type)
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("ETag", `"`+e.SHA256.String()+`"`)
	http.ServeContent(w, r, "", e.At, file)
}

// Attachment is the disposition of a file to keep, never to show: named in ASCII for old browsers, and as RFC 5987
// writes it.
func Attachment(name string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\/%;`, r) {
			return '_'
		}
		return r
	}, name)
	return `attachment; filename="` + ascii + `"; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}
