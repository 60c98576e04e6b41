package console

import (
	"net/http"
	"net/url"

	"bihuan/engine"
)

// needView is the page of one need.
type needView struct {
	ID, Title string
	Sub       string
	State     tagView
	Facts     []pair
	Contact   string // how to reach the person; only for those who answer
	Answer    string
	Settled   string // by whom and when
	Told      string // that the person was told, or will be
	Untold    bool
	Project   *pair // number and title of the item that came of it, and
	Href      string
	Into      *pair // title of the need that goes on for both, and
	IntoHref  string
	Merged    []needRow
	Forms     []form
	Problem   string
	Entries   []entryView
}

// theNeed reads the need of the address.
func (c *Console) theNeed(v *visit) (engine.Need, error) {
	id := v.g.Param("id")
	if !engine.IsID(id) {
		return engine.Need{}, &engine.Error{Kind: engine.NotFound, Key: "needs.unknown"}
	}
	return c.Engine.TheNeed(v.ctx, v.actor, engine.NeedID(id))
}

func (c *Console) need(v *visit) error {
	n, err := c.theNeed(v)
	if err != nil {
		return err
	}
	forms, err := c.needForms(v, &n)
	if err != nil {
		return err
	}
	return c.showNeed(v, http.StatusOK, &n, forms, nil)
}

// showNeed renders a need; why is the refusal of what was just tried, where no form is there to say it.
func (c *Console) showNeed(v *visit, status int, n *engine.Need, forms []form, why *engine.Error) error {
	row := c.needRow(v, n)
	view := needView{ID: row.ID, Title: n.Title, Sub: row.Unit + " · " + n.Number, State: row.State, Contact: n.Contact, Answer: n.Answer, Untold: n.Untold(), Forms: forms}
	if why != nil {
		view.Problem = why.In(v.lang)
	}
	fact := func(name, text string) {
		if text != "" {
			view.Facts = append(view.Facts, pair{v.t("console.need.field." + name), text})
		}
	}
	fact("text", n.Text)
	fact("source", n.Source.In(v.lang))
	fact("who", n.Who)
	fact("times", v.t("console.need.times", "n", n.Times))
	fact("proposer", c.names.user(v, n.Proposer))
	fact("number", n.Number)
	fact("by", c.names.user(v, n.CreatedBy)+" · "+c.moment(n.CreatedAt))
	if n.SettledAt != nil {
		view.Settled = c.names.user(v, n.SettledBy) + " · " + c.moment(*n.SettledAt)
		switch {
		case n.ToldAt != nil:
			view.Told = v.t("console.need.told", "who", c.names.user(v, n.ToldBy), "at", c.moment(*n.ToldAt), "how", n.ToldHow)
		case n.Proposer != "":
			view.Told = v.t("console.need.told_by_system", "who", c.names.user(v, n.Proposer))
		}
	}
	if err := c.needLinks(v, n, &view); err != nil {
		return err
	}
	page, err := c.Engine.Trail(v.ctx, v.actor, engine.EntryFilter{Subject: n.Subject(), Limit: engine.MaxPage})
	if err != nil {
		return err
	}
	for i := range page.Items {
		view.Entries = append(view.Entries, c.entryView(v, &page.Items[i], nil))
	}
	return c.render(v, status, "need", n.Title, view)
}

// needLinks names what a need is tied to: the item that came of it, and the needs that say the same.
func (c *Console) needLinks(v *visit, n *engine.Need, view *needView) error {
	if n.ProjectID != "" {
		p, err := c.Engine.Project(v.ctx, v.actor, n.ProjectID)
		switch {
		case err == nil:
			view.Project, view.Href = &pair{p.Number, p.Title}, "/projects/"+string(p.ID)
		case engine.KindOf(err) != engine.NotFound: // one that the reader may not open is left out
			return err
		}
	}
	if n.Into != "" {
		other, err := c.Engine.TheNeed(v.ctx, v.actor, n.Into)
		switch {
		case err == nil:
			view.Into, view.IntoHref = &pair{Name: other.Title}, "/needs/"+string(other.ID)
		case engine.KindOf(err) != engine.NotFound:
			return err
		}
	}
	merged, err := c.Engine.Needs(v.ctx, v.actor, engine.NeedFilter{Into: n.ID, Limit: engine.MaxPage})
	for i := range merged.Items {
		view.Merged = append(view.Merged, c.needRow(v, &merged.Items[i]))
	}
	return err
}

