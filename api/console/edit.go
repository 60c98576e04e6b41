package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
)

// editView is the page of a new project, or of one whose draft is changed.
type editView struct {
	Title, Sub string
	Import     bool // offer to take over a whole ledger instead
	Back       string
	Form       form
	Kinds      []choice // what may be proposed; each has fields of its own
	Steps      []string // what follows, for the box beside the form
}

// creatable lists the kinds of projects that the person holds a role for.
func (c *Console) creatable(v *visit) []*engine.Workflow {
	var out []*engine.Workflow
	for _, w := range c.workflowsByID() {
		if len(creators(v, w)) > 0 {
			out = append(out, w)
		}
	}
	return out
}

// creators are the paths of the units at which the person may propose a project of the kind.
func creators(v *visit, w *engine.Workflow) []string {
	var out []string
	for _, g := range v.actor.Grants {
		for _, r := range w.Create {
			if g.Role == r {
				out = append(out, g.Path)
			}
		}
	}
	return out
}

func (c *Console) newPage(v *visit) error {
	w, f, err := c.newForm(v, url.Values{"kind": {v.g.Query("kind")}})
	if err != nil {
		return err
	}
	return c.showNew(v, http.StatusOK, w, f)
}

func (c *Console) showNew(v *visit, status int, w *engine.Workflow, f form) error {
	view := editView{Title: v.t("console.new.title"), Sub: v.t("console.new.sub"), Back: "/ledger", Form: f, Import: true,
		Steps: []string{v.t("console.new.step1")}}
	for _, stage := range w.Stages[:min(2, len(w.Stages))] {
		for _, t := range w.Transitions {
			if t.Trigger == engine.OnSubmit && slices.Contains(t.From, stage.ID) && len(t.Approve.Steps) > 0 { // the way forward comes first
				row := c.transitionRow(v, w, t)
				view.Steps = append(view.Steps, v.t("console.new.step", "step", row.Name, "who", row.Who, "approve", row.Approve))
				break
			}
		}
	}
	if kinds := c.creatable(v); len(kinds) > 1 {
		for _, k := range kinds {
			view.Kinds = append(view.Kinds, choice{k.ID, k.Name.In(v.lang), k.ID == w.ID})
		}
	}
	return c.render(v, status, "edit", view.Title, view)
}

// newForm is the form of a new project of the kind that is asked for, or of the first that the person may propose; it
// asks for the unit besides the draft.
func (c *Console) newForm(v *visit, typed url.Values) (*engine.Workflow, form, error) {
	kinds := c.creatable(v)
	if len(kinds) == 0 {
		return nil, form{}, c.createsNothing(v)
	}
	w := kinds[max(0, slices.IndexFunc(kinds, func(w *engine.Workflow) bool { return w.ID == typed.Get("kind") }))]
	unit, err := c.placeField(v, typed, w)
	if err != nil {
		return w, form{}, err
	}
	d := engine.Draft{}
	if len(w.Owner) > 0 && slices.ContainsFunc(v.actor.Grants, func(g engine.Grant) bool { return slices.Contains(w.Owner, g.Role) }) {
		d.Owner = v.actor.ID // who proposes a 书记项目 is who owns it
	}
	f, err := c.draftForm(v, w, d, "/new")
	if err != nil {
		return w, f, err
	}
	place := []field{unit}
	if w.Yearly {
		place = append(place, v.yearField(c.today().Year()))
	}
	f.Fields = append(place, f.Fields...)
	f.Hidden = []field{{Name: "kind", Value: w.ID}}
	f.Submit = v.t("console.new.submit")
	return w, f, nil
}

// createsNothing is the refusal of somebody who may propose nothing.
func (c *Console) createsNothing(v *visit) error {
	var roles []string
	for _, w := range c.workflowsByID() {
		for _, r := range w.Create {
			if name := r.In(v.lang); !contains(roles, name) {
				roles = append(roles, name)
			}
		}
	}
	return &engine.Error{Kind: engine.Denied, Key: "create.role", Args: map[string]any{"roles": roles, "kind": v.t("console.project")}}
}

// placeFields ask what is to be created and where; who may create nothing is refused.
func (c *Console) placeFields(v *visit, typed url.Values) ([]field, error) {
	kinds := c.creatable(v)
	if len(kinds) == 0 {
		return nil, c.createsNothing(v)
	}
	kind := field{ID: "new-kind", Name: "kind", Kind: "select", Label: v.t("console.col.kind"), Required: true}
	for _, w := range kinds {
		kind.Choices = append(kind.Choices, choice{w.ID, w.Name.In(v.lang), typed.Get("kind") == w.ID})
	}
	unit, err := c.placeField(v, typed, kinds...)
	return []field{kind, unit}, err
}

