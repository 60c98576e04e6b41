package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
)

// tallyView is the page of a yearly count: how many members of each branch are short, and who lacks what.
type tallyView struct {
	Name, Sub      string
	Tabs           []viewTab // of several yearly counts
	Year           int
	PreviousYear   int
	NextYear       int
	Previous, Next string // addresses of the neighbouring years; Next "" if that is ahead
	Categories     []string
	Rule           string // what every member owes in a year, in words; "" for nothing
	Mine           string // address of the reader's own year
	Branches       []tallyBranch
	Members        []tallyMember
	All            string // address without the choice of one branch
	Forms          []form
	Empty          *emptyView
}

type tallyBranch struct {
	Name, Href              string
	Members, Short, Waiting int
}

type tallyMember struct {
	ID, Name, Unit string
	Counts         []tallyFigure
	Hours          tallyFigure
	Waiting        int
	Short          string // what is missing, in words; "": nothing
}

type tallyFigure struct {
	Text  string
	Short bool
}

func tallyAt(id string, year int, unit engine.UnitID) string {
	q := url.Values{"tally": {id}, "year": {strconv.Itoa(year)}}
	if unit != "" {
		q.Set("unit", string(unit))
	}
	return "/tally?" + q.Encode()
}

// chosenTally is the yearly count and the year of the address; nil if none was ever switched on.
func (c *Console) chosenTally(v *visit, view *tallyView) (*engine.Tally, error) {
	all, err := c.Engine.Tallies(v.ctx)
	if err != nil {
		return nil, err
	}
	view.Year = c.today().Year()
	if n, err := strconv.Atoi(v.g.Query("year")); err == nil && n >= 2000 && n <= view.Year+1 {
		view.Year = n
	}
	slices.SortStableFunc(all, func(a, b engine.Tally) int { // those that are on first
		return cmp.Compare(map[bool]int{true: 0, false: 1}[a.On], map[bool]int{true: 0, false: 1}[b.On])
	})
	if len(all) == 0 {
		return nil, nil
	}
	chosen := &all[0]
	if i := slices.IndexFunc(all, func(t engine.Tally) bool { return t.ID == v.g.Query("tally") }); i >= 0 {
		chosen = &all[i]
	}
	if len(all) > 1 {
		for _, t := range all {
			view.Tabs = append(view.Tabs, viewTab{Href: tallyAt(t.ID, view.Year, ""), Title: t.Name.In(v.lang), Current: t.ID == chosen.ID})
		}
	}
	return chosen, nil
}

// tallied tells whether the page has anything for the person: a yearly count that is on, or the right to switch one on.
func (c *Console) tallied(v *visit) bool {
	if v.holds([]engine.Role{engine.Admin}) {
		return true
	}
	all, err := c.Engine.Tallies(v.ctx)
	return err == nil && slices.ContainsFunc(all, func(t engine.Tally) bool { return t.On })
}

func (c *Console) tally(v *visit) error { return c.showTally(v, http.StatusOK, nil, nil) }

// showTally renders the page; typed and why are what was just refused in one of its forms.
func (c *Console) showTally(v *visit, status int, typed url.Values, why *engine.Error) error {
	view := tallyView{Name: v.t("console.nav.tally")}
	t, err := c.chosenTally(v, &view)
	if err != nil {
		return err
	}
	if t == nil {
		view.Empty = &emptyView{Title: v.t("console.tally.off"), Why: v.t("console.tally.off_why")}
	} else if err := c.fillTally(v, t, &view); err != nil {
		return err
	}
	if view.Forms, err = c.tallyForms(v, t, view.Year); err != nil {
		return err
	}
	if why != nil {
		if left := blameIn(v, view.Forms, typed.Get("act")+typed.Get("tally"), typed, why); left != nil {
			return left
		}
	}
	return c.render(v, status, "tally", view.Name, view)
}

// fillTally reads who did what.
func (c *Console) fillTally(v *visit, t *engine.Tally, view *tallyView) error {
	view.Name, view.PreviousYear, view.NextYear = t.Name.In(v.lang), view.Year-1, view.Year+1
	view.Previous, view.All = tallyAt(t.ID, view.PreviousYear, ""), tallyAt(t.ID, view.Year, "")
	if view.Year < c.today().Year() {
		view.Next = tallyAt(t.ID, view.NextYear, "")
	}
	for _, x := range t.Categories {
		view.Categories = append(view.Categories, x.Name.In(v.lang))
	}
	all := t.Count(&engine.TallyYear{})
	if owed := t.Missing(&all, v.lang); owed != "" {
		view.Rule = v.t("console.tally.rule", "what", owed)
	}
	years, err := c.Engine.AllTallyYears(v.ctx, v.actor, engine.TallyFilter{Tally: t.ID, Year: view.Year})
	if err != nil {
		return err
	}
	years = slices.DeleteFunc(years, func(y engine.TallyYear) bool { return y.Struck != "" })
	var only engine.UnitID
	if u := v.g.Query("unit"); engine.IsID(u) {
		only = engine.UnitID(u)
	} else {
		view.All = ""
	}
	short := 0
	byUnit := map[engine.UnitID]*tallyBranch{}
	var order []engine.UnitID
	slices.SortStableFunc(years, func(a, b engine.TallyYear) int { return strings.Compare(a.UnitPath, b.UnitPath) })
	for i := range years {
		y := &years[i]
		row := c.tallyMember(v, t, y)
		if y.UserID == v.user.ID {
			view.Mine = "/tally/" + row.ID
		}
		b := byUnit[y.UnitID]
		if b == nil {
			b = &tallyBranch{Name: row.Unit, Href: tallyAt(t.ID, view.Year, y.UnitID)}
			byUnit[y.UnitID] = b
			order = append(order, y.UnitID)
		}
		b.Members++
		b.Waiting += row.Waiting
		if row.Short != "" {
			b.Short++
			short++
		}
		if only == "" || only == y.UnitID {
			view.Members = append(view.Members, row)
		}
	}
	for _, id := range order {
		view.Branches = append(view.Branches, *byUnit[id])
	}
	view.Sub = v.t("console.tally.sub", "all", len(years), "short", short)
	if !t.On {
		view.Sub += " · " + v.t("console.workflows.off")
	}
	if len(years) == 0 {
		view.Empty = &emptyView{Title: v.t("console.tally.none"), Why: v.t("console.tally.none_why")}
	}
	return nil
}

