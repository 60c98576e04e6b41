package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
	"bihuan/engine/score"
)

// scoresView is the 考核: every unit's score of a period, ranked among its kind.
type scoresView struct {
	scoreHeadView
	Groups     []scoreGroup
	Candidates []candidateGroup
	Bars       int // units of the highest band that something rules out
	Empty      *emptyView
	XLSX       string
	Compare    string
}

// scoreHeadView is the form and what the figures were computed from.
type scoreHeadView struct {
	From, To, On string
	Sheets       []choice
	Periods      []choice // Value is the address
	Sheet        string   // name and version
	Digest       string
	Until        string
	Over         bool
	Error        string
}

type scoreGroup struct {
	Name string
	Rows []scoreRow
}

type scoreRow struct {
	Rank               int
	Name, Href         string
	Items              int
	Gained, Lost, Base string
	Total              string
	Band               scoreBand
}

type scoreBand struct{ Text, Class string }

// bandOf colours a band by its place from the top.
func bandOf(v *visit, s *score.Sheet, b score.Band) scoreBand {
	if b.ID == "" {
		return scoreBand{v.t("console.scores.no_band"), ""}
	}
	classes := []string{"g", "blue", "y", "r"}
	i := slices.IndexFunc(s.Bands, func(x score.Band) bool { return x.ID == b.ID })
	if i == len(s.Bands)-1 {
		i = len(classes) - 1
	}
	return scoreBand{b.Name.In(v.lang), classes[min(max(i, 0), len(classes)-1)]}
}

// question reads the address; without a period it is the half-year of today.
func (c *Console) question(q url.Values) (score.Question, error) {
	out := score.Question{Sheet: q.Get("sheet")}
	today := c.today()
	first := calendar.NewDate(today.Year(), time.January, 1)
	if today.Month() > time.June {
		first = first.AddMonths(6)
	}
	var err error
	if out.From, err = date(q, "from"); err != nil {
		return out, err
	}
	if out.To, err = date(q, "to"); err != nil {
		return out, err
	}
	if out.On, err = date(q, "on"); err != nil {
		return out, err
	}
	if out.From.IsZero() {
		out.From = first
	}
	if out.To.IsZero() {
		out.To = out.From.AddMonths(6).AddDays(-1)
	}
	return out, nil
}

// values is the question as an address.
func values(q score.Question) url.Values {
	out := url.Values{"from": {q.From.String()}, "to": {q.To.String()}}
	if !q.On.IsZero() {
		out.Set("on", q.On.String())
	}
	if q.Sheet != "" {
		out.Set("sheet", q.Sheet)
	}
	return out
}

// head fills the form in.
func (c *Console) scoreHead(v *visit, path string, q score.Question, t *score.Table) (scoreHeadView, error) {
	h := scoreHeadView{From: q.From.String(), To: q.To.String(), On: q.On.String()}
	var err error
	if h.Sheets, err = c.sheetChoices(v, q.Sheet); err != nil {
		return h, err
	}
	year := c.today().Year()
	for _, p := range []struct {
		key       string
		year      int
		from, len int
	}{{"h2", year - 1, 7, 6}, {"h1", year, 1, 6}, {"h2", year, 7, 6}, {"year", year, 1, 12}} {
		from := calendar.NewDate(p.year, time.Month(p.from), 1)
		if from.After(c.today()) {
			continue
		}
		x := score.Question{From: from, To: from.AddMonths(p.len).AddDays(-1), Sheet: q.Sheet}
		h.Periods = append(h.Periods, choice{Value: path + "?" + values(x).Encode(), Text: v.t("console.scores.period."+p.key, "year", p.year), Selected: x.From == q.From && x.To == q.To})
	}
	if t != nil {
		h.Sheet = v.t("console.scores.sheet_version", "name", t.Sheet.Name, "version", t.Sheet.Version)
		h.Digest = t.Sheet.Digest
		h.Until = c.moment(t.Book.Until)
		h.Over = t.Book.Over
	}
	return h, nil
}

