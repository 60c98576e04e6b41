package api_test

import (
	"fmt"
	"strings"
	"testing"
)

// The whole loop over HTTP, 谋划 to 已销号, as each person would do it.
func TestLoop(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.create()
		if p.Stage.ID != "plan" || p.Version != 1 {
			t.Fatalf("a new project is %+v", p)
		}
		h.act(&p, "owner", "PATCH ", map[string]any{"measures": "更换灯具，加装台灯", "note": "补充举措"})
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "deploy", "note": "请交办"})
		h.act(&p, "owner", "POST /withdrawals", nil)
		h.act(&p, "assistant", "POST /transitions", map[string]any{"transition": "deploy"})
		h.act(&p, "supervisor", "POST /returns", map[string]any{"note": "举措写得太粗"})
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "deploy"})
		h.act(&p, "supervisor", "POST /approvals", map[string]any{"note": "同意"})
		if p.Stage.ID != "deploy" || p.Stage.Name != "deploy" {
			t.Fatalf("stage is %+v", p.Stage)
		}

		h.at("2026-09-25 09:30")
		h.reread(&p)
		h.act(&p, "owner", "POST /acknowledge", nil)
		h.act(&p, "owner", "POST /milestones", map[string]any{"milestones": []any{
			map[string]any{"title": "采购", "due": "2026-10-20", "who": "后勤处"}, map[string]any{"title": "安装", "due": "2026-11-20"},
			map[string]any{"title": "多余", "due": "2026-11-21"}}})
		h.act(&p, "owner", "PUT /milestones/m2", map[string]any{"title": "安装调试", "due": "2026-11-25"})
		h.act(&p, "assistant", "DELETE /milestones/m3", nil)
		if len(p.Milestones) != 2 || p.Milestones[1].Title != "安装调试" {
			t.Fatalf("milestones are %+v", p.Milestones)
		}
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "advance"})
		h.act(&p, "supervisor", "POST /approvals", nil)

		h.at("2026-10-20 10:00")
		h.reread(&p)
		h.act(&p, "owner", "POST /reports", map[string]any{"percent": 60, "done": "灯具到货", "next": "安装"})
		if p.Progress != 60 {
			t.Errorf("progress is %d", p.Progress)
		}
		h.act(&p, "supervisor", "POST /urges", map[string]any{"note": "抓紧安装"})
		h.act(&p, "owner", "POST /extensions", map[string]any{"deadline": "2026-12-20", "note": "灯具缺货"})
		h.act(&p, "supervisor", "POST /approvals", nil)
		h.act(&p, "owner", "POST /milestones/m1/done", map[string]any{"note": "已到货"})
		h.act(&p, "owner", "POST /milestones/m2/done", nil)
		h.addEvidence(&p, "owner", "验收单.pdf", pdf)
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "track"})
		h.act(&p, "supervisor", "POST /approvals", nil)
		h.act(&p, "supervisor", "POST /verifications", map[string]any{"passed": true, "note": "现场抽查合格"})
		if p.Stage.ID != "feedback" {
			t.Fatalf("stage is %s", p.Stage.ID)
		}

		h.act(&p, "leader", "POST /objections", map[string]any{"text": "东区还有两盏不亮"})
		h.act(&p, "owner", "POST /objections/"+p.Objections[0].ID+"/answer", map[string]any{"text": "已经更换，请复查"})
		if p.Objections[0].Answer == "" {
			t.Errorf("objections are %+v", p.Objections)
		}
		h.at("2026-10-29 10:00")
		h.reread(&p)
		h.act(&p, "supervisor", "POST /surveys", map[string]any{"very_satisfied": 15, "satisfied": 4, "basic": 2, "dissatisfied": 1,
			"very_dissatisfied": 0, "note": "线下问卷"})
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "effect"})
		h.act(&p, "supervisor", "POST /approvals", nil)
		h.act(&p, "owner", "PUT /summary", map[string]any{"summary": "照度达标", "lasting": "每学期巡检"})
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "close"})
		h.act(&p, "supervisor", "POST /approvals", nil)
		h.act(&p, "leader", "POST /approvals", nil)
		if p.Stage.ID != "closed" || p.Light != "none" {
			t.Fatalf("at the end: %+v", p)
		}
		h.want(200, `"name":"已销号"`, "inspector", "GET", "/api/v1/projects/"+p.ID, nil, "Accept-Language", "zh")

		// The trail tells it all, and its chain holds.
		var trail struct {
			Items []struct {
				Action, Prev, Hash string
				Seq                int64
				Actor              struct{ Name, Role string }
				Data               map[string]any
			}
			Next string
		}
		h.want(200, "", "inspector", "GET", "/api/v1/projects/"+p.ID+"/entries?order=oldest&limit=200", nil).into(t, &trail)
		if int64(len(trail.Items)) != p.Version {
			t.Fatalf("%d entries at version %d", len(trail.Items), p.Version)
		}
		var said []string
		for i, e := range trail.Items {
			if e.Seq != int64(i+1) || i > 0 && e.Prev != trail.Items[i-1].Hash || e.Hash == "" {
				t.Errorf("entry %d: seq %d, prev %q, hash %q", i+1, e.Seq, e.Prev, e.Hash)
			}
			if e.Data["set"] == nil || e.Actor.Name == "" {
				t.Errorf("entry %d has no patch or nobody: %+v", i+1, e)
			}
			said = append(said, e.Action)
		}
		for _, action := range []string{"create", "edit", "submit", "withdraw", "return", "approve", "acknowledge", "lay_milestones",
			"edit_milestone", "remove_milestone", "report", "urge", "extend", "tick", "evidence", "verify", "object", "answer",
			"survey", "summarize"} {
			if !strings.Contains(strings.Join(said, " "), action) {
				t.Errorf("the trail has no %s: %v", action, said)
			}
		}
		h.want(200, `"percent":60`, "inspector", "GET", "/api/v1/projects/"+p.ID+"/reports", nil)
		h.want(200, `"kind":"urge"`, "inspector", "GET", "/api/v1/projects/"+p.ID+"/reminders", nil)
	})
}

