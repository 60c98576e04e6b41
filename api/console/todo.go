package console

import (
	"net/http"
	"net/url"
	"slices"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// todoView is 我的待办: what waits for me, then my own items by urgency.
type todoView struct {
	Sub       string
	Approvals []approvalRow
	Others    []todoRow // to verify, to acknowledge
	Mine      []todoRow
	Recent    []recentRow // what the person decided lately
	More      bool        // there are more than are shown; the ledger has them all
	Empty     *emptyView
}

// recentRow is something that the person decided.
type recentRow struct {
	Project, Number, Title, Action, At, Note string
	Returned                                 bool
}

// approvalRow is a request that this person can answer without leaving the page.
type approvalRow struct {
	ID, Project, Number, Title string
	Unit                       string
	Light                      lightView
	Pending                    pending
	Gate                       string // 条件 6/6 齐全
	Complete                   bool
	Checks                     []criterion // what the definition asks for, met and not
	Unmet                      []string    // what else stands against it
	Extra                      []string    // what else an approver should know
	Evidence                   []evidenceView
	Criteria, Grades           field // to be confirmed and to be chosen from with a yes; without choices: none
	Version                    int64
	Note                       string // as typed
	Error                      string
}

// criterion is a requirement, met or not.
type criterion struct {
	Met  bool
	Text string
}

// todoRow is an item that waits for something else.
type todoRow struct {
	ID, Number, Title, Why, Do string
	Href                       string
	Version                    int64
	Acknowledge                bool // can be done at once
	Error                      string
	Light                      lightView
	Due                        dueView
	Dots                       dotsView
}

// shownTasks bounds how many of each sort a page shows.
const shownTasks = 30

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
	approvals, mine, others := 0, 0, 0
	for i := range tasks {
		p := &tasks[i].Project
		n := map[string]*int{"approve": &approvals, "own": &mine}[tasks[i].Why]
		if n == nil {
			n = &others
		}
		if *n++; *n > shownTasks {
			continue
		}
		switch tasks[i].Why {
		case "approve":
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
				view.Mine = append(view.Mine, row)
			} else {
				view.Others = append(view.Others, row)
			}
		}
	}
	// Red before yellow before green; the deadline decides among equals.
	view.More = approvals > shownTasks || mine > shownTasks || others > shownTasks
	if view.Recent, err = c.recent(v); err != nil {
		return view, err
	}
	slices.SortStableFunc(view.Mine, func(a, b todoRow) int { return lightRank[a.Light.Class] - lightRank[b.Light.Class] })
	view.Sub = v.t("console.todo.sub", "name", v.user.Name, "approvals", approvals, "others", others, "mine", mine)
	if len(tasks) == 0 && len(view.Recent) == 0 {
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
	row.Version = p.Version
	act := why
	if why == "own" { // the one thing that an owner does most
		options, err := c.Engine.Explain(v.ctx, v.actor, p)
		if err != nil {
			return row, err
		}
		act = ""
		if slices.ContainsFunc(options, func(o engine.Option) bool { return o.Act == "report" && o.Allowed }) {
			act = "report"
		}
	}
	row.Acknowledge = act == "acknowledge"
	if act != "" {
		row.Do, row.Href = v.t("do."+act), row.Href+"?open="+act+"#do-"+act
	}
	return row, nil
}

// recent are the last things that the person decided, newest first.
func (c *Console) recent(v *visit) ([]recentRow, error) {
	const shown = 6
	page, err := c.Engine.Trail(v.ctx, v.actor, engine.EntryFilter{Actor: v.user.ID, Actions: []string{"approve", "return", "verify", "acknowledge"}, Limit: shown})
	if err != nil {
		return nil, err
	}
	var out []recentRow
	for i := range page.Items {
		e := &page.Items[i]
		p, err := c.Engine.Project(v.ctx, v.actor, engine.ProjectID(e.SubjectID()))
		if engine.KindOf(err) == engine.NotFound {
			continue // it is not theirs to see any more
		}
		if err != nil {
			return nil, err
		}
		out = append(out, recentRow{Project: string(p.ID), Number: p.Number, Title: p.Title, Action: v.actionName(e.Action), At: c.moment(e.At), Note: e.Note,
			Returned: e.Action == "return"})
	}
	return out, nil
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
		row.Criteria = field{ID: row.ID + "-criteria", Name: "criteria", Kind: "people", Label: v.t("console.field.criteria"), Choices: v.choicesOf(o.Criteria)}
		row.Grades = field{ID: row.ID + "-grade", Name: "grade", Kind: "select", Label: v.t("console.field.grade")}
		if len(o.Grades) > 0 {
			row.Grades.Choices = append([]choice{{"", v.t("console.choose"), false}}, v.choicesOf(o.Grades)...)
		}
		met, all := 0, 0
		for _, r := range o.Reasons {
			if !required(r) {
				if !r.Met { // such as a date that has passed while it waited
					row.Unmet = append(row.Unmet, r.In(v.lang))
				}
				continue
			}
			all++
			row.Checks = append(row.Checks, criterion{r.Met, r.In(v.lang)})
			if r.Met {
				met++
			}
		}
		if all > 0 {
			row.Complete = met == all
			row.Gate = v.t("console.todo.gate", "met", met, "all", all)
		}
	}
	if p.Request != nil {
		if n, _ := c.Engine.Working().Workdays(calendar.DateOf(p.Request.At, c.Engine.Site.Location).AddDays(1), c.today()); n > 0 {
			row.Extra = append(row.Extra, v.t("console.todo.waited", "n", n))
		}
		if p.Request.Kind == engine.RequestExtension {
			row.Extra = append(row.Extra, v.t("console.todo.first_deadline", "date", p.OriginalDeadline))
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
	if row.Evidence, err = c.evidenceViews(v, p, w); err != nil {
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
	if act != "approve" && act != "return" && act != "acknowledge" {
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
	if act == "acknowledge" {
		return c.fragment(v, http.StatusOK, "todo", "done-li", decidedView{ID: "o-" + string(p.ID), Project: string(p.ID), Number: p.Number, Title: p.Title, Text: v.t("console.done." + act)})
	}
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
	if act == "acknowledge" {
		return err // there is nothing typed to lose
	}
	if v.partial() && p.Request != nil {
		row, rowErr := c.approvalRow(v, p)
		if rowErr != nil {
			return rowErr
		}
		row.keep(x, e.In(v.lang))
		return c.fragment(v, statuses[kind], "todo", "approval", row)
	}
	view, viewErr := c.todoView(v)
	if viewErr != nil {
		return viewErr
	}
	for i := range view.Approvals {
		if view.Approvals[i].Project == string(p.ID) {
			view.Approvals[i].keep(x, e.In(v.lang))
			return c.render(v, statuses[kind], "todo", v.t("console.nav.todo"), view)
		}
	}
	return err
}

// keep shows again what was typed with an answer that was refused.
func (row *approvalRow) keep(x url.Values, why string) {
	f := form{Fields: []field{row.Criteria, row.Grades}}
	f.keep(x)
	row.Criteria, row.Grades = f.Fields[0], f.Fields[1]
	row.Note, row.Error = x.Get("note"), why
}
