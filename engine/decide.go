package engine

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// Command is someone, or the clock, asking for something to be done to a project. The kinds are the exported
// structs of command.go; apply is unexported so that the rules stay in this package.
type Command interface {
	// apply changes p, which is the caller's copy, or refuses and leaves it in any state.
	apply(c *Case, p *Project) (outcome, error)
}

// outcome is what a command did besides changing the project.
type outcome struct {
	action   string
	as       authority
	from, to StageID
	note     string
	data     map[string]any // what the entry says beyond the state: numbers of a report, a file's digest
	evidence []Evidence
	owed     []Reminder // without ids
	remark   *Remark    // words that stand in no entry
	forget   string     // the objection whose words are erased
}

// decide is the engine's heart and pure: it answers what the project becomes if the case's actor does cmd now,
// or why not. Nothing is written.
func decide(c *Case, p Project, cmd Command) (Change, error) {
	v, err := judge(c, &p, cmd)
	if err != nil {
		return Change{}, err
	}
	return v.seal()
}

// verdict is what a project becomes, before the entry that says so.
type verdict struct {
	c    *Case
	was  *Project
	next Project
	out  outcome
}

// judge is decide without the entry, which takes longer to write than all else.
func judge(c *Case, p *Project, cmd Command) (*verdict, error) {
	if c.Now.Before(p.UpdatedAt) { // another replica's clock is ahead; a chain's time never runs backwards
		later := *c
		later.Now = p.UpdatedAt
		c = &later
	}
	if err := c.Who.Allows(TokenProjects); err != nil {
		return nil, err
	}
	next := p.clone()
	out, err := cmd.apply(c, &next)
	if err != nil {
		return nil, err
	}
	// Whoever closes, shelves or extends before any sweep has recorded that the deadline passed does not thereby
	// escape the mark. The clock itself keeps the order in which things fell due.
	if _, tick := cmd.(onClock); !tick && c.expired(p) && (next.Stage.Resting() || next.Deadline != p.Deadline) {
		next.EverOverdue = true
	}
	next.remember(p)
	next.Version = p.Version + 1
	next.UpdatedAt = c.Now
	c.schedule(&next)
	return &verdict{c, p, next, out}, nil
}

// seal writes the entry.
func (v *verdict) seal() (Change, error) {
	c, p, next, out := v.c, v.was, v.next, &v.out
	var before json.RawMessage
	if p.Version > 0 {
		before = p.State()
	}
	patch, err := audit.Diff(before, next.State())
	if err != nil {
		return Change{}, err
	}
	data := map[string]any{"set": patch}
	maps.Copy(data, out.data)
	if out.as.by != "" {
		data["for"] = out.as.by
	}
	entry := audit.Entry{
		V: audit.Format, Log: c.Log, ID: c.NewID(), At: c.Now,
		Actor:  audit.Actor{ID: string(c.Who.ID), Role: string(out.as.role), Unit: string(out.as.unit), Via: c.Who.Via},
		Action: out.action, Subject: next.Subject(), Unit: string(next.UnitID),
		Seq: next.Version, Prev: p.Head, From: string(out.from), To: string(out.to), Version: next.Version,
		Note: out.note, Data: state(data), Definition: next.Definition, Request: c.Who.request(),
	}
	change := Change{Base: p.Version, Entry: entry, Evidence: out.evidence, Remark: out.remark, Forget: out.forget, Key: c.Who.Key,
		Guard: Guard{Actor: c.Who.ID, Version: c.Who.Version, Unit: next.UnitID, Path: next.UnitPath}}
	if change.Bytes, err = entry.Bytes(); err != nil {
		if errors.Is(err, audit.ErrTooLarge) {
			return Change{}, invalid("", "entry.too_large", "limit", audit.MaxEntry/1024)
		}
		return Change{}, err
	}
	next.Head = audit.HashEntry(change.Bytes)
	change.Project = next
	for _, r := range out.owed {
		change.Reminders = append(change.Reminders, c.reminder(&next, entry.ID, r))
	}
	if change.Key != nil {
		k := *change.Key
		k.Project = next.ID
		change.Key = &k
	}
	return change, nil
}

