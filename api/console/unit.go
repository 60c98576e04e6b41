package console

import (
	"net/http"
	"net/url"

	"bihuan/engine"
)

// unitView is the page of one unit.
type unitView struct {
	ID, Code, Name string
	Way            []crumb
	Closed         string // when, "" for an open one
	Year           string // address of its year as a file
	Children       []nodeRow
	All            string // address of the tree under it, where not all children are shown
	Holders        []holderRow
	MoreHolders    string
	Projects       string // how many are open, in a sentence
	Why            string // why the reader cannot change it
	Checks         []checkView
	Acts           []form
	History        []entryView
}

type holderRow struct {
	Href, Name, Login string
	Roles             []string
	Disabled          bool
}

// checkView is one line of a checklist.
type checkView struct {
	Text string
	Met  bool
}

// maxShown is how many children or people stand on a unit's page.
const maxShown = 50

func (c *Console) unit(v *visit) error {
	u, err := c.Engine.UnitSeen(v.ctx, v.actor, v.g.Param("unit"))
	if err != nil {
		return err
	}
	return c.showUnit(v, http.StatusOK, u, "", nil, nil)
}

// showUnit shows a unit; act is the form that was refused with err, and typed what was filled in.
func (c *Console) showUnit(v *visit, status int, u engine.Unit, act string, typed url.Values, refused error) error {
	all, err := c.Engine.UnitsSeen(v.ctx, v.actor)
	if err != nil {
		return err
	}
	known := byID(all)
	view := unitView{ID: string(u.ID), Code: u.Code, Name: u.Name, Closed: c.moments(u.ClosedAt), Year: "/units/" + string(u.ID) + "/year.xlsx",
		Way: way(u, known, func(x engine.Unit) string { return "/units/" + string(x.ID) })}
	rows := map[engine.UnitID]int{}
	for _, x := range all {
		if x.ID != u.ID && engine.Under(x.Path, u.Path) {
			if x.ParentID == u.ID {
				view.Children = append(view.Children, nodeRow{ID: string(x.ID), Code: x.Code, Name: x.Name, Closed: x.ClosedAt != nil})
			}
			rows[x.ParentID]++
		}
	}
	if len(view.Children) > maxShown {
		view.Children, view.All = view.Children[:maxShown], "/units?under="+string(u.ID)
	}
	for i := range view.Children {
		view.Children[i].Below = rows[engine.UnitID(view.Children[i].ID)]
	}
	if err := c.unitHolders(v, u, &view); err != nil {
		return err
	}
	if view.History, err = c.told(v, engine.SubjectUnit+"/"+string(u.ID)); err != nil {
		return err
	}
	if why := c.Engine.MayChangeUnit(v.actor, u); why != nil {
		view.Why = asError(why).In(v.lang)
	} else if err := c.unitActs(v, u, all, &view); err != nil {
		return err
	}
	if refused != nil {
		shown := false
		for i := range view.Acts {
			if f := &view.Acts[i]; f.ID == "unit-"+act {
				f.keep(typed)
				f.blame(v, asError(refused))
				shown = true
			}
		}
		if !shown {
			return refused
		}
	}
	return c.render(v, status, "unit", u.Name, view)
}

// unitHolders lists who has a role at the unit itself.
func (c *Console) unitHolders(v *visit, u engine.Unit, view *unitView) error {
	people, err := c.Engine.People(v.ctx, v.actor, engine.PeopleFilter{Unit: u.ID, Alone: true, Limit: maxShown})
	if err != nil {
		return err
	}
	for _, x := range people.Items {
		row := v.holder(&x)
		for _, g := range x.Grants {
			if g.UnitID == u.ID {
				row.Roles = append(row.Roles, g.Role.In(v.lang))
			}
		}
		view.Holders = append(view.Holders, row)
	}
	if people.Next != "" {
		view.MoreHolders = "/people?unit=" + string(u.ID)
	}
	return nil
}

