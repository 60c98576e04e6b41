package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
)

// rolesView is who holds what where, and who may do a thing at a unit.
type rolesView struct {
	Offices []officeView
	Ask     []field // what, and where
	Asked   bool
	Answer  string
	Parts   string // who may do it by a part in the project, besides
	Holders []mayRow
}

// officeView is one of the separated offices (三员) with who holds it.
type officeView struct {
	Name, Means string
	Holders     []holderRow
	More        string
}

// mayRow is somebody who may do a thing, by which role.
type mayRow struct {
	Href, Name string
	By         []holding
	For        string // whose role it is, if it was lent
}

func (c *Console) roles(v *visit) error {
	units, err := c.Engine.UnitsSeen(v.ctx, v.actor)
	if err != nil {
		return err
	}
	view := rolesView{}
	for _, r := range engine.Offices {
		page, err := c.Engine.People(v.ctx, v.actor, engine.PeopleFilter{Role: r, Limit: maxShown})
		if err != nil {
			return err
		}
		o := officeView{Name: r.In(v.lang), Means: v.t("console.role." + string(r))}
		for _, u := range page.Items {
			row := v.holder(&u)
			for _, g := range u.Grants {
				if g.Role == r && v.scoped(g.Path) {
					row.Roles = append(row.Roles, c.names.unit(v, g.UnitID))
				}
			}
			o.Holders = append(o.Holders, row)
		}
		if page.Next != "" {
			o.More = "/people?role=" + string(r)
		}
		view.Offices = append(view.Offices, o)
	}
	q := v.g.Request.URL.Query()
	what := field{ID: "may-act", Name: "act", Kind: "select", Label: v.t("console.roles.act"), Required: true, Choices: []choice{{"", v.t("console.people.choose"), q.Get("act") == ""}}}
	deeds := c.deeds(v)
	for _, d := range deeds {
		what.Choices = append(what.Choices, choice{d.ID, d.Name, d.ID == q.Get("act")})
	}
	at := v.unitField("may-unit", "unit", v.t("console.roles.unit"), units, q.Get("unit"))
	if at.Kind == "text" {
		at.Value = q.Get("unit")
	}
	view.Ask = []field{what, at}
	if q.Get("act") != "" && q.Get("unit") != "" {
		if err := c.whoMay(v, q, deeds, &view); err != nil {
			return err
		}
	}
	return c.render(v, http.StatusOK, "roles", v.t("console.nav.roles"), view)
}

// deed is something that needs a role.
type deed struct {
	ID, Name string
	Roles    []engine.Role
	At       engine.Level
}

// deeds are what the engine's policy lists with a role, and the proposals and approvals that the definitions ask for.
func (c *Console) deeds(v *visit) []deed {
	var out []deed
	for _, p := range engine.Policies() {
		if len(p.Roles) > 0 {
			out = append(out, deed{ID: p.Action, Name: v.actionName(p.Action), Roles: p.Roles})
		}
	}
	for _, w := range c.workflowsByID() {
		name := w.Name.In(v.lang) + v.t("list.colon")
		out = append(out, deed{ID: w.ID + ".create", Name: name + v.t("console.roles.propose"), Roles: w.Create})
		for _, t := range w.Transitions {
			for i, s := range t.Approve.Steps {
				d := deed{ID: w.ID + "." + string(t.ID) + "." + strconv.Itoa(i), Name: name + v.t("console.roles.approve", "what", t.Name.In(v.lang)), Roles: s.Roles, At: s.At}
				if len(t.Approve.Steps) > 1 {
					d.Name += v.t("console.roles.step", "n", i+1)
				}
				out = append(out, d)
			}
		}
	}
	return out
}

// whoMay answers who may do a thing at a unit: by a role there or above it, their own or lent to them. People above the
// reader's units are named, because their decisions are; their accounts are not shown.
func (c *Console) whoMay(v *visit, q url.Values, deeds []deed, view *rolesView) error {
	unit, err := c.Engine.UnitSeen(v.ctx, v.actor, strings.TrimSpace(q.Get("unit")))
	if err != nil {
		return err
	}
	i := slices.IndexFunc(deeds, func(d deed) bool { return d.ID == q.Get("act") })
	if i < 0 {
		return invalid("act", "act.no_row", "action", q.Get("act"))
	}
	d := deeds[i]
	holders, err := c.Engine.Holders(v.ctx, unit, d.Roles, d.At)
	if err != nil {
		return err
	}
	for _, h := range holders {
		row := mayRow{Name: h.User.Name}
		if _, err := c.Engine.Person(v.ctx, v.actor, string(h.User.ID)); err == nil {
			row.Href = "/people/" + string(h.User.ID)
		}
		for _, g := range h.By {
			row.By = append(row.By, holding{g.Role.In(v.lang), c.names.unit(v, g.UnitID)})
			row.For = c.names.user(v, g.By)
		}
		view.Holders = append(view.Holders, row)
	}
	var relations []engine.Role
	for _, r := range d.Roles {
		if !r.Granted() {
			relations = append(relations, r)
		}
	}
	view.Asked, view.Parts = true, v.roleNames(relations)
	view.Answer = v.t("console.roles.answer", "n", len(view.Holders), "what", d.Name, "unit", unit.Name)
	return nil
}
