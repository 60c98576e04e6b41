package engine

import (
	"context"
	"errors"
	"maps"
	"slices"

	"bihuan/engine/calendar"
)

// listRoles draw up lists, publish and close them.
var listRoles = []Role{Supervisor, Leader}

// ListHeader is what people write about a list.
type ListHeader struct {
	Number   string
	Name     string
	From, To calendar.Date
}

func (h ListHeader) write(l *List) error {
	var err error
	if l.Number, err = listNumber(h.Number); err != nil {
		return err
	}
	if l.Name, err = text("name", h.Name, maxTitle); err != nil {
		return err
	}
	switch {
	case l.Name == "":
		return invalid("name", "field.empty")
	case h.From.IsZero():
		return invalid("from", "field.empty")
	case h.To.IsZero():
		return invalid("to", "field.empty")
	case h.To.Before(h.From):
		return invalid("to", "lists.bad_period")
	case h.From.AddMonths(12).Before(h.To):
		return invalid("to", "lists.long_period")
	}
	l.From, l.To = h.From, h.To
	return nil
}

// authorityAt is the first of the roles that the actor has at the unit with the path.
func authorityAt(who Actor, path string, roles []Role) (authority, error) {
	for _, r := range roles {
		if g, ok := who.Has(r, path); ok {
			return authority{role: r, unit: g.UnitID, by: g.By}, nil
		}
	}
	return authority{}, denied("act.role", "roles", roleNameList(roles))
}

// DrawUp begins a list of a unit. A second one with the same number is refused.
func (e *Engine) DrawUp(ctx context.Context, who Actor, unit Unit, h ListHeader) (List, error) {
	as, err := authorityAt(who, unit.Path, listRoles)
	if err != nil && !who.system { // setting up is an operator's too; deciding is not
		e.refused(ctx, who, "draw_up", SubjectUnit+"/"+string(unit.ID), unit.ID, err)
		return List{}, err
	}
	l := List{ID: ListID(e.NewID()), UnitID: unit.ID, UnitPath: unit.Path, State: ListDraft, CreatedBy: who.ID, CreatedAt: e.now(), Version: 1}
	if err := h.write(&l); err != nil {
		return List{}, err
	}
	err = e.record(ctx, who, l.Subject(), "draw_up", nil, func(r *Record) (any, map[string]any) {
		r.List = &l
		r.Entry.Unit, r.Entry.Actor.Role, r.Entry.Actor.Unit, r.Entry.To = string(unit.ID), string(as.role), string(as.unit), string(l.State)
		return l, nil
	})
	return l, duplicate(err, "number", "lists.number_taken", "number", l.Number)
}

