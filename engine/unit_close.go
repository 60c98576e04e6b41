package engine

import "context"

// CloseUnit ends a unit (撤销): nothing new is proposed, granted, lent or added at it. What happened in it stays, and it
// can be opened again. It is refused while something still hangs on it; the error lists what. note says why.
func (e *Engine) CloseUnit(ctx context.Context, who Actor, unit, note string) (Unit, error) {
	u, err := e.unitToChange(ctx, who, unit, "close_unit")
	if err != nil {
		return Unit{}, err
	}
	if note, err = reason(note); err != nil {
		return Unit{}, err
	}
	if u.ClosedAt != nil {
		return Unit{}, blocked("unit.closed", "unit", u.Name)
	}
	checks, err := e.Closable(ctx, u)
	if err != nil {
		return Unit{}, err
	}
	if !permits(checks) {
		return Unit{}, &Error{Kind: Blocked, Key: "unit.not_closable", Args: map[string]any{"unit": u.Name}, Reasons: checks}
	}
	next, now := u, e.now()
	next.ClosedAt = &now
	next.Version++
	err = e.record(ctx, who, SubjectUnit+"/"+string(u.ID), "close_unit", u, func(r *Record) (any, map[string]any) {
		r.Unit, r.Entry.Unit, r.Entry.Note = &next, string(u.ID), note
		r.Guard.Unit, r.Guard.Path = u.ID, u.Path
		r.Idle = u.Path
		return next, nil
	})
	return next, conflict(err)
}

// ReopenUnit takes the end of a unit back. The unit above it must be open.
func (e *Engine) ReopenUnit(ctx context.Context, who Actor, unit, note string) (Unit, error) {
	u, err := e.unitToChange(ctx, who, unit, "reopen_unit")
	if err != nil {
		return Unit{}, err
	}
	if note, err = reason(note); err != nil {
		return Unit{}, err
	}
	if u.ClosedAt == nil {
		return Unit{}, blocked("unit.open", "unit", u.Name)
	}
	if u.ParentID != "" {
		up, err := e.Unit(ctx, string(u.ParentID))
		if err != nil {
			return Unit{}, err
		}
		if err := open(up); err != nil {
			return Unit{}, err
		}
	}
	next := u
	next.ClosedAt = nil
	next.Version++
	err = e.record(ctx, who, SubjectUnit+"/"+string(u.ID), "reopen_unit", u, func(r *Record) (any, map[string]any) {
		r.Unit, r.Entry.Unit, r.Entry.Note = &next, string(u.ID), note
		r.Guard.Unit, r.Guard.Path = u.ID, u.Path
		return next, nil
	})
	return next, conflict(err)
}

// unitToChange finds a unit above which the actor is administrator.
func (e *Engine) unitToChange(ctx context.Context, who Actor, unit, what string) (Unit, error) {
	if err := e.requires(ctx, who, Admin, what); err != nil {
		return Unit{}, err
	}
	u, err := e.Unit(ctx, unit)
	if err != nil {
		return Unit{}, err
	}
	return u, e.administers(ctx, who, what, u.Path, u)
}

// open refuses a unit that was closed, where something new is to begin at it.
func open(u Unit) error {
	if u.ClosedAt != nil {
		return blocked("unit.closed", "unit", u.Name)
	}
	return nil
}

// Closable lists what a unit's end waits for: units under it, projects that are open in it, people with a role at it.
func (e *Engine) Closable(ctx context.Context, u Unit) ([]Reason, error) {
	all, err := e.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	units := 0
	for _, x := range all {
		if x.ClosedAt == nil && x.ID != u.ID && Under(x.Path, u.Path) {
			units++
		}
	}
	counts, err := e.Store.Count(ctx, Filter{Unit: u.ID, Open: true, Now: e.now()})
	if err != nil {
		return nil, err
	}
	people, err := e.Store.People(ctx, PeopleFilter{Unit: u.ID, Limit: MaxPage})
	if err != nil {
		return nil, err
	}
	line := func(key string, n int) Reason {
		return Reason{ID: key, Met: n == 0, Key: key, Args: map[string]any{"n": n}}
	}
	return []Reason{line("unit.has_units", units), line("unit.has_projects", counts.Total), line("unit.has_roles", len(people.Items))}, nil
}
