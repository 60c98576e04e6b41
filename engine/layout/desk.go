package layout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
	"bihuan/engine/workbook"
)

// Formats are the kinds of files that there are.
var Formats = []string{"xlsx", "csv"}

// MaxItems is how many items one export can have: a sheet has no more rows.
const MaxItems = workbook.MaxRows - 1000

// Desk takes things out for people. It is safe for concurrent use.
type Desk struct {
	Engine  *engine.Engine
	Layouts *Layouts
	Site    string // name of the organisation; "": that of the first unit
	Limit   int    // items; 0: MaxItems
	// After adds sheets behind the table of a workbook; nil: none.
	After func(ctx context.Context, b *workbook.Book, lang string) error
}

// Query says what of the ledger is taken out.
type Query struct {
	Filter engine.Filter
	Text   string // the filter as an address has it, for the entry
	Words  string // the filter in words, for the reader
}

// Asked says how something is taken out, and by whom.
type Asked struct {
	Who    engine.Actor
	Name   string // of the person
	Lang   string
	Format string // one of Formats; "": xlsx
}

// Export is a file that is ready to be written: what may be refused has been, and the entry is there.
type Export struct {
	Name string // for a file, without a path
	Type string // media type
	Rows int    // how many items there were a moment ago

	run *run
}

// part is a filter with what of it is left out.
type part struct {
	filter engine.Filter
	skip   func(p *engine.Project) bool
}

// run is one export.
type run struct {
	*Desk
	Asked
	layout *Layout
	whole  map[string]any // values of the fields of the whole, by id
	parts  []part
	lines  []engine.Line // of a list; nil: parts are read
	names  map[string]string
	now    time.Time
	more   []string
}

// Ledger takes the ledger out, as far as the person may read it.
func (d *Desk) Ledger(ctx context.Context, a Asked, q Query) (*Export, error) {
	r := d.run(a, Ledger)
	r.parts = []part{{filter: q.Filter}}
	r.whole["filter"] = ""
	if q.Words != "" {
		r.whole["filter"] = r.say("layout.filter", "words", q.Words)
	}
	kind := r.say("layout.item")
	if q.Filter.Kind != "" {
		if w, err := d.Engine.Workflow(q.Filter.Kind); err == nil {
			kind = w.Name.In(a.Lang)
		}
	}
	year := r.today().Year()
	if q.Filter.Year != 0 {
		year = q.Filter.Year
	} else if from, to := q.Filter.DueFrom, q.Filter.DueTo; !from.IsZero() && from.Year() == to.Year() {
		year = from.Year()
	}
	r.whole["kind"], r.whole["year"] = kind, year
	if err := r.count(ctx); err != nil {
		return nil, err
	}
	if err := r.organisation(ctx, q.Filter.Unit); err != nil {
		return nil, err
	}
	r.whole["title"] = r.say("layout.title.ledger", "organisation", r.whole["unit"], "year", year, "kind", kind)
	return r.ready(ctx, map[string]any{"what": "ledger", "filter": q.Text})
}

// List takes a list out as it is reconciled now.
func (d *Desk) List(ctx context.Context, a Asked, id engine.ListID) (*Export, error) {
	rec, err := d.Engine.Reconcile(ctx, a.Who, id)
	if err != nil {
		return nil, err
	}
	l := &rec.List
	r := d.run(a, List)
	for i := range rec.Lines {
		if x := &rec.Lines[i]; !x.Seen {
			x.Project = published(x.Project)
		}
	}
	r.lines = rec.Lines
	if err := r.organisation(ctx, l.UnitID); err != nil {
		return nil, err
	}
	r.whole["list"], r.whole["number"], r.whole["period"], r.whole["year"] = l.Name, l.Number, l.From.String()+" — "+l.To.String(), l.From.Year()
	r.whole["count"], r.whole["closed"], r.whole["overdue"] = len(rec.Lines), rec.Count[engine.OutClosed], rec.Count[engine.OutOverdue]
	name := l.Name
	if !strings.Contains(name, l.Number) {
		name = r.say("layout.numbered", "name", name, "number", l.Number)
	}
	r.whole["title"] = r.say("layout.title.list", "unit", r.whole["unit"], "name", name)
	return r.ready(ctx, map[string]any{"what": "list", "list": l.ID})
}

