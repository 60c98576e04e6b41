package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/looplab/fsm"
)

// Identifiers of a definition's parts; unique within it, in lower case.
type (
	StageID      string
	TransitionID string
	TimerID      string
	// Act is something a person can do to a project besides asking for a transition; a stage lists those that
	// it is the time for.
	Act string
)

// The three states that every definition has without declaring them.
const (
	Closed    StageID = "closed"    // 已销号
	Shelved   StageID = "shelved"   // 挂账
	Cancelled StageID = "cancelled" // 撤项
)

// Previous is the target of a transition that leads back to where the project was before 挂账.
const Previous StageID = "previous"

// Resting reports whether nobody is working on a project in this state, so that its clock stands still.
func (s StageID) Resting() bool { return s == Closed || s == Shelved || s == Cancelled }

// The acts that a stage may list.
const (
	ActEdit        Act = "edit"
	ActAcknowledge Act = "acknowledge" // 签收
	ActMilestones  Act = "milestones"  // lay and change the 时间表
	ActTick        Act = "tick"        // mark a milestone as done
	ActReport      Act = "report"      // progress
	ActEvidence    Act = "evidence"    // add 佐证材料
	ActExtend      Act = "extend"      // ask for an extension
	ActUrge        Act = "urge"        // 催办
	ActVerify      Act = "verify"      // on-site verification
	ActSurvey      Act = "survey"      // record a satisfaction survey
	ActObject      Act = "object"      // file an objection
	ActAnswer      Act = "answer"      // answer one
	ActSummarize   Act = "summarize"   // outcome and what lasts
	ActStatement   Act = "statement"   // 书面说明 of why the deadline was missed
)

// Acts lists every act that a definition may name.
var Acts = []Act{
	ActEdit, ActAcknowledge, ActMilestones, ActTick, ActReport, ActEvidence, ActExtend, ActUrge, ActVerify,
	ActSurvey, ActObject, ActAnswer, ActSummarize, ActStatement,
}

// Trigger says what sets a transition off.
type Trigger string

// The triggers. All but OnSubmit move the project at once, without a request.
const (
	OnSubmit       Trigger = "submit"        // somebody asks, approvers answer
	OnVerifyPassed Trigger = "verify_passed" // a verification record that passes is itself the approval
	OnVerifyFailed Trigger = "verify_failed" // and one that fails sends the work back
	OnRule         Trigger = "auto"          // the clock, as soon as the requirements hold
)

// Workflow is one version of a definition: which Transition leads from which Stage to which, who asks, who
// approves, what is required, and what the clock does meanwhile. It is immutable once loaded and safe for
// concurrent use.
type Workflow struct {
	ID          string // word for the kind of project: shishi, shuji, …
	Version     int
	Digest      string // hex SHA-256 of the source that people published
	Name        Text
	Prefix      string // of 编号
	Create      []Role // who may propose one
	Owner       []Role // whom it may be given to: holders of one of these roles at its unit; empty: anybody
	Yearly      bool   // a unit has one of the kind for each year, and no second
	Off         bool   // nothing can be proposed until somebody switches it on
	Fields      []Field
	Materials   []Choice // pieces of 佐证材料 that rules can ask for by name
	Stages      []Stage
	Transitions []Transition
	Timers      []Timer // the escalation ladder and the stage timers, in the order of the file
	Lights      Lights
	Extension   ExtensionRule
	LookBack    LookBackRule
}

// Stage is a state in which work is done.
type Stage struct {
	ID       StageID
	Name     Text
	Limit    Limit
	Acts     []Act
	ReturnTo []StageID // earlier stages that a supervisor may send it back to
	// Entering a stage with Restart forgets the verification and the survey of the round before.
	Restart bool
}

// Limit is how long a stage may take.
type Limit struct {
	Workdays      int  // working days, counted from the day after it was entered; 0 = no limit of its own
	UntilDeadline bool // until the project's deadline
}

// Transition leads from a stage to another.
type Transition struct {
	ID      TransitionID
	Name    Text
	From    []StageID
	To      StageID // may be Closed, Shelved, Cancelled or Previous
	Trigger Trigger
	Submit  []Role // who may ask: roles at the unit, or relations to the project
	Approve Approvals
	Require []Requirement
	// Criteria are what every approver confirms one by one, because no rule can see it in the facts: 切口小, 可操作 ….
	Criteria []Choice
	// Grades are the marks of which the last approver gives one.
	Grades []Choice
}

