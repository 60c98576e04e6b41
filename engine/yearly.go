package engine

import (
	"context"
	"errors"
	"slices"

	"bihuan/engine/message"
)

// free refuses a second project of a yearly kind for the same unit and year, naming the first, and, where the project comes
// into its year only now, while a missed one of an earlier year owes its 书面说明. p is as it would become. What two people
// create at the same moment the database tells apart; whoever comes second is asked again and then refused here.
func (e *Engine) free(ctx context.Context, w *Workflow, p *Project, comes bool) error {
	if p.Year == 0 || p.Stage == Cancelled {
		return nil
	}
	others, err := e.yearly(ctx, w, p.UnitID)
	if err != nil {
		return err
	}
	for _, o := range others {
		switch {
		case o.ID == p.ID:
		case o.Year == p.Year:
			return &Error{Kind: Blocked, Field: "year", Key: "year.taken",
				Args: message.Args("year", p.Year, "kind", w.Name, "number", o.Number, "title", o.Title)}
		case comes && o.Year < p.Year && !o.Stage.Resting() && o.EverOverdue && o.Statement == "" && w.wantsStatement():
			return blocked("year.statement_owed", "year", o.Year, "number", o.Number, "title", o.Title)
		}
	}
	return nil
}

// yearly lists a unit's own projects of the kind, 撤项 left out.
func (e *Engine) yearly(ctx context.Context, w *Workflow, unit UnitID) ([]Project, error) {
	var out []Project
	f := Filter{Kind: w.ID, Unit: unit, Alone: true, Kept: true, Now: e.now(), Limit: MaxPage}
	for {
		page, err := e.Store.Projects(ctx, f)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if f.After = page.Next; f.After == "" {
			return out, nil
		}
	}
}

// wantsStatement tells whether the definition knows a 书面说明.
func (w *Workflow) wantsStatement() bool {
	return slices.ContainsFunc(w.Stages, func(s Stage) bool { return has(s.Acts, ActStatement) })
}

// takenYear names who has the year if that is what the store's refusal was about.
func (e *Engine) takenYear(ctx context.Context, w *Workflow, p *Project, err error) error {
	if !errors.Is(err, ErrDuplicate) {
		return nil
	}
	return e.free(ctx, w, p, false)
}

// YearRow says what a unit has of a yearly kind in a year.
type YearRow struct {
	Unit    Unit
	Project *Project // nil: none yet
	Owing   *Project // of an earlier year: missed, and its 书面说明 not written
}

// Year lists, in the order of the tree, the units under root at which somebody holds one of the roles that propose the
// kind, each with its project of the year. root "" is everything that the person may read.
func (e *Engine) Year(ctx context.Context, who Actor, kind string, year int, root UnitID) ([]YearRow, error) {
	w, err := e.Workflow(kind)
	if err != nil {
		return nil, err
	}
	if !w.Yearly {
		return nil, invalid("kind", "year.not_yearly", "kind", w.Name)
	}
	of := map[UnitID]*YearRow{}
	f := Filter{Kind: kind, Unit: root, Kept: true, Sort: ByOldest, Limit: MaxPage}
	for {
		page, err := e.List(ctx, who, f)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Items {
			row := of[p.UnitID]
			if row == nil {
				row = &YearRow{}
				of[p.UnitID] = row
			}
			switch {
			case p.Year == year:
				row.Project = &p
			case p.Year < year && !p.Stage.Resting() && p.EverOverdue && p.Statement == "" && w.wantsStatement():
				row.Owing = &p
			}
		}
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	units, err := e.proposing(ctx, who, w, root)
	if err != nil {
		return nil, err
	}
	var out []YearRow
	for _, u := range units {
		row := of[u.ID]
		switch {
		case row == nil && !u.proposes:
			continue
		case row == nil:
			row = &YearRow{}
		}
		row.Unit = u.Unit
		out = append(out, *row)
	}
	return out, nil
}

type proposingUnit struct {
	Unit
	proposes bool // somebody holds a role there by which the kind is proposed
}

// proposing lists the units that the person may read under root, and says of each whether it is one that proposes.
func (e *Engine) proposing(ctx context.Context, who Actor, w *Workflow, root UnitID) ([]proposingUnit, error) {
	users, err := e.Store.Users(ctx)
	if err != nil {
		return nil, err
	}
	at := map[UnitID]bool{}
	for _, u := range users {
		for _, g := range u.Grants {
			if !u.Disabled && has(w.Create, g.Role) {
				at[g.UnitID] = true
			}
		}
	}
	units, err := e.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	under := ""
	if root != "" {
		r, err := e.Unit(ctx, string(root))
		if err != nil {
			return nil, err
		}
		under = r.Path
	}
	scope := who.scope()
	var out []proposingUnit
	for _, u := range units {
		inside := scope == nil || slices.ContainsFunc(scope.Paths, func(p string) bool { return Under(u.Path, p) })
		if inside && (under == "" || Under(u.Path, under)) {
			out = append(out, proposingUnit{u, at[u.ID]})
		}
	}
	return out, nil
}
