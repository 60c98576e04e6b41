package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bihuan/engine"
)

// trailView is the 督查: who did what, when, and whether it is as it was written.
type trailView struct {
	Project string // number as typed
	People  []choice
	Units   []choice
	Actions []choice
	From    string
	To      string
	Oldest  bool
	Error   string
	Rows    []entryView
	Proof   *proofView
	Sound   int // rows whose hash was recomputed just now and equals
	More    string
	First   string
	CSV     string
	XLSX    string
	Table   string // address of the same as a table
	Line    string // and as a timeline
	Lined   bool   // it is shown as a timeline
	Clear   string
	Empty   *emptyView
}

// actions are what a trail can be searched for.
var actions = []string{
	"create",
	"import",
	"edit",
	"submit",
	"approve",
	"return",
	"withdraw",
	"transition",
	"auto",
	"acknowledge",
	"lay_milestones",
	"edit_milestone",
	"remove_milestone",
	"tick",
	"report",
	"evidence",
	"extend",
	"extend_late",
	"urge",
	"rung",
	"overdue",
	"verify",
	"survey",
	"open_poll",
	"renew_poll",
	"close_poll",
	"count_poll",
	"object",
	"answer",
	"summarize",
	"statement",
	"look_back",
	"look_back_due",
	"repin",
	"reschedule",
	"hand_over",
	"mark",
	"unmark",
	"find_false",
	"lift_finding",
	"draw_up",
	"enlist",
	"put",
	"place",
	"take",
	"delist",
	"reconcile",
	"account",
	"carry_over",
	"carried_in",
	"close",
	"collect",
	"accept",
	"decline",
	"merge",
	"absorb",
	"settle",
	"tell",
	"refused",
	"export",
	"export_trail_bundle",
	"verify_trail",
	"checkpoint_key",
	"epoch",
	"back_up",
	"restore",
	"alarm",
	"sign_in",
	"sign_in_begun",
	"sign_in_failed",
	"sign_in_refused",
	"sign_out",
	"end_sessions",
	"set_password",
	"enrol_totp",
	"renew_recovery",
	"use_recovery",
	"remove_totp",
	"link_identity",
	"unlink_identity",
	"issue_token",
	"revoke_token",
	"offer_set_up",
	"set_up",
	"set_up_refused",
	"add_user",
	"disable",
	"enable",
	"ask_erasure",
	"end_erasure",
	"erase",
	"grant",
	"revoke",
	"leave",
	"delegate",
	"end_delegation",
	"add_unit",
	"rename_unit",
	"move_unit",
	"close_unit",
	"reopen_unit",
	"publish",
	"enable_tally",
	"disable_tally",
	"enrol_member",
	"strike_member",
	"enter_hours",
	"confirm_hours",
	"decline_hours",
	"withdraw_hours",
	"enable_workflow",
	"disable_workflow",
	"propose_sheet",
	"adopt_sheet",
	"reject_sheet",
	"withdraw_sheet",
	"load_calendar",
	"add_channel",
	"change_channel",
	"test_channel",
	"replay",
	"archive",
	"settings",
	"wording",
	"keep_mapping",
	"forget_mapping",
	"new_feed",
	"end_feed",
}

// trailFilter is what the address asks for.
type trailFilter struct {
	engine.EntryFilter
	project string
	query   url.Values
}

// trailFilter reads the address. A number that no visible project has is an error beside its control.
func (c *Console) trailFilter(v *visit) (trailFilter, error) {
	q := v.g.Request.URL.Query()
	f := trailFilter{project: strings.TrimSpace(q.Get("project")), query: url.Values{}}
	for _, name := range []string{"project", "actor", "unit", "action", "from", "to", "order", "as"} {
		for _, s := range q[name] {
			if s != "" {
				f.query.Add(name, s)
			}
		}
	}
	f.After, f.OldestFirst = q.Get("after"), q.Get("order") == "oldest"
	if a := q.Get("actor"); a != "" {
		f.Actor = engine.UserID(a)
	}
	if u := q.Get("unit"); u != "" {
		f.Unit = engine.UnitID(u)
	}
	for _, a := range q["action"] {
		if slices.Contains(actions, a) {
			f.Actions = append(f.Actions, a)
		}
	}
	loc := c.Engine.Site.Location
	from, err := date(q, "from")
	if err != nil {
		return f, err
	}
	to, err := date(q, "to")
	if err != nil {
		return f, err
	}
	if !from.IsZero() {
		f.From = from.Start(loc)
	}
	if !to.IsZero() {
		f.To = to.AddDays(1).Start(loc)
	}
	if f.project == "" {
		return f, nil
	}
	if engine.IsID(f.project) {
		p, err := c.Engine.Project(v.ctx, v.actor, engine.ProjectID(f.project))
		if err != nil {
			return f, err
		}
		f.Subject, f.project = p.Subject(), p.Number
		return f, nil
	}
	page, err := c.Engine.List(v.ctx, v.actor, engine.Filter{Text: f.project, Limit: 20})
	if err != nil {
		return f, err
	}
	for i := range page.Items {
		if p := &page.Items[i]; p.Number == f.project || len(page.Items) == 1 {
			f.Subject = p.Subject()
			return f, nil
		}
	}
	return f, invalid("project", "console.trail.no_project", "project", f.project)
}

func (f trailFilter) address(path string, changes ...string) string {
	return ledgerFilter{query: f.query}.address(path, changes...)
}