// needForms are what the person can do about a need now.
func (c *Console) needForms(v *visit, n *engine.Need) ([]form, error) {
	var out []form
	base := "/needs/" + string(n.ID) + "/do/"
	ask := func(act, icon string, fields ...field) form {
		f := form{ID: "do-" + act, Action: base + act, Title: v.t("console.need.do." + act), Submit: v.t("console.need.do." + act), Icon: icon, Version: n.Version}
		for _, x := range fields {
			x.ID = f.ID + "-" + x.Name
			f.Fields = append(f.Fields, x)
		}
		return f
	}
	area := func(label, hint string, required bool) field {
		x := field{Name: "note", Kind: "area", Label: v.t(label), Required: required}
		if hint != "" {
			x.Hint = v.t(hint)
		}
		return x
	}
	collects, answers := c.Engine.MayCollect(v.actor, n.UnitPath), c.Engine.MayKeep(v.actor, n.UnitPath)
	if answers && (n.State == engine.NeedOpen || n.State == engine.NeedDeclined) {
		f, err := c.acceptForms(v, n, ask)
		if err != nil {
			return nil, err
		}
		out = append(out, f...)
	}
	if answers && n.State == engine.NeedOpen {
		out = append(out, ask("decline", "arrow-back-up", area("console.need.field.answer", "console.need.hint.answer", true)))
		page, err := c.Engine.Needs(v.ctx, v.actor, engine.NeedFilter{Unit: n.UnitID, State: []engine.NeedState{engine.NeedOpen}, Limit: engine.MaxPage})
		if err != nil {
			return nil, err
		}
		var others []choice
		for _, x := range page.Items {
			if x.ID != n.ID {
				others = append(others, choice{Value: string(x.ID), Text: x.Number + " · " + x.Title})
			}
		}
		if len(others) > 0 {
			out = append(out, ask("merge", "git-merge", field{Name: "into", Kind: "select", Label: v.t("console.need.field.into"), Choices: others, Required: true}))
		}
	}
	if collects && n.State == engine.NeedOpen {
		f, err := c.needForm(v, base+"edit", engine.DraftOfNeed(n), c.Engine.MayCall(v.actor, n))
		if err != nil {
			return nil, err
		}
		f.ID, f.Title, f.Icon, f.Open, f.Version = "do-edit", v.t("console.need.do.edit"), "pencil", false, n.Version
		out = append(out, f)
	}
	if collects && n.SettledAt != nil && n.Proposer == "" && n.ToldAt == nil {
		out = append(out, ask("tell", "speakerphone", area("console.need.field.how", "console.need.hint.how", true)))
	}
	return out, nil
}

// acceptForms offer a new item, to those who may propose one, and an existing one.
func (c *Console) acceptForms(v *visit, n *engine.Need, ask func(act, icon string, fields ...field) form) ([]form, error) {
	note := field{Name: "note", Kind: "area", Label: v.t("console.need.field.note"), Hint: v.t("console.need.hint.note")}
	var out []form
	if kinds := c.creatable(v); len(kinds) > 0 {
		kind := field{Name: "kind", Kind: "select", Label: v.t("console.col.kind"), Required: true}
		for _, w := range kinds {
			kind.Choices = append(kind.Choices, choice{w.ID, w.Name.In(v.lang), w.ID == "shishi"})
		}
		units, err := c.unitsUnder(v, n.UnitID, n.UnitPath)
		if err != nil {
			return nil, err
		}
		out = append(out, ask("accept", "plus", kind, field{Name: "unit", Kind: "select", Label: v.t("console.col.lead"), Choices: units, Required: true}, note))
	}
	return append(out, ask("accept_into", "link", field{Name: "project", Kind: "text", Label: v.t("console.need.field.project"), Hint: v.t("console.need.hint.project"), Required: true}, note)), nil
}

// needAct carries out an act on a need. A refusal is shown in the form that it was asked with.
func (c *Console) needAct(v *visit) error {
	n, err := c.theNeed(v)
	if err != nil {
		return err
	}
	x, base, err := posted(v)
	if err != nil {
		return err
	}
	act := v.g.Param("act")
	if err = c.doNeed(v, &n, act, base, x); err == nil {
		v.redirect("/needs/" + string(n.ID) + "?done=need_" + act)
		return nil
	}
	return again(err, func(status int, refusal *engine.Error) error {
		forms, err := c.needForms(v, &n)
		if err != nil {
			return err
		}
		return c.showNeed(v, status, &n, forms, blameIn(v, forms, act, x, refusal))
	})
}

func (c *Console) doNeed(v *visit, n *engine.Need, act string, base int64, x url.Values) error {
	var err error
	switch note := x.Get("note"); act {
	case "accept":
		if !engine.IsID(x.Get("unit")) {
			return invalid("unit", "field.empty")
		}
		unit, err := c.Engine.Unit(v.ctx, x.Get("unit"))
		if err != nil {
			return err
		}
		_, err = c.Engine.AcceptNeed(v.ctx, v.actor, n.ID, base, engine.NeedItem{Kind: x.Get("kind"), Unit: unit}, note)
		return err
	case "accept_into":
		p, err := c.byNumber(v, x.Get("project"))
		if engine.KindOf(err) == engine.Invalid {
			return invalid("project", "console.list.no_number", "number", x.Get("project"))
		}
		if err != nil {
			return err
		}
		_, err = c.Engine.AcceptNeed(v.ctx, v.actor, n.ID, base, engine.NeedItem{Project: p}, note)
		return err
	case "decline":
		_, err = c.Engine.DeclineNeed(v.ctx, v.actor, n.ID, base, note)
	case "merge":
		if !engine.IsID(x.Get("into")) {
			return invalid("into", "field.empty")
		}
		_, err = c.Engine.MergeNeed(v.ctx, v.actor, n.ID, base, engine.NeedID(x.Get("into")))
	case "edit":
		d, err := needDraft(x)
		if err != nil {
			return err
		}
		_, err = c.Engine.EditNeed(v.ctx, v.actor, n.ID, base, d)
		return err
	case "tell":
		_, err = c.Engine.TellNeed(v.ctx, v.actor, n.ID, base, note)
	default:
		return notFound()
	}
	return err
}
