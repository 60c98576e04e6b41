package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// overviewView is the 总览: a sentence, the lights, what needs attention, this list, where items stand, how two months
// went, and whose they are. Every number is a figure, and so a link to the rows behind it.
type overviewView struct {
	At        string
	Kinds     []viewTab // all items, or those of one kind
	Open      figure
	Red       figure
	Yellow    figure
	Total     figure
	Waiting   figure
	Lamps     []lamp
	Attention []attentionRow
	Alarm     string // address of everything that needs attention
	List      *listProgress
	Funnel    []funnelRow
	OnTime    string    // the share of what was settled that was never overdue
	Settled   [3]figure // never overdue, closed out, overdue and open
	Trend     *chart
	Weeks     []weekRow
	Units     []unitRow
	Others    int // units that are not shown
	Empty     *emptyView
}

// figure is a number that leads to the rows behind it.
type figure struct {
	N          int
	Text, Href string
}

// lamp is a light with how many there are.
type lamp struct {
	Light lightView
	figure
}

type attentionRow struct {
	ledgerRow
	Stage string
	Urge  string // address of the form, "" where the person may not
}

// listProgress is how far the list of these two months is struck off.
type listProgress struct {
	Number, Name string
	Closed, All  figure
	Percent      int
	Late         figure
	Left         string // until the end of the period
	Chart        *chart
	Weeks        []listWeek
}

// listWeek is how much of a list was closed out by the end of a week, and how much was due by then.
type listWeek struct {
	To          string
	Due, Closed figure
	Future      bool
}

// funnelRow is a stage with the items that stand in it, by light.
type funnelRow struct {
	Name string
	figure
	Parts []funnelPart
}

type funnelPart struct {
	Class, Name string
	figure
	Width int // of the longest bar, in percent
}

// weekRow is what fell into a week.
type weekRow struct {
	From, To            string
	Due, Closed, OnTime figure
}

type unitRow struct {
	Rank                int // 0: not ranked
	Name                string
	All, Closed, OnTime figure
	Late                figure
	Rate                string
	Percent, Share      int // of the items closed; on time
}

// lampOrder are the lights of the overview with the filters behind them.
var lampOrder = []struct{ class, word, query string }{
	{"r", "red", "light=red"}, {"o", "orange", "light=orange"}, {"y", "yellow", "light=yellow"}, {"g", "green", "light=green"},
	{"h", "shelved", "view=all&stage=shelved"}, {"d", "closed", "view=closed"},
}

// overviewer fills an overview: everything on it is of the same kind of items.
type overviewer struct {
	*Console
	v     *visit
	kind  string
	today calendar.Date
	flows []*engine.Workflow // the kinds that are shown
	all   engine.Counts
}

// figure is n of what the query selects in the ledger.
func (o *overviewer) figure(n int, query string) figure {
	if o.kind != "" {
		query += "&kind=" + url.QueryEscape(o.kind)
	}
	return figure{n, o.v.t("console.items", "n", n), "/ledger?" + query}
}

func (c *Console) overview(v *visit) error {
	o := &overviewer{Console: c, v: v, kind: v.g.Query("kind"), today: c.today()}
	if o.kind != "" {
		if _, err := c.Engine.Workflow(o.kind); err != nil {
			return err
		}
	}
	var err error
	if o.all, err = c.Engine.Counts(v.ctx, v.actor, engine.Filter{Kind: o.kind}); err != nil {
		return err
	}
	if o.flows, err = c.shownKinds(v); err != nil {
		return err
	}
	view := overviewView{At: c.moment(c.Now()), Kinds: o.kinds()}
	if o.all.Total == 0 {
		view.Empty = &emptyView{Title: v.t("console.ledger.none"), Why: v.t("console.ledger.none_why"), Href: "/workflows", Do: v.t("console.nav.workflows")}
		return c.render(v, http.StatusOK, "overview", v.t("console.nav.overview"), view)
	}
	o.brief(&view)
	if err := o.attention(&view); err != nil {
		return err
	}
	if err := o.list(&view); err != nil {
		return err
	}
	o.funnel(&view)
	if err := o.trend(&view); err != nil {
		return err
	}
	o.units(&view)
	return c.render(v, http.StatusOK, "overview", v.t("console.nav.overview"), view)
}

