package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// take checks an accepted change against everything that must always hold, and makes it the story's project.
func (s *story) take(who engine.Actor, change engine.Change) {
	s.t.Helper()
	before, after, e := s.p, change.Project, change.Entry

	if change.Base != before.Version || after.Version != before.Version+1 || e.Seq != after.Version || e.Version != after.Version {
		s.t.Fatalf("base %d, version %d → %d, entry seq %d version %d", change.Base, before.Version, after.Version, e.Seq, e.Version)
	}
	if e.Prev != before.Head || after.Head != audit.HashEntry(change.Bytes) || e.Subject != "project/"+string(after.ID) {
		s.t.Fatalf("%s: the entry does not continue the chain", e.Action)
	}
	if e.Actor.ID != string(who.ID) || e.Actor.Via != who.Via || e.Definition != after.Definition || e.Unit != string(after.UnitID) {
		s.t.Fatalf("%s: entry by %+v under %q, want %s", e.Action, e.Actor, e.Definition, who.ID)
	}
	row, err := e.Row()
	if err != nil || !bytes.Equal(row.Bytes, change.Bytes) {
		s.t.Fatalf("%s: the entry's bytes are not those of the change: %v", e.Action, err)
	}
	if s.chain == nil {
		s.chain = audit.NewChain(e.Subject)
	}
	for _, f := range append(s.chain.Add(row), s.chain.Close(after.Head, after.Version, after.State())...) {
		s.t.Fatalf("after %s the trail says %+v", e.Action, f)
	}
	if !audit.Equal(s.chain.State(), after.State()) {
		s.t.Fatalf("after %s the fold is\n%s\nthe state is\n%s", e.Action, s.chain.State(), after.State())
	}
	var read engine.Project
	if err := json.Unmarshal(after.State(), &read); err != nil || !bytes.Equal(read.State(), after.State()) {
		s.t.Fatalf("after %s the state does not survive a round trip: %v\n%s\n%s", e.Action, err, after.State(), read.State())
	}

	s.checkMove(&before, &after, e)
	s.checkMarks(&before, &after, e)
	s.checkApproval(who, &before, &after, e)
	for _, r := range change.Reminders {
		if s.dedupe[r.DedupeKey] || r.Entry != e.ID || r.ProjectID != after.ID || r.DueAt.IsZero() || r.DueAt.After(s.now) || r.Role == "" {
			s.t.Fatalf("%s owes the reminder %+v", e.Action, r)
		}
		s.dedupe[r.DedupeKey] = true
	}
	s.p, s.entries, s.reminders = after, append(s.entries, e), append(s.reminders, change.Reminders...)
	if !s.free && (after.Version%2 == 0 || e.Actor.Via == engine.ViaClock) {
		s.checkClock()
		s.checkWaiting()
	}
}

// checkMove: no stage changes without an edge of the definition or an allowed return.
func (s *story) checkMove(before, after *engine.Project, e audit.Entry) {
	s.t.Helper()
	if before.Version == 0 {
		if after.Stage != s.w.Initial() {
			s.t.Fatalf("created in %s", after.Stage)
		}
		return
	}
	if before.Stage == after.Stage {
		if !after.StageSince.Equal(before.StageSince) && !slices.ContainsFunc(s.w.From(before.Stage), func(t engine.Transition) bool { return t.To == before.Stage }) {
			s.t.Fatalf("%s: stage_since moved without a move", e.Action)
		}
		return
	}
	if e.From != string(before.Stage) || e.To != string(after.Stage) || !after.StageSince.Equal(after.UpdatedAt) {
		s.t.Fatalf("%s: entry says %s → %s, the project went %s → %s", e.Action, e.From, e.To, before.Stage, after.Stage)
	}
	if after.Request != nil {
		s.t.Fatalf("%s: the request outlived its stage", e.Action)
	}
	if e.Action == "return" {
		stage, _ := s.w.Stage(before.Stage)
		if !slices.Contains(stage.ReturnTo, after.Stage) {
			s.t.Fatalf("returned from %s to %s", before.Stage, after.Stage)
		}
		return
	}
	for _, t := range s.w.From(before.Stage) {
		if t.To == after.Stage || t.To == engine.Previous && after.Stage == before.Resume {
			return
		}
	}
	if before.Stage == engine.Closed && after.Stage == s.w.LookBack.Reopen && (after.LookBacksFailed == before.LookBacksFailed+1 || len(after.Findings) == len(before.Findings)+1) {
		return
	}
	s.t.Fatalf("%s: no transition leads from %s to %s", e.Action, before.Stage, after.Stage)
}

