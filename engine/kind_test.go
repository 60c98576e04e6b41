package engine_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// kinds are the acts of the tests on kinds that are switched on and off.
type kinds struct{ *house }

// upload adds a piece of evidence of a sort.
func upload(material string) engine.AddEvidence {
	x := evidence()
	x.Material = material
	return x
}

// gates takes an item to 已销号 by nothing but what its definition says: it fulfils what is asked for, lets the days
// pass, asks, and gets every yes. It returns what was not met when it was asked for the first time at each stage.
func (h kinds) gates(w *engine.Workflow, p *engine.Project) map[engine.StageID][]string {
	h.t.Helper()
	ctx, missing := h.t.Context(), map[engine.StageID][]string{}
	has := func(act engine.Act) bool {
		s, _ := w.Stage(p.Stage)
		return slices.Contains(s.Acts, act)
	}
	for range 20 {
		if p.Stage == engine.Closed {
			return missing
		}
		var next engine.Transition
		for _, t := range w.From(p.Stage) {
			if !t.To.Resting() || t.To == engine.Closed {
				next = t
				break
			}
		}
		q, err := h.e.Do(ctx, h.people["owner"], p.ID, p.Version, engine.Submit{Transition: next.ID})
		if err == nil { // nothing was missing
			for *p = q; p.Request != nil; {
				h.yes(p)
			}
			continue
		}
		if x := (*engine.Error)(nil); asEngine(err, &x) {
			for _, r := range x.Reasons {
				if !r.Met {
					missing[p.Stage] = append(missing[p.Stage], r.ID)
					h.bring(next, r.ID, p)
				}
			}
		}
		switch {
		case has(engine.ActEdit):
			d := engine.DraftOf(p)
			d.Extra = map[string]string{}
			for _, f := range w.Fields {
				d.Extra[f.Name.ZH] = "已写明"
			}
			d.Deadline = day("2026-12-30")
			h.does("owner", p, engine.Edit{Draft: d})
		case has(engine.ActMilestones) && len(p.Milestones) == 0:
			h.does("owner", p, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "第一次", Due: day("2026-10-20")}, {Title: "第二次", Due: day("2026-11-10")}, {Title: "第三次", Due: day("2026-12-01")}}})
		}
		if has(engine.ActEvidence) {
			h.does("owner", p, evidence())
		}
		if has(engine.ActTick) {
			for _, id := range []string{"m1", "m2", "m3"} {
				h.does("owner", p, engine.Tick{ID: id})
			}
			h.does("owner", p, engine.Report{Percent: 100, Done: "全部完成"})
		}
		if has(engine.ActSurvey) {
			h.does("supervisor", p, engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: 20}, Note: "现场测评"})
		}
		if has(engine.ActSummarize) {
			h.does("owner", p, engine.Summarize{Summary: "办成了", Lasting: "写进制度"})
		}
		if has(engine.ActVerify) {
			h.does("supervisor", p, engine.Verify{Passed: true, Note: "看过现场，属实"})
			continue
		}
		h.clock.set(later(h.clock.now(), p.StageSince.AddDate(0, 0, 14)))
		h.does("owner", p, engine.Submit{Transition: next.ID})
		for p.Request != nil {
			h.yes(p)
		}
	}
	h.t.Fatalf("%s does not get to 已销号: %s", w.ID, p.Stage)
	return nil
}

// bring uploads three of each material that a requirement asks for.
func (h kinds) bring(t engine.Transition, requirement string, p *engine.Project) {
	h.t.Helper()
	for _, r := range t.Require {
		for _, name := range r.Uses {
			if id, ok := strings.CutPrefix(name, "Materials."); ok && r.ID == requirement {
				for range 3 {
					h.does("owner", p, upload(id))
				}
			}
		}
	}
}

