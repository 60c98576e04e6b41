package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
)

// bulletinView is the 通报 of a list, as a party office sends it out.
type bulletinView struct {
	ID, Title, Unit, Period, Date string
	State                         string
	Provisional                   bool // the list is not closed, so figures may still change
	Lead                          string
	Rows                          []bulletinRow
	Units                         []bulletinUnit
	Overdue                       []string
	Closed                        string
}

type bulletinRow struct {
	No                                         int
	Number, Title, Unit, Owner, Deadline, Orig string
	Outcome, Marks, Note, Missing              string
}

// bulletinUnit sums up one unit's items.
type bulletinUnit struct {
	Name                                                  string
	All, Closed, OnTime, Overdue, Running, Carried, Other int
	Rate                                                  string
}

// bulletinOf writes the bulletin of a reconciliation.
func (c *Console) bulletinOf(v *visit, r *engine.Reconciliation) bulletinView {
	l := &r.List
	view := bulletinView{ID: string(l.ID), Title: v.t("console.bulletin.title", "name", l.Name), Unit: c.names.unit(v, l.UnitID), Period: listPeriod(l),
		Date: c.today().String(), State: l.State.In(v.lang), Provisional: l.State != engine.ListArchived}
	if l.ClosedAt != nil {
		view.Closed = v.t("console.list.closed_by", "who", c.names.user(v, l.ClosedBy), "at", c.moment(*l.ClosedAt))
	}
	n, closed := len(r.Lines), r.Count[engine.OutClosed]
	view.Lead = v.t("console.bulletin.lead", "name", l.Name, "n", n, "closed", closed, "rate", percent(closed, n), "on_time", percent(r.OnTime(), closed),
		"overdue", r.Count[engine.OutOverdue], "running", r.Count[engine.OutRunning], "carried", r.Count[engine.OutCarried], "shelved", r.Count[engine.OutShelved],
		"cancelled", r.Count[engine.OutCancelled])
	units := map[engine.UnitID]*bulletinUnit{}
	var order []engine.UnitID
	for i := range r.Lines {
		line := &r.Lines[i]
		p := &line.Project
		u := units[p.UnitID]
		if u == nil {
			u = &bulletinUnit{Name: c.names.unit(v, p.UnitID)}
			units[p.UnitID] = u
			order = append(order, p.UnitID)
		}
		u.All++
		switch line.Outcome {
		case engine.OutClosed:
			u.Closed++
			if !line.Late {
				u.OnTime++
			}
		case engine.OutOverdue:
			u.Overdue++
		case engine.OutRunning:
			u.Running++
		case engine.OutCarried:
			u.Carried++
		default:
			u.Other++
		}
		row := bulletinRow{No: line.Item.No, Number: p.Number, Title: p.Title, Unit: u.Name, Owner: c.names.user(v, p.Owner), Deadline: p.Deadline.String(),
			Outcome: line.Outcome.In(v.lang), Note: line.Item.Note}
		if !p.OriginalDeadline.IsZero() && p.OriginalDeadline != p.Deadline {
			row.Orig = p.OriginalDeadline.String()
		}
		var marks []string
		if line.Item.Times > 0 {
			marks = append(marks, v.t("console.list.mark.carried", "n", line.Item.Times))
		}
		if line.Late {
			marks = append(marks, v.t("console.mark.ever"))
		}
		if line.Item.Late && line.Item.From == "" {
			marks = append(marks, v.t("console.list.mark.late"))
		}
		row.Marks = strings.Join(marks, v.t("list.comma"))
		if line.Outcome.Open() {
			var missing []string
			for _, m := range line.Missing {
				missing = append(missing, m.In(v.lang))
			}
			row.Missing = strings.Join(missing, v.t("list.semicolon"))
		}
		if line.Outcome == engine.OutOverdue {
			view.Overdue = append(view.Overdue, v.t("console.bulletin.overdue", "number", p.Number, "title", p.Title, "unit", u.Name, "date", p.Deadline))
		}
		view.Rows = append(view.Rows, row)
	}
	for _, id := range order {
		u := units[id]
		u.Rate = percent(u.Closed, u.All)
		view.Units = append(view.Units, *u)
	}
	slices.SortStableFunc(view.Units, func(a, b bulletinUnit) int { return b.Closed*a.All - a.Closed*b.All }) // by the rate, without fractions
	return view
}

func (c *Console) bulletin(v *visit) error {
	r, err := c.reconciled(v)
	if err != nil {
		return err
	}
	view := c.bulletinOf(v, &r)
	return c.render(v, http.StatusOK, "bulletin", view.Title, view)
}