func (c *Console) trail(v *visit) error {
	f, err := c.trailFilter(v)
	status := http.StatusOK
	view := trailView{Project: f.project, From: v.g.Query("from"), To: v.g.Query("to"), Oldest: f.OldestFirst, CSV: f.address("/trail.csv"), XLSX: f.address("/trail.xlsx"),
		Table: f.address("/trail", "as", ""), Line: f.address("/trail", "as", "timeline"), Lined: v.g.Query("as") == "timeline"}
	if kind := engine.KindOf(err); kind == engine.Invalid || kind == engine.NotFound {
		status, view.Error = statuses[kind], asError(err).In(v.lang)
	} else if err != nil {
		return err
	}
	if view.Error == "" {
		f.Limit = ledgerPage
		page, err := c.Engine.Trail(v.ctx, v.actor, f.EntryFilter)
		if err != nil {
			return err
		}
		numbers := map[string]*engine.Project{}
		for i := range page.Items {
			row, err := c.trailRow(v, &page.Items[i], numbers)
			if err != nil {
				return err
			}
			if row.Sound {
				view.Sound++
			}
			view.Rows = append(view.Rows, row)
		}
		if view.Proof, err = c.placed(v, view.Rows); err != nil {
			return err
		}
		if page.Next != "" {
			view.More = f.address("/trail", "after", page.Next)
		}
		if f.After != "" {
			view.First = f.address("/trail")
		}
	}
	if view.People, err = c.peopleChoices(v, f.Actor); err != nil {
		return err
	}
	if view.Units, err = c.unitChoices(v, f.Unit); err != nil {
		return err
	}
	inspected, err := c.inspectedUnits(v)
	if err != nil {
		return err
	}
	if err := c.offerPart(v, view.Proof, engine.Part{}, partForm{Action: "/trail/bundle.zip", Units: inspected}); err != nil {
		return err
	}
	for _, a := range actions {
		view.Actions = append(view.Actions, choice{a, v.actionName(a), slices.Contains(f.Actions, a)})
	}
	if n := len(f.query); n > 1 || n == 1 && !view.Lined {
		view.Clear = "/trail"
	}
	if len(view.Rows) == 0 && view.Error == "" {
		view.Empty = &emptyView{Title: v.t("console.trail.none"), Why: v.t("console.trail.none_why"), Href: "/trail", Do: v.t("console.ledger.clear")}
	}
	return c.render(v, status, "trail", v.t("console.nav.trail"), view)
}

// trailRow is an entry with its project's number, which is read once for a page.
func (c *Console) trailRow(v *visit, e *engine.EntryRow, known map[string]*engine.Project) (entryView, error) {
	var w *engine.Workflow
	var p *engine.Project
	if e.Kind() == engine.SubjectProject {
		id := e.SubjectID()
		var ok bool
		if p, ok = known[id]; !ok {
			found, err := c.Engine.Project(v.ctx, v.actor, engine.ProjectID(id))
			switch {
			case err == nil:
				p = &found
			case engine.KindOf(err) != engine.NotFound: // it left the person's units since
				return entryView{}, err
			}
			known[id] = p
		}
	}
	if p != nil {
		var err error
		if w, err = c.Engine.Pinned(v.ctx, p); err != nil {
			return entryView{}, err
		}
	}
	row := c.entryView(v, e, w)
	if p != nil {
		row.Number, row.Title = p.Number, p.Title
	} else {
		row.Subject = ""
	}
	return row, nil
}

func (c *Console) trailCSV(v *visit) error  { return c.exportTrail(v, "csv") }
func (c *Console) trailXLSX(v *visit) error { return c.exportTrail(v, "xlsx") }

// exportTrail exports what the search found, with the whole hashes, so that it can be compared elsewhere.
func (c *Console) exportTrail(v *visit, format string) error {
	f, err := c.trailFilter(v)
	if err != nil {
		return err
	}
	f.After, f.Limit = "", engine.MaxPage
	page, err := c.Engine.Trail(v.ctx, v.actor, f.EntryFilter)
	if err != nil {
		return err
	}
	if err := c.Engine.Note(v.ctx, v.actor, "export", map[string]any{"what": "trail", "format": format, "filter": f.query.Encode()}); err != nil {
		return err
	}
	head := []string{v.t("console.col.time"), v.t("console.col.who"), v.t("console.col.role"), v.t("console.col.action"), v.t("console.col.number"),
		v.t("console.col.title"), v.t("console.col.what"), v.t("console.field.note"), "seq", "sha256", "prev"}
	numbers := map[string]*engine.Project{}
	rows := func(write func(...any) error) error {
		for {
			for i := range page.Items {
				e := &page.Items[i]
				r, err := c.trailRow(v, e, numbers)
				if err != nil {
					return err
				}
				if err := write(e.At.In(c.Engine.Site.Location).Format(time.RFC3339), r.Who, r.Role, r.Action, r.Number, r.Title, r.What, r.Note,
					v.t("console.number", "n", r.Seq), r.Hash.Whole, r.Prev.Whole); err != nil {
					return err
				}
			}
			if page.Next == "" {
				return nil
			}
			f.After = page.Next
			if page, err = c.Engine.Trail(v.ctx, v.actor, f.EntryFilter); err != nil {
				return err
			}
		}
	}
	if format == "csv" {
		return c.table(v, "trail", head, rows)
	}
	return c.workbook(v, "trail", v.t("console.nav.trail"), head, func(write func(...any) error) error {
		n := 0
		return rows(func(cells ...any) error {
			if n++; n > maxXLSX { // before the first byte is sent
				return invalid("format", "console.trail.too_many", "limit", maxXLSX)
			}
			return write(cells...)
		})
	})
}
