package engine

import (
	"context"
	"slices"
)

// Work is what a person has open: what somebody else has to take over when they leave.
type Work struct {
	User        User
	Projects    []Project    // open ones in which the person has a part, by deadline
	Delegations []Delegation // in force or to come, given or taken
	Outside     []Project    // those of Projects that lie outside the asking administrator's units
}

// OpenWork lists what a person has open, for an administrator who may close the account.
func (e *Engine) OpenWork(ctx context.Context, who Actor, user string) (Work, error) {
	u, err := e.managed(ctx, who, user, "open_work")
	if err != nil {
		return Work{}, err
	}
	return e.workOf(ctx, who, u)
}

func (e *Engine) workOf(ctx context.Context, who Actor, u User) (Work, error) {
	w := Work{User: u}
	f := Filter{Scope: &Scope{User: u.ID}, Open: true, Now: e.now(), Sort: ByDeadline, Limit: MaxPage}
	for {
		page, err := e.Store.Projects(ctx, f)
		if err != nil {
			return Work{}, err
		}
		w.Projects = append(w.Projects, page.Items...)
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	for _, p := range w.Projects {
		if _, ok := who.Has(Admin, p.UnitPath); !ok && !who.system {
			w.Outside = append(w.Outside, p)
		}
	}
	list, err := e.Store.Delegations(ctx, u.ID)
	if err != nil {
		return Work{}, err
	}
	w.Delegations = slices.DeleteFunc(list, func(d Delegation) bool { return d.RevokedAt != nil || !e.now().Before(d.EndsAt) })
	return w, nil
}

// Leave closes the account of somebody who leaves and hands their open work to heir, named by id or login, in one
// transaction: every project in which they have a part gets an entry, their delegations end, and so does the account.
// It may also be called for an account that was closed before. Without open work heir may be "".
func (e *Engine) Leave(ctx context.Context, who Actor, user, heir, note string) (Work, error) {
	u, err := e.managed(ctx, who, user, "leave")
	if err != nil {
		return Work{}, err
	}
	w, err := e.workOf(ctx, who, u)
	if err != nil {
		return Work{}, err
	}
	if note, err = reason(note); err != nil {
		return Work{}, err
	}
	if len(w.Outside) > 0 {
		return w, e.deny(ctx, who, "leave", w.Outside[0].Subject(), denied("leave.outside", "n", len(w.Outside)))
	}
	var to User
	switch {
	case heir == "" && len(w.Projects) > 0:
		return w, invalid("heir", "leave.heir", "n", len(w.Projects))
	case heir != "":
		if to, err = e.User(ctx, heir); err != nil {
			return w, err
		}
		if to.Disabled || to.ID == w.User.ID {
			return w, invalid("heir", "user.unknown", "id", heir)
		}
	}
	changes := make([]Change, 0, len(w.Projects))
	for _, p := range w.Projects {
		flow, err := e.Pinned(ctx, &p)
		if err != nil {
			return w, err
		}
		c, err := decide(e.moment(flow, who), p, handOver{From: w.User.ID, To: to.ID, Note: note})
		if err != nil {
			return w, err
		}
		changes = append(changes, c)
	}
	records := make([]Record, 0, len(w.Delegations)+1)
	next := w.User
	next.Disabled = true
	next.Version++
	r, err := e.seal(ctx, who, SubjectUser+"/"+string(next.ID), "leave", w.User, func(r *Record) (any, map[string]any) {
		r.User, r.Entry.Note = &next, note
		return next, map[string]any{"heir": to.ID, "projects": len(changes), "delegations": len(w.Delegations)}
	})
	if err != nil {
		return w, conflict(err)
	}
	records = append(records, r)
	now := e.now()
	for _, d := range w.Delegations {
		ended := d
		ended.RevokedAt = &now
		ended.Version++
		r, err := e.seal(ctx, who, SubjectDelegation+"/"+string(d.ID), "end_delegation", d, func(r *Record) (any, map[string]any) {
			r.Delegation, r.Entry.Unit = &ended, string(d.UnitID)
			return ended, nil
		})
		if err != nil {
			return w, conflict(err)
		}
		records = append(records, r)
	}
	return w, e.act(ctx, who, records, changes)
}

// handOver puts somebody in the place of another in one project.
type handOver struct {
	From, To UserID
	Note     string
}

func (x handOver) apply(c *Case, p *Project) (outcome, error) {
	as, ok := c.may(p, []Role{Admin})
	if !ok && !c.Who.system {
		return outcome{}, denied("leave.outside", "n", 1)
	}
	if p.Owner == x.From {
		c.assign(p, x.To)
	}
	if p.Sponsor == x.From {
		p.Sponsor = x.To
	}
	team := p.Assistants
	p.Assistants = nil
	for _, id := range team {
		if id == x.From {
			id = x.To
		}
		if id != p.Owner && !slices.Contains(p.Assistants, id) {
			p.Assistants = append(p.Assistants, id)
		}
	}
	// Whoever has judged the work does not come to do it, or it would have been judged by its own hands.
	if p.Works(x.To) {
		judged := p.Verification != nil && p.Verification.By == x.To || p.Survey != nil && p.Survey.By == x.To
		if r := p.Request; r != nil {
			judged = judged || slices.ContainsFunc(r.Given, func(a Approval) bool { return a.By == x.To || a.For == x.To })
		}
		if judged {
			return outcome{}, blocked("leave.judged", "number", p.Number)
		}
	}
	return outcome{action: "hand_over", as: as, note: x.Note, data: map[string]any{"from": x.From, "to": x.To},
		owed: []Reminder{{Kind: "hand_over", Role: Owner}}}, nil
}
