package console

import (
	"net/http"
	"slices"
	"strconv"

	"bihuan/engine"
)

// yearlyView is the page of a yearly kind: which unit has its project of the year, which has none, who is where.
type yearlyView struct {
	Kind, Sub    string
	Kinds        []viewTab // of several yearly kinds
	Previous     string    // addresses of the neighbouring years
	Next         string
	Year         int
	Missing      int
	Rows         []yearlyRow
	Empty        *emptyView
	PreviousYear int
	NextYear     int
}

type yearlyRow struct {
	Unit                     string
	ID, Number, Title, Owner string // ID "": none yet
	Light                    lightView
	Dots                     dotsView
	Due                      dueView
	Grade                    string
	Owing                    string // number of a missed project of an earlier year whose 书面说明 is owed
	OwingID                  string
}

func (c *Console) yearly(v *visit) error {
	kinds, err := c.shownKinds(v)
	if err != nil {
		return err
	}
	kinds = slices.DeleteFunc(kinds, func(w *engine.Workflow) bool { return !w.Yearly })
	if len(kinds) == 0 {
		return notFound()
	}
	kind := kinds[0]
	if i := slices.IndexFunc(kinds, func(w *engine.Workflow) bool { return w.ID == v.g.Query("kind") }); i >= 0 {
		kind = kinds[i]
	}
	year := c.today().Year()
	if n, err := strconv.Atoi(v.g.Query("year")); err == nil && n >= 2000 && n <= year+1 {
		year = n
	}
	rows, err := c.Engine.Year(v.ctx, v.actor, kind.ID, year, "")
	if err != nil {
		return err
	}
	at := func(kind string, year int) string { return "/yearly?kind=" + kind + "&year=" + strconv.Itoa(year) }
	view := yearlyView{Kind: kind.Name.In(v.lang), Year: year, PreviousYear: year - 1, NextYear: year + 1, Previous: at(kind.ID, year-1)}
	if year <= c.today().Year() {
		view.Next = at(kind.ID, year+1)
	}
	if len(kinds) > 1 {
		for _, w := range kinds {
			view.Kinds = append(view.Kinds, viewTab{Href: at(w.ID, year), Title: w.Name.In(v.lang), Current: w == kind})
		}
	}
	for _, r := range rows {
		row := yearlyRow{Unit: r.Unit.Name}
		if p := r.Project; p != nil {
			row.ID, row.Number, row.Title, row.Owner = string(p.ID), p.Number, p.Title, c.names.user(v, p.Owner)
			w, err := c.Engine.Pinned(v.ctx, p)
			if err != nil {
				return err
			}
			row.Light, row.Grade = v.lightOf(p, c.Now()), w.GradeName(p.Grade).In(v.lang)
			row.Dots = v.dotsOf(w, p, row.Light.Class)
			row.Due = c.dueOf(v, p, row.Light.Class, c.today())
		} else {
			view.Missing++
		}
		if r.Owing != nil {
			row.Owing, row.OwingID = r.Owing.Number, string(r.Owing.ID)
		}
		view.Rows = append(view.Rows, row)
	}
	view.Sub = v.t("console.yearly.sub", "year", year, "all", len(rows), "missing", view.Missing)
	if len(rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.yearly.none"), Why: v.t("console.yearly.none_why")}
	}
	return c.render(v, http.StatusOK, "yearly", view.Kind, view)
}
