package console

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine/intake"
	"bihuan/engine/ledger"
)

// previewPage is how many rows of a ledger stand on one page of its preview.
const previewPage = 100

// previewView is what the rows of a ledger become.
type previewView struct {
	File, Kind, Unit string
	Size             string
	Year             string // a sentence: in which year bare months were read
	Banner           string // what a person must know first
	BannerClass      string
	Again            []field // what was said about the file, to say it otherwise
	AgainHidden      []field // and about its columns
	Choose           string  // where the columns are chosen
	Action           string
	Shows            []showView
	FileRemarks      []remarkView // about the file as a whole
	Columns          []columnView
	Rows             []previewRow
	More, First      string // pages
	Confirm          string // what the button says; "" where there is nothing to confirm
	Hidden           []field
	Busy             string
}

// showView is one of the ways to look at the rows.
type showView struct {
	Href, Text string
	N          int
	Current    bool
}

// columnView is a column of the file and what becomes of it.
type columnView struct {
	Header, Field string
	Kept          bool // as it was written, without a field of its own
}

// remarkView is a problem or a note.
type remarkView struct {
	Where, Text, Cell string
	Problem           bool
}

type previewRow struct {
	Row               int
	Number            string // 序号
	Title             string
	Unit              string
	Owner, Sponsor    string
	Deadline, Written string
	Reading, Rule     string
	Kept              []string // further columns, kept as they are
	Status, Class     string
	Href, Project     string // that it is already
	Remarks           []remarkView
}

func (c *Console) showPreview(v *visit, status int, l intake.Ledger, r *intake.Report, x url.Values, changed string) error {
	w, err := c.Engine.Workflow(l.Kind)
	if err != nil {
		return err
	}
	ticket := v.g.Param("ticket")
	view := previewView{File: l.File, Kind: w.Name.In(v.lang), Unit: l.Unit.Name, Size: size(int64(len(l.Data))), Action: "/import/" + url.PathEscape(ticket)}
	if r.Year != 0 {
		view.Year = v.t("console.import.read_year", "year", r.Year)
		if r.Academic {
			view.Year = v.t("console.import.read_academic", "year", r.Year, "next", r.Year+1)
		}
	}
	if view.Again, err = c.ledgerFields(v, x); err != nil {
		return err
	}
	for _, k := range mappingKeys {
		if s := x.Get(k); s != "" {
			view.AgainHidden = append(view.AgainHidden, field{Name: k, Value: s})
		}
	}
	view.Choose = columnsAddress(ticket, x)
	c.previewBanner(v, &view, r, changed)
	if view.Confirm != "" {
		for _, k := range importKeys {
			view.Hidden = append(view.Hidden, field{Name: k, Value: x.Get(k)})
		}
		view.Hidden = append(view.Hidden, field{Name: "plan", Value: r.Plan.String()})
		view.Busy = v.t("console.import.writing")
	}
	for _, col := range r.Columns {
		out := columnView{Header: col.Header, Kept: col.Means() == ledger.Keep}
		if !out.Kept {
			out.Field = v.t("ledger.field." + string(col.Means()))
		}
		view.Columns = append(view.Columns, out)
	}
	remarks := c.remarkViews(v, r, &view)
	c.previewRows(v, &view, r, remarks, ticket, x)
	return c.render(v, status, "import_preview", v.t("console.import.title"), view)
}

// previewBanner says first what matters most, and whether there is something to confirm.
func (c *Console) previewBanner(v *visit, view *previewView, r *intake.Report, changed string) {
	n, known := r.New(), r.Known()
	switch {
	case len(r.Problems) > 0:
		view.Banner, view.BannerClass = v.t("console.import.refused", "problems", len(r.Problems)), "r"
	case changed != "":
		view.Banner, view.BannerClass, view.Confirm = changed, "y", v.t("console.import.confirm", "n", n)
	case n == 0:
		view.Banner, view.BannerClass = v.t("console.import.all_known", "n", known), "n"
	default:
		view.Banner, view.BannerClass, view.Confirm = v.t("console.import.ready", "n", n, "known", known), "", v.t("console.import.confirm", "n", n)
	}
	reported := r.Reported()
	if n == 0 {
		view.Confirm = ""
	}
	if reported > 0 && len(r.Problems) == 0 { // a later ledger of the same items
		if n == 0 {
			view.Banner, view.BannerClass, view.Confirm = "", "", v.t("console.import.confirm_progress", "n", reported)
		}
		if changed != "" {
			view.Banner = changed
		}
		view.Banner += v.t("console.import.progress", "n", reported, "known", known)
	}
}

