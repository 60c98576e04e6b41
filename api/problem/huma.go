package problem

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"bihuan/api/request"
	"bihuan/engine/message"
)

// huma keeps its error constructors in variables of the package. Both are needed: its own helpers go through
// NewError, everything else through the other one.
func init() {
	huma.ValidateStrictCasing = true // "Percent" is not "percent", and unknown
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
		return fromHuma(ctx, status, errs)
	}
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		return fromHuma(nil, status, errs)
	}
}

// fromHuma makes the answer for what huma found: the error that a handler returned, or a list of what is wrong
// with the request. ctx may be nil.
func fromHuma(ctx huma.Context, status int, errs []error) *Problem {
	info := &request.Info{Lang: message.Languages[0]}
	if ctx != nil {
		info = request.From(ctx.Context())
		if status >= http.StatusInternalServerError && len(errs) > 0 {
			err := errors.Join(errs...)
			if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return From(ctx.Context(), TooLarge(tooLarge.Limit))
			}
			return From(ctx.Context(), err)
		}
	}
	switch status {
	case http.StatusRequestEntityTooLarge:
		var limit int64
		if ctx != nil {
			limit = ctx.Operation().MaxBodyBytes
		}
		return refuse(info, TooLarge(limit))
	case http.StatusUnsupportedMediaType:
		return refuse(info, &Refusal{Status: status, Key: "api.media_type"})
	case http.StatusNotAcceptable:
		return refuse(info, &Refusal{Status: status, Key: "api.not_acceptable"})
	case http.StatusRequestTimeout:
		return refuse(info, &Refusal{Status: status, Key: "api.timeout"})
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		if len(errs) == 0 {
			return refuse(info, &Refusal{Status: http.StatusUnprocessableEntity, Key: "api.body_required"})
		}
		return faults(info, status, errs)
	case http.StatusInternalServerError, 0: // 0: huma asks for an example, to describe the schema
		return internal(info)
	}
	return refuse(info, &Refusal{Status: status, Key: "api.refused"})
}

// TooLarge refuses a body of more than limit bytes.
func TooLarge(limit int64) error {
	return &Refusal{Status: http.StatusRequestEntityTooLarge, Key: "api.too_large", Args: map[string]any{"limit": limit >> 10}}
}

func refuse(info *request.Info, err error) *Problem {
	r, _ := errors.AsType[*Refusal](err)
	p := newProblem(info, r.Status, "", r.Key, message.Text(info.Lang, r.Key, r.Args))
	p.setField(info, r.Field)
	return p
}

// shown is how many faults the sentence in detail names; Errors has them all.
const shown = 5

// faults lists everything that is wrong with a request.
func faults(info *request.Info, status int, errs []error) *Problem {
	colon := message.Text(info.Lang, "list.colon", nil)
	var list []Fault
	var lines []string
	for _, err := range errs {
		f := Fault{Key: "api.bad_value"}
		var args map[string]any
		if d, ok := err.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail()
			var more string
			f.Key, more, args = phrase(detail.Message)
			f.Field = join(place(detail.Location), more)
		}
		f.Text = message.Text(info.Lang, f.Key, args)
		list = append(list, f)
		if len(lines) < shown {
			if f.Field == "" {
				lines = append(lines, f.Text)
			} else {
				lines = append(lines, f.Field+colon+f.Text)
			}
		}
	}
	if list[0].Key != keyMalformed && list[0].Key != keyNotUTF8 {
		status = http.StatusUnprocessableEntity
	}
	p := newProblem(info, status, "", list[0].Key, strings.Join(lines, message.Text(info.Lang, "list.semicolon", nil)))
	p.Field, p.Errors = list[0].Field, list
	return p
}

// place turns huma's location into the name that the caller used.
func place(location string) string {
	if s, ok := strings.CutPrefix(location, "query."); ok {
		name, _, _ := strings.Cut(s, "[") // which of several values is wrong shows in the sentence
		return name
	}
	for _, prefix := range []string{"body.", "header.", "path."} {
		if s, ok := strings.CutPrefix(location, prefix); ok {
			return s
		}
	}
	if location == "body" {
		return ""
	}
	return strings.TrimPrefix(location, "body") // "body[0]"
}

func join(field, member string) string {
	if field == "" || member == "" {
		return field + member
	}
	return field + "." + member
}

// The mistakes of a body as such, which are answered 400.
const (
	keyMalformed = "api.malformed"
	keyNotUTF8   = "api.not_utf8"
)

// phrases are huma's sentences and ours. Those of its validation package are variables there, so that a changed
// wording is found by the compiler's eye and a test, and never shown in English to a Chinese reader.
var phrases = []struct {
	form string // with one verb at most, whose value becomes the argument
	key  string
	arg  string
}{
	{validation.MsgUnexpectedProperty, "api.unknown_field", ""},
	{"unknown query parameter", "api.unknown_parameter", ""},
	{validation.MsgExpectedBoolean, "api.boolean", ""},
	{"invalid boolean", "api.boolean", ""},
	{validation.MsgExpectedInteger, "api.integer", ""},
	{"invalid integer", "api.integer", ""},
	{validation.MsgExpectedNumber, "api.number", ""},
	{"invalid float", "api.number", ""},
	{validation.MsgExpectedString, "api.string", ""},
	{validation.MsgExpectedArray, "api.array", ""},
	{validation.MsgExpectedObject, "api.object", ""},
	{validation.MsgExpectedOneOf, "api.one_of", "values"},
	{validation.MsgExpectedMinimumNumber, "api.minimum", "limit"},
	{validation.MsgExpectedMaximumNumber, "api.maximum", "limit"},
	{validation.MsgExpectedMinLength, "api.min_length", "limit"},
	{validation.MsgExpectedMaxLength, "api.max_length", "limit"},
	{validation.MsgExpectedMinItems, "api.min_items", "limit"},
	{validation.MsgExpectedMaxItems, "api.max_items", "limit"},
	{validation.MsgExpectedRequiredProperty, "api.required", "member"},
	{"required query parameter is missing", "api.required", ""},
	{"required header parameter is missing", "api.required", ""},
	{"required path parameter is missing", "api.required", ""},
	{malformedForm, keyMalformed, "place"},
	{notUTF8Form, keyNotUTF8, "place"},
	{badValueForm, "api.bad_value", "member"},
	{repeatedForm, "api.twice", "member"},
}

var verb = regexp.MustCompile(`%[a-z]`)

// phrase finds the catalogue's sentence for one of huma's. member is the part of the field that only the sentence
// names.
func phrase(text string) (key, member string, args map[string]any) {
	for _, p := range phrases {
		at := verb.FindStringIndex(p.form)
		if at == nil {
			if text == p.form {
				return p.key, "", nil
			}
			continue
		}
		before, after := p.form[:at[0]], p.form[at[1]:]
		value, ok := strings.CutPrefix(text, before)
		if value, found := strings.CutSuffix(value, after); ok && found {
			if p.arg == "member" {
				return p.key, value, nil
			}
			return p.key, "", map[string]any{p.arg: value}
		}
	}
	return "api.bad_value", "", nil
}
