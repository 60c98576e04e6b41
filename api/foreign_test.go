package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// bodies has a body that fits, for every operation under /projects/{id} that takes one.
var bodies = map[string]any{
	"PATCH ":                               map[string]any{"title": "别的"},
	"POST /transitions":                    map[string]any{"transition": "deploy"},
	"POST /returns":                        map[string]any{"note": "重新来过"},
	"POST /extensions":                     map[string]any{"deadline": "2026-12-20", "note": "来不及了"},
	"POST /reports":                        map[string]any{"percent": 10, "done": "开工"},
	"POST /milestones":                     map[string]any{"milestones": []any{map[string]any{"title": "x", "due": "2026-10-01"}}},
	"PUT /milestones/{milestone}":          map[string]any{"title": "x", "due": "2026-10-01"},
	"POST /urges":                          map[string]any{"note": "抓紧办理"},
	"POST /verifications":                  map[string]any{"passed": true, "note": "现场看过"},
	"POST /surveys":                        map[string]any{"very_satisfied": 20, "satisfied": 0, "basic": 0, "dissatisfied": 0, "very_dissatisfied": 0, "note": "线下问卷"},
	"POST /objections":                     map[string]any{"text": "还有两盏不亮"},
	"POST /objections/{objection}/answer":  map[string]any{"text": "已经更换"},
	"POST /objections/{objection}/erasure": map[string]any{"note": "本人来电要求"},
	"POST /look-backs":                     map[string]any{"passed": true, "lasting": true, "note": "还在运行"},
	"POST /poll":                           map[string]any{"closes": "2026-10-10"},
	"POST /marks":                          map[string]any{"kind": "promote", "note": "值得推广"},
	"POST /marks/{mark}/revocation":        map[string]any{"note": "材料有误"},
	"POST /findings":                       map[string]any{"evidence": []string{"x"}, "note": "照片是去年的"},
	"POST /findings/{finding}/lift":        map[string]any{"note": "照片日期属实"},
	"PUT /summary":                         map[string]any{"summary": "达标"},
	"PUT /statement":                       map[string]any{"text": "材料晚到两周，没有提前申请延期，今后按月检查。"},
}

// Every operation on a project answers somebody from elsewhere as if the project did not exist: the same status,
// the same words, whether it is there or not, and whatever the version.
func TestForeignProject(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.advance()
		h.addEvidence(&p, "owner", "a.pdf", pdf)
		var list struct{ Items []struct{ ID string } }
		h.want(200, "", "owner", "GET", "/api/v1/projects/"+p.ID+"/evidence", nil).into(t, &list)
		absent := "01a20acd-0000-7000-8000-000000000000"
		operations := 0
		for path, item := range document(t, h).Paths {
			rest, ok := strings.CutPrefix(path, "/projects/{id}")
			if !ok {
				continue
			}
			for method := range item {
				operations++
				call := strings.ToUpper(method) + " " + rest
				t.Run(call, func(t *testing.T) {
					for _, who := range []string{"stranger", "sibling", "nobody"} {
						for _, version := range []string{`"1"`, p.etag()} {
							here, there := h.foreign(t, who, call, p.ID, list.Items[0].ID, version), h.foreign(t, who, call, absent, list.Items[0].ID, version)
							if here.status != http.StatusNotFound || problemKey(t, here) != "project.unknown" {
								t.Errorf("%s at version %s: %d %s", who, version, here.status, here.body)
							}
							if a, b := problemKey(t, here), problemKey(t, there); there.status != here.status || a != b {
								t.Errorf("%s can tell them apart: %d %s and %d %s", who, here.status, a, there.status, b)
							}
						}
					}
				})
			}
		}
		if operations < 25 {
			t.Errorf("only %d operations were tried", operations)
		}
		// Lists and the trail don't show it either.
		for _, who := range []string{"stranger", "sibling", "nobody"} {
			for _, path := range []string{"/projects", "/todo", "/projects?q=" + p.Number} {
				h.want(200, `"items":[]`, who, "GET", "/api/v1"+path, nil)
			}
			h.want(200, `"total":0`, who, "GET", "/api/v1/summary", nil)
			h.want(404, "", who, "GET", "/api/v1/audit/entries?project="+p.ID, nil)
			if a := h.send(who, "GET", "/api/v1/audit/entries?limit=200", nil); strings.Contains(a.body, p.ID) {
				t.Errorf("%s finds it in the trail: %s", who, a.body)
			}
		}
		// Nor does a project of one's own lead to the evidence of another.
		own := map[string]any{"kind": "shishi", "unit": "qt", "title": "自己的"}
		var q project
		h.want(201, "", "stranger", "POST", "/api/v1/projects", own).into(t, &q)
		h.want(404, "api.evidence_unknown", "stranger", "GET", "/api/v1/projects/"+q.ID+"/evidence/"+list.Items[0].ID, nil)
	})
}

