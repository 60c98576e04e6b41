package score

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"bihuan/engine"
)

// Line is one reason for points, and the entries behind it.
type Line struct {
	Row     string    // id of the rule or share; BaseRow for the base
	Group   string    // "" for none
	Item    *Item     // nil: about the unit as a whole
	At      time.Time // when it was earned or lost
	Raw     Points    // before caps and bounds
	Points  Points    // what counts; the points of a unit's lines add up to its total
	Yes, Of int       // of shares and rates: the count above the line and below
	Days    int       // late, in the days that the rule counts
	Unknown bool      // Days counts working days of a year without a holiday list
	Refs    []Ref     // none for the base alone
}

// BaseRow is the row of the line that every unit begins with.
const BaseRow = "base"

// Unit is the score of a unit with everything under it.
type Unit struct {
	Place
	Class string // of the sheet, "" where units are ranked by their level
	Items int    // settled: closed out in the period, or overdue
	Lines []Line
	Total Points
	Band  Band // of what is ranked; the zero value otherwise: two items are no grounds for a grade
	Rank  int  // among those of its kind, 1 first; 0: too few items to be ranked
	Of    int  // ranked units of its kind
}

// Sum adds up the lines of a row or group.
func (u *Unit) Sum(belongs func(l *Line) bool) Points {
	var sum Points
	for i := range u.Lines {
		if belongs(&u.Lines[i]) {
			sum += u.Lines[i].Points
		}
	}
	return sum
}

// Table is a sheet applied to a book.
type Table struct {
	Sheet *Sheet
	Book  *Book
	Units []Unit // in the order of their paths
}

// Unit returns the score of a unit.
func (t *Table) Unit(id engine.UnitID) (*Unit, bool) {
	for i := range t.Units {
		if t.Units[i].ID == id {
			return &t.Units[i], true
		}
	}
	return nil, false
}

// Score applies a sheet to the units of the book, or those of its query.
func (b *Book) Score(s *Sheet) *Table {
	t := &Table{Sheet: s, Book: b}
	byUnit := map[engine.UnitID][]*result{}
	for i := range b.items {
		if r := &b.items[i]; s.Counts(r.kind) {
			byUnit[r.unit] = append(byUnit[r.unit], r)
		}
	}
	class := map[string]string{}
	for _, c := range s.Classes {
		for _, u := range c.Units {
			class[u] = c.ID
		}
	}
	root := ""
	for _, p := range b.Units {
		if p.ID == b.Unit {
			root = p.Path
		}
	}
	for i, p := range b.Units {
		if b.Unit != "" && !engine.Under(p.Path, root) {
			continue
		}
		var items []*result
		for _, sub := range b.Units[i:] { // paths of a subtree follow one another
			if !strings.HasPrefix(sub.Path, p.Path) {
				break
			}
			items = append(items, byUnit[sub.ID]...)
		}
		t.Units = append(t.Units, s.unit(p, class[p.Code], items, b.Until))
	}
	t.rank()
	return t
}

// unit scores one unit by its items.
func (s *Sheet) unit(p Place, class string, items []*result, until time.Time) Unit {
	u := Unit{Place: p, Class: class, Total: s.Base}
	found := map[Event][]Occurrence{}
	marks := map[Measure][]mark{}
	var votes Occurrence
	for _, r := range items {
		if r.settled {
			u.Items++
		}
		for _, o := range r.found {
			found[o.Event] = append(found[o.Event], o)
			if o.Event == Satisfied {
				votes.Yes, votes.Of = votes.Yes+o.Yes, votes.Of+o.Of
				votes.Refs = append(votes.Refs, o.Refs[0])
			}
		}
		for _, m := range r.marks {
			marks[m.measure] = append(marks[m.measure], m)
		}
	}
	if votes.Of > 0 {
		votes.Event, votes.At = Satisfaction, until
		sortRefs(votes.Refs)
		found[Satisfaction] = []Occurrence{votes}
	}
	u.Lines = append(u.Lines, Line{Row: BaseRow, At: time.Time{}, Raw: s.Base, Points: s.Base})
	for _, r := range s.Rules {
		u.Lines = append(u.Lines, r.lines(found[r.Event])...)
	}
	for _, r := range s.Shares {
		if l, ok := r.line(marks[r.Measure], until); ok {
			u.Lines = append(u.Lines, l)
		}
	}
	for _, g := range s.Groups {
		g.bound(u.Lines)
	}
	for i := range u.Lines[1:] {
		u.Total += u.Lines[i+1].Points
	}
	return u
}