// bulletinXLSX is the bulletin as a workbook: the items, and the sums by unit. Texts are written as texts, so that no
// spreadsheet takes them for formulas.
func (c *Console) bulletinXLSX(v *visit) error {
	r, err := c.reconciled(v)
	if err != nil {
		return err
	}
	if err := c.Engine.Note(v.ctx, v.actor, "export", map[string]any{"what": "bulletin", "list": r.List.ID}); err != nil {
		return err
	}
	book, err := workbook(v, c.bulletinOf(v, &r))
	if err != nil {
		return err
	}
	defer func() { _ = book.Close() }() // nothing of it lies on the disk
	h := v.g.Writer.Header()
	h.Set("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="bulletin-%s.xlsx"`, c.today()))
	v.g.Status(http.StatusOK)
	return book.Write(v.g.Writer)
}

// sheet is a table of a workbook.
type sheet struct {
	name   string
	title  string
	lines  []string // above the table
	widths []float64
	head   []string
	rows   [][]any // texts and whole numbers
}

func workbook(v *visit, b bulletinView) (*excelize.File, error) {
	items := sheet{name: v.t("console.bulletin.sheet.items"), title: b.Title, lines: []string{b.Unit + "  " + b.Period + "  " + b.State, b.Lead},
		widths: []float64{6, 15, 38, 20, 10, 12, 12, 10, 18, 28, 40},
		head: []string{v.t("console.bulletin.no"), v.t("console.col.number"), v.t("console.col.title"), v.t("console.col.unit"), v.t("console.col.owner"),
			v.t("console.col.deadline"), v.t("console.col.original"), v.t("console.bulletin.outcome"), v.t("console.bulletin.marks"), v.t("console.bulletin.note"), v.t("console.bulletin.missing")}}
	for _, x := range b.Rows {
		items.rows = append(items.rows, []any{x.No, x.Number, x.Title, x.Unit, x.Owner, x.Deadline, x.Orig, x.Outcome, x.Marks, x.Note, x.Missing})
	}
	units := sheet{name: v.t("console.bulletin.sheet.units"), title: b.Title, widths: []float64{28, 8, 8, 8, 8, 8, 8, 10, 10},
		head: []string{v.t("console.col.unit"), v.t("console.bulletin.all"), v.t("console.bulletin.closed"), v.t("console.bulletin.on_time"), v.t("console.bulletin.late"),
			v.t("console.bulletin.running"), v.t("console.bulletin.carried"), v.t("console.bulletin.other"), v.t("console.bulletin.rate")}}
	for _, x := range b.Units {
		units.rows = append(units.rows, []any{x.Name, x.All, x.Closed, x.OnTime, x.Overdue, x.Running, x.Carried, x.Other, x.Rate})
	}
	f := excelize.NewFile()
	for i, s := range []sheet{items, units} {
		if i == 0 {
			if err := f.SetSheetName("Sheet1", s.name); err != nil {
				return nil, err
			}
		} else if _, err := f.NewSheet(s.name); err != nil {
			return nil, err
		}
		if err := s.write(f); err != nil {
			return nil, fmt.Errorf("sheet %s: %w", s.name, err)
		}
	}
	return f, nil
}

// write lays the sheet out for an A4 page on its side.
func (s *sheet) write(f *excelize.File) error {
	border := []excelize.Border{{Type: "left", Style: 1}, {Type: "right", Style: 1}, {Type: "top", Style: 1}, {Type: "bottom", Style: 1}}
	style := func(st excelize.Style) int {
		id, err := f.NewStyle(&st)
		if err != nil {
			panic(err) // constants of ours
		}
		return id
	}
	title := style(excelize.Style{Font: &excelize.Font{Bold: true, Size: 16}, Alignment: &excelize.Alignment{Horizontal: "center", Vertical: "center"}})
	plain := style(excelize.Style{Alignment: &excelize.Alignment{WrapText: true, Vertical: "center"}})
	head := style(excelize.Style{Font: &excelize.Font{Bold: true}, Border: border, Alignment: &excelize.Alignment{Horizontal: "center", Vertical: "center", WrapText: true}})
	body := style(excelize.Style{Border: border, Alignment: &excelize.Alignment{Vertical: "center", WrapText: true}})
	last, err := excelize.ColumnNumberToName(len(s.widths))
	if err != nil {
		return err
	}
	row := 0
	across := func(text string, id int, height float64) error {
		row++
		n := strconv.Itoa(row)
		if err := f.MergeCell(s.name, "A"+n, last+n); err != nil {
			return err
		}
		if err := f.SetCellStr(s.name, "A"+n, text); err != nil {
			return err
		}
		if err := f.SetRowHeight(s.name, row, height); err != nil {
			return err
		}
		return f.SetCellStyle(s.name, "A"+n, last+n, id)
	}
	if err := across(s.title, title, 32); err != nil {
		return err
	}
	for _, text := range s.lines {
		if err := across(text, plain, 32); err != nil {
			return err
		}
	}
	line := func(cells []any, id int) error {
		row++
		for i, c := range cells {
			at, err := excelize.CoordinatesToCellName(i+1, row)
			if err != nil {
				return err
			}
			switch x := c.(type) {
			case int:
				err = f.SetCellInt(s.name, at, int64(x))
			case float64:
				err = f.SetCellFloat(s.name, at, x, -1, 64)
			case string:
				err = f.SetCellStr(s.name, at, x)
			}
			if err != nil {
				return err
			}
		}
		n := strconv.Itoa(row)
		return f.SetCellStyle(s.name, "A"+n, last+n, id)
	}
	var titles []any
	for _, h := range s.head {
		titles = append(titles, h)
	}
	if err := line(titles, head); err != nil {
		return err
	}
	top := row
	for _, cells := range s.rows {
		if err := line(cells, body); err != nil {
			return err
		}
	}
	for i, w := range s.widths {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := f.SetColWidth(s.name, name, name, w); err != nil {
			return err
		}
	}
	landscape, a4, one, all := "landscape", 9, 1, 0
	if err := f.SetPageLayout(s.name, &excelize.PageLayoutOptions{Orientation: &landscape, Size: &a4, FitToWidth: &one, FitToHeight: &all}); err != nil {
		return err
	}
	fit := true
	if err := f.SetSheetProps(s.name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	return f.SetPanes(s.name, &excelize.Panes{Freeze: true, YSplit: top, TopLeftCell: "A" + strconv.Itoa(top+1), ActivePane: "bottomLeft"})
}
