package intake

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/ledger"
	"bihuan/engine/message"
)

// mapping turns the rows of one ledger into drafts: names become units and people where exactly one is meant,
// and what has no field of its own is kept as it was written.
type mapping struct {
	ledger *ledger.Ledger
	unit   engine.Unit
	list   string
	digest string                     // of the file
	users  map[string][]engine.UserID // by name
	header map[ledger.Field]string
	cells  map[int]ledger.Row // by row, for problems
	told   map[string]bool    // notes that were given
	today  calendar.Date
	yearly bool // each unit has one item of the kind for a year
	notes  []Remark

	directory *directory // of the units at and under unit
	unknown   map[string]*UnknownUnit
	unknowns  []*UnknownUnit // in the order in which they were met
}

func newMapping(ctx context.Context, e *engine.Engine, x Ledger, l *ledger.Ledger) (*mapping, error) {
	unit := x.Unit
	m := &mapping{ledger: l, unit: unit, list: x.List, digest: audit.HashContent(x.Data).String(), unknown: map[string]*UnknownUnit{},
		users: map[string][]engine.UserID{}, header: map[ledger.Field]string{}, cells: map[int]ledger.Row{}, told: map[string]bool{}}
	if w, unknown := e.Workflow(x.Kind); unknown == nil { // which the engine refuses later
		m.yearly = w.Yearly
	}
	units, err := e.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	m.directory = newDirectory(units, unit)
	users, err := e.Store.Users(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		if !u.Disabled {
			m.users[u.Name] = append(m.users[u.Name], u.ID)
		}
	}
	for _, c := range l.Columns {
		if c.Field != "" && m.header[c.Field] == "" { // of several columns the first, under which their texts are joined
			m.header[c.Field] = c.Header
		}
	}
	return m, nil
}

// fields are the columns that a project has fields for; of the others the text is kept.
var fields = []ledger.Field{ledger.Title, ledger.Category, ledger.Target, ledger.Measures, ledger.Due, ledger.Unit,
	ledger.Assisting, ledger.Sponsor, ledger.Owner}

// row makes a draft of a row and notes what a person should look at.
func (m *mapping) row(r ledger.Row) engine.ImportRow {
	m.cells[r.Number] = r
	d := engine.Draft{
		Title: r.Cells[ledger.Title], Category: r.Cells[ledger.Category], Target: r.Cells[ledger.Target],
		Measures: r.Cells[ledger.Measures], List: m.list, Deadline: r.Deadline.Date, Extra: map[string]string{},
	}
	maps.Copy(d.Extra, r.Other)
	for field, text := range r.Cells {
		if !slices.Contains(fields, field) && (field != ledger.Plan || !told(text, r.Steps)) { // a plan that was read is the item's own
			d.Extra[m.header[field]] = text
		}
	}
	out := engine.ImportRow{Row: r.Number, Number: r.Cells[ledger.Number], Milestones: m.milestones(r)}
	unit, written := m.place(r, &d)
	out.Unit = unit
	d.Sponsor = m.person(r, ledger.Sponsor, &d)
	d.Owner = m.person(r, ledger.Owner, &d)
	if !d.Deadline.IsZero() && d.Deadline.Before(m.today) {
		m.note(r.Number, ledger.Due, "intake.past", r.Deadline.Text, "date", d.Deadline)
	}
	if len(d.Extra) == 0 {
		d.Extra = nil
	}
	if m.yearly {
		d.Year = m.yearOf(r)
	}
	out.Draft = d
	out.Source = map[string]string{"file": m.ledger.Name, "sha256": m.digest, "row": strconv.Itoa(r.Number)}
	if written != "" && written != out.Unit.Name && d.Extra[m.header[ledger.Unit]] == "" { // the names went to several places
		out.Source["unit"] = written
	}
	if assisting := r.Cells[ledger.Assisting]; assisting != "" && assisting != strings.Join(d.Assisting, "、") {
		out.Source["assisting"] = assisting
	}
	if r.Deadline.Rule != "" {
		out.Source["deadline"] = r.Deadline.Text
		out.Source["rule"] = r.Deadline.Rule
		out.Source["reading"] = r.Deadline.Reading
	}
	return out
}

