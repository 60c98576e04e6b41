package engine

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Project is one 实事项目, 书记项目 or item of a site's own kind: a row of the ledger with everything that
// decide needs. Its json form is the state that entries carry patches of, so the row always equals the fold of
// its entries. Members tagged json:"-" are outside that state and say why.
type Project struct {
	ID         ProjectID `json:"id" gorm:"primaryKey"`
	Number     string    `json:"number"`      // 编号, for people; unique, never reused
	Kind       string    `json:"kind"`        // id of the workflow
	Definition string    `json:"definition"`  // digest of the definition version it is pinned to
	UnitID     UnitID    `json:"unit_id"`     // 牵头单位
	UnitPath   string    `json:"-" gorm:"->"` // from the unit's row: moving a unit is not a change of its projects

	Year       int               `json:"year,omitempty"` // 年度 of a yearly kind; 0 otherwise
	Title      string            `json:"title"`
	Category   string            `json:"category,omitempty"`
	Need       string            `json:"need,omitempty"`     // 需求
	Target     string            `json:"target,omitempty"`   // 预期成效
	Measures   string            `json:"measures,omitempty"` // 举措
	Owner      UserID            `json:"owner,omitempty" gorm:"column:owner_id"`
	Assistants []UserID          `json:"assistants,omitempty" gorm:"serializer:json"`
	Sponsor    UserID            `json:"sponsor,omitempty" gorm:"column:sponsor_id"`
	Assisting  []string          `json:"assisting,omitempty" gorm:"serializer:json"` // 协办单位, names as written
	List       string            `json:"list,omitempty"`                             // 双月清单 it stands on, e.g. "2026-6"
	ListID     ListID            `json:"list_id,omitempty"`                          // the drawn-up list of that number; "" while it is only named
	Carried    int               `json:"carried,omitempty"`                          // times carried over into the next list
	Extra      map[string]string `json:"extra,omitempty" gorm:"serializer:json"`     // columns of an imported ledger that have no field
	SourceKey  string            `json:"source_key,omitempty"`                       // identity of the imported row; a second import finds it

	Deadline         calendar.Date `json:"deadline,omitzero"`          // current 办结时限, a day
	OriginalDeadline calendar.Date `json:"original_deadline,omitzero"` // the first one that was approved; kept for ever
	DeadlineSetAt    *time.Time    `json:"deadline_set_at,omitempty"`  // when Deadline took its present value
	Extensions       int           `json:"extensions,omitempty"`       // approved extensions

	Stage      StageID    `json:"stage"`
	StageSince time.Time  `json:"stage_since"`
	Resume     StageID    `json:"resume,omitempty"`     // the stage to come back to from 挂账
	StartedAt  *time.Time `json:"started_at,omitempty"` // 交办: when it left the first stage; progress is measured from here
	Returns    int        `json:"returns,omitempty"`    // times sent back
	Round      int        `json:"round,omitempty"`      // times it came back to be redone after verification or survey

	Request        *Request             `json:"request,omitempty" gorm:"serializer:json"`
	Serial         int                  `json:"serial,omitempty"` // last number given to a milestone or objection
	AcknowledgedAt *time.Time           `json:"acknowledged_at,omitempty"`
	Milestones     map[string]Milestone `json:"milestones,omitempty" gorm:"serializer:json"`
	Progress       int                  `json:"progress,omitempty"` // percent, from the last report
	Reports        int                  `json:"reports,omitempty"`
	ReportedAt     *time.Time           `json:"reported_at,omitempty"`
	EvidenceCount  int                  `json:"evidence_count,omitempty"`
	Materials      map[string]int       `json:"materials,omitempty" gorm:"serializer:json"` // how many of the evidence are which of the definition's
	Verification   *Verification        `json:"verification,omitempty" gorm:"serializer:json"`
	Survey         *Survey              `json:"survey,omitempty" gorm:"serializer:json"`
	Poll           *Poll                `json:"poll,omitempty" gorm:"serializer:json"` // the survey behind a link, while it is open
	PollHash       string               `json:"poll_hash,omitempty"`                   // SHA-256 of its link's token
	Objections     map[string]Objection `json:"objections,omitempty" gorm:"serializer:json"`
	Summary        string               `json:"summary,omitempty"`   // 成效总结
	Lasting        string               `json:"lasting,omitempty"`   // 长效机制
	Statement      string               `json:"statement,omitempty"` // 书面说明 of why the deadline was missed
	Grade          string               `json:"grade,omitempty"`     // id of the grade that the last approver gave
	UrgedOn        calendar.Date        `json:"urged_on,omitzero"`   // last 催办 by hand
	Urges          int                  `json:"urges,omitempty"`
	OverdueAt      *time.Time           `json:"overdue_at,omitempty"` // the recorded 逾期 under the present deadline
	EverOverdue    bool                 `json:"ever_overdue,omitempty"`
	ClosedAt       *time.Time           `json:"closed_at,omitempty"`

	LookBackDue     calendar.Date `json:"look_back_due,omitzero"`                     // day from which the closed item is inspected once more
	LookBack        *LookBack     `json:"look_back,omitempty" gorm:"serializer:json"` // newest finding
	LookBacks       int           `json:"look_backs,omitempty"`                       // confirmed so far
	LookBacksFailed int           `json:"look_backs_failed,omitempty"`                // of those, how many reopened it; the mark that stays
	LateAsks        int           `json:"late_asks,omitempty"`                        // extensions that were asked for after the deadline

	Former       []UserID        `json:"former,omitempty" gorm:"serializer:json"` // who did its work once and does not any more; they never judge it
	Paused       *Pause          `json:"paused,omitempty" gorm:"serializer:json"` // when it lay shelved (挂账), from the first time to the last
	Marks        map[string]Mark `json:"marks,omitempty" gorm:"serializer:json"`  // 推广 and 评先, with those that were revoked
	Distinctions string          `json:"distinctions,omitempty"`                  // ",promote,commend,": the marks that hold

	Findings map[string]Finding `json:"findings,omitempty" gorm:"serializer:json"` // of false evidence, with those that were lifted

	// The clock's columns follow from the facts above, the definition and the calendar: see schedule.
	Fired           map[string]string `json:"fired,omitempty" gorm:"serializer:json"` // timer id → anchor it fired for
	StageDue        *time.Time        `json:"stage_due,omitempty"`
	YellowAt        *time.Time        `json:"yellow_at,omitempty"` // from when the light is yellow, if nothing happens
	OrangeAt        *time.Time        `json:"orange_at,omitempty"`
	RedAt           *time.Time        `json:"red_at,omitempty"`
	NextAt          *time.Time        `json:"next_at,omitempty"`          // the earliest moment at which the clock owes something
	Waiting         string            `json:"waiting,omitempty"`          // ",supervisor,leader,": whose turn it is, for to-do lists
	CalendarUnknown bool              `json:"calendar_unknown,omitempty"` // a date above lies in a year without a holiday list

	CreatedBy UserID       `json:"created_by"`
	CreatedAt time.Time    `json:"created_at" gorm:"autoCreateTime:false"`
	UpdatedAt time.Time    `json:"updated_at" gorm:"autoUpdateTime:false"`
	Version   int64        `json:"version"` // equals the seq of the newest entry
	Head      audit.Digest `json:"-"`       // hash of the newest entry, which therefore cannot contain it
}

