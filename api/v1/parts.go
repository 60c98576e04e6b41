package v1

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"bihuan/api/problem"
	"bihuan/api/upload"
)

// Parts is the body of a request that consists of a file and further parts. The handler reads it, part by part, so that
// nothing of a large file is kept twice.
type Parts struct{ request *http.Request }

// Resolve keeps the request for the handler. huma calls it before.
func (in *Parts) Resolve(ctx huma.Context) []error {
	c := humagin.Unwrap(ctx)
	in.request = c.Request
	upload.GiveTime(c.Writer)
	return nil
}

// each has every part read in its order. A part that comes twice is refused, and so is a body without a file.
func (in *Parts) each(read func(part *multipart.Part) error) error {
	parts, err := in.request.MultipartReader()
	if err != nil {
		return &problem.Refusal{Status: http.StatusUnsupportedMediaType, Key: "api.multipart", Err: err}
	}
	seen := map[string]bool{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return upload.Broken(err)
		}
		name := part.FormName()
		if seen[name] {
			return invalid(field(name), "api.twice")
		}
		seen[name] = true
		if err := read(part); err != nil {
			return err
		}
	}
	if !seen["file"] {
		return invalid("file", "api.required")
	}
	return nil
}

// field makes the name of an unknown part fit for an answer.
func field(name string) string {
	if name == "" || len(name) > 40 || !plain(name) {
		return "body"
	}
	return name
}