// request is the part of an entry that ties it to the call that caused it. Only a digest of the caller's key is
// kept, because keys may say something about the caller.
func (a Actor) request() *audit.Request {
	if a.RequestID == "" && a.Key == nil {
		return nil
	}
	r := &audit.Request{ID: a.RequestID}
	if a.Key != nil {
		r.Key = audit.HashContent([]byte(a.Key.Key)).String()
	}
	return r
}

// authority is the role that a person acts by, and where it was granted.
type authority struct {
	role Role
	unit UnitID
	by   UserID // whose role it is, if it is held by delegation
}

// works reports whether the actor does the project's work or did it once, or counts as the same pair of eyes as
// somebody who does or did.
func (c *Case) works(p *Project) bool {
	return p.Worked(c.Who.ID) || slices.ContainsFunc(c.Who.Eyes, p.Worked)
}

// may returns the authority by which the case's actor holds one of roles towards p.
func (c *Case) may(p *Project, roles []Role) (authority, bool) {
	for _, r := range roles {
		switch r {
		case Owner:
			if p.Owner != "" && p.Owner == c.Who.ID {
				return authority{role: r}, true
			}
		case Assistant:
			if p.Works(c.Who.ID) && p.Owner != c.Who.ID {
				return authority{role: r}, true
			}
		case Sponsor:
			if p.Sponsor != "" && p.Sponsor == c.Who.ID {
				return authority{role: r}, true
			}
		default:
			if g, ok := c.Who.Has(r, p.UnitPath); ok {
				return authority{role: r, unit: g.UnitID, by: g.By}, true
			}
		}
	}
	return authority{}, false
}

// roleNameList lists roles for a sentence.
type roleNameList []Role

// In returns the names joined in the given language.
func (l roleNameList) In(lang string) string {
	names := make([]string, len(l))
	for i, r := range l {
		names[i] = r.In(lang)
	}
	if strings.HasPrefix(lang, "en") {
		return strings.Join(names, ", ")
	}
	return strings.Join(names, "、")
}

// actRoles says who may do what. Submitting and approving are the definition's to say.
var actRoles = map[Act][]Role{
	ActEdit:        {Owner, Assistant, Secretary, Supervisor},
	ActAcknowledge: {Owner},
	ActMilestones:  {Owner, Assistant},
	ActTick:        {Owner, Assistant},
	ActReport:      {Owner, Assistant},
	ActEvidence:    {Owner, Assistant, Sponsor, Supervisor},
	ActExtend:      {Owner, Assistant},
	ActUrge:        {Supervisor, Leader, Sponsor},
	ActVerify:      {Supervisor},
	ActSurvey:      {Supervisor},
	ActObject:      {Owner, Assistant, Sponsor, Secretary, Supervisor, Leader}, // an inspector changes nothing
	ActAnswer:      {Owner, Assistant, Supervisor},
	ActSummarize:   {Owner, Assistant},
	ActStatement:   {Owner, Secretary},
}

// fixing are the acts that change what an approver is looking at; they wait while a request is pending.
var fixing = map[Act]bool{ActEdit: true, ActMilestones: true, ActSummarize: true, ActStatement: true, ActExtend: true, ActVerify: true}

// judging are the acts that nobody may do about their own work.
var judging = map[Act]bool{ActVerify: true, ActSurvey: true}