// placeField asks at which unit one of the kinds is to be created.
func (c *Console) placeField(v *visit, typed url.Values, kinds ...*engine.Workflow) (field, error) {
	units := field{ID: "new-unit", Name: "unit", Kind: "select", Label: v.t("console.col.lead"), Required: true}
	var paths []string
	for _, w := range kinds {
		paths = append(paths, creators(v, w)...)
	}
	all, err := c.Reader.Units(v.ctx)
	for _, u := range all {
		if slices.ContainsFunc(paths, func(path string) bool { return engine.Under(u.Path, path) }) {
			units.Choices = append(units.Choices, choice{string(u.ID), indent(u.Path) + u.Name, typed.Get("unit") == string(u.ID)})
		}
	}
	return units, err
}

// draftForm is the form of a draft.
func (c *Console) draftForm(v *visit, w *engine.Workflow, d engine.Draft, action string) (form, error) {
	f := form{ID: "draft", Action: action, Submit: v.t("console.save"), Open: true}
	owners, err := c.ownerChoices(v, w, d.Owner)
	if err != nil {
		return f, err
	}
	sponsors, err := c.sponsorChoices(v, d.Sponsor)
	if err != nil {
		return f, err
	}
	assistants, err := c.peopleChoices(v, d.Assistants...)
	if err != nil {
		return f, err
	}
	nobody := choice{"", v.t("console.nobody"), d.Owner == ""}
	deadline := ""
	if !d.Deadline.IsZero() {
		deadline = d.Deadline.String()
	}
	for _, x := range []field{
		{Name: "title", Kind: "text", Value: d.Title, Required: true},
		{Name: "category", Kind: "text", Value: d.Category},
		{Name: "need", Kind: "area", Value: d.Need},
		{Name: "target", Kind: "area", Value: d.Target},
		{Name: "measures", Kind: "area", Value: d.Measures},
		{Name: "owner", Kind: "select", Value: string(d.Owner), Choices: append([]choice{nobody}, owners...)},
		{Name: "sponsor", Kind: "select", Value: string(d.Sponsor), Choices: append([]choice{nobody}, sponsors...)},
		{Name: "assistants", Kind: "people", Choices: assistants},
		{Name: "assisting", Kind: "area", Value: strings.Join(d.Assisting, "\n")},
		{Name: "list", Kind: "text", Value: d.List},
		{Name: "deadline", Kind: "date", Value: deadline},
	} {
		if x.Name == "title" && d.Year > 0 {
			f.Fields = append(f.Fields, v.yearField(d.Year))
		}
		x.ID, x.Label = "draft-"+x.Name, v.t("console.field."+x.Name)
		if key := "console.hint." + x.Name; v.t(key) != key {
			x.Hint = v.t(key)
		}
		f.Fields = append(f.Fields, x)
		if x.Name == "category" {
			f.Fields = append(f.Fields, v.ownFields(w, d.Extra)...)
		}
	}
	return f, nil
}

// ownFields are the controls of the kind's own fields.
func (v *visit) ownFields(w *engine.Workflow, extra map[string]string) []field {
	var out []field
	for _, f := range w.Fields {
		x := field{ID: "draft-own-" + f.ID, Name: ownField + f.ID, Kind: "text", Label: f.Name.In(v.lang), Hint: f.Hint.In(v.lang), Value: extra[f.Name.ZH]}
		if f.Long {
			x.Kind = "area"
		}
		out = append(out, x)
	}
	return out
}

// ownField is what the name of a control of a kind's own field begins with.
const ownField = "own."

