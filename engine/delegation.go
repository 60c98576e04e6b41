package engine

import (
	"context"
	"slices"
	"time"
)

// Delegation (委托) lends somebody a role at a unit for a while. It lends what its giver holds at the moment of use:
// who has lost the role or the account lends nothing. The entry of whatever is done by it names both people, and for
// four eyes they are one pair while it lasts, and afterwards for what was done by it.
type Delegation struct {
	ID        DelegationID `json:"id" gorm:"primaryKey"`
	From      UserID       `json:"from" gorm:"column:from_id"`
	To        UserID       `json:"to" gorm:"column:to_id"`
	Role      Role         `json:"role"`
	UnitID    UnitID       `json:"unit_id"`
	StartsAt  time.Time    `json:"starts_at"`
	EndsAt    time.Time    `json:"ends_at"` // from when on it holds no more
	Note      string       `json:"note,omitempty"`
	CreatedAt time.Time    `json:"created_at" gorm:"autoCreateTime:false"`
	RevokedAt *time.Time   `json:"revoked_at,omitempty"`
	Version   int64        `json:"version"`
}

// Delegable are the roles that can be lent. The separated offices (三员) cannot: they would meet in one person.
var Delegable = []Role{Secretary, Supervisor, Leader}

// maxDelegation bounds how long a delegation lasts; whoever is away for longer has a successor.
const maxDelegation = 184 * 24 * time.Hour

// Holds reports whether the delegation is in force at a moment, if its giver still holds the role.
func (d *Delegation) Holds(now time.Time) bool {
	return d.RevokedAt == nil && !now.Before(d.StartsAt) && now.Before(d.EndsAt)
}

// NewDelegation is what somebody asks for who lends a role.
type NewDelegation struct {
	To               string // id or login
	Unit             string // id or code; the role's own unit or one under it
	Role             Role
	StartsAt, EndsAt time.Time
	Note             string
}

// Delegate lends a role of who's own. A role that is itself held by delegation is not passed on.
func (e *Engine) Delegate(ctx context.Context, who Actor, n NewDelegation) (Delegation, error) {
	if !slices.Contains(Delegable, n.Role) {
		return Delegation{}, invalid("role", "delegation.role", "roles", roleNameList(Delegable))
	}
	note, err := text("note", n.Note, maxNote)
	if err != nil {
		return Delegation{}, err
	}
	now := e.now()
	starts, ends := n.StartsAt.UTC().Truncate(time.Microsecond), n.EndsAt.UTC().Truncate(time.Microsecond)
	switch {
	case !ends.After(now):
		return Delegation{}, invalid("ends", "delegation.past")
	case !ends.After(starts):
		return Delegation{}, invalid("ends", "delegation.order")
	case ends.Sub(starts) > maxDelegation || starts.Sub(now) > maxDelegation:
		return Delegation{}, invalid("ends", "delegation.too_long", "limit", int(maxDelegation.Hours()/24))
	}
	at, err := e.lendable(ctx, who, n)
	if err != nil {
		return Delegation{}, err
	}
	to, err := e.User(ctx, n.To)
	if err != nil {
		return Delegation{}, err
	}
	if err := open(at); err != nil {
		return Delegation{}, err
	}
	switch {
	case to.ID == who.ID:
		return Delegation{}, invalid("to", "delegation.self")
	case to.Disabled:
		return Delegation{}, invalid("to", "user.disabled")
	}
	for _, g := range to.Grants {
		if slices.Contains(exclusive, g.Role) {
			return Delegation{}, blocked("delegation.separated", "role", g.Role)
		}
	}
	d := Delegation{ID: DelegationID(e.NewID()), From: who.ID, To: to.ID, Role: n.Role, UnitID: at.ID,
		StartsAt: starts, EndsAt: ends, Note: note, CreatedAt: now, Version: 1}
	err = e.record(ctx, who, SubjectDelegation+"/"+string(d.ID), "delegate", nil, func(r *Record) (any, map[string]any) {
		r.Delegation, r.Entry.Unit = &d, string(at.ID)
		r.Guard.Unit, r.Guard.Path, r.Guard.Open = at.ID, at.Path, true
		return d, nil
	})
	return d, conflict(err)
}

// lendable returns the unit at which who lends a role, if they hold it there of their own. It looks before anybody else's
// account is looked up, so that whoever has nothing to lend does not learn which there are. A unit that is neither who's
// nor above them is as absent as one that does not exist.
func (e *Engine) lendable(ctx context.Context, who Actor, n NewDelegation) (Unit, error) {
	own := who
	own.Grants = slices.DeleteFunc(slices.Clone(who.Grants), func(g Grant) bool { return g.By != "" })
	if !slices.ContainsFunc(own.Grants, func(g Grant) bool { return g.Role == n.Role }) {
		return Unit{}, e.deny(ctx, who, "delegate", "", denied("delegation.not_held", "role", n.Role, "unit", n.Unit))
	}
	at, err := e.Unit(ctx, n.Unit)
	if err != nil {
		return at, err
	}
	if _, ok := own.Has(n.Role, at.Path); ok {
		return at, nil
	}
	err = e.deny(ctx, who, "delegate", SubjectUnit+"/"+string(at.ID), denied("delegation.not_held", "role", n.Role, "unit", at.Name))
	if !who.Covers(at.Path) && !slices.ContainsFunc(who.Grants, func(g Grant) bool { return Under(g.Path, at.Path) }) {
		err = notFound("unit.unknown", "unit", n.Unit)
	}
	return at, err
}

