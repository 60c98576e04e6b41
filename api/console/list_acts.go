package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"bihuan/engine"
)

// headerForm is the form of a list's number, name and period.
func (c *Console) headerForm(v *visit, action string, h engine.ListHeader) form {
	f := form{ID: "list", Action: action, Submit: v.t("console.save"), Open: true}
	for _, x := range []field{
		{Name: "name", Kind: "text", Value: h.Name},
		{Name: "from", Kind: "date", Value: h.From.String()},
		{Name: "to", Kind: "date", Value: h.To.String()},
	} {
		x.ID, x.Label, x.Required = "list-"+x.Name, v.t("console.list.field."+x.Name), true
		f.Fields = append(f.Fields, x)
	}
	return f
}

// newListForm is the form of a new list: of the two months that today lies in, unless something else was typed.
func (c *Console) newListForm(v *visit) (form, error) {
	paths := c.keeps(v)
	if len(paths) == 0 {
		return form{}, &engine.Error{Kind: engine.Denied, Key: "console.lists.not_yours"}
	}
	now := periodOf(c.today())
	f := c.headerForm(v, "/lists/new", engine.ListHeader{Name: v.t("console.lists.default_name", "year", now.From.Year(), "from", int(now.From.Month()), "to", int(now.To.Month())), From: now.From, To: now.To})
	units, err := c.unitsUnder(v, "", paths...)
	if err != nil {
		return f, err
	}
	unit := field{ID: "list-unit", Name: "unit", Kind: "select", Label: v.t("console.col.unit"), Choices: units, Required: true}
	number := field{ID: "list-number", Name: "number", Kind: "text", Label: v.t("console.list.field.number"), Hint: v.t("console.list.hint.number"),
		Value: now.Number, Required: true}
	f.Fields = append([]field{unit, number}, f.Fields...)
	f.Submit = v.t("console.lists.new")
	return f, nil
}

func (c *Console) newListPage(v *visit) error {
	f, err := c.newListForm(v)
	if err != nil {
		return err
	}
	return c.showListForm(v, http.StatusOK, v.t("console.lists.new"), v.t("console.lists.new_sub"), "/lists", f)
}

func (c *Console) showListForm(v *visit, status int, title, sub, back string, f form) error {
	return c.render(v, status, "edit", title, editView{Title: title, Sub: sub, Back: back, Form: f})
}

// header reads the form.
func header(x url.Values) (engine.ListHeader, error) {
	h := engine.ListHeader{Number: x.Get("number"), Name: x.Get("name")}
	var err error
	if h.From, err = date(x, "from"); err == nil {
		h.To, err = date(x, "to")
	}
	return h, err
}

func (c *Console) drawUp(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	f, err := c.newListForm(v)
	if err != nil {
		return err
	}
	h, err := header(x)
	var l engine.List
	if err == nil {
		if !engine.IsID(x.Get("unit")) {
			err = invalid("unit", "field.empty")
		}
	}
	if err == nil {
		var unit engine.Unit
		if unit, err = c.Engine.Unit(v.ctx, x.Get("unit")); err == nil {
			l, err = c.Engine.DrawUp(v.ctx, v.actor, unit, h)
		}
	}
	if err == nil {
		v.redirect("/lists/" + string(l.ID) + "?done=draw_up")
		return nil
	}
	return c.retype(v, err, x, f, v.t("console.lists.new"), v.t("console.lists.new_sub"), "/lists")
}

// retype shows a form again with what was typed and what is wrong with it.
func (c *Console) retype(v *visit, err error, x url.Values, f form, title, sub, back string) error {
	return again(err, func(status int, refusal *engine.Error) error {
		f.keep(x)
		f.blame(v, refusal)
		return c.showListForm(v, status, title, sub, back, f)
	})
}

// theList reads the list of the address.
func (c *Console) theList(v *visit) (engine.List, error) {
	id := v.g.Param("id")
	if !engine.IsID(id) {
		return engine.List{}, &engine.Error{Kind: engine.NotFound, Key: "lists.unknown"}
	}
	return c.Engine.TheList(v.ctx, v.actor, engine.ListID(id))
}

func (c *Console) listEditForm(v *visit, l *engine.List) form {
	f := c.headerForm(v, "/lists/"+string(l.ID)+"/edit", engine.ListHeader{Name: l.Name, From: l.From, To: l.To})
	f.Version = l.Version
	return f
}

