// Package intake turns a ledger as offices write it into projects. The command line and the console import with
// it, so that a row becomes the same project wherever the file was handed in.
//
// What must always hold: nothing is written while anything is wrong with the file; every row of the file appears
// in the report, as what it becomes, as what it is already, or with why it cannot be read; and a column without a
// field of its own is kept with the project as it was written.
package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/ledger"
	"bihuan/engine/message"
)

// Ledger is a file with what the person who hands it in says about it.
type Ledger struct {
	File string // its name, from which the year may be inferred
	Data []byte
	Kind string      // workflow
	Unit engine.Unit // leads where a row names no unit under it
	Year int         // in which bare months are read; 0: inferred
	List string      // code of the list that the items belong to; may be empty

	Mapping *ledger.Mapping // how a person wants it read, which an import remembers; nil: as remembered or recognised
	Fresh   bool            // what is remembered of the source is not asked
}

// Report is what was found in a ledger, and what its rows became or would become.
type Report struct {
	File     string
	Year     int  // in which bare months were read; 0 if the file could not be read
	Academic bool // Year is the autumn in which an academic year begins
	Sheet    string
	Head     int // row of the sheet in which the head begins
	Columns  []ledger.Column
	From     *engine.SourceMapping // by which the columns are what they are; nil: they were recognised, or given
	Items    []Item                // every row, in the order of the file
	Problems []Remark              // with one, nothing is imported
	Notes    []Remark              // what a person should look at
	Unknown  []UnknownUnit         // names in it that no unit has

	// Plan is the digest of what the rows become: the drafts, their units and where they were read. Whoever
	// confirms a preview names it, and gets what was shown or nothing.
	Plan audit.Digest
}

// Item is what a row becomes.
type Item struct {
	*engine.ImportRow
	Deadline ledger.Deadline
	Said     *Progress        // of an item that is a project already; nil: the row says nothing of it
	Steps    []ledger.Step    // how each of the milestones was read
	Joined   []int            // further rows of the file that belong to it
	Project  engine.ProjectID // that it is; "" where it is none yet
	Number   string           // of that project, if it was made just now
	Known    bool             // it was imported before
	Refused  bool             // it has a problem
}

// New counts the items that are made, or would be.
func (r *Report) New() int {
	return r.count(func(i *Item) bool { return !i.Known && !i.Refused })
}

// Known counts the items that are projects already.
func (r *Report) Known() int { return r.count(func(i *Item) bool { return i.Known }) }

// Reported counts the items whose progress is reported on their project, or would be.
func (r *Report) Reported() int {
	return r.count(func(i *Item) bool { return i.Said != nil && i.Said.Reported })
}

func (r *Report) count(is func(*Item) bool) int {
	n := 0
	for i := range r.Items {
		if is(&r.Items[i]) {
			n++
		}
	}
	return n
}

// Remark is a problem or a note about a row, or about the file if Row is 0.
type Remark struct {
	Row    int
	Column string // header of the cell
	Key    string // of the catalogue
	Text   string // what stands in the cell, shortened
	said   message.Localised
}

// In returns the sentence in the given language.
func (r Remark) In(lang string) string { return r.said.In(lang) }

// sentence is a key of the catalogue with its values.
type sentence struct {
	key  string
	args map[string]any
}

func (s sentence) In(lang string) string { return message.Text(lang, s.key, s.args) }

func remark(p ledger.Problem) Remark {
	return Remark{Row: p.Row, Column: p.Column, Key: p.Key, Text: p.Text, said: sentence{p.Key, p.Args}}
}

// ErrChanged is what Take answers when the rows no longer become what was shown: somebody was renamed, a unit was
// added, or the engine runs with another calendar. The report says what they become now.
var ErrChanged = errors.New("the rows become something else than was shown")

// Preview reads the ledger and reports what an import by who would do. It writes nothing.
func Preview(ctx context.Context, e *engine.Engine, who engine.Actor, l Ledger) (*Report, error) {
	return take(ctx, e, who, l, audit.Digest{}, true)
}

// Take imports the ledger: all of its items, or none and the report says why. If plan is that of a preview, the
// rows must still become what was shown then; the zero digest asks for no such thing.
//
// An error means that the import could not be judged or written; what is wrong with the file is in the report.
func Take(ctx context.Context, e *engine.Engine, who engine.Actor, l Ledger, plan audit.Digest) (*Report, error) {
	return take(ctx, e, who, l, plan, false)
}