func (c *Console) tallyMember(v *visit, t *engine.Tally, y *engine.TallyYear) tallyMember {
	n := t.Count(y)
	row := tallyMember{ID: string(y.ID), Name: c.names.user(v, y.UserID), Unit: c.names.unit(v, y.UnitID), Waiting: n.Waiting,
		Hours: tallyFigure{engine.Hours(n.Minutes), n.ShortMinutes > 0}}
	for _, x := range t.Categories {
		row.Counts = append(row.Counts, tallyFigure{strconv.Itoa(n.Times[x.ID]), n.ShortTimes[x.ID] > 0})
	}
	row.Short = t.Missing(&n, v.lang)
	return row
}

// tallyForms are what the person can do on the page: put somebody on a roll, and switch yearly counts on and off.
func (c *Console) tallyForms(v *visit, t *engine.Tally, year int) ([]form, error) {
	var out []form
	if t != nil && t.On {
		var paths []string
		for _, g := range v.actor.Grants {
			if c.Engine.MayTally(v.actor, "enrol_member", g.Path) {
				paths = append(paths, g.Path)
			}
		}
		if len(paths) > 0 {
			people, err := c.peopleChoices(v)
			if err != nil {
				return nil, err
			}
			units, err := c.unitsUnder(v, "", paths...)
			if err != nil {
				return nil, err
			}
			out = append(out, form{ID: "do-enrol" + t.ID, Action: "/tally", Icon: "users", Title: v.t("console.tally.do.enrol"), Submit: v.t("console.tally.do.enrol"),
				Hidden: []field{{Name: "act", Value: "enrol"}, {Name: "tally", Value: t.ID}},
				Fields: []field{{ID: "enrol-user", Name: "user", Kind: "select", Label: v.t("console.tally.member"), Choices: people, Required: true},
					{ID: "enrol-unit", Name: "unit", Kind: "select", Label: v.t("console.tally.branch"), Choices: units, Required: true},
					{ID: "enrol-year", Name: "year", Kind: "number", Label: v.t("console.tally.year"), Value: strconv.Itoa(year), Required: true}}})
		}
	}
	if !v.holds([]engine.Role{engine.Admin}) {
		return out, nil
	}
	all, err := c.Engine.Tallies(v.ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range c.Tallies {
		if !slices.ContainsFunc(all, func(t engine.Tally) bool { return t.ID == x.ID }) {
			all = append(all, x)
		}
	}
	for _, x := range all {
		act := map[bool]string{true: "disable", false: "enable"}[x.On]
		out = append(out, form{ID: "do-" + act + x.ID, Action: "/tally", Icon: "sitemap", Title: v.t("console.tally.do."+act, "tally", x.Name), Submit: v.t("console.workflows." + act),
			Hidden: []field{{Name: "act", Value: act}, {Name: "tally", Value: x.ID}}})
	}
	return out, nil
}

// doTally carries out one of the page's forms.
func (c *Console) doTally(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	to := "/tally"
	var err error
	switch id := x.Get("tally"); x.Get("act") {
	case "enable":
		err = c.enableTally(v, id)
	case "disable":
		err = c.Engine.DisableTally(v.ctx, v.actor, id)
	case "enrol":
		var y engine.TallyYear
		y, err = c.enrolMember(v, x)
		to = tallyAt(id, y.Year, y.UnitID)
	default:
		return notFound()
	}
	if err == nil {
		sep := map[bool]string{true: "&", false: "?"}[strings.Contains(to, "?")]
		v.redirect(to + sep + "done=tally_" + x.Get("act"))
		return nil
	}
	return again(err, func(status int, refusal *engine.Error) error { return c.showTally(v, status, x, refusal) })
}

// enableTally switches on what is stored under the id, or else what the product brings along.
func (c *Console) enableTally(v *visit, id string) error {
	t, err := c.Engine.TheTally(v.ctx, id)
	if engine.KindOf(err) == engine.NotFound {
		all := c.Tallies
		i := slices.IndexFunc(all, func(t engine.Tally) bool { return t.ID == id })
		if i < 0 {
			return err
		}
		t, err = all[i], nil
	}
	if err != nil {
		return err
	}
	return c.Engine.EnableTally(v.ctx, v.actor, t)
}

func (c *Console) enrolMember(v *visit, x url.Values) (engine.TallyYear, error) {
	for _, name := range []string{"user", "unit"} {
		if !engine.IsID(x.Get(name)) {
			return engine.TallyYear{}, invalid(name, "field.empty")
		}
	}
	unit, err := c.Engine.Unit(v.ctx, x.Get("unit"))
	if err != nil {
		return engine.TallyYear{}, err
	}
	year, err := strconv.Atoi(x.Get("year"))
	if err != nil {
		return engine.TallyYear{}, invalid("year", "tally.year", "year", x.Get("year"))
	}
	return c.Engine.EnrolMember(v.ctx, v.actor, x.Get("tally"), unit, engine.UserID(x.Get("user")), year)
}
