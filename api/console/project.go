package console

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// projectView is the page of one project.
type projectView struct {
	ID, Number, Title, Kind string
	Version                 int64
	Light                   lightView
	Meta                    []pair
	Marks                   []string // 曾逾期, 延期 2 次
	Steps                   []step
	Resting                 string // why there is no next stage
	Gate                    *gate
	Pending                 *pending
	Problem                 string // a refusal that belongs to no form on the page
	Typed                   []pair // what was written into that form
	CanEdit                 bool
	Forms                   []form
	Blocked                 []blockedView
	Facts                   []pair
	Extra                   []pair
	Schedule                schedule
	Route                   []routeStage
	Extended                []extensionView
	Given                   []markRow // 推广 and 评先, with those that were revoked
	Findings                []falseView
	Needs                   []needRow // that it does something about
	Reports                 []reportView
	Evidence                []evidenceView
	Due                     dueView
	DueDay                  string
	Progress                progressView
	Original                string // the first deadline, where it is another one
	Survey                  *surveyView
	Verification            *verdict
	Objections              []objectionView
	Coming                  []comingView
	Unknown                 bool // a date depends on a year whose list is not loaded
	Entries                 []entryView
	EntryCount              int
	Certificate             string // address of the 销号单, once there is one
	Sound, Whole            bool
	Proof                   *proofView // nil without a log
}

type pair struct{ Name, Text string }

// step is one stage of the stepper.
type step struct {
	State  string // done, now, ""
	Number int
	Name   string
	Lines  []string
}

// gate is what stands between the project and its next stage.
type gate struct {
	Title  string
	Count  string
	Ready  bool
	Checks []check
	Lead   string
}

// check is one line of the checklist.
type check struct {
	State, Icon  string // ok, todo, lock
	Text, Status string
	Href, Do     string // the act that settles it, if this person may
}

// pending is a request that waits for an answer.
type pending struct {
	What, From, To string
	By, At, Note   string
	Waits          string
	Given          []string
}

// blockedView is something that this person cannot do now, and why not.
type blockedView struct {
	Icon, Name string
	Why        []string
}

type reportView struct {
	Who, Initial, At, Percent     string
	Done, Next, Problems, Support string
}

type evidenceView struct {
	View                                                 string // address of the picture to show; "" for what is no picture
	ID, Href, Name, Type, Who, At, Size, Note, Milestone string
	Material                                             string // which of those that the definition asks for
	Digest                                               hashView
}

type surveyView struct {
	Rate, Votes string
	Levels      []surveyLevel
	By, At      string
}

type surveyLevel struct {
	Name    string
	Percent int
}

type verdict struct {
	Passed       bool
	By, At, Note string
}

type objectionView struct {
	Text, By, At           string
	Answer, AnsweredBy, On string
	Open                   bool
	Erasure                *erasureView // of what somebody without an account wrote
}

// comingView is one thing that the clock will do if nobody does anything.
type comingView struct {
	At, What, To, Class string
	Unknown             bool
}

// seen reads the project of the address. What this person may not see is as absent as what does not exist.
func (c *Console) seen(v *visit) (engine.Project, error) {
	id := v.g.Param("id")
	if !engine.IsID(id) {
		return engine.Project{}, notFound()
	}
	return c.Engine.Project(v.ctx, v.actor, engine.ProjectID(id))
}

func asError(err error) *engine.Error {
	e, ok := errors.AsType[*engine.Error](err)
	if !ok {
		return &engine.Error{Kind: engine.Invalid, Key: "api.refused", Err: err}
	}
	return e
}

func (c *Console) project(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	return c.showProject(v, &p, http.StatusOK, nil)
}