// Choice is one of the things that an approver confirms, or one of those that they choose from.
type Choice struct {
	ID   string
	Name Text
}

// Approvals says whose yes a transition needs. Without steps none is needed.
type Approvals struct {
	InOrder bool // each step waits for the one before; otherwise all are asked together
	Steps   []ApprovalStep
}

// Level narrows where an approver's role must be granted.
type Level string

// The levels.
const (
	Anywhere Level = ""     // at the unit or any unit above
	Near     Level = "near" // at the unit itself or its parent (own 党总支)
	Top      Level = "top"  // at the root (党委)
)

// ApprovalStep needs Count different people who hold one of Roles.
type ApprovalStep struct {
	Roles []Role
	Count int
	At    Level
}

// Requirement is a condition with the sentence that people read when it is not met.
type Requirement struct {
	ID      string
	Rule    string                    // source, shown to people and covered by the digest
	Name    Text                      // the condition in words, for a checklist in which it is met; may be empty
	Message Text                      // the sentence for when it is not met
	Met     func(Facts) (bool, error) // compiled from Rule; pure
	Uses    []string                  // the members of Fields and Materials that it names: "Fields.class"
	Steady  bool                      // names none of TimedFacts, so that time alone never changes the answer
}

// Anchor is the moment that a timer counts from.
type Anchor string

// The anchors.
const (
	AtDeadline  Anchor = "deadline"  // the end of the deadline's day
	AtEntered   Anchor = "entered"   // the day the stage was entered
	AtStageDue  Anchor = "stage_due" // the stage's own limit
	AtSubmitted Anchor = "submitted" // the day the pending request was made
)

// Rung is the word for what a timer sends; it grades the tone.
type Rung string

// The rungs of the escalation ladder, and the plain reminder.
const (
	Remind    Rung = "remind"    // 提醒
	Urged     Rung = "urge"      // 催办
	Supervise Rung = "supervise" // 督办
	Talk      Rung = "talk"      // 约谈
	Bulletin  Rung = "bulletin"  // 通报
)

// Rungs lists the rungs that a definition may name.
var Rungs = []Rung{Remind, Urged, Supervise, Talk, Bulletin}

var rungNames = map[Rung]Text{
	Remind: {"提醒", "reminder"}, Urged: {"催办", "urging"}, Supervise: {"督办", "supervision notice"},
	Talk: {"约谈", "talk"}, Bulletin: {"通报", "bulletin"},
}

// In returns the rung's name in the given language.
func (r Rung) In(lang string) string { return rungNames[r].In(lang) }

// Timer is something that the clock owes: a reminder or rung to somebody, at an offset from an anchor.
type Timer struct {
	ID     TimerID
	Stage  StageID // only while in this stage; "" = in every working stage
	Anchor Anchor
	Offset Offset
	When   *Requirement // only if this holds then
	Rung   Rung
	To     []Role // relations and roles (everyone who holds it at the unit or the nearest unit above), or Asked
}

// Offset is a distance in days of one sort; negative is before the anchor.
type Offset struct {
	Days     int // calendar days
	Workdays int // working days
}

// IsZero reports whether the offset is none.
func (o Offset) IsZero() bool { return o == Offset{} }

// Before reports whether the offset lies before its anchor.
func (o Offset) Before() bool { return o.Days < 0 || o.Workdays < 0 }

// String returns the offset as definitions write it: "-3wd", "1d".
func (o Offset) String() string {
	if o.Workdays != 0 {
		return fmt.Sprintf("%dwd", o.Workdays)
	}
	return fmt.Sprintf("%dd", o.Days)
}

// Lights are the thresholds of the colours. Left is percent of the time between 交办 and the deadline that is
// left; Behind is percentage points by which progress lags the time elapsed. 0 switches a threshold off.
type Lights struct {
	Yellow, Orange, Red Threshold
}

// Threshold of one colour.
type Threshold struct {
	Left   int // percent of the time left
	Behind int // percentage points
}

// ExtensionRule bounds extensions: how many, how far in all, and who approves which.
type ExtensionRule struct {
	Max     int            // how many are possible
	Months  int            // how many months in all beyond the original deadline
	Approve []ApprovalStep // of the first, the second, …; the last one repeats
}

