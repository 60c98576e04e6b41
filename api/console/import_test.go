package console

import (
	"bytes"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
)

// hand uploads a file to /import as a person.
func (w *world) hand(t *testing.T, as, name, data string, fields map[string]string) answer {
	t.Helper()
	return w.handTo(t, as, "/import", name, data, fields)
}

// handTo uploads a file to an address.
func (w *world) handTo(t *testing.T, as, path, name, data string, fields map[string]string) answer {
	t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for k, s := range fields {
		if err := m.WriteField(k, s); err != nil {
			t.Fatal(err)
		}
	}
	if name != "" {
		part, err := m.CreateFormFile("file", name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, &body)
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(&http.Cookie{Name: session, Value: as})
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, r)
	return answer{rec, rec.Body.String()}
}

// columnsOf uploads a file and returns the address of the page on which its columns are chosen.
func (w *world) columnsOf(t *testing.T, as, name, data string, fields map[string]string) string {
	t.Helper()
	a := w.hand(t, as, name, data, fields)
	to := a.Header().Get("Location")
	if path, _, _ := strings.Cut(to, "?"); a.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/import/") || !strings.HasSuffix(path, "/columns") {
		t.Fatalf("the upload answers %d, %q", a.Code, to)
	}
	return to
}

// previewOf uploads a file, takes its columns as they are recognised, and returns the address of its preview, and the
// preview.
func (w *world) previewOf(t *testing.T, as, name, data string, fields map[string]string) (string, answer) {
	t.Helper()
	at := w.columnsOf(t, as, name, data, fields)
	page := w.ask(t, as, at, nil)
	to := page.Header().Get("Location") // of what is no ledger
	if page.Code == http.StatusOK {
		checkPage(t, at, page)
		path, _, _ := strings.Cut(at, "?")
		a := w.ask(t, as, path, chosen(t, page.body, path))
		if to = a.Header().Get("Location"); a.Code != http.StatusSeeOther {
			t.Fatalf("the columns as recognised answer %d: %s", a.Code, a.body)
		}
	}
	return to, w.ask(t, as, to, nil)
}

