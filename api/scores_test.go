package api_test

import (
	"strings"
	"testing"

	"bihuan/workflows"
)

// TestSheetProposals proposes a score sheet over the API, looks at it beside the present one, and adopts it.
func TestSheetProposals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		source, _ := workflows.SheetSource("default")
		next := strings.NewReplacer("version: 1\n", "version: 2\n", "base: 100", "base: 90").Replace(string(source))
		body := map[string]any{"source": next, "from": "2027-01-01", "note": "基础分偏高"}
		const at = "/api/v1/sheet-proposals"
		h.want(403, `"act.role"`, "leader", "POST", at, body)
		h.want(422, "sheet:3: unknown key “bass”", "admin", "POST", at, map[string]any{"source": "id: default\nversion: 2\nbass: 1\n", "from": "2027-01-01", "note": "基础分偏高"})
		var p struct {
			ID, State, Source, Sheet, Digest string
			Number                           int
			Version                          int64
		}
		a := h.want(201, "", "admin", "POST", at, body)
		a.into(t, &p)
		if p.State != "proposed" || p.Source != next || p.Sheet != "default" || p.Number != 2 || a.header.Get("Location") != at+"/"+p.ID || a.header.Get("ETag") != `"1"` {
			t.Errorf("%+v, %v", p, a.header)
		}
		h.want(200, `"total":90`, "leader", "GET", "/api/v1/scores/b1?from=2026-07-01&sheet="+p.ID, nil)
		h.want(428, "", "leader", "POST", at+"/"+p.ID+"/adoption", map[string]any{})
		h.want(403, "", "admin", "POST", at+"/"+p.ID+"/adoption", map[string]any{}, "If-Match", `"1"`)
		h.want(422, "note.too_short", "leader", "POST", at+"/"+p.ID+"/rejection", map[string]any{}, "If-Match", `"1"`)
		h.want(200, `"state":"adopted"`, "leader", "POST", at+"/"+p.ID+"/adoption", map[string]any{"note": "同意"}, "If-Match", `"1"`)
		h.want(409, "sheet.decided", "admin", "POST", at+"/"+p.ID+"/withdrawal", map[string]any{}, "If-Match", `"2"`)
		h.want(404, "sheet.unknown", "leader", "GET", at+"/none", nil)
		h.want(200, p.Digest, "nobody", "GET", at, nil)
		h.want(200, `"holds":true`, "nobody", "GET", "/api/v1/score-sheets/default@1", nil)
		h.want(200, `"holds":false`, "nobody", "GET", "/api/v1/score-sheets/default@2", nil)
		h.mu.Lock()
		h.now = local("2027-01-02 10:00")
		h.mu.Unlock()
		h.want(200, `"version":1`, "leader", "GET", "/api/v1/scores?from=2026-07-01&to=2026-12-31", nil)
		h.want(200, `"version":2`, "leader", "GET", "/api/v1/scores?from=2026-07-01&to=2027-01-31", nil)
	})
}

// TestScores reads scores of a period over the API: what a sheet makes of the trail, within what people may see.
func TestScores(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.create()
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "deploy"})
		h.act(&p, "supervisor", "POST /returns", map[string]any{"note": "请补充举措的时间安排"})
		type row struct {
			Code  string
			Total float64
			Items int
			Rank  int
		}
		var table struct {
			Sheet, Digest string
			Over          bool
			Items         []row
		}
		const period = "?from=2026-07-01&to=2026-12-31"
		h.want(200, `"band_name"`, "leader", "GET", "/api/v1/scores"+period, nil).into(t, &table)
		total := map[string]float64{}
		for _, r := range table.Items {
			total[r.Code] = r.Total
		}
		if table.Sheet != "default" || len(table.Digest) != 64 || table.Over || total["b1"] != 98 || total["dw"] != 98 || total["b2"] != 100 {
			t.Errorf("%+v", table)
		}
		var one struct {
			Total float64
			Lines []struct {
				Row     string
				Points  float64
				Project *struct{ ID string }
				Entries []struct {
					Subject, Action string
					Seq             int
				}
			}
		}
		h.want(200, "", "leader", "GET", "/api/v1/scores/b1"+period, nil).into(t, &one)
		if len(one.Lines) != 2 || one.Lines[1].Row != "returned" || one.Lines[1].Points != -2 || one.Lines[1].Project.ID != p.ID ||
			len(one.Lines[1].Entries) != 1 || one.Lines[1].Entries[0].Action != "return" || one.Lines[1].Entries[0].Subject != "project/"+p.ID {
			t.Errorf("%+v", one)
		}
		var sheets struct {
			Items []struct {
				ID    string
				Holds bool
			}
		}
		h.want(200, "", "leader", "GET", "/api/v1/score-sheets", nil).into(t, &sheets)
		if len(sheets.Items) != 3 || !sheets.Items[0].Holds || sheets.Items[1].Holds {
			t.Errorf("%+v", sheets)
		}
		h.want(200, `"total":-2`, "leader", "GET", "/api/v1/scores/b1"+period+"&sheet=jiamusi", nil)
		if a := h.want(200, `"code":"qt"`, "stranger", "GET", "/api/v1/scores"+period, nil); strings.Contains(a.body, `"code":"b1"`) {
			t.Errorf("a stranger reads %s", a.body)
		}
		for _, c := range []struct {
			who, path, key string
			status         int
		}{
			{"stranger", "/api/v1/scores/b1" + period, "unit.unknown", 404},
			{"leader", "/api/v1/scores/none" + period, "unit.unknown", 404},
			{"leader", "/api/v1/scores?sheet=none", "score.no_sheet", 404},
			{"leader", "/api/v1/scores?from=2026-07-01&to=2026-06-01", "score.bad_period", 422},
			{"leader", "/api/v1/scores?from=2026-07-01&to=2026-12-31&on=2026-06-01", "score.bad_as_of", 422},
			{"leader", "/api/v1/scores?from=2099-07-01", "score.not_begun", 422},
			{"leader", "/api/v1/scores?from=now", "api.date", 422},
		} {
			if a := h.want(c.status, "", c.who, "GET", c.path, nil); !strings.Contains(a.body, c.key) {
				t.Errorf("%s as %s: no %s in %s", c.path, c.who, c.key, a.body)
			}
		}
	})
}
