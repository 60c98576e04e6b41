package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bihuan/engine"
)

// peopleView lists accounts.
type peopleView struct {
	Query  string
	Units  []choice
	Unit   string // code, where there are too many units to choose from
	Coded  bool   // the unit is asked for by its code
	Roles  []choice
	States []choice
	Rows   []personRow
	Add    bool
	More   string
	First  string
	Clear  string
	Empty  *emptyView
}

type personRow struct {
	ID, Name, Login, Since string
	Holds                  []holding
	Elsewhere              int // roles at units that the reader does not see
	Disabled               bool
}

// peopleFilter reads the address, and returns what of it is kept when leafing through.
func (c *Console) peopleFilter(v *visit, units []engine.Unit) (engine.PeopleFilter, url.Values, error) {
	q, kept := v.g.Request.URL.Query(), url.Values{}
	f := engine.PeopleFilter{Text: strings.TrimSpace(q.Get("q")), After: q.Get("after")}
	if f.Text != "" {
		kept.Set("q", f.Text)
	}
	if s := strings.TrimSpace(q.Get("unit")); s != "" {
		i := slices.IndexFunc(units, func(u engine.Unit) bool { return string(u.ID) == s || u.Code == s })
		if i < 0 {
			return f, kept, &engine.Error{Kind: engine.NotFound, Key: "unit.unknown", Args: map[string]any{"unit": s}}
		}
		f.Unit = units[i].ID
		kept.Set("unit", s)
	}
	if r := engine.Role(q.Get("role")); r.Granted() {
		f.Role = r
		kept.Set("role", string(r))
	}
	if s := engine.PeopleState(q.Get("state")); slices.Contains(peopleStates, s) {
		f.State = s
		kept.Set("state", string(s))
	}
	return f, kept, nil
}

var peopleStates = []engine.PeopleState{engine.PeopleActive, engine.PeopleDisabled, engine.PeopleRoleless}

func (c *Console) people(v *visit) error {
	units, err := c.Engine.UnitsSeen(v.ctx, v.actor)
	if err != nil {
		return err
	}
	f, kept, err := c.peopleFilter(v, units)
	if err != nil {
		return err
	}
	page, err := c.Engine.People(v.ctx, v.actor, f)
	if err != nil {
		return err
	}
	view := peopleView{Query: f.Text, Add: v.holds([]engine.Role{engine.Admin})}
	if view.Coded = len(units) > maxChoices; view.Coded {
		view.Unit = kept.Get("unit")
		for _, u := range units {
			if u.ID == f.Unit {
				view.Unit = u.Code
			}
		}
	} else {
		for _, u := range units {
			view.Units = append(view.Units, choice{string(u.ID), indent(u.Path) + u.Name, u.ID == f.Unit})
		}
	}
	for _, r := range engine.Roles {
		view.Roles = append(view.Roles, choice{string(r), r.In(v.lang), r == f.Role})
	}
	for _, s := range peopleStates {
		view.States = append(view.States, choice{string(s), v.t("console.people.state." + string(s)), s == f.State})
	}
	for i := range page.Items {
		u := &page.Items[i]
		row := personRow{ID: string(u.ID), Since: c.day(u.CreatedAt), Disabled: u.Disabled}
		row.Name, row.Login = v.called(u)
		row.Holds, row.Elsewhere = c.holdings(v, u.Grants)
		view.Rows = append(view.Rows, row)
	}
	if len(kept) > 0 {
		view.Clear = "/people"
	}
	if f.After != "" {
		view.First = "/people?" + kept.Encode()
	}
	if page.Next != "" {
		kept.Set("after", page.Next)
		view.More = "/people?" + kept.Encode()
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.people.none"), Why: v.t("console.people.none_why"), Href: view.Clear, Do: v.t("console.ledger.clear")}
	}
	return c.render(v, http.StatusOK, "people", v.t("console.nav.people"), view)
}

// newPersonView is the form for an account.
type newPersonView struct{ Form form }

func (c *Console) newPersonForm(v *visit) form {
	return form{ID: "person-new", Action: "/people/new", Submit: v.t("console.people.add"), Icon: "plus", Open: true, Fields: []field{
		{ID: "person-login", Name: "login", Kind: "text", Label: v.t("console.person.login"), Hint: v.t("console.person.login_hint"), Required: true},
		{ID: "person-name", Name: "name", Kind: "text", Label: v.t("console.person.name"), Required: true}}}
}

func (c *Console) newPerson(v *visit) error {
	if !v.holds([]engine.Role{engine.Admin}) {
		return &engine.Error{Kind: engine.Denied, Key: "act.role", Args: map[string]any{"roles": engine.Admin}}
	}
	return c.render(v, http.StatusOK, "person_new", v.t("console.people.add"), newPersonView{c.newPersonForm(v)})
}

func (c *Console) addPerson(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	u, err := c.Engine.AddUser(v.ctx, v.actor, strings.TrimSpace(x.Get("login")), x.Get("name"))
	if err == nil {
		v.redirect("/people/" + string(u.ID) + "?done=person_add")
		return nil
	}
	if kind := engine.KindOf(err); kind != engine.Invalid && kind != engine.Conflict {
		return err
	}
	f := c.newPersonForm(v)
	f.keep(x)
	f.blame(v, asError(err))
	return c.render(v, statuses[engine.KindOf(err)], "person_new", v.t("console.people.add"), newPersonView{f})
}
