package console

import (
	"net/http"
	"net/url"
	"strings"

	"bihuan/engine"
)

// personView is the page of one account.
type personView struct {
	ID, Name, Login, Since string
	Version                int64
	Disabled               bool
	Once                   string // a one-time password, shown this once
	Problem                string // why what was asked for was not done
	Held                   []heldRow
	Elsewhere              int
	Grants                 bool   // the reader gives roles
	At                     string // the unit at which a role is to be given
	Choose                 field
	Roles                  []offerRow
	Why                    string // why the reader may not manage the account
	Manage                 bool
	Codes                  bool // the account asks for one-time codes
	Erasure                *erasureView
	History                []entryView
}

// heldRow is a role that somebody has, with why the reader may not take it.
type heldRow struct {
	Role, Word, Unit, UnitID string
	Take                     bool
	Why                      string
}

// offerRow is a role that could be given at the chosen unit, with why it cannot.
type offerRow struct {
	Role, Word, Means string
	Give              bool
	Why               string
}

func (c *Console) person(v *visit) error {
	u, err := c.Engine.Person(v.ctx, v.actor, v.g.Param("user"))
	if err != nil {
		return err
	}
	return c.showPerson(v, http.StatusOK, u, v.g.Query("at"), nil, "")
}

// showPerson shows an account as it is now. at is the unit at which a role is to be given, refused what was not done,
// once a one-time password.
func (c *Console) showPerson(v *visit, status int, u engine.User, at string, refused error, once string) error {
	view := personView{ID: string(u.ID), Since: c.day(u.CreatedAt), Version: u.Version, Disabled: u.Disabled, Once: once,
		Grants: v.holds([]engine.Role{engine.Security})}
	if refused != nil {
		view.Problem = asError(refused).In(v.lang)
	}
	units, err := c.Engine.UnitsSeen(v.ctx, v.actor)
	if err != nil {
		return err
	}
	known := byID(units)
	for _, g := range u.Grants {
		unit, seen := known[g.UnitID]
		if !seen {
			view.Elsewhere++
			continue
		}
		row := heldRow{Role: string(g.Role), Word: g.Role.In(v.lang), Unit: unit.Name, UnitID: string(unit.ID)}
		if why := c.Engine.MayRevoke(v.actor, u, unit); why == nil {
			row.Take = true
		} else if view.Grants {
			row.Why = asError(why).In(v.lang)
		}
		view.Held = append(view.Held, row)
	}
	if view.Grants {
		c.offers(v, u, units, at, &view)
	}
	if why := c.Engine.MayManage(v.ctx, v.actor, u); why == nil {
		view.Manage, view.Codes = true, u.TwoFactor
	} else {
		view.Why = asError(why).In(v.lang)
	}
	view.Name, view.Login = v.called(&u)
	view.Erasure = c.erasure(v, &u)
	if view.History, err = c.told(v, engine.SubjectUser+"/"+string(u.ID)); err != nil {
		return err
	}
	return c.render(v, status, "person", view.Name, view)
}

// offers lists, for the chosen unit, each role with whether the reader may give it, and why not.
func (c *Console) offers(v *visit, u engine.User, units []engine.Unit, at string, view *personView) {
	var mine []engine.Unit
	var chosen engine.Unit
	for _, x := range units {
		if _, ok := v.actor.Has(engine.Security, x.Path); ok && x.ClosedAt == nil {
			mine = append(mine, x)
			if string(x.ID) == at || x.Code == at && at != "" {
				chosen = x
			}
		}
	}
	if chosen.ID == "" && len(mine) > 0 {
		chosen = mine[0]
	}
	if chosen.ID == "" {
		return
	}
	view.At = string(chosen.ID)
	view.Choose = v.unitField("grant-at", "at", v.t("console.person.at"), mine, view.At)
	for _, r := range engine.Roles {
		row := offerRow{Role: string(r), Word: r.In(v.lang), Means: v.t("console.role." + string(r))}
		if why := c.Engine.MayGrant(v.actor, u, chosen, r); why == nil {
			row.Give = true
		} else {
			row.Why = asError(why).In(v.lang)
		}
		view.Roles = append(view.Roles, row)
	}
}