// own puts what was typed into the kind's own fields beside the columns of an imported ledger, which stay as they are.
func own(x url.Values, w *engine.Workflow, extra map[string]string) map[string]string {
	out := maps.Clone(extra)
	for _, f := range w.Fields {
		if !x.Has(ownField + f.ID) {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		if s := strings.TrimSpace(x.Get(ownField + f.ID)); s != "" {
			out[f.Name.ZH] = s
		} else {
			delete(out, f.Name.ZH)
		}
	}
	return out
}

// yearField asks for the 年度 of a yearly kind.
func (v *visit) yearField(year int) field {
	f := field{ID: "draft-year", Name: "year", Kind: "number", Label: v.t("console.field.year"), Hint: v.t("console.hint.year"), Min: "2000", Max: "2100"}
	if year > 0 {
		f.Value = strconv.Itoa(year)
	}
	return f
}

// draft reads the form. Extra columns of an imported ledger are kept as they are.
func draft(x url.Values, extra map[string]string) (engine.Draft, error) {
	d := engine.Draft{Title: x.Get("title"), Category: x.Get("category"), Need: x.Get("need"), Target: x.Get("target"), Measures: x.Get("measures"),
		Owner: engine.UserID(x.Get("owner")), Sponsor: engine.UserID(x.Get("sponsor")), List: x.Get("list"), Extra: extra}
	for _, id := range x["assistants"] {
		if id != "" {
			d.Assistants = append(d.Assistants, engine.UserID(id))
		}
	}
	for line := range strings.FieldsFuncSeq(x.Get("assisting"), func(r rune) bool { return r == '\n' || r == '\r' || r == '、' || r == ';' || r == '；' }) {
		if s := strings.TrimSpace(line); s != "" {
			d.Assisting = append(d.Assisting, s)
		}
	}
	for _, id := range append([]engine.UserID{d.Owner, d.Sponsor}, d.Assistants...) {
		if id != "" && !engine.IsID(string(id)) {
			return d, invalid("owner", "user.unknown", "id", "")
		}
	}
	if x.Get("year") != "" {
		var err error
		if d.Year, err = number(x, "year"); err != nil {
			return d, err
		}
	}
	var err error
	d.Deadline, err = date(x, "deadline")
	return d, err
}

func (c *Console) create(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	chosen := x.Get("choose") // another kind: nothing that was typed is lost
	if chosen != "" {
		x.Set("kind", chosen)
	}
	w, f, err := c.newForm(v, x)
	if err != nil {
		return err
	}
	if chosen != "" {
		maps.DeleteFunc(x, func(_ string, values []string) bool { return values[0] == "" }) // what the new kind fills in stays
		f.keep(x)
		return c.showNew(v, http.StatusOK, w, f)
	}
	p, err := c.propose(v, x)
	if err == nil {
		v.redirect("/projects/" + string(p.ID) + "?done=create")
		return nil
	}
	kind := engine.KindOf(err)
	if kind != engine.Invalid && kind != engine.Denied && kind != engine.Blocked {
		return err
	}
	f.keep(x)
	f.blame(v, asError(err))
	return c.showNew(v, statuses[kind], w, f)
}

func (c *Console) propose(v *visit, x url.Values) (engine.Project, error) {
	w, err := c.Engine.Offered(x.Get("kind"))
	if err != nil {
		e := asError(err)
		return engine.Project{}, &engine.Error{Kind: engine.Invalid, Field: "kind", Key: e.Key, Args: e.Args}
	}
	d, err := draft(x, own(x, w, nil))
	if err != nil {
		return engine.Project{}, err
	}
	if !engine.IsID(x.Get("unit")) {
		return engine.Project{}, invalid("unit", "field.empty")
	}
	unit, err := c.Engine.Unit(v.ctx, x.Get("unit"))
	if err != nil {
		return engine.Project{}, err
	}
	return c.Engine.Create(v.ctx, v.actor, x.Get("kind"), unit, d)
}

func (c *Console) editPage(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	options, err := c.Engine.Explain(v.ctx, v.actor, &p)
	if err != nil {
		return err
	}
	why := &engine.Error{Kind: engine.Blocked, Key: "act.stage", Args: map[string]any{"stage": c.stageName(v, p.Stage)}}
	for _, o := range options {
		if o.Act != string(engine.ActEdit) {
			continue
		}
		if o.Allowed {
			w, err := c.Engine.Pinned(v.ctx, &p)
			if err != nil {
				return err
			}
			f, err := c.draftForm(v, w, engine.DraftOf(&p), "/projects/"+string(p.ID)+"/edit")
			if err != nil {
				return err
			}
			f.Version = p.Version
			return c.showEdit(v, &p, http.StatusOK, f)
		}
		for _, r := range o.Reasons {
			if !r.Met {
				why = &engine.Error{Kind: engine.Denied, Key: r.Key, Args: r.Args}
				break
			}
		}
	}
	return why
}

func (c *Console) showEdit(v *visit, p *engine.Project, status int, f form) error {
	view := editView{Title: v.t("console.edit.title"), Sub: p.Number + " · " + p.Title, Back: "/projects/" + string(p.ID), Form: f}
	return c.render(v, status, "edit", view.Title, view)
}

func (c *Console) edit(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	base, err := version(x)
	if err != nil {
		return err
	}
	w, err := c.Engine.Pinned(v.ctx, &p)
	if err != nil {
		return err
	}
	d, err := draft(x, own(x, w, p.Extra))
	if err == nil {
		_, err = c.Engine.Do(v.ctx, v.actor, p.ID, base, engine.Edit{Draft: d})
	}
	kind := engine.KindOf(err)
	switch {
	case err == nil:
		v.redirect("/projects/" + string(p.ID) + "?done=edit")
		return nil
	case kind == engine.Stale || kind == engine.Conflict:
		return c.conflict(v, p.ID, base, attempt{act: "edit", values: x})
	case kind != engine.Invalid && kind != engine.Blocked && kind != engine.Denied:
		return err
	}
	f, formErr := c.draftForm(v, w, engine.DraftOf(&p), "/projects/"+string(p.ID)+"/edit")
	if formErr != nil {
		return formErr
	}
	f.Version = base
	f.keep(x)
	f.blame(v, asError(err))
	return c.showEdit(v, &p, statuses[kind], f)
}