// Stage returns the stage with the id.
func (w *Workflow) Stage(id StageID) (Stage, bool) {
	i := slices.IndexFunc(w.Stages, func(s Stage) bool { return s.ID == id })
	if i < 0 {
		return Stage{}, false
	}
	return w.Stages[i], true
}

// stagesFrom returns the stage that the project is in, or will come back to from 挂账, and those that follow it in the
// definition.
func (w *Workflow) stagesFrom(p *Project) []Stage {
	at := p.Stage
	if at == Shelved {
		at = p.Resume
	}
	i := slices.IndexFunc(w.Stages, func(s Stage) bool { return s.ID == at })
	if i < 0 {
		return nil
	}
	return w.Stages[i:]
}

// StageName returns the name of a stage or of one of the three states beside them.
func (w *Workflow) StageName(id StageID) Text {
	if s, ok := w.Stage(id); ok {
		return s.Name
	}
	return restingNames[id]
}

var restingNames = map[StageID]Text{
	Closed: {"已销号", "closed out"}, Shelved: {"挂账", "shelved"}, Cancelled: {"撤项", "cancelled"},
}

// GradeName returns the name of a grade that one of the transitions gives; none for one that it does not know.
func (w *Workflow) GradeName(id string) Text {
	for _, t := range w.Transitions {
		if i := slices.IndexFunc(t.Grades, func(g Choice) bool { return g.ID == id }); i >= 0 {
			return t.Grades[i].Name
		}
	}
	return Text{}
}

// Transition returns the transition with the id.
func (w *Workflow) Transition(id TransitionID) (Transition, bool) {
	i := slices.IndexFunc(w.Transitions, func(t Transition) bool { return t.ID == id })
	if i < 0 {
		return Transition{}, false
	}
	return w.Transitions[i], true
}

// From returns the transitions that leave a stage, in the order of the definition.
func (w *Workflow) From(id StageID) []Transition {
	var out []Transition
	for _, t := range w.Transitions {
		if slices.Contains(t.From, id) {
			out = append(out, t)
		}
	}
	return out
}

// triggered returns the transition that leaves the stage by the trigger.
func (w *Workflow) triggered(from StageID, on Trigger) (Transition, bool) {
	for _, t := range w.From(from) {
		if t.Trigger == on {
			return t, true
		}
	}
	return Transition{}, false
}

// Initial returns the stage in which a project starts.
func (w *Workflow) Initial() StageID { return w.Stages[0].ID }

// returnEvent names the machine's event for 退回 to a stage; a colon keeps it apart from transition ids.
func returnEvent(to StageID) string { return "return:" + string(to) }

// next is the next-state function of a project. resume is where Previous leads.
func (w *Workflow) next(from StageID, event string, resume StageID) (StageID, error) {
	to, ok := nextState(string(from), event, w.moves(from, resume))
	if !ok {
		return "", blocked("transition.not_from_here", "transition", event, "stage", w.StageName(from))
	}
	return StageID(to), nil
}

// moves lists what can happen in the stage from.
func (w *Workflow) moves(from, resume StageID) []move {
	var out []move
	for _, t := range w.From(from) {
		to := t.To
		if to == Previous {
			to = resume
		}
		out = append(out, move{string(t.ID), string(from), string(to)})
	}
	if s, ok := w.Stage(from); ok {
		for _, to := range s.ReturnTo {
			out = append(out, move{returnEvent(to), string(from), string(to)})
		}
	}
	if from == Closed && w.LookBack.Reopen != "" {
		out = append(out, move{lookBackFailed, string(from), string(w.LookBack.Reopen)})
	}
	return out
}

// move is something that can happen in a state, and the state that it leads to.
type move struct{ event, from, to string }

// nextState is the next-state function of every machine, of projects as of lists. A machine is built for one
// question and thrown away: looplab/fsm values are not safe to share and cheap to make.
func nextState(from, event string, moves []move) (to string, ok bool) {
	events := make(fsm.Events, len(moves))
	for i, m := range moves {
		events[i] = fsm.EventDesc{Name: m.event, Src: []string{m.from}, Dst: m.to}
	}
	machine := fsm.NewFSM(from, events, nil)
	err := machine.Event(context.WithoutCancel(context.Background()), event)
	var same fsm.NoTransitionError
	if err != nil && !errors.As(err, &same) { // a transition to the same stage is a success
		return "", false
	}
	return machine.Current(), true
}
