package api_test

import (
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/storage"
)

// survey is the part of a survey behind a link that tests look at.
type survey struct {
	Open  bool
	Total int
	Link  string
	Votes struct {
		VerySatisfied    int `json:"very_satisfied"`
		VeryDissatisfied int `json:"very_dissatisfied"`
	}
	Version int64
}

// feedback is a project in 反馈.
func (h *house) feedback() project {
	h.t.Helper()
	p := h.advance()
	h.addEvidence(&p, "owner", "验收单.pdf", pdf)
	for _, m := range p.Milestones {
		h.act(&p, "owner", "POST /milestones/"+m.ID+"/done", nil)
	}
	h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "track"})
	h.act(&p, "supervisor", "POST /approvals", nil)
	h.act(&p, "supervisor", "POST /verifications", map[string]any{"passed": true, "note": "现场抽查合格"})
	return p
}

func TestPollOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.feedback()
		path := "/api/v1/projects/" + p.ID
		h.want(403, "act.role", "owner", "POST", path+"/poll", map[string]any{"closes": "2026-10-09"}, "If-Match", p.etag())
		h.want(422, "deadline.past", "supervisor", "POST", path+"/poll", map[string]any{"closes": "2026-09-01"}, "If-Match", p.etag())
		h.want(428, "api.if_match_required", "supervisor", "POST", path+"/poll", map[string]any{"closes": "2026-10-09"})
		var s, again survey
		key := []string{"If-Match", p.etag(), "Idempotency-Key", "poll-1"}
		h.want(200, `"open":true`, "supervisor", "POST", path+"/poll", map[string]any{"closes": "2026-10-09"}, key...).into(t, &s)
		if len(s.Link) != len("/r/")+22 || s.Total != 0 {
			t.Fatalf("opened %+v", s)
		}
		h.want(409, "poll.shown_once", "supervisor", "POST", path+"/poll", map[string]any{"closes": "2026-10-09"}, key...)
		h.want(200, `"open":true`, "owner", "GET", path+"/poll", nil).into(t, &again)
		if again.Link != "" {
			t.Errorf("the link is shown again: %q", again.Link)
		}
		h.reread(&p)
		h.want(200, "/r/", "supervisor", "POST", path+"/poll", map[string]any{"closes": "2026-10-10"}, "If-Match", p.etag()).into(t, &again)
		if again.Link == s.Link {
			t.Error("the new link is the old one")
		}
		h.reread(&p)
		for device, level := range map[string]int{"first": 5, "second": 1} {
			if err := h.engine.Cast(t.Context(), strings.TrimPrefix(again.Link, "/r/"), device+strings.Repeat("-", 22), level, ""); err != nil {
				t.Fatal(err)
			}
		}
		var counted survey
		h.want(200, "", "owner", "GET", path+"/poll", nil).into(t, &counted)
		if counted.Total != 2 || counted.Votes.VerySatisfied != 1 || counted.Votes.VeryDissatisfied != 1 {
			t.Errorf("counted %+v", counted)
		}
		h.act(&p, "leader", "POST /objections", map[string]any{"text": "还有两盏不亮"})
		h.want(200, `"due":"2026-`, "owner", "GET", path, nil) // its last day
		h.act(&p, "supervisor", "POST /objections/"+objection(t, &p)+"/answer", map[string]any{"text": "已经更换"})
		h.act(&p, "supervisor", "POST /poll/closing", nil)
		h.want(200, `"open":false`, "owner", "GET", path+"/poll", nil)
		h.want(404, "project.unknown", "stranger", "GET", path+"/poll", nil)
	})
}

// Two offices erase what somebody without an account wrote behind a bad mark, and the project says so from then on.
func TestWordsErasedOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for login, role := range map[string]engine.Role{"chief": engine.Admin, "guard": engine.Security} {
			h.person(login, "某"+login, role, "dw")
		}
		p := h.feedback()
		path := "/api/v1/projects/" + p.ID
		var s survey
		h.want(200, "", "supervisor", "POST", path+"/poll", map[string]any{"closes": "2026-10-09"}, "If-Match", p.etag()).into(t, &s)
		if err := h.engine.Cast(t.Context(), strings.TrimPrefix(s.Link, "/r/"), strings.Repeat("d", 22), 1, "灯不亮，电话 13800138000"); err != nil {
			t.Fatal(err)
		}
		h.want(200, `"text":"灯不亮，电话 13800138000"`, "owner", "GET", path, nil)
		h.want(200, `"erasure":{"state":"none"}`, "owner", "GET", path, nil)
		if a := h.want(200, `"sealed":"`, "owner", "GET", path+"/entries", nil); strings.Contains(a.body, "13800138000") {
			t.Error("the number stands in the trail")
		}
		h.reread(&p)
		erasure := path + "/objections/" + objection(t, &p) + "/erasure"
		note := map[string]any{"note": "本人来电要求"}
		h.want(403, "act.role", "leader", "POST", erasure, note, "If-Match", p.etag())
		h.want(422, "erase.names_person", "chief", "POST", erasure, map[string]any{"note": "删除 13800138000"}, "If-Match", p.etag())
		h.want(200, `"state":"asked"`, "chief", "POST", erasure, note, "If-Match", p.etag())
		h.reread(&p)
		h.want(200, `"state":"none"`, "guard", "DELETE", erasure, nil, "If-Match", p.etag())
		h.reread(&p)
		h.want(200, `"office":{"id":"admin"`, "chief", "POST", erasure, note, "If-Match", p.etag())
		h.reread(&p)
		h.want(403, "erase.own_request", "chief", "POST", erasure+"/approval", nil, "If-Match", p.etag())
		h.want(200, `"text":""`, "guard", "POST", erasure+"/approval", nil, "If-Match", p.etag())
		h.want(200, `"state":"done"`, "owner", "GET", path, nil)
		if r, err := h.db.Verify(t.Context(), storage.VerifyOptions{}); err != nil || !r.Intact() || len(r.Erased) != 1 {
			t.Errorf("verify: %+v, %v", r, err)
		}
	})
}

func TestMarksOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.feedback()
		path := "/api/v1/projects/" + p.ID + "/marks"
		h.want(403, "act.role", "supervisor", "POST", path, map[string]any{"kind": "promote", "note": "值得推广"}, "If-Match", p.etag())
		h.want(409, "mark.too_early", "leader", "POST", path, map[string]any{"kind": "promote", "note": "值得推广"}, "If-Match", p.etag())
		h.want(422, "api.one_of", "leader", "POST", path, map[string]any{"kind": "gold", "note": "值得推广"}, "If-Match", p.etag())
		h.want(409, "mark.none", "leader", "POST", path+"/k1/revocation", map[string]any{"note": "材料有误"}, "If-Match", p.etag())
		h.want(200, `"items":[]`, "leader", "GET", "/api/v1/marks?unit=dw&year=2026&kind=promote", nil)
		h.want(422, "unit.unknown", "stranger", "GET", "/api/v1/marks?unit=dw", nil)
	})
}

// objection is the id of the one objection of a project.
func objection(t *testing.T, p *project) string {
	t.Helper()
	if len(p.Objections) != 1 {
		t.Fatalf("objections %+v", p.Objections)
	}
	return p.Objections[0].ID
}
