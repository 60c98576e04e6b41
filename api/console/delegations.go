package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bihuan/engine"
)

// delegationsView is what the reader lent and was lent, and, for security administrators, what was lent in their units.
type delegationsView struct {
	Rows  []lentRow
	Lend  *form  // nil for those who have nothing to lend
	Why   string // why not
	Empty *emptyView
}

type lentRow struct {
	ID, From, To, Role, Unit, Span string
	Note                           string
	State                          tagView
	End                            bool
}

func (c *Console) lentRow(v *visit, d *engine.Delegation) lentRow {
	row := lentRow{ID: string(d.ID), From: c.names.user(v, d.From), To: c.names.user(v, d.To), Role: d.Role.In(v.lang), Unit: c.names.unit(v, d.UnitID),
		Span: c.moment(d.StartsAt) + " — " + c.moment(d.EndsAt), Note: d.Note, End: true}
	now := c.Now()
	switch {
	case d.RevokedAt != nil:
		row.State, row.End = tagView{"", v.t("console.lent.ended")}, false
	case !now.Before(d.EndsAt):
		row.State, row.End = tagView{"", v.t("console.lent.over")}, false
	case now.Before(d.StartsAt):
		row.State = tagView{"blue", v.t("console.lent.to_come")}
	default:
		row.State = tagView{"g", v.t("console.lent.holds")}
	}
	return row
}

func (c *Console) delegations(v *visit) error { return c.showDelegations(v, http.StatusOK, nil, nil) }

// maxLent is how many delegations the page lists; older ones stand in the trail.
const maxLent = 200

func (c *Console) showDelegations(v *visit, status int, typed url.Values, refused error) error {
	list, err := c.Engine.Delegations(v.ctx, v.actor)
	if err != nil {
		return err
	}
	view := delegationsView{}
	for i := range list[:min(len(list), maxLent)] {
		view.Rows = append(view.Rows, c.lentRow(v, &list[i]))
	}
	if view.Lend, err = c.lendForm(v); err != nil {
		return err
	}
	if view.Lend == nil {
		view.Why = v.t("console.lent.nothing_to_lend", "roles", v.roleNames(engine.Delegable))
	}
	if refused != nil {
		if view.Lend == nil {
			return refused
		}
		view.Lend.keep(typed)
		view.Lend.blame(v, asError(refused))
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.lent.none"), Why: v.t("console.lent.none_why")}
	}
	return c.render(v, status, "delegations", v.t("console.nav.delegations"), view)
}

// lendForm asks whom, what and for how long; nil for those who hold nothing of their own that can be lent.
func (c *Console) lendForm(v *visit) (*form, error) {
	var roles []engine.Role
	var paths []string
	for _, g := range v.actor.Grants {
		if g.By == "" && slices.Contains(engine.Delegable, g.Role) {
			if !slices.Contains(roles, g.Role) {
				roles = append(roles, g.Role)
			}
			paths = append(paths, g.Path)
		}
	}
	if len(roles) == 0 {
		return nil, nil
	}
	all, err := c.Reader.Units(v.ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(u engine.Unit) bool {
		return !slices.ContainsFunc(paths, func(p string) bool { return engine.Under(u.Path, p) })
	})
	people, err := c.Reader.People(v.ctx, engine.PeopleFilter{Within: paths, State: engine.PeopleActive, Limit: maxChoices})
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(people.Items, func(u engine.User) bool { return u.ID == v.user.ID })
	first := ""
	if len(roles) == 1 {
		first = string(roles[0])
	}
	f := form{ID: "lend", Action: "/delegations", Title: v.t("console.lent.lend"), Icon: "user-cog", Submit: v.t("console.lent.submit"), Version: 1, Fields: []field{
		v.personField("lend-to", "to", v.t("console.lent.to"), others, people.Next != ""),
		v.roleField("lend-role", v.t("console.lent.role"), roles, first),
		v.unitField("lend-unit", "unit", v.t("console.lent.unit"), all, ""),
		{ID: "lend-starts", Name: "starts", Kind: "date", Label: v.t("console.lent.starts"), Value: c.today().String(), Required: true},
		{ID: "lend-ends", Name: "ends", Kind: "date", Label: v.t("console.lent.ends"), Hint: v.t("console.lent.ends_hint"), Required: true},
		{ID: "lend-note", Name: "note", Kind: "text", Label: v.t("console.lent.note")}}}
	return &f, nil
}

func (c *Console) delegate(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	err := c.delegateOf(v, x)
	if err == nil {
		v.redirect("/delegations?done=delegate")
		return nil
	}
	if !explained(err) {
		return err
	}
	return c.showDelegations(v, statuses[engine.KindOf(err)], x, err)
}

func (c *Console) delegateOf(v *visit, x url.Values) error {
	starts, err := date(x, "starts")
	if err != nil {
		return err
	}
	ends, err := date(x, "ends")
	if err != nil {
		return err
	}
	for _, name := range []string{"to", "role", "unit", "starts", "ends"} {
		if strings.TrimSpace(x.Get(name)) == "" {
			return invalid(name, "field.empty")
		}
	}
	loc := c.Engine.Site.Location
	_, err = c.Engine.Delegate(v.ctx, v.actor, engine.NewDelegation{To: strings.TrimSpace(x.Get("to")), Unit: strings.TrimSpace(x.Get("unit")), Role: engine.Role(x.Get("role")),
		StartsAt: starts.Start(loc), EndsAt: ends.AddDays(1).Start(loc), Note: x.Get("note")})
	if engine.KindOf(err) == engine.NotFound { // the person or the unit, as typed
		e := asError(err)
		name := "to"
		if e.Key == "unit.unknown" {
			name = "unit"
		}
		return &engine.Error{Kind: engine.Invalid, Field: name, Key: e.Key, Args: e.Args}
	}
	return err
}

func (c *Console) endDelegation(v *visit) error {
	if err := c.Engine.EndDelegation(v.ctx, v.actor, engine.DelegationID(v.g.Param("delegation"))); err != nil {
		return err
	}
	v.redirect("/delegations?done=end_delegation")
	return nil
}