// showProject renders the page, with a form that was refused kept as it was typed.
func (c *Console) showProject(v *visit, p *engine.Project, status int, a *attempt) error {
	w, err := c.Engine.Pinned(v.ctx, p)
	if err != nil {
		return err
	}
	options, err := c.Engine.Explain(v.ctx, v.actor, p)
	if err != nil {
		return err
	}
	past, err := c.history(v, p, 0)
	if err != nil {
		return err
	}
	now, today := c.Now(), c.today()
	light := v.lightOf(p, now)
	view := projectView{ID: string(p.ID), Number: p.Number, Title: p.Title, Kind: w.Name.In(v.lang), Version: p.Version, Light: light,
		Due: c.dueOf(v, p, light.Class, today), Progress: v.progressOf(p, light.Class, now, c.Engine.Site.Location),
		EntryCount: len(past.entries), Sound: past.sound, Whole: past.whole, Unknown: p.CalendarUnknown}
	if view.Due.Left != "" {
		view.Light.Text += " · " + view.Due.Left
	}
	view.Light.Pill = true
	if !p.Deadline.IsZero() {
		view.DueDay = v.t("console.weekday." + strconv.Itoa(int(p.Deadline.Weekday())))
	}
	if !p.OriginalDeadline.IsZero() && p.OriginalDeadline != p.Deadline {
		view.Original = p.OriginalDeadline.String()
	}
	c.describeProject(v, p, w, &view)
	words, err := c.Engine.Words(v.ctx, p)
	if err != nil {
		return err
	}
	c.objections(v, p, words, &view)
	if view.Evidence, err = c.evidenceViews(v, p, w); err != nil {
		return err
	}
	view.Findings = c.findings(v, p, view.Evidence)
	view.Steps = c.steps(v, p, w, past.entries)
	c.addOptions(v, p, w, options, words, &view, a)
	view.Schedule = c.schedule(v, p, today, slices.ContainsFunc(options, func(o engine.Option) bool { return o.Act == "milestones" && o.Allowed }))
	view.Route = c.route(v, p, w, &view.Schedule)
	view.Extended = c.extensions(v, past.entries)
	for _, id := range slices.SortedFunc(maps.Keys(p.Marks), func(a, b string) int { return p.Marks[a].At.Compare(p.Marks[b].At) }) {
		view.Given = append(view.Given, c.markRow(v, p, id, p.Marks[id]))
	}
	needs, err := c.Engine.Needs(v.ctx, v.actor, engine.NeedFilter{Project: p.ID, Limit: engine.MaxPage})
	if err != nil {
		return err
	}
	for i := range needs.Items {
		view.Needs = append(view.Needs, c.needRow(v, &needs.Items[i]))
	}
	c.addRecords(v, p, w, past.entries, &view)
	if err := c.proveProject(v, p, &view); err != nil {
		return err
	}
	coming, err := c.Engine.Coming(v.ctx, p)
	if err != nil {
		return err
	}
	for _, o := range coming {
		view.Coming = append(view.Coming, c.comingView(v, o, w))
	}
	return c.render(v, status, "project", p.Title, view)
}

// describeProject fills in what people wrote about the project.
func (c *Console) describeProject(v *visit, p *engine.Project, w *engine.Workflow, view *projectView) {
	add := func(list *[]pair, key, s string) {
		if s != "" {
			*list = append(*list, pair{v.t("console.field." + key), s})
		}
	}
	add(&view.Meta, "unit", c.names.unit(v, p.UnitID))
	add(&view.Meta, "owner", c.names.user(v, p.Owner))
	add(&view.Meta, "assistants", strings.Join(c.names.users(v, p.Assistants), v.t("list.comma")))
	add(&view.Meta, "assisting", strings.Join(p.Assisting, v.t("list.comma")))
	add(&view.Meta, "sponsor", c.names.user(v, p.Sponsor))
	add(&view.Meta, "list", p.List)
	add(&view.Meta, "category", p.Category)
	if p.Year > 0 {
		add(&view.Meta, "year", strconv.Itoa(p.Year))
	}
	add(&view.Meta, "grade", w.GradeName(p.Grade).In(v.lang))
	add(&view.Facts, "need", p.Need)
	add(&view.Facts, "target", p.Target)
	add(&view.Facts, "measures", p.Measures)
	add(&view.Facts, "summary", p.Summary)
	add(&view.Facts, "lasting", p.Lasting)
	add(&view.Facts, "statement", p.Statement)
	rest := maps.Clone(p.Extra)
	for _, f := range w.Fields {
		if s := f.Value(p); s != "" {
			view.Facts = append(view.Facts, pair{f.Name.In(v.lang), s})
		}
		delete(rest, f.Name.ZH)
	}
	for _, k := range slices.Sorted(maps.Keys(rest)) {
		view.Extra = append(view.Extra, pair{k, rest[k]})
	}
	if p.EverOverdue {
		view.Marks = append(view.Marks, v.t("console.mark.ever"))
	}
	if p.Extensions > 0 {
		view.Marks = append(view.Marks, v.t("console.mark.extended", "n", p.Extensions))
	}
	if p.Returns > 0 {
		view.Marks = append(view.Marks, v.t("console.mark.returned", "n", p.Returns))
	}
	if p.Round > 0 {
		view.Marks = append(view.Marks, v.t("console.mark.round", "n", p.Round))
	}
	if p.LookBacksFailed > 0 {
		view.Marks = append(view.Marks, v.t("console.mark.look_back_failed", "n", p.LookBacksFailed))
	}
	if p.Convicted() {
		view.Marks = append(view.Marks, v.t("console.mark.convicted"))
	}
	if p.LateAsks > 0 {
		view.Marks = append(view.Marks, v.t("console.mark.late_asks", "n", p.LateAsks))
	}
	if p.LookBack != nil {
		add(&view.Facts, "look_back", c.lookedBack(v, p.LookBack))
	} else if !p.LookBackDue.IsZero() {
		add(&view.Facts, "look_back", v.t("console.look_back.due", "date", p.LookBackDue))
	}
	if p.Stage == engine.Closed {
		view.Certificate = "/projects/" + string(p.ID) + "/certificate"
	}
	if p.Stage.Resting() {
		view.Resting = w.StageName(p.Stage).In(v.lang)
	}
	if s := p.Survey; s != nil {
		n := s.Votes()
		x := &surveyView{Rate: rate(s), Votes: v.t("console.votes", "n", n), By: c.names.user(v, s.By), At: c.moment(s.At)}
		for i, count := range []int{s.VerySatisfied, s.Satisfied, s.Basic, s.Dissatisfied, s.VeryDissatisfied} {
			x.Levels = append(x.Levels, surveyLevel{v.t("console.survey." + surveyLevels[i]), 100 * count / max(1, n)})
		}
		view.Survey = x
	}
	if x := p.Verification; x != nil {
		view.Verification = &verdict{x.Passed, c.names.user(v, x.By), c.moment(x.At), x.Note}
	}
}

