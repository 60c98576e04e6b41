package console

import (
	"net/http"
	"slices"

	"bihuan/engine"
)

// todoView is 我的待办: what waits for me, then my own items by urgency.
type todoView struct {
	Sub       string
	Approvals []approvalRow
	Others    []todoRow // to verify, to acknowledge
	Mine      []todoRow
	Empty     *emptyView
}

// approvalRow is a request that this person can answer without leaving the page.
type approvalRow struct {
	ID, Project, Number, Title string
	Unit                       string
	Light                      lightView
	Pending                    pending
	Gate                       string // 条件 6/6 齐全
	Complete                   bool
	Unmet                      []string
	Extra                      []string // what else an approver should know
	Evidence                   []evidenceView
	Version                    int64
	Note                       string // as typed
	Error                      string
}

// todoRow is an item that waits for something else.
type todoRow struct {
	ID, Number, Title, Why, Do string
	Href                       string
	Light                      lightView
	Due                        dueView
	Dots                       dotsView
}

// shownTasks bounds how many of each sort a page shows.
const shownTasks = 50

func (c *Console) todo(v *visit) error {
	view, err := c.todoView(v)
	if err != nil {
		return err
	}
	return c.render(v, http.StatusOK, "todo", v.t("console.nav.todo"), view)
}

func (c *Console) todoView(v *visit) (todoView, error) {
	var view todoView
	tasks, err := c.Engine.Todo(v.ctx, v.actor)
	if err != nil {
		return view, err
	}
	approvals, mine := 0, 0
	for i := range tasks {
		p := &tasks[i].Project
		switch tasks[i].Why {
		case "approve":
			if approvals++; approvals > shownTasks {
				continue
			}
			row, err := c.approvalRow(v, p)
			if err != nil {
				return view, err
			}
			view.Approvals = append(view.Approvals, row)
		default:
			row, err := c.todoRow(v, p, tasks[i].Why)
			if err != nil {
				return view, err
			}
			if tasks[i].Why == "own" {
				if mine++; mine <= shownTasks {
					view.Mine = append(view.Mine, row)
				}
			} else if len(view.Others) < shownTasks {
				view.Others = append(view.Others, row)
			}
		}
	}
	// Red before yellow before green; the deadline decides among equals.
	slices.SortStableFunc(view.Mine, func(a, b todoRow) int { return lightRank[a.Light.Class] - lightRank[b.Light.Class] })
	view.Sub = v.t("console.todo.sub", "name", v.user.Name, "approvals", approvals, "others", len(view.Others), "mine", mine)
	if len(tasks) == 0 {
		view.Empty = &emptyView{Title: v.t("console.todo.none"), Why: v.t("console.todo.none_why"), Href: "/ledger", Do: v.t("console.nav.ledger")}
	}
	return view, nil
}

var lightRank = map[string]int{"r": 0, "o": 1, "y": 2, "g": 3, "n": 4, "h": 5, "d": 6}

func (c *Console) todoRow(v *visit, p *engine.Project, why string) (todoRow, error) {
	w, err := c.Engine.Pinned(v.ctx, p)
	if err != nil {
		return todoRow{}, err
	}
	light := v.lightOf(p, c.Now())
	row := todoRow{ID: string(p.ID), Number: p.Number, Title: p.Title, Why: v.t("todo." + why), Light: light,
		Due: c.dueOf(v, p, light.Class, c.today()), Dots: v.dotsOf(w, p, light.Class), Href: "/projects/" + string(p.ID)}
	if why == "verify" || why == "acknowledge" {
		row.Do, row.Href = v.t("do."+why), row.Href+"?open="+why+"#do-"+why
	}
	return row, nil
}

