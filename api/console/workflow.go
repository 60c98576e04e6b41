package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// workflowsView lists the kinds of projects.
type workflowsView struct {
	Items []workflowItem
	Empty *emptyView
}

type workflowItem struct {
	ID, Name, Prefix string
	Version          int
	Stages           []string
	Creators         string
	Digest           hashView
	On               bool
	Switched         string // when it was switched last, and by whom
	MaySwitch        bool
}

// workflowView is one definition: what moves an item, who may, on which day it is due.
type workflowView struct {
	workflowItem
	Diagram     diagram
	Graph       string // the same as Mermaid text
	StageRows   []stageRow
	Transitions []transitionRow
	Timers      []timerRow
	Fields      []pair // of its own, with what people are told about them
	Materials   []string
	Lights      []string
	Extension   []string
	Simulation  simulation
	Current     int // the version in force
	Versions    []versionRow
	Old, New    int // the versions that are compared; 0 for none
	Differences []differenceRow
	Problem     string // why they cannot be compared
}

// versionRow is a published version.
type versionRow struct {
	Version        int
	At, By         string
	Digest         hashView
	Href           string
	Current, Shown bool
	Older, Newer   bool // it is the one or the other that is compared
}

type differenceRow struct{ Path, Where, Old, New string }

type stageRow struct {
	Name, Limit, Acts, ReturnTo string
	Number                      int
}

type transitionRow struct {
	Name, From, To, Who, Approve string
	Require                      []requirementRow
}

type requirementRow struct{ Name, Rule string }

type timerRow struct {
	When, Stage, Rung, To, Rule string
}

// simulation is what the clock would do between two days.
type simulation struct {
	Start, Deadline string
	Error           string
	Rows            []simulationRow
	Unknown         bool
}

type simulationRow struct {
	At, Weekday, What, Stage, To, Class string
	Unknown                             bool
}

func (c *Console) workflows(v *visit) error {
	view := workflowsView{}
	for _, w := range ordered(c.Engine.Published()) {
		view.Items = append(view.Items, c.workflowItem(v, w))
	}
	if len(view.Items) == 0 {
		view.Empty = &emptyView{Title: v.t("console.workflows.none"), Why: v.t("console.workflows.none_why"), Href: "/overview", Do: v.t("console.nav.overview")}
	}
	return c.render(v, http.StatusOK, "workflows", v.t("console.nav.workflows"), view)
}

func (c *Console) workflowItem(v *visit, w *engine.Workflow) workflowItem {
	out := workflowItem{ID: w.ID, Name: w.Name.In(v.lang), Prefix: w.Prefix, Version: w.Version, Creators: v.roleNames(w.Create), Digest: hashOf(w.Digest)}
	out.On, out.MaySwitch = c.Engine.IsOn(w.ID), v.holds([]engine.Role{engine.Admin})
	if k, ok := c.Engine.Switched(w.ID); ok {
		out.Switched = v.t("console.workflows.switched", "at", c.moment(k.At), "by", c.names.user(v, k.By))
	}
	for _, s := range w.Stages {
		out.Stages = append(out.Stages, s.Name.In(v.lang))
	}
	return out
}

// switchWorkflow switches a kind on or off.
func (c *Console) switchWorkflow(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	id, act, do := v.g.Param("workflow"), "enable", c.Engine.EnableKind
	if v.g.Request.PostForm.Get("on") == "" {
		act, do = "disable", c.Engine.DisableKind
	}
	if err := do(v.ctx, v.actor, id); err != nil {
		return err
	}
	v.redirect("/workflows/" + url.PathEscape(id) + "?done=" + act)
	return nil
}

func (v *visit) roleNames(list []engine.Role) string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.In(v.lang)
	}
	return strings.Join(names, v.t("list.comma"))
}

func (c *Console) workflow(v *visit) error {
	newest, err := c.Engine.Workflow(v.g.Param("workflow"))
	if err != nil {
		return err
	}
	w := newest
	if s := v.g.Query("version"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return &engine.Error{Kind: engine.NotFound, Key: "workflow.no_version", Args: map[string]any{"id": newest.ID, "version": s}}
		}
		if w, err = c.Engine.Version(v.ctx, newest.ID, n); err != nil {
			return err
		}
	}
	view := workflowView{Current: newest.Version, workflowItem: c.workflowItem(v, w), Diagram: c.diagram(v, w), Graph: c.Graph(w, v.lang)}
	for i, s := range w.Stages {
		row := stageRow{Number: i + 1, Name: s.Name.In(v.lang), Limit: v.limit(s.Limit)}
		var acts, back []string
		for _, a := range s.Acts {
			acts = append(acts, v.t("do."+string(a)))
		}
		for _, id := range s.ReturnTo {
			back = append(back, w.StageName(id).In(v.lang))
		}
		row.Acts, row.ReturnTo = strings.Join(acts, v.t("list.comma")), strings.Join(back, v.t("list.comma"))
		view.StageRows = append(view.StageRows, row)
	}
	for _, t := range w.Transitions {
		view.Transitions = append(view.Transitions, c.transitionRow(v, w, t))
	}
	for _, f := range w.Fields {
		view.Fields = append(view.Fields, pair{f.Name.In(v.lang), f.Hint.In(v.lang)})
	}
	for _, m := range w.Materials {
		view.Materials = append(view.Materials, m.Name.In(v.lang))
	}
	for _, t := range w.Timers {
		view.Timers = append(view.Timers, v.timerRow(w, t))
	}
	for _, l := range []struct {
		name string
		engine.Threshold
	}{{"yellow", w.Lights.Yellow}, {"orange", w.Lights.Orange}, {"red", w.Lights.Red}} {
		var when []string
		if l.Left > 0 {
			when = append(when, v.t("console.lights.left", "n", l.Left))
		}
		if l.Behind > 0 {
			when = append(when, v.t("console.lights.behind", "n", l.Behind))
		}
		if l.name == "red" {
			when = append([]string{v.t("console.lights.overdue")}, when...)
		}
		if len(when) > 0 {
			view.Lights = append(view.Lights, v.t("console.light."+l.name)+v.t("list.colon")+strings.Join(when, v.t("console.or")))
		}
	}
	if e := w.Extension; e.Max > 0 {
		view.Extension = append(view.Extension, v.t("console.extension.rule", "n", e.Max, "months", e.Months))
		for i, s := range e.Approve {
			view.Extension = append(view.Extension, v.t("console.extension.nth", "n", i+1, "roles", v.roleNames(s.Roles)))
		}
	}
	view.Simulation = c.simulate(v, w)
	if err := c.versions(v, &view); err != nil {
		return err
	}
	return c.render(v, http.StatusOK, "workflow", view.Name, view)
}

