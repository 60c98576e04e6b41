package problem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/message"
)

func TestFrom(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		err    error
		status int
		typ    string
		detail string
		logged bool
	}{
		{"invalid", t.Context(), &engine.Error{Kind: engine.Invalid, Key: "field.empty", Field: "title"}, 422, "invalid", "title: this must be filled in", false},
		{"blocked", t.Context(), &engine.Error{Kind: engine.Blocked, Key: "request.pending"}, 409, "blocked", "a request is pending: approve, return or withdraw it first", false},
		{"conflict", t.Context(), &engine.Error{Kind: engine.Conflict, Key: "record.conflict"}, 409, "conflict", "somebody changed this record just now: read it again", false},
		{"stale", t.Context(), &engine.Error{Kind: engine.Stale, Key: "project.stale", Args: map[string]any{"base": 1, "version": 2}}, 412, "stale", "you saw version 1, the project is at version 2: read it again", false},
		{"denied", t.Context(), &engine.Error{Kind: engine.Denied, Key: "four_eyes.own_work"}, 403, "denied", "nobody judges their own work", false},
		{"not found", t.Context(), &engine.Error{Kind: engine.NotFound, Key: "project.unknown"}, 404, "not-found", "there is no such project, or it is outside your units", false},
		{"required", t.Context(), &engine.Error{Kind: engine.Required, Key: "api.required"}, 428, "precondition-required", "this must be filled in", false},
		{"busy", t.Context(), &engine.Error{Kind: engine.Busy, Key: "api.required"}, 429, "busy", "this must be filled in", false},
		{"unavailable", t.Context(), &engine.Error{Kind: engine.Unavailable, Key: "api.unavailable"}, 503, "unavailable", "the database does not answer at the moment; try again later. Nothing was changed", true},
		{"wrapped", t.Context(), fmt.Errorf("more: %w", &engine.Error{Kind: engine.Denied, Key: "four_eyes.own_work"}), 403, "denied", "nobody judges their own work", false},
		{"a kind that does not exist", t.Context(), &engine.Error{Kind: 99, Key: "field.empty"}, 500, "internal", "something went wrong on our side and nothing was changed; tell the administrator the request id r1", true},
		{"anything else", t.Context(), errors.New("pq: password secret"), 500, "internal", "something went wrong on our side and nothing was changed; tell the administrator the request id r1", true},
		{"absent without a word", t.Context(), engine.ErrNotFound, 500, "internal", "something went wrong on our side and nothing was changed; tell the administrator the request id r1", true},
		{"caller gone", gone, fmt.Errorf("read: %w", context.Canceled), 499, "client-gone", "the request was broken off", false},
		{"timed out", t.Context(), context.DeadlineExceeded, 503, "unavailable", "the database does not answer at the moment; try again later. Nothing was changed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			ctx := request.With(c.ctx, &request.Info{ID: "r1", Lang: "en", Log: slog.New(slog.NewTextHandler(&log, nil))})
			p := From(ctx, c.err)
			if p.Status != c.status || p.Type != typePrefix+c.typ || p.Detail != c.detail || p.Instance != "r1" {
				t.Errorf("got %+v", p)
			}
			if strings.HasPrefix(p.Title, "problem.") {
				t.Errorf("the title is %q", p.Title)
			}
			if logged := strings.Contains(log.String(), "r1"); logged != c.logged {
				t.Errorf("the log is %q", log.String())
			}
		})
	}
}

// Every kind of the engine's has a status, and every status a word.
func TestStatuses(t *testing.T) {
	for k := engine.Invalid; k <= engine.Unavailable; k++ {
		if words[statuses[k]] == "" {
			t.Errorf("kind %d has the status %d", k, statuses[k])
		}
	}
	for status, word := range words {
		if !message.Has("problem." + strings.ReplaceAll(word, "-", "_")) {
			t.Errorf("status %d has no title", status)
		}
	}
}

// Each sentence of huma's that can reach a caller is known, so that none is shown in English to a Chinese reader.
func TestPhrases(t *testing.T) {
	for _, c := range []struct{ text, key, member string }{
		{validation.MsgUnexpectedProperty, "api.unknown_field", ""},
		{fmt.Sprintf(validation.MsgExpectedOneOf, "a, b"), "api.one_of", ""},
		{fmt.Sprintf(validation.MsgExpectedMaxLength, 200), "api.max_length", ""},
		{fmt.Sprintf(validation.MsgExpectedMinimumNumber, 1), "api.minimum", ""},
		{fmt.Sprintf(validation.MsgExpectedRequiredProperty, "title"), "api.required", "title"},
		{"unknown query parameter", "api.unknown_parameter", ""},
		{"something that a later huma says", "api.bad_value", ""},
	} {
		key, member, _ := phrase(c.text)
		if key != c.key || member != c.member {
			t.Errorf("%q is %s of %q, want %s of %q", c.text, key, member, c.key, c.member)
		}
	}
	for _, p := range phrases {
		if !message.Has(p.key) {
			t.Errorf("the catalogue has no %s", p.key)
		}
	}
}

func TestMalformedPlace(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{`, "1:1"}, {"{\n  \"a\": x}", "2:8"}, {"{\"a\":1}\n\n]", "3:1"}, {"", "1:1"},
	} {
		var v any
		err := JSON.Unmarshal([]byte(c.body), &v)
		if err == nil || err.Error() != "malformed at "+c.want {
			t.Errorf("%q: %v, want %s", c.body, err, c.want)
		}
	}
}

// A body in GBK is refused: decoding would put replacement characters where the words were.
func TestBodyThatIsNotUTF8(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"\xff\xfe{\x00", "1:1"}, {"{\"a\":1,\n \"b\":\"\xbf\xaa\xb9\xa4\"}", "2:7"}, {"{\"a\":\"好\xe5\xa5\"}", "1:10"},
	} {
		var v any
		err := JSON.Unmarshal([]byte(c.body), &v)
		if err == nil || err.Error() != "not UTF-8 at "+c.want {
			t.Errorf("%q: %v, want %s", c.body, err, c.want)
		}
	}
	var v struct{ A string }
	if err := JSON.Unmarshal([]byte("{\"a\":\"\uFFFD好\"}"), &v); err != nil || v.A != "\uFFFD好" {
		t.Errorf("a replacement character that was sent as one: %q, %v", v.A, err)
	}
}

// What huma would say about an error of a handler's that it does not know never shows the error.
func TestHumaSaysNothingOfErrors(t *testing.T) {
	se := huma.NewError(http.StatusInternalServerError, "unexpected", errors.New("secret"))
	if p, ok := se.(*Problem); !ok || strings.Contains(p.Detail, "secret") || len(p.Errors) > 0 {
		t.Errorf("got %+v", se)
	}
}

// Every key that the packages of the API name is in the catalogue.
func TestKeysExist(t *testing.T) {
	key := regexp.MustCompile(`"((?:api|file|field|token|unit|user|project|deadline|list)\.[a-z_]+)"`)
	root := os.DirFS("..")
	found := 0
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == "console" {
			return fs.SkipDir // its keys are its own tests' concern
		}
		if d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for _, m := range key.FindAllStringSubmatch(string(source), -1) {
			found++
			if !message.Has(m[1]) {
				t.Errorf("%s names %s", name, m[1])
			}
		}
		return nil
	})
	if err != nil || found < 50 {
		t.Errorf("%d keys were found: %v", found, err)
	}
}
