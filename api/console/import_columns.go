package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
	"bihuan/engine/intake"
	"bihuan/engine/ledger"
)

// columnsView is the page on which a person says what the columns of a ledger are.
type columnsView struct {
	File, Kind, Unit string
	Size             string
	Form             form // sheet, head, year and list; its summary names every fault
	Banner           string
	BannerClass      string
	Forget           string // id of the remembered mapping, to forget it
	Here, Fresh      string // this page's address, and the same without what is remembered
	Columns          []columnChoice
	Back             string
}

// columnChoice is one column with what it may be.
type columnChoice struct {
	field
	N          int // 1-based
	Samples    []string
	Filled     int
	Why, Class string
}

// mappingKeys are the members of an address that say how the sheet is read.
var mappingKeys = []string{"sheet", "head", "cols"}

// columnName is the name of a column's control, by its place in the sheet.
func columnName(index int) string { return "c" + strconv.Itoa(index) }

// typedColumns reads the controls of the columns, by place.
func typedColumns(x url.Values) map[int]string {
	out := map[int]string{}
	for name := range x {
		s, ok := strings.CutPrefix(name, "c")
		if i, err := strconv.Atoi(s); ok && err == nil && i >= 0 && i < maxColumns && columnName(i) == name {
			out[i] = x.Get(name)
		}
	}
	return out
}

// maxColumns is the widest sheet that is read.
const maxColumns = 200

// packColumns writes what the columns are in few letters, for an address: a field for each place, parted by points.
func packColumns(typed map[int]string) string {
	last := -1
	for i := range typed {
		last = max(last, i)
	}
	all := make([]string, last+1)
	for i, s := range typed {
		all[i] = strings.ReplaceAll(s, ".", " ") // no field has one
	}
	return strings.Join(all, ".")
}

// unpackColumns reads it back.
func unpackColumns(s string) map[int]string {
	out := map[int]string{}
	if s == "" {
		return out
	}
	for i, f := range strings.Split(s, ".") {
		if f != "" && i < maxColumns {
			out[i] = f
		}
	}
	return out
}

// headOf reads which row the head is; 0 if nothing is said.
func headOf(x url.Values) (int, error) {
	s := strings.TrimSpace(x.Get("head"))
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1<<20 {
		return 0, invalid("head", ledger.KeyNoHeadRow, "row", s)
	}
	return n, nil
}

// mappingOf reads what the address says about the columns; nil if it says nothing.
func mappingOf(x url.Values) (*ledger.Mapping, error) {
	chosen := unpackColumns(x.Get("cols"))
	if len(chosen) == 0 {
		return nil, nil
	}
	head, err := headOf(x)
	if err != nil {
		return nil, err
	}
	m := &ledger.Mapping{Sheet: x.Get("sheet"), Head: head}
	for i := range maxColumns {
		if f, ok := chosen[i]; ok {
			m.Columns = append(m.Columns, ledger.MappedColumn{Index: i, Field: ledger.Field(f)})
		}
	}
	return m, nil
}

// recogniseLedger lets few read ledgers at once, like read.
func (c *Console) recogniseLedger(v *visit, l intake.Ledger, sheet string, head int) (*intake.Recognition, error) {
	var out *intake.Recognition
	_, err := c.read(v, func() (*intake.Report, error) {
		var err error
		out, err = intake.Recognise(v.ctx, c.Engine, v.actor, l, sheet, head)
		return nil, err
	})
	return out, err
}

// importColumns shows what the columns were recognised as, on the sheet and under the head that the address names.
func (c *Console) importColumns(v *visit) error {
	x := v.g.Request.URL.Query()
	if otherSheet(x) {
		x.Del("head")
	}
	return c.showColumns(v, http.StatusOK, x, nil)
}