// checkMarks: what is kept for ever is kept, what counts up does not count down, what is derived is derived.
func (s *story) checkMarks(before, after *engine.Project, e audit.Entry) {
	s.t.Helper()
	if before.EverOverdue && !after.EverOverdue {
		s.t.Fatalf("%s cleared 曾逾期", e.Action)
	}
	if after.OverdueAt != nil && !after.EverOverdue {
		s.t.Fatalf("%s: overdue, but never overdue", e.Action)
	}
	if before.Version > 0 && after.Deadline != before.Deadline {
		extended := e.Action == "approve" && before.Request != nil && before.Request.Kind == engine.RequestExtension
		if !extended && after.LookBacksFailed == before.LookBacksFailed && len(after.Findings) == len(before.Findings) && (e.Action != "edit" || before.Stage != "plan") {
			s.t.Fatalf("%s in %s moved the deadline from %s to %s", e.Action, before.Stage, before.Deadline, after.Deadline)
		}
		if extended && after.Extensions != before.Extensions+1 {
			s.t.Fatalf("an extension was not counted")
		}
	}
	if !before.OriginalDeadline.IsZero() && after.OriginalDeadline != before.OriginalDeadline {
		s.t.Fatalf("%s changed the original deadline", e.Action)
	}
	for _, c := range []struct {
		name          string
		before, after int
	}{
		{"extensions", before.Extensions, after.Extensions}, {"returns", before.Returns, after.Returns},
		{"round", before.Round, after.Round}, {"serial", before.Serial, after.Serial}, {"reports", before.Reports, after.Reports},
		{"evidence", before.EvidenceCount, after.EvidenceCount}, {"urges", before.Urges, after.Urges},
		{"objections", len(before.Objections), len(after.Objections)}, {"findings", len(before.Findings), len(after.Findings)}, {"done", before.MilestonesDone(), after.MilestonesDone()},
	} {
		if c.after < c.before {
			s.t.Fatalf("%s: %s fell from %d to %d", e.Action, c.name, c.before, c.after)
		}
	}
	lookBack := after.Stage == engine.Closed && !after.LookBackDue.IsZero() // the one thing that the clock owes what rests
	if after.Stage.Resting() && (after.NextAt != nil && !lookBack || after.StageDue != nil || after.Light(s.now) != engine.NoLight) {
		s.t.Fatalf("%s: the clock does not stand still in %s", e.Action, after.Stage)
	}
	if after.Stage == engine.Closed != (after.ClosedAt != nil) {
		s.t.Fatalf("%s: closed_at is %v in %s", e.Action, after.ClosedAt, after.Stage)
	}
}

// checkApproval: four eyes.
func (s *story) checkApproval(who engine.Actor, before, after *engine.Project, e audit.Entry) {
	s.t.Helper()
	switch e.Action {
	case "approve":
		if before.Request.By == who.ID || before.Works(who.ID) {
			s.t.Fatalf("%s approved their own %s", who.ID, before.Request.Kind)
		}
		for _, g := range before.Request.Given {
			if g.By == who.ID {
				s.t.Fatalf("%s approved twice", who.ID)
			}
		}
		fallthrough
	case "urge", "submit", "extend", "report":
		if e.Actor.Role == "" {
			s.t.Fatalf("%s: the entry names no role", e.Action)
		}
	case "verify", "survey":
		if before.Works(who.ID) {
			s.t.Fatalf("%s judged their own work", who.ID)
		}
	}
	if r := after.Request; r != nil && len(r.Given) > 0 {
		seen := map[engine.UserID]bool{r.By: true}
		for _, g := range r.Given {
			if seen[g.By] {
				s.t.Fatalf("%s counts twice in %+v", g.By, r)
			}
			seen[g.By] = true
		}
	}
}

// checkClock: next_at is the first moment at which something is owed, and something is owed then.
func (s *story) checkClock() {
	s.t.Helper()
	owedAt := func(now time.Time) error {
		c := s.moment(engine.ClockActor())
		c.Now = now
		ids := s.ids
		_, err := engine.Decide(c, s.p, engine.OnClock)
		s.ids = ids
		return err
	}
	next := s.p.NextAt
	if next == nil {
		if err := owedAt(s.now.AddDate(0, 6, 0)); !errors.Is(err, engine.NothingOwed) {
			s.t.Fatalf("next_at is not set, but half a year later: %v", err)
		}
		return
	}
	if err := owedAt(later(*next, s.now)); err != nil {
		s.t.Fatalf("next_at is %s, but at %s: %v", next, later(*next, s.now), err)
	}
	if early := next.Add(-time.Microsecond); early.After(s.now) {
		if err := owedAt(early); !errors.Is(err, engine.NothingOwed) {
			s.t.Fatalf("something is owed before next_at %s: %v", next, err)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// checkWaiting: every role that the project waits for has somebody who can indeed answer.
func (s *story) checkWaiting() {
	s.t.Helper()
	if s.p.Waiting == "" {
		return
	}
	roles := strings.Split(strings.Trim(s.p.Waiting, ","), ",")
	if s.p.Waiting != ","+strings.Join(roles, ",")+"," {
		s.t.Fatalf("waiting is %q", s.p.Waiting)
	}
	for _, name := range roles {
		role := engine.Role(name)
		who := holds("u-fresh", role, branch, role, committee)
		if role == engine.Owner {
			who = engine.Actor{ID: s.p.Owner, Via: engine.ViaAPI}
		}
		options := engine.ExplainCase(s.moment(who), &s.p)
		if !slices.ContainsFunc(options, func(o engine.Option) bool {
			answers := o.Act == "return" && s.p.Request != nil || o.Act == "verify" || o.Act == "acknowledge" || o.Act == "look_back"
			return answers && o.Allowed
		}) {
			s.t.Fatalf("%s in %s waits for %s, who can do nothing about it", s.p.ID, s.p.Stage, role)
		}
	}
}