// Unit takes out a unit's year: what it and the units under it had to do by a day of the year, what they closed out in
// it, and its items of yearly kinds.
func (d *Desk) Unit(ctx context.Context, a Asked, idOrCode string, year int) (*Export, error) {
	if year < 1990 || year > 2100 {
		return nil, &engine.Error{Kind: engine.Invalid, Field: "year", Key: "layout.year", Args: map[string]any{"year": year}}
	}
	u, err := d.Engine.Unit(ctx, idOrCode)
	if err != nil {
		return nil, err
	}
	if !a.Who.Covers(u.Path) {
		return nil, &engine.Error{Kind: engine.NotFound, Key: "unit.unknown", Args: map[string]any{"unit": idOrCode}}
	}
	r := d.run(a, Unit)
	zone := d.Engine.Site.Location
	first, last := calendar.NewDate(year, time.January, 1), calendar.NewDate(year, time.December, 31)
	from, to := first.Start(zone), last.AddDays(1).Start(zone)
	due := func(p *engine.Project) bool { return p.Deadline.Year() == year }
	closed := func(p *engine.Project) bool {
		return p.ClosedAt != nil && !p.ClosedAt.Before(from) && p.ClosedAt.Before(to)
	}
	r.parts = []part{
		{filter: engine.Filter{Unit: u.ID, DueFrom: first, DueTo: last, Sort: engine.ByDeadline}},
		{filter: engine.Filter{Unit: u.ID, ClosedFrom: from, ClosedTo: to, Sort: engine.ByDeadline}, skip: due},
		{filter: engine.Filter{Unit: u.ID, Year: year, Sort: engine.ByDeadline}, skip: func(p *engine.Project) bool { return due(p) || closed(p) }},
	}
	r.whole["year"] = year
	if err := r.organisation(ctx, u.ID); err != nil {
		return nil, err
	}
	if err := r.count(ctx); err != nil {
		return nil, err
	}
	r.whole["title"] = r.say("layout.title.unit", "unit", u.Name, "year", year)
	return r.ready(ctx, map[string]any{"what": "unit", "unit": u.ID, "year": year})
}

// published is an item as far as those see it who may read its list but not the item: what a list says beforehand, and how
// far it has come.
func published(p engine.Project) engine.Project {
	p.Need, p.Summary, p.Lasting, p.Assistants, p.Milestones, p.Extra = "", "", "", nil, nil, nil
	return p
}

func (d *Desk) run(a Asked, id string) *run {
	a.Format = cmp.Or(a.Format, Formats[0])
	r := &run{Desk: d, Asked: a, layout: d.Layouts.Get(id, a.Lang), whole: map[string]any{}, names: map[string]string{}, now: d.Engine.Now()}
	r.whole["date"], r.whole["person"] = r.today(), a.Name
	return r
}

func (r *run) say(key string, args ...any) string {
	return message.Text(r.Lang, key, message.Args(args...))
}

func (r *run) today() calendar.Date { return calendar.DateOf(r.now, r.Engine.Site.Location) }

// organisation names the organisation and the unit that the export is about; "" is the organisation itself.
func (r *run) organisation(ctx context.Context, unit engine.UnitID) error {
	units, err := r.Engine.Store.Units(ctx)
	if err != nil {
		return err
	}
	site, name := r.Site, ""
	for _, u := range units {
		r.names["unit/"+string(u.ID)] = u.Name
		if site == "" && u.ParentID == "" {
			site = u.Name
		}
		if u.ID == unit {
			name = u.Name
		}
	}
	r.whole["organisation"], r.whole["unit"] = site, cmp.Or(name, site)
	return nil
}

