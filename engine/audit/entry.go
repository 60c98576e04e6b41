package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Format is the version of the entry format, written as v. Entries of a format cannot be changed once an
// installation exists; a new format would be read beside this one.
const Format = 1

// MaxEntry is the largest entry in bytes (16 KiB). What is larger goes in by digest.
const MaxEntry = 16 << 10

// maxInt is the largest integer that every JSON implementation reads exactly: 2^53−1.
const maxInt = 1<<53 - 1

// timeLayout is RFC 3339 in UTC with exactly six decimals.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// Errors of this package, for errors.Is.
var (
	// ErrTooLarge says that an entry would have more than MaxEntry bytes.
	ErrTooLarge = errors.New("audit: entry too large")
	// ErrInvalid says that an entry, a state or a patch breaks a rule of the format.
	ErrInvalid = errors.New("audit: invalid")
)

// Values of Actor.Via: by which way a request came in.
const (
	ViaAPI     = "api"
	ViaConsole = "console"
	ViaCLI     = "cli"
	ViaClock   = "clock"
)

// Actor is who did it. ID and Via are required; a person who has not signed in needs an ID too (such as
// "anonymous").
type Actor struct {
	ID   string `json:"id"`
	Role string `json:"role,omitempty"` // the role relied on
	Unit string `json:"unit,omitempty"` // the unit where that role was granted
	Via  string `json:"via"`            // one of the Via constants
}

// Request ties an entry to the request that caused it.
type Request struct {
	ID  string `json:"id,omitempty"`  // as in the log of the server
	Key string `json:"key,omitempty"` // SHA-256 of the idempotency key, in hexadecimal
}

// Entry is one change of one subject. Its JSON for the trail comes from Bytes, never from encoding/json, whose
// times and escapes differ.
type Entry struct {
	V          int             `json:"v"`   // Format
	Log        string          `json:"log"` // installation id and epoch
	ID         string          `json:"id"`
	At         time.Time       `json:"at"` // UTC, whole microseconds
	Actor      Actor           `json:"actor"`
	Action     string          `json:"action"`
	Subject    string          `json:"subject"`        // kind/id
	Unit       string          `json:"unit,omitempty"` // to which the subject belonged when it happened
	Seq        int64           `json:"seq"`            // 1, 2, 3 … per subject
	Prev       Digest          `json:"prev"`           // hash of the subject's entry before, "" for the first
	From       string          `json:"from,omitempty"` // stage before
	To         string          `json:"to,omitempty"`   // stage after
	Version    int64           `json:"version"`        // of the subject after the change; 0 if it has none
	Note       string          `json:"note,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`       // an object; member "set" is the merge patch of the state
	Definition string          `json:"definition,omitempty"` // digest of the workflow definition in force
	Request    *Request        `json:"request,omitempty"`
}

// Kind returns the kind of the subject: "project" of "project/42". It is "" if Subject is not of that form.
func (e Entry) Kind() string {
	kind, _, ok := strings.Cut(e.Subject, "/")
	if !ok {
		return ""
	}
	return kind
}

// SubjectID returns the id of the subject: "42" of "project/42". It is "" if Subject is not of that form.
func (e Entry) SubjectID() string {
	_, id, _ := strings.Cut(e.Subject, "/")
	return id
}

