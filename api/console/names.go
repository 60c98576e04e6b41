package console

import (
	"cmp"
	"slices"

	"bihuan/api/names"
	"bihuan/engine"
)

// named shows people and units by their names.
type named struct{ book *names.Book }

// unnamed stands for what cannot be read.
const unnamed = "—"

// user names a person, "" for nobody.
func (n named) user(v *visit, id engine.UserID) string {
	if id == "" {
		return ""
	}
	return cmp.Or(n.book.User(v.ctx, id), unnamed)
}

// users names several people.
func (n named) users(v *visit, ids []engine.UserID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = n.user(v, id)
	}
	return out
}

// unit names a unit.
func (n named) unit(v *visit, id engine.UnitID) string {
	return cmp.Or(n.book.Unit(v.ctx, id), unnamed)
}

// Option of a list to choose from.
type choice struct {
	Value, Text string
	Selected    bool
}

// scoped reports whether a unit lies within what the person reads.
func (v *visit) scoped(path string) bool {
	return v.actor.Covers(path)
}

// unitChoices lists the units within the person's scope, children indented under their parents.
func (c *Console) unitChoices(v *visit, selected engine.UnitID) ([]choice, error) {
	return c.unitsUnder(v, selected, v.actor.Scope()...)
}

// indent shows how deep a unit lies.
func indent(path string) string {
	depth := -2
	for _, r := range path {
		if r == '/' {
			depth++
		}
	}
	out := ""
	for range max(0, depth) {
		out += "　"
	}
	return out
}

// peopleChoices lists the active people whom the person may name: those who hold a role within the scope, those
// who hold none anywhere (an owner needs no role), and whoever is selected already. Logins stay out of it.
func (c *Console) peopleChoices(v *visit, selected ...engine.UserID) ([]choice, error) {
	return c.peopleLike(v, v.nameable, selected...)
}

// ownerChoices are those of them to whom a project of the kind may be given.
func (c *Console) ownerChoices(v *visit, w *engine.Workflow, owner engine.UserID) ([]choice, error) {
	return c.peopleLike(v, func(u *engine.User) bool {
		return v.nameable(u) && (len(w.Owner) == 0 || slices.ContainsFunc(u.Grants, func(g engine.Grant) bool { return slices.Contains(w.Owner, g.Role) }))
	}, owner)
}

// sponsorChoices adds to them the leaders of the person's units, who stand above these.
func (c *Console) sponsorChoices(v *visit, sponsor engine.UserID) ([]choice, error) {
	return c.peopleLike(v, func(u *engine.User) bool {
		return v.nameable(u) || slices.ContainsFunc(u.Grants, func(g engine.Grant) bool {
			return g.Role == engine.Leader && slices.ContainsFunc(v.actor.Grants, func(own engine.Grant) bool { return engine.Under(own.Path, g.Path) })
		})
	}, sponsor)
}

// nameable reports whether the person may name somebody whom nothing else makes known to them.
func (v *visit) nameable(u *engine.User) bool {
	return len(v.actor.Grants) > 0 && len(u.Grants) == 0 || u.ID == v.user.ID ||
		slices.ContainsFunc(u.Grants, func(g engine.Grant) bool { return v.scoped(g.Path) })
}

func (c *Console) peopleLike(v *visit, like func(u *engine.User) bool, selected ...engine.UserID) ([]choice, error) {
	all, err := c.Reader.Users(v.ctx)
	if err != nil {
		return nil, err
	}
	var out []choice
	for _, u := range all {
		chosen := slices.Contains(selected, u.ID)
		if chosen || !u.Disabled && like(&u) {
			name, _ := v.called(&u)
			out = append(out, choice{string(u.ID), name, chosen})
		}
	}
	return out, nil
}
