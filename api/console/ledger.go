package console

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
)

// ledgerView is the 台账.
type ledgerView struct {
	Sub        string
	Views      []viewTab
	Counts     string // address of the tabs with their numbers, fetched after the page
	Text       string
	Keep       []field // what the address says beyond the controls
	Kinds      []choice
	Units      []choice
	Stages     []choice
	Lights     []lightChip
	Mine       bool
	Overdue    bool
	Conditions []condition // filters that no control shows
	Clear      string      // address without filters, "" when there are none
	Columns    []column
	Wide       bool // so many columns that the table scrolls
	Rows       []ledgerRow
	Pick       bool // rows can be picked for a batch
	Shown      int
	Prev, Next string    // addresses of the neighbouring pages
	First      string    // address of the first page, "" on it
	Sizes      []viewTab // other lengths of a page, where there is more than one page
	Exports    []exportLink
	Choose     columnForm
	Save       *saveForm // nil where views cannot be saved
	Print      string    // what a printed page says of its filters
	Empty      *emptyView
}

type lightChip struct {
	Value string
	Light lightView
	On    bool
}

// columnForm is the choice of columns.
type columnForm struct {
	Back    string
	Columns []choice
}

// saveForm saves the present filters as a view, or removes one.
type saveForm struct {
	Name, Query, Error string
	Own                []string // names of the person's views
}

// exportLink is a file of exactly what is shown.
type exportLink struct{ Href, Title string }

// ledgerRow is a project as the ledger shows it.
type ledgerRow struct {
	ID, Number, Title string
	Version           int64
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
	Approve, Urge     bool // the person may, now
	Cells             []cell
}

// How many rows a page shows, unless the address says otherwise, and what it offers.
const ledgerPage = 50

var pageSizes = []int{50, 100, 200}

func (c *Console) ledger(v *visit) error {
	f, err := c.ledgerFilter(v, v.g.Request.URL.Query())
	if err != nil {
		return err
	}
	return c.showLedger(v, f, http.StatusOK, nil)
}

// showLedger answers with the page; refused is a view that could not be saved.
func (c *Console) showLedger(v *visit, f ledgerFilter, status int, refused *saveForm) error {
	page, err := c.Engine.List(v.ctx, v.actor, f.Filter)
	if err != nil {
		return err
	}
	view := ledgerView{Text: f.Text, Mine: f.mine, Overdue: f.Overdue != nil && *f.Overdue, Sub: v.t("console.ledger.sub"),
		Shown: len(page.Items), Counts: f.address("/ledger/counts"), Columns: c.headings(v, f), Wide: len(f.columns) > len(usualColumns),
		Conditions: c.conditions(v, f, false)}
	if view.Views, err = c.viewTabs(v, f, nil); err != nil {
		return err
	}
	for i := range page.Items {
		p := &page.Items[i]
		row, err := c.ledgerRow(v, p)
		if err != nil {
			return err
		}
		if row.Approve, row.Urge, err = c.batchable(v, p); err != nil {
			return err
		}
		view.Pick = view.Pick || row.Approve || row.Urge
		row.Cells = c.cells(v, f, p, &row)
		view.Rows = append(view.Rows, row)
	}
	if page.Next != "" {
		view.Next = f.address("/ledger", "after", page.Next)
	}
	if page.Prev != "" {
		view.Prev = f.address("/ledger", "after", page.Prev)
	}
	if f.After != "" {
		view.First = f.address("/ledger")
	}
	if page.Next != "" || f.After != "" {
		for _, n := range pageSizes {
			view.Sizes = append(view.Sizes, viewTab{Href: f.address("/ledger", "rows", strconv.Itoa(n)), Title: strconv.Itoa(n), Current: f.Limit == n})
		}
	}
	if err := c.ledgerChoices(v, f, &view); err != nil {
		return err
	}
	c.ledgerForms(v, f, refused, &view)
	if len(view.Rows) == 0 {
		view.Empty = c.ledgerEmpty(v, f, view.Clear)
	}
	return c.render(v, status, "ledger", v.t("console.nav.ledger"), view)
}

