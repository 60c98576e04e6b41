package score

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Query says what a book is about.
type Query struct {
	From, To calendar.Date // the period (考核期), both days included
	AsOf     time.Time     // entries from this moment on are left out; zero or after the period: its end
	Unit     engine.UnitID // this unit and everything under it; "": every unit
	Location *time.Location
	Calendar *calendar.Calendar
}

// Validate refuses a period that is none, or longer than two years.
func (q Query) Validate() error {
	if q.From.IsZero() || q.To.IsZero() || q.To.Before(q.From) || q.From.DaysUntil(q.To) > 731 {
		return &engine.Error{Kind: engine.Invalid, Field: "to", Key: "score.bad_period"}
	}
	if !q.AsOf.IsZero() && !q.AsOf.After(q.From.Start(q.Location)) {
		return &engine.Error{Kind: engine.Invalid, Field: "as_of", Key: "score.bad_as_of"}
	}
	return nil
}

func (q Query) window() window {
	w := window{start: q.From.Start(q.Location), end: q.To.AddDays(1).Start(q.Location), over: true, loc: q.Location, cal: q.Calendar}
	if !q.AsOf.IsZero() && q.AsOf.Before(w.end) {
		w.end, w.over = q.AsOf, false
	}
	w.today = calendar.DateOf(w.end.Add(-time.Microsecond), q.Location)
	return w
}

// Book is what happened in a period by the trail, whatever a sheet makes of it.
type Book struct {
	Query
	Until time.Time // entries before this moment were read
	Over  bool      // the period is over by then
	Units []Place   // in the order of their paths
	items []result
}

// Place is a unit as it was at the moment.
type Place struct {
	ID   engine.UnitID `json:"id"`
	Path string        `json:"path"`
	Code string        `json:"code"`
	Name string        `json:"name"`
}

// Level is 1 for a root, 2 for what is right under it.
func (p Place) Level() int { return strings.Count(p.Path, "/") - 1 }

// result is one item, finished.
type result struct {
	unit    engine.UnitID
	kind    string
	found   []Occurrence
	marks   []mark
	settled bool
}

// Read folds the trail into a book.
func Read(ctx context.Context, trail engine.Walker, q Query) (*Book, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	w := q.window()
	b := &Book{Query: q, Until: w.end, Over: w.over}
	if err := b.readUnits(ctx, trail); err != nil {
		return nil, err
	}
	f := engine.TrailFilter{Kind: engine.SubjectProject, Before: w.end}
	if q.Unit != "" {
		if f.Units = b.within(q.Unit); len(f.Units) == 0 {
			return nil, &engine.Error{Kind: engine.NotFound, Key: "unit.unknown", Args: map[string]any{"unit": q.Unit}}
		}
	}
	var h *history
	done := func() {
		if h == nil {
			return
		}
		r := result{unit: h.state.UnitID, kind: h.state.Kind}
		r.found, r.marks, r.settled = h.finish()
		if r.settled || len(r.found)+len(r.marks) > 0 {
			b.items = append(b.items, r)
		}
	}
	err := trail.Walk(ctx, f, func(raw []byte) error {
		e, err := audit.Parse(raw)
		if err != nil {
			return fmt.Errorf("score: %w", err)
		}
		if id := engine.ProjectID(e.SubjectID()); h == nil || h.id != id {
			done()
			h = &history{q: &w, id: id, findings: map[string]Ref{}}
		}
		return h.add(&e)
	})
	if err != nil {
		return nil, err
	}
	done()
	return b, nil
}

// readUnits folds the tree as it was at the moment.
func (b *Book) readUnits(ctx context.Context, trail engine.Walker) error {
	all := map[string]*Place{}
	err := trail.Walk(ctx, engine.TrailFilter{Kind: engine.SubjectUnit, Before: b.Until}, func(raw []byte) error {
		e, err := audit.Parse(raw)
		if err != nil {
			return fmt.Errorf("score: %w", err)
		}
		if all[e.Subject] == nil {
			all[e.Subject] = &Place{}
		}
		return json.Unmarshal(e.Data, &struct {
			Set *Place `json:"set"`
		}{all[e.Subject]})
	})
	if err != nil {
		return err
	}
	for _, p := range all {
		b.Units = append(b.Units, *p)
	}
	slices.SortFunc(b.Units, func(x, y Place) int { return cmp.Compare(x.Path, y.Path) })
	return nil
}

// within lists a unit and everything under it.
func (b *Book) within(id engine.UnitID) []engine.UnitID {
	var out []engine.UnitID
	i := slices.IndexFunc(b.Units, func(p Place) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	for _, p := range b.Units {
		if engine.Under(p.Path, b.Units[i].Path) {
			out = append(out, p.ID)
		}
	}
	return out
}
