package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bihuan/engine"
)

// ledgerView is the 台账.
type ledgerView struct {
	Sub     string
	Views   []viewTab
	Counts  string // address of the tabs with their numbers, fetched after the page
	Text    string
	View    string
	Sort    string
	Kinds   []choice
	Units   []choice
	Stages  []choice
	Lights  []lightChip
	Mine    bool
	Clear   string // address without filters, "" when there are none
	Columns []column
	Rows    []ledgerRow
	Shown   int
	More    string // address of the next page
	First   string // address of the first page, "" on it
	CSV     string
	Empty   *emptyView
}

// viewTab is a standing view of the ledger.
type viewTab struct {
	Href, Title string
	Count       string // "" where it is not known yet
	Current     bool
}

type lightChip struct {
	Value string
	Light lightView
	On    bool
}

// column is a heading; Href sorts by it.
type column struct {
	Title, Href, Class string
	Sorted             bool
}

// ledgerRow is a project as the ledger shows it.
type ledgerRow struct {
	ID, Number, Title string
	Kind              string
	Unit, Owner       string
	Light             lightView
	Dots              dotsView
	Progress          progressView
	Due               dueView
	Reported          string
	Rating            string
	Pending           bool // waits for an approval
	EverOverdue       bool
	Extensions        int
}

// ledgerFilter is what the address says.
type ledgerFilter struct {
	engine.Filter
	view  string
	mine  bool
	query url.Values // the address, without what it does not understand
}

// views are the standing views, each a filter.
var views = []string{"open", "alarm", "waiting", "closed", "all"}

// ledgerFilter reads the address. What it does not understand it refuses, so that a mistyped filter never passes
// for "everything".
func (c *Console) ledgerFilter(v *visit) (ledgerFilter, error) {
	q := v.g.Request.URL.Query()
	f := ledgerFilter{view: "open", query: url.Values{}}
	f.Sort, f.After = engine.Sort(q.Get("sort")), q.Get("after")
	keep := func(name string, values ...string) {
		for _, s := range values {
			if s != "" {
				f.query.Add(name, s)
			}
		}
	}
	if s := q.Get("view"); s != "" {
		if !slices.Contains(views, s) {
			return f, invalid("view", "console.ledger.bad_filter")
		}
		f.view = s
	}
	if f.Sort == "" && f.view != "closed" && f.view != "all" {
		f.Sort = engine.ByDeadline
	}
	f.Text = strings.TrimSpace(q.Get("q"))
	f.Kind, f.Unit, f.List = q.Get("kind"), engine.UnitID(q.Get("unit")), q.Get("list")
	for _, s := range q["stage"] {
		if s != "" {
			f.Stage = append(f.Stage, engine.StageID(s))
		}
	}
	for _, s := range q["light"] {
		l := engine.Light(s)
		if lightClass[l] == "" {
			return f, invalid("light", "console.ledger.bad_filter")
		}
		f.Light = append(f.Light, l)
	}
	if q.Get("mine") == "1" {
		f.mine, f.Owner = true, v.user.ID
	}
	if q.Get("overdue") == "1" {
		yes := true
		f.Overdue = &yes
	}
	keep("view", q.Get("view"))
	keep("overdue", q.Get("overdue"))
	keep("q", f.Text)
	keep("kind", f.Kind)
	keep("unit", string(f.Unit))
	keep("list", f.List)
	keep("stage", q["stage"]...)
	keep("light", q["light"]...)
	keep("mine", q.Get("mine"))
	keep("sort", q.Get("sort"))
	switch f.view {
	case "open":
		f.Open = true
	case "alarm":
		f.Open = true
		if len(f.Light) == 0 {
			f.Light = []engine.Light{engine.Red, engine.Orange, engine.Yellow}
		}
	case "waiting":
		f.Waiting = v.roles()
	case "closed":
		if len(f.Stage) == 0 {
			f.Stage = []engine.StageID{engine.Closed}
		}
	}
	return f, nil
}

// roles are what a person could be waited for as; somebody without a grant is only ever an owner.
func (v *visit) roles() []engine.Role {
	out := []engine.Role{}
	for _, g := range v.actor.Grants {
		if !slices.Contains(out, g.Role) {
			out = append(out, g.Role)
		}
	}
	if len(out) == 0 {
		out = append(out, engine.Owner)
	}
	return out
}

