package v1

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// Ref names something by id, and in words where they are known.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Row is a project as lists show it.
type Row struct {
	ID               string     `json:"id"`
	Number           string     `json:"number" doc:"编号"`
	Kind             string     `json:"kind" doc:"Id of the workflow."`
	Title            string     `json:"title"`
	Category         string     `json:"category,omitempty"`
	Unit             Ref        `json:"unit" doc:"牵头单位"`
	Owner            *Ref       `json:"owner,omitempty" doc:"承办人"`
	Sponsor          *Ref       `json:"sponsor,omitempty" doc:"领办领导"`
	List             string     `json:"list,omitempty" doc:"双月清单: its number."`
	ListID           string     `json:"list_id,omitempty" doc:"The drawn-up list that it stands on; empty while a list is only named."`
	Carried          int        `json:"carried" doc:"Times carried over into the next list."`
	Stage            Ref        `json:"stage"`
	StageSince       time.Time  `json:"stage_since"`
	StageDue         *time.Time `json:"stage_due,omitempty"`
	Light            string     `json:"light" enum:"green,yellow,orange,red,none" doc:"亮灯 at this moment."`
	Deadline         string     `json:"deadline,omitempty" doc:"办结时限, a day."`
	OriginalDeadline string     `json:"original_deadline,omitempty"`
	Extensions       int        `json:"extensions" doc:"Approved extensions."`
	Progress         int        `json:"progress" doc:"Percent, from the last report."`
	OverdueAt        *time.Time `json:"overdue_at,omitempty" doc:"When 逾期 under the present deadline was recorded."`
	EverOverdue      bool       `json:"ever_overdue" doc:"曾逾期"`
	Waiting          []Ref      `json:"waiting" doc:"Roles whose turn it is."`
	Returns          int        `json:"returns" doc:"Times sent back."`
	Round            int        `json:"round" doc:"Times it came back to be redone."`
	ClosedAt         *time.Time `json:"closed_at,omitempty" doc:"销号"`
	CalendarUnknown  bool       `json:"calendar_unknown" doc:"A date depends on a year whose holiday list is not loaded."`
	CreatedAt        time.Time  `json:"created_at"`
	UpdatedAt        time.Time  `json:"updated_at"`
	Version          int64      `json:"version"`
}

// Project is one project with all its facts.
type Project struct {
	Row
	Definition     string            `json:"definition" doc:"Digest of the definition version that it is pinned to."`
	Need           string            `json:"need,omitempty" doc:"需求"`
	Target         string            `json:"target,omitempty" doc:"预期成效"`
	Measures       string            `json:"measures,omitempty" doc:"举措"`
	Assistants     []Ref             `json:"assistants"`
	Assisting      []string          `json:"assisting" doc:"协办单位"`
	Extra          map[string]string `json:"extra,omitempty" doc:"Columns of an imported ledger that have no field."`
	Resume         *Ref              `json:"resume,omitempty" doc:"The stage to come back to from 挂账."`
	StartedAt      *time.Time        `json:"started_at,omitempty" doc:"交办"`
	AcknowledgedAt *time.Time        `json:"acknowledged_at,omitempty" doc:"签收"`
	Request        *Request          `json:"request,omitempty" doc:"What waits for approval."`
	Milestones     []Milestone       `json:"milestones" doc:"时间表, by date."`
	Reports        int               `json:"reports"`
	ReportedAt     *time.Time        `json:"reported_at,omitempty"`
	EvidenceCount  int               `json:"evidence_count"`
	Verification   *Verification     `json:"verification,omitempty"`
	Survey         *Survey           `json:"survey,omitempty"`
	Objections     []Objection       `json:"objections"`
	Summary        string            `json:"summary,omitempty" doc:"成效总结"`
	Lasting        string            `json:"lasting,omitempty" doc:"长效机制"`
	Statement      string            `json:"statement,omitempty" doc:"书面说明 of why the deadline was missed"`
	Year           int               `json:"year,omitempty" doc:"年度 of a yearly kind"`
	Grade          *Ref              `json:"grade,omitempty" doc:"The grade that it ended with."`
	UrgedOn        string            `json:"urged_on,omitempty" doc:"Day of the last 催办 by hand."`
	Urges          int               `json:"urges"`
	LookBackDue    string            `json:"look_back_due,omitempty" doc:"Day from which the closed item is inspected once more (回头看)."`
	LookBack       *LookBack         `json:"look_back,omitempty" doc:"Newest confirmed look-back."`
	LookBacks      int               `json:"look_backs" doc:"Confirmed look-backs."`
	LookBacksLost  int               `json:"look_backs_failed" doc:"Look-backs that reopened it."`
	Marks          []Mark            `json:"marks" doc:"推广 and 评先, with those that were revoked."`
	Findings       []Finding         `json:"findings" doc:"Of false evidence (弄虚作假), with those that were lifted."`
	LateAsks       int               `json:"late_asks" doc:"Extensions that were asked for after the deadline, and refused."`
	NextAt         *time.Time        `json:"next_at,omitempty" doc:"When the clock will do something next."`
	CreatedBy      Ref               `json:"created_by"`
	Head           string            `json:"head" doc:"Hash of the newest audit entry."`
	Options        []Option          `json:"options,omitempty" doc:"What could be done next, each with its checklist: why not? Only when the project is read."`
	Coming         []Occurrence      `json:"coming,omitempty" doc:"What the clock will do if nothing happens. Only when the project is read."`
}