// Pause is the time that an item lay shelved.
type Pause struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Milestone is a dated step of the 时间表.
type Milestone struct {
	Title    string        `json:"title"`
	Due      calendar.Date `json:"due"`
	Who      string        `json:"who,omitempty"`
	After    []string      `json:"after,omitempty"` // ids of the milestones that it follows: the 路线图
	DoneAt   *time.Time    `json:"done_at,omitempty"`
	DoneNote string        `json:"done_note,omitempty"`
}

// RequestKind tells what a pending request asks for.
type RequestKind string

// The kinds of requests.
const (
	RequestTransition RequestKind = "transition"
	RequestExtension  RequestKind = "extension"
	RequestLookBack   RequestKind = "look_back"
	RequestFinding    RequestKind = "finding"
)

// Request is what waits for approval. A project has at most one.
type Request struct {
	Kind       RequestKind   `json:"kind"`
	Transition TransitionID  `json:"transition,omitempty"`
	Deadline   calendar.Date `json:"deadline,omitzero"` // the date an extension asks for, or a failed look-back sets
	LookBack   *LookBack     `json:"look_back,omitempty"`
	Finding    *Wrong        `json:"finding,omitempty"` // of false evidence, or its end
	By         UserID        `json:"by"`
	For        UserID        `json:"for,omitempty"` // whose delegated role By relied on
	At         time.Time     `json:"at"`
	Note       string        `json:"note,omitempty"`
	Given      []Approval    `json:"given,omitempty"`
}