// changePerson carries out what a form of an account's page asks for, on the account as the reader saw it. may says
// beforehand why not; what it refuses is left to the engine, which records it.
func (c *Console) changePerson(v *visit, done string, may func(u engine.User, x url.Values) error, do func(u engine.User, x url.Values) error) error {
	u, err := c.Engine.Person(v.ctx, v.actor, v.g.Param("user"))
	if err != nil {
		return err
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	if may(u, x) == nil {
		err = unchanged(x, u.Version)
	}
	if err == nil {
		if err = do(u, x); err == nil {
			if done != "" {
				v.redirect("/people/" + string(u.ID) + "?done=" + done + "&at=" + url.QueryEscape(x.Get("unit")))
			}
			return nil
		}
	}
	if !explained(err) && engine.KindOf(err) != engine.NotFound {
		return err
	}
	return c.showPerson(v, statuses[engine.KindOf(err)], u, x.Get("unit"), err, "")
}

// givesHere says why the reader may not change roles at the unit of a form. A unit that they do not see is absent.
func (c *Console) givesHere(v *visit, u engine.User, x url.Values) error {
	unit, err := c.Engine.UnitSeen(v.ctx, v.actor, x.Get("unit"))
	if err != nil {
		return err
	}
	return c.Engine.MayRevoke(v.actor, u, unit)
}

// absent turns the refusal of a role at a unit that the reader does not see, which the engine has recorded and which
// names the unit, into that of one that does not exist.
func (c *Console) absent(v *visit, x url.Values, err error) error {
	if engine.KindOf(err) == engine.Denied && v.holds([]engine.Role{engine.Security}) {
		if _, unseen := c.Engine.UnitSeen(v.ctx, v.actor, x.Get("unit")); unseen != nil {
			return unseen
		}
	}
	return err
}

func (c *Console) grantRole(v *visit) error {
	may := func(u engine.User, x url.Values) error { return c.givesHere(v, u, x) }
	return c.changePerson(v, "person_grant", may, func(u engine.User, x url.Values) error {
		_, err := c.Engine.Grant(v.ctx, v.actor, string(u.ID), x.Get("unit"), engine.Role(x.Get("role")))
		return c.absent(v, x, err)
	})
}

func (c *Console) revokeRole(v *visit) error {
	may := func(u engine.User, x url.Values) error { return c.givesHere(v, u, x) }
	return c.changePerson(v, "person_revoke", may, func(u engine.User, x url.Values) error {
		_, err := c.Engine.Revoke(v.ctx, v.actor, string(u.ID), x.Get("unit"), engine.Role(x.Get("role")))
		return c.absent(v, x, err)
	})
}

// managePerson is changePerson for an administrator.
func (c *Console) managePerson(v *visit, done string, do func(u engine.User, x url.Values) error) error {
	return c.changePerson(v, done, func(u engine.User, _ url.Values) error { return c.Engine.MayManage(v.ctx, v.actor, u) }, do)
}

func (c *Console) disablePerson(v *visit) error {
	return c.managePerson(v, "person_disable", func(u engine.User, _ url.Values) error {
		_, err := c.Engine.Disable(v.ctx, v.actor, string(u.ID))
		return err
	})
}

func (c *Console) enablePerson(v *visit) error {
	return c.managePerson(v, "person_enable", func(u engine.User, _ url.Values) error {
		_, err := c.Engine.Enable(v.ctx, v.actor, string(u.ID))
		return err
	})
}

func (c *Console) endSessions(v *visit) error {
	return c.managePerson(v, "person_sessions", func(u engine.User, _ url.Values) error {
		_, err := c.Door.EndAll(v.ctx, v.actor, u.ID)
		return err
	})
}

// removeCodes is for somebody who has lost the device and the recovery codes.
func (c *Console) removeCodes(v *visit) error {
	return c.managePerson(v, "person_codes", func(u engine.User, _ url.Values) error {
		_, err := c.Engine.RemoveSeed(v.ctx, v.actor, string(u.ID))
		return err
	})
}

// resetPassword answers with the page itself, because what it shows is not seen again.
func (c *Console) resetPassword(v *visit) error {
	return c.managePerson(v, "", func(u engine.User, _ url.Values) error {
		once, err := c.Door.Reset(v.ctx, v.actor, u.ID)
		if err != nil {
			return err
		}
		if u, err = c.Engine.Person(v.ctx, v.actor, string(u.ID)); err != nil {
			return err
		}
		return c.showPerson(v, http.StatusOK, u, "", nil, once)
	})
}

// leavingView is the page on which somebody's open work is handed over and their account closed.
type leavingView struct {
	ID, Name    string
	Projects    []workRow
	Delegations []lentRow
	Outside     string // why it cannot be done here
	Form        form
}

type workRow struct {
	Href, Number, Title, Unit, Stage, Due string
	Parts                                 string
	Outside                               bool
}

func (c *Console) leaving(v *visit) error {
	u, err := c.Engine.Person(v.ctx, v.actor, v.g.Param("user"))
	if err != nil {
		return err
	}
	return c.showLeaving(v, http.StatusOK, u, nil, nil)
}

func (c *Console) showLeaving(v *visit, status int, u engine.User, typed url.Values, refused error) error {
	w, err := c.Engine.OpenWork(v.ctx, v.actor, string(u.ID))
	if err != nil {
		return err
	}
	view := leavingView{ID: string(u.ID), Name: u.Name}
	outside := map[engine.ProjectID]bool{}
	for _, p := range w.Outside {
		outside[p.ID] = true
	}
	for i := range w.Projects {
		p := &w.Projects[i]
		row := workRow{Number: p.Number, Title: p.Title, Unit: c.names.unit(v, p.UnitID), Stage: c.stageName(v, p.Stage), Outside: outside[p.ID], Parts: partsIn(v, p, u.ID)}
		if !p.Deadline.IsZero() {
			row.Due = p.Deadline.String()
		}
		if row.Outside { // of other units nothing is said but that there is something
			row = workRow{Outside: true, Parts: row.Parts}
		}
		view.Projects = append(view.Projects, row)
	}
	for i := range w.Delegations {
		view.Delegations = append(view.Delegations, c.lentRow(v, &w.Delegations[i]))
	}
	if n := len(w.Outside); n > 0 {
		view.Outside = v.t("leave.outside", "n", n)
	}
	view.Form = form{ID: "leave", Action: "/people/" + string(u.ID) + "/leave", Submit: v.t("console.leave.submit"), Icon: "logout", Danger: true, Version: u.Version, Open: true}
	if len(w.Projects) > 0 {
		heirs, err := c.Engine.People(v.ctx, v.actor, engine.PeopleFilter{State: engine.PeopleActive, Limit: maxChoices})
		if err != nil {
			return err
		}
		var others []engine.User
		for _, x := range heirs.Items {
			if x.ID != u.ID {
				others = append(others, x)
			}
		}
		f := v.personField("leave-heir", "heir", v.t("console.leave.heir"), others, heirs.Next != "")
		view.Form.Fields = append(view.Form.Fields, f)
	}
	view.Form.Fields = append(view.Form.Fields, field{ID: "leave-note", Name: "note", Kind: "area", Label: v.t("console.leave.why"), Hint: v.t("console.leave.why_hint"), Required: true})
	if refused != nil {
		view.Form.keep(typed)
		view.Form.blame(v, asError(refused))
	}
	return c.render(v, status, "leaving", v.t("console.leave.title", "name", u.Name), view)
}

// partsIn says what somebody is in a project.
func partsIn(v *visit, p *engine.Project, id engine.UserID) string {
	var out []string
	if p.Owner == id {
		out = append(out, engine.Owner.In(v.lang))
	}
	for _, a := range p.Assistants {
		if a == id {
			out = append(out, engine.Assistant.In(v.lang))
		}
	}
	if p.Sponsor == id {
		out = append(out, engine.Sponsor.In(v.lang))
	}
	return strings.Join(out, v.t("list.comma"))
}

func (c *Console) handOver(v *visit) error {
	u, err := c.Engine.Person(v.ctx, v.actor, v.g.Param("user"))
	if err != nil {
		return err
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	if c.Engine.MayManage(v.ctx, v.actor, u) == nil {
		err = unchanged(x, u.Version)
	}
	if err == nil {
		if _, err = c.Engine.Leave(v.ctx, v.actor, string(u.ID), strings.TrimSpace(x.Get("heir")), x.Get("note")); err == nil {
			v.redirect("/people/" + string(u.ID) + "?done=person_leave")
			return nil
		}
	}
	if kind := engine.KindOf(err); kind == engine.Denied || !explained(err) && kind != engine.NotFound {
		return err
	}
	if engine.KindOf(err) == engine.NotFound { // the heir
		e := asError(err)
		err = &engine.Error{Kind: engine.Invalid, Field: "heir", Key: e.Key, Args: e.Args}
	}
	return c.showLeaving(v, statuses[engine.KindOf(err)], u, x, err)
}
