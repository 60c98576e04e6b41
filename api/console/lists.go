package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
)

// listsView is the page of all lists.
type listsView struct {
	Rows  []listRow
	New   string // address of the form for a new one, "" for those who keep none
	More  string
	First string
	Empty *emptyView
}

type listRow struct {
	ID, Number, Name, Unit, Period string
	State                          tagView
	Items                          int
	Closed                         string // who closed it and when
}

// tagView is a word with a colour of its own.
type tagView struct{ Class, Text string }

var listStateClass = map[engine.ListState]string{engine.ListDraft: "o", engine.ListPublished: "g", engine.ListReconciling: "blue", engine.ListArchived: ""}

func (v *visit) stateTag(s engine.ListState) tagView {
	return tagView{listStateClass[s], s.In(v.lang)}
}

func (c *Console) lists(v *visit) error {
	f := engine.ListFilter{After: v.g.Query("after")}
	page, err := c.Engine.Lists(v.ctx, v.actor, f)
	if err != nil {
		return err
	}
	view := listsView{}
	if len(c.keeps(v)) > 0 {
		view.New = "/lists/new"
	}
	for i := range page.Items {
		l := &page.Items[i]
		row := listRow{ID: string(l.ID), Number: l.Number, Name: l.Name, Unit: c.names.unit(v, l.UnitID), Period: listPeriod(l),
			State: v.stateTag(l.State), Items: len(l.Items)}
		if l.ClosedAt != nil {
			row.Closed = c.names.user(v, l.ClosedBy) + " · " + c.moment(*l.ClosedAt)
		}
		view.Rows = append(view.Rows, row)
	}
	if page.Next != "" {
		view.More = "/lists?after=" + page.Next
	}
	if f.After != "" {
		view.First = "/lists"
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.lists.none"), Why: v.t("console.lists.none_why")}
		if view.New != "" {
			view.Empty.Href, view.Empty.Do = view.New, v.t("console.lists.new")
		}
	}
	return c.render(v, http.StatusOK, "lists", v.t("console.nav.lists"), view)
}

func listPeriod(l *engine.List) string { return l.From.String() + " — " + l.To.String() }

// keeps are the paths of the units whose lists the person keeps.
func (c *Console) keeps(v *visit) []string {
	var out []string
	for _, g := range v.actor.Grants {
		if c.Engine.MayKeep(v.actor, g.Path) {
			out = append(out, g.Path)
		}
	}
	return out
}

// listView is the page of one list.
type listView struct {
	ID, Number, Name, Unit, Sub string
	Version                     int64
	State                       tagView
	Previous, Next              string // addresses of the neighbouring periods
	Keeper                      bool
	Draft, Published, Running   bool // 编制, 公布, 对账
	Sum                         string
	Open                        int
	Hint                        string
	Bar                         []barPart
	BarLabel                    string
	Numbers                     []numberView
	Tabs                        []viewTab
	Rows                        []listLine
	Named                       []namedRow // projects that name the list's number and stand on none
	Add                         form       // a project by its number
	Empty                       *emptyView
	Problem                     string
	Checks                      []string
	Closed                      string
	Needs, NeedsHref            string // how many needs were collected for it, while it is drawn up
}

// sureView asks once more before an act that cannot be taken back.
type sureView struct {
	Action, Icon, Title, Text string
	Version                   int64
}

// barPart is a part of a bar in whole percent.
type barPart struct {
	Class   string
	Percent int
}

// numberView is a figure with its words.
type numberView struct{ Name, Value, Note string }

// listLine is an item of the list.
type listLine struct {
	ID, Title, Number, Href string
	No                      int
	First, Last             bool
	Up, Down                int  // the numbers that it moves to
	Stays                   bool // carried over: it cannot be taken off
	Unit, Owner             string
	Due                     dueView
	Light                   lightView
	Dots                    dotsView
	Sides                   []sideView
	Stamp                   tagView
	Marks                   []tagView
	Note                    string
	Missing                 []string
	Carry                   string // address of the form that carries it over, "" where nobody may
}

// sideView is one side of the three-way reconciliation.
type sideView struct {
	Name, Label string
	Done        bool
}

type namedRow struct{ ID, Number, Title, Unit, Deadline string }

// stamps are the marks of the outcomes.
var stamps = map[engine.Outcome]string{engine.OutClosed: "", engine.OutShelved: "h", engine.OutCarried: "y", engine.OutCancelled: "n", engine.OutRunning: "n", engine.OutOverdue: "n"}

// listTabs are the parts of a list that can be shown alone.
var listTabs = []struct {
	name string
	has  func(engine.Outcome) bool
}{
	{"all", func(engine.Outcome) bool { return true }},
	{"open", engine.Outcome.Open},
	{"closed", func(o engine.Outcome) bool { return o == engine.OutClosed }},
	{"other", func(o engine.Outcome) bool { return !o.Open() && o != engine.OutClosed }},
}

// reconciled reads the list of the address, held against its items.
func (c *Console) reconciled(v *visit) (engine.Reconciliation, error) {
	id := v.g.Param("id")
	if !engine.IsID(id) {
		return engine.Reconciliation{}, &engine.Error{Kind: engine.NotFound, Key: "lists.unknown"}
	}
	return c.Engine.Reconcile(v.ctx, v.actor, engine.ListID(id))
}

