package console

import (
	"net/http"
	"net/url"
	"slices"

	"bihuan/engine"
)

// overviewView is the 总览: a sentence, the lights, what needs attention, where items stand, and whose they are.
type overviewView struct {
	At        string
	Open      int
	Red       int
	Yellow    int
	Closed    int
	Waiting   int
	Total     int
	OnTime    string
	OnTimeOf  string
	Lamps     []lamp
	Attention []attentionRow
	Funnel    []funnelRow
	Units     []unitRow
	Empty     *emptyView
}

// lamp is a light with how many there are, and the rows behind the number.
type lamp struct {
	Light lightView
	N     int
	Href  string
}

type attentionRow struct {
	ledgerRow
	Stage string
}

// funnelRow is a stage with the items that stand in it, by light.
type funnelRow struct {
	Name, Href string
	N          int
	Parts      []funnelPart
}

type funnelPart struct {
	Class, Name, Href string
	N, Width          int // of the longest bar, in percent
}

type unitRow struct {
	Name, Href, OverdueHref, ClosedHref string
	Total, Closed, Overdue              int
	Percent                             int
}

// lampOrder are the lights of the overview with the filters behind them.
var lampOrder = []struct{ class, word, query string }{
	{"r", "red", "light=red"}, {"o", "orange", "light=orange"}, {"y", "yellow", "light=yellow"}, {"g", "green", "light=green"},
	{"h", "shelved", "view=all&stage=shelved"}, {"d", "closed", "view=closed"},
}

func (c *Console) overview(v *visit) error {
	all, err := c.Engine.Counts(v.ctx, v.actor, engine.Filter{})
	if err != nil {
		return err
	}
	n := func(id engine.StageID) int { return all.ByStage[id] }
	view := overviewView{At: c.moment(c.Now()), Total: all.Total, Open: all.Total - n(engine.Closed) - n(engine.Cancelled), Waiting: all.Waiting,
		Red: all.ByLight[engine.Red], Yellow: all.ByLight[engine.Yellow] + all.ByLight[engine.Orange], Closed: n(engine.Closed), OnTime: "—"}
	if view.Closed > 0 {
		view.OnTime = percent(all.OnTime, view.Closed)
		view.OnTimeOf = v.t("console.overview.on_time_of", "n", all.OnTime, "all", view.Closed)
	}
	numbers := map[string]int{"red": all.ByLight[engine.Red], "orange": all.ByLight[engine.Orange], "yellow": all.ByLight[engine.Yellow],
		"green": all.ByLight[engine.Green], "shelved": n(engine.Shelved), "closed": n(engine.Closed)}
	for _, l := range lampOrder {
		if l.word == "orange" && numbers["orange"] == 0 {
			continue
		}
		view.Lamps = append(view.Lamps, lamp{lightView{Class: l.class, Text: v.t("console.light." + l.word)}, numbers[l.word], "/ledger?" + l.query})
	}
	if all.Total == 0 {
		view.Empty = &emptyView{Title: v.t("console.ledger.none"), Why: v.t("console.ledger.none_why"), Href: "/workflows", Do: v.t("console.nav.workflows")}
		return c.render(v, http.StatusOK, "overview", v.t("console.nav.overview"), view)
	}
	if err := c.attention(v, &view); err != nil {
		return err
	}
	if err := c.funnel(v, all, &view); err != nil {
		return err
	}
	c.unitRows(v, all, &view)
	return c.render(v, http.StatusOK, "overview", v.t("console.nav.overview"), view)
}

// attention lists the most urgent items.
func (c *Console) attention(v *visit, view *overviewView) error {
	lights := []engine.Light{engine.Red}
	if view.Red == 0 {
		lights = []engine.Light{engine.Orange, engine.Yellow}
	}
	page, err := c.Engine.List(v.ctx, v.actor, engine.Filter{Light: lights, Open: true, Sort: engine.ByDeadline, Limit: 5})
	if err != nil {
		return err
	}
	for i := range page.Items {
		row, err := c.ledgerRow(v, &page.Items[i])
		if err != nil {
			return err
		}
		view.Attention = append(view.Attention, attentionRow{row, row.Dots.Name})
	}
	return nil
}

// funnel counts the items of each stage by light. Green is what the others leave, so that it costs no query.
func (c *Console) funnel(v *visit, all engine.Counts, view *overviewView) error {
	byLight := map[engine.Light]map[engine.StageID]int{}
	for _, l := range []engine.Light{engine.Red, engine.Orange, engine.Yellow, engine.Green} {
		if all.ByLight[l] == 0 {
			continue
		}
		counts, err := c.Engine.Counts(v.ctx, v.actor, engine.Filter{Light: []engine.Light{l}})
		if err != nil {
			return err
		}
		byLight[l] = counts.ByStage
	}
	var stages []engine.StageID
	names := map[engine.StageID]string{}
	for _, w := range c.workflowsByID() {
		for _, s := range w.Stages {
			if names[s.ID] == "" {
				names[s.ID] = s.Name.In(v.lang)
				stages = append(stages, s.ID)
			}
		}
	}
	longest := 1
	for _, id := range stages {
		longest = max(longest, all.ByStage[id])
	}
	for _, id := range stages {
		row := funnelRow{Name: names[id], N: all.ByStage[id], Href: "/ledger?stage=" + url.QueryEscape(string(id))}
		rest := row.N
		for _, l := range []engine.Light{engine.Red, engine.Orange, engine.Yellow, engine.Green} {
			if k := byLight[l][id]; k > 0 {
				rest -= k
				row.Parts = append(row.Parts, funnelPart{Class: lightClass[l], Name: v.t("console.light." + string(l)), N: k, Width: max(1, 80*k/longest),
					Href: row.Href + "&light=" + string(l)})
			}
		}
		if rest > 0 {
			row.Parts = append(row.Parts, funnelPart{Class: "n", Name: v.t("console.light.none"), N: rest, Width: max(1, 80*rest/longest), Href: row.Href + "&light=none"})
		}
		view.Funnel = append(view.Funnel, row)
	}
	return nil
}

// unitRows lists the leading units, those with the most overdue items first.
func (c *Console) unitRows(v *visit, all engine.Counts, view *overviewView) {
	const shown = 12
	slices.SortStableFunc(all.ByUnit, func(a, b engine.UnitCount) int {
		if a.Overdue != b.Overdue {
			return b.Overdue - a.Overdue
		}
		return b.Total - a.Total
	})
	for i, u := range all.ByUnit {
		if i == shown {
			break
		}
		id := url.QueryEscape(string(u.UnitID))
		view.Units = append(view.Units, unitRow{Name: c.names.unit(v, u.UnitID), Total: u.Total, Closed: u.Closed, Overdue: u.Overdue,
			Percent: 100 * u.Closed / max(1, u.Total), Href: "/ledger?view=all&unit=" + id,
			OverdueHref: "/ledger?view=all&overdue=1&unit=" + id, ClosedHref: "/ledger?view=closed&unit=" + id})
	}
}