// earlier orders occurrences so that the same ones count under a cap whatever order they were read in.
func earlier(a, b Occurrence) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Item.ID, b.Item.ID), cmp.Compare(a.Refs[0].Seq, b.Refs[0].Seq))
}

func sortRefs(refs []Ref) {
	slices.SortFunc(refs, func(a, b Ref) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Seq, b.Seq))
	})
}

// lines are what a rule makes of the occurrences of its event, in the order of time.
func (r Rule) lines(found []Occurrence) []Line {
	found = slices.Clone(found)
	slices.SortFunc(found, earlier)
	var out []Line
	seen := map[engine.ProjectID]bool{}
	var sum Points
	for _, o := range found {
		if slices.Contains(rated, r.Event) && o.Yes*100 < r.AtLeast*o.Of {
			continue
		}
		if r.Once == OncePerUnit && len(out) > 0 || r.Once == OncePerItem && seen[o.Item.ID] {
			continue
		}
		seen[o.Item.ID] = true
		l := Line{Row: r.ID, Group: r.Group, At: o.At, Raw: r.Points, Yes: o.Yes, Of: o.Of, Refs: o.Refs}
		if o.Item.ID != "" {
			item := o.Item
			l.Item = &item
		}
		if r.PerDay.Points != 0 {
			l.Days = o.Days
			if r.PerDay.Working {
				l.Days, l.Unknown = o.Workdays, !o.Known && o.Days > 0
			}
			l.Raw += max(Points(l.Days)*r.PerDay.Points, r.PerDay.Cap)
		}
		l.Points = l.Raw
		if r.Cap > 0 {
			l.Points = min(sum+l.Raw, r.Cap) - sum
		} else if r.Cap < 0 {
			l.Points = max(sum+l.Raw, r.Cap) - sum
		}
		sum += l.Points
		out = append(out, l)
	}
	return out
}

// line is the weight times the share; a unit with nothing to measure has none.
func (r Share) line(marks []mark, until time.Time) (Line, bool) {
	l := Line{Row: r.ID, Group: r.Group, At: until}
	seen := map[Ref]bool{}
	for _, m := range marks {
		l.Of += m.n
		if m.ok {
			l.Yes += m.n
		}
		if !seen[m.ref] {
			seen[m.ref] = true
			l.Refs = append(l.Refs, m.ref)
		}
	}
	if l.Of == 0 {
		return Line{}, false
	}
	sortRefs(l.Refs)
	l.Raw = (2*r.Weight*Points(l.Yes) + Points(l.Of)) / (2 * Points(l.Of)) // half up
	l.Points = l.Raw
	return l, true
}

// bound cuts the group's lines in the order of time, as far as their sum would leave its bounds.
func (g Group) bound(lines []Line) {
	var mine []*Line
	for i := range lines {
		if lines[i].Group == g.ID && lines[i].Row != BaseRow {
			mine = append(mine, &lines[i])
		}
	}
	slices.SortStableFunc(mine, func(a, b *Line) int { return a.At.Compare(b.At) })
	var sum Points
	for _, l := range mine {
		next := sum + l.Points
		if g.Max != nil {
			next = min(next, max(sum, *g.Max))
		}
		if g.Min != nil {
			next = max(next, min(sum, *g.Min))
		}
		l.Points = next - sum
		sum = next
	}
}

// rank orders the units of each kind that have enough items. Equal totals share a rank, and the next one is left out.
func (t *Table) rank() {
	type kind struct {
		class string
		level int
	}
	kinds := map[kind][]*Unit{}
	for i := range t.Units {
		u := &t.Units[i]
		if u.Items < t.Sheet.MinRank || u.Items == 0 {
			continue
		}
		k := kind{class: u.Class}
		if u.Class == "" {
			k.level = u.Level()
		}
		kinds[k] = append(kinds[k], u)
	}
	for _, list := range kinds {
		slices.SortStableFunc(list, func(a, b *Unit) int { return cmp.Compare(b.Total, a.Total) })
		for i, u := range list {
			u.Rank, u.Of, u.Band = i+1, len(list), t.Sheet.BandOf(u.Total)
			if i > 0 && list[i-1].Total == u.Total {
				u.Rank = list[i-1].Rank
			}
		}
	}
}

// Change is what another sheet would make of a unit.
type Change struct {
	Old, New *Unit
}

// Difference is by how much.
func (c Change) Difference() Points { return c.New.Total - c.Old.Total }

// Compare puts two tables over one book side by side, unit by unit.
func Compare(old, new *Table) []Change {
	out := make([]Change, len(old.Units))
	for i := range old.Units {
		out[i] = Change{&old.Units[i], &new.Units[i]}
	}
	return out
}
