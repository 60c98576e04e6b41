package engine

import (
	"context"
	"log/slog"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Decide is decide, for tests that need the embedded definitions and therefore live outside the package.
func Decide(c *Case, p Project, cmd Command) (Change, error) { return decide(c, p, cmd) }

// OnClock and Reschedule are the clock's commands.
var (
	OnClock    Command = onClock{}
	Reschedule Command = reschedule{}
)

// NothingOwed is the clock's answer when nothing is due.
var NothingOwed error = nothingOwed

// ClockActor is the actor of sweeps.
func ClockActor() Actor { return clockActor() }

// ExplainCase is explain.
func ExplainCase(c *Case, p *Project) []Option { return c.explain(p) }

// ComingCase is coming.
func ComingCase(c *Case, p *Project) []Occurrence { return c.coming(p) }

// CommandKinds lists a zero value of every command that people can send, for tests that must not miss one.
func CommandKinds() []Command {
	return []Command{Create{}, Edit{}, Acknowledge{}, LayMilestones{}, EditMilestone{}, RemoveMilestone{}, Tick{}, Report{},
		AddEvidence{}, Urge{}, Verify{}, RecordSurvey{}, Object{}, Answer{}, Summarize{}, GiveStatement{}, Submit{}, Extend{}, Approve{},
		Return{}, Withdraw{}, MarkAs{}, RevokeMark{}, FindFalse{}, LiftFinding{}}
}

// Proven is the command with a piece of evidence behind it, as Do looks it up.
func Proven(x MarkAs) MarkAs {
	x.proofs = []MarkProof{{ID: "e1", SHA256: audit.HashContent([]byte("e1"))}}
	return x
}

// Proved is likewise the command that finds this piece false.
func Proved(x FindFalse) FindFalse {
	x.proofs = []MarkProof{{ID: "e1", SHA256: audit.HashContent([]byte("e1"))}}
	return x
}

// EndOf is the first moment after a deadline's day.
func (s Site) EndOf(p *Project) time.Time { return s.deadlineEnd(p.Deadline) }

// OwedTo is what a sweep decides for one project at a moment.
func OwedTo(w *Workflow, cal *calendar.Calendar, site Site, now time.Time, log string, newID func() string, p Project) []Change {
	e := &Engine{Config: Config{Site: site, Now: func() time.Time { return now }, NewID: newID, Log: slog.New(slog.DiscardHandler)},
		log: log, workflows: map[string]*Workflow{w.Digest: w}, loaded: cal}
	return e.owedTo(context.Background(), p)
}