// chosen is the form of the columns, as a browser would send it untouched.
func chosen(t *testing.T, page, action string) url.Values {
	t.Helper()
	out := sent(t, page, action)
	for _, m := range regexp.MustCompile(`(?s)<select [^>]*name="([^"]*)"[^>]*>(.*?)</select>`).FindAllStringSubmatch(page, -1) {
		options := regexp.MustCompile(`<option value="([^"]*)"( selected)?>`).FindAllStringSubmatch(m[2], -1)
		for i, o := range options {
			if i == 0 || o[2] != "" {
				out.Set(m[1], html.UnescapeString(o[1]))
			}
		}
	}
	for _, m := range regexp.MustCompile(`<input class="inp" type="(?:number|text)"[^>]* name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		out.Set(m[1], html.UnescapeString(m[2]))
	}
	return out
}

func (w *world) total(t *testing.T) int {
	t.Helper()
	n, err := w.engine.Counts(t.Context(), engine.Operator(), engine.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Total
}

// sent is the form on a page that leads to action, as a browser would send it untouched.
func sent(t *testing.T, page, action string) url.Values {
	t.Helper()
	_, f, ok := strings.Cut(page, `<form method="post" action="`+html.EscapeString(action)+`"`)
	if !ok {
		if _, f, ok = strings.Cut(page, `method="post" action="`+html.EscapeString(action)+`"`); !ok {
			t.Fatalf("there is no form for %s", action)
		}
	}
	f, _, _ = strings.Cut(f, "</form>")
	out := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(f, -1) {
		out.Set(m[1], html.UnescapeString(m[2]))
	}
	return out
}

const ledgerText = "序号,实事项目,责任单位,承办人,完成时限,监督电话\n" +
	"1,更换阅览室座椅,,周启航,12月底前,12345\n" +
	"2,<script>alert(1)</script>补建自行车棚,某处,没有这个人,3月底前,\n" +
	"3,增设直饮水点,,,,\n"

func TestImportFromFileToProjects(t *testing.T) {
	w := ownWorld(t)
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	year := fmt.Sprint(w.now.Year())
	fields := map[string]string{"kind": "shishi", "unit": string(unit.ID), "year": year, "list": "2025-6"}
	before := w.total(t)
	to, shown := w.previewOf(t, "zhang", "2025.csv", ledgerText, fields)
	checkPage(t, to, shown)
	for _, want := range []string{"将新建 3 项", "更换阅览室座椅", year + "-12-31", "月底", "“12月底前”→", "周启航", "没有这个姓名的用户", "已过", "没有写", "监督电话：12345", "确认导入 3 项",
		"&lt;script&gt;alert(1)&lt;/script&gt;"} {
		if !strings.Contains(shown.body, want) {
			t.Errorf("the preview does not say %q", want)
		}
	}
	if n := w.total(t); n != before {
		t.Fatalf("the preview wrote %d projects", n-before)
	}
	path, _, _ := strings.Cut(to, "?")
	form := sent(t, shown.body, path)

	// Nobody else gets at the file, not even with the address.
	if a := w.ask(t, "he", to, nil); a.Code != http.StatusNotFound && a.Code != http.StatusForbidden || strings.Contains(a.body, "更换阅览室座椅") {
		t.Errorf("another person's preview answers %d", a.Code)
	}
	if a := w.ask(t, "zhang", path, url.Values{"kind": form["kind"], "unit": form["unit"]}); a.Code != http.StatusUnprocessableEntity || w.total(t) != before {
		t.Errorf("a confirmation without its preview answers %d", a.Code)
	}
	other := url.Values{}
	for k, s := range form {
		other[k] = s
	}
	other.Set("year", fmt.Sprint(w.now.Year()+1))
	if a := w.ask(t, "zhang", path, other); a.Code != http.StatusConflict || w.total(t) != before || !strings.Contains(a.body, fmt.Sprint(w.now.Year()+1)+"-12-31") {
		t.Errorf("a confirmation for another year than was shown answers %d", a.Code)
	}

	done := w.ask(t, "zhang", path, form)
	if done.Code != http.StatusSeeOther || w.total(t) != before+3 {
		t.Fatalf("the confirmation answers %d and leaves %d projects more", done.Code, w.total(t)-before)
	}
	after := w.ask(t, "zhang", done.Header().Get("Location"), nil)
	checkPage(t, "after", after)
	links := regexp.MustCompile(`<a class="mono" href="(/projects/[^"]+)">`).FindAllStringSubmatch(after.body, -1)
	if len(links) != 3 || !strings.Contains(after.body, "已导入") || strings.Contains(after.body, "确认导入") {
		t.Fatalf("afterwards %d rows lead to their projects", len(links))
	}
	if p := w.ask(t, "zhang", links[0][1], nil); p.Code != http.StatusOK || !strings.Contains(p.body, "更换阅览室座椅") || !strings.Contains(p.body, "12345") {
		t.Errorf("the project answers %d", p.Code)
	}
	if a := w.ask(t, "zhang", path, form); w.total(t) != before+3 {
		t.Errorf("a second confirmation answers %d and adds %d", a.Code, w.total(t)-before-3)
	}
}