// inspects tells whether the request is an inspector's, which is not for those to take back whom it is about.
func (r *Request) inspects() bool { return r.Kind == RequestLookBack || r.Kind == RequestFinding }

// Approval is one yes to a request. Step is the index of the approval step that it counts for.
type Approval struct {
	By   UserID    `json:"by"`
	For  UserID    `json:"for,omitempty"` // whose delegated role By relied on
	Role Role      `json:"role"`
	Step int       `json:"step"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
	// Criteria are the ids of those that were confirmed.
	Criteria []string `json:"criteria,omitempty"`
}

// Verification is the newest on-site check.
type Verification struct {
	Passed bool      `json:"passed"`
	By     UserID    `json:"by"`
	At     time.Time `json:"at"`
	Note   string    `json:"note,omitempty"`
}

// Survey holds the votes of a satisfaction survey in the five levels of 好差评.
type Survey struct {
	VerySatisfied    int       `json:"very_satisfied"`
	Satisfied        int       `json:"satisfied"`
	Basic            int       `json:"basic"`
	Dissatisfied     int       `json:"dissatisfied"`
	VeryDissatisfied int       `json:"very_dissatisfied"`
	By               UserID    `json:"by"`
	At               time.Time `json:"at"`
}

// Votes returns the number of votes.
func (s *Survey) Votes() int {
	if s == nil {
		return 0
	}
	return s.VerySatisfied + s.Satisfied + s.Basic + s.Dissatisfied + s.VeryDissatisfied
}

// Objection is a complaint of the people served, and its answer.
type Objection struct {
	Text       string        `json:"text,omitempty"`
	Sealed     string        `json:"sealed,omitempty"`  // instead of Text: commitment to the words of somebody without an account; see Remark
	Erasure    *Erasure      `json:"erasure,omitempty"` // of those words
	By         UserID        `json:"by"`
	At         time.Time     `json:"at"`
	Due        calendar.Date `json:"due,omitzero"` // last day to answer
	Answer     string        `json:"answer,omitempty"`
	AnsweredBy UserID        `json:"answered_by,omitempty"`
	AnsweredAt *time.Time    `json:"answered_at,omitempty"`
}

// Evidence is a file bound to a project by digest. The bytes lie outside the database under that digest.
type Evidence struct {
	ID        string       `json:"id" gorm:"primaryKey"`
	ProjectID ProjectID    `json:"project_id"`
	Name      string       `json:"name"` // as uploaded, for people; never a path
	Type      string       `json:"type"` // media type found by content
	Size      int64        `json:"size"`
	SHA256    audit.Digest `json:"sha256"`
	Milestone string       `json:"milestone,omitempty"`
	Material  string       `json:"material,omitempty"` // which of the definition's it is
	Note      string       `json:"note,omitempty"`
	By        UserID       `json:"by" gorm:"column:by_id"`
	At        time.Time    `json:"at"`
}

// TableName is singular because the word is.
func (Evidence) TableName() string { return "evidence" }

// Has reports whether the user has a part in the project.
func (p *Project) Has(id UserID) bool {
	return id != "" && (p.Owner == id || p.Sponsor == id || slices.Contains(p.Assistants, id))
}

// Works reports whether the user does the project's work, so that four eyes keep them from judging it.
func (p *Project) Works(id UserID) bool {
	return id != "" && (p.Owner == id || slices.Contains(p.Assistants, id))
}

// Worked reports whether the user does the project's work, or did it once.
func (p *Project) Worked(id UserID) bool {
	return p.Works(id) || id != "" && slices.Contains(p.Former, id)
}

// workers are those who do the project's work.
func (p *Project) workers() []UserID {
	if p.Owner == "" {
		return p.Assistants
	}
	return append([]UserID{p.Owner}, p.Assistants...)
}

// remember notes who did the work before a change and does not do it after. Whoever was named while the item was
// still being planned has done none.
func (p *Project) remember(before *Project) {
	if before.StartedAt == nil {
		return
	}
	var gone []UserID
	for _, id := range before.workers() {
		if !p.Works(id) && !slices.Contains(p.Former, id) {
			gone = append(gone, id)
		}
	}
	if len(gone) > 0 {
		p.Former = append(slices.Clone(p.Former), gone...)
	}
}

// MilestonesDone counts the milestones ticked.
func (p *Project) MilestonesDone() int {
	n := 0
	for _, m := range p.Milestones {
		if m.DoneAt != nil {
			n++
		}
	}
	return n
}

// routeGaps counts the milestones that say not who does them, or not after what they come. Those with the earliest
// date begin the route and come after nothing.
func (p *Project) routeGaps() int {
	var first calendar.Date
	for _, m := range p.Milestones {
		if first.IsZero() || m.Due.Before(first) {
			first = m.Due
		}
	}
	n := 0
	for _, m := range p.Milestones {
		if m.Who == "" || len(m.After) == 0 && m.Due.After(first) {
			n++
		}
	}
	return n
}

// WantsRoute reports whether the definition requires a 路线图 that says of every step who does it and after what.
func (w *Workflow) WantsRoute() bool {
	return slices.ContainsFunc(w.Transitions, func(t Transition) bool {
		return slices.ContainsFunc(t.Require, func(r Requirement) bool { return strings.Contains(r.Rule, "RouteGaps") })
	})
}

// OpenObjections counts the objections without an answer.
func (p *Project) OpenObjections() int {
	n := 0
	for _, o := range p.Objections {
		if o.AnsweredAt == nil {
			n++
		}
	}
	return n
}

// answerable reports whether there is an open objection that the person did not file.
func (p *Project) answerable(who Actor) bool {
	for _, o := range p.Objections {
		if o.AnsweredAt == nil && !who.same(o.By) {
			return true
		}
	}
	return false
}

// Subject names the project in entries.
func (p *Project) Subject() string { return SubjectProject + "/" + string(p.ID) }

// State returns the json state that the fold of the entries must equal.
func (p *Project) State() json.RawMessage { return state(p) }

// clone copies what a command may change in place.
func (p Project) clone() Project {
	p.Milestones = maps.Clone(p.Milestones)
	p.Objections = maps.Clone(p.Objections)
	p.Fired = maps.Clone(p.Fired)
	p.Marks = maps.Clone(p.Marks)
	p.Findings = maps.Clone(p.Findings)
	p.Materials = maps.Clone(p.Materials)
	if p.Request != nil {
		r := *p.Request
		r.Given = slices.Clone(r.Given)
		p.Request = &r
	}
	return p
}

// Light is the colour of an item. Items that are not being worked on have none of the four.
type Light string

// The lights. Orange exists only where a definition uses four.
const (
	Green   Light = "green"
	Yellow  Light = "yellow"
	Orange  Light = "orange"
	Red     Light = "red"
	NoLight Light = "none" // no deadline yet, 挂账, 已销号, 撤项
)

// Light returns the colour at the moment now. LightSQL in storage says the same in SQL; a property test
// compares the two.
func (p *Project) Light(now time.Time) Light {
	reached := func(t *time.Time) bool { return t != nil && !now.Before(*t) }
	switch {
	case p.Stage.Resting() || p.Deadline.IsZero():
		return NoLight
	case reached(p.RedAt):
		return Red
	case reached(p.OrangeAt):
		return Orange
	case reached(p.YellowAt):
		return Yellow
	}
	return Green
}