func (v *visit) limit(l engine.Limit) string {
	switch {
	case l.UntilDeadline:
		return v.t("workflow.graph.until_deadline")
	case l.Workdays > 0:
		return v.t("workflow.graph.workdays", "n", l.Workdays)
	}
	return "—"
}

func (c *Console) transitionRow(v *visit, w *engine.Workflow, t engine.Transition) transitionRow {
	row := transitionRow{Name: t.Name.In(v.lang), To: w.StageName(t.To).In(v.lang), Who: v.roleNames(t.Submit), Approve: v.approvals(t.Approve)}
	if t.To == engine.Previous {
		row.To = v.t("workflow.graph.previous")
	}
	if t.Trigger != engine.OnSubmit {
		row.Who = v.t("workflow.graph.trigger." + string(t.Trigger))
	}
	working := 0
	for _, s := range w.Stages {
		if slices.Contains(t.From, s.ID) {
			working++
		}
	}
	if working == len(w.Stages) && working > 1 {
		row.From = v.t("workflow.graph.any_stage")
	} else {
		var from []string
		for _, id := range t.From {
			from = append(from, w.StageName(id).In(v.lang))
		}
		row.From = strings.Join(from, v.t("list.comma"))
	}
	for _, r := range t.Require {
		name := r.Name.In(v.lang)
		if name == "" {
			name = r.Message.In(v.lang)
		}
		row.Require = append(row.Require, requirementRow{name, r.Rule})
	}
	return row
}

// approvals writes whose yes is needed: an arrow between steps in order, a plus between those asked together.
func (v *visit) approvals(a engine.Approvals) string {
	var out []string
	for _, s := range a.Steps {
		text := v.roleNames(s.Roles)
		if s.At != engine.Anywhere {
			text = v.t("workflow.graph.at."+string(s.At), "roles", text)
		}
		if s.Count > 1 {
			text += fmt.Sprintf(" ×%d", s.Count)
		}
		out = append(out, text)
	}
	if a.InOrder {
		return strings.Join(out, " → ")
	}
	return strings.Join(out, " + ")
}

func (v *visit) timerRow(w *engine.Workflow, t engine.Timer) timerRow {
	row := timerRow{Rung: t.Rung.In(v.lang), To: v.roleNames(t.To), Stage: v.t("workflow.graph.any_stage")}
	if t.Stage != "" {
		row.Stage = w.StageName(t.Stage).In(v.lang)
	}
	n, unit := t.Offset.Workdays, "workdays"
	if n == 0 {
		n, unit = t.Offset.Days, "days"
	}
	switch {
	case n < 0:
		row.When = v.t("console.timer.before."+unit, "n", -n, "anchor", v.t("console.anchor."+string(t.Anchor)))
	case n > 0:
		row.When = v.t("console.timer.after."+unit, "n", n, "anchor", v.t("console.anchor."+string(t.Anchor)))
	default:
		row.When = v.t("console.anchor." + string(t.Anchor))
	}
	if t.When != nil {
		row.Rule = t.When.Rule
	}
	return row
}

// simulate runs the engine's own simulation for the days of the address: the same as `bihuan simulate`.
func (c *Console) simulate(v *visit, w *engine.Workflow) simulation {
	today := c.today()
	start, deadline := today, today.AddDays(60)
	out := simulation{}
	for _, x := range []struct {
		name string
		d    *calendar.Date
	}{{"start", &start}, {"deadline", &deadline}} {
		if s := v.g.Query(x.name); s != "" {
			d, err := calendar.ParseDate(s)
			if err != nil {
				out.Error = v.t("api.date")
				continue
			}
			*x.d = d
		}
	}
	out.Start, out.Deadline = start.String(), deadline.String()
	if out.Error != "" {
		return out
	}
	list, err := engine.Simulate(w, c.Engine.Working(), c.Engine.Site, start, deadline)
	if err != nil {
		out.Error = asError(err).In(v.lang)
		return out
	}
	for _, o := range list {
		x := c.comingView(v, o, w)
		at := o.At.In(c.Engine.Site.Location)
		out.Unknown = out.Unknown || o.Unknown
		out.Rows = append(out.Rows, simulationRow{At: at.Format("2006-01-02 15:04"), Weekday: v.t(fmt.Sprintf("console.weekday.%d", at.Weekday())),
			What: x.What, To: x.To, Class: x.Class, Stage: w.StageName(o.Stage).In(v.lang), Unknown: o.Unknown})
	}
	return out
}