// approvalRow shows a request with everything that speaks for and against it.
func (c *Console) approvalRow(v *visit, p *engine.Project) (approvalRow, error) {
	w, err := c.Engine.Pinned(v.ctx, p)
	if err != nil {
		return approvalRow{}, err
	}
	options, err := c.Engine.Explain(v.ctx, v.actor, p)
	if err != nil {
		return approvalRow{}, err
	}
	light := v.lightOf(p, c.Now())
	due := c.dueOf(v, p, light.Class, c.today())
	if due.Left != "" {
		light.Text += " · " + due.Left
	}
	light.Pill = true
	row := approvalRow{ID: "a-" + string(p.ID), Project: string(p.ID), Number: p.Number, Title: p.Title, Unit: c.names.unit(v, p.UnitID), Light: light, Version: p.Version}
	if p.Request != nil {
		row.Pending = *c.pending(v, p, w)
	}
	for _, o := range options {
		if o.Act != "approve" {
			continue
		}
		met, all := 0, 0
		for _, r := range o.Reasons {
			if !required(r) {
				continue
			}
			all++
			if r.Met {
				met++
			} else {
				row.Unmet = append(row.Unmet, r.In(v.lang))
			}
		}
		if all > 0 {
			row.Complete = met == all
			row.Gate = v.t("console.todo.gate", "met", met, "all", all)
		}
	}
	if p.Survey != nil {
		row.Extra = append(row.Extra, v.t("console.todo.rate", "rate", rate(p.Survey), "n", p.Survey.Votes()))
	}
	if p.Extensions > 0 {
		row.Extra = append(row.Extra, v.t("console.mark.extended", "n", p.Extensions))
	}
	if p.EverOverdue {
		row.Extra = append(row.Extra, v.t("console.mark.ever"))
	}
	if row.Evidence, err = c.evidenceViews(v, p); err != nil {
		return row, err
	}
	if len(row.Evidence) > 6 {
		row.Evidence = row.Evidence[:6]
	}
	return row, nil
}

// todoCount answers with how much waits for the person, for the mark in the navigation.
func (c *Console) todoCount(v *visit) error {
	tasks, err := c.Engine.Todo(v.ctx, v.actor)
	if err != nil {
		return err
	}
	n := 0
	for _, t := range tasks {
		if t.Why != "own" {
			n++
		}
	}
	return c.fragment(v, http.StatusOK, "todo", "count", n)
}

// decidedView is what stands in a row's place once it is answered.
type decidedView struct {
	ID, Project, Number, Title, Text string
	Returned                         bool
}

// decide approves or returns a request from the list. htmx gets the row back, others the page.
func (c *Console) decide(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	act := x.Get("decision")
	if act != "approve" && act != "return" {
		return invalid("decision", "field.empty")
	}
	base, err := version(x)
	if err != nil {
		return err
	}
	cmd, err := command(act, x)
	if err != nil {
		return err
	}
	if _, err := c.Engine.Do(v.ctx, v.actor, p.ID, base, cmd); err != nil {
		return c.undecided(v, &p, base, act, err)
	}
	if !v.partial() {
		v.redirect("/todo?done=" + act)
		return nil
	}
	v.g.Header("HX-Trigger", "todo-changed")
	return c.fragment(v, http.StatusOK, "todo", "decided", decidedView{ID: "a-" + string(p.ID), Project: string(p.ID), Number: p.Number, Title: p.Title,
		Text: v.t("console.done." + act), Returned: act == "return"})
}

// undecided shows why an answer was refused, with the opinion kept.
func (c *Console) undecided(v *visit, p *engine.Project, base int64, act string, err error) error {
	x := v.g.Request.PostForm
	kind := engine.KindOf(err)
	switch {
	case kind == engine.Stale || kind == engine.Conflict:
		if v.partial() { // a whole page has no place in a row
			v.g.Header("HX-Retarget", "#main")
			v.g.Header("HX-Reselect", "#main")
			v.g.Header("HX-Reswap", "outerHTML")
		}
		return c.conflict(v, p.ID, base, attempt{act: act, values: x})
	case kind != engine.Invalid && kind != engine.Blocked && kind != engine.Denied:
		return err
	}
	e := asError(err)
	if v.partial() && p.Request != nil {
		row, rowErr := c.approvalRow(v, p)
		if rowErr != nil {
			return rowErr
		}
		row.Note, row.Error = x.Get("note"), e.In(v.lang)
		return c.fragment(v, statuses[kind], "todo", "approval", row)
	}
	view, viewErr := c.todoView(v)
	if viewErr != nil {
		return viewErr
	}
	for i := range view.Approvals {
		if view.Approvals[i].Project == string(p.ID) {
			view.Approvals[i].Note, view.Approvals[i].Error = x.Get("note"), e.In(v.lang)
			return c.render(v, statuses[kind], "todo", v.t("console.nav.todo"), view)
		}
	}
	return err
}