// asked answers a question of the address; a period that is none is said beside the form, with table nil.
func (c *Console) asked(v *visit) (score.Question, *score.Table, string, error) {
	q, err := c.question(v.g.Request.URL.Query())
	var t *score.Table
	if err == nil {
		t, err = c.Scores.Table(v.ctx, v.actor, q)
	}
	if e, ok := errors.AsType[*engine.Error](err); ok && (e.Kind == engine.Invalid || e.Field == "sheet") {
		return q, nil, e.In(v.lang), nil
	}
	return q, t, "", err
}

func (c *Console) scores(v *visit) error {
	q, t, wrong, err := c.asked(v)
	if err != nil {
		return err
	}
	head, err := c.scoreHead(v, "/scores", q, t)
	if err != nil {
		return err
	}
	view := scoresView{scoreHeadView: head}
	view.Error = wrong
	address := values(q).Encode()
	view.XLSX, view.Compare = "/scores.xlsx?"+address, "/scores/compare?"+address
	status := http.StatusOK
	switch {
	case wrong != "":
		status = http.StatusUnprocessableEntity
	case len(t.Units) == 0:
		view.Empty = &emptyView{Title: v.t("console.scores.none"), Why: v.t("console.scores.none_why")}
	default:
		view.Groups = scoreGroups(v, t, address)
		if view.Candidates, err = c.candidates(v, t, address); err != nil {
			return err
		}
		for i := range t.Units {
			if u := &t.Units[i]; u.Band.ID == t.Sheet.Bands[0].ID && len(u.Bars(t.Sheet)) > 0 {
				view.Bars++
			}
		}
	}
	return c.render(v, status, "scores", v.t("console.nav.scores"), view)
}

// unitsByKind parts the units by their kind, each in the order of rank and then of what they settled.
func unitsByKind(t *score.Table) [][]*score.Unit {
	var out [][]*score.Unit
	units := make([]*score.Unit, len(t.Units))
	for i := range t.Units {
		units[i] = &t.Units[i]
	}
	level := func(u *score.Unit) int {
		if u.Class != "" { // of those that the sheet puts into classes the level says nothing
			return 0
		}
		return u.Level()
	}
	kind := func(a, b *score.Unit) int {
		return cmp.Or(cmp.Compare(level(a), level(b)), cmp.Compare(a.Class, b.Class))
	}
	slices.SortStableFunc(units, func(a, b *score.Unit) int {
		if x := kind(a, b); x != 0 {
			return x
		}
		if (a.Rank == 0) != (b.Rank == 0) {
			return cmp.Compare(b.Rank, a.Rank) // those without a rank behind
		}
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(b.Items, a.Items), cmp.Compare(a.Code, b.Code))
	})
	for i, u := range units {
		if i == 0 || kind(units[i-1], u) != 0 {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], u)
	}
	return out
}

// scoreGroups are the units by kind.
func scoreGroups(v *visit, t *score.Table, address string) []scoreGroup {
	var out []scoreGroup
	for _, list := range unitsByKind(t) {
		g := scoreGroup{Name: unitKind(v.lang, t.Sheet, list[0])}
		for _, u := range list {
			g.Rows = append(g.Rows, scoreRow{Rank: u.Rank, Name: u.Name, Href: "/scores/" + string(u.ID) + "?" + address, Items: u.Items, Base: t.Sheet.Base.String(),
				Gained: signed(u.Gained()), Lost: signed(u.Lost()), Total: u.Total.String(), Band: bandOf(v, t.Sheet, u.Band)})
		}
		out = append(out, g)
	}
	return out
}

// signed writes points with their sign, and the minus of typography.
func signed(p score.Points) string {
	switch {
	case p > 0:
		return "+" + p.String()
	case p < 0:
		return "−" + (-p).String()
	}
	return "0"
}

// scoreView is one unit's score, line by line.
type scoreView struct {
	Name, Total, Rank string
	Band              scoreBand
	Items             int
	Sections          []scoreSection
	Base              string
	Back, XLSX        string
	scoreHeadView
}

// scoreSection is a rule or share with its lines.
type scoreSection struct {
	ID, Name, Group, Sum string
	Class                string
	Lines                []scoreLine
}

