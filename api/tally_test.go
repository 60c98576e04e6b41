package api_test

import (
	"fmt"
	"testing"

	"bihuan/engine"
	"bihuan/workflows"
)

// tallied puts somebody on a unit's roll of a yearly count.
func (h *house) tallied(user engine.UserID) engine.TallyYear {
	h.t.Helper()
	rule := workflows.Tallies()[0]
	if err := h.engine.EnableTally(h.t.Context(), operator, rule); err != nil {
		h.t.Fatal(err)
	}
	y, err := h.engine.EnrolMember(h.t.Context(), operator, rule.ID, h.units["b1"], user, 2026)
	if err != nil {
		h.t.Fatal(err)
	}
	return y
}

// A member's year over HTTP: put on the roll, entered, confirmed by somebody else, taken back.
func TestTalliesOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.want(404, "tally.unknown", "secretary", "GET", "/api/v1/tally-years?tally=sigeyi", nil)
		h.tallied(h.users["second"].ID)
		h.want(200, `"minutes":1200`, "owner", "GET", "/api/v1/tallies", nil)
		var y struct {
			ID      string
			Version int64
		}
		h.want(201, `"short_minutes":1200`, "secretary", "POST", "/api/v1/tally-years", map[string]any{"tally": "sigeyi", "member": "owner", "unit": "b1", "year": 2026}).into(t, &y)
		h.want(409, "tally.enrolled", "secretary", "POST", "/api/v1/tally-years", map[string]any{"tally": "sigeyi", "member": "owner", "unit": "b1", "year": 2026})
		act := func(status int, says, who, path string, body map[string]any) {
			t.Helper()
			a := h.want(status, says, who, "POST", "/api/v1/tally-years/"+y.ID+path, body, "If-Match", fmt.Sprintf(`"%d"`, y.Version))
			if status == 200 {
				a.into(t, &y)
			}
		}
		record := map[string]any{"category": "lecture", "day": "2026-03-05", "minutes": 90}
		act(200, `"waiting":1`, "owner", "/records", record)
		act(409, "tally.same", "owner", "/records", record)
		act(403, "act.role", "owner", "/confirmation", map[string]any{"records": []string{"r1"}})
		act(200, `"minutes":90`, "secretary", "/confirmation", map[string]any{"records": []string{"r1"}})
		act(422, "note.too_short", "owner", "/withdrawal", map[string]any{"record": "r1", "note": ""})
		act(200, `"short_minutes":1200`, "owner", "/withdrawal", map[string]any{"record": "r1", "note": "记错了日期"})
		act(200, `"waiting":1`, "secretary", "/records", record)
		act(200, `"waiting":0`, "second", "/rejection", map[string]any{"record": "r2", "note": "没有签到记录"})
		act(422, "tally.unknown_record", "second", "/rejection", map[string]any{"record": "r9", "note": "没有签到记录"})
		h.want(200, y.ID, "owner", "GET", "/api/v1/tally-years?tally=sigeyi&year=2026", nil)
		h.want(200, y.ID, "secretary", "GET", "/api/v1/tally-years?tally=sigeyi&unit=b1", nil)
		h.want(200, `"declined"`, "owner", "GET", "/api/v1/tally-years/"+y.ID, nil)
		h.want(404, "tally.unknown_year", "nobody", "GET", "/api/v1/tally-years/"+y.ID, nil)
		act(200, "转出组织关系", "secretary", "/striking", map[string]any{"note": "转出组织关系"})
		act(409, "tally.struck", "owner", "/records", map[string]any{"category": "labour", "day": "2026-03-06", "minutes": 60})
	})
}