// showColumns shows the page with what was typed and why it was refused, if it was.
func (c *Console) showColumns(v *visit, status int, x url.Values, refused error) error {
	l, err := c.waitingFor(v, x)
	if e := asError(err); err != nil && e.Field == "year" { // it can be put right on this page
		if refused == nil {
			status, refused = http.StatusUnprocessableEntity, err
		}
		l, err = c.waitingFor(v, without(x, "year"))
	}
	if err != nil {
		return c.importAgain(v, keepColumns(x), err)
	}
	l.Fresh = x.Get("fresh") != ""
	head, err := headOf(x)
	if err != nil {
		refused, head = err, 0
	}
	r, err := c.recogniseLedger(v, l, x.Get("sheet"), head)
	if bad, ok := errors.AsType[*ledger.Error](err); ok && (x.Get("sheet") != "" || head != 0) { // chosen wrongly
		status, refused = http.StatusUnprocessableEntity, refusedMapping(bad)
		r, err = c.recogniseLedger(v, l, "", 0)
	}
	if bad, ok := errors.AsType[*ledger.Error](err); ok { // no ledger at all: the preview says why
		v.redirect(importAddress(v.g.Param("ticket"), url.Values{"kind": x["kind"], "unit": x["unit"], "year": x["year"], "list": x["list"]}))
		c.Log.DebugContext(v.ctx, "a file that is no ledger", "error", bad)
		return nil
	}
	if err != nil {
		return err
	}
	view, err := c.columnsView(v, l, r, x)
	if err != nil {
		return err
	}
	if refused != nil {
		view.blame(v, refused)
	}
	return c.render(v, status, "import_columns", v.t("console.import.columns_title"), view)
}

// columnsView puts a recognition before a person, with what they typed where it was about the same head.
func (c *Console) columnsView(v *visit, l intake.Ledger, r *intake.Recognition, x url.Values) (*columnsView, error) {
	w, err := c.Engine.Workflow(l.Kind)
	if err != nil {
		return nil, err
	}
	base := "/import/" + url.PathEscape(v.g.Param("ticket"))
	view := &columnsView{File: l.File, Kind: w.Name.In(v.lang), Unit: l.Unit.Name, Size: size(int64(len(l.Data))), Back: "/import",
		Here: columnsAddress(v.g.Param("ticket"), x), Fresh: columnsAddress(v.g.Param("ticket"), without(x, "cols", "sheet", "head"), "fresh", "1")}
	view.Form = form{ID: "columns", Action: base + "/columns", Submit: v.t("console.import.submit"), Icon: "eye", Busy: v.t("console.import.reading")}
	shown := r.Sheet + "/" + strconv.Itoa(r.Head)
	view.Form.Hidden = []field{{Name: "kind", Value: l.Kind}, {Name: "unit", Value: string(l.Unit.ID)}, {Name: "shown", Value: shown}}
	if len(r.Sheets) <= 1 {
		view.Form.Hidden = append(view.Form.Hidden, field{Name: "sheet", Value: r.Sheet})
	}
	if l.Fresh {
		view.Form.Hidden = append(view.Form.Hidden, field{Name: "fresh", Value: "1"})
	}
	view.Form.Fields = c.sheetFields(v, r, x)
	typed := unpackColumns(x.Get("cols"))
	if was := x.Get("shown"); was != "" && was != shown {
		typed = nil
	} else if now := typedColumns(x); len(now) > 0 {
		typed = now
	}
	for i := range r.Columns {
		view.Columns = append(view.Columns, choiceOf(v, r, i, typed))
	}
	switch {
	case r.From != nil && len(typed) == 0:
		view.Banner, view.Forget = v.t("console.import.remembered", "who", c.names.user(v, r.From.SavedBy), "date", c.day(r.From.SavedAt), "file", r.From.File), string(r.From.ID)
	case !r.Certain && x.Get("head") == "":
		view.Banner, view.BannerClass = v.t("console.import.head_guessed", "row", r.Head), "y"
	}
	return view, nil
}

