package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// clone copies the year so that its records can be changed.
func (y *TallyYear) clone() TallyYear {
	next := *y
	if next.Records = maps.Clone(y.Records); next.Records == nil {
		next.Records = map[string]TallyRecord{}
	}
	return next
}

// tallyAct collects what an act on members' years writes.
type tallyAct struct {
	e    *Engine
	who  Actor
	note string // why, in the words of the entry
	end  tail   // of the chain of the year at hand
	out  []Record
}

// load finds a member's year, nil if there is none, and the end of its chain.
func (a *tallyAct) load(ctx context.Context, t *Tally, user UserID, year int) (*TallyYear, error) {
	a.end = tail{}
	page, err := a.e.Store.TallyYears(ctx, TallyFilter{Tally: t.ID, User: user, Year: year, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	y := page.Items[0]
	a.end, err = a.e.tail(ctx, y.Subject())
	return &y, err
}

// enrol puts a member on the roll of a unit: before is their year, if there is one.
func (a *tallyAct) enrol(as authority, t *Tally, before *TallyYear, unit Unit, user UserID, year int, data map[string]any) (TallyYear, error) {
	today := a.e.today().Year()
	switch {
	case !t.On:
		return TallyYear{}, blocked("tally.off", "tally", t.Name)
	case year < today-10 || year > today+1:
		return TallyYear{}, invalid("year", "tally.year", "year", year)
	case before != nil && before.Struck == "":
		return TallyYear{}, &Error{Kind: Conflict, Field: "user", Key: "tally.enrolled", Args: map[string]any{"year": year}}
	}
	next := TallyYear{ID: TallyYearID(a.e.NewID()), Tally: t.ID, UserID: user, Year: year, CreatedBy: a.who.ID, CreatedAt: a.e.now()}
	if before != nil {
		next = before.clone()
		next.Struck = ""
	}
	next.UnitID, next.UnitPath = unit.ID, unit.Path
	err := a.step(as, "enrol_member", before, &next, data)
	return next, err
}

// step adds an entry about a member's year; before is nil for a new one.
func (a *tallyAct) step(as authority, action string, before, after *TallyYear, data map[string]any) error {
	after.Version++
	next := *after
	var old any
	if before != nil {
		old = before
	}
	r, err := a.e.sealAfter(a.who, &a.end, after.Subject(), action, old, func(r *Record) (any, map[string]any) {
		r.TallyYear, r.Guard.Open, r.Entry.Note = &next, action == "enrol_member", a.note
		return next, r.under(as, after.UnitID, after.UnitPath, data)
	})
	a.out = append(a.out, r)
	return conflict(err)
}

func (a *tallyAct) commit(ctx context.Context) error { return a.e.act(ctx, a.who, a.out, nil) }

// TallyRow is a row of a table: something that a member did, or only that they are on a branch's roll.
type TallyRow struct {
	Row    int
	Member string // login
	Unit   string // code or name; may be left out for a member who is on a roll
	Year   int    // of a row without a day
	TallyDraft
	Wrong error // what of the row could not be read
}

// enrolsOnly tells whether the row does nothing but put a member on the roll.
func (r *TallyRow) enrolsOnly() bool { return r.Category == "" && r.Day.IsZero() && r.Minutes == 0 }

// ImportHours takes a table of what members did over, all or none. Members who are on no roll of the year are put on
// that of the unit in their row. Rows that were taken over before are known and left alone, so that a table can be taken over
// again when it has grown. What is new waits to be confirmed. With dry nothing is written.
func (e *Engine) ImportHours(ctx context.Context, who Actor, tally string, rows []TallyRow, source map[string]any, dry bool) (Enrolled, error) {
	t, err := e.TheTally(ctx, tally)
	if err != nil {
		return Enrolled{}, err
	}
	if !t.On {
		return Enrolled{}, blocked("tally.off", "tally", t.Name)
	}
	x := tallyImport{tallyAct: tallyAct{e: e, who: who}, t: &t, source: source, users: map[string]UserID{}}
	if x.roll, err = e.roll(ctx); err != nil {
		return x.done, err
	}
	// One member's year after the other: each is read once, and its entries stand together.
	byYear := map[memberYear][]TallyRow{}
	var order []memberYear
	for _, row := range rows {
		key, err := x.key(ctx, &row)
		if KindOf(err) == 0 && err != nil {
			return x.done, err
		}
		if err != nil {
			x.wrong(&row, err)
			continue
		}
		if byYear[key] == nil {
			order = append(order, key)
		}
		byYear[key] = append(byYear[key], row)
	}
	for _, key := range order {
		if err := x.year(ctx, key, byYear[key]); err != nil {
			return x.done, err
		}
	}
	slices.SortFunc(x.done.Problems, func(a, b RowProblem) int { return a.Row - b.Row })
	slices.Sort(x.done.Grants)
	slices.Sort(x.done.New)
	slices.Sort(x.done.Known)
	return x.done, e.enrol(ctx, who, x.out, &x.done, dry)
}

type memberYear struct {
	user UserID
	year int
}

type tallyImport struct {
	tallyAct
	t      *Tally
	source map[string]any
	roll   *roll
	users  map[string]UserID // by login
	done   Enrolled          // Grants: rows that put somebody on a roll
}

func (x *tallyImport) wrong(row *TallyRow, err error) {
	x.done.Problems = append(x.done.Problems, RowProblem{row.Row, err})
}

// key finds whose year a row is about.
func (x *tallyImport) key(ctx context.Context, row *TallyRow) (memberYear, error) {
	if row.Wrong != nil {
		return memberYear{}, row.Wrong
	}
	if row.Member == "" {
		return memberYear{}, invalid("member", "field.empty")
	}
	id, ok := x.users[row.Member]
	if !ok {
		u, err := x.e.Store.User(ctx, row.Member)
		if errors.Is(err, ErrNotFound) || err == nil && u.Disabled {
			return memberYear{}, invalid("member", "user.unknown", "id", row.Member)
		}
		if err != nil {
			return memberYear{}, err
		}
		id = u.ID
		x.users[row.Member] = id
	}
	year := row.Year
	if !row.Day.IsZero() {
		year = row.Day.Year()
	}
	if year == 0 {
		return memberYear{}, invalid("day", "field.empty")
	}
	return memberYear{id, year}, nil
}

// year takes the rows of one member's year over.
func (x *tallyImport) year(ctx context.Context, key memberYear, rows []TallyRow) error {
	before, err := x.load(ctx, x.t, key.user, key.year)
	if err != nil {
		return err
	}
	y, err := x.enrolled(before, key, rows)
	if err != nil {
		if KindOf(err) == 0 {
			return err
		}
		for i := range rows {
			x.wrong(&rows[i], err)
		}
		return nil
	}
	var as authority
	if slices.ContainsFunc(rows, func(r TallyRow) bool { return !r.enrolsOnly() }) { // who keeps a roll need not enter hours
		if as, err = x.t.mayEnter(x.who, &y); err != nil {
			x.e.refused(ctx, x.who, "enter_hours", y.Subject(), y.UnitID, err)
			return err
		}
	}
	had, next := y, y.clone()
	var ids []string
	for i := range rows {
		row := &rows[i]
		if row.enrolsOnly() {
			if !slices.Contains(x.done.Grants, row.Row) {
				x.done.Known = append(x.done.Known, row.Row)
			}
			continue
		}
		if x.known(&had, row) {
			x.done.Known = append(x.done.Known, row.Row)
			continue
		}
		made, wrong := x.e.enter(x.t, &next, x.who, as, []TallyDraft{row.TallyDraft})
		if wrong != nil {
			x.wrong(row, wrong)
			continue
		}
		ids = append(ids, made...)
		x.done.New = append(x.done.New, row.Row)
	}
	if len(ids) == 0 {
		return nil
	}
	return x.step(as, "enter_hours", &had, &next, map[string]any{"records": ids, "import": x.source})
}

// known tells whether a row was there before this table was read. One that was declined or withdrawn meanwhile does not come
// back with the table; whoever means it enters it by hand.
func (x *tallyImport) known(had *TallyYear, row *TallyRow) bool {
	c, _ := x.t.Category(row.Category)
	note, err := text("note", row.Note, maxNote)
	said := TallyRecord{Category: c.ID, Day: row.Day, Minutes: row.Minutes, Note: note}
	for _, r := range had.Records {
		if err == nil && r.says(&said) {
			return true
		}
	}
	return false
}

// enrolled returns the member's year, made by the first row that names a unit if there is none.
func (x *tallyImport) enrolled(before *TallyYear, key memberYear, rows []TallyRow) (TallyYear, error) {
	var unit Unit
	first := slices.IndexFunc(rows, func(r TallyRow) bool { return r.Unit != "" })
	if first >= 0 {
		var err error
		if unit, err = x.roll.find("unit", rows[first].Unit); err != nil {
			return TallyYear{}, err
		}
		for _, r := range rows[first:] {
			if r.Unit == "" || r.Unit == rows[first].Unit {
				continue
			}
			if other, err := x.roll.find("unit", r.Unit); err != nil {
				return TallyYear{}, err
			} else if other.ID != unit.ID {
				return TallyYear{}, invalid("unit", "tally.two_units", "unit", other.Name)
			}
		}
	}
	if before != nil && before.Struck == "" {
		if unit.ID != "" && unit.ID != before.UnitID {
			return TallyYear{}, invalid("unit", "tally.elsewhere", "year", key.year)
		}
		return *before, nil
	}
	if unit.ID == "" {
		return TallyYear{}, invalid("unit", "tally.on_no_roll", "year", key.year)
	}
	as, err := x.e.enrols(x.who, unit.Path)
	if err != nil {
		return TallyYear{}, err
	}
	y, err := x.enrol(as, x.t, before, unit, key.user, key.year, map[string]any{"import": x.source})
	if err == nil {
		x.done.Grants = append(x.done.Grants, rows[first].Row)
	}
	return y, err
}
