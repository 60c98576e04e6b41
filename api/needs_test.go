package api_test

import (
	"fmt"
	"strings"
	"testing"
)

// asked is the part of a need that tests look at.
type asked struct {
	ID      string
	Version int64
	Times   int
	State   struct{ ID, Name string }
	Contact string
	Project string
	Into    string
	Answer  string
	ToldHow string `json:"told_how"`
}

// need is the body of a new need, with further members.
func need(unit, title string, more ...string) map[string]any {
	body := map[string]any{"unit": unit, "number": "2026-6", "title": title, "source": "visit"}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	return body
}

// onNeed does one thing to a need at its present version.
func (h *house) onNeed(n *asked, who, path string, body any) {
	h.t.Helper()
	a := h.want(200, `"id":"`+n.ID+`"`, who, "POST", "/api/v1/needs/"+n.ID+path, body, "If-Match", fmt.Sprintf(`"%d"`, n.Version))
	*n = asked{}
	a.into(h.t, n)
	if got, want := a.header.Get("ETag"), fmt.Sprintf(`"%d"`, n.Version); got != want {
		h.t.Errorf("ETag is %s at version %d", got, n.Version)
	}
}

func TestNeedsOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var lamp, dark, fan asked
		a := h.want(201, `"state":{"id":"open","name":"open"}`, "secretary", "POST", "/api/v1/needs", need("b1", "自习室太暗", "contact", "张同学 13800000000", "who", "学生"))
		a.into(t, &lamp)
		if want := "/api/v1/needs/" + lamp.ID; a.header.Get("Location") != want || lamp.Contact == "" {
			t.Errorf("Location %q, contact %q", a.header.Get("Location"), lamp.Contact)
		}
		h.want(201, "", "second", "POST", "/api/v1/needs", need("b1", "三楼灯光不足", "proposer", "owner")).into(t, &dark)
		h.want(201, "", "second", "POST", "/api/v1/needs", need("b1", "风扇坏了")).into(t, &fan)
		var seen asked
		h.want(200, lamp.ID, "inspector", "GET", "/api/v1/needs/"+lamp.ID, nil).into(t, &seen)
		if seen.Contact != "" {
			t.Errorf("an inspector sees %q", seen.Contact)
		}
		h.want(200, dark.ID, "owner", "GET", "/api/v1/needs", nil) // their own
		h.want(404, "needs.unknown", "owner", "GET", "/api/v1/needs/"+lamp.ID, nil)

		h.onNeed(&dark, "second", "/merge", map[string]any{"into": lamp.ID})
		h.want(200, `"times":2`, "second", "GET", "/api/v1/needs/"+lamp.ID, nil).into(t, &lamp)
		h.onNeed(&lamp, "second", "/acceptance", map[string]any{"kind": "shishi", "unit": "b1", "note": "下一期办"})
		if lamp.State.ID != "accepted" || lamp.Project == "" {
			t.Fatalf("accepted: %+v", lamp)
		}
		h.want(200, `"need":"自习室太暗"`, "second", "GET", "/api/v1/projects/"+lamp.Project, nil)
		h.want(200, `"answer":"下一期办"`, "owner", "GET", "/api/v1/needs/"+dark.ID, nil)
		h.onNeed(&lamp, "secretary", "/telling", map[string]any{"note": "打了电话"})
		h.onNeed(&fan, "second", "/answer", map[string]any{"note": "暑假已经报修"})
		if lamp.ToldHow != "打了电话" || fan.State.ID != "declined" {
			t.Errorf("told %+v, answered %+v", lamp, fan)
		}
		h.want(200, fan.ID, "second", "GET", "/api/v1/needs?unit=b1&number=2026-6&state=declined&q=风扇", nil)
		h.want(200, `"items":[]`, "second", "GET", "/api/v1/needs?untold=true", nil)
		var page struct {
			Items []asked
			Next  string
		}
		h.want(200, "", "second", "GET", "/api/v1/needs?limit=2", nil).into(t, &page)
		if len(page.Items) != 2 || page.Items[0].ID != fan.ID || page.Next == "" {
			t.Fatalf("first page: %+v", page)
		}
		h.want(200, lamp.ID, "second", "GET", "/api/v1/needs?limit=2&cursor="+page.Next, nil)
	})
}

func TestBadInputAboutNeeds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var n asked
		h.want(201, "", "second", "POST", "/api/v1/needs", need("b1", "自习室太暗")).into(t, &n)
		path, match := "/api/v1/needs/"+n.ID, fmt.Sprintf(`"%d"`, n.Version)
		for _, c := range []struct {
			name, who, method, path string
			body                    any
			version                 string
			status                  int
			key                     string
		}{
			{"no title", "second", "POST", "/api/v1/needs", need("b1", ""), "", 422, "field.empty"},
			{"a source that is none", "second", "POST", "/api/v1/needs", need("b1", "太暗", "source", "rumour"), "", 422, "api.one_of"},
			{"a unit that is none", "second", "POST", "/api/v1/needs", need("b9", "太暗"), "", 422, "unit.unknown"},
			{"an account that is none", "second", "POST", "/api/v1/needs", need("b1", "太暗", "proposer", "who"), "", 422, "user.unknown"},
			{"10 MB of words", "second", "POST", "/api/v1/needs", need("b1", strings.Repeat("a", 10<<20)), "", 413, "api.too_large"},
			{"not a collector", "inspector", "POST", "/api/v1/needs", need("b1", "太暗"), "", 403, "act.role"},
			{"an id that is none", "second", "GET", "/api/v1/needs/x", nil, "", 404, "needs.unknown"},
			{"no If-Match", "second", "POST", path + "/answer", map[string]any{"note": "已经办过"}, "", 428, "api.if_match_required"},
			{"another version", "second", "POST", path + "/answer", map[string]any{"note": "已经办过"}, `"9"`, 412, "needs.stale"},
			{"an answer without a reason", "second", "POST", path + "/answer", map[string]any{"note": "不"}, match, 422, "note.too_short"},
			{"merging into itself", "second", "POST", path + "/merge", map[string]any{"into": n.ID}, match, 422, "needs.into_itself"},
			{"merging into what is no id", "second", "POST", path + "/merge", map[string]any{"into": "x"}, match, 422, "needs.unknown"},
			{"a kind that is none", "second", "POST", path + "/acceptance", map[string]any{"kind": "x", "unit": "b1"}, match, 422, "workflow.unknown"},
			{"an item that is none", "second", "POST", path + "/acceptance", map[string]any{"project": "SS2026-0001"}, match, 422, "project.unknown"},
			{"telling before the answer", "second", "POST", path + "/telling", map[string]any{"note": "打了电话"}, match, 409, "needs.not_now"},
			{"a bad cursor", "second", "GET", "/api/v1/needs?cursor=abc", nil, "", 422, "page.bad_cursor"},
			{"somebody from elsewhere", "stranger", "GET", path, nil, "", 404, "needs.unknown"},
		} {
			t.Run(c.name, func(t *testing.T) {
				var headers []string
				if c.version != "" {
					headers = []string{"If-Match", c.version}
				}
				a := h.send(c.who, c.method, c.path, c.body, headers...)
				var problem struct{ Key string }
				a.into(t, &problem)
				if a.status != c.status || problem.Key != c.key {
					t.Errorf("%d %.300s, want %d %s", a.status, a.body, c.status, c.key)
				}
			})
		}
		h.want(200, `"version":1`, "second", "GET", path, nil) // nothing was changed
	})
}