// sheetFields are the controls for what is not about one column.
func (c *Console) sheetFields(v *visit, r *intake.Recognition, x url.Values) []field {
	var out []field
	if len(r.Sheets) > 1 {
		sheet := field{ID: "im-sheet", Name: "sheet", Kind: "select", Label: v.t("console.import.sheet"), Value: r.Sheet}
		for _, s := range r.Sheets {
			sheet.Choices = append(sheet.Choices, choice{s, s, s == r.Sheet})
		}
		if !slices.Contains(r.Sheets, r.Sheet) { // a hidden one that the address names
			sheet.Choices = append(sheet.Choices, choice{r.Sheet, r.Sheet, true})
		}
		out = append(out, sheet)
	}
	head := field{ID: "im-head", Name: "head", Kind: "select", Label: v.t("console.import.head"), Hint: v.t("console.import.head_hint")}
	for _, row := range r.Rows {
		head.Choices = append(head.Choices, choice{strconv.Itoa(row.Number), v.t("console.import.row_n", "n", row.Number) + v.t("list.colon") + row.Text, row.Number == r.Head})
	}
	year := field{ID: "im-year", Name: "year", Kind: "number", Label: v.t("console.import.year"), Min: "1990", Max: "2100", Value: x.Get("year"), Hint: v.t("console.import.year_hint")}
	if r.NeedsYear {
		year.Required, year.Hint = true, v.t("console.import.year_needed")
	}
	return append(out, head, year, field{ID: "im-list", Name: "list", Kind: "text", Label: v.t("console.field.list"), Value: x.Get("list"), Hint: v.t("console.hint.list")})
}

// choiceOf shows one column with what it may be.
func choiceOf(v *visit, r *intake.Recognition, i int, typed map[int]string) columnChoice {
	col := r.Columns[i]
	chosen := col.Field
	out := columnChoice{N: col.Index + 1, Samples: r.Samples[i], Filled: r.Filled[i], Why: v.t("ledger.why." + string(col.Why)),
		field: field{ID: "im-" + columnName(col.Index), Name: columnName(col.Index), Kind: "select", Label: col.Header}}
	switch {
	case col.Why.Sure():
		out.Class = "g"
	case col.Field != ledger.Keep:
		out.Class = "y"
	}
	if f, ok := typed[col.Index]; ok {
		if chosen = ledger.Field(f); chosen != col.Field {
			out.Why, out.Class = v.t("ledger.why.given"), "g"
		}
	}
	for _, f := range append([]ledger.Field{ledger.Keep, ledger.Ignore}, ledger.Fields...) {
		out.Choices = append(out.Choices, choice{string(f), v.t("ledger.field." + string(f)), f == chosen})
	}
	return out
}

// blame names a fault above the form and beside the control that it is about.
func (view *columnsView) blame(v *visit, err error) {
	e := asError(err)
	for i := range view.Columns {
		col := &view.Columns[i]
		if col.Name == e.Field {
			col.Error = e.In(v.lang)
			view.Form.Summary = append(view.Form.Summary, fault{"#" + col.ID, col.Label + v.t("list.colon") + col.Error})
			return
		}
	}
	view.Form.blame(v, e)
}

// refusedMapping is a refusal of the reader's as one of the form.
func refusedMapping(e *ledger.Error) error {
	out := &engine.Error{Kind: engine.Invalid, Key: e.Key, Args: e.Args, Err: e}
	switch {
	case e.Column > 0:
		out.Field = columnName(e.Column - 1)
	case e.Key == ledger.KeyNoHeadRow:
		out.Field = "head"
	case e.Key == ledger.KeyNoSheet:
		out.Field = "sheet"
	}
	return out
}