// TheList returns a list that the actor may read.
func (e *Engine) TheList(ctx context.Context, who Actor, id ListID) (List, error) {
	l, err := e.Store.List(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !who.Reads(&l) {
		return List{}, notFound("lists.unknown")
	}
	return l, err
}

// Lists selects lists within what the actor may read.
func (e *Engine) Lists(ctx context.Context, who Actor, f ListFilter) (Page[List], error) {
	f.Scope = who.scope()
	return e.Store.Lists(ctx, f)
}

// MayKeep tells whether the actor may draw up, publish and close the lists of a unit.
func (e *Engine) MayKeep(who Actor, path string) bool {
	_, err := authorityAt(who, path, listRoles)
	return err == nil
}

// listAct collects what an act on lists writes: records in the order of their chains, and changes of projects.
type listAct struct {
	e    *Engine
	who  Actor
	ends map[ListID]*tail
	out  []Record
	also []Change // of projects
}

// open reads a list for an act: at the version that the actor saw, if base is given, by somebody who may keep it.
func (e *Engine) open(ctx context.Context, a *listAct, id ListID, base int64, what string) (List, authority, error) {
	l, err := e.TheList(ctx, a.who, id)
	if err != nil {
		return l, authority{}, err
	}
	as, err := authorityAt(a.who, l.UnitPath, listRoles)
	if err != nil && (!a.who.system || what != "put") {
		e.refused(ctx, a.who, what, l.Subject(), l.UnitID, err)
		return l, as, err
	}
	if base != 0 && base != l.Version {
		return l, as, &Error{Kind: Stale, Key: "lists.stale", Args: map[string]any{"base": base, "version": l.Version}}
	}
	end, err := e.tail(ctx, l.Subject())
	if err != nil {
		return l, as, err
	}
	a.ends[id] = &end
	return l, as, nil
}

// step adds an entry about a list: how it was before, how it is after, and what it does to projects.
func (a *listAct) step(as authority, action, note string, before, after *List, projects []Change, data map[string]any) error {
	after.Version = before.Version + 1
	next := after.clone()
	r, err := a.e.sealAfter(a.who, a.ends[after.ID], after.Subject(), action, before, func(r *Record) (any, map[string]any) {
		r.List = &next
		r.Entry.Unit, r.Entry.Actor.Role, r.Entry.Actor.Unit, r.Entry.Note = string(after.UnitID), string(as.role), string(as.unit), note
		if as.by != "" {
			data = maps.Clone(data)
			if data == nil {
				data = map[string]any{}
			}
			data["for"] = as.by
		}
		if before.State != after.State {
			r.Entry.From, r.Entry.To = string(before.State), string(after.State)
		}
		return next, data
	})
	a.out, a.also = append(a.out, r), append(a.also, projects...)
	return conflict(err)
}

// commit writes the act, all or nothing.
func (a *listAct) commit(ctx context.Context) error {
	return a.e.act(ctx, a.who, a.out, a.also)
}

func (e *Engine) listAct(who Actor) *listAct {
	return &listAct{e: e, who: who, ends: map[ListID]*tail{}}
}

// on decides a command on a project that stands on the list.
func (a *listAct) on(ctx context.Context, p Project, cmd Command) (Change, error) {
	w, err := a.e.Pinned(ctx, &p)
	if err != nil {
		return Change{}, err
	}
	return decide(a.e.moment(w, a.who), p, cmd)
}

// PutOn puts projects on a list, behind the others and in the order given. Projects must lie at or under the
// list's unit and stand on no other list that is not archived.
func (e *Engine) PutOn(ctx context.Context, who Actor, id ListID, base int64, projects []ProjectID) (List, error) {
	a := e.listAct(who)
	l, as, err := e.open(ctx, a, id, base, "put")
	if err != nil {
		return l, err
	}
	if err := l.allows(ListDraft, ListPublished); err != nil {
		return l, err
	}
	if len(projects) == 0 {
		return l, invalid("projects", "field.empty")
	}
	if len(projects) > MaxItems {
		return l, invalid("projects", "lists.too_many_items", "limit", MaxItems)
	}
	for part := range slices.Chunk(projects, itemsPerEntry) {
		before, next := l, l.clone()
		var changes []Change
		for _, pid := range part {
			p, err := e.visible(ctx, who, pid)
			if err != nil {
				return l, err
			}
			change, err := a.enlist(ctx, &next, p)
			if err != nil {
				return l, err
			}
			changes = append(changes, change)
		}
		if err := a.step(as, "put", "", &before, &next, changes, nil); err != nil {
			return l, err
		}
		l = next
	}
	return l, a.commit(ctx)
}

func (a *listAct) enlist(ctx context.Context, l *List, p Project) (Change, error) {
	if !Under(p.UnitPath, l.UnitPath) {
		return Change{}, invalid("projects", "lists.item_elsewhere", "project", p.Number)
	}
	if p.ListID != "" && p.ListID != l.ID {
		other, err := a.e.Store.List(ctx, p.ListID)
		if err != nil {
			return Change{}, err
		}
		if other.State != ListArchived {
			return Change{}, blocked("lists.item_on_other", "project", p.Number, "number", other.Number)
		}
	}
	if err := l.put(p.ID, ListItem{Times: p.Carried}); err != nil {
		return Change{}, err
	}
	return a.on(ctx, p, enlist{list: l.ID, number: l.Number})
}

// TakeOff takes a project off a list that is still being drawn up.
func (e *Engine) TakeOff(ctx context.Context, who Actor, id ListID, base int64, project ProjectID) (List, error) {
	return e.change(ctx, who, id, base, "take", "", func(a *listAct, l *List) ([]Change, error) {
		if err := l.take(project); err != nil {
			return nil, err
		}
		p, err := e.Store.Project(ctx, project)
		if err != nil {
			return nil, err
		}
		change, err := a.on(ctx, p, delist{l.ID})
		return []Change{change}, err
	})
}

// Place moves an item of a list that is still being drawn up to another number.
func (e *Engine) Place(ctx context.Context, who Actor, id ListID, base int64, project ProjectID, no int) (List, error) {
	return e.change(ctx, who, id, base, "place", "", func(_ *listAct, l *List) ([]Change, error) {
		return nil, l.place(project, no)
	})
}

// EditList changes the header of a list that is still being drawn up. The number stays, because projects name it.
func (e *Engine) EditList(ctx context.Context, who Actor, id ListID, base int64, h ListHeader) (List, error) {
	return e.change(ctx, who, id, base, "edit", "", func(_ *listAct, l *List) ([]Change, error) {
		if err := l.allows(ListDraft); err != nil {
			return nil, err
		}
		h.Number = l.Number
		return nil, h.write(l)
	})
}

// PublishList makes a list public: its items are fixed.
func (e *Engine) PublishList(ctx context.Context, who Actor, id ListID, base int64) (List, error) {
	return e.change(ctx, who, id, base, listPublish, "", func(_ *listAct, l *List) ([]Change, error) {
		return nil, l.publish(who.ID, e.now())
	})
}

// StartReconciling begins the reconciliation before the period is over; the clock does so when it is.
func (e *Engine) StartReconciling(ctx context.Context, who Actor, id ListID, base int64) (List, error) {
	return e.change(ctx, who, id, base, listReconcile, "", func(_ *listAct, l *List) ([]Change, error) {
		now := e.now()
		l.ReconcilingAt = &now
		return nil, l.step(listReconcile)
	})
}

// change is one step of one list.
func (e *Engine) change(ctx context.Context, who Actor, id ListID, base int64, action, note string, do func(a *listAct, l *List) ([]Change, error)) (List, error) {
	a := e.listAct(who)
	l, as, err := e.open(ctx, a, id, base, action)
	if err != nil {
		return l, err
	}
	next := l.clone()
	projects, err := do(a, &next)
	if err != nil {
		return l, err
	}
	if err := a.step(as, action, note, &l, &next, projects, nil); err != nil {
		return l, err
	}
	return next, a.commit(ctx)
}

// Named returns the projects under the list's unit that name its number, as drafts and imported ledgers do, and stand
// on no list yet: the earliest deadline first.
func (e *Engine) Named(ctx context.Context, who Actor, l *List) ([]Project, error) {
	var out []Project
	f := Filter{Unit: l.UnitID, List: l.Number, Open: true, Sort: ByDeadline, Limit: MaxPage}
	for {
		page, err := e.List(ctx, who, f)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Items {
			if p.ListID == "" {
				out = append(out, p)
			}
		}
		if f.After = page.Next; f.After == "" {
			return out, nil
		}
	}
}