func (c *Console) list(v *visit) error {
	r, err := c.reconciled(v)
	if err != nil {
		return err
	}
	return c.showList(v, http.StatusOK, &r, nil)
}

// showList renders a list; why is the refusal of what was just tried.
func (c *Console) showList(v *visit, status int, r *engine.Reconciliation, why *engine.Error) error {
	l := &r.List
	view := listView{ID: string(l.ID), Number: l.Number, Name: l.Name, Unit: c.names.unit(v, l.UnitID), Version: l.Version, State: v.stateTag(l.State),
		Keeper: c.Engine.MayKeep(v.actor, l.UnitPath), Draft: l.State == engine.ListDraft, Published: l.State == engine.ListPublished,
		Running: l.State == engine.ListReconciling, Open: r.Open}
	if why != nil {
		plain := *why
		plain.Reasons = nil
		view.Problem = plain.In(v.lang)
		for _, x := range why.Reasons {
			if !x.Met {
				view.Checks = append(view.Checks, x.In(v.lang))
			}
		}
	}
	view.Sub = c.listSub(v, l)
	if l.ClosedAt != nil {
		view.Closed = v.t("console.list.closed_by", "who", c.names.user(v, l.ClosedBy), "at", c.moment(*l.ClosedAt))
	}
	var err error
	if view.Previous, view.Next, err = c.neighbours(v, l); err != nil {
		return err
	}
	c.sumUp(v, r, &view)
	tab := v.g.Query("show")
	shown := listTabs[0]
	for _, t := range listTabs {
		n := 0
		for i := range r.Lines {
			if t.has(r.Lines[i].Outcome) {
				n++
			}
		}
		href := "/lists/" + view.ID
		if t.name != "all" {
			href += "?show=" + t.name
		}
		current := t.name == tab || tab == "" && t.name == "all"
		if current {
			shown = t
		}
		view.Tabs = append(view.Tabs, viewTab{Href: href, Title: v.t("console.list.tab." + t.name), Count: strconv.Itoa(n), Current: current})
	}
	for i := range r.Lines {
		if !shown.has(r.Lines[i].Outcome) {
			continue
		}
		line, err := c.listLine(v, r, i, &view)
		if err != nil {
			return err
		}
		view.Rows = append(view.Rows, line)
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.list.none"), Why: v.t("console.list.none_why")}
	}
	if view.Keeper && (view.Draft || view.Published) {
		named, err := c.Engine.Named(v.ctx, v.actor, l)
		if err != nil {
			return err
		}
		for i := range named {
			p := &named[i]
			view.Named = append(view.Named, namedRow{string(p.ID), p.Number, p.Title, c.names.unit(v, p.UnitID), p.Deadline.String()})
		}
	}
	if view.Draft {
		if view.Needs, view.NeedsHref, err = c.needsFor(v, l); err != nil {
			return err
		}
	}
	return c.render(v, status, "list", l.Name, view)
}