// ledgerForms fills what is done with the page: exports, the choice of columns, saving it as a view, printing.
func (c *Console) ledgerForms(v *visit, f ledgerFilter, refused *saveForm, view *ledgerView) {
	columns := strings.Join(f.columns, ".")
	view.Exports = append(view.Exports, exportLink{f.address("/ledger/export.xlsx", "cols", ""), v.t("console.export.ledger")})
	for _, format := range exportFormats {
		view.Exports = append(view.Exports, exportLink{f.address("/ledger."+format, "cols", columns), v.t("console.export." + format)})
	}
	view.Choose.Back = f.address("/ledger", "cols", "")
	for _, col := range ledgerColumns {
		if col.id != "title" {
			view.Choose.Columns = append(view.Choose.Columns, choice{col.id, v.t(col.title), slices.Contains(f.columns, col.id)})
		}
	}
	if c.Views != nil {
		view.Save = refused
		if view.Save == nil {
			view.Save = &saveForm{}
		}
		view.Save.Query = f.query.Encode()
		for _, tab := range view.Views {
			if tab.Own {
				view.Save.Own = append(view.Save.Own, tab.Title)
			}
		}
	}
	what := v.t("console.view." + f.view)
	if words := c.filterWords(v, f); words != "" {
		what += " · " + words
	}
	view.Print = v.t("console.ledger.print", "what", what, "at", c.moment(c.Now()))
	shown := []string{"q", "kind", "unit", "stage", "light", "mine", "overdue"}
	if len(f.query["stage"]) > 1 { // no control can show them
		shown = slices.DeleteFunc(shown, func(s string) bool { return s == "stage" })
	}
	for _, name := range slices.Sorted(maps.Keys(f.query)) {
		if slices.Contains(shown, name) && (name != "overdue" || view.Overdue) {
			continue
		}
		for _, value := range f.query[name] {
			view.Keep = append(view.Keep, field{Name: name, Value: value})
		}
	}
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
	case f.view == "list":
		return &emptyView{Title: v.t("console.ledger.none_here"), Why: v.t("console.ledger.none_on_list", "list", f.List), Href: "/ledger", Do: v.t("console.view.open")}
	case f.view != "all":
		return &emptyView{Title: v.t("console.ledger.none_here"), Why: v.t("console.ledger.none_here_why"), Href: "/ledger?view=all", Do: v.t("console.view.all")}
	}
	return &emptyView{Title: v.t("console.ledger.none"), Why: v.t("console.ledger.none_why"), Href: "/workflows", Do: v.t("console.nav.workflows")}
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
			view.Stages = append(view.Stages, choice{string(id), name, len(f.query["stage"]) == 1 && slices.Contains(f.query["stage"], string(id))})
		}
	}
	orange := false
	kinds, err := c.shownKinds(v)
	if err != nil {
		return err
	}
	for _, w := range kinds {
		view.Kinds = append(view.Kinds, choice{w.ID, w.Name.In(v.lang), f.Kind == w.ID})
		orange = orange || w.Lights.Orange.Left > 0 || w.Lights.Orange.Behind > 0
		for _, s := range w.Stages {
			stage(s.ID, s.Name.In(v.lang))
		}
	}
	for _, id := range []engine.StageID{engine.Shelved, engine.Closed, engine.Cancelled} {
		stage(id, v.t("console.light."+string(id)))
	}
	for _, l := range []engine.Light{engine.Red, engine.Orange, engine.Yellow, engine.Green, engine.NoLight} {
		on := slices.Contains(f.query["light"], string(l))
		if !on && (l == engine.Orange && !orange || l == engine.NoLight) {
			continue
		}
		view.Lights = append(view.Lights, lightChip{string(l), lightView{Class: lightClass[l], Text: v.t("console.light." + string(l))}, on})
	}
	if f.filtered() {
		view.Clear = "/ledger"
		if s := f.query.Get("view"); s != "" {
			view.Clear += "?view=" + s
		}
	}
	return nil
}

// ledgerRow shows a project in one line.
func (c *Console) ledgerRow(v *visit, p *engine.Project) (ledgerRow, error) {
	w, err := c.Engine.Pinned(v.ctx, p)
	if err != nil {
		return ledgerRow{}, err
	}
	now := c.Now()
	light := v.lightOf(p, now)
	row := ledgerRow{ID: string(p.ID), Number: p.Number, Title: p.Title, Version: p.Version, Kind: w.Name.In(v.lang), Unit: c.names.unit(v, p.UnitID),
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
