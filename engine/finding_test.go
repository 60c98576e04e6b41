package engine_test

import (
	"encoding/json"
	"testing"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// A finding of false evidence is an inspector's and a leader's, names the pieces, costs points from the entry that
// confirms it, can send the item back to work, and is lifted the way it was made.
func TestFalseEvidence(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-24 09:00")}
		ctx := t.Context()
		early := h.propose(h.draft())
		h.does("owner", &early, engine.Submit{Transition: "deploy"})
		p := h.closed()
		files, err := db.Evidence(ctx, p.ID)
		if err != nil || len(files) == 0 {
			t.Fatalf("%d pieces of evidence, %v", len(files), err)
		}
		wrong := []string{files[0].ID}
		h.does("leader", &p, engine.MarkAs{Kind: engine.MarkPromote, Note: "值得推广"})
		for _, c := range []struct {
			name string
			who  string
			p    engine.Project
			cmd  engine.Command
			kind engine.Kind
			key  string
		}{
			{"not an inspector", "supervisor", p, engine.FindFalse{Evidence: wrong, Note: "照片是去年的"}, engine.Denied, "act.role"},
			{"not an inspector, and evidence that is none", "leader", p, engine.FindFalse{Evidence: []string{"x"}, Note: "照片是去年的"}, engine.Denied, "act.role"},
			{"no evidence at all", "inspector", early, engine.FindFalse{Note: "照片是去年的"}, engine.Blocked, "finding.no_evidence"},
			{"evidence that is none", "inspector", p, engine.FindFalse{Evidence: []string{"x"}, Note: "照片是去年的"}, engine.Invalid, "evidence.unknown"},
			{"about nothing", "inspector", p, engine.FindFalse{Note: "照片是去年的"}, engine.Invalid, "field.empty"},
			{"no reason", "inspector", p, engine.FindFalse{Evidence: wrong, Note: "假"}, engine.Invalid, "note.too_short"},
			{"a day that has passed", "inspector", p, engine.FindFalse{Evidence: wrong, Note: "照片是去年的", Deadline: day("2026-09-01")}, engine.Invalid, "deadline.past"},
			{"nothing to lift", "inspector", p, engine.LiftFinding{ID: "f1", Note: "照片日期属实"}, engine.Blocked, "finding.none"},
		} {
			t.Run(c.name, func(t *testing.T) {
				_, err := h.e.Do(ctx, h.people[c.who], c.p.ID, c.p.Version, c.cmd)
				lists{&house{t: t}}.refuses(err, c.kind, c.key)
			})
		}

		points := func() score.Points {
			book, err := score.Read(ctx, db, score.Query{From: day("2026-07-01"), To: day("2026-12-31"), AsOf: h.clock.now().UTC(), Location: shanghai, Calendar: calendar.Embedded()})
			if err != nil {
				t.Fatal(err)
			}
			u, _ := book.Score(workflows.Sheets()[0]).Unit(p.UnitID)
			return u.Sum(func(l *score.Line) bool { return l.Row == "false_evidence" })
		}
		tomorrow := func() { h.clock.set(h.clock.now().AddDate(0, 0, 1)) }

		h.does("inspector", &p, engine.FindFalse{Evidence: wrong, Note: "照片是去年的"})
		_, err = h.e.Do(ctx, h.people["owner"], p.ID, p.Version, engine.Withdraw{})
		h.refuses(err, engine.Denied, "withdraw.role")
		_, err = h.e.Do(ctx, h.people["inspector"], p.ID, p.Version, engine.Approve{})
		h.refuses(err, engine.Denied, "approval.role")
		if p.Waiting != ",leader," || p.Convicted() {
			t.Errorf("while it waits: %q, convicted %t", p.Waiting, p.Convicted())
		}
		h.does("leader", &p, engine.Return{Note: "请补充原始照片的日期"})
		tomorrow()
		if points() != 0 {
			t.Error("a finding that was not confirmed costs points")
		}
		h.does("inspector", &p, engine.FindFalse{Evidence: wrong, Note: "照片是去年的，原图日期为证"})
		h.does("leader", &p, engine.Approve{Note: "属实"})
		f := p.Findings["f3"]
		if p.Stage != engine.Closed || !p.Convicted() || f.By != h.people["inspector"].ID || f.ConfirmedBy != h.people["leader"].ID || len(f.Evidence) != 1 || f.Evidence[0].SHA256 != files[0].SHA256 {
			t.Fatalf("found %+v in %s", p.Findings, p.Stage)
		}
		last := h.trail(p.Subject())
		var data struct {
			Request, Finding string
			FindingID        string `json:"finding_id"`
		}
		if err := json.Unmarshal(last[len(last)-1].Data, &data); err != nil || data.Request != "finding" || data.Finding != "false_evidence" || data.FindingID != "f3" {
			t.Errorf("the entry says %+v (%v)", data, err)
		}
		tomorrow()
		if points() != -10*score.Point {
			t.Errorf("the finding costs %s", points())
		}
		_, err = h.e.Do(ctx, h.people["leader"], p.ID, p.Version, engine.MarkAs{Kind: engine.MarkCommend, Note: "全年无逾期"})
		h.refuses(err, engine.Blocked, "mark.all")

		_, err = h.e.Do(ctx, h.people["inspector"], p.ID, p.Version, engine.LiftFinding{ID: "f9", Note: "照片日期属实"})
		h.refuses(err, engine.NotFound, "finding.unknown")
		h.does("inspector", &p, engine.LiftFinding{ID: "f3", Note: "相机时钟没有校准，照片属实"})
		h.does("leader", &p, engine.Approve{Note: "同意撤销"})
		tomorrow()
		if f := p.Findings["f3"]; points() != 0 || p.Convicted() || f.LiftedAt == nil || f.LiftedBy != h.people["inspector"].ID || f.LiftConfirmedBy != h.people["leader"].ID || f.Lifted == "" {
			t.Errorf("lifted: %s, %+v", points(), f)
		}

		h.does("inspector", &p, engine.FindFalse{Evidence: wrong, Note: "签到表是补签的", Deadline: day("2026-12-31")})
		h.does("leader", &p, engine.Approve{})
		if p.Stage != "advance" || p.Deadline != day("2026-12-31") || p.LookBacksFailed != 0 || p.Marks == nil {
			t.Errorf("reopened: %s, %s", p.Stage, p.Deadline)
		}
		_, err = h.e.Do(ctx, h.people["inspector"], p.ID, p.Version, engine.FindFalse{Evidence: wrong, Note: "签到表是补签的", Deadline: day("2026-12-31")})
		h.refuses(err, engine.Invalid, "finding.no_deadline")
		_, err = h.e.Do(ctx, h.people["inspector"], p.ID, p.Version, engine.LiftFinding{ID: "f3", Note: "再撤销一次"})
		h.refuses(err, engine.Blocked, "finding.lifted")
		h.intact()
	})
}