// needsFor tells how many needs were collected for a list, and where they are; "" if there are none.
func (c *Console) needsFor(v *visit, l *engine.List) (text, href string, err error) {
	all, open := 0, 0
	f := engine.NeedFilter{Unit: l.UnitID, Number: l.Number, Limit: engine.MaxPage}
	for {
		page, err := c.Engine.Needs(v.ctx, v.actor, f)
		if err != nil {
			return "", "", err
		}
		all += len(page.Items)
		for i := range page.Items {
			if page.Items[i].State == engine.NeedOpen {
				open++
			}
		}
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	if all == 0 {
		return "", "", nil
	}
	return v.t("console.list.needs", "n", all, "open", open), "/needs?" + url.Values{"number": {l.Number}, "unit": {string(l.UnitID)}}.Encode(), nil
}

// listSub tells in one line where a list is in its life.
func (c *Console) listSub(v *visit, l *engine.List) string {
	parts := []string{c.names.unit(v, l.UnitID), listPeriod(l)}
	if l.PublishedAt != nil {
		parts = append(parts, v.t("console.list.published", "date", c.day(*l.PublishedAt)))
	}
	today := c.today()
	switch {
	case l.ClosedAt != nil:
		parts = append(parts, v.t("console.list.closed", "date", c.day(*l.ClosedAt)))
	case !today.After(l.To):
		n, _ := c.Engine.Working().Workdays(today.AddDays(1), l.To)
		parts = append(parts, v.t("console.list.left", "n", n))
	default:
		parts = append(parts, v.t("console.list.over"))
	}
	return strings.Join(parts, " · ")
}

// neighbours are the lists of the same unit before and after this one.
func (c *Console) neighbours(v *visit, l *engine.List) (before, after string, err error) {
	page, err := c.Engine.Lists(v.ctx, v.actor, engine.ListFilter{Unit: l.UnitID, Limit: engine.MaxPage})
	if err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(page.Items, func(x engine.List) bool { return x.ID == l.ID })
	if i > 0 {
		after = "/lists/" + string(page.Items[i-1].ID)
	}
	if i >= 0 && i+1 < len(page.Items) {
		before = "/lists/" + string(page.Items[i+1].ID)
	}
	return before, after, nil
}

// sumUp fills in the sentence, the bar and the figures above the table.
func (c *Console) sumUp(v *visit, r *engine.Reconciliation, view *listView) {
	n := len(r.Lines)
	count := r.Count
	view.Sum = v.t("console.list.sum", "n", n, "closed", count[engine.OutClosed], "shelved", count[engine.OutShelved], "carried", count[engine.OutCarried])
	view.Hint = v.t("console.list.hint." + string(r.List.State))
	carriedIn := 0
	byLight := map[engine.Light]int{}
	now := c.Now()
	for i := range r.Lines {
		l := &r.Lines[i]
		if l.Item.From != "" {
			carriedIn++
		}
		if l.Outcome.Open() {
			byLight[l.Project.Light(now)]++
		}
	}
	red, yellow := byLight[engine.Red], byLight[engine.Yellow]+byLight[engine.Orange]
	green := r.Open - red - yellow
	if n > 0 {
		parts := []struct {
			class string
			n     int
		}{{"bg-d", count[engine.OutClosed] + count[engine.OutCancelled]}, {"bg-h", count[engine.OutShelved]}, {"bg-b", count[engine.OutCarried]}, {"bg-g", green}, {"bg-y", yellow}, {"bg-r", red}}
		for _, p := range parts {
			if p.n > 0 {
				view.Bar = append(view.Bar, barPart{p.class, max(1, 100*p.n/n)})
			}
		}
		view.BarLabel = view.Sum + v.t("console.list.lights", "red", red, "yellow", yellow, "green", green)
	}
	view.Numbers = []numberView{
		{v.t("console.list.n.all"), strconv.Itoa(n), v.t("console.list.n.carried_in", "n", carriedIn)},
		{v.t("console.list.n.closed"), strconv.Itoa(count[engine.OutClosed]), percent(count[engine.OutClosed], n)},
		{v.t("console.list.n.open"), strconv.Itoa(r.Open), v.t("console.list.lights", "red", red, "yellow", yellow, "green", green)},
		{v.t("console.list.n.carried"), strconv.Itoa(count[engine.OutCarried]), v.t("console.list.n.next")},
		{v.t("console.list.n.shelved"), strconv.Itoa(count[engine.OutShelved]), v.t("console.list.n.by_leader")},
		{v.t("console.list.n.on_time"), percent(r.OnTime(), count[engine.OutClosed]), v.t("console.list.n.on_time_of", "n", count[engine.OutClosed], "ok", r.OnTime())},
	}
}

// listLine shows one item.
func (c *Console) listLine(v *visit, r *engine.Reconciliation, i int, view *listView) (listLine, error) {
	l := &r.Lines[i]
	p := &l.Project
	w, err := c.Engine.Pinned(v.ctx, p)
	if err != nil {
		return listLine{}, err
	}
	light := v.lightOf(p, c.Now())
	row := listLine{ID: string(l.ID), Title: p.Title, Number: p.Number, No: l.Item.No, First: i == 0, Last: i == len(r.Lines)-1,
		Up: l.Item.No - 1, Down: l.Item.No + 1, Unit: c.names.unit(v, p.UnitID), Owner: c.names.user(v, p.Owner), Light: light,
		Dots: v.dotsOf(w, p, light.Class), Due: c.dueOf(v, p, light.Class, c.today()), Note: l.Item.Note,
		Stamp: tagView{stamps[l.Outcome], l.Outcome.In(v.lang)}}
	if l.Outcome.Open() {
		row.Stamp.Text = v.t("console.list.unsettled")
		if l.Outcome == engine.OutOverdue {
			row.Stamp = tagView{"r", l.Outcome.In(v.lang)}
		}
	}
	if l.Seen {
		row.Href = "/projects/" + row.ID
	}
	for _, s := range []struct {
		name string
		done bool
	}{{"reported", l.Reported}, {"verified", l.Verified}, {"rated", l.Rated}} {
		state := "console.list.side.no"
		if s.done {
			state = "console.list.side.yes"
		}
		name := v.t("console.list.side." + s.name)
		row.Sides = append(row.Sides, sideView{name, name + v.t("list.colon") + v.t(state), s.done})
	}
	if row.Stays = l.Item.From != ""; row.Stays {
		row.Marks = append(row.Marks, tagView{"y", v.t("console.list.mark.carried", "n", l.Item.Times)})
	} else if l.Item.Late {
		row.Marks = append(row.Marks, tagView{"o", v.t("console.list.mark.late")})
	}
	if l.Late {
		row.Marks = append(row.Marks, tagView{"r", v.t("console.mark.ever")})
	}
	for _, m := range l.Missing {
		row.Missing = append(row.Missing, m.In(v.lang))
	}
	if view.Keeper && view.Running && (l.Outcome.Open() || l.Outcome == engine.OutShelved) && !p.Works(v.actor.ID) {
		row.Carry = "/lists/" + view.ID + "/carry/" + row.ID
	}
	return row, nil
}
