package console

import (
	"slices"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/workbook"
)

// ledgerColumn is a column that the ledger can show. On the page a cell may hold two facts, such as the unit with the
// owner; an export gives each a column of its own.
type ledgerColumn struct {
	id       string
	title    string // key of the heading
	up, down engine.Sort
	head     string // class of the heading: its width
	class    string // class of the cells
	label    bool   // the cell says its heading where the table becomes cards
	cell     func(r *ledgerRow) cell
	brief    func(c *Console, p *engine.Project) string                        // the text where space is scarce; nil: as exported
	exports  []string                                                          // keys of the headings in an export
	values   func(c *Console, v *visit, p *engine.Project, r *ledgerRow) []any // as workbook.Table.Row takes them
}

// cell is one of a row's cells: one of its members is set.
type cell struct {
	Class, Label string
	Text         string
	Light        *lightView
	Title        *titleCell
	Unit         *unitCell
	Dots         *dotsView
	Progress     *progressView
	Due          *dueView
}

// titleCell is a project's name with what one must know beside it.
type titleCell struct {
	ID, Title            string
	Pending, EverOverdue bool
}

type unitCell struct{ Unit, Owner string }

// one is a column whose export is what the page shows as text.
func one(id, title, head, class string, value func(c *Console, v *visit, p *engine.Project, r *ledgerRow) any) ledgerColumn {
	return ledgerColumn{id: id, title: title, head: head + " hide-s", class: class + " hide-s", exports: []string{title},
		values: func(c *Console, v *visit, p *engine.Project, r *ledgerRow) []any {
			return []any{value(c, v, p, r)}
		}}
}

// on is a column of days, shown without the year where it is this year's.
func on(id, title string, day func(p *engine.Project) *time.Time) ledgerColumn {
	x := one(id, title, "cw70", "num nw muted", func(c *Console, _ *visit, p *engine.Project, _ *ledgerRow) any { return c.dateOf(day(p)) })
	x.brief = func(c *Console, p *engine.Project) string {
		if at := day(p); at != nil {
			return c.day(*at)
		}
		return ""
	}
	return x
}

func (x ledgerColumn) sorts(up, down engine.Sort) ledgerColumn {
	x.up, x.down = up, down
	return x
}

// ledgerColumns are all columns, in their order. The title is always shown.
var ledgerColumns = []ledgerColumn{
	{id: "light", title: "console.col.light", down: engine.ByLight, head: "cw82", class: "nw k-light", label: true,
		cell: func(r *ledgerRow) cell { return cell{Light: &r.Light} }, exports: []string{"console.col.light"},
		values: func(_ *Console, _ *visit, _ *engine.Project, r *ledgerRow) []any { return []any{r.Light.Text} }},
	one("number", "console.col.number", "cw106", "mono nw", func(_ *Console, _ *visit, p *engine.Project, _ *ledgerRow) any { return p.Number }).
		sorts(engine.ByOldest, engine.ByNewest),
	one("kind", "console.col.kind", "cw82", "nw", func(_ *Console, _ *visit, _ *engine.Project, r *ledgerRow) any { return r.Kind }),
	{id: "title", title: "console.col.title", class: "ttl", cell: func(r *ledgerRow) cell {
		return cell{Title: &titleCell{r.ID, r.Title, r.Pending, r.EverOverdue}}
	}, exports: []string{"console.col.title"},
		values: func(_ *Console, _ *visit, p *engine.Project, _ *ledgerRow) []any { return []any{p.Title} }},
	one("category", "console.field.category", "cw110", "", func(_ *Console, _ *visit, p *engine.Project, _ *ledgerRow) any { return p.Category }),
	{id: "unit", title: "console.col.unit", head: "cw168", class: "k-unit", label: true,
		cell: func(r *ledgerRow) cell { return cell{Unit: &unitCell{r.Unit, r.Owner}} }, exports: []string{"console.col.lead", "console.col.owner"},
		values: func(_ *Console, _ *visit, _ *engine.Project, r *ledgerRow) []any { return []any{r.Unit, r.Owner} }},
	one("sponsor", "console.field.sponsor", "cw82", "nw", func(c *Console, v *visit, p *engine.Project, _ *ledgerRow) any { return c.names.user(v, p.Sponsor) }),
	one("list", "console.field.list", "cw72", "nw num", func(_ *Console, _ *visit, p *engine.Project, _ *ledgerRow) any { return p.List }),
	{id: "stage", title: "console.col.stage", head: "cw138", class: "k-stage", label: true,
		cell: func(r *ledgerRow) cell { return cell{Dots: &r.Dots} }, exports: []string{"console.col.stage"},
		values: func(_ *Console, _ *visit, _ *engine.Project, r *ledgerRow) []any { return []any{r.Dots.Name} }},
	{id: "progress", title: "console.col.progress", head: "cw112", class: "k-prog", label: true,
		cell: func(r *ledgerRow) cell { return cell{Progress: &r.Progress} }, exports: []string{"console.col.percent"},
		values: func(_ *Console, _ *visit, _ *engine.Project, r *ledgerRow) []any {
			return []any{workbook.Percent(r.Progress.Percent)}
		}},
	{id: "deadline", title: "console.col.deadline", up: engine.ByDeadline, down: engine.ByLatest, head: "cw138", class: "nw k-due", label: true,
		cell: func(r *ledgerRow) cell { return cell{Due: &r.Due} }, exports: []string{"console.col.deadline", "console.col.left"},
		values: func(_ *Console, _ *visit, p *engine.Project, r *ledgerRow) []any {
			return []any{p.Deadline, r.Due.Left}
		}},
	one("original", "console.col.original", "cw106", "num nw", func(_ *Console, _ *visit, p *engine.Project, _ *ledgerRow) any { return p.OriginalDeadline }),
	one("extensions", "console.col.extensions", "cw82", "num", func(_ *Console, _ *visit, p *engine.Project, _ *ledgerRow) any {
		return count(p.Extensions)
	}),
	one("ever", "console.col.ever", "cw72", "nw", func(_ *Console, v *visit, p *engine.Project, _ *ledgerRow) any {
		if p.EverOverdue {
			return v.t("console.yes")
		}
		return ""
	}),
	one("urges", "console.col.urges", "cw72", "num", func(_ *Console, _ *visit, p *engine.Project, _ *ledgerRow) any { return count(p.Urges) }),
	on("reported", "console.col.reported", func(p *engine.Project) *time.Time { return p.ReportedAt }),
	on("updated", "console.col.updated", func(p *engine.Project) *time.Time { return &p.UpdatedAt }).sorts(engine.ByStale, engine.ByUpdated),
	on("closed", "console.col.closed", func(p *engine.Project) *time.Time { return p.ClosedAt }),
	one("rating", "console.col.rating", "cw72", "num r", func(_ *Console, _ *visit, _ *engine.Project, r *ledgerRow) any { return r.Rating }),
}