// chooseColumns checks what a person says about the columns and leads to the preview by it.
func (c *Console) chooseColumns(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	l, err := c.waitingFor(v, x)
	if err != nil {
		return c.columnsRefused(v, x, err)
	}
	head, err := headOf(x)
	if err != nil {
		return c.columnsRefused(v, x, err)
	}
	if shown := x.Get("shown"); shown != "" && shown != x.Get("sheet")+"/"+strconv.Itoa(head) {
		// The controls are those of another head than is chosen now: they mean other columns.
		if x = without(x, "cols"); otherSheet(x) {
			x.Del("head")
		}
		v.redirect(columnsAddress(v.g.Param("ticket"), x))
		return nil
	}
	typed := typedColumns(x)
	if len(typed) == 0 {
		return c.columnsRefused(v, x, invalid("", ledger.KeyTitleMissing))
	}
	x.Set("cols", packColumns(typed))
	if l.Mapping, err = mappingOf(x); err != nil {
		return c.columnsRefused(v, x, err)
	}
	r, err := c.recogniseLedger(v, l, "", 0)
	if bad, ok := errors.AsType[*ledger.Error](err); ok {
		err = refusedMapping(bad)
	}
	if err == nil && r.NeedsYear && l.Year == 0 {
		err = invalid("year", "console.import.year_needed")
	}
	if err != nil {
		return c.columnsRefused(v, x, err)
	}
	v.redirect(importAddress(v.g.Param("ticket"), x))
	return nil
}

// columnsRefused shows the columns again, with what was typed; where the file is gone, the form for another.
func (c *Console) columnsRefused(v *visit, x url.Values, err error) error {
	if kind := engine.KindOf(err); kind != engine.Invalid && kind != engine.NotFound {
		return err
	}
	return c.showColumns(v, http.StatusUnprocessableEntity, x, err)
}

// keepColumns carries what was said about the columns over to the next upload of the file.
func keepColumns(x url.Values) url.Values {
	if typed := typedColumns(x); len(typed) > 0 {
		x = without(x)
		x.Set("cols", packColumns(typed))
	}
	return x
}

// otherSheet reports whether the sheet that is chosen now is not the one whose rows were shown, so that the row of the
// head says nothing.
func otherSheet(x url.Values) bool {
	shown := x.Get("shown")
	i := strings.LastIndex(shown, "/")
	return i >= 0 && shown[:i] != x.Get("sheet")
}

// without is a copy with some members left out.
func without(x url.Values, names ...string) url.Values {
	out := url.Values{}
	for k, s := range x {
		if !slices.Contains(names, k) {
			out[k] = slices.Clone(s)
		}
	}
	return out
}

// columnsAddress is where the columns of a ledger are chosen.
func columnsAddress(ticket string, x url.Values, more ...string) string {
	return "/import/" + url.PathEscape(ticket) + "/columns?" + importQuery(x, more...)
}

// sourceView is a source whose columns are remembered.
type sourceView struct {
	ID, File, Unit, Said string
	Columns              []string // as "header → field"
}

// sourceViews lists what is remembered at units for which the person may import.
func (c *Console) sourceViews(v *visit) ([]sourceView, error) {
	list, err := c.Engine.SourceMappings(v.ctx, v.actor, "")
	if err != nil {
		return nil, err
	}
	var out []sourceView
	for _, m := range list[:min(len(list), maxSources)] {
		s := sourceView{ID: string(m.ID), File: m.File, Unit: c.names.unit(v, m.UnitID), Said: v.t("console.import.said", "who", c.names.user(v, m.SavedBy), "date", c.day(m.SavedAt))}
		for _, col := range m.Columns {
			s.Columns = append(s.Columns, fmt.Sprintf("%s → %s", col.Header, v.t("ledger.field."+col.Field)))
		}
		out = append(out, s)
	}
	return out, nil
}

// maxSources is how many remembered sources the page lists; the others are offered all the same.
const maxSources = 50

// forgetSource forgets what is remembered of a source, and goes back to where that was asked for.
func (c *Console) forgetSource(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	if err := c.Engine.ForgetMapping(v.ctx, v.actor, engine.MappingID(x.Get("id"))); err != nil {
		return err
	}
	v.redirect(local(x.Get("back"), "/import?done=forget_mapping"))
	return nil
}
