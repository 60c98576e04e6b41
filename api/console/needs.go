package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"bihuan/engine"
)

// needsView is the page of all needs.
type needsView struct {
	Sub   string
	Tabs  []viewTab
	Rows  []needRow
	New   string // address of the form for a new one, "" for those who collect none
	List  string // number of the list whose needs are shown, "" for all
	All   string // address without it
	More  string
	First string
	Empty *emptyView
}

type needRow struct {
	ID, Title, Source, Unit, Number, When string
	Times                                 int
	State                                 tagView
	Untold                                bool
	Answer                                string
}

var needClass = map[engine.NeedState]string{engine.NeedOpen: "y", engine.NeedAccepted: "g", engine.NeedDeclined: "blue", engine.NeedMerged: ""}

// needsFilter reads the address: state, list and what still has to be told.
func needsFilter(q url.Values) (engine.NeedFilter, string) {
	f := engine.NeedFilter{Number: q.Get("number"), Text: strings.TrimSpace(q.Get("q")), After: q.Get("after")}
	if u := q.Get("unit"); engine.IsID(u) {
		f.Unit = engine.UnitID(u)
	}
	show := q.Get("show")
	for _, s := range engine.NeedStates {
		if show == string(s) {
			f.State = []engine.NeedState{s}
			return f, show
		}
	}
	f.Untold = show == "untold"
	if !f.Untold {
		show = ""
	}
	return f, show
}

func (c *Console) needs(v *visit) error {
	q := v.g.Request.URL.Query()
	f, show := needsFilter(q)
	page, err := c.Engine.Needs(v.ctx, v.actor, f)
	if err != nil {
		return err
	}
	address := func(changes ...string) string {
		next := url.Values{}
		for _, k := range []string{"show", "number", "unit", "q"} {
			if s := q.Get(k); s != "" {
				next.Set(k, s)
			}
		}
		for i := 0; i+1 < len(changes); i += 2 {
			next.Set(changes[i], changes[i+1])
			if changes[i+1] == "" {
				next.Del(changes[i])
			}
		}
		if len(next) == 0 {
			return "/needs"
		}
		return "/needs?" + next.Encode()
	}
	view := needsView{Sub: v.t("console.needs.sub"), List: f.Number, All: address("number", "", "unit", "")}
	for _, t := range append([]engine.NeedState{""}, append(engine.NeedStates, "untold")...) {
		title := v.t("console.needs.tab." + string(t))
		if t == "" {
			title = v.t("console.needs.tab.all")
		} else if t != "untold" {
			title = t.In(v.lang)
		}
		view.Tabs = append(view.Tabs, viewTab{Href: address("show", string(t)), Title: title, Current: show == string(t)})
	}
	if len(c.collects(v)) > 0 {
		view.New = "/needs/new"
		if f.Number != "" {
			view.New += "?" + url.Values{"number": {f.Number}, "unit": {string(f.Unit)}}.Encode()
		}
	}
	for i := range page.Items {
		view.Rows = append(view.Rows, c.needRow(v, &page.Items[i]))
	}
	if page.Next != "" {
		view.More = address("after", page.Next)
	}
	if f.After != "" {
		view.First = address()
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.needs.none"), Why: v.t("console.needs.none_why")}
		if view.New != "" {
			view.Empty.Href, view.Empty.Do = view.New, v.t("console.needs.new")
		}
	}
	return c.render(v, http.StatusOK, "needs", v.t("console.nav.needs"), view)
}

func (c *Console) needRow(v *visit, n *engine.Need) needRow {
	source := n.Source.In(v.lang)
	if n.Who != "" {
		source += " · " + n.Who
	}
	return needRow{ID: string(n.ID), Title: n.Title, Source: source, Unit: c.names.unit(v, n.UnitID), Number: n.Number, When: c.day(n.CreatedAt),
		Times: n.Times, State: tagView{needClass[n.State], n.State.In(v.lang)}, Untold: n.Untold(), Answer: n.Answer}
}

// collects are the paths of the units whose needs the person writes down.
func (c *Console) collects(v *visit) []string {
	var out []string
	for _, g := range v.actor.Grants {
		if c.Engine.MayCollect(v.actor, g.Path) {
			out = append(out, g.Path)
		}
	}
	return out
}

// unitsUnder lists the units at and under the paths, to choose from.
func (c *Console) unitsUnder(v *visit, selected engine.UnitID, paths ...string) ([]choice, error) {
	all, err := c.Reader.Units(v.ctx)
	if err != nil {
		return nil, err
	}
	var out []choice
	for _, u := range all {
		for _, path := range paths {
			if engine.Under(u.Path, path) {
				out = append(out, choice{string(u.ID), indent(u.Path) + u.Name, u.ID == selected})
				break
			}
		}
	}
	return out, nil
}