// usualColumns are shown to whoever chose none.
var usualColumns = []string{"light", "number", "title", "unit", "stage", "progress", "deadline", "reported", "rating"}

// count is a number, with nothing for none.
func count(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// chosenColumns reads "light.number.title"; nil for "", and not ok when it names a column that there is not.
func chosenColumns(s string) ([]string, bool) {
	if s == "" {
		return nil, true
	}
	chosen := strings.Split(s, ".")
	var out []string
	for _, col := range ledgerColumns { // in their own order, each once
		if i := slices.Index(chosen, col.id); i >= 0 || col.id == "title" {
			out = append(out, col.id)
			chosen = slices.DeleteFunc(chosen, func(id string) bool { return id == col.id })
		}
	}
	if len(chosen) > 0 {
		return nil, false
	}
	return out, true
}

// shown are the columns of a filter.
func (f ledgerFilter) shown() []ledgerColumn {
	var out []ledgerColumn
	for _, col := range ledgerColumns {
		if slices.Contains(f.columns, col.id) {
			out = append(out, col)
		}
	}
	return out
}

// column is a heading; Href sorts by it, or the other way round.
type column struct {
	Title, Href, Class string
	Sorted             string // "ascending", "descending", or "" where it is not the order
}

// headings are the columns' headings with where they lead.
func (c *Console) headings(v *visit, f ledgerFilter) []column {
	var out []column
	for _, col := range f.shown() {
		x := column{Title: v.t(col.title), Class: col.head}
		sort := f.Sort
		if sort == "" {
			sort = engine.ByNewest
		}
		to := col.up
		switch {
		case sort == col.up && col.up != "":
			x.Sorted, to = "ascending", col.down
		case sort == col.down && col.down != "":
			x.Sorted = "descending"
		}
		if to == "" {
			to = col.down
		}
		if to != "" {
			x.Href = f.address("/ledger", "sort", string(to))
		}
		out = append(out, x)
	}
	return out
}

// cells are a row's cells in the order of the columns.
func (c *Console) cells(v *visit, f ledgerFilter, p *engine.Project, r *ledgerRow) []cell {
	var out []cell
	for _, col := range f.shown() {
		var x cell
		if col.cell != nil {
			x = col.cell(r)
		} else if x.Text = workbook.Text(col.values(c, v, p, r)[0]); col.brief != nil {
			x.Text = col.brief(c, p)
		}
		if col.cell == nil && x.Text == "" {
			x.Text = "—"
		}
		x.Class = col.class
		if col.label {
			x.Label = v.t(col.title)
		}
		out = append(out, x)
	}
	return out
}

// columnsCookie remembers which columns a person wants, on this browser like the other settings.
const columnsCookie = "bihuan_columns"

// keepColumns remembers the columns that were ticked; none of them means the usual ones.
func (c *Console) keepColumns(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	chosen, ok := chosenColumns(strings.Join(x["col"], "."))
	if !ok {
		return invalid("col", "console.ledger.bad_filter")
	}
	if x.Get("usual") != "" {
		chosen = usualColumns
	}
	v.remember(columnsCookie, strings.Join(chosen, "."))
	v.redirect(local(x.Get("back"), "/ledger"))
	return nil
}
