package console

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// ledgerFilter is what an address of the ledger says.
type ledgerFilter struct {
	engine.Filter
	view    string
	mine    bool
	columns []string   // ids; what the address or the person's cookie says, else the usual ones
	query   url.Values // the address, without what it does not understand and without the page
}

// views are the standing views, each a filter.
var views = []string{"open", "alarm", "list", "waiting", "closed", "all"}

// ledgerFilter reads an address. What it does not understand it refuses, so that a mistyped filter never passes
// for "everything".
func (c *Console) ledgerFilter(v *visit, q url.Values) (ledgerFilter, error) {
	f := ledgerFilter{view: "open", query: url.Values{}}
	bad := func(name string) error { return invalid(name, "console.ledger.bad_filter") }
	keep := func(name string) string {
		s := strings.TrimSpace(q.Get(name))
		if s != "" {
			f.query.Set(name, s)
		}
		return s
	}
	if s := keep("view"); s != "" {
		f.view = s
	}
	if !slices.Contains(views, f.view) {
		return f, bad("view")
	}
	f.Sort, f.After = engine.Sort(keep("sort")), q.Get("after")
	if f.Sort == "" && f.view != "closed" && f.view != "all" {
		f.Sort = engine.ByDeadline
	}
	f.Text, f.Kind, f.List = keep("q"), keep("kind"), keep("list")
	f.Unit, f.Owner = engine.UnitID(keep("unit")), engine.UserID(keep("owner"))
	for _, s := range q["stage"] {
		if s != "" {
			f.Stage = append(f.Stage, engine.StageID(s))
			f.query.Add("stage", s)
		}
	}
	for _, s := range q["light"] {
		l := engine.Light(s)
		if lightClass[l] == "" {
			return f, bad("light")
		}
		f.Light = append(f.Light, l)
		f.query.Add("light", s)
	}
	for name, to := range map[string]**bool{"overdue": &f.Overdue, "ever": &f.Ever} {
		switch s := keep(name); s {
		case "":
		case "0", "1":
			*to = new(s == "1")
		default:
			return f, bad(name)
		}
	}
	for name, to := range map[string]*bool{"mine": &f.mine, "alone": &f.Alone, "pending": &f.Pending, "kept": &f.Kept} {
		switch keep(name) {
		case "":
		case "1":
			*to = true
		default:
			return f, bad(name)
		}
	}
	if f.mine {
		f.Owner = v.user.ID
	}
	for name, set := range map[string]func(calendar.Date){
		"due_from": func(d calendar.Date) { f.DueFrom = d }, "due_to": func(d calendar.Date) { f.DueTo = d },
		"closed_from": func(d calendar.Date) { f.ClosedFrom = d.Start(c.Engine.Site.Location) },
		"closed_to":   func(d calendar.Date) { f.ClosedTo = d.AddDays(1).Start(c.Engine.Site.Location) },
	} {
		if s := keep(name); s != "" {
			d, err := calendar.ParseDate(s)
			if err != nil {
				return f, bad(name)
			}
			set(d)
		}
	}
	f.Limit = ledgerPage
	if s := keep("rows"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > engine.MaxPage {
			return f, bad("rows")
		}
		f.Limit = n
	}
	var ok bool
	if f.columns, ok = chosenColumns(keep("cols")); !ok {
		return f, bad("cols")
	}
	if f.columns == nil {
		f.columns, _ = chosenColumns(v.cookie(columnsCookie)) // an old cookie that names no column is as good as none
	}
	if f.columns == nil {
		f.columns = usualColumns
	}
	c.throughView(v, &f)
	return f, nil
}

// throughView adds what the standing view says.
func (c *Console) throughView(v *visit, f *ledgerFilter) {
	switch f.view {
	case "open":
		f.Open = true
	case "alarm":
		f.Open = true
		if len(f.Light) == 0 {
			f.Light = []engine.Light{engine.Red, engine.Orange, engine.Yellow}
		}
	case "list":
		f.Kept = true
		if f.List == "" {
			f.List = periodOf(c.today()).Number
		}
	case "waiting":
		f.Waiting = v.roles()
	case "closed":
		if len(f.Stage) == 0 {
			f.Stage = []engine.StageID{engine.Closed}
		}
	}
}

// throughNoView is the filter without what the standing view adds, for counting what each view would show.
func (c *Console) throughNoView(v *visit, f ledgerFilter) (engine.Filter, error) {
	q := url.Values{}
	for k, s := range f.query {
		q[k] = s
	}
	q.Set("view", "all")
	plain, err := c.ledgerFilter(v, q)
	return plain.Filter, err
}

// roles are what a person could be waited for as; somebody without a grant is only ever an owner.
func (v *visit) roles() []engine.Role {
	out := []engine.Role{}
	for _, g := range v.actor.Grants {
		if !slices.Contains(out, g.Role) {
			out = append(out, g.Role)
		}
	}
	if len(out) == 0 {
		out = append(out, engine.Owner)
	}
	return out
}

