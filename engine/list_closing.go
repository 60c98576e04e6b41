package engine

import (
	"context"
	"slices"
	"time"

	"bihuan/engine/calendar"
)

// CarryOver moves an item that is not done into another list of the same unit (结转). Its number, its original
// deadline and the times that it was carried over stay with it. Nobody does this with their own work.
func (e *Engine) CarryOver(ctx context.Context, who Actor, id ListID, base int64, project ProjectID, to ListID, note string) (List, error) {
	a := e.listAct(who)
	l, as, err := e.open(ctx, a, id, base, "carry_over")
	if err != nil {
		return l, err
	}
	if err := l.allows(ListReconciling); err != nil {
		return l, err
	}
	item, err := l.item(project)
	if err != nil {
		return l, err
	}
	if item.Outcome == OutCarried {
		return l, blocked("lists.carried_already", "no", item.No)
	}
	if note, err = reason(note); err != nil {
		return l, err
	}
	if to == id {
		return l, invalid("to", "lists.carry_to_itself")
	}
	next, _, err := e.open(ctx, a, to, 0, "carry_over")
	if err != nil {
		if KindOf(err) == NotFound {
			return l, invalid("to", "lists.unknown")
		}
		return l, err
	}
	if next.UnitID != l.UnitID || !l.From.Before(next.From) || next.State != ListDraft && next.State != ListPublished {
		return l, invalid("to", "lists.carry_not_there", "number", next.Number)
	}
	p, err := e.Store.Project(ctx, project)
	if err != nil {
		return l, err
	}
	w, err := e.Pinned(ctx, &p)
	if err != nil {
		return l, err
	}
	c := e.moment(w, who)
	if c.works(&p) {
		err := denied("four_eyes.own_work")
		e.refused(ctx, who, "carry_over", l.Subject(), l.UnitID, err)
		return l, err
	}
	if out := c.outcome(&p); !out.Open() && out != OutShelved {
		return l, blocked("lists.item_over", "project", p.Number)
	}
	change, err := decide(c, p, enlist{list: next.ID, number: next.Number, carry: true, note: note})
	if err != nil {
		return l, err
	}
	old, after := l.clone(), next.clone()
	item.Outcome, item.To, item.Note, item.Seq = OutCarried, to, note, p.Version
	old.Items[project] = item
	if err := after.put(project, ListItem{From: id, Times: change.Project.Carried}); err != nil {
		return l, err
	}
	data := map[string]any{"project": p.ID, "number": p.Number, "from": id, "to": to}
	if err := a.step(as, "carry_over", note, &l, &old, []Change{change}, data); err != nil {
		return l, err
	}
	if err := a.step(as, "carried_in", note, &next, &after, nil, data); err != nil {
		return l, err
	}
	return old, a.commit(ctx)
}

// Reconcile holds a list against what its items have come to by now.
func (e *Engine) Reconcile(ctx context.Context, who Actor, id ListID) (Reconciliation, error) {
	l, err := e.TheList(ctx, who, id)
	if err != nil {
		return Reconciliation{}, err
	}
	return e.reconcile(ctx, who, l)
}

func (e *Engine) reconcile(ctx context.Context, who Actor, l List) (Reconciliation, error) {
	order := l.Order()
	found, err := e.Store.Standing(ctx, order)
	if err != nil {
		return Reconciliation{}, err
	}
	projects := make(map[ProjectID]*Project, len(found))
	for i := range found {
		projects[found[i].ID] = &found[i]
	}
	lines := make([]Line, 0, len(order))
	for _, pid := range order {
		p := projects[pid]
		if p == nil {
			continue // rows of projects are never removed; verification says so if one was
		}
		w, err := e.Pinned(ctx, p)
		if err != nil {
			return Reconciliation{}, err
		}
		lines = append(lines, e.moment(w, who).line(l.Items[pid], *p))
	}
	return reckon(l, lines), nil
}

// CloseList closes a list of which every item is accounted for. What each came to is written down with the version
// of the project that says so.
func (e *Engine) CloseList(ctx context.Context, who Actor, id ListID, base int64, note string) (List, error) {
	a := e.listAct(who)
	l, as, err := e.open(ctx, a, id, base, listClose)
	if err != nil {
		return l, err
	}
	if note, err = text("note", note, maxNote); err != nil {
		return l, err
	}
	r, err := e.reconcile(ctx, who, l)
	if err != nil {
		return l, err
	}
	if checks := r.Check(); !permits(checks) {
		if l.State != ListReconciling {
			return l, l.notNow()
		}
		return l, &Error{Kind: Blocked, Key: "lists.open_items", Args: map[string]any{"number": l.Number}, Reasons: checks}
	}
	var open []Line
	for _, line := range r.Lines {
		if line.Item.Outcome == "" {
			open = append(open, line)
		}
	}
	for part := range slices.Chunk(open, itemsPerEntry) {
		before, next := l, l.clone()
		for _, line := range part {
			item := line.Item
			item.Outcome, item.Seq = line.Outcome, line.Project.Version
			next.Items[line.ID] = item
		}
		if err := a.step(as, "account", "", &before, &next, nil, nil); err != nil {
			return l, err
		}
		l = next
	}
	before, next := l, l.clone()
	if err := next.close(who.ID, e.now()); err != nil {
		return l, err
	}
	count := map[string]any{"items": len(r.Lines)}
	for o, n := range r.Count {
		count[string(o)] = n
	}
	if err := a.step(as, listClose, note, &before, &next, nil, map[string]any{"count": count}); err != nil {
		return l, err
	}
	return next, a.commit(ctx)
}

// sweepLists begins the reconciliation of every published list whose period is over, and returns of how many.
// Another replica or a person may be faster; then there is nothing left to do.
func (e *Engine) sweepLists(ctx context.Context, now time.Time) (int, error) {
	today := calendar.DateOf(now, e.Site.Location)
	done, after := 0, ""
	for {
		page, err := e.Store.Lists(ctx, ListFilter{State: []ListState{ListPublished}, Ended: today, After: after, Limit: sweepPage})
		if err != nil {
			return done, err
		}
		for _, l := range page.Items {
			a := e.listAct(clockActor())
			end, err := e.tail(ctx, l.Subject())
			if err != nil {
				return done, err
			}
			a.ends[l.ID] = &end
			next := l.clone()
			next.ReconcilingAt = &now
			if err := next.step(listReconcile); err != nil {
				return done, err
			}
			err = a.step(authority{}, listReconcile, "", &l, &next, nil, map[string]any{"period_to": l.To})
			if err == nil {
				err = a.commit(ctx)
			}
			switch {
			case err == nil:
				done++
			case KindOf(err) == Conflict:
			default:
				return done, err
			}
		}
		if page.Next == "" {
			return done, nil
		}
		after = page.Next
	}
}