// address is the ledger's address with some of the filters changed; "" removes one.
func (f ledgerFilter) address(path string, changes ...string) string {
	q := url.Values{}
	for k, s := range f.query {
		q[k] = s
	}
	for i := 0; i+1 < len(changes); i += 2 {
		q.Del(changes[i])
		if changes[i+1] != "" {
			q.Set(changes[i], changes[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

const ledgerPage = 50

func (c *Console) ledger(v *visit) error {
	f, err := c.ledgerFilter(v)
	if err != nil {
		return err
	}
	f.Limit = ledgerPage
	page, err := c.Engine.List(v.ctx, v.actor, f.Filter)
	if err != nil {
		return err
	}
	view := ledgerView{Text: f.Text, View: f.query.Get("view"), Sort: f.query.Get("sort"), Mine: f.mine, Sub: v.t("console.ledger.sub"),
		Shown: len(page.Items), CSV: f.address("/ledger.csv"), Counts: f.address("/ledger/counts"), Views: c.viewTabs(v, f, nil)}
	for i := range page.Items {
		row, err := c.ledgerRow(v, &page.Items[i])
		if err != nil {
			return err
		}
		view.Rows = append(view.Rows, row)
	}
	if page.Next != "" {
		view.More = f.address("/ledger", "after", page.Next)
	}
	if f.After != "" {
		view.First = f.address("/ledger")
	}
	if err := c.ledgerChoices(v, f, &view); err != nil {
		return err
	}
	for _, col := range []struct{ title, sort, class string }{
		{"console.col.light", "", "cw82"}, {"console.col.number", "newest", "cw106 hide-s"}, {"console.col.title", "", ""},
		{"console.col.unit", "", "cw208"}, {"console.col.stage", "", "cw138"}, {"console.col.progress", "", "cw112"},
		{"console.col.deadline", "deadline", "cw138"}, {"console.col.reported", "updated", "cw62 hide-s"}, {"console.col.rating", "", "cw70 r hide-s"},
	} {
		x := column{Title: v.t(col.title), Class: col.class}
		if col.sort != "" {
			x.Href, x.Sorted = f.address("/ledger", "sort", col.sort), string(f.Sort) == col.sort || f.Sort == "" && col.sort == "newest"
		}
		view.Columns = append(view.Columns, x)
	}
	if len(view.Rows) == 0 {
		view.Empty = c.ledgerEmpty(v, f, view.Clear)
	}
	return c.render(v, http.StatusOK, "ledger", v.t("console.nav.ledger"), view)
}

// ledgerEmpty says why nothing is shown and names the filters.
func (c *Console) ledgerEmpty(v *visit, f ledgerFilter, clear string) *emptyView {
	if clear != "" {
		return &emptyView{Title: v.t("console.ledger.none_found"), Why: v.t("console.ledger.none_found_why", "filters", c.filterWords(v, f)),
			Href: clear, Do: v.t("console.ledger.clear")}
	}
	switch {
	case f.view == "waiting":
		return &emptyView{Title: v.t("console.ledger.none_waiting"), Why: v.t("console.ledger.none_waiting_why"), Href: "/ledger", Do: v.t("console.view.open")}
	case f.view != "all":
		return &emptyView{Title: v.t("console.ledger.none_here"), Why: v.t("console.ledger.none_here_why"), Href: "/ledger?view=all", Do: v.t("console.view.all")}
	}
	return &emptyView{Title: v.t("console.ledger.none"), Why: v.t("console.ledger.none_why"), Href: "/workflows", Do: v.t("console.nav.workflows")}
}

// filterWords names the filters that are set, for people.
func (c *Console) filterWords(v *visit, f ledgerFilter) string {
	var words []string
	if f.Text != "" {
		words = append(words, "“"+f.Text+"”")
	}
	if f.Unit != "" {
		words = append(words, c.names.unit(v, f.Unit))
	}
	for _, name := range f.query["stage"] {
		words = append(words, v.t("console.col.stage")+" "+c.stageName(v, engine.StageID(name)))
	}
	for _, l := range f.query["light"] {
		words = append(words, v.t("console.light."+l))
	}
	if f.Kind != "" {
		words = append(words, f.Kind)
	}
	if f.List != "" {
		words = append(words, f.List)
	}
	if f.Overdue != nil {
		words = append(words, v.t("console.col.overdue"))
	}
	if f.mine {
		words = append(words, v.t("console.ledger.mine"))
	}
	return strings.Join(words, v.t("list.comma"))
}

// stageName names a stage in the words of whichever workflow has it.
func (c *Console) stageName(v *visit, id engine.StageID) string {
	for _, w := range c.workflowsByID() {
		if s := w.StageName(id).In(v.lang); s != "" {
			return s
		}
	}
	return string(id)
}

// workflowsByID are the published workflows in a steady order.
func (c *Console) workflowsByID() []*engine.Workflow {
	list := c.Engine.Workflows()
	slices.SortFunc(list, func(a, b *engine.Workflow) int {
		if a.ID == "shishi" || b.ID == "shishi" { // the common kind first
			if a.ID == b.ID {
				return 0
			}
			if a.ID == "shishi" {
				return -1
			}
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// ledgerChoices fills the controls above the table.
func (c *Console) ledgerChoices(v *visit, f ledgerFilter, view *ledgerView) error {
	var err error
	if view.Units, err = c.unitChoices(v, f.Unit); err != nil {
		return err
	}
	seen := map[engine.StageID]bool{}
	stage := func(id engine.StageID, name string) {
		if !seen[id] {
			seen[id] = true
			view.Stages = append(view.Stages, choice{string(id), name, slices.Contains(f.query["stage"], string(id))})
		}
	}
	orange := false
	for _, w := range c.workflowsByID() {
		view.Kinds = append(view.Kinds, choice{w.ID, w.Name.In(v.lang), f.Kind == w.ID})
		orange = orange || w.Lights.Orange.Left > 0 || w.Lights.Orange.Behind > 0
		for _, s := range w.Stages {
			stage(s.ID, s.Name.In(v.lang))
		}
	}
	for _, id := range []engine.StageID{engine.Shelved, engine.Closed, engine.Cancelled} {
		stage(id, v.t("console.light."+string(id)))
	}
	for _, l := range []engine.Light{engine.Red, engine.Orange, engine.Yellow, engine.Green} {
		if l == engine.Orange && !orange {
			continue
		}
		view.Lights = append(view.Lights, lightChip{string(l), lightView{Class: lightClass[l], Text: v.t("console.light." + string(l))},
			slices.Contains(f.query["light"], string(l))})
	}
	if f.Text != "" || f.Kind != "" || f.Unit != "" || f.List != "" || f.mine || f.Overdue != nil || f.query.Has("stage") || f.query.Has("light") {
		view.Clear = "/ledger"
		if s := f.query.Get("view"); s != "" {
			view.Clear += "?view=" + s
		}
	}
	return nil
}

// viewTabs are the standing views; counts is nil while the numbers are not known.
func (c *Console) viewTabs(v *visit, f ledgerFilter, counts map[string]int) []viewTab {
	var out []viewTab
	for _, name := range views {
		tab := viewTab{Href: f.address("/ledger", "view", name, "sort", ""), Title: v.t("console.view." + name), Current: f.view == name}
		if name == "open" {
			tab.Href = f.address("/ledger", "view", "", "sort", "")
		}
		if n, ok := counts[name]; ok {
			tab.Count = v.t("console.number", "n", n)
		}
		out = append(out, tab)
	}
	return out
}

// ledgerCounts answers with the tabs and their numbers. It is fetched after the page, because counting a large
// ledger takes longer than showing a part of it.
func (c *Console) ledgerCounts(v *visit) error {
	f, err := c.ledgerFilter(v)
	if err != nil {
		return err
	}
	plain := f.Filter
	plain.Open, plain.Waiting, plain.After = false, nil, ""
	if f.view == "alarm" && !f.query.Has("light") {
		plain.Light = nil
	}
	if f.view == "closed" && !f.query.Has("stage") {
		plain.Stage = nil
	}
	n, err := c.Engine.Counts(v.ctx, v.actor, plain)
	if err != nil {
		return err
	}
	plain.Waiting = v.roles()
	waiting, err := c.Engine.Counts(v.ctx, v.actor, plain)
	if err != nil {
		return err
	}
	tabs := c.viewTabs(v, f, map[string]int{"all": n.Total, "open": n.Total - n.ByStage[engine.Closed] - n.ByStage[engine.Cancelled],
		"alarm": n.ByLight[engine.Red] + n.ByLight[engine.Orange] + n.ByLight[engine.Yellow], "closed": n.ByStage[engine.Closed], "waiting": waiting.Total})
	return c.fragment(v, http.StatusOK, "ledger", "views", ledgerView{Views: tabs})
}

// ledgerRow shows a project in one line.
func (c *Console) ledgerRow(v *visit, p *engine.Project) (ledgerRow, error) {
	w, err := c.Engine.Pinned(v.ctx, p)
	if err != nil {
		return ledgerRow{}, err
	}
	now := c.Now()
	light := v.lightOf(p, now)
	row := ledgerRow{ID: string(p.ID), Number: p.Number, Title: p.Title, Kind: w.Name.In(v.lang), Unit: c.names.unit(v, p.UnitID),
		Owner: c.names.user(v, p.Owner), Light: light, Dots: v.dotsOf(w, p, light.Class), Pending: p.Request != nil,
		Progress: v.progressOf(p, light.Class, now, c.Engine.Site.Location), Due: c.dueOf(v, p, light.Class, c.today()),
		Reported: "—", Rating: rate(p.Survey), EverOverdue: p.EverOverdue, Extensions: p.Extensions}
	if p.ReportedAt != nil {
		row.Reported = c.day(*p.ReportedAt)
	}
	return row, nil
}

// rate is the share of votes that are at least 基本满意.
func rate(s *engine.Survey) string {
	n := s.Votes()
	if n == 0 {
		return "—"
	}
	return percent(s.VerySatisfied+s.Satisfied+s.Basic, n)
}
