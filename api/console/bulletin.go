package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"bihuan/engine"
	"bihuan/engine/workbook"
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
	b := c.bulletinOf(v, &r)
	return c.book(v, fmt.Sprintf("bulletin-%s", c.today()), func(book *workbook.Book) error { return writeBulletin(v, book, &b) })
}

func writeBulletin(v *visit, book *workbook.Book, b *bulletinView) error {
	page := v.t("console.export.page")
	items, err := book.Sheet(workbook.Sheet{Name: v.t("console.bulletin.sheet.items"), Title: b.Title, Lines: []string{b.Unit + "  " + b.Period + "  " + b.State, b.Lead}, Footer: page,
		Columns: []workbook.Column{{Head: v.t("console.bulletin.no"), Width: 6, Center: true}, {Head: v.t("console.col.number"), Width: 15}, {Head: v.t("console.col.title"), Width: 38},
			{Head: v.t("console.col.unit"), Width: 20}, {Head: v.t("console.col.owner"), Width: 10}, {Head: v.t("console.col.deadline"), Width: 12}, {Head: v.t("console.col.original"), Width: 12},
			{Head: v.t("console.bulletin.outcome"), Width: 10, Center: true}, {Head: v.t("console.bulletin.marks"), Width: 18}, {Head: v.t("console.bulletin.note"), Width: 28}, {Head: v.t("console.bulletin.missing"), Width: 40}}})
	if err != nil {
		return err
	}
	for _, x := range b.Rows {
		if err := items.Row(x.No, x.Number, x.Title, x.Unit, x.Owner, x.Deadline, x.Orig, x.Outcome, x.Marks, x.Note, x.Missing); err != nil {
			return err
		}
	}
	number := func(key string, width float64) workbook.Column {
		return workbook.Column{Head: v.t(key), Width: width, Center: true}
	}
	units, err := book.Sheet(workbook.Sheet{Name: v.t("console.bulletin.sheet.units"), Title: b.Title, Footer: page,
		Columns: []workbook.Column{{Head: v.t("console.col.unit"), Width: 28}, number("console.bulletin.all", 8), number("console.bulletin.closed", 8), number("console.bulletin.on_time", 8),
			number("console.bulletin.late", 8), number("console.bulletin.running", 8), number("console.bulletin.carried", 10), number("console.bulletin.other", 10), number("console.bulletin.rate", 10)}})
	if err != nil {
		return err
	}
	for _, x := range b.Units {
		if err := units.Row(x.Name, x.All, x.Closed, x.OnTime, x.Overdue, x.Running, x.Carried, x.Other, x.Rate); err != nil {
			return err
		}
	}
	return nil
}