// kinds are the tabs: everything, or one kind.
func (o *overviewer) kinds() []viewTab {
	out := []viewTab{{Href: "/overview", Title: o.v.t("console.overview.every_kind"), Current: o.kind == ""}}
	for _, w := range o.flows {
		out = append(out, viewTab{Href: "/overview?kind=" + url.QueryEscape(w.ID), Title: w.Name.In(o.v.lang), Current: o.kind == w.ID})
	}
	if len(out) == 2 {
		return nil // there is nothing to choose from
	}
	return out
}

// brief fills the sentence and the lights.
func (o *overviewer) brief(view *overviewView) {
	stage := func(id engine.StageID) int { return o.all.ByStage[id] }
	open := o.all.Total - stage(engine.Closed) - stage(engine.Cancelled)
	red, yellow := o.all.ByLight[engine.Red], o.all.ByLight[engine.Yellow]+o.all.ByLight[engine.Orange]
	view.Open = o.figure(open, "view=open")
	view.Red = o.figure(red, "light=red")
	view.Red.Text = o.v.t("console.overview.red", "n", red)
	view.Yellow = o.figure(yellow, "light=yellow&light=orange")
	view.Yellow.Text = o.v.t("console.overview.yellow", "n", yellow)
	view.Total, view.Waiting = o.figure(o.all.Total, "view=all"), o.figure(o.all.Waiting, "view=all&pending=1")
	numbers := map[string]int{"red": red, "orange": o.all.ByLight[engine.Orange], "yellow": o.all.ByLight[engine.Yellow],
		"green": o.all.ByLight[engine.Green], "shelved": stage(engine.Shelved), "closed": stage(engine.Closed)}
	for _, l := range lampOrder {
		if l.word == "orange" && numbers["orange"] == 0 {
			continue
		}
		view.Lamps = append(view.Lamps, lamp{lightView{Class: l.class, Text: o.v.t("console.light." + l.word)}, o.figure(numbers[l.word], l.query)})
	}
}

// attention lists the most urgent items.
func (o *overviewer) attention(view *overviewView) error {
	const shown = 5
	page, err := o.Engine.List(o.v.ctx, o.v.actor, engine.Filter{Kind: o.kind, Open: true, Sort: engine.ByLight, Limit: shown})
	if err != nil {
		return err
	}
	for i := range page.Items {
		p := &page.Items[i]
		row, err := o.ledgerRow(o.v, p)
		if err != nil {
			return err
		}
		if row.Light.Class != "r" && row.Light.Class != "o" && row.Light.Class != "y" {
			break // by light: nothing after it is any worse
		}
		_, urge, err := o.batchable(o.v, p)
		if err != nil {
			return err
		}
		at := attentionRow{ledgerRow: row, Stage: row.Dots.Name}
		if urge {
			at.Urge = "/projects/" + row.ID + "?open=urge#do-urge"
		}
		view.Attention = append(view.Attention, at)
	}
	view.Alarm = o.figure(0, "view=alarm").Href
	return nil
}

// list fills how far the list of these two months is struck off; or of those before, as long as the new one is empty.
func (o *overviewer) list(view *overviewView) error {
	var counts engine.Counts
	now := periodOf(o.today)
	p := now
	for _, p = range []period{now, periodOf(now.From.AddDays(-1))} {
		var err error
		if counts, err = o.Engine.Counts(o.v.ctx, o.v.actor, engine.Filter{Kind: o.kind, List: p.Number, Kept: true}); err != nil {
			return err
		}
		if counts.Total > 0 {
			break
		}
	}
	if counts.Total == 0 {
		return nil
	}
	on := "view=list&list=" + url.QueryEscape(p.Number)
	late, closed := lateOf(counts), counts.ByStage[engine.Closed]
	out := &listProgress{Number: p.Number, Name: o.v.t("console.overview.list_name", "list", p.Number, "from", shortDate(p.From, o.today), "to", shortDate(p.To, o.today)),
		Closed: o.figure(closed, on+"&stage=closed"), All: o.figure(counts.Total, on), Percent: 100 * closed / counts.Total,
		Late: o.figure(late, "overdue=1&list="+url.QueryEscape(p.Number))}
	if o.today.After(p.To) {
		out.Left = o.v.t("console.overview.list_over", "date", shortDate(p.To, o.today))
	} else {
		n, _ := o.Engine.Working().Workdays(o.today.AddDays(1), p.To)
		out.Left = o.v.t("console.overview.list_left", "n", n)
	}
	if err := o.listWeeks(p, on, out); err != nil {
		return err
	}
	view.List = out
	return nil
}