// count counts what the parts hold.
func (r *run) count(ctx context.Context) error {
	var all, closed, overdue int
	for _, p := range r.parts {
		if p.skip == nil {
			n, err := r.Engine.Counts(ctx, r.Who, p.filter)
			if err != nil {
				return err
			}
			all, closed, overdue = all+n.Total, closed+n.ByStage[engine.Closed], overdue+n.Overdue
			continue
		}
		err := r.pages(ctx, p, func(items []engine.Project) error { // a unit's year is short
			all += len(items)
			for i := range items {
				if items[i].Stage == engine.Closed {
					closed++
				}
				if items[i].OverdueAt != nil {
					overdue++
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	r.whole["count"], r.whole["closed"], r.whole["overdue"] = all, closed, overdue
	return nil
}

// ready settles what may still be refused, and leaves the entry.
func (r *run) ready(ctx context.Context, data map[string]any) (*Export, error) {
	n, _ := r.whole["count"].(int)
	if limit := cmp.Or(r.Limit, MaxItems); n > limit {
		return nil, &engine.Error{Kind: engine.Invalid, Field: "format", Key: "console.export.too_many", Args: map[string]any{"n": n, "limit": limit}}
	}
	out := &Export{Rows: n, Name: fmt.Sprintf("%s-%s.%s", r.layout.ID, r.today(), r.Format), run: r}
	switch r.Format {
	case "xlsx":
		out.Type = workbook.MediaType
	case "csv":
		out.Type = "text/csv; charset=utf-8"
	default:
		return nil, &engine.Error{Kind: engine.Invalid, Field: "format", Key: "layout.format", Args: map[string]any{"format": r.Format}}
	}
	if r.layout.form.HasMore() {
		for _, p := range r.parts {
			list, err := r.Engine.Headings(ctx, r.Who, p.filter)
			if err != nil {
				return nil, err
			}
			r.further(list)
		}
		for i := range r.lines {
			r.further(slices.Sorted(maps.Keys(r.lines[i].Project.Extra)))
		}
	}
	data["format"], data["rows"], data["layout"] = r.Format, n, r.layout.Digest
	return out, r.Engine.Note(ctx, r.Who, "export", data)
}

// further adds headings of imported ledgers that the layout has no column for.
func (r *run) further(list []string) {
	for _, h := range list {
		if len(r.more) < maxMore && !slices.Contains(r.more, h) && !slices.Contains(r.layout.form.Headings(), h) && !r.layout.shows(h) {
			r.more = append(r.more, h)
		}
	}
}

// Write writes the file.
func (x *Export) Write(ctx context.Context, w io.Writer) error {
	r := x.run
	if err := r.people(ctx); err != nil {
		return err
	}
	s := workbook.Source{More: r.more, Once: func(n int) any { return r.whole[once[n].id] }, Rows: func(put func(func(int) any, []any) error) error {
		return r.rows(ctx, put)
	}}
	if r.After != nil {
		s.After = func(b *workbook.Book) error { return r.After(ctx, b, r.Lang) }
	}
	if r.Format == "csv" {
		return r.layout.form.CSV(w, s)
	}
	return r.layout.form.Fill(w, s)
}

// people keeps the names of everybody, so that no row costs a question.
func (r *run) people(ctx context.Context) error {
	users, err := r.Engine.Store.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		name := u.Name
		if name == "" { // which only those have whose name was erased
			name = r.say("user.erased")
		}
		r.names["user/"+string(u.ID)] = name
	}
	return nil
}

// row is an item as fields look at it.
type row struct {
	*run
	no     int
	p      *engine.Project
	w      *engine.Workflow
	lang   string
	line   *engine.Line
	report report
}

// report is what the last progress report says.
type report struct {
	Done     string `json:"done"`
	Next     string `json:"next"`
	Problems string `json:"problems"`
}

func (r *row) user(id engine.UserID) string {
	if id == "" {
		return ""
	}
	if key := "actor." + string(id); message.Has(key) {
		return r.t(key)
	}
	return r.names["user/"+string(id)]
}

func (r *row) unit(id engine.UnitID) string { return r.names["unit/"+string(id)] }

func (r *row) day(t *time.Time) any {
	if t == nil {
		return nil
	}
	return calendar.DateOf(*t, r.Engine.Site.Location)
}

// rows hands over every item in its turn.
func (r *run) rows(ctx context.Context, put func(value func(field int) any, more []any) error) error {
	x := &row{run: r, lang: r.Lang}
	more := make([]any, len(r.more))
	value := func(n int) any { return r.layout.value(n, x) }
	one := func(p *engine.Project) error {
		var err error
		if x.w, err = r.Engine.Pinned(ctx, p); err != nil {
			return err
		}
		x.p = p
		x.no++
		for i, h := range r.more {
			more[i] = p.Extra[h]
		}
		return put(value, more)
	}
	if r.lines != nil {
		said, err := r.reports(ctx, func(yield func(*engine.Project)) {
			for i := range r.lines {
				if r.lines[i].Seen {
					yield(&r.lines[i].Project)
				}
			}
		})
		if err != nil {
			return err
		}
		for i := range r.lines {
			x.line, x.report = &r.lines[i], said[r.lines[i].Project.ID]
			if err := one(&r.lines[i].Project); err != nil {
				return err
			}
		}
		return nil
	}
	for _, p := range r.parts {
		err := r.pages(ctx, p, func(items []engine.Project) error {
			said, err := r.reports(ctx, func(yield func(*engine.Project)) {
				for i := range items {
					yield(&items[i])
				}
			})
			if err != nil {
				return err
			}
			for i := range items {
				x.report = said[items[i].ID]
				if err := one(&items[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pages reads what of a part is not left out, page by page: the next page is read while one is written.
func (r *run) pages(ctx context.Context, p part, do func([]engine.Project) error) error {
	type answer struct {
		page engine.Page[engine.Project]
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := func(after string) <-chan answer {
		ch := make(chan answer, 1)
		f := p.filter
		f.After, f.Limit = after, engine.MaxPage
		go func() {
			page, err := r.Engine.List(ctx, r.Who, f)
			ch <- answer{page, err}
		}()
		return ch
	}
	next := read("")
	for {
		a := <-next
		if a.err != nil {
			return a.err
		}
		last := a.page.Next == ""
		if !last {
			next = read(a.page.Next)
		}
		items := a.page.Items
		if p.skip != nil {
			items = slices.DeleteFunc(items, func(x engine.Project) bool { return p.skip(&x) })
		}
		if err := do(items); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

// reports reads the last reports of items, if the layout shows any of them.
func (r *run) reports(ctx context.Context, of func(yield func(*engine.Project))) (map[engine.ProjectID]report, error) {
	if !r.layout.reports() {
		return nil, nil
	}
	var ids []engine.ProjectID
	of(func(p *engine.Project) {
		if p.Reports > 0 {
			ids = append(ids, p.ID)
		}
	})
	if len(ids) == 0 {
		return nil, nil
	}
	entries, err := r.Engine.Store.LastReports(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[engine.ProjectID]report, len(entries))
	for id, data := range entries {
		var d struct {
			Report report `json:"report"`
		}
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, errors.Join(fmt.Errorf("report of %s", id), err)
		}
		out[id] = d.Report
	}
	return out, nil
}
