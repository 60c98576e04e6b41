package score

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Ref names an entry behind a point.
type Ref struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"`
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Action  string    `json:"action"`
	Failed  bool      `json:"failed,omitempty"` // of a share: it counts below the line, but not above
}

// Item is a project as far as lines name it.
type Item struct {
	ID     engine.ProjectID `json:"id"`
	Number string           `json:"number"`
	Title  string           `json:"title"`
	Kind   string           `json:"kind"`
	UnitID engine.UnitID    `json:"unit_id"`
}

// Occurrence is something that happened in the period, whatever a sheet makes of it.
type Occurrence struct {
	Event    Event
	At       time.Time
	Item     Item
	Days     int  // calendar days late
	Workdays int  // working days late
	Known    bool // every year that Workdays counts over has its holiday list
	Yes, Of  int  // satisfied votes and all, for the events that have a rate
	Refs     []Ref
}

// mark is one count of a measure: as it should be, or not.
type mark struct {
	measure Measure
	ok      bool
	n       int // how many; votes come by the dozen
	ref     Ref
}

// milestone keeps what one was, patch by patch.
type milestone struct {
	Due    calendar.Date `json:"due"`
	DoneAt *time.Time    `json:"done_at"`
	laid   Ref
}

// milestones takes merge patches, which name changed members only.
type milestones map[string]*milestone

// UnmarshalJSON merges a patch.
func (m *milestones) UnmarshalJSON(b []byte) error {
	var patch map[string]json.RawMessage
	if err := json.Unmarshal(b, &patch); err != nil {
		return err
	}
	if patch == nil || *m == nil {
		*m = milestones{}
	}
	for id, change := range patch {
		if string(change) == "null" {
			delete(*m, id)
			continue
		}
		if (*m)[id] == nil {
			(*m)[id] = &milestone{}
		}
		if err := json.Unmarshal(change, (*m)[id]); err != nil {
			return err
		}
	}
	return nil
}

// state is the part of a project's state that matters here. Decoding a merge patch into it applies the patch: a
// member that the patch does not name stays, a nested object is merged, and null clears what is a pointer. What is no
// pointer never disappears from a project's state once it is there.
type state struct {
	Number      string         `json:"number"`
	Kind        string         `json:"kind"`
	Title       string         `json:"title"`
	UnitID      engine.UnitID  `json:"unit_id"`
	Stage       engine.StageID `json:"stage"`
	StageDue    *time.Time     `json:"stage_due"`
	Deadline    *calendar.Date `json:"deadline"`
	EverOverdue bool           `json:"ever_overdue"`
	Round       int            `json:"round"`
	Extensions  int            `json:"extensions"`
	Milestones  milestones     `json:"milestones"`
	Survey      *engine.Survey `json:"survey"`
	Lasting     *string        `json:"lasting"`
}

// said is what an entry's data says that the fold of a project's history needs.
type said struct {
	Set       *state             `json:"set"`
	Request   engine.RequestKind `json:"request"`
	Passed    *bool              `json:"passed"`
	Rung      engine.Rung        `json:"rung"`
	Finding   string             `json:"finding"`
	FindingID string             `json:"finding_id"`
	Milestone string             `json:"milestone"`
}

// history folds the entries of one project.
type history struct {
	q       *window
	id      engine.ProjectID
	state   state
	closed  Ref // the 销号 that holds, zero while it is open
	set     Ref // the entry that set the present deadline
	survey  Ref
	overdue []Ref
	urged   []Ref
	found   []Occurrence // what can happen several times

	findings map[string]Ref // of false evidence, by their ids
	marks    []mark
}

// window is the period as moments.
type window struct {
	start, end time.Time // at or after start, before end
	over       bool      // end is that of the period
	today      calendar.Date
	loc        *time.Location
	cal        *calendar.Calendar
}

// ends is the moment at which a day is over.
func (w *window) ends(d calendar.Date) time.Time { return d.AddDays(1).Start(w.loc) }

// add takes the next entry of the project's chain.
func (h *history) add(e *audit.Entry) error {
	before, due, deadline, surveyed := h.state, time.Time{}, calendar.Date{}, h.state.Survey != nil
	if h.state.StageDue != nil {
		due = *h.state.StageDue // decoding writes where the pointer leads
	}
	if h.state.Deadline != nil {
		deadline = *h.state.Deadline
	}
	data := said{Set: &h.state}
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return fmt.Errorf("score: entry %s: %w", e.ID, err)
		}
	}
	s := &h.state
	ref := Ref{ID: e.ID, Subject: e.Subject, Seq: e.Seq, At: e.At, Action: e.Action}
	if s.Deadline != nil && *s.Deadline != deadline {
		h.set = ref
	}
	for _, m := range s.Milestones {
		if m.laid.ID == "" {
			m.laid = ref
		}
	}
	switch {
	case s.Survey == nil:
		h.survey = Ref{}
	case !surveyed, e.Action == "survey", e.Action == "count_poll":
		h.survey = ref
	}
	overdue := s.EverOverdue || !deadline.IsZero() && !e.At.Before(h.q.ends(deadline))
	switch {
	case e.Action == "overdue":
		h.overdue = append(h.overdue, ref)
	case overdue && (e.Action == "urge" || slices.Contains([]engine.Rung{engine.Supervise, engine.Talk, engine.Bulletin}, data.Rung)):
		h.urged = append(h.urged, ref)
	}
	moved := before.Stage != "" && before.Stage != s.Stage
	switch {
	case moved && s.Stage == engine.Closed:
		h.closed = ref
	case moved:
		h.closed = Ref{}
	}
	if !e.At.Before(h.q.start) {
		h.within(e, ref, &before, due, data, moved)
	}
	return nil
}

