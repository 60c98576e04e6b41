package engine

import (
	"context"
	"errors"
)

// needRoles collect needs; listRoles, who draw up the lists that they are for, answer them.
var needRoles = []Role{Secretary, Supervisor, Leader}

// maxMerged is how many needs can be merged into one, so that settling it is one act.
const maxMerged = 200

// MayCollect tells whether the actor may write down the needs of a unit.
func (e *Engine) MayCollect(who Actor, path string) bool {
	_, err := authorityAt(who, path, needRoles)
	return err == nil
}

// MayCall tells whether the actor sees how to reach the person who asked: whoever answers, and whoever wrote it down.
func (e *Engine) MayCall(who Actor, n *Need) bool {
	return who.ID != "" && n.CreatedBy == who.ID || e.MayKeep(who, n.UnitPath)
}

// TheNeed returns a need that the actor may read, without the contact where it is not for them.
func (e *Engine) TheNeed(ctx context.Context, who Actor, id NeedID) (Need, error) {
	n, err := e.readable(ctx, who, id)
	if !e.MayCall(who, &n) {
		n.Contact = ""
	}
	return n, err
}

// readable reads a need whole, if the actor may read it.
func (e *Engine) readable(ctx context.Context, who Actor, id NeedID) (Need, error) {
	n, err := e.Store.Need(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !who.ReadsNeed(&n) {
		return Need{}, notFound("needs.unknown")
	}
	return n, err
}

// Needs selects needs within what the actor may read.
func (e *Engine) Needs(ctx context.Context, who Actor, f NeedFilter) (Page[Need], error) {
	f.Scope = who.scope()
	page, err := e.Store.Needs(ctx, f)
	for i := range page.Items {
		if !e.MayCall(who, &page.Items[i]) {
			page.Items[i].Contact = ""
		}
	}
	return page, err
}

// Collect writes down a need of a unit, meant for the list with the draft's number.
func (e *Engine) Collect(ctx context.Context, who Actor, unit Unit, d NeedDraft) (Need, error) {
	as, err := authorityAt(who, unit.Path, needRoles)
	if err != nil && !who.system { // an operator brings in what was collected elsewhere
		e.refused(ctx, who, "collect", SubjectUnit+"/"+string(unit.ID), unit.ID, err)
		return Need{}, err
	}
	n := Need{ID: NeedID(e.NewID()), UnitID: unit.ID, UnitPath: unit.Path, State: NeedOpen, CreatedBy: who.ID, CreatedAt: e.now()}
	a := e.needAct(who)
	next := n
	if err := e.writeNeed(ctx, &next, d); err != nil {
		return Need{}, err
	}
	a.ends[n.ID] = &tail{}
	if err := a.step(as, "collect", nil, &next, nil); err != nil {
		return Need{}, err
	}
	return next, a.commit(ctx)
}

// writeNeed checks a draft, and that the person whom it names has an account.
func (e *Engine) writeNeed(ctx context.Context, n *Need, d NeedDraft) error {
	if err := d.write(n); err != nil || d.Proposer == "" {
		return err
	}
	u, err := e.Store.User(ctx, string(d.Proposer))
	if errors.Is(err, ErrNotFound) || err == nil && u.Disabled {
		return invalid("proposer", "user.unknown", "id", d.Proposer)
	}
	return err
}

// EditNeed changes what is written about a need that has not been settled. Whoever does not see the contact leaves it
// as it is.
func (e *Engine) EditNeed(ctx context.Context, who Actor, id NeedID, base int64, d NeedDraft) (Need, error) {
	return e.onNeed(ctx, who, id, base, "edit", needRoles, func(_ *needAct, n *Need) (map[string]any, error) {
		if n.State != NeedOpen {
			return nil, n.notNow()
		}
		had := n.Contact
		if !e.MayCall(who, n) {
			d.Contact = had
		}
		if err := e.writeNeed(ctx, n, d); err != nil {
			return nil, err
		}
		if n.Contact != had { // the contact itself stands in no entry
			return map[string]any{"contact_changed": true}, nil
		}
		return nil, nil
	})
}

// NeedItem says which item does something about a need: one that exists, or a new one of a kind at a unit.
type NeedItem struct {
	Project ProjectID // or
	Kind    string
	Unit    Unit
}

// AcceptNeed takes a need up. A new item is proposed with the need's words, naming its list, in the same transaction;
// whoever accepts must be allowed to propose it. note goes to the proposer besides the item's number.
func (e *Engine) AcceptNeed(ctx context.Context, who Actor, id NeedID, base int64, item NeedItem, note string) (Need, error) {
	return e.onNeed(ctx, who, id, base, needAccept, listRoles, func(a *needAct, n *Need) (map[string]any, error) {
		if err := n.step(needAccept); err != nil {
			return nil, err
		}
		note, err := text("note", note, maxNote)
		if err != nil {
			return nil, err
		}
		p, err := a.item(ctx, n, item)
		if err != nil {
			return nil, err
		}
		n.settle(note, p.ID, who.ID, e.now())
		return map[string]any{"project": p.ID, "number": p.Number}, nil
	})
}

// item finds the project that takes a need up, or decides the change that proposes it.
func (a *needAct) item(ctx context.Context, n *Need, item NeedItem) (Project, error) {
	e := a.e
	if item.Project != "" {
		p, err := e.visible(ctx, a.who, item.Project)
		if KindOf(err) == NotFound {
			return p, invalid("project", "project.unknown", "id", item.Project)
		}
		if err == nil && !Under(p.UnitPath, n.UnitPath) {
			err = invalid("project", "needs.item_elsewhere", "project", p.Number)
		}
		if err == nil && p.Stage == Cancelled {
			err = blocked("lists.item_over", "project", p.Number)
		}
		return p, err
	}
	if !Under(item.Unit.Path, n.UnitPath) {
		return Project{}, invalid("unit", "needs.item_elsewhere", "project", item.Unit.Name)
	}
	w, err := e.Offered(item.Kind)
	if err != nil {
		return Project{}, err
	}
	who := a.who
	who.Key = nil // it is the need's version that makes a repeat safe
	c := e.moment(w, who)
	words := n.Text
	if words == "" {
		words = n.Title
	}
	cmd := Create{ID: ProjectID(e.NewID()), Unit: item.Unit, Draft: Draft{Title: n.Title, Need: words, List: n.Number}, Source: map[string]any{"need": n.ID}}
	if _, err := decide(c, Project{}, cmd); err != nil { // before a number is taken
		return Project{}, err
	}
	numbers, err := e.numbers(ctx, c, 1)
	if err != nil {
		return Project{}, err
	}
	cmd.Number = numbers[0]
	change, err := decide(c, Project{}, cmd)
	a.also = append(a.also, change)
	return change.Project, err
}

// DeclineNeed answers a need that is not taken up, with the reason.
func (e *Engine) DeclineNeed(ctx context.Context, who Actor, id NeedID, base int64, answer string) (Need, error) {
	return e.onNeed(ctx, who, id, base, needDecline, listRoles, func(_ *needAct, n *Need) (map[string]any, error) {
		if err := n.step(needDecline); err != nil {
			return nil, err
		}
		words, err := reason(answer)
		if err != nil {
			return nil, err
		}
		n.settle(words, "", who.ID, e.now())
		return nil, nil
	})
}

// MergeNeed merges a need into another of the same unit that says the same. The other counts for both, and what
// becomes of it becomes of this one.
func (e *Engine) MergeNeed(ctx context.Context, who Actor, id NeedID, base int64, into NeedID) (Need, error) {
	return e.onNeed(ctx, who, id, base, needMerge, listRoles, func(a *needAct, n *Need) (map[string]any, error) {
		if into == id {
			return nil, invalid("into", "needs.into_itself")
		}
		other, err := e.readable(ctx, who, into)
		if KindOf(err) == NotFound {
			return nil, invalid("into", "needs.unknown")
		}
		if err != nil {
			return nil, err
		}
		merged, err := e.merged(ctx, into)
		if err != nil {
			return nil, err
		}
		mine, err := e.merged(ctx, n.ID)
		if err != nil {
			return nil, err
		}
		if len(merged)+len(mine)+1 > maxMerged {
			return nil, invalid("into", "needs.too_many", "limit", maxMerged)
		}
		before := other
		if err := other.absorb(n); err != nil {
			return nil, err
		}
		end, err := e.tail(ctx, other.Subject())
		if err != nil {
			return nil, err
		}
		a.ends[other.ID] = &end
		as, _ := authorityAt(who, n.UnitPath, listRoles)
		return map[string]any{"into": into}, a.step(as, "absorb", &before, &other, map[string]any{"need": n.ID, "times": n.Times})
	})
}

// TellNeed records that somebody without an account has been told what became of their need, and how. People with
// an account are told by the system.
func (e *Engine) TellNeed(ctx context.Context, who Actor, id NeedID, base int64, how string) (Need, error) {
	return e.onNeed(ctx, who, id, base, "tell", needRoles, func(_ *needAct, n *Need) (map[string]any, error) {
		words, err := reason(how)
		switch {
		case n.SettledAt == nil:
			return nil, n.notNow()
		case n.Proposer != "":
			return nil, blocked("needs.told_by_system")
		case n.ToldAt != nil:
			return nil, blocked("needs.told_already")
		case err != nil:
			return nil, err
		}
		n.ToldBy, n.ToldAt, n.ToldHow = who.ID, at(e.now()), words
		return nil, nil
	})
}

// merged returns the needs that were merged into one, and into those.
func (e *Engine) merged(ctx context.Context, id NeedID) ([]Need, error) {
	var out []Need
	for todo := []NeedID{id}; len(todo) > 0; todo = todo[1:] {
		f := NeedFilter{Into: todo[0], Limit: MaxPage}
		for {
			page, err := e.Store.Needs(ctx, f)
			if err != nil {
				return nil, err
			}
			for _, n := range page.Items {
				out, todo = append(out, n), append(todo, n.ID)
			}
			if f.After = page.Next; f.After == "" {
				break
			}
		}
	}
	return out, nil
}

// needAct collects what an act on needs writes: a record for each need, and the project that it proposes.
type needAct struct {
	e    *Engine
	who  Actor
	ends map[NeedID]*tail
	out  []Record
	also []Change
}

func (e *Engine) needAct(who Actor) *needAct {
	return &needAct{e: e, who: who, ends: map[NeedID]*tail{}}
}

// step adds an entry about a need; before is nil for a new one.
func (a *needAct) step(as authority, action string, before, after *Need, data map[string]any) error {
	after.Version++
	next := *after
	var old any
	if before != nil {
		old = before
	}
	r, err := a.e.sealAfter(a.who, a.ends[after.ID], after.Subject(), action, old, func(r *Record) (any, map[string]any) {
		r.Need = &next
		data = r.under(as, after.UnitID, after.UnitPath, data)
		if before == nil || before.State != after.State {
			r.Entry.To = string(after.State)
			if before != nil {
				r.Entry.From = string(before.State)
			}
		}
		return next, data
	})
	a.out = append(a.out, r)
	return conflict(err)
}

func (a *needAct) commit(ctx context.Context) error { return a.e.act(ctx, a.who, a.out, a.also) }

// onNeed carries out an act on a need at the version that the actor saw. Those merged into it are settled with it.
func (e *Engine) onNeed(ctx context.Context, who Actor, id NeedID, base int64, action string, roles []Role, do func(a *needAct, n *Need) (map[string]any, error)) (Need, error) {
	before, err := e.readable(ctx, who, id)
	if err != nil {
		return Need{}, err
	}
	as, err := authorityAt(who, before.UnitPath, roles)
	if err != nil {
		e.refused(ctx, who, action, before.Subject(), before.UnitID, err)
		return before, err
	}
	if base != before.Version {
		return before, &Error{Kind: Stale, Key: "needs.stale", Args: map[string]any{"base": base, "version": before.Version}}
	}
	a := e.needAct(who)
	end, err := e.tail(ctx, before.Subject())
	if err != nil {
		return before, err
	}
	a.ends[id] = &end
	n := before
	data, err := do(a, &n)
	if err != nil {
		return before, err
	}
	if err := a.step(as, action, &before, &n, data); err != nil {
		return before, err
	}
	if n.SettledAt != nil && (before.SettledAt == nil || !n.SettledAt.Equal(*before.SettledAt)) {
		if err := a.follow(ctx, as, &n); err != nil {
			return before, err
		}
	}
	return n, a.commit(ctx)
}

// follow settles the needs that were merged into one that has been settled, so that each of them says what its
// proposer is told.
func (a *needAct) follow(ctx context.Context, as authority, n *Need) error {
	merged, err := a.e.merged(ctx, n.ID)
	if err != nil {
		return err
	}
	for i := range merged {
		before, next := merged[i], merged[i]
		end, err := a.e.tail(ctx, next.Subject())
		if err != nil {
			return err
		}
		a.ends[next.ID] = &end
		next.settle(n.Answer, n.ProjectID, n.SettledBy, *n.SettledAt)
		if err := a.step(as, "settle", &before, &next, map[string]any{"with": n.ID}); err != nil {
			return err
		}
	}
	return nil
}
