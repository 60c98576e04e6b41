package console

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/workflows"
)

// TestScorePages reads the 考核 as its readers do.
func TestScorePages(t *testing.T) {
	w := readWorld(t)
	const period = "from=2025-07-01&to=2025-12-31"
	root, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	one := "/scores/" + string(root.ID) + "?" + period
	for _, c := range []struct {
		name, as, path string
		want           int
		has            []string
	}{
		{"the ranking", "li", "/scores?" + period, 200, []string{"第 1 级单位", "评先评优候选", root.Name, "通用口径（第 1 版）"}},
		{"without a period", "li", "/scores", 200, []string{"console"}},
		{"another sheet", "li", "/scores?sheet=ccit&" + period, 200, []string{"分项权重口径"}},
		{"one unit", "li", one, 200, []string{root.Name + "的考核得分", "依据的记录", "/trail?order=oldest&amp;project="}},
		{"one unit by its code", "wang", "/scores/csxy?" + period, 200, []string{"怎么算出来的"}},
		{"compared", "li", "/scores/compare?with=jiamusi&" + period, 200, []string{"逐项计分口径", root.Name}},
		{"a period that is none", "li", "/scores?from=2025-07-01&to=2025-06-01", 422, []string{"止日不能早于起日"}},
		{"no such sheet", "li", "/scores?sheet=none", 422, []string{"没有“none”这份考核口径"}},
		{"no such unit", "li", "/scores/none?" + period, 404, nil},
		{"a unit that one does not see", "he", one, 404, nil},
		{"nothing to see", "zhou", "/scores?" + period, 200, []string{"没有可看的单位"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.ask(t, c.as, c.path, nil)
			if a.Code != c.want {
				t.Fatalf("%s answers %d, want %d", c.path, a.Code, c.want)
			}
			checkPage(t, c.path, a)
			for _, text := range c.has {
				if text != "console" && !strings.Contains(a.body, text) {
					t.Errorf("no %q", text)
				}
			}
		})
	}
	// Every total of the page is the sum that it shows.
	sums := regexp.MustCompile(`(?s)怎么算出来的.*?= <b class="num">([-−0-9.]+)</b>`).FindStringSubmatch(w.ask(t, "li", one, nil).body)
	desk := score.NewDesk(w.engine, w.db, w.engine.Now, workflows.Sheets(), workflows.ParseSheet)
	q := score.Question{From: calendar.MustDate("2025-07-01"), To: calendar.MustDate("2025-12-31")}
	table, err := desk.Table(t.Context(), engine.Operator(), q)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := table.Unit(root.ID)
	if sums == nil || sums[1] != u.Total.String() {
		t.Errorf("the page says %v, the total is %s", sums, u.Total)
	}
}