// within notes what the entry means for the period in which it was written.
func (h *history) within(e *audit.Entry, ref Ref, before *state, due time.Time, data said, moved bool) {
	s := &h.state
	note := func(event Event) {
		h.found = append(h.found, Occurrence{Event: event, At: e.At, Refs: []Ref{ref}})
	}
	// 退回 of a request for more time is an answer, not a fault of the work; a failed look-back is an event of its own.
	asked := data.Request == "" || data.Request == engine.RequestTransition
	returned := asked && (e.Action == "return" || s.Round > before.Round)
	if returned {
		note(Returned)
	}
	if s.Extensions > before.Extensions {
		note(Extended)
	}
	switch {
	case e.Action == "extend_late":
		note(LateAsk)
	case e.Action == "approve" && data.Request == engine.RequestLookBack && data.Passed != nil:
		note(map[bool]Event{true: LookBackPassed, false: LookBackFailed}[*data.Passed])
	case e.Action == "approve" && data.Finding == string(FalseEvidence):
		note(FalseEvidence)
		h.findings[data.FindingID] = ref
	case e.Action == "approve" && data.Finding == engine.FindingLifted:
		wrong := h.findings[data.FindingID]
		h.found = slices.DeleteFunc(h.found, func(o Occurrence) bool { return o.Event == FalseEvidence && o.Refs[0] == wrong })
	}
	switch {
	case moved && s.Stage == engine.Shelved:
		note(ShelvedItem)
	case moved && s.Stage == engine.Cancelled:
		note(CancelledItem)
	}
	forward := moved && !returned && !before.Stage.Resting() && (!s.Stage.Resting() || s.Stage == engine.Closed)
	if forward && !due.IsZero() {
		h.mark(StagesOnTime, e.At.Before(due), 1, ref)
	}
	switch {
	case forward && (e.Action == "approve" || e.Action == "verify"):
		h.mark(FirstPass, true, 1, ref)
	case returned && (e.Action == "return" || e.Action == "verify"):
		h.mark(FirstPass, false, 1, ref)
	}
	if m := s.Milestones[data.Milestone]; m != nil && e.Action == "tick" {
		h.mark(MilestonesOnTime, !calendar.DateOf(e.At, h.q.loc).After(m.Due), 1, ref)
	}
}

func (h *history) mark(m Measure, ok bool, n int, ref Ref) {
	if n > 0 {
		ref.Failed = !ok
		h.marks = append(h.marks, mark{m, ok, n, ref})
	}
}

// finish says how the item stands when the period, or the part of it up to now, is over. settled reports whether it
// counts among the items that make a unit comparable: it was closed out in the period or is overdue.
func (h *history) finish() (found []Occurrence, marks []mark, settled bool) {
	s := &h.state
	item := Item{ID: h.id, Number: s.Number, Title: s.Title, Kind: s.Kind, UnitID: s.UnitID}
	switch {
	case s.Stage == engine.Closed && !h.closed.At.Before(h.q.start):
		settled = true
		h.settled()
	case !s.Stage.Resting() && s.Deadline != nil && !h.q.end.Before(h.q.ends(*s.Deadline)):
		settled = true
		event, refs := Unfinished, append([]Ref{h.set}, h.overdue...)
		switch {
		case h.q.over:
		case len(h.urged) > 0:
			event, refs = Urged, append(refs, h.urged...)
		default:
			event = Late
		}
		h.late(event, h.q.ends(*s.Deadline), h.q.today, refs)
		h.mark(ClosedOnTime, false, 1, h.set)
	}
	if !s.Stage.Resting() {
		for _, m := range s.Milestones {
			if over := h.q.ends(m.Due); m.DoneAt == nil && !over.After(h.q.end) && over.After(h.q.start) {
				h.mark(MilestonesOnTime, false, 1, m.laid)
			}
		}
	}
	for i := range h.found {
		h.found[i].Item = item
	}
	return h.found, h.marks, settled
}

// settled is what 销号 in the period means.
func (h *history) settled() {
	s, at := &h.state, h.closed.At
	refs := []Ref{h.set, h.closed}
	if h.set.ID == "" { // a kind of item without a deadline
		refs = refs[1:]
	}
	switch {
	case !s.EverOverdue:
		h.found = append(h.found, Occurrence{Event: OnTime, At: at, Refs: refs})
	case len(h.urged) > 0:
		h.late(Urged, at, calendar.DateOf(at, h.q.loc), slices.Concat(h.overdue, h.urged, refs))
	default:
		h.late(Late, at, calendar.DateOf(at, h.q.loc), slices.Concat(h.overdue, refs))
	}
	h.mark(ClosedOnTime, !s.EverOverdue, 1, h.closed)
	h.mark(LastingWritten, s.Lasting != nil && *s.Lasting != "", 1, h.closed)
	if votes := s.Survey.Votes(); votes > 0 {
		yes := s.Survey.VerySatisfied + s.Survey.Satisfied + s.Survey.Basic
		h.found = append(h.found, Occurrence{Event: Satisfied, At: at, Yes: yes, Of: votes, Refs: []Ref{h.survey, h.closed}})
		h.mark(SatisfiedVotes, true, yes, h.survey)
		h.mark(SatisfiedVotes, false, votes-yes, h.survey)
	}
}

// late notes an item that missed its deadline, and by how much.
func (h *history) late(event Event, at time.Time, day calendar.Date, refs []Ref) {
	o := Occurrence{Event: event, At: at, Refs: refs, Known: true}
	if d := h.state.Deadline; d != nil && day.After(*d) {
		o.Days = d.DaysUntil(day)
		o.Workdays, o.Known = h.q.cal.Workdays(*d, day)
	}
	h.found = append(h.found, o)
}