func (c *Console) listEditPage(v *visit) error {
	l, err := c.theList(v)
	if err != nil {
		return err
	}
	return c.showListForm(v, http.StatusOK, v.t("console.list.edit"), l.Number+" · "+l.Name, "/lists/"+string(l.ID), c.listEditForm(v, &l))
}

func (c *Console) listEdit(v *visit) error {
	l, err := c.theList(v)
	if err != nil {
		return err
	}
	x, base, err := posted(v)
	if err != nil {
		return err
	}
	h, err := header(x)
	if err == nil {
		_, err = c.Engine.EditList(v.ctx, v.actor, l.ID, base, h)
	}
	back := "/lists/" + string(l.ID)
	if err == nil {
		v.redirect(back + "?done=edit")
		return nil
	}
	return c.retype(v, err, x, c.listEditForm(v, &l), v.t("console.list.edit"), l.Number+" · "+l.Name, back)
}

// posted reads a form and the version that it was made for.
func posted(v *visit) (url.Values, int64, error) {
	if err := v.g.Request.ParseForm(); err != nil {
		return nil, 0, err
	}
	base, err := version(v.g.Request.PostForm)
	return v.g.Request.PostForm, base, err
}

// listAct carries out one of the acts that need no page of their own. A refusal is shown above the list.
func (c *Console) listAct(v *visit) error {
	l, err := c.theList(v)
	if err != nil {
		return err
	}
	x, base, err := posted(v)
	if err != nil {
		return err
	}
	act := v.g.Param("act")
	if err = c.doList(v, &l, act, base, x); err == nil {
		v.redirect("/lists/" + string(l.ID) + "?done=list_" + act)
		return nil
	}
	return again(err, func(status int, refusal *engine.Error) error {
		r, err := c.Engine.Reconcile(v.ctx, v.actor, l.ID)
		if err != nil {
			return err
		}
		return c.showList(v, status, &r, refusal)
	})
}

func (c *Console) doList(v *visit, l *engine.List, act string, base int64, x url.Values) error {
	var err error
	project := engine.ProjectID(x.Get("project"))
	switch act {
	case "put":
		var ids []engine.ProjectID
		for _, id := range x["project"] {
			if !engine.IsID(id) {
				return invalid("project", "project.unknown", "id", "")
			}
			ids = append(ids, engine.ProjectID(id))
		}
		if number := x.Get("number"); number != "" {
			p, err := c.byNumber(v, number)
			if err != nil {
				return err
			}
			ids = append(ids, p)
		}
		_, err = c.Engine.PutOn(v.ctx, v.actor, l.ID, base, ids)
	case "take":
		_, err = c.Engine.TakeOff(v.ctx, v.actor, l.ID, base, project)
	case "place":
		no, convErr := strconv.Atoi(x.Get("no"))
		if convErr != nil {
			return invalid("no", "lists.bad_place", "last", len(l.Items))
		}
		_, err = c.Engine.Place(v.ctx, v.actor, l.ID, base, project, no)
	case "publish":
		_, err = c.Engine.PublishList(v.ctx, v.actor, l.ID, base)
	case "reconcile":
		_, err = c.Engine.StartReconciling(v.ctx, v.actor, l.ID, base)
	case "close":
		_, err = c.Engine.CloseList(v.ctx, v.actor, l.ID, base, x.Get("note"))
	default:
		return notFound()
	}
	return err
}

// byNumber finds a project by its 编号, whole.
func (c *Console) byNumber(v *visit, number string) (engine.ProjectID, error) {
	page, err := c.Engine.List(v.ctx, v.actor, engine.Filter{Text: number, Limit: engine.MaxPage})
	if err != nil {
		return "", err
	}
	for i := range page.Items {
		if page.Items[i].Number == number {
			return page.Items[i].ID, nil
		}
	}
	return "", invalid("number", "console.list.no_number", "number", number)
}

// closingView is the pre-flight of closing a list.
type closingView struct {
	ID, Number, Name string
	Version          int64
	Ready            bool
	Checks           []check
	Note             field
}