// yes lets whoever may approve the pending request, confirming what they have to.
func (h kinds) yes(p *engine.Project) {
	h.t.Helper()
	for _, who := range []string{"supervisor", "second", "leader"} {
		options, err := h.e.Explain(h.t.Context(), h.people[who], p)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, o := range options {
			if o.Act != "approve" || !o.Allowed {
				continue
			}
			cmd := engine.Approve{Note: "同意"}
			for _, c := range o.Criteria {
				cmd.Criteria = append(cmd.Criteria, c.ID)
			}
			h.does(who, p, cmd)
			return
		}
	}
	h.t.Fatalf("nobody can approve %+v", p.Request)
}

func asEngine(err error, x **engine.Error) bool {
	e, ok := err.(*engine.Error)
	*x = e
	return ok
}

// A kind is data: one from a file, and each that the product brings along switched off, is switched on and walked from
// 谋划 to 已销号 with nothing but its definition to go by.
func TestKindsAreWalked(t *testing.T) {
	want := map[string]map[engine.StageID]string{
		"lianxi":    {"plan": "branch", "advance": "lecture", "effect": "summary"},
		"keti":      {"plan": "focus method deadline", "deploy": "milestones", "advance": "milestones_done report", "feedback": "summary public", "effect": ""},
		"xingdong":  {"plan": "base head front deadline", "deploy": "milestones", "advance": "milestones_done case", "feedback": "summary public", "effect": "method"},
		"pinpai":    {"plan": "partner form deadline", "deploy": "agreement milestones", "advance": "milestones_done activity", "feedback": "summary public", "effect": ""},
		"shifan":    {"plan": "course place values outline deadline", "deploy": "milestones", "advance": "milestones_done attended discussion", "feedback": "votes satisfaction", "effect": ""},
		"jiedui":    {"plan": "student aspect deadline", "deploy": "milestones", "advance": "milestones_done talk reported", "feedback": "summary", "effect": ""},
		"banzhuren": {"plan": "class form deadline", "deploy": "milestones", "advance": "milestones_done lesson visit", "feedback": "votes satisfaction", "effect": ""},
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := kinds{settle(t, db, "2026-09-24 10:00")}
		ctx := t.Context()
		var sources [][]byte
		for id := range want {
			source, ok := workflows.Source(id)
			if !ok {
				var err error
				if source, err = os.ReadFile("testdata/kinds/" + id + ".yaml"); err != nil {
					t.Fatal(err)
				}
			}
			sources = append(sources, source)
		}
		for _, source := range sources {
			h.clock.set(clockTime("2026-09-24 10:00"))
			w, err := h.e.Publish(ctx, h.people["admin"], source)
			if err != nil {
				t.Fatal(err)
			}
			d := h.draft()
			d.List, d.Deadline, d.Assistants = "", calendar.Date{}, nil
			by := h.people[map[engine.Role]string{engine.Secretary: "secretary", engine.Leader: "leader", engine.Supervisor: "supervisor"}[w.Create[0]]]
			_, err = h.e.Create(ctx, by, w.ID, h.units["b"], d)
			if x := (*engine.Error)(nil); !asEngine(err, &x) || x.Key != "kind.off" {
				t.Fatalf("%s can be proposed before it is switched on: %v", w.ID, err)
			}
			if err := h.e.EnableKind(ctx, h.people["admin"], w.ID); err != nil {
				t.Fatal(err)
			}
			p, err := h.e.Create(ctx, by, w.ID, h.units["b"], d)
			if err != nil {
				t.Fatalf("%s: %v", w.ID, err)
			}
			missing := h.gates(w, &p)
			for stage, ids := range want[w.ID] {
				if got := strings.Join(missing[stage], " "); got != ids {
					t.Errorf("%s: on leaving %s %q is missing, want %q", w.ID, stage, got, ids)
				}
			}
		}
		h.intact()
	})
}