// stageIDs are the stages of all definitions, each once, in their order.
func (o *overviewer) stageIDs() []engine.StageID {
	var out []engine.StageID
	for _, w := range o.flows {
		for _, s := range w.Stages {
			if !slices.Contains(out, s.ID) {
				out = append(out, s.ID)
			}
		}
	}
	return out
}

// lateOf is how many are overdue and still open.
func lateOf(counts engine.Counts) int {
	n := 0
	for _, u := range counts.ByUnit {
		n += u.Late
	}
	return n
}

// farBack is a day before every project, where sums begin.
var farBack = calendar.MustDate("2000-01-01")

// listWeeks counts, week by week, how much of the list was closed out by then and how much was due by then.
func (o *overviewer) listWeeks(p period, on string, out *listProgress) error {
	bounds := []calendar.Date{farBack}
	d := p.From
	for ; d.Before(p.To); d = d.AddDays(7) {
		bounds = append(bounds, d)
	}
	d = p.To.AddDays(1)
	if bounds[len(bounds)-1] == d {
		bounds = bounds[:len(bounds)-1]
	}
	for ; d.Before(o.today); d = d.AddDays(7) { // a list is not done when its period is
		bounds = append(bounds, d)
	}
	bounds = append(bounds, d)
	spans, err := o.Engine.Spans(o.v.ctx, o.v.actor, engine.Filter{Kind: o.kind, List: p.Number}, bounds)
	if err != nil {
		return err
	}
	due, closed := 0, 0
	var dues, closeds []int
	var names []string
	for _, s := range spans {
		due, closed = due+s.Due, closed+s.Closed
		week := listWeek{To: shortDate(s.To, o.today), Due: o.figure(due, on+"&due_to="+s.To.String()), Future: s.From.After(o.today)}
		week.Closed = o.figure(closed, on+"&closed_to="+s.To.String())
		out.Weeks = append(out.Weeks, week)
		names, dues = append(names, week.To), append(dues, due)
		if !week.Future {
			closeds = append(closeds, closed)
		}
	}
	out.Chart = lineChart(o.v.t("console.overview.list_chart", "list", p.Number, "due", due, "closed", closed, "all", out.All.N), names, out.All.N,
		series{dues, "plan", o.v.t("console.overview.due")}, series{closeds, "done", o.v.t("console.light.closed")})
	return nil
}

// funnel counts the items of each stage by light.
func (o *overviewer) funnel(view *overviewView) {
	stages := o.stageIDs()
	longest := 1
	for _, id := range stages {
		longest = max(longest, o.all.ByStage[id])
	}
	for _, id := range stages {
		at := "stage=" + url.QueryEscape(string(id))
		row := funnelRow{Name: o.stageName(o.v, id), figure: o.figure(o.all.ByStage[id], at)}
		for _, l := range []engine.Light{engine.Red, engine.Orange, engine.Yellow, engine.Green, engine.NoLight} {
			if n := o.all.StageLights[id][l]; n > 0 {
				row.Parts = append(row.Parts, funnelPart{Class: lightClass[l], Name: o.v.t("console.light." + string(l)), figure: o.figure(n, at+"&light="+string(l)),
					Width: max(1, 80*n/longest)})
			}
		}
		view.Funnel = append(view.Funnel, row)
	}
}

// trendWeeks is how far back the trend reaches: two months.
const trendWeeks = 9

