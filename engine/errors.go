package engine

import (
	"errors"
	"strings"

	"bihuan/engine/message"
)

// Kind says what sort of refusal an Error is, so that each surface (API, console, command line) can answer in
// its own terms.
type Kind int

// The kinds, with the HTTP status that the API answers.
const (
	Invalid     Kind = iota + 1 // the request itself is wrong: a field, a format, a limit (422)
	Blocked                     // the project's present state does not allow it: stage, requirement, pending request (409)
	Conflict                    // somebody else changed the same thing at the same moment (409)
	Stale                       // the caller read an older version than the present one (412)
	Denied                      // the caller may not do this, whatever the state (403)
	NotFound                    // absent, or outside the caller's units, which must look the same (404)
	Required                    // a precondition that every change needs was not sent (428)
	Busy                        // too many requests (429)
	Unavailable                 // the store cannot answer now; nothing was changed (503)
	Damaged                     // what is stored is not what the record says; no use to try again (500)
)

// What a Store answers where the engine has to tell cases apart.
var (
	ErrNotFound  = errors.New("not found")
	ErrConflict  = errors.New("changed by somebody else")
	ErrDuplicate = errors.New("already taken")
)

// Error is a refusal that a person can read. Anything that is not an Error is a fault of ours: it is logged and
// answered "internal".
type Error struct {
	Kind    Kind
	Key     string         // message catalogue key
	Field   string         // the offending field of the request, as the API names it; may be empty
	Args    map[string]any // values for the catalogue's placeholders
	Reasons []Reason       // what is unmet, when Kind is Blocked or Denied and there is more than one sentence to say
	Err     error          // the cause, for the log only; never shown
}

// Error returns the English sentence; it is what logs show.
func (e *Error) Error() string {
	s := e.In("en")
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// In returns the sentence in the given language, with the unmet reasons behind it.
func (e *Error) In(lang string) string {
	s := message.Text(lang, e.Key, e.Args)
	var unmet []string
	for _, r := range e.Reasons {
		if !r.Met {
			unmet = append(unmet, r.In(lang))
		}
	}
	if len(unmet) > 0 {
		s += message.Text(lang, "list.colon", nil) + strings.Join(unmet, message.Text(lang, "list.semicolon", nil))
	}
	return s
}

// KindOf returns the kind of err, or 0 when it is not an Error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}

// Reason is one line of the checklist behind "why not?": a condition, whether it holds, and the sentence.
type Reason struct {
	ID   string
	Met  bool
	Note bool           // unmet only because no note has been written yet
	Name Text           // the definition's words for the condition, shown when it is met; may be empty
	Text Text           // the definition's sentence for when it is not, or
	Key  string         // the catalogue's; its Key+".ok" is the sentence for when the condition is met
	Args map[string]any // for Key
}

// In returns the sentence in the given language.
func (r Reason) In(lang string) string {
	switch {
	case r.Key == "" && r.Met && r.Name.ZH != "":
		return r.Name.In(lang)
	case r.Key == "":
		return r.Text.In(lang)
	case r.Met && message.Has(r.Key+".ok"):
		return message.Text(lang, r.Key+".ok", r.Args)
	}
	return message.Text(lang, r.Key, r.Args)
}

// Text is a sentence or name in the product's two languages. It implements message.Localised.
type Text struct {
	ZH string `json:"zh" yaml:"zh"`
	EN string `json:"en,omitempty" yaml:"en"`
}

// In returns the text in lang ("zh-CN" or "en"), or the Chinese one where no other was given.
func (t Text) In(lang string) string {
	if strings.HasPrefix(lang, "en") && t.EN != "" {
		return t.EN
	}
	return t.ZH
}

func invalid(field, key string, args ...any) error {
	return &Error{Kind: Invalid, Field: field, Key: key, Args: message.Args(args...)}
}

func blocked(key string, args ...any) error {
	return &Error{Kind: Blocked, Key: key, Args: message.Args(args...)}
}

func denied(key string, args ...any) error {
	return &Error{Kind: Denied, Key: key, Args: message.Args(args...)}
}

func notFound(key string, args ...any) error {
	return &Error{Kind: NotFound, Key: key, Args: message.Args(args...)}
}