// EndDelegation ends a delegation at once: its giver, its taker, and a security administrator (安全管理员) of its unit
// may.
func (e *Engine) EndDelegation(ctx context.Context, who Actor, id DelegationID) error {
	d, at, err := e.delegation(ctx, who, id)
	if err != nil {
		return err
	}
	if d.RevokedAt != nil {
		return nil
	}
	next := d
	now := e.now()
	next.RevokedAt = &now
	next.Version++
	return conflict(e.record(ctx, who, SubjectDelegation+"/"+string(d.ID), "end_delegation", d, func(r *Record) (any, map[string]any) {
		r.Delegation, r.Entry.Unit = &next, string(at.ID)
		return next, nil
	}))
}

// delegation finds a delegation that the person may end; another is as absent as one that does not exist.
func (e *Engine) delegation(ctx context.Context, who Actor, id DelegationID) (Delegation, Unit, error) {
	list, err := e.Store.Delegations(ctx, "")
	if err != nil {
		return Delegation{}, Unit{}, err
	}
	i := slices.IndexFunc(list, func(d Delegation) bool { return d.ID == id })
	if i < 0 {
		return Delegation{}, Unit{}, notFound("delegation.unknown")
	}
	d := list[i]
	at, err := e.Unit(ctx, string(d.UnitID))
	if err != nil {
		return d, at, err
	}
	if !who.sees(&d, at.Path) {
		return d, at, notFound("delegation.unknown")
	}
	return d, at, nil
}

// sees reports whether the actor may see and end a delegation of a role at the unit with the path.
func (a Actor) sees(d *Delegation, path string) bool {
	_, ok := a.Has(Security, path)
	return ok || a.system || a.ID == d.From || a.ID == d.To
}

// Delegations lists what the person gave and was given, and, for security administrators, what lies in their units;
// newest first, those that are over too.
func (e *Engine) Delegations(ctx context.Context, who Actor) ([]Delegation, error) {
	list, err := e.Store.Delegations(ctx, "")
	if err != nil {
		return nil, err
	}
	units, err := e.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	paths := map[UnitID]string{}
	for _, u := range units {
		paths[u.ID] = u.Path
	}
	return slices.DeleteFunc(list, func(d Delegation) bool { return !who.sees(&d, paths[d.UnitID]) }), nil
}

// separated reports whether the user holds one of the separated offices (三员).
func separated(u User) bool {
	return slices.ContainsFunc(u.Grants, func(g Grant) bool { return slices.Contains(exclusive, g.Role) })
}

// Actor makes an actor of a user: with the roles that the user holds now, their own and those lent to them. Whoever has
// come to one of the separated offices (三员) since holds nothing that was lent.
func (e *Engine) Actor(ctx context.Context, u User, via, requestID string) (Actor, error) {
	a := Actor{ID: u.ID, Version: u.Version, Grants: slices.Clone(u.Grants), Via: via, RequestID: requestID}
	list, err := e.Store.Delegations(ctx, u.ID)
	if err != nil {
		return Actor{}, err
	}
	now := e.now()
	for _, d := range list {
		if !d.Holds(now) {
			continue
		}
		if d.From == u.ID {
			a.Eyes = append(a.Eyes, d.To)
			continue
		}
		from, err := e.Store.User(ctx, string(d.From))
		if err != nil {
			return Actor{}, err
		}
		at, err := e.Store.Unit(ctx, string(d.UnitID))
		if err != nil {
			return Actor{}, err
		}
		a.Eyes = append(a.Eyes, d.From)
		holder := Actor{Grants: from.Grants}
		if _, ok := holder.Has(d.Role, at.Path); ok && !from.Disabled && !separated(u) {
			a.Grants = append(a.Grants, Grant{Role: d.Role, UnitID: at.ID, Path: at.Path, By: d.From})
		}
	}
	return a, nil
}

// ActorOf is Actor for a user named by id or login.
func (e *Engine) ActorOf(ctx context.Context, idOrLogin, via, requestID string) (Actor, error) {
	u, err := e.User(ctx, idOrLogin)
	if err != nil {
		return Actor{}, err
	}
	if u.Disabled {
		return Actor{}, denied("user.disabled")
	}
	return e.Actor(ctx, u, via, requestID)
}