// needForm is the form of a need's words.
func (c *Console) needForm(v *visit, action string, d engine.NeedDraft, call bool) (form, error) {
	f := form{ID: "need", Action: action, Submit: v.t("console.save"), Open: true}
	people, err := c.peopleChoices(v, d.Proposer)
	if err != nil {
		return f, err
	}
	source := make([]choice, 0, len(engine.NeedSources))
	for _, s := range engine.NeedSources {
		source = append(source, choice{string(s), s.In(v.lang), s == d.Source})
	}
	fields := []field{
		{Name: "title", Kind: "text", Value: d.Title, Required: true},
		{Name: "text", Kind: "area", Value: d.Text},
		{Name: "source", Kind: "select", Choices: source, Required: true},
		{Name: "who", Kind: "text", Value: d.Who, Hint: v.t("console.need.hint.who")},
		{Name: "times", Kind: "number", Value: strconv.Itoa(max(d.Times, 1)), Min: "1", Hint: v.t("console.need.hint.times")},
		{Name: "proposer", Kind: "select", Choices: append([]choice{{"", v.t("console.need.no_account"), d.Proposer == ""}}, people...), Hint: v.t("console.need.hint.proposer")},
	}
	if call {
		fields = append(fields, field{Name: "contact", Kind: "text", Value: d.Contact, Hint: v.t("console.need.hint.contact")})
	}
	fields = append(fields, field{Name: "number", Kind: "text", Value: d.Number, Hint: v.t("console.hint.list"), Required: true})
	for _, x := range fields {
		x.ID, x.Label = "need-"+x.Name, v.t("console.need.field."+x.Name)
		f.Fields = append(f.Fields, x)
	}
	return f, nil
}

func needDraft(x url.Values) (engine.NeedDraft, error) {
	d := engine.NeedDraft{Number: x.Get("number"), Title: x.Get("title"), Text: x.Get("text"), Source: engine.NeedSource(x.Get("source")),
		Who: x.Get("who"), Proposer: engine.UserID(x.Get("proposer")), Contact: x.Get("contact")}
	if d.Proposer != "" && !engine.IsID(string(d.Proposer)) {
		return d, invalid("proposer", "user.unknown", "id", "")
	}
	if s := strings.TrimSpace(x.Get("times")); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n == 0 {
			n = -1 // the engine says what may stand there
		}
		d.Times = n
	}
	return d, nil
}

func (c *Console) newNeedForm(v *visit, typed url.Values) (form, error) {
	paths := c.collects(v)
	if len(paths) == 0 {
		return form{}, &engine.Error{Kind: engine.Denied, Key: "console.needs.not_yours"}
	}
	number := typed.Get("number")
	if number == "" {
		number = periodOf(c.today()).Number
	}
	f, err := c.needForm(v, "/needs/new", engine.NeedDraft{Number: number, Source: engine.FromVisit}, true)
	if err != nil {
		return f, err
	}
	units, err := c.unitsUnder(v, engine.UnitID(typed.Get("unit")), paths...)
	f.Fields = append([]field{{ID: "need-unit", Name: "unit", Kind: "select", Label: v.t("console.need.field.unit"), Hint: v.t("console.need.hint.unit"), Choices: units, Required: true}}, f.Fields...)
	f.Submit = v.t("console.needs.new")
	return f, err
}

func (c *Console) newNeedPage(v *visit) error {
	f, err := c.newNeedForm(v, v.g.Request.URL.Query())
	if err != nil {
		return err
	}
	return c.showListForm(v, http.StatusOK, v.t("console.needs.new"), v.t("console.needs.new_sub"), "/needs", f)
}

func (c *Console) collectNeed(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	f, err := c.newNeedForm(v, x)
	if err != nil {
		return err
	}
	d, err := needDraft(x)
	if err == nil && !engine.IsID(x.Get("unit")) {
		err = invalid("unit", "field.empty")
	}
	var n engine.Need
	if err == nil {
		var unit engine.Unit
		if unit, err = c.Engine.Unit(v.ctx, x.Get("unit")); err == nil {
			n, err = c.Engine.Collect(v.ctx, v.actor, unit, d)
		}
	}
	if err == nil {
		v.redirect("/needs/" + string(n.ID) + "?done=collect")
		return nil
	}
	return c.retype(v, err, x, f, v.t("console.needs.new"), v.t("console.needs.new_sub"), "/needs")
}