func take(ctx context.Context, e *engine.Engine, who engine.Actor, l Ledger, plan audit.Digest, dry bool) (*Report, error) {
	out := &Report{File: l.File}
	known, err := newSources(ctx, e, who, l)
	if err != nil {
		return nil, err
	}
	o := l.options(e)
	o.Known = known.find()
	read, err := ledger.Read(l.File, l.Data, o)
	if bad, ok := errors.AsType[*ledger.Error](err); ok {
		out.Problems = append(out.Problems, Remark{Row: bad.Row, Key: bad.Key, said: sentence{bad.Key, bad.Args}})
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.Year, out.Academic, out.Sheet, out.Head, out.Columns = read.Year, read.AcademicYear, read.Sheet, read.Head, read.Columns
	if read.Remembered {
		out.From = known[read.Shape]
	}
	m, err := newMapping(ctx, e, l, read)
	if err != nil {
		return nil, err
	}
	m.today = o.Today
	items, err := newMatcher(ctx, e, who, l, read)
	if err != nil {
		return nil, err
	}
	rows := make([]engine.ImportRow, len(read.Rows))
	for i, r := range read.Rows {
		rows[i] = m.row(r)
		var said *Progress
		if items != nil {
			said = m.progress(items, &rows[i], r)
		}
		due := r.Deadline
		if due.Text == "" { // not understood, or not even a date: then at least what stands there
			due.Text = r.Cells[ledger.Due]
		}
		out.Items = append(out.Items, Item{ImportRow: &rows[i], Deadline: due, Steps: r.Steps, Joined: r.Joined, Said: said})
	}
	for _, p := range read.Problems {
		out.Problems = append(out.Problems, remark(p))
	}
	for _, p := range read.Notes {
		out.Notes = append(out.Notes, remark(p))
	}
	out.Notes = append(out.Notes, m.notes...)
	out.Unknown = m.offered()
	if out.Plan, err = planOf(l.Kind, rows); err != nil {
		return nil, err
	}
	changed := !plan.IsZero() && plan != out.Plan
	// With problems in the file the rows are only checked, so that people learn of every problem at once.
	done, err := e.Import(ctx, who, l.Kind, rows, dry || changed || len(out.Problems) > 0)
	if err != nil {
		return nil, err
	}
	for _, p := range done.Problems {
		out.Problems = append(out.Problems, m.refused(p))
	}
	for _, p := range done.Untold {
		out.Notes = append(out.Notes, m.untold(p))
	}
	out.settle(done, dry || changed)
	byRow := func(a, b Remark) int { return a.Row - b.Row }
	slices.SortStableFunc(out.Problems, byRow)
	slices.SortStableFunc(out.Notes, byRow)
	if changed {
		return out, ErrChanged
	}
	if l.Mapping != nil && !dry && len(out.Problems) == 0 {
		if err := keep(ctx, e, who, l, read); err != nil { // the projects are there
			out.Notes = append(out.Notes, Remark{Key: "intake.not_remembered", said: sentence{key: "intake.not_remembered"}})
		}
	}
	return out, nil
}

// settle writes beside each row what became of it.
func (r *Report) settle(done engine.Imported, dry bool) {
	at := make(map[int]*Item, len(r.Items))
	for i := range r.Items {
		x := &r.Items[i]
		at[x.Row] = x
		for _, n := range x.Joined {
			at[n] = x
		}
		x.Project, x.Known = done.Known[x.Row]
	}
	for _, row := range done.Reported {
		at[row].Said.Reported = true
	}
	for _, p := range r.Problems {
		if x := at[p.Row]; x != nil && !x.Known {
			x.Refused = true
		}
	}
	if dry || len(r.Problems) > 0 {
		return // numbers and ids are given when the projects are made
	}
	for i, p := range done.Created {
		x := at[done.From[i]]
		x.Project, x.Number = p.ID, p.Number
	}
}

// planOf is the digest of what rows become.
func planOf(kind string, rows []engine.ImportRow) (audit.Digest, error) {
	type row struct {
		Row    int
		Unit   engine.UnitID
		Draft  engine.Draft
		Number string
		Source map[string]string

		Milestones []engine.Milestone
		Project    engine.ProjectID
		Progress   *engine.LedgerProgress
	}
	text := []byte(kind)
	for _, r := range rows { // one by one: there may be tens of thousands
		b, err := json.Marshal(row{r.Row, r.Unit.ID, r.Draft, r.Number, r.Source, r.Milestones, r.Project, r.Progress})
		if err != nil {
			return audit.Digest{}, fmt.Errorf("intake: %w", err)
		}
		text = append(append(text, '\n'), audit.HashContent(b).String()...)
	}
	return audit.HashContent(text), nil
}