// Bytes returns the entry's canonical bytes: what is stored, hashed and never changed. It refuses an entry that
// breaks a rule of the format (ErrInvalid, naming the field) or that is larger than MaxEntry (ErrTooLarge); it
// never repairs one, because then the trail would say something that nobody decided.
func (e Entry) Bytes() ([]byte, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	var data string
	if len(e.Data) > 0 {
		var err error
		if data, err = canonical(e.Data); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		s := scanner{src: data}
		if _, err := s.data(); err != nil {
			return nil, err
		}
	}

	w := writer{buf: make([]byte, 0, 512+len(e.Note)+len(data))}
	w.text("action", e.Action)
	w.open("actor")
	w.text("id", e.Actor.ID)
	w.optional("role", e.Actor.Role)
	w.optional("unit", e.Actor.Unit)
	w.text("via", e.Actor.Via)
	w.close()
	w.text("at", e.At.Format(timeLayout))
	if data != "" {
		w.key("data")
		w.buf = append(w.buf, data...)
	}
	w.optional("definition", e.Definition)
	w.optional("from", e.From)
	w.text("id", e.ID)
	w.text("log", e.Log)
	w.optional("note", e.Note)
	w.text("prev", e.Prev.String())
	if e.Request != nil {
		w.open("request")
		w.optional("id", e.Request.ID)
		w.optional("key", e.Request.Key)
		w.close()
	}
	w.integer("seq", e.Seq)
	w.text("subject", e.Subject)
	w.optional("to", e.To)
	w.optional("unit", e.Unit)
	w.integer("v", int64(e.V))
	w.integer("version", e.Version)
	w.close()

	if w.err != nil {
		return nil, w.err
	}
	if len(w.buf) > MaxEntry {
		return nil, tooLarge(len(w.buf))
	}
	return w.buf, nil
}

// validate checks what a field means, whereas the writer and the scanner check how it is spelt.
func (e *Entry) validate() error {
	if e.V != Format {
		return invalid("v is %d, this is format %d", e.V, Format)
	}
	for _, f := range [...]struct{ name, value string }{
		{"log", e.Log}, {"id", e.ID}, {"actor.id", e.Actor.ID}, {"actor.via", e.Actor.Via},
		{"action", e.Action}, {"subject", e.Subject},
	} {
		if f.value == "" {
			return invalid("%s is missing", f.name)
		}
	}
	if kind, id, ok := strings.Cut(e.Subject, "/"); !ok || id == "" || !isKind(kind) {
		return invalid("subject %.80q is not kind/id with a kind of the letters a-z and _", e.Subject)
	}
	switch year := e.At.Year(); {
	case e.At.IsZero():
		return invalid("at is missing")
	case e.At.Location() != time.UTC:
		return invalid("at is in time zone %s, not UTC", e.At.Location())
	case e.At.Nanosecond()%1000 != 0:
		return invalid("at %s is not truncated to microseconds", e.At.Format(time.RFC3339Nano))
	case year < 1 || year > 9999:
		return invalid("at is in the year %d", year)
	}
	switch {
	case e.Seq < 1 || e.Seq > maxInt:
		return invalid("seq is %d, not within 1 … 2^53−1", e.Seq)
	case e.Version < 0 || e.Version > maxInt:
		return invalid("version is %d, not within 0 … 2^53−1", e.Version)
	case e.Seq == 1 && !e.Prev.IsZero():
		return invalid("prev is given although seq is 1")
	case e.Seq > 1 && e.Prev.IsZero():
		return invalid("prev is missing although seq is %d", e.Seq)
	}
	if e.Request != nil && e.Request.Key != "" {
		if _, ok := parseDigest(e.Request.Key); !ok {
			return invalid("request.key is not a SHA-256 in hexadecimal")
		}
	}
	return nil
}

// isKind tells whether s is one or more of a-z and _.
func isKind(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != ""
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

func tooLarge(size int) error {
	return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, MaxEntry)
}

// writer appends members in the order in which they are given, which the caller keeps canonical. It remembers the
// first error.
type writer struct {
	buf []byte
	err error
}

// key begins a member; the first one of the entry opens its object.
func (w *writer) key(name string) {
	switch {
	case len(w.buf) == 0:
		w.buf = append(w.buf, '{')
	case w.buf[len(w.buf)-1] != '{':
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

func (w *writer) text(name, value string) {
	w.key(name)
	var err error
	if w.buf, err = appendString(w.buf, value); err != nil && w.err == nil {
		w.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (w *writer) optional(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *writer) integer(name string, value int64) {
	w.key(name)
	w.buf = strconv.AppendInt(w.buf, value, 10)
}

func (w *writer) open(name string) {
	w.key(name)
	w.buf = append(w.buf, '{')
}

func (w *writer) close() { w.buf = append(w.buf, '}') }
