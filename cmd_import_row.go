package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/ledger"
)

// mapping turns the rows of one ledger into drafts: names become units and people where exactly one is meant,
// and what has no field of its own is kept as it was written.
type mapping struct {
	session *session
	ledger  *ledger.Ledger
	unit    engine.Unit
	units   map[string][]engine.Unit   // under unit, by code and by name
	users   map[string][]engine.UserID // by name
	header  map[ledger.Field]string
	cells   map[int]ledger.Row // by row, for problems
	told    map[string]bool    // notes that were given

	list   string
	digest string // of the file
	today  calendar.Date
	notes  []importRemark
}

func newMapping(ctx context.Context, s *session, e *engine.Engine, unit engine.Unit, l *ledger.Ledger) (*mapping, error) {
	m := &mapping{session: s, ledger: l, unit: unit, units: map[string][]engine.Unit{}, users: map[string][]engine.UserID{},
		header: map[ledger.Field]string{}, cells: map[int]ledger.Row{}, told: map[string]bool{}}
	units, err := e.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		if !engine.Under(u.Path, unit.Path) {
			continue
		}
		m.units[u.Code] = append(m.units[u.Code], u)
		if u.Name != u.Code {
			m.units[u.Name] = append(m.units[u.Name], u)
		}
	}
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
		if c.Field != "" {
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
		Assisting: names(r.Cells[ledger.Assisting]),
	}
	maps.Copy(d.Extra, r.Other)
	for field, text := range r.Cells {
		if !slices.Contains(fields, field) {
			d.Extra[m.header[field]] = text
		}
	}
	out := engine.ImportRow{Row: r.Number, Unit: m.lead(r, &d), Number: r.Cells[ledger.Number]}
	d.Sponsor = m.person(r, ledger.Sponsor, &d)
	d.Owner = m.person(r, ledger.Owner, &d)
	if !d.Deadline.IsZero() && d.Deadline.Before(m.today) {
		m.note(r.Number, ledger.Due, "import.past", r.Deadline.Text, "date", d.Deadline)
	}
	if len(d.Extra) == 0 {
		d.Extra = nil
	}
	out.Draft = d
	out.Source = map[string]string{"file": m.ledger.Name, "sha256": m.digest, "row": strconv.Itoa(r.Number)}
	if r.Deadline.Rule != "" {
		out.Source["deadline"] = r.Deadline.Text
		out.Source["rule"] = r.Deadline.Rule
		out.Source["reading"] = r.Deadline.Reading
	}
	return out
}

// lead finds the leading unit. Of several units in one cell the first leads and the others assist; a name that
// no unit has is kept, and the unit of the import leads.
func (m *mapping) lead(r ledger.Row, d *engine.Draft) engine.Unit {
	text := r.Cells[ledger.Unit]
	if text == "" {
		return m.unit
	}
	if found := m.units[text]; len(found) == 1 {
		return found[0]
	}
	list := names(text)
	if len(list) > 1 {
		if found := m.units[list[0]]; len(found) == 1 {
			for _, name := range list[1:] {
				if !slices.Contains(d.Assisting, name) {
					d.Assisting = append(d.Assisting, name)
				}
			}
			return found[0]
		}
	}
	d.Extra[m.header[ledger.Unit]] = text
	m.once(r.Number, ledger.Unit, "import.unit_kept", text, "unit", m.unit.Name)
	return m.unit
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
	key := "import.person_kept"
	if len(found) > 1 {
		key = "import.person_ambiguous"
	}
	m.once(r.Number, field, key, text)
	return ""
}

// names parts a list of units as people write it.
func names(text string) []string {
	var out []string
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("、，,；;\n", r) }) {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func (m *mapping) note(row int, field ledger.Field, key, text string, args ...any) {
	m.notes = append(m.notes, importRemark{Row: row, Column: m.header[field], Key: "cli." + key, Message: m.session.text(key, args...), Text: short(text)})
}

// once notes a text at the first row that has it.
func (m *mapping) once(row int, field ledger.Field, key, text string, args ...any) {
	if id := key + "\n" + string(field) + "\n" + text; !m.told[id] {
		m.told[id] = true
		m.note(row, field, key, text, args...)
	}
}

// refused tells in which cell the engine found fault.
func (m *mapping) refused(p engine.RowProblem) importRemark {
	out := importRemark{Row: p.Row, Key: "internal", Message: m.session.explain(p.Err)}
	e, ok := p.Err.(*engine.Error) //nolint:errorlint // the engine's own answer is not wrapped
	if !ok {
		return out
	}
	out.Key = e.Key
	if field := ledger.Field(e.Field); m.header[field] != "" {
		out.Column, out.Text = m.header[field], short(m.cells[p.Row].Cells[field])
	}
	return out
}

// items tells which rows the projects came from. Projects stand in the order of their rows.
func (m *mapping) items(rows []engine.ImportRow, created []engine.Project, dry bool) []importedItem {
	out := make([]importedItem, 0, len(created))
	for _, r := range rows {
		if len(created) == 0 {
			break
		}
		p := created[0]
		if p.Title != strings.TrimSpace(r.Draft.Title) || p.UnitID != r.Unit.ID || p.Deadline != r.Draft.Deadline ||
			!maps.Equal(p.Extra, r.Draft.Extra) {
			continue // was known before
		}
		created = created[1:]
		item := importedItem{Row: r.Row, Number: p.Number, Title: p.Title, Deadline: p.Deadline, Reading: r.Source["reading"]}
		if dry {
			item.Number = "" // numbers are given when the project is made
		}
		out = append(out, item)
	}
	return out
}

// short cuts a cell's text for showing.
func short(text string) string {
	const limit = 80
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}