// Switching is an entry by the administrator; it is refused to everybody else, changes nothing twice, is known to other
// replicas, and leaves what runs to go on. Verification finds a switch that somebody turned in the database.
func TestKindIsSwitched(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := kinds{settle(t, db, "2026-09-24 10:00")}
		ctx, admin := t.Context(), h.people["admin"]
		other := h.replica()
		source, _ := workflows.Source("jiedui")
		if _, err := h.e.Publish(ctx, admin, source); err != nil {
			t.Fatal(err)
		}
		if h.e.IsOn("jiedui") || !h.e.IsOn("shishi") || h.e.IsOn("absent") {
			t.Errorf("on: %v %v %v", h.e.IsOn("jiedui"), h.e.IsOn("shishi"), h.e.IsOn("absent"))
		}
		for _, who := range []string{"leader", "security", "secretary", "inspector"} {
			if err := h.e.EnableKind(ctx, h.people[who], "jiedui"); engine.KindOf(err) != engine.Denied {
				t.Errorf("%s: %v", who, err)
			}
		}
		if err := h.e.EnableKind(ctx, admin, "absent"); engine.KindOf(err) != engine.NotFound {
			t.Errorf("a kind that there is not: %v", err)
		}
		for range 2 {
			if err := h.e.EnableKind(ctx, admin, "jiedui"); err != nil {
				t.Fatal(err)
			}
		}
		d := h.draft()
		d.List = ""
		p, err := h.e.Create(ctx, h.people["secretary"], "jiedui", h.units["b"], d)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.DisableKind(ctx, admin, "jiedui"); err != nil {
			t.Fatal(err)
		}
		if err := h.e.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		if h.e.IsOn("jiedui") || len(h.e.Workflows()) != 2 || len(h.e.Published()) != 3 {
			t.Errorf("it is off, and %d of %d are on", len(h.e.Workflows()), len(h.e.Published()))
		}
		if _, err := h.e.Create(ctx, h.people["secretary"], "jiedui", h.units["b"], d); engine.KindOf(err) != engine.Blocked {
			t.Errorf("proposed though it is off: %v", err)
		}
		d.Title = "办到底"
		h.does("owner", &p, engine.Edit{Draft: d})
		var actions []string
		for _, e := range h.trail("kind/jiedui") {
			actions = append(actions, e.Action)
		}
		slices.Sort(actions)
		if want := []string{"disable_workflow", "enable_workflow"}; !slices.Equal(actions, want) {
			t.Errorf("entries %v, want %v", actions, want)
		}
		h.intact()
		h.exec(`UPDATE kind_switches SET "on" = (1 = 1)`)
		h.finds("kind/jiedui", audit.CheckReplay)
		h.exec(`DELETE FROM kind_switches`)
		h.finds("kind/jiedui", storage.CheckOrphan)
	})
}

// finds verifies and wants exactly one finding.
func (h *house) finds(subject, check string) {
	h.t.Helper()
	r, err := h.db.Verify(h.t.Context(), storage.VerifyOptions{})
	if err != nil || len(r.Findings) != 1 || r.Findings[0].Subject != subject || r.Findings[0].Check != check {
		h.t.Errorf("want %s of %s: %v %+v", check, subject, err, r.Findings)
	}
}

// A piece of evidence counts as what the definition asks for only if somebody says that it is that.
func TestMaterials(t *testing.T) {
	w := embedded(t, "keti")
	d := draft()
	d.List, d.Extra = "", map[string]string{"联系单位或重点任务": "教务处", "调研方式": "座谈"}
	s := untold(t, w, clockTime("2026-09-24 10:00"))
	s.does(supervisor, create(d))
	s.does(owner, evidence())
	s.does(owner, upload("report"))
	s.refused(owner, upload("photo"), engine.Invalid, "evidence.material")
	if s.p.EvidenceCount != 2 || len(s.p.Materials) != 1 || s.p.Materials["report"] != 1 {
		t.Errorf("%d pieces, of which %v", s.p.EvidenceCount, s.p.Materials)
	}
}