// Request is what waits for approval.
type Request struct {
	Kind       string     `json:"kind" enum:"transition,extension,look_back,finding"`
	Transition *Ref       `json:"transition,omitempty"`
	Deadline   string     `json:"deadline,omitempty" doc:"The date that an extension asks for, or a failed look-back or a finding sets."`
	LookBack   *LookBack  `json:"look_back,omitempty" doc:"The finding of a look-back."`
	Finding    *Wrong     `json:"finding,omitempty" doc:"A finding of false evidence, or its end."`
	By         Ref        `json:"by"`
	At         time.Time  `json:"at"`
	Note       string     `json:"note,omitempty"`
	Given      []Approval `json:"given" doc:"Approvals so far."`
}

// Approval is one yes to a request.
type Approval struct {
	By   Ref       `json:"by"`
	Role Ref       `json:"role"`
	Step int       `json:"step" doc:"The approval step that it counts for, from 1."`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`

	Criteria []string `json:"criteria,omitempty" doc:"Ids of the criteria that were confirmed with it."`
}

// Milestone is a dated step.
type Milestone struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Due      string     `json:"due"`
	Who      string     `json:"who,omitempty"`
	After    []string   `json:"after,omitempty" doc:"Ids of the milestones that it follows."`
	DoneAt   *time.Time `json:"done_at,omitempty"`
	DoneNote string     `json:"done_note,omitempty"`
}

// Verification is the newest on-site check.
type Verification struct {
	Passed bool      `json:"passed"`
	By     Ref       `json:"by"`
	At     time.Time `json:"at"`
	Note   string    `json:"note,omitempty"`
}

// Survey is a satisfaction survey.
type Survey struct {
	Votes
	By Ref       `json:"by"`
	At time.Time `json:"at"`
}

// Votes are counts in the five levels of 好差评.
type Votes struct {
	VerySatisfied    int `json:"very_satisfied" doc:"非常满意"`
	Satisfied        int `json:"satisfied" doc:"满意"`
	Basic            int `json:"basic" doc:"基本满意"`
	Dissatisfied     int `json:"dissatisfied" doc:"不满意"`
	VeryDissatisfied int `json:"very_dissatisfied" doc:"非常不满意"`
}

// Objection is a complaint and its answer.
type Objection struct {
	ID         string     `json:"id"`
	Text       string     `json:"text" doc:"Empty where it was erased."`
	By         Ref        `json:"by"`
	At         time.Time  `json:"at"`
	Due        string     `json:"due,omitempty" doc:"Last day to answer it."`
	Answer     string     `json:"answer,omitempty"`
	AnsweredBy *Ref       `json:"answered_by,omitempty"`
	AnsweredAt *time.Time `json:"answered_at,omitempty"`

	Erasure *ErasureState `json:"erasure,omitempty" doc:"Only of what somebody without an account wrote, which can be erased."`
}

// Option is one thing that could be done next, for the person asking.
type Option struct {
	Act        string  `json:"act" doc:"submit, approve, return, withdraw, or an act of the stage."`
	Name       string  `json:"name"`
	Transition string  `json:"transition,omitempty" doc:"What to submit."`
	To         *Ref    `json:"to,omitempty" doc:"The stage that it leads to."`
	Trigger    string  `json:"trigger,omitempty" doc:"What sets the transition off."`
	Roles      []Ref   `json:"roles" doc:"Who may."`
	Allowed    bool    `json:"allowed" doc:"You may do it now."`
	Reasons    []Check `json:"reasons" doc:"The checklist."`
	Criteria   []Ref   `json:"criteria,omitempty" doc:"What has to be confirmed with the approval, all of it."`
	Grades     []Ref   `json:"grades,omitempty" doc:"The grades of which the approval gives one."`
}

// Check is one line of an option's checklist.
type Check struct {
	ID   string `json:"id"`
	Met  bool   `json:"met"`
	Note bool   `json:"note,omitempty" doc:"Unmet only because the note is still to be written."`
	Text string `json:"text"`
}

// row shows a project in a list. people resolves names; without a book they are left out.
func (h *handlers) row(ctx context.Context, p *engine.Project, people refs) (Row, error) {
	w, err := h.Engine.Pinned(ctx, p)
	if err != nil {
		return Row{}, err
	}
	lang := request.From(ctx).Lang
	return Row{
		ID: string(p.ID), Number: p.Number, Kind: p.Kind, Title: p.Title, Category: p.Category,
		Unit: people.unit(ctx, p.UnitID), Owner: people.maybe(ctx, p.Owner), Sponsor: people.maybe(ctx, p.Sponsor), List: p.List, ListID: string(p.ListID), Carried: p.Carried,
		Stage: stage(w, p.Stage, lang), StageSince: p.StageSince, StageDue: p.StageDue,
		Light: string(p.Light(h.Now())), Deadline: p.Deadline.String(), OriginalDeadline: p.OriginalDeadline.String(),
		Extensions: p.Extensions, Progress: p.Progress, OverdueAt: p.OverdueAt, EverOverdue: p.EverOverdue,
		Waiting: waiting(p.Waiting, lang), Returns: p.Returns, Round: p.Round, ClosedAt: p.ClosedAt,
		CalendarUnknown: p.CalendarUnknown, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: p.Version,
	}, nil
}

// project shows all facts of a project.
func (h *handlers) project(ctx context.Context, p *engine.Project, people refs) (Project, error) {
	row, err := h.row(ctx, p, people)
	if err != nil {
		return Project{}, err
	}
	w, err := h.Engine.Pinned(ctx, p)
	if err != nil {
		return Project{}, err
	}
	lang := request.From(ctx).Lang
	out := Project{
		Row: row, Definition: p.Definition, Need: p.Need, Target: p.Target, Measures: p.Measures,
		Assistants: []Ref{}, Assisting: append([]string{}, p.Assisting...), Extra: p.Extra,
		StartedAt: p.StartedAt, AcknowledgedAt: p.AcknowledgedAt, Reports: p.Reports, ReportedAt: p.ReportedAt,
		EvidenceCount: p.EvidenceCount, Summary: p.Summary, Lasting: p.Lasting, UrgedOn: p.UrgedOn.String(), Urges: p.Urges,
		NextAt: p.NextAt, CreatedBy: people.user(ctx, p.CreatedBy), Head: p.Head.String(),
		Milestones: milestones(p.Milestones), Objections: []Objection{}, Marks: showMarks(ctx, p, people), Findings: showFindings(ctx, p, people),
	}
	for _, id := range p.Assistants {
		out.Assistants = append(out.Assistants, people.user(ctx, id))
	}
	out.Statement, out.Year = p.Statement, p.Year
	if p.Grade != "" {
		out.Grade = &Ref{ID: p.Grade, Name: w.GradeName(p.Grade).In(lang)}
	}
	if p.Resume != "" {
		r := stage(w, p.Resume, lang)
		out.Resume = &r
	}
	if p.Request != nil {
		out.Request = showRequest(ctx, w, p.Request, people, lang)
	}
	if v := p.Verification; v != nil {
		out.Verification = &Verification{Passed: v.Passed, By: people.user(ctx, v.By), At: v.At, Note: v.Note}
	}
	out.LookBackDue, out.LookBack, out.LookBacks, out.LookBacksLost, out.LateAsks = p.LookBackDue.String(), showLookBack(ctx, p.LookBack, people), p.LookBacks, p.LookBacksFailed, p.LateAsks
	if s := p.Survey; s != nil {
		out.Survey = &Survey{Votes: Votes{s.VerySatisfied, s.Satisfied, s.Basic, s.Dissatisfied, s.VeryDissatisfied},
			By: people.user(ctx, s.By), At: s.At}
	}
	words, err := h.Engine.Words(ctx, p)
	if err != nil {
		return Project{}, err
	}
	for id, o := range p.Objections {
		x := Objection{ID: id, Text: words[id], By: people.user(ctx, o.By), At: o.At, Due: o.Due.String(),
			Answer: o.Answer, AnsweredBy: people.maybe(ctx, o.AnsweredBy), AnsweredAt: o.AnsweredAt}
		if o.Sealed != "" {
			e := erasureState(ctx, o.Erasure, people)
			x.Erasure = &e
		}
		out.Objections = append(out.Objections, x)
	}
	slices.SortFunc(out.Objections, func(a, b Objection) int { return cmp.Or(a.At.Compare(b.At), byNumber(a.ID, b.ID)) })
	return out, nil
}

func showRequest(ctx context.Context, w *engine.Workflow, r *engine.Request, people refs, lang string) *Request {
	out := &Request{Kind: string(r.Kind), Deadline: r.Deadline.String(), By: people.user(ctx, r.By), At: r.At, Note: r.Note, Given: []Approval{}, LookBack: showLookBack(ctx, r.LookBack, people), Finding: showWrong(r.Finding)}
	if r.Transition != "" {
		ref := Ref{ID: string(r.Transition)}
		if t, ok := w.Transition(r.Transition); ok {
			ref.Name = t.Name.In(lang)
		}
		out.Transition = &ref
	}
	for _, g := range r.Given {
		out.Given = append(out.Given, Approval{By: people.user(ctx, g.By), Role: role(g.Role, lang), Step: g.Step + 1, At: g.At, Note: g.Note, Criteria: g.Criteria})
	}
	return out
}

func milestones(m map[string]engine.Milestone) []Milestone {
	out := make([]Milestone, 0, len(m))
	for id, m := range m {
		out = append(out, Milestone{ID: id, Title: m.Title, Due: m.Due.String(), Who: m.Who, After: m.After, DoneAt: m.DoneAt, DoneNote: m.DoneNote})
	}
	slices.SortFunc(out, func(a, b Milestone) int { return cmp.Or(cmp.Compare(a.Due, b.Due), byNumber(a.ID, b.ID)) })
	return out
}

// byNumber orders m2 before m10.
func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// options shows "why not?" in the reader's language.
func options(list []engine.Option, lang string) []Option {
	out := make([]Option, 0, len(list))
	for _, o := range list {
		v := Option{Act: o.Act, Name: o.Name.In(lang), Transition: string(o.Transition), Trigger: string(o.Trigger),
			Roles: roles(o.Roles, lang), Allowed: o.Allowed, Reasons: checks(o.Reasons, lang), Criteria: choices(o.Criteria, lang), Grades: choices(o.Grades, lang)}
		if v.Name == "" {
			v.Name = message.Text(lang, "do."+o.Act, nil)
		}
		if o.To != "" {
			v.To = &Ref{ID: string(o.To), Name: o.ToName.In(lang)}
		}
		out = append(out, v)
	}
	return out
}

// choices shows what has to be confirmed or chosen from.
func choices(list []engine.Choice, lang string) []Ref {
	var out []Ref
	for _, c := range list {
		out = append(out, Ref{ID: c.ID, Name: c.Name.In(lang)})
	}
	return out
}

// checks shows a checklist.
func checks(list []engine.Reason, lang string) []Check {
	out := make([]Check, 0, len(list))
	for _, r := range list {
		out = append(out, Check{ID: r.ID, Met: r.Met, Note: r.Note, Text: r.In(lang)})
	}
	return out
}

func stage(w *engine.Workflow, id engine.StageID, lang string) Ref {
	return Ref{ID: string(id), Name: w.StageName(id).In(lang)}
}

func role(r engine.Role, lang string) Ref { return Ref{ID: string(r), Name: r.In(lang)} }

func roles(list []engine.Role, lang string) []Ref {
	out := make([]Ref, 0, len(list))
	for _, r := range list {
		out = append(out, role(r, lang))
	}
	return out
}

// waiting reads the ",supervisor,leader," of the project's row.
func waiting(s, lang string) []Ref {
	out := []Ref{}
	for r := range strings.SplitSeq(s, ",") {
		if r != "" {
			out = append(out, role(engine.Role(r), lang))
		}
	}
	return out
}

// Date is a day as callers write it. It is checked by the handler, not by the schema, so that the sentence about
// a wrong one is ours.
type Date string

// parse reads the day; "" is none.
func (d Date) parse(field string) (calendar.Date, error) {
	if d == "" {
		return calendar.Date{}, nil
	}
	day, err := calendar.ParseDate(string(d))
	if err != nil {
		return day, invalid(field, "api.date")
	}
	return day, nil
}