// reread brings the version up to date after the clock acted.
func (h *house) reread(p *project) {
	h.t.Helper()
	a := h.want(200, p.ID, "leader", "GET", "/api/v1/projects/"+p.ID, nil)
	*p = project{}
	a.into(h.t, p)
}

// What one person may not do another sees as possible: "why not?" is for the person asking.
func TestWhyNot(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.create()
		option := func(who, lang, act, transition string) (allowed bool, unmet string) {
			var q project
			h.want(200, "", who, "GET", "/api/v1/projects/"+p.ID, nil, "Accept-Language", lang).into(t, &q)
			for _, o := range q.Options {
				if o.Act == act && o.Transition == transition {
					var list []string
					for _, r := range o.Reasons {
						if !r.Met {
							list = append(list, r.Text)
						}
					}
					return o.Allowed, strings.Join(list, "; ")
				}
			}
			t.Fatalf("%s sees no %s %s in %+v", who, act, transition, q.Options)
			return false, ""
		}
		for _, c := range []struct {
			name, who, lang, act, transition string
			allowed                          bool
			unmet                            string
		}{
			{"the owner may submit", "owner", "en", "submit", "deploy", true, ""},
			{"the inspector may not", "inspector", "en", "submit", "deploy", false, `only owner, assistant, branch secretary may ask for "assign"`},
			{"and reads so in Chinese", "inspector", "zh-CN", "submit", "deploy", false, "只有承办人、协办人、支部书记可以申请“交办”"},
			{"the owner may edit", "owner", "en", "edit", "", true, ""},
			{"the leader may not", "leader", "en", "edit", "", false, "only owner, assistant, branch secretary, supervisor may do this"},
		} {
			t.Run(c.name, func(t *testing.T) {
				allowed, unmet := option(c.who, c.lang, c.act, c.transition)
				if allowed != c.allowed || unmet != c.unmet {
					t.Errorf("allowed %v, unmet %q; want %v, %q", allowed, unmet, c.allowed, c.unmet)
				}
			})
		}
		h.act(&p, "owner", "PATCH ", map[string]any{"need": "", "list": ""})
		if allowed, unmet := option("owner", "en", "submit", "deploy"); allowed || unmet != "The need has not been filled in; It is not on a two-monthly list yet" {
			t.Errorf("with two members empty: allowed %v, unmet %q", allowed, unmet)
		}
		// Asking all the same gives the same list as a problem.
		a := h.want(409, "", "owner", "POST", "/api/v1/projects/"+p.ID+"/transitions", map[string]any{"transition": "deploy"},
			"If-Match", fmt.Sprintf(`"%d"`, p.Version))
		var problem struct {
			Type, Key string
			Reasons   []struct {
				ID   string
				Met  bool
				Text string
			}
		}
		a.into(t, &problem)
		if problem.Key != "transition.unmet" || !strings.HasSuffix(problem.Type, ":blocked") || len(problem.Reasons) != 8 {
			t.Errorf("the problem is %s", a.body)
		}
	})
}
