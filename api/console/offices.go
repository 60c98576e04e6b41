package console

import (
	"net/url"
	"strings"

	"bihuan/engine"
)

// maxChoices is how many units or people a list to choose from may have. Where there are more, the page asks for the
// code or the login instead, and stays as fast as with few.
const maxChoices = 200

// crumb is one step on the way down to a unit.
type crumb struct{ Href, Name string }

// holding is a role at a unit.
type holding struct{ Role, Unit string }

// unchanged refuses a form that was filled in before somebody else changed the same thing.
func unchanged(form url.Values, present int64) error {
	seen, err := version(form)
	if err == nil && seen != present {
		err = &engine.Error{Kind: engine.Conflict, Key: "console.people.stale"}
	}
	return err
}

// explained reports whether a refusal is shown on the page that it came from; anything else is a page of its own.
func explained(err error) bool {
	switch engine.KindOf(err) {
	case engine.Invalid, engine.Blocked, engine.Conflict, engine.Denied:
		return true
	}
	return false
}

// unitField lets a person choose one of the units, or name one by its code where there are many.
func (v *visit) unitField(id, name, label string, units []engine.Unit, selected string) field {
	f := field{ID: id, Name: name, Label: label, Kind: "select", Required: true}
	if len(units) > maxChoices {
		f.Kind, f.Value, f.Hint = "text", "", v.t("console.people.by_code")
		for i := range units {
			if string(units[i].ID) == selected {
				f.Value = units[i].Code
			}
		}
		return f
	}
	f.Choices = []choice{{"", v.t("console.people.choose"), selected == ""}}
	for i := range units {
		u := &units[i]
		if u.ClosedAt == nil {
			f.Choices = append(f.Choices, choice{string(u.ID), indent(u.Path) + u.Name, string(u.ID) == selected})
		}
	}
	return f
}

// roleField lets a person choose a role.
func (v *visit) roleField(id, label string, roles []engine.Role, selected string) field {
	f := field{ID: id, Name: "role", Label: label, Kind: "select", Required: true, Choices: []choice{{"", v.t("console.people.choose"), selected == ""}}}
	for _, r := range roles {
		f.Choices = append(f.Choices, choice{string(r), r.In(v.lang), string(r) == selected})
	}
	return f
}

// personField lets a person choose among people, or name one by the login where there are many.
func (v *visit) personField(id, name, label string, people []engine.User, more bool) field {
	f := field{ID: id, Name: name, Label: label, Kind: "select", Required: true}
	if more {
		f.Kind, f.Hint = "text", v.t("console.people.by_login")
		return f
	}
	f.Choices = []choice{{"", v.t("console.people.choose"), true}}
	for i := range people {
		f.Choices = append(f.Choices, choice{people[i].Login, people[i].Name + "（" + people[i].Login + "）", false})
	}
	return f
}

// called is how a person is named: whoever was erased is not.
func (v *visit) called(u *engine.User) (name, login string) {
	if u.Erased() {
		return v.t("user.erased"), "—"
	}
	return u.Name, u.Login
}

// holder is a person in a list of who holds what.
func (v *visit) holder(u *engine.User) holderRow {
	name, login := v.called(u)
	return holderRow{Href: "/people/" + string(u.ID), Name: name, Login: login, Disabled: u.Disabled}
}

// holdings names the roles at units that the reader sees, and counts the others.
func (c *Console) holdings(v *visit, grants []engine.Grant) (seen []holding, elsewhere int) {
	for _, g := range grants {
		if !v.scoped(g.Path) {
			elsewhere++
			continue
		}
		seen = append(seen, holding{g.Role.In(v.lang), c.names.unit(v, g.UnitID)})
	}
	return seen, elsewhere
}

// way is how one comes down to a unit, as far as the reader sees; all are the units that they see.
func way(u engine.Unit, all map[engine.UnitID]engine.Unit, to func(engine.Unit) string) []crumb {
	var out []crumb
	for _, id := range strings.Split(strings.Trim(u.Path, "/"), "/") {
		if x, ok := all[engine.UnitID(id)]; ok && x.ID != u.ID {
			out = append(out, crumb{to(x), x.Name})
		}
	}
	return out
}

func byID(units []engine.Unit) map[engine.UnitID]engine.Unit {
	out := make(map[engine.UnitID]engine.Unit, len(units))
	for _, u := range units {
		out[u.ID] = u
	}
	return out
}

// told lists what the trail of a subject says, newest first, as far as the reader sees it.
func (c *Console) told(v *visit, subject string) ([]entryView, error) {
	page, err := c.Engine.Trail(v.ctx, v.actor, engine.EntryFilter{Subject: subject, Limit: 50})
	if err != nil {
		return nil, err
	}
	var out []entryView
	for i := range page.Items {
		out = append(out, c.entryView(v, &page.Items[i], nil))
	}
	return out, nil
}