func (c *Console) closingPage(v *visit) error {
	r, err := c.reconciled(v)
	if err != nil {
		return err
	}
	l := &r.List
	view := closingView{ID: string(l.ID), Number: l.Number, Name: l.Name, Version: l.Version, Ready: true,
		Note: field{ID: "closing-note", Name: "note", Kind: "area", Label: v.t("console.list.field.note")}}
	for _, o := range []engine.Outcome{engine.OutClosed, engine.OutCarried, engine.OutShelved, engine.OutCancelled} {
		if n := r.Count[o]; n > 0 {
			view.Checks = append(view.Checks, check{State: "ok", Icon: "circle-check", Text: v.t("console.closing.some", "n", n, "outcome", o), Status: v.t("console.closing.settled")})
		}
	}
	for _, x := range r.Check() {
		row := check{State: "ok", Icon: "circle-check", Text: x.In(v.lang), Status: v.t("console.closing.met")}
		if !x.Met {
			view.Ready = false
			row.State, row.Icon, row.Status = "todo", "alert-triangle", v.t("console.closing.unmet")
			if x.ID == "accounted" {
				row.Href, row.Do = "/lists/"+view.ID+"?show=open", v.t("console.closing.settle")
			}
		}
		view.Checks = append(view.Checks, row)
	}
	if !c.Engine.MayKeep(v.actor, l.UnitPath) {
		view.Ready = false
		view.Checks = append(view.Checks, check{State: "lock", Icon: "lock", Text: v.t("console.closing.not_yours")})
	}
	return c.render(v, http.StatusOK, "closing", v.t("console.closing.title", "number", l.Number), view)
}

// carryForm asks where an item is carried over to, and why.
func (c *Console) carryForm(v *visit, l *engine.List) (form, error) {
	f := form{ID: "carry", Action: "/lists/" + string(l.ID) + "/carry/" + v.g.Param("project"), Submit: v.t("console.carry.submit"), Icon: "arrow-forward-up", Version: l.Version, Open: true}
	page, err := c.Engine.Lists(v.ctx, v.actor, engine.ListFilter{Unit: l.UnitID, State: []engine.ListState{engine.ListDraft, engine.ListPublished}, Limit: engine.MaxPage})
	if err != nil {
		return f, err
	}
	to := field{ID: "carry-to", Name: "to", Kind: "select", Label: v.t("console.carry.to"), Required: true}
	for _, x := range page.Items {
		if l.From.Before(x.From) {
			to.Choices = append([]choice{{string(x.ID), x.Number + " · " + x.Name + v.t("console.carry.state", "state", x.State), false}}, to.Choices...)
		}
	}
	if len(to.Choices) == 0 {
		to.Error = v.t("console.carry.none")
	}
	f.Fields = []field{to, {ID: "carry-note", Name: "note", Kind: "area", Label: v.t("console.field.reason"), Hint: v.t("console.carry.hint"), Required: true}}
	return f, nil
}

func (c *Console) carryPage(v *visit) error {
	l, err := c.theList(v)
	if err != nil {
		return err
	}
	sub, err := c.carried(v, &l)
	if err != nil {
		return err
	}
	f, err := c.carryForm(v, &l)
	if err != nil {
		return err
	}
	return c.showListForm(v, http.StatusOK, v.t("console.carry.title"), sub, "/lists/"+string(l.ID), f)
}

// carried names the item that is to be carried over.
func (c *Console) carried(v *visit, l *engine.List) (string, error) {
	id := engine.ProjectID(v.g.Param("project"))
	item, ok := l.Items[id]
	if !ok {
		return "", &engine.Error{Kind: engine.NotFound, Key: "lists.item_unknown", Args: map[string]any{"number": l.Number}}
	}
	found, err := c.Reader.Standing(v.ctx, []engine.ProjectID{id})
	if err != nil || len(found) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s · %d · %s %s", l.Number, item.No, found[0].Number, found[0].Title), nil
}

func (c *Console) carry(v *visit) error {
	l, err := c.theList(v)
	if err != nil {
		return err
	}
	x, base, err := posted(v)
	if err != nil {
		return err
	}
	sub, err := c.carried(v, &l)
	if err != nil {
		return err
	}
	back := "/lists/" + string(l.ID)
	_, err = c.Engine.CarryOver(v.ctx, v.actor, l.ID, base, engine.ProjectID(v.g.Param("project")), engine.ListID(x.Get("to")), x.Get("note"))
	if err == nil {
		v.redirect(back + "?done=carry_over")
		return nil
	}
	f, formErr := c.carryForm(v, &l)
	if formErr != nil {
		return formErr
	}
	f.Version = base
	return c.retype(v, err, x, f, v.t("console.carry.title"), sub, back)
}