// remarkViews sorts what was found by row; what is about the whole file goes into the view.
func (c *Console) remarkViews(v *visit, r *intake.Report, view *previewView) map[int][]remarkView {
	out := map[int][]remarkView{}
	rows := map[int]bool{}
	for i := range r.Items {
		rows[r.Items[i].Row] = true
	}
	for i, list := range [][]intake.Remark{r.Problems, r.Notes} {
		for _, x := range list {
			said := remarkView{Where: x.Column, Text: x.In(v.lang), Cell: x.Text, Problem: i == 0}
			if strings.Contains(said.Text, said.Cell) { // the sentence names it already
				said.Cell = ""
			}
			if rows[x.Row] {
				out[x.Row] = append(out[x.Row], said)
				continue
			}
			if x.Row > 0 { // of a row that is no item: a heading, a total, one without a title
				said.Where = v.t("console.import.row_n", "n", x.Row)
				if x.Column != "" { // of a whole column, said at its header
					said.Where += " " + x.Column
				}
			}
			view.FileRemarks = append(view.FileRemarks, said)
		}
	}
	return out
}

// show is a way to look at the rows of a preview.
type show struct {
	name string
	is   func(x *intake.Item, remarks []remarkView) bool
}

// shows are all of them, the widest first.
var shows = []show{
	{"all", func(*intake.Item, []remarkView) bool { return true }},
	{"new", func(x *intake.Item, _ []remarkView) bool { return !x.Known && !x.Refused }},
	{"known", func(x *intake.Item, _ []remarkView) bool { return x.Known }},
	{"problem", func(x *intake.Item, _ []remarkView) bool { return x.Refused }},
	{"note", func(_ *intake.Item, remarks []remarkView) bool {
		return slices.ContainsFunc(remarks, func(r remarkView) bool { return !r.Problem })
	}},
}

func (c *Console) previewRows(v *visit, view *previewView, r *intake.Report, remarks map[int][]remarkView, ticket string, x url.Values) {
	chosen := v.g.Query("show")
	if !slices.ContainsFunc(shows, func(s show) bool { return s.name == chosen }) {
		chosen = "all"
	}
	var rows []*intake.Item
	for _, s := range shows {
		n := 0
		for i := range r.Items {
			item := &r.Items[i]
			if !s.is(item, remarks[item.Row]) {
				continue
			}
			n++
			if s.name == chosen {
				rows = append(rows, item)
			}
		}
		view.Shows = append(view.Shows, showView{Href: importAddress(ticket, x, "show", s.name), Text: v.t("console.import.show." + s.name), N: n, Current: s.name == chosen})
	}
	from, err := strconv.Atoi(v.g.Query("from"))
	if err != nil || from < 0 || from >= len(rows) {
		from = 0
	}
	if from > 0 {
		view.First = importAddress(ticket, x, "show", chosen)
	}
	end := min(from+previewPage, len(rows))
	if end < len(rows) {
		view.More = importAddress(ticket, x, "show", chosen, "from", strconv.Itoa(end))
	}
	for _, item := range rows[from:end] {
		view.Rows = append(view.Rows, c.previewRow(v, item, remarks[item.Row]))
	}
}

func (c *Console) previewRow(v *visit, x *intake.Item, remarks []remarkView) previewRow {
	d := x.Draft
	out := previewRow{Row: x.Row, Number: x.ImportRow.Number, Title: d.Title, Unit: x.Unit.Name, Owner: c.names.user(v, d.Owner), Sponsor: c.names.user(v, d.Sponsor),
		Deadline: d.Deadline.String(), Written: x.Deadline.Text, Reading: x.Deadline.Reading, Remarks: remarks}
	if d.Deadline.IsZero() {
		out.Deadline = ""
	}
	if x.Deadline.Rule != "" {
		out.Rule = v.t("ledger.rule." + x.Deadline.Rule)
	}
	for _, header := range slices.Sorted(maps.Keys(d.Extra)) {
		out.Kept = append(out.Kept, header+v.t("list.colon")+d.Extra[header])
	}
	switch {
	case x.Known:
		out.Status, out.Class = v.t("console.import.known"), ""
		// A project that has since moved to units that the person does not see stays unnamed.
		if p, err := c.Engine.Project(v.ctx, v.actor, x.Project); err == nil {
			out.Href, out.Project = "/projects/"+string(p.ID), p.Number
		}
	case x.Refused:
		out.Status, out.Class = v.t("console.import.wrong"), "r"
	default:
		out.Status, out.Class = v.t("console.import.new"), "g"
	}
	return out
}
