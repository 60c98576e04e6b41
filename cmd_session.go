package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/text/width"

	"bihuan/config"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/ledger"
	"bihuan/engine/message"
	"bihuan/storage"
)

// session is one call of the program: where it writes, in which language, and how it finds its set-up.
type session struct {
	out, err io.Writer
	getenv   func(string) string
	lang     string // of the catalogue
	langFlag string // what --lang said, which goes before the set-up
}

func newSession(args []string, stdout, stderr io.Writer, getenv func(string) string) *session {
	s := &session{out: stdout, err: stderr, getenv: getenv}
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--lang="); ok {
			s.langFlag = v
		} else if a == "--lang" && i+1 < len(args) {
			s.langFlag = args[i+1]
		}
	}
	// The language is needed before the command line is parsed, to complain about it.
	s.lang = message.Match(getenv(config.EnvNames("language")[0]))
	if s.langFlag != "" {
		s.lang = message.Match(s.langFlag)
	}
	return s
}

// sentence is a text of the catalogue with its values.
type sentence struct {
	key  string
	args map[string]any
}

// In returns the text in the given language.
func (t sentence) In(lang string) string { return message.Text(lang, t.key, t.args) }

// Error makes a sentence an error.
func (t sentence) Error() string { return t.In("en") }

// line makes a sentence; args are name, value, name, value.
func line(key string, args ...any) sentence {
	return sentence{"cli." + key, message.Args(args...)}
}

// text returns a sentence of the catalogue in the session's language.
func (s *session) text(key string, args ...any) string { return line(key, args...).In(s.lang) }

// say writes a sentence as a line of its own.
func (s *session) say(key string, args ...any) { s.print(s.text(key, args...)) }

// print writes a line. A reader who has gone away (a closed pipe) is no failure of the command.
func (s *session) print(text string) { _, _ = fmt.Fprintln(s.out, text) }

// complain writes an error for people, one line each.
func (s *session) complain(err error) { _, _ = fmt.Fprintln(s.err, s.explain(err)) }

// json writes a value for programs.
func (s *session) json(v any) error {
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// localised is any of our errors that knows its sentence in both languages.
type localised interface {
	error
	In(lang string) string
}

// explain returns what a person should read about an error, a line for each thing that is wrong.
func (s *session) explain(err error) string {
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself, because errors.As stops at the first
	case localised:
		return e.In(s.lang)
	case interface{ Unwrap() []error }:
		var lines []string
		for _, inner := range e.Unwrap() {
			lines = append(lines, s.explain(inner))
		}
		return strings.Join(lines, "\n")
	case *ledger.Error:
		return message.Text(s.lang, e.Key, e.Args)
	case *fs.PathError:
		return s.text("file", "file", e.Path, "why", e.Err)
	case *net.OpError:
		if e.Op == "listen" && e.Addr != nil {
			return s.text("listen", "addr", e.Addr, "why", e.Err)
		}
	}
	if errors.Is(err, context.Canceled) {
		return s.text("interrupted")
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		if e, ok := inner.(localised); ok { //nolint:errorlint // as above
			return e.In(s.lang)
		}
	}
	return err.Error()
}

// inFile is an error about a file, of which each mistake is told as file:line: sentence.
type inFile struct {
	file string
	err  error
}

func (f inFile) Error() string { return f.In("en") }

func (f inFile) Unwrap() error { return f.err }

// In returns a line for each mistake in the given language.
func (f inFile) In(lang string) string {
	var lines []string
	for _, m := range calendar.Mistakes(f.err) {
		text := m.ZH
		if lang == "en" {
			text = m.EN
		}
		lines = append(lines, fmt.Sprintf("%s:%d: %s", f.file, max(m.Line, 1), text))
	}
	if len(lines) == 0 {
		return f.file + ": " + f.err.Error()
	}
	return strings.Join(lines, "\n")
}

