package api_test

import (
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// Two offices erase somebody's data over the API, and every answer afterwards says so instead of a name.
func TestErasureOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for login, role := range map[string]engine.Role{"leaving": engine.Supervisor, "chief": engine.Admin, "guard": engine.Security} {
			h.person(login, "某"+login, role, "dw")
		}
		id := string(h.users["leaving"].ID)
		path := "/api/v1/users/" + id + "/erasure"
		version := func() string { return h.want(200, "", "chief", "GET", path, nil).header.Get("ETag") }
		h.want(409, "erase.open_account", "guard", "POST", path, map[string]any{"note": "离任满五年"}, "If-Match", version())
		if _, err := h.engine.Disable(t.Context(), operator, "leaving"); err != nil {
			t.Fatal(err)
		}
		h.want(200, `"state":"none"`, "chief", "GET", path, nil)
		h.want(404, "user.unknown", "leader", "GET", path, nil)
		h.want(404, "user.unknown", "guard", "POST", "/api/v1/users/leaving/erasure", map[string]any{"note": "离任满五年"}, "If-Match", `"1"`)
		h.want(422, "erase.names_person", "guard", "POST", path, map[string]any{"note": "某leaving 离任"}, "If-Match", version())
		h.want(200, `"state":"asked"`, "guard", "POST", path, map[string]any{"note": "离任满五年"}, "If-Match", version())
		h.want(403, "erase.own_request", "guard", "POST", path+"/approval", nil, "If-Match", version())
		h.want(200, `"state":"none"`, "chief", "DELETE", path, nil, "If-Match", version())
		h.want(200, `"office":{"id":"security"`, "guard", "POST", path, map[string]any{"note": "离任满五年"}, "If-Match", version())
		h.want(412, "erase.stale", "chief", "POST", path+"/approval", nil, "If-Match", `"1"`)
		h.want(200, `"note":"离任满五年"`, "chief", "GET", path, nil)
		h.want(200, `"name":"redacted"},"state":"done"`, "chief", "POST", path+"/approval", nil, "Accept-Language", "en", "If-Match", version())
		h.want(200, `"name":"已按规定删除"},"state":"done"`, "chief", "GET", path, nil, "Accept-Language", "zh-CN")
		h.want(409, "erase.done", "chief", "POST", path, map[string]any{"note": "离任满五年"}, "If-Match", version())
		page, err := h.db.Entries(t.Context(), engine.EntryFilter{Subject: engine.SubjectUser + "/" + id, Limit: 3})
		if err != nil || len(page.Items) != 3 || page.Items[0].Action != "erase" || page.Items[1].Action != "ask_erasure" || page.Items[2].Action != "end_erasure" {
			t.Errorf("%+v, %v", page.Items, err)
		}
		if r, err := h.db.Verify(t.Context(), storage.VerifyOptions{}); err != nil || !r.Intact() || r.Checked.Erased != 1 {
			t.Errorf("verify: %+v, %v", r, err)
		}
	})
}

// A name that was erased over the API is gone from the pages in the same moment.
func TestErasureOverHTTPShowsOnPages(t *testing.T) {
	w := newMatrixWorld(t, storagetest.Open(t, storage.SQLite))
	resident := string(w.users["resident"].ID)
	path := "/api/v1/users/" + resident + "/erasure"
	shown := func() bool {
		return strings.Contains(w.page("leader-ancestor", "GET", "/tally/"+string(w.tally.ID), w.draft).body, "住户")
	}
	if !shown() {
		t.Fatal("the page does not name the member")
	}
	if _, err := w.engine.Disable(t.Context(), operator, "resident"); err != nil {
		t.Fatal(err)
	}
	version := func() string { return w.want(200, "", "admin-ancestor", "GET", path, nil).header.Get("ETag") }
	w.want(200, "", "security-ancestor", "POST", path, map[string]any{"note": "离任满五年"}, "If-Match", version())
	w.want(200, "", "admin-ancestor", "POST", path+"/approval", nil, "If-Match", version())
	if shown() {
		t.Error("the page still names the member")
	}
}
