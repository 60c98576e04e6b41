package score

import (
	"context"
	"slices"
	"sync"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// Desk answers what people ask about scores. It keeps the last books for a moment, so that a page that many look at
// is read once. It is safe for concurrent use.
type Desk struct {
	engine *engine.Engine
	trail  engine.Walker
	sheets []*Sheet
	parse  Parse
	parsed sync.Map // adopted sheets by their digests
	now    func() time.Time

	mu    sync.Mutex // held while a book is read: reading one is work for one at a time
	books []kept
}

type kept struct {
	key  Query
	at   time.Time
	book *Book
}

// How many books are kept, and for how long.
const (
	keptBooks = 4
	keptFor   = 15 * time.Second
)

// NewDesk makes a desk over the trail. The first of the sheets, which the product brings along, holds until another one
// has been adopted; parse reads those.
func NewDesk(e *engine.Engine, trail engine.Walker, now func() time.Time, sheets []*Sheet, parse Parse) *Desk {
	return &Desk{engine: e, trail: trail, sheets: sheets, parse: parse, now: now}
}

// Question is what somebody asks for.
type Question struct {
	From, To calendar.Date // the period
	On       calendar.Date // as it was at the end of this day; zero: now
	Sheet    string        // as Desk.Sheet takes it; "": the one in force on the last day that counts
}

// Table computes the scores of all units by a sheet and keeps those that the person reads everything about: ranks are
// among all, but nobody sees another unit's lines.
func (d *Desk) Table(ctx context.Context, who engine.Actor, q Question) (*Table, error) {
	if q.Sheet == "" {
		return d.Apply(ctx, who, q, nil)
	}
	s, err := d.Sheet(ctx, q.Sheet)
	if err != nil {
		return nil, err
	}
	return d.Apply(ctx, who, q, s)
}

// Apply is Table by a sheet that need not be one of the desk's; nil is the one in force.
func (d *Desk) Apply(ctx context.Context, who engine.Actor, q Question, s *Sheet) (*Table, error) {
	b, err := d.book(ctx, q)
	if err != nil {
		return nil, err
	}
	if s == nil {
		if s, err = d.holding(ctx, b); err != nil {
			return nil, err
		}
	}
	units, err := d.engine.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	mine := map[engine.UnitID]bool{} // rights are by the tree of today
	for _, u := range units {
		mine[u.ID] = who.Covers(u.Path)
	}
	t := b.Score(s)
	t.Units = slices.DeleteFunc(t.Units, func(u Unit) bool { return !mine[u.ID] })
	return t, nil
}

// book reads the trail, unless it has just done so.
func (d *Desk) book(ctx context.Context, q Question) (*Book, error) {
	query := Query{From: q.From, To: q.To, Location: d.engine.Site.Location, Calendar: d.engine.Working()}
	if !q.On.IsZero() {
		query.AsOf = q.On.AddDays(1).Start(query.Location)
	}
	if err := query.Validate(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now().UTC().Truncate(time.Microsecond)
	d.books = slices.DeleteFunc(d.books, func(k kept) bool { return now.Sub(k.at) > keptFor || now.Before(k.at) })
	for _, k := range d.books {
		if k.key == query {
			return k.book, nil
		}
	}
	key := query
	// What is still to come is not there yet; an entry of this very moment counts.
	if soon := now.Add(time.Microsecond); query.AsOf.IsZero() || query.AsOf.After(soon) {
		query.AsOf = soon
	}
	if !query.AsOf.After(query.From.Start(query.Location)) {
		return nil, &engine.Error{Kind: engine.Invalid, Field: "from", Key: "score.not_begun", Args: map[string]any{"date": query.From}}
	}
	b, err := Read(ctx, d.trail, query)
	if err != nil {
		return nil, err
	}
	if len(d.books) == keptBooks {
		d.books = d.books[1:]
	}
	d.books = append(d.books, kept{key, now, b})
	return b, nil
}

// Candidates are the units that the score suggests for 评先评优: ranked, in the highest band, and without a line for
// what rules that out. Whether they are proposed is for people to decide.
func (t *Table) Candidates() []*Unit {
	var out []*Unit
	for i := range t.Units {
		u := &t.Units[i]
		if u.Rank > 0 && len(t.Sheet.Bands) > 0 && u.Band.ID == t.Sheet.Bands[0].ID && len(u.Bars(t.Sheet)) == 0 {
			out = append(out, u)
		}
	}
	slices.SortStableFunc(out, func(a, b *Unit) int {
		if a.Level() != b.Level() {
			return a.Level() - b.Level()
		}
		return a.Rank - b.Rank
	})
	return out
}

// Bars are the unit's lines that keep it from being a candidate: something was never done, or evidence was false.
func (u *Unit) Bars(s *Sheet) []*Line {
	barring := map[string]bool{}
	for _, r := range s.Rules {
		barring[r.ID] = r.Event == Unfinished || r.Event == FalseEvidence
	}
	var out []*Line
	for i := range u.Lines {
		if barring[u.Lines[i].Row] {
			out = append(out, &u.Lines[i])
		}
	}
	return out
}

// Gained and Lost part a unit's points above or below the base.
func (u *Unit) Gained() Points {
	return u.Sum(func(l *Line) bool { return l.Row != BaseRow && l.Points > 0 })
}

// Lost is what a unit's lines take, 0 or below.
func (u *Unit) Lost() Points {
	return u.Sum(func(l *Line) bool { return l.Row != BaseRow && l.Points < 0 })
}