// trend fills what was due and what was closed out in each of the last weeks, the present one last.
func (o *overviewer) trend(view *overviewView) error {
	closed, late := o.all.ByStage[engine.Closed], lateOf(o.all)
	view.OnTime = percent(o.all.OnTime, closed+late)
	view.Settled = [3]figure{o.figure(o.all.OnTime, "view=closed&ever=0"), o.figure(closed, "view=closed"), o.figure(late, "overdue=1")}
	monday := o.today.AddDays(-(int(o.today.Weekday()) + 6) % 7)
	var bounds []calendar.Date
	for i := range trendWeeks + 1 {
		bounds = append(bounds, monday.AddDays(7*(i-trendWeeks+1)))
	}
	spans, err := o.Engine.Spans(o.v.ctx, o.v.actor, engine.Filter{Kind: o.kind}, bounds)
	if err != nil {
		return err
	}
	var groups []barGroup
	due, done, met := 0, 0, 0
	for _, s := range spans {
		between := s.From.String() + "&closed_to=" + s.To.String()
		w := weekRow{From: shortDate(s.From, o.today), To: shortDate(s.To, o.today),
			Due:    o.figure(s.Due, "view=all&kept=1&sort=deadline&due_from="+s.From.String()+"&due_to="+s.To.String()),
			Closed: o.figure(s.Closed, "view=all&closed_from="+between), OnTime: o.figure(s.OnTime, "view=all&ever=0&closed_from="+between)}
		view.Weeks = append(view.Weeks, w)
		due, done, met = due+s.Due, done+s.Closed, met+s.OnTime
		groups = append(groups, barGroup{w.From, s.Due, s.OnTime, s.Closed - s.OnTime})
	}
	if due+done > 0 {
		view.Trend = barChart(o.v.t("console.overview.trend_chart", "weeks", trendWeeks, "due", due, "closed", done, "met", met), groups)
		view.Trend.Legend = []legend{{"due", o.v.t("console.overview.due")}, {"met", o.v.t("console.overview.met")}, {"late", o.v.t("console.overview.late_closed")}}
	}
	return nil
}

// Units with fewer items are listed but not ranked: one late item of two says nothing about a unit.
const rankedFrom = 3

// units ranks the leading units by the share of what was settled, closed out or overdue, that was closed out without
// ever being overdue. Those with the same share have the same rank.
func (o *overviewer) units(view *overviewView) {
	const shown = 30
	type settled struct {
		engine.UnitCount
		kept, done int // 撤项 left out; closed out or overdue
	}
	var list []settled
	for _, u := range o.all.ByUnit {
		if s := (settled{u, u.Total - u.Cancelled, u.Closed + u.Late}); s.kept > 0 {
			list = append(list, s)
		}
	}
	ranked := func(s settled) bool { return s.kept >= rankedFrom && s.done > 0 }
	better := func(a, b settled) int { return cmp.Compare(b.OnTime*a.done, a.OnTime*b.done) }
	slices.SortStableFunc(list, func(a, b settled) int {
		if x, y := ranked(a), ranked(b); x != y {
			if x {
				return -1
			}
			return 1
		} else if c := better(a, b); x && c != 0 {
			return c
		}
		return cmp.Compare(b.kept, a.kept)
	})
	rank := 0
	for i, s := range list {
		if i == shown {
			view.Others = len(list) - shown
			break
		}
		at := "alone=1&unit=" + url.QueryEscape(string(s.UnitID))
		row := unitRow{Name: o.names.unit(o.v, s.UnitID), All: o.figure(s.kept, "view=all&kept=1&"+at), Closed: o.figure(s.Closed, "view=closed&"+at),
			OnTime: o.figure(s.OnTime, "view=closed&ever=0&"+at), Late: o.figure(s.Late, "overdue=1&"+at), Rate: "—", Percent: 100 * s.Closed / s.kept}
		if s.done > 0 {
			row.Rate, row.Share = percent(s.OnTime, s.done), 100*s.OnTime/s.done
		}
		if ranked(s) {
			if i == 0 || better(list[i-1], s) != 0 {
				rank = i + 1
			}
			row.Rank = rank
		}
		view.Units = append(view.Units, row)
	}
}
