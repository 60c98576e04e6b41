package console

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/workflows"
)

// TestWorkflowVersions publishes a second version: both can be read, simulated and compared.
func TestWorkflowVersions(t *testing.T) {
	w := ownWorld(t)
	const path = "/workflows/shishi"
	first := w.ask(t, "zhang", path, nil)
	if !strings.Contains(first.body, "第 1 版") || strings.Contains(first.body, `class="tbl plain cards wide diff"`) {
		t.Error("a single version is not shown alone")
	}
	source, ok := workflows.Source("shishi")
	if !ok {
		t.Fatal("no source")
	}
	limit := regexp.MustCompile(`limit: (\d+)wd`).FindSubmatch(source)
	if limit == nil {
		t.Fatal("the definition has no limit in working days")
	}
	next := strings.Replace(string(source), "\nversion: 1\n", "\nversion: 2\n", 1)
	next = strings.Replace(next, "limit: "+string(limit[1])+"wd", "limit: 19wd", 1)
	if _, err := w.engine.Publish(t.Context(), engine.Operator(), []byte(next)); err != nil {
		t.Fatal(err)
	}

	now := w.ask(t, "zhang", path, nil)
	checkPage(t, path, now)
	for _, want := range []string{"第 1 版 → 第 2 版：1 处不同", "stages.", "19wd", string(limit[1]) + "wd", "现行"} {
		if !strings.Contains(now.body, want) {
			t.Errorf("the newest version does not say %q", want)
		}
	}
	old := w.ask(t, "zhang", path+"?version=1&start=2026-03-02&deadline=2026-04-30", nil)
	checkPage(t, "old", old)
	if !strings.Contains(old.body, "这是第 1 版") || strings.Contains(old.body, "处不同") || !strings.Contains(old.body, `name="version" value="1"`) {
		t.Error("the old version is not shown as such")
	}
	back := w.ask(t, "zhang", path+"?old=2&new=1", nil)
	if !strings.Contains(back.body, "第 2 版 → 第 1 版：1 处不同") {
		t.Error("the versions cannot be compared the other way round")
	}
	if same := w.ask(t, "zhang", path+"?old=2&new=2", nil); !strings.Contains(same.body, "0 处不同") || !strings.Contains(same.body, "只有版本号不同") {
		t.Error("a version differs from itself")
	}
	if a := w.ask(t, "zhang", path+"?old=1&new=9", nil); a.Code != http.StatusOK || !strings.Contains(a.body, "没有第 9 版") {
		t.Errorf("a comparison with a version that is not there answers %d", a.Code)
	}
	for _, bad := range []string{"3", "x", "-1"} {
		if a := w.ask(t, "zhang", path+"?version="+bad, nil); a.Code != http.StatusNotFound {
			t.Errorf("version %s answers %d", bad, a.Code)
		}
	}
}