// TestCandidates reads whom the score suggests, with the items and marks behind each, on the page and in the workbook.
func TestCandidates(t *testing.T) {
	w := readWorld(t)
	const period = "from=2025-07-01&to=2025-12-31"
	desk := score.NewDesk(w.engine, w.db, w.engine.Now, workflows.Sheets(), workflows.ParseSheet)
	table, err := desk.Table(t.Context(), engine.Operator(), score.Question{From: calendar.MustDate("2025-07-01"), To: calendar.MustDate("2025-12-31")})
	if err != nil {
		t.Fatal(err)
	}
	a := w.ask(t, "li", "/scores?"+period, nil)
	checkPage(t, "/scores", a)
	_, page, _ := strings.Cut(a.body, "评先评优候选")
	b := w.ask(t, "li", "/scores.xlsx?"+period, nil)
	f, err := excelize.OpenReader(bytes.NewReader([]byte(b.body)))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := f.GetRows("评先评优候选")
	if err != nil {
		t.Fatal(err)
	}
	book := ""
	for _, r := range rows {
		book += strings.Join(r, "|") + "\n"
	}
	root, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	given, err := w.engine.Distinctions(t.Context(), engine.Operator(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	proved, marked := 0, 0
	for _, u := range table.Candidates() {
		if !engine.Under(u.Path, root.Path) {
			continue // not the leader's to see
		}
		for _, l := range linesOf(table.Sheet, u, score.OnTime) {
			proved++
			if !strings.Contains(page, l.Item.Title+"</a>") || !strings.Contains(book, l.Item.Number+" "+l.Item.Title) || !strings.Contains(book, l.Refs[0].ID) {
				t.Errorf("%s is not named behind %s", l.Item.Number, u.Name)
			}
		}
		for _, x := range marksOf(table, u, given) {
			marked++
			if !strings.Contains(book, x.Mark.Kind.In("zh-CN")+" "+x.Project.Number+" "+x.Project.Title) {
				t.Errorf("the workbook does not say that %s of %s is %s", x.Project.Number, u.Name, x.Mark.Kind)
			}
		}
	}
	if proved == 0 || marked == 0 || !strings.Contains(page, ">推广</span>") {
		t.Errorf("%d items and %d marks are behind the candidates, or their marks are not shown", proved, marked)
	}
}

// TestTrySheet compares with a file, or says what is wrong in it.
func TestTrySheet(t *testing.T) {
	w := readWorld(t)
	source, _ := workflows.SheetSource("default")
	send := func(content string) answer {
		name := "mine.yaml"
		if content == "" {
			name = ""
		}
		return w.handTo(t, "li", "/scores/compare?from=2025-07-01&to=2025-12-31", name, content, nil)
	}
	changed := strings.Replace(string(source), "base: 100", "base: 90", 1)
	if a := send(changed); a.Code != http.StatusOK || !strings.Contains(a.body, `data-l="变化">−10<`) {
		t.Errorf("a sheet with ten points less answers %d:\n%s", a.Code, a.body)
	}
	if a := send(strings.Replace(string(source), "event: late", "event: lazy", 1)); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "mine.yaml:18: 没有“lazy”这种情形") {
		t.Errorf("a wrong sheet answers %d:\n%s", a.Code, a.body)
	}
	if a := send(""); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "请选择口径文件") {
		t.Errorf("no file answers %d", a.Code)
	}
}

// TestScoresWorkbook reads the export back: the lines of each unit add up to its total in the ranking.
func TestScoresWorkbook(t *testing.T) {
	w := readWorld(t)
	a := w.ask(t, "li", "/scores.xlsx?from=2025-07-01&to=2025-12-31", nil)
	if a.Code != http.StatusOK || !strings.Contains(a.Header().Get("Content-Disposition"), ".xlsx") {
		t.Fatalf("answers %d, %v", a.Code, a.Header())
	}
	f, err := excelize.OpenReader(bytes.NewReader([]byte(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	total, sum := map[string]score.Points{}, map[string]score.Points{}
	add := func(sheet string, unit, points int, into map[string]score.Points) {
		rows, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows[3:] {
			p, err := score.ParsePoints(r[points])
			if err != nil {
				t.Fatalf("%v: %v", r, err)
			}
			into[r[unit]] += p
		}
	}
	add("排名", 2, 8, total)
	add("明细", 0, 5, sum)
	if len(total) < 5 {
		t.Errorf("only %d units", len(total))
	}
	// The units stand as on the page: a kind after the other, in each the ranked ones first.
	rows, err := f.GetRows("排名")
	if err != nil {
		t.Fatal(err)
	}
	kind, seen, behind := "", map[string]bool{}, false
	for _, r := range rows[3:] {
		if r[3] != kind {
			if kind, behind = r[3], false; seen[kind] {
				t.Errorf("%s stands in two places", kind)
			}
			seen[kind] = true
		}
		if behind && r[0] != "—" {
			t.Errorf("%s is ranked and stands behind those without a rank", r[2])
		}
		behind = behind || r[0] == "—"
	}
	for unit, p := range total {
		if sum[unit] != p {
			t.Errorf("%s: lines %s, total %s", unit, sum[unit], p)
		}
	}
}