// objections fills in what people objected to.
func (c *Console) objections(v *visit, p *engine.Project, words map[string]string, view *projectView) {
	for _, id := range slices.Sorted(maps.Keys(p.Objections)) {
		o := p.Objections[id]
		view.Objections = append(view.Objections, objectionView{Text: words[id], By: c.names.user(v, o.By), At: c.moment(o.At), Answer: o.Answer,
			AnsweredBy: c.names.user(v, o.AnsweredBy), On: c.moments(o.AnsweredAt), Open: o.AnsweredAt == nil, Erasure: c.wordsErasure(v, p, id)})
	}
}

// steps tells for each stage when it was entered and left, by whose decision, or how long it may take.
func (c *Console) steps(v *visit, p *engine.Project, w *engine.Workflow, entries []engine.EntryRow) []step {
	type stay struct {
		from, to time.Time
		by       string
	}
	stays := map[engine.StageID]*stay{}
	for i := range entries {
		e := &entries[i]
		switch e.Action {
		case "create", "import", "approve", "transition", "auto", "verify", "return":
		default:
			continue // it asked for a move, or moved nothing
		}
		if e.From == e.To {
			continue
		}
		if s := stays[engine.StageID(e.From)]; s != nil {
			s.to, s.by = e.At, c.names.user(v, engine.UserID(e.Actor.ID))
		}
		if e.To != "" {
			stays[engine.StageID(e.To)] = &stay{from: e.At}
		}
	}
	present := p.Stage
	if p.Stage == engine.Shelved {
		present = p.Resume
	}
	at := slices.IndexFunc(w.Stages, func(s engine.Stage) bool { return s.ID == present })
	if at < 0 && p.Stage == engine.Closed {
		at = len(w.Stages)
	}
	var out []step
	working := c.Engine.Working()
	loc := c.Engine.Site.Location
	for i, s := range w.Stages {
		x := step{Number: i + 1, Name: s.Name.In(v.lang)}
		limit := ""
		switch {
		case s.Limit.UntilDeadline:
			limit = v.t("workflow.graph.until_deadline")
		case s.Limit.Workdays > 0:
			limit = v.t("workflow.graph.workdays", "n", s.Limit.Workdays)
		}
		st := stays[s.ID]
		switch {
		case i < at:
			x.State = "done"
			if st != nil && !st.to.IsZero() {
				days, _ := working.Workdays(calendar.DateOf(st.from, loc), calendar.DateOf(st.to, loc))
				x.Lines = []string{c.day(st.from) + "—" + c.day(st.to), v.t("console.step.done", "n", days, "by", st.by)}
			}
		case i == at:
			x.State = "now"
			days, _ := working.Workdays(calendar.DateOf(p.StageSince, loc), c.today())
			x.Lines = []string{v.t("console.step.since", "date", c.day(p.StageSince)), v.t("console.step.days", "n", days)}
			if limit != "" {
				x.Lines[1] += " · " + limit
			}
		default:
			if limit != "" {
				x.Lines = []string{limit}
			}
		}
		out = append(out, x)
	}
	return out
}

// addRecords takes reports and the timeline out of the trail.
func (c *Console) addRecords(v *visit, p *engine.Project, w *engine.Workflow, entries []engine.EntryRow, view *projectView) {
	const shown = 12
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		if len(view.Entries) < shown {
			view.Entries = append(view.Entries, c.entryView(v, e, w))
		}
		if e.Action == "report" {
			view.Reports = append(view.Reports, c.reportView(v, e))
		}
	}
}

// comingView says what the clock will do.
func (c *Console) comingView(v *visit, o engine.Occurrence, w *engine.Workflow) comingView {
	out := comingView{At: c.moment(o.At), What: v.t("occurrence." + o.Kind), Unknown: o.Unknown}
	switch o.Kind {
	case "light":
		out.What, out.Class = v.t("console.light.turns", "light", v.t("console.light."+string(o.Light))), lightClass[o.Light]
	case "rung":
		out.What = o.Rung.In(v.lang)
		var to []string
		for _, r := range o.To {
			to = append(to, r.In(v.lang))
		}
		out.To = strings.Join(to, v.t("list.comma"))
	case "stage":
		out.What = v.t("console.stage.enter", "stage", w.StageName(o.Stage))
	case "overdue":
		out.Class = "r"
	}
	return out
}
