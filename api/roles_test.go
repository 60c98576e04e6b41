package api_test

import (
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
)

// Who may do what to a project of the first branch in 推进 and in 谋划: everybody who can see it and is not listed
// reads 403, and nobody changes anything by being refused. Rights within the engine have their own tests; this
// one shows that each operation is the command it seems to be.
func TestRoles(t *testing.T) {
	everybody := []string{"owner", "assistant", "sponsor", "secretary", "supervisor", "second", "leader", "inspector", "admin", "security"}
	cases := []struct {
		call  string
		plan  bool // on the project in 谋划
		body  any
		may   []string
		state int // what those who may get, where the state forbids it; 0: it succeeds
	}{
		{"PATCH ", true, map[string]any{"category": "民生"}, []string{"owner", "assistant", "secretary", "supervisor", "second"}, 0},
		{"POST /transitions", true, map[string]any{"transition": "deploy"}, []string{"owner", "assistant", "secretary"}, 0},
		{"POST /approvals", false, nil, nil, 409},
		{"POST /acknowledge", false, nil, []string{"owner"}, 409},
		{"POST /reports", false, map[string]any{"percent": 10, "done": "开工"}, []string{"owner", "assistant"}, 0},
		{"POST /milestones", false, map[string]any{"milestones": []any{map[string]any{"title": "x", "due": "2026-10-01"}}}, []string{"owner", "assistant"}, 0},
		{"POST /urges", false, map[string]any{"note": "抓紧办理"}, []string{"sponsor", "supervisor", "second", "leader"}, 0},
		{"POST /extensions", false, map[string]any{"deadline": "2026-12-20", "note": "灯具缺货"}, []string{"owner", "assistant"}, 0},
		{"POST /verifications", false, map[string]any{"passed": true, "note": "现场看过"}, []string{"supervisor", "second"}, 409},
		{"POST /surveys", false, bodies["POST /surveys"], []string{"supervisor", "second"}, 409},
		{"PUT /summary", false, map[string]any{"summary": "达标"}, []string{"owner", "assistant"}, 409},
		{"PUT /statement", false, map[string]any{"text": "材料晚到两周，没有提前申请延期，今后按月检查。"}, []string{"owner", "secretary"}, 409},
		{"POST /returns", false, map[string]any{"to": "deploy", "note": "重新来过"}, []string{"supervisor", "second"}, 0},
	}
	each(t, func(t *testing.T, h *house) {
		for _, c := range cases {
			t.Run(strings.ReplaceAll(c.call, "/", ""), func(t *testing.T) {
				fresh := h.create
				if !c.plan {
					fresh = h.advance
				}
				p := fresh()
				for _, who := range everybody {
					method, rest, _ := strings.Cut(c.call, " ")
					a := h.send(who, method, "/api/v1/projects/"+p.ID+rest, c.body, "If-Match", p.etag())
					want := 403
					if slices.Contains(c.may, who) || c.may == nil {
						want = max(c.state, 200)
					}
					if a.status != want {
						t.Errorf("%s: %d %s, want %d", who, a.status, a.body, want)
					}
					if a.status == 200 {
						p = fresh()
						continue
					}
					version := p.Version
					if h.reread(&p); p.Version != version {
						t.Errorf("%s changed the project by being refused", who)
					}
				}
			})
		}
	})
}

// Nobody approves what they submitted, whatever roles they hold.
func TestFourEyes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := complete()
		body["owner"] = "supervisor"
		var p project
		h.want(201, "", "secretary", "POST", "/api/v1/projects", body).into(t, &p)
		h.act(&p, "supervisor", "POST /transitions", map[string]any{"transition": "deploy"})
		h.want(403, "four_eyes.approve", "supervisor", "POST", "/api/v1/projects/"+p.ID+"/approvals", nil, "If-Match", p.etag())
		h.act(&p, "second", "POST /approvals", nil)
	})
}

// A refusal is itself in the trail, on the chain of whoever was refused.
func TestRefusalIsRecorded(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.advance()
		h.want(403, "", "admin", "POST", "/api/v1/projects/"+p.ID+"/reports", map[string]any{"percent": 100, "done": "办完了"}, "If-Match", p.etag())
		page, err := h.db.Entries(t.Context(), engine.EntryFilter{Subject: engine.SubjectActor + "/" + string(h.users["admin"].ID)})
		if err != nil || len(page.Items) != 1 || page.Items[0].Action != "refused" {
			t.Errorf("%v: %+v", err, page.Items)
		}
	})
}