func TestImportReadsWorkbooks(t *testing.T) {
	w := ownWorld(t)
	f := excelize.NewFile()
	for i, row := range [][]any{{"序号", "实事项目", "完成时限"}, {1, "修整操场", "2030年12月底前"}} {
		at, err := excelize.CoordinatesToCellName(1, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetSheetRow("Sheet1", at, &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	_, shown := w.previewOf(t, "zhang", "台账.xlsx", b.String(), map[string]string{"kind": "shishi", "unit": string(unit.ID)})
	if !strings.Contains(shown.body, "2030-12-31") || !strings.Contains(shown.body, "确认导入 1 项") {
		t.Errorf("a workbook is shown as %s", shown.body)
	}
}

func TestImportRefuses(t *testing.T) {
	w := ownWorld(t)
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	before := w.total(t)
	good := map[string]string{"kind": "shishi", "unit": string(unit.ID)}
	t.Run("people who may create nothing", func(t *testing.T) {
		for _, login := range []string{"zhou", "zhao"} {
			if a := w.ask(t, login, "/import", nil); a.Code != http.StatusForbidden {
				t.Errorf("%s gets the form: %d", login, a.Code)
			}
			if a := w.hand(t, login, "a.csv", ledgerText, good); a.Code != http.StatusForbidden {
				t.Errorf("%s hands a file in: %d", login, a.Code)
			}
		}
	})
	for _, tt := range []struct {
		name, file, data, says string
		fields                 map[string]string
	}{
		{"no file", "", "", "文件：", good},
		{"no unit", "a.csv", ledgerText, "牵头单位：", map[string]string{"kind": "shishi"}},
		{"an unknown kind", "a.csv", ledgerText, "类型：", map[string]string{"kind": "x", "unit": string(unit.ID)}},
		{"a year beyond reason", "a.csv", ledgerText, "1990", map[string]string{"kind": "shishi", "unit": string(unit.ID), "year": "20250"}},
		{"too large", "a.csv", strings.Repeat("长", 6<<20), "16", good},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.hand(t, "zhang", tt.file, tt.data, tt.fields)
			if a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, `class="errsum"`) || !strings.Contains(a.body, tt.says) {
				t.Errorf("answers %d without %q", a.Code, tt.says)
			}
			checkPage(t, tt.name, a)
		})
	}
	for _, tt := range []struct{ name, data, says string }{
		{"a deadline that cannot be read", "序号,实事项目,完成时限\n1,修路,改天\n2,架桥,2030-12-31\n", "没有读出"},
		{"a row twice", "序号,实事项目,完成时限\n1,修路,2030-12-31\n1,修路,2030-12-31\n", "有错"},
		{"no ledger", "%PDF-1.7", "关于整份文件"},
		{"nothing", "", "关于整份文件"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to, a := w.previewOf(t, "zhang", "a.csv", tt.data, good)
			checkPage(t, to, a)
			if !strings.Contains(a.body, "一行也不会导入") || !strings.Contains(a.body, tt.says) || strings.Contains(a.body, `name="plan"`) {
				t.Errorf("the preview answers %d without %q, or offers to import", a.Code, tt.says)
			}
			path, _, _ := strings.Cut(to, "?")
			bad := w.ask(t, "zhang", path, url.Values{"kind": {"shishi"}, "unit": {string(unit.ID)}, "plan": {strings.Repeat("ab", 32)}})
			if bad.Code == http.StatusSeeOther || w.total(t) != before {
				t.Errorf("confirmed all the same: %d, %d projects more", bad.Code, w.total(t)-before)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		a := w.ask(t, "zhang", "/import/"+strings.Repeat("0", 16)+"-"+strings.Repeat("0", 64)+"?kind=shishi&unit="+string(unit.ID), nil)
		if a.Code != http.StatusNotFound || !strings.Contains(a.body, "重新选择文件") {
			t.Errorf("answers %d", a.Code)
		}
		checkPage(t, "gone", a)
		// An address that lost what was said of the ledger speaks of the file, too.
		if a = w.ask(t, "zhang", "/import/"+strings.Repeat("0", 16)+"-"+strings.Repeat("0", 64), nil); a.Code != http.StatusNotFound || !strings.Contains(a.body, "重新选择文件") {
			t.Errorf("without more in the address, answers %d", a.Code)
		}
	})
}

// TestImportPages leafs through a long ledger: every row stands on exactly one page.
func TestImportPages(t *testing.T) {
	w := ownWorld(t)
	var b strings.Builder
	b.WriteString("序号,实事项目,完成时限\n")
	const n = 2*previewPage + 7
	for i := range n {
		fmt.Fprintf(&b, "%d,事项%04d号,2030-12-31\n", i+1, i)
	}
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	to, page := w.previewOf(t, "zhang", "a.csv", b.String(), map[string]string{"kind": "shishi", "unit": string(unit.ID)})
	seen := map[string]int{}
	for pages := 1; ; pages++ {
		for _, m := range regexp.MustCompile(`事项\d{4}号`).FindAllString(page.body, -1) {
			seen[m]++
		}
		next := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(page.body)
		if next == nil {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		page = w.ask(t, "zhang", html.UnescapeString(next[1]), nil)
	}
	if len(seen) != n {
		t.Errorf("%d rows of %d were shown under %s", len(seen), n, to)
	}
	for title, times := range seen {
		if times != 1 {
			t.Errorf("%s stands %d times", title, times)
		}
	}
}
