package engine

import (
	"context"
	"slices"
)

// PeopleState narrows a list of accounts; "" is all of them.
type PeopleState string

// What accounts can be narrowed to.
const (
	PeopleActive   PeopleState = "active"
	PeopleDisabled PeopleState = "disabled"
	PeopleRoleless PeopleState = "roleless" // active, without any role
)

// PeopleFilter selects accounts, in the order of their logins.
type PeopleFilter struct {
	// Within are unit paths: accounts with a role at or under one of them, and those without any role, which belong to
	// no unit. nil is everybody (the engine's own use), an empty list nobody.
	Within []string
	Unit   UnitID // with a role at the unit or under it
	Alone  bool   // with Unit: at the unit itself
	Role   Role   // that they hold; with Unit: there
	Text   string // in the login or the name
	State  PeopleState
	After  string // cursor: Next of a page
	Limit  int    // 1…MaxPage; 0 = 50
}

// Offices are the roles whose holders see the accounts of their units: who manages them, who gives them roles, and
// who inspects both.
var Offices = []Role{Admin, Security, Inspector}

// offices returns the unit paths at which the actor holds one of the Offices.
func (a Actor) offices() []string {
	paths := []string{}
	for _, g := range a.Grants {
		if slices.Contains(Offices, g.Role) && g.Path != "" {
			paths = append(paths, g.Path)
		}
	}
	return paths
}

// People lists the accounts of the actor's units, for the Offices.
func (e *Engine) People(ctx context.Context, who Actor, f PeopleFilter) (Page[User], error) {
	f.Within = nil
	if !who.system {
		if f.Within = who.offices(); len(f.Within) == 0 {
			return Page[User]{}, denied("act.role", "roles", roleNameList(Offices))
		}
	}
	return e.Store.People(ctx, f)
}

// Person returns an account that the actor sees. One of other units is as absent as one that does not exist.
func (e *Engine) Person(ctx context.Context, who Actor, idOrLogin string) (User, error) {
	u, err := e.User(ctx, idOrLogin)
	if err != nil || who.system {
		return u, err
	}
	paths := who.offices()
	seen := len(paths) > 0 && len(u.Grants) == 0 || slices.ContainsFunc(u.Grants, func(g Grant) bool {
		return slices.ContainsFunc(paths, func(root string) bool { return Under(g.Path, root) })
	})
	if !seen {
		return User{}, notFound("user.unknown", "id", idOrLogin)
	}
	return u, nil
}

// Holder is somebody who may do at a unit what needs a role.
type Holder struct {
	User User
	By   []Grant // the roles that allow it; with Grant.By where it was lent
}

// Holders lists who may do at a unit what needs one of the roles on the level: by a role of their own there or above
// it, in the order of the logins (at most MaxPage), then by one that is lent to them now.
func (e *Engine) Holders(ctx context.Context, at Unit, roles []Role, level Level) ([]Holder, error) {
	allows := func(g Grant) bool {
		return slices.Contains(roles, g.Role) && Under(at.Path, g.Path) && level.Covers(g.Path, at.Path)
	}
	own, err := e.Store.Holders(ctx, at.Path, roles)
	if err != nil {
		return nil, err
	}
	var out []Holder
	for _, u := range own {
		if by := slices.DeleteFunc(slices.Clone(u.Grants), func(g Grant) bool { return !allows(g) }); len(by) > 0 {
			out = append(out, Holder{u, by})
		}
	}
	lent, err := e.Store.Delegations(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, d := range lent {
		if !d.Holds(e.now()) || !slices.Contains(roles, d.Role) {
			continue
		}
		to, err := e.Store.User(ctx, string(d.To))
		if err != nil {
			return nil, err
		}
		if to.Disabled {
			continue
		}
		a, err := e.Actor(ctx, to, "", "")
		if err != nil {
			return nil, err
		}
		if by := slices.DeleteFunc(a.Grants, func(g Grant) bool { return g.By != d.From || g.UnitID != d.UnitID || !allows(g) }); len(by) > 0 {
			out = append(out, Holder{to, by})
		}
	}
	return out, nil
}

// UnitSeen returns a unit that the actor sees as one of the Offices. One of another part is as absent as one that does
// not exist.
func (e *Engine) UnitSeen(ctx context.Context, who Actor, idOrCode string) (Unit, error) {
	u, err := e.Unit(ctx, idOrCode)
	if err != nil || who.system {
		return u, err
	}
	if !slices.ContainsFunc(who.offices(), func(root string) bool { return Under(u.Path, root) }) {
		return Unit{}, notFound("unit.unknown", "unit", idOrCode)
	}
	return u, nil
}

// UnitsSeen lists the units that the actor sees as one of the Offices, in the order of their paths.
func (e *Engine) UnitsSeen(ctx context.Context, who Actor) ([]Unit, error) {
	paths := who.offices()
	if len(paths) == 0 && !who.system {
		return nil, denied("act.role", "roles", roleNameList(Offices))
	}
	all, err := e.Store.Units(ctx)
	if err != nil || who.system {
		return all, err
	}
	return slices.DeleteFunc(all, func(u Unit) bool {
		return !slices.ContainsFunc(paths, func(root string) bool { return Under(u.Path, root) })
	}), nil
}