type scoreLine struct {
	Title, Number, Href string // of the item; empty: the unit as a whole
	At                  string
	Points, Raw         string
	Cut                 bool
	Share               string // "7/8"
	Days                string
	Entries             []scoreEntry
	More                int
}

type scoreEntry struct {
	Text, Href string
	Failed     bool
}

// maxEntries bounds the links of one line; the API gives all.
const maxEntries = 200

func (c *Console) score(v *visit) error {
	q, t, wrong, err := c.asked(v)
	if err != nil {
		return err
	}
	if wrong != "" {
		v.redirect("/scores?" + v.g.Request.URL.RawQuery)
		return nil
	}
	unit, err := c.Engine.Unit(v.ctx, v.g.Param("unit"))
	if err != nil {
		return err
	}
	u, ok := t.Unit(unit.ID)
	if !ok {
		return &engine.Error{Kind: engine.NotFound, Key: "unit.unknown", Args: map[string]any{"unit": v.g.Param("unit")}}
	}
	address := values(q).Encode()
	head, err := c.scoreHead(v, "/scores/"+string(u.ID), q, t)
	if err != nil {
		return err
	}
	view := scoreView{Name: u.Name, Total: u.Total.String(), Band: bandOf(v, t.Sheet, u.Band), Items: u.Items, Base: t.Sheet.Base.String(),
		Back: "/scores?" + address, XLSX: "/scores.xlsx?" + address, scoreHeadView: head}
	view.Rank = v.t("console.scores.unranked", "n", t.Sheet.MinRank)
	if u.Rank > 0 {
		view.Rank = v.t("console.scores.rank_of", "rank", u.Rank, "of", u.Of)
	}
	for i := range u.Lines {
		l := &u.Lines[i]
		if l.Row == score.BaseRow {
			continue
		}
		if n := len(view.Sections); n == 0 || view.Sections[n-1].ID != l.Row {
			view.Sections = append(view.Sections, c.scoreSection(v, t.Sheet, u, l))
		}
		s := &view.Sections[len(view.Sections)-1]
		s.Lines = append(s.Lines, c.scoreLine(v, l))
	}
	return c.render(v, http.StatusOK, "score", v.t("console.scores.of", "unit", u.Name), view)
}

func (c *Console) scoreSection(v *visit, s *score.Sheet, u *score.Unit, l *score.Line) scoreSection {
	sum := u.Sum(func(x *score.Line) bool { return x.Row == l.Row })
	out := scoreSection{ID: l.Row, Name: s.RowName(l.Row).In(v.lang), Sum: signed(sum), Class: "g"}
	if sum < 0 {
		out.Class = "r"
	}
	for _, g := range s.Groups {
		if g.ID == l.Group {
			out.Group = g.Name.In(v.lang)
		}
	}
	return out
}

func (c *Console) scoreLine(v *visit, l *score.Line) scoreLine {
	out := scoreLine{At: c.moment(l.At), Points: signed(l.Points), Raw: signed(l.Raw), Cut: l.Raw != l.Points}
	if l.Item != nil {
		out.Title, out.Number, out.Href = l.Item.Title, l.Item.Number, "/projects/"+string(l.Item.ID)
	}
	if l.Of > 0 {
		out.Share = strconv.Itoa(l.Yes) + "/" + strconv.Itoa(l.Of)
	}
	if l.Days > 0 {
		out.Days = v.t("console.scores.days", "n", l.Days)
		if l.Unknown {
			out.Days += v.t("console.scores.unknown")
		}
	}
	for i, r := range l.Refs {
		if i == maxEntries {
			out.More = len(l.Refs) - i
			break
		}
		_, id, _ := strings.Cut(r.Subject, "/")
		name := r.Action
		if key := "console.action." + r.Action; message.Has(key) {
			name = v.t(key)
		}
		out.Entries = append(out.Entries, scoreEntry{Text: v.t("console.scores.entry", "n", r.Seq, "what", name, "at", c.moment(r.At)),
			Href: "/trail?order=oldest&project=" + id, Failed: r.Failed})
	}
	return out
}