// setup are the flags of every command that needs a set-up.
type setup struct {
	Config string `placeholder:"FILE"`
}

// database are the flags of every command that opens one.
type database struct {
	setup
	DB string `name:"db" placeholder:"DSN"`
}

// config reads the set-up; more are the values of further flags by key, of which empty ones were not given.
func (s *session) config(f setup, more map[string]string) (config.Config, error) {
	flags := map[string]any{}
	for key, v := range more {
		if v != "" {
			flags[key] = v
		}
	}
	if s.langFlag != "" {
		flags["language"] = message.Match(s.langFlag)
	}
	path := f.Config
	if path == "" {
		path = s.getenv("BIHUAN_CONFIG")
	}
	c, err := config.Load(path, s.getenv, flags)
	if err != nil {
		return c, err
	}
	s.lang = message.Match(c.Language)
	return c, nil
}

// open opens an existing database of the program's own schema. The caller closes it.
func (s *session) open(ctx context.Context, f database) (*storage.DB, config.Config, error) {
	c, err := s.config(f.setup, map[string]string{"db": f.DB})
	if err != nil {
		return nil, c, err
	}
	db, err := openExisting(ctx, c.DB)
	if err != nil {
		return nil, c, err
	}
	if err := db.Check(ctx); err != nil {
		return nil, c, errors.Join(err, db.Close())
	}
	return db, c, nil
}

// openExisting opens a database and creates none: a slip in a file's name must not make a new one.
func openExisting(ctx context.Context, dsn string) (*storage.DB, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, line("no_database", "file", path)
		}
	}
	return storage.Open(ctx, dsn)
}

// engine opens the database and makes an engine over it. The caller calls the function returned.
func (s *session) engine(ctx context.Context, f database) (*engine.Engine, func() error, error) {
	db, c, err := s.open(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	e, err := newEngine(ctx, db, c, nil)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return e, db.Close, nil
}

// withEngine runs do with an engine over the database that the flags name.
func (s *session) withEngine(ctx context.Context, f database, do func(*engine.Engine) error) error {
	e, done, err := s.engine(ctx, f)
	if err != nil {
		return err
	}
	return errors.Join(do(e), done())
}

// site is what a set-up says about time.
func site(c config.Config) (engine.Site, error) {
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return engine.Site{}, err
	}
	at, err := time.Parse("15:04", c.Clock.RemindAt)
	if err != nil {
		return engine.Site{}, err
	}
	return engine.Site{Location: loc, RemindHour: at.Hour(), RemindMin: at.Minute()}, nil
}

// table writes rows in columns, the first row being the header. Chinese characters take two columns.
func (s *session) table(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i+1 < len(row) {
				b.WriteString(strings.Repeat(" ", widths[i]-columns(cell)+2))
			}
		}
		s.print(strings.TrimRight(b.String(), " "))
	}
}

// columns is how wide a text is on a terminal.
func columns(text string) int {
	n := 0
	for _, r := range text {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// pad fills a text up to a width.
func pad(text string, to int) string {
	return text + strings.Repeat(" ", max(0, to-columns(text)))
}

// comma parts the items of a list.
func (s *session) comma() string { return message.Text(s.lang, "list.comma", nil) }

// when writes a moment as clocks at the site show it.
func when(e *engine.Engine, t time.Time) string {
	return t.In(e.Site.Location).Format("2006-01-02 15:04:05")
}

// whenever is when for a moment that may not exist.
func whenever(e *engine.Engine, t *time.Time) string {
	if t == nil {
		return "—"
	}
	return when(e, *t)
}

// writeFile writes a file and leaves none where that fails. flag is os.O_EXCL for one that must not exist yet, which only
// its owner may read, or os.O_TRUNC for one that may be replaced.
func writeFile(name string, flag int, write func(*os.File) error) error {
	mode := os.FileMode(0o600)
	if flag == os.O_TRUNC {
		mode = 0o666 // but for the user's mask, as everywhere
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, mode)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