// reasons lists what stands between the actor and an act, met and unmet; the first unmet one decides the error.
func (c *Case) reasons(p *Project, a Act) (authority, []Reason) {
	as, ok := c.may(p, actRoles[a])
	stage, _ := c.Workflow.Stage(p.Stage)
	out := []Reason{{ID: "role", Met: ok, Key: "act.role", Args: message.Args("roles", roleNameList(actRoles[a]))}}
	if judging[a] {
		out = append(out, Reason{ID: "four_eyes", Met: !c.works(p), Key: "four_eyes.own_work"})
	}
	out = append(out, Reason{ID: "stage", Met: has(stage.Acts, a), Key: "act.stage",
		Args: message.Args("stage", c.Workflow.StageName(p.Stage))})
	if fixing[a] {
		out = append(out, Reason{ID: "pending", Met: p.Request == nil, Key: "request.pending"})
	}
	switch a {
	case ActAcknowledge:
		out = append(out, Reason{ID: "once", Met: p.AcknowledgedAt == nil, Key: "acknowledge.already"})
	case ActUrge:
		out = append(out, Reason{ID: "once", Met: c.urgeable(p), Key: "urge.already_today"})
	case ActTick:
		out = append(out, Reason{ID: "milestone", Met: p.MilestonesDone() < len(p.Milestones), Key: "milestone.none_open"})
	case ActAnswer:
		out = append(out, Reason{ID: "objection", Met: p.OpenObjections() > 0, Key: "objection.none_open"},
			Reason{ID: "four_eyes", Met: p.answerable(c.Who), Key: "objection.own"})
	case ActExtend:
		out = append(out, c.extensionReasons(p)...)
	case ActStatement:
		out = append(out, Reason{ID: "overdue", Met: p.EverOverdue || c.expired(p), Key: "statement.in_time"})
	}
	return as, out
}

// urgeable reports whether a working day has begun since the item was urged last: nobody can answer on a rest day. In
// a year without a list every day may be one.
func (c *Case) urgeable(p *Project) bool {
	if p.UrgedOn.IsZero() {
		return true
	}
	n, known := c.Calendar.Workdays(p.UrgedOn, c.today())
	return n > 0 || !known && p.UrgedOn != c.today()
}

// allow returns the authority for an act, or the refusal.
func (c *Case) allow(p *Project, a Act) (authority, error) {
	as, reasons := c.reasons(p, a)
	return as, refuse(reasons)
}

// refuse turns the first unmet reason into an error: Denied where it is about the person, Blocked where it is
// about the project's state.
func refuse(reasons []Reason) error {
	for _, r := range reasons {
		if !r.Met {
			kind := Blocked
			if r.ID == "role" || r.ID == "four_eyes" {
				kind = Denied
			}
			return &Error{Kind: kind, Key: r.Key, Args: r.Args}
		}
	}
	return nil
}

func has[T comparable](list []T, v T) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// requirements evaluates a transition's list. A rule that fails to evaluate counts as unmet and says so: a
// broken rule must never let anything through.
func (c *Case) requirements(p *Project, list []Requirement, note string) []Reason {
	facts := c.facts(p, note)
	out := make([]Reason, 0, len(list))
	for _, r := range list {
		met, err := r.Met(facts)
		reason := Reason{ID: r.ID, Met: met && err == nil, Name: r.Name, Text: r.Message}
		if err != nil {
			reason.Key, reason.Args = "rule.failed", message.Args("rule", r.Rule)
		}
		out = append(out, reason)
	}
	return out
}

// enforce refuses a transition whose requirements do not all hold.
func (c *Case) enforce(p *Project, t Transition, note string) error {
	reasons := c.requirements(p, t.Require, note)
	for _, r := range reasons {
		if !r.Met {
			return &Error{Kind: Blocked, Key: "transition.unmet",
				Args: message.Args("transition", t.Name, "stage", c.Workflow.StageName(t.target(p))), Reasons: reasons}
		}
	}
	return nil
}

// target is where a transition leads for this project.
func (t Transition) target(p *Project) StageID {
	if t.To == Previous {
		return p.Resume
	}
	return t.To
}

// move takes the project over a transition: the one place where a stage changes, apart from 退回.
func (c *Case) move(p *Project, t Transition) error {
	to, err := c.Workflow.next(p.Stage, string(t.ID), p.Resume)
	if err != nil {
		return err
	}
	c.enter(p, to)
	return nil
}