// unitActs are the forms of an administrator.
func (c *Console) unitActs(v *visit, u engine.Unit, all []engine.Unit, view *unitView) error {
	act := func(name, icon string, danger bool, fields ...field) {
		for i := range fields {
			fields[i].ID = "unit-" + name + "-" + fields[i].Name
			if fields[i].Kind == "" {
				fields[i].Kind = "text"
			}
			fields[i].Required = true
			if fields[i].Label == "" {
				fields[i].Label = v.t("console.unit." + fields[i].Name)
			}
		}
		view.Acts = append(view.Acts, form{ID: "unit-" + name, Action: "/units/" + string(u.ID) + "/" + name, Title: v.t("console.unit.do." + name),
			Icon: icon, Submit: v.t("console.unit.submit." + name), Danger: danger, Version: u.Version, Fields: fields})
	}
	note := field{Name: "note", Kind: "area", Label: v.t("console.unit.why")}
	rename := []field{{Name: "code", Value: u.Code, Hint: v.t("console.unit.code_hint")}, {Name: "name", Value: u.Name}}
	if u.ClosedAt != nil {
		act("rename", "pencil", false, rename...)
		act("reopen", "refresh", false, note)
		return nil
	}
	act("add", "plus", false, field{Name: "code", Hint: v.t("console.unit.code_hint")}, field{Name: "name"})
	act("rename", "pencil", false, rename...)
	var others []engine.Unit
	for _, x := range all {
		if !engine.Under(x.Path, u.Path) && x.ID != u.ParentID && c.Engine.MayChangeUnit(v.actor, x) == nil {
			others = append(others, x)
		}
	}
	parent := v.unitField("", "parent", "", others, "")
	if parent.Hint == "" {
		parent.Hint = v.t("console.unit.move_hint")
	}
	act("move", "git-merge", false, parent)
	checks, err := c.Engine.Closable(v.ctx, u)
	if err != nil {
		return err
	}
	for _, r := range checks {
		view.Checks = append(view.Checks, checkView{r.In(v.lang), r.Met})
	}
	act("close", "lock", true, note)
	return nil
}

// changeUnit carries out what a form of a unit's page asks for, on the unit as the reader saw it.
func (c *Console) changeUnit(v *visit, act string, do func(u engine.Unit, x url.Values) (engine.Unit, error)) error {
	u, err := c.Engine.UnitSeen(v.ctx, v.actor, v.g.Param("unit"))
	if err != nil {
		return err
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	if c.Engine.MayChangeUnit(v.actor, u) == nil { // whoever may not is refused by the engine, which records it
		err = unchanged(x, u.Version)
	}
	if err == nil {
		var changed engine.Unit
		if changed, err = do(u, x); err == nil {
			c.Names.Forget("unit/" + string(u.ID))
			v.redirect("/units/" + string(changed.ID) + "?done=unit_" + act)
			return nil
		}
	}
	if !explained(err) && engine.KindOf(err) != engine.NotFound {
		return err
	}
	return c.showUnit(v, statuses[engine.KindOf(err)], u, act, x, err)
}

func (c *Console) addUnit(v *visit) error {
	return c.changeUnit(v, "add", func(u engine.Unit, x url.Values) (engine.Unit, error) {
		return c.Engine.AddUnit(v.ctx, v.actor, string(u.ID), x.Get("code"), x.Get("name"))
	})
}

func (c *Console) renameUnit(v *visit) error {
	return c.changeUnit(v, "rename", func(u engine.Unit, x url.Values) (engine.Unit, error) {
		return c.Engine.RenameUnit(v.ctx, v.actor, string(u.ID), x.Get("code"), x.Get("name"))
	})
}

func (c *Console) moveUnit(v *visit) error {
	return c.changeUnit(v, "move", func(u engine.Unit, x url.Values) (engine.Unit, error) {
		if c.Engine.MayChangeUnit(v.actor, u) != nil { // refused, whatever the form says
			return c.Engine.MoveUnit(v.ctx, v.actor, string(u.ID), string(u.ParentID))
		}
		if x.Get("parent") == "" { // a root is the operator's to make
			return u, invalid("parent", "field.empty")
		}
		if _, err := c.Engine.UnitSeen(v.ctx, v.actor, x.Get("parent")); err != nil {
			e := asError(err)
			return u, &engine.Error{Kind: engine.Invalid, Field: "parent", Key: e.Key, Args: e.Args}
		}
		return c.Engine.MoveUnit(v.ctx, v.actor, string(u.ID), x.Get("parent"))
	})
}

func (c *Console) closeUnit(v *visit) error {
	return c.changeUnit(v, "close", func(u engine.Unit, x url.Values) (engine.Unit, error) {
		return c.Engine.CloseUnit(v.ctx, v.actor, string(u.ID), x.Get("note"))
	})
}

func (c *Console) reopenUnit(v *visit) error {
	return c.changeUnit(v, "reopen", func(u engine.Unit, x url.Values) (engine.Unit, error) {
		return c.Engine.ReopenUnit(v.ctx, v.actor, string(u.ID), x.Get("note"))
	})
}