// yearOf is the 年度 that a row of a yearly kind is of: that of the row or the file, otherwise the present one; nothing is
// due in a year before its own.
func (m *mapping) yearOf(r ledger.Row) int {
	year := cmp.Or(r.Year, m.today.Year())
	if d := r.Deadline.Date; !d.IsZero() {
		year = min(year, d.Year())
	}
	return year
}

// milestones are the dated steps of a row.
func (m *mapping) milestones(r ledger.Row) []engine.Milestone {
	var out []engine.Milestone
	late := 0
	for _, s := range r.Steps {
		out = append(out, engine.Milestone{Title: s.Title, Due: s.Deadline.Date, Who: message.Short(s.Who)})
		if !r.Deadline.Date.IsZero() && s.Deadline.Date.After(r.Deadline.Date) {
			late++
		}
	}
	if late > 0 {
		m.note(r.Number, ledger.Due, "intake.steps_late", r.Deadline.Text, "count", late, "date", r.Deadline.Date)
	}
	return out
}

// told reports whether the steps say all that the cell of a plan says, but for how its parts are numbered.
func told(text string, steps []ledger.Step) bool {
	rest := bare(text)
	for _, s := range steps {
		rest = strings.Replace(rest, bare(s.Deadline.Text), "", 1)
		rest = strings.Replace(rest, bare(s.Title), "", 1)
	}
	return strings.Trim(rest, "0123456789") == ""
}

// person finds the one user of that name; otherwise the text is kept.
func (m *mapping) person(r ledger.Row, field ledger.Field, d *engine.Draft) engine.UserID {
	text := r.Cells[field]
	if text == "" {
		return ""
	}
	found := m.users[text]
	if len(found) == 1 {
		return found[0]
	}
	d.Extra[m.header[field]] = text
	key := "intake.person_kept"
	if len(found) > 1 {
		key = "intake.person_ambiguous"
	}
	m.once(r.Number, field, key, text)
	return ""
}

func (m *mapping) note(row int, field ledger.Field, key, text string, args ...any) {
	m.notes = append(m.notes, Remark{Row: row, Column: m.header[field], Key: key, Text: message.Short(text), said: sentence{key, message.Args(args...)}})
}

// once notes a text at the first row that has it.
func (m *mapping) once(row int, field ledger.Field, key, text string, args ...any) {
	if id := key + "\n" + string(field) + "\n" + text; !m.told[id] {
		m.told[id] = true
		m.note(row, field, key, text, args...)
	}
}

// refused tells in which cell the engine found fault.
func (m *mapping) refused(p engine.RowProblem) Remark {
	e, ok := errors.AsType[*engine.Error](p.Err)
	if !ok { // the engine reports nothing else about a row
		return Remark{Row: p.Row, Key: "api.internal", said: sentence{key: "api.internal"}}
	}
	out := Remark{Row: p.Row, Key: e.Key, said: e}
	if field := ledger.Field(e.Field); m.header[field] != "" {
		out.Column, out.Text = m.header[field], message.Short(m.cells[p.Row].Cells[field])
	}
	return out
}

// untold tells why what a row says of its project is not reported there.
func (m *mapping) untold(p engine.RowProblem) Remark {
	out := m.refused(p)
	cells := m.cells[p.Row].Cells
	field := ledger.Progress
	if cells[field] == "" {
		field = ledger.Outcome
	}
	out.Column, out.Text = m.header[field], message.Short(cells[field])
	if why, ok := errors.AsType[*engine.Error](p.Err); ok {
		out.Key, out.said = "intake.progress_not_taken", sentence{"intake.progress_not_taken", message.Args("why", why)}
	}
	return out
}