// enter puts the project into a stage and settles what entering implies.
func (c *Case) enter(p *Project, to StageID) {
	from := p.Stage
	now := c.Now
	p.Request = nil
	if from == c.Workflow.Initial() && to != from && !to.Resting() && p.StartedAt == nil {
		p.StartedAt = &now
		p.OriginalDeadline = p.Deadline
	}
	switch to {
	case Shelved:
		p.Resume = from
	case Closed:
		p.ClosedAt = &now
		if n := c.Workflow.LookBack.Months; n > 0 {
			p.LookBackDue = c.today().AddMonths(n)
		}
	default:
		p.Resume = ""
		p.ClosedAt, p.LookBackDue = nil, calendar.Date{}
	}
	if s, ok := c.Workflow.Stage(to); ok && s.Restart && from != Shelved {
		if p.Verification != nil || p.Survey != nil {
			p.Round++
		}
		p.Verification, p.Survey, p.Poll, p.PollHash = nil, nil, nil, ""
	}
	if to.Resting() { // nobody rates what nobody works on
		p.Poll, p.PollHash = nil, ""
	}
	if from == Shelved && !to.Resting() {
		pause := Pause{From: p.StageSince, To: now}
		if p.Paused != nil {
			pause.From = p.Paused.From
		}
		p.Paused = &pause
	}
	p.Stage = to
	p.StageSince = now
}

// Limits of texts, in runes. They keep the largest entry under audit.MaxEntry.
const (
	maxTitle = 200
	maxText  = 1500
	maxNote  = 1000
	minNote  = 4 // of a reason that somebody else must live with
)

// text checks a field and returns it trimmed. Control characters are no text: PostgreSQL cannot even store NUL.
func text(field, s string, limit int) (string, error) {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }) {
		return "", invalid(field, "field.not_text")
	}
	if utf8.RuneCountInString(s) > limit {
		return "", invalid(field, "field.too_long", "limit", limit)
	}
	return s, nil
}

// listNumber checks a 期号: one line in which nothing is hidden, because it is what people tell lists apart by.
func listNumber(s string) (string, error) {
	s, err := text("number", s, 40)
	switch {
	case err != nil:
		return "", err
	case s == "":
		return "", invalid("number", "field.empty")
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return "", invalid("number", "field.not_text")
	}
	return s, nil
}

// reason checks a note that must say why.
func reason(s string) (string, error) {
	s, err := text("note", s, maxNote)
	if err == nil && utf8.RuneCountInString(s) < minNote {
		err = invalid("note", "note.too_short", "limit", minNote)
	}
	return s, err
}

// futureDate checks a deadline that somebody sets now.
func (c *Case) futureDate(field string, d calendar.Date) error {
	switch {
	case d.IsZero():
		return invalid(field, "field.empty")
	case d.Before(c.today()):
		return invalid(field, "deadline.past", "date", d)
	case d.Year() > c.today().Year()+20:
		return invalid(field, "deadline.too_far", "date", d)
	}
	return nil
}

// reminder completes what a command or timer owes.
func (c *Case) reminder(p *Project, entry string, r Reminder) Reminder {
	r.ID, r.ProjectID, r.UnitID, r.Entry, r.CreatedAt = c.NewID(), p.ID, p.UnitID, entry, c.Now
	switch r.Role {
	case Owner:
		r.UserID = p.Owner
	case Sponsor:
		r.UserID = p.Sponsor
	}
	if r.DueAt.IsZero() {
		r.DueAt = c.Now
	}
	key := entry // what a command owes is owed by that command alone
	if r.Timer != "" {
		key = string(p.ID) + "|" + string(r.Timer) + "|" + p.Fired[string(r.Timer)]
	}
	r.DedupeKey = key + "|" + string(r.Role)
	return r
}

func at(t time.Time) *time.Time { return &t }