// address is the ledger's address with some of the filters changed; "" removes one.
func (f ledgerFilter) address(path string, changes ...string) string {
	q := url.Values{}
	for k, s := range f.query {
		q[k] = s
	}
	for i := 0; i+1 < len(changes); i += 2 {
		q.Del(changes[i])
		if changes[i+1] != "" {
			q.Set(changes[i], changes[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// looks are the parts of an address that filter nothing.
var looks = []string{"view", "sort", "cols", "rows"}

// filtered tells whether anything is filtered beyond the standing view.
func (f ledgerFilter) filtered() bool {
	for name := range f.query {
		if !slices.Contains(looks, name) {
			return true
		}
	}
	return false
}

// condition is a filter that is set, in words, with the address without it.
type condition struct{ Text, Without string }

// conditions names the filters that are set. Those that controls show too are only wanted in print and where nothing
// was found.
func (c *Console) conditions(v *visit, f ledgerFilter, all bool) []condition {
	var out []condition
	add := func(words string, names ...string) {
		var changes []string
		for _, name := range names {
			changes = append(changes, name, "")
		}
		out = append(out, condition{words, f.address("/ledger", changes...)})
	}
	if all {
		if f.Text != "" {
			add("“"+f.Text+"”", "q")
		}
		if f.Kind != "" {
			add(c.kindName(v, f.Kind), "kind")
		}
		for _, name := range f.query["stage"] {
			add(v.t("console.col.stage")+v.t("list.colon")+c.stageName(v, engine.StageID(name)), "stage")
		}
		for _, l := range f.query["light"] {
			add(v.t("console.light."+l), "light")
		}
		if f.mine {
			add(v.t("console.ledger.mine"), "mine")
		}
		if f.Overdue != nil && *f.Overdue {
			add(v.t("console.col.overdue"), "overdue")
		}
	} else if len(f.query["stage"]) > 1 {
		var names []string
		for _, name := range f.query["stage"] {
			names = append(names, c.stageName(v, engine.StageID(name)))
		}
		add(strings.Join(names, v.t("list.comma")), "stage")
	}
	if f.Unit != "" && (all || f.Alone) {
		name := c.names.unit(v, f.Unit)
		if f.Alone {
			name = v.t("console.ledger.alone", "unit", name)
		}
		add(name, "unit", "alone")
	}
	if f.Owner != "" && !f.mine {
		add(v.t("console.col.owner")+v.t("list.colon")+c.names.user(v, f.Owner), "owner")
	}
	if s := f.query.Get("list"); s != "" {
		add(v.t("console.ledger.on_list", "list", s), "list")
	}
	if f.Overdue != nil && !*f.Overdue {
		add(v.t("console.ledger.not_overdue"), "overdue")
	}
	if f.Ever != nil {
		add(v.t(map[bool]string{true: "console.col.ever", false: "console.ledger.never_overdue"}[*f.Ever]), "ever")
	}
	if f.Pending {
		add(v.t("console.pending"), "pending")
	}
	if f.query.Get("kept") != "" {
		add(v.t("console.ledger.kept"), "kept")
	}
	for _, s := range []string{"due", "closed"} {
		if from, to := f.query.Get(s+"_from"), f.query.Get(s+"_to"); from != "" || to != "" {
			add(v.t("console.ledger."+s+"_within", "from", dash(from), "to", dash(to)), s+"_from", s+"_to")
		}
	}
	return out
}

// dash stands for a bound that is not set.
func dash(s string) string {
	if s == "" {
		return "…"
	}
	return s
}

// filterWords are the conditions in one line.
func (c *Console) filterWords(v *visit, f ledgerFilter) string {
	var words []string
	for _, x := range c.conditions(v, f, true) {
		words = append(words, x.Text)
	}
	return strings.Join(words, v.t("list.comma"))
}

// kindName names a kind of projects.
func (c *Console) kindName(v *visit, id string) string {
	if w, err := c.Engine.Workflow(id); err == nil {
		return w.Name.In(v.lang)
	}
	return id
}

// stageName names a stage in the words of whichever workflow has it.
func (c *Console) stageName(v *visit, id engine.StageID) string {
	for _, w := range ordered(c.Engine.Published()) {
		if s := w.StageName(id).In(v.lang); s != "" {
			return s
		}
	}
	return string(id)
}

// workflowsByID are the workflows that are switched on, in a steady order.
func (c *Console) workflowsByID() []*engine.Workflow { return ordered(c.Engine.Workflows()) }

// shownKinds are the workflows whose items pages show and part: those that are switched on, and those that were switched
// off while the person still sees items of them.
func (c *Console) shownKinds(v *visit) ([]*engine.Workflow, error) {
	list := c.Engine.Workflows()
	for _, w := range c.Engine.Published() {
		if _, ever := c.Engine.Switched(w.ID); !ever || c.Engine.IsOn(w.ID) {
			continue
		}
		page, err := c.Engine.List(v.ctx, v.actor, engine.Filter{Kind: w.ID, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(page.Items) > 0 {
			list = append(list, w)
		}
	}
	return ordered(list), nil
}

// ordered puts workflows into a steady order: the two kinds that every site has, then the others.
func ordered(list []*engine.Workflow) []*engine.Workflow {
	first := []string{"shuji", "shishi"}
	slices.SortFunc(list, func(a, b *engine.Workflow) int {
		return cmp.Or(slices.Index(first, b.ID)-slices.Index(first, a.ID), strings.Compare(a.ID, b.ID))
	})
	return list
}

// dateOf is the day of a moment at the site; the zero day for none.
func (c *Console) dateOf(t *time.Time) calendar.Date {
	if t == nil {
		return calendar.Date{}
	}
	return calendar.DateOf(*t, c.Engine.Site.Location)
}