func (p *project) etag() string {
	b, _ := json.Marshal(p.Version)
	return `"` + string(b) + `"`
}

// foreign makes a call to a project as somebody from elsewhere.
func (h *house) foreign(t *testing.T, who, call, id, evidence, version string) answer {
	t.Helper()
	method, rest, _ := strings.Cut(call, " ")
	body, headers := bodies[call], []string{"If-Match", version}
	if call == "POST /evidence" {
		b, kind := form(t, "a.pdf", pdf)
		body, headers = b, append(headers, "Content-Type", kind)
	}
	rest = strings.NewReplacer("{milestone}", "m1", "{objection}", "o1", "{mark}", "k1", "{evidence}", evidence).Replace(rest)
	return h.send(who, method, "/api/v1/projects/"+id+rest, body, headers...)
}

func problemKey(t *testing.T, a answer) string {
	t.Helper()
	var p struct{ Key string }
	a.into(t, &p)
	return p.Key
}

// Nothing but the public routes answers somebody who is not signed in, or whose token does not hold.
func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		doc := document(t, h)
		for path, item := range doc.Paths {
			for method := range item {
				a := h.send("", strings.ToUpper(method), "/api/v1"+strings.NewReplacer("{", "", "}", "").Replace(path), nil)
				if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" || problemKey(t, a) != "api.sign_in" {
					t.Errorf("%s %s without a token: %d %s", method, path, a.status, a.body)
				}
			}
		}
		for _, c := range []struct{ name, header, key string }{
			{"another scheme", "Basic b3duZXI6eA==", "api.sign_in"},
			{"no token", "Bearer ", "api.sign_in"},
			{"no scheme", h.tokens["owner"], "api.sign_in"},
			{"not one of our tokens", "Bearer abc", "token.invalid"},
			{"a token that nobody has", "Bearer bh_" + strings.Repeat("A", 43), "token.invalid"},
			{"a token with something behind", "Bearer " + h.tokens["owner"] + "x", "token.invalid"},
		} {
			t.Run(c.name, func(t *testing.T) {
				if a := h.want(401, c.key, "", "GET", "/api/v1/me", nil, "Authorization", c.header); strings.Contains(a.body, "bh_") {
					t.Errorf("the token is echoed: %s", a.body)
				}
			})
		}
		t.Run("scheme in another case", func(t *testing.T) {
			h.want(200, `"login":"owner"`, "", "GET", "/api/v1/me", nil, "Authorization", "bearer "+h.tokens["owner"])
		})
		t.Run("token in a cookie or in the address", func(t *testing.T) {
			h.want(401, "api.sign_in", "", "GET", "/api/v1/me", nil, "Cookie", "Authorization=Bearer "+h.tokens["owner"])
			h.want(401, "api.sign_in", "", "GET", "/api/v1/me?access_token="+h.tokens["owner"], nil)
		})
		t.Run("disabled account", func(t *testing.T) {
			if _, err := h.engine.Disable(t.Context(), operator, "nobody"); err != nil {
				t.Fatal(err)
			}
			h.want(401, "token.invalid", "nobody", "GET", "/api/v1/me", nil)
		})
		t.Run("expired token", func(t *testing.T) {
			h.at("2028-01-01 00:00")
			h.want(401, "token.invalid", "owner", "GET", "/api/v1/me", nil)
		})
	})
}
