package console

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// titles are the projects that a page of the ledger shows, in their order.
func titles(body string) []string {
	_, rows, _ := strings.Cut(body, `<tbody id="rows">`)
	rows, _, _ = strings.Cut(rows, "</tbody>")
	var out []string
	for _, m := range regexp.MustCompile(`class="nm trunc" href="/projects/([^"]+)"`).FindAllStringSubmatch(rows, -1) {
		out = append(out, m[1])
	}
	return out
}

// linked is the address of the first link that holds the text.
func linked(body, text string) string {
	m := regexp.MustCompile(`<a [^>]*href="([^"]+)"[^>]*>(?:<svg[^>]*><use[^>]*></svg>)?` + regexp.QuoteMeta(text)).FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// TestLedgerPagesForwardAndBack walks through the pages by their links and back again.
func TestLedgerPagesForwardAndBack(t *testing.T) {
	w := readWorld(t)
	for _, sort := range []string{"", "light", "newest", "oldest", "deadline", "deadline_desc", "updated", "updated_asc"} {
		t.Run(sort, func(t *testing.T) {
			whole := titles(w.ask(t, "zhang", "/ledger?view=all&sort="+sort, nil).body)
			if len(whole) != len(w.items) {
				t.Fatalf("%d rows, want all %d", len(whole), len(w.items))
			}
			var pages [][]string
			path := "/ledger?view=all&rows=4&sort=" + sort
			for path != "" {
				a := w.ask(t, "zhang", path, nil)
				checkPage(t, path, a)
				pages = append(pages, titles(a.body))
				if path = linked(a.body, "下一页"); path == "" {
					path = linked(a.body, "上一页")
					break
				}
			}
			if diff := cmp.Diff(whole, slices.Concat(pages...)); diff != "" {
				t.Fatalf("pages put together (-whole +pages):\n%s", diff)
			}
			for i := len(pages) - 2; i >= 0; i-- {
				a := w.ask(t, "zhang", path, nil)
				if diff := cmp.Diff(pages[i], titles(a.body)); diff != "" {
					t.Errorf("page %d on the way back (-then +now):\n%s", i+1, diff)
				}
				path = linked(a.body, "上一页")
			}
			if path != "" {
				t.Errorf("there is a page before the first: %s", path)
			}
		})
	}
}

// TestLedgerFiltersInTheAddress compares what addresses select with what the engine's filter selects.
func TestLedgerFiltersInTheAddress(t *testing.T) {
	w := readWorld(t)
	overdue := w.item(t, func(p *engine.Project) bool { return p.EverOverdue })
	pending := w.item(t, func(p *engine.Project) bool { return p.Request != nil })
	closed := w.item(t, func(p *engine.Project) bool { return p.Stage == engine.Closed })
	day := calendar.DateOf(*closed.ClosedAt, place)
	all := func(keep func(p *engine.Project) bool) []string {
		var out []string
		for i := range w.items {
			if p := w.fresh(t, w.items[i].ID); keep(&p) {
				out = append(out, string(p.ID))
			}
		}
		slices.Sort(out)
		return out
	}
	for _, tt := range []struct {
		query string
		want  func(p *engine.Project) bool
	}{
		{"view=all&ever=1", func(p *engine.Project) bool { return p.EverOverdue }},
		{"view=closed&ever=0", func(p *engine.Project) bool { return p.Stage == engine.Closed && !p.EverOverdue }},
		{"view=all&pending=1", func(p *engine.Project) bool { return p.Request != nil }},
		{"view=all&overdue=1", func(p *engine.Project) bool { return p.OverdueAt != nil }},
		{"view=all&kept=1", func(p *engine.Project) bool { return p.Stage != engine.Cancelled }},
		{"view=all&owner=" + string(pending.Owner), func(p *engine.Project) bool { return p.Owner == pending.Owner }},
		{"view=all&unit=" + string(overdue.UnitID) + "&alone=1", func(p *engine.Project) bool { return p.UnitID == overdue.UnitID }},
		{"view=all&closed_from=" + day.String() + "&closed_to=" + day.String(), func(p *engine.Project) bool {
			return p.ClosedAt != nil && calendar.DateOf(*p.ClosedAt, place) == day
		}},
		{"view=all&due_to=" + overdue.Deadline.String(), func(p *engine.Project) bool { return !p.Deadline.IsZero() && !p.Deadline.After(overdue.Deadline) }},
		{"view=all&due_from=" + overdue.Deadline.String(), func(p *engine.Project) bool { return !p.Deadline.Before(overdue.Deadline) && !p.Deadline.IsZero() }},
		{"view=all&stage=advance&stage=track", func(p *engine.Project) bool { return p.Stage == "advance" || p.Stage == "track" }},
		{"view=list&list=" + url.QueryEscape(overdue.List), func(p *engine.Project) bool { return p.List == overdue.List && p.Stage != engine.Cancelled }},
		{"view=all&q=" + url.QueryEscape("陈晓"), func(p *engine.Project) bool { return p.Owner == w.people["chen"].ID }},
	} {
		t.Run(tt.query, func(t *testing.T) {
			a := w.ask(t, "zhang", "/ledger?"+tt.query, nil)
			checkPage(t, tt.query, a)
			got := titles(a.body)
			slices.Sort(got)
			want := all(tt.want)
			if len(want) == 0 {
				t.Fatal("the play has no such project")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-want +shown):\n%s", diff)
			}
		})
	}
	for _, q := range []string{"view=x", "light=purple", "overdue=2", "mine=yes", "due_from=soon", "closed_to=1", "cols=light.password", "rows=0", "rows=1000", "sort=title"} {
		if a := w.ask(t, "zhang", "/ledger?"+q, nil); a.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s answers %d, want a refusal", q, a.Code)
		}
	}
}

// TestLedgerHeadings sorts by the heads of the columns, both ways.
func TestLedgerHeadings(t *testing.T) {
	w := readWorld(t)
	a := w.ask(t, "zhang", "/ledger?view=all", nil)
	for _, tt := range []struct{ text, sort, state string }{{"灯", "light", "descending"}, {"编号", "oldest", "ascending"}, {"办结时限", "deadline", "ascending"}} {
		path := linked(a.body, tt.text)
		if q, _ := url.Parse(path); q.Query().Get("sort") != tt.sort || q.Query().Get("view") != "all" {
			t.Errorf("the head %s leads to %q, want the sort %s", tt.text, path, tt.sort)
			continue
		}
		sorted := w.ask(t, "zhang", path, nil)
		if !regexp.MustCompile(`aria-sort="` + tt.state + `"><a [^>]*>` + tt.text).MatchString(sorted.body) {
			t.Errorf("%s: the head %s is not marked as %s", path, tt.text, tt.state)
		}
	}
	down := linked(w.ask(t, "zhang", "/ledger?view=all&sort=deadline", nil).body, "办结时限")
	if !strings.Contains(down, "deadline_desc") {
		t.Errorf("the sorted head leads to %q, want the other way round", down)
	}
}

// TestExportsAreTheTable compares CSV, XLSX and page: the same rows in the same order, with the columns chosen.
func TestExportsAreTheTable(t *testing.T) {
	w := readWorld(t)
	for _, tt := range []struct {
		query, cookie string
		head          []string
	}{
		{"view=all&sort=light", "", []string{"灯", "编号", "项目", "牵头单位", "承办人", "阶段", "进度", "办结时限", "剩余", "上报", "满意率"}},
		{"view=all&sort=deadline_desc&cols=title.list.ever", "", []string{"项目", "双月清单", "曾逾期"}},
		{"light=red&light=yellow", "number.original.urges", []string{"编号", "项目", "原定时限", "催办"}},
	} {
		t.Run(tt.query, func(t *testing.T) {
			cookie := columnsCookie + "=" + tt.cookie
			page := w.ask(t, "zhang", "/ledger?"+tt.query, nil, "Cookie", cookie)
			text, sheet := linked(page.body, "导出 CSV"), linked(page.body, "导出 Excel")
			before := exports(t, w)
			a := w.ask(t, "zhang", text, nil, "Cookie", cookie)
			fromCSV, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
			if err != nil || !strings.HasPrefix(a.body, "\ufeff") {
				t.Fatalf("CSV: %v", err)
			}
			a = w.ask(t, "zhang", sheet, nil, "Cookie", cookie)
			book, err := excelize.OpenReader(bytes.NewReader(a.Body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = book.Close() }()
			fromXLSX, err := book.GetRows("台账")
			if err != nil {
				t.Fatal(err)
			}
			for i := range fromXLSX { // rows end at their last value
				for len(fromXLSX[i]) < len(tt.head) {
					fromXLSX[i] = append(fromXLSX[i], "")
				}
			}
			if diff := cmp.Diff(fromCSV, fromXLSX); diff != "" {
				t.Errorf("the two files differ (-CSV +XLSX):\n%s", diff)
			}
			if diff := cmp.Diff(tt.head, fromCSV[0]); diff != "" {
				t.Errorf("headings (-want +got):\n%s", diff)
			}
			var want, got []string
			for _, id := range titles(page.body) {
				want = append(want, w.fresh(t, engine.ProjectID(id)).Title)
			}
			for _, row := range fromCSV[1:] {
				got = append(got, row[slices.Index(tt.head, "项目")])
			}
			if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
				t.Errorf("rows (-page +file):\n%s", diff)
			}
			if n := exports(t, w) - before; n != 2 {
				t.Errorf("two exports left %d entries", n)
			}
		})
	}
}

// exports counts the entries that tell of exports.
func exports(t *testing.T, w *world) int {
	t.Helper()
	page, err := w.engine.Trail(t.Context(), engine.Operator(), engine.EntryFilter{Actions: []string{"export"}, Limit: engine.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Items)
}

// TestWorkbookHoldsTexts puts what looks like a formula into a title.
func TestWorkbookHoldsTexts(t *testing.T) {
	w := ownWorld(t)
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	who := engine.Actor{ID: w.people["zhang"].ID, Grants: w.people["zhang"].Grants, Via: engine.ViaConsole}
	const title = `=HYPERLINK("http://evil.example","看这里")`
	if _, err := w.engine.Create(t.Context(), who, "shishi", unit, engine.Draft{Title: title}); err != nil {
		t.Fatal(err)
	}
	a := w.ask(t, "zhang", "/ledger.xlsx?view=all&cols=number&sort=newest", nil)
	book, err := excelize.OpenReader(bytes.NewReader(a.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	value, err := book.GetCellValue("台账", "B2")
	formula, formulaErr := book.GetCellFormula("台账", "B2")
	kind, kindErr := book.GetCellType("台账", "B2")
	if err != nil || formulaErr != nil || kindErr != nil || value != title || formula != "" || kind != excelize.CellTypeInlineString {
		t.Errorf("the cell holds %q, formula %q, type %d (%v %v %v)", value, formula, kind, err, formulaErr, kindErr)
	}
	if csv := w.ask(t, "zhang", "/ledger.csv?view=all&cols=number&sort=newest", nil); !strings.Contains(csv.body, `"'=HYPERLINK(`) {
		t.Error("the CSV's cell has no leading quote")
	}
}

func TestColumnsAreRemembered(t *testing.T) {
	w := readWorld(t)
	a := w.ask(t, "zhang", "/ledger/columns", url.Values{"col": {"list", "light", "urges"}, "back": {"/ledger?view=all"}})
	cookie := a.Header().Get("Set-Cookie")
	if a.Code != http.StatusSeeOther || a.Header().Get("Location") != "/ledger?view=all" || !strings.Contains(cookie, columnsCookie+"=light.title.list.urges;") {
		t.Fatalf("%d to %q with %q", a.Code, a.Header().Get("Location"), cookie)
	}
	page := w.ask(t, "zhang", "/ledger?view=all", nil, "Cookie", columnsCookie+"=light.title.list.urges")
	if n := strings.Count(page.body, `<th scope="col"`); n != 5 { // with the column of ticks
		t.Errorf("%d columns, want 5", n)
	}
	if a := w.ask(t, "zhang", "/ledger", nil, "Cookie", columnsCookie+"=of.an.older.version"); a.Code != http.StatusOK {
		t.Errorf("a cookie of another version: %d", a.Code)
	}
	if a := w.ask(t, "zhang", "/ledger/columns", url.Values{"col": {"light"}, "usual": {"1"}}); !strings.Contains(a.Header().Get("Set-Cookie"), strings.Join(usualColumns, ".")) {
		t.Errorf("the usual ones are %q", a.Header().Get("Set-Cookie"))
	}
	if a := w.ask(t, "zhang", "/ledger/columns", url.Values{"col": {"password"}}); a.Code != http.StatusUnprocessableEntity {
		t.Errorf("a column that there is not: %d", a.Code)
	}
}

func TestViewsAreSaved(t *testing.T) {
	w := ownWorld(t)
	save := func(name, query string) answer {
		return w.ask(t, "zhang", "/ledger/views", url.Values{"name": {name}, "query": {query}})
	}
	a := save("红黄"+hostile[:12], "view=all&light=red&light=yellow&sort=light&unknown=1&after=x")
	if a.Code != http.StatusSeeOther {
		t.Fatalf("answers %d: %s", a.Code, problemOf(a.body))
	}
	page := w.ask(t, "zhang", a.Header().Get("Location"), nil)
	checkPage(t, "a saved view", page)
	if want := html.EscapeString("红黄" + hostile[:12]); !regexp.MustCompile(`aria-current="page">(<svg[^>]*><use[^>]*></svg>)?` + regexp.QuoteMeta(want)).MatchString(page.body) {
		t.Error("the saved view is not the current tab")
	}
	if strings.Contains(page.body, "unknown=1") || strings.Contains(a.Header().Get("Location"), "after") {
		t.Error("what filters nothing was saved too")
	}
	if counts := w.ask(t, "zhang", "/ledger/counts", nil); !strings.Contains(counts.body, "红黄") {
		t.Error("the tabs lose it when their numbers come")
	}
	if other := w.ask(t, "li", "/ledger", nil); strings.Contains(other.body, "红黄") {
		t.Error("another person sees it")
	}
	for _, tt := range []struct{ name, query string }{{"", "view=all"}, {strings.Repeat("长", 40), "view=all"}, {"x", "light=purple"}, {"x", "%zz"}} {
		if a := save(tt.name, tt.query); a.Code != http.StatusUnprocessableEntity {
			t.Errorf("%q, %q answers %d", tt.name, tt.query, a.Code)
		} else if len(tt.name) > 50 && (!strings.Contains(a.body, tt.name) || !strings.Contains(a.body, "最多")) {
			t.Error("the name that was too long is lost, or nothing says why")
		}
	}
	gone := w.ask(t, "zhang", "/ledger/views/remove", url.Values{"name": {"红黄" + hostile[:12]}})
	if page := w.ask(t, "zhang", gone.Header().Get("Location"), nil); strings.Contains(page.body, "红黄") {
		t.Error("the removed view is still there")
	}
}

// TestBatch approves and urges several at once: first it says what will happen, then it does it, and says of every
// project that was left out why.
func TestBatch(t *testing.T) {
	w := ownWorld(t)
	var items []string
	var ready, stale []engine.Project
	for i := range w.items {
		p := w.fresh(t, w.items[i].ID)
		items = append(items, fmt.Sprintf("%s:%d", p.ID, p.Version))
		who := engine.Actor{ID: w.people["zhang"].ID, Grants: w.people["zhang"].Grants, Via: engine.ViaConsole}
		options, err := w.engine.Explain(t.Context(), who, &p)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(options, func(o engine.Option) bool { return o.Act == "approve" && o.Allowed }) {
			ready = append(ready, p)
		}
		if p.Request == nil && p.Stage == "advance" && len(stale) == 0 {
			stale = append(stale, p)
		}
	}
	if len(ready) == 0 || len(ready) == len(items) {
		t.Fatalf("of %d projects %d can be approved", len(items), len(ready))
	}
	items = append(items, "01999999-0000-7000-8000-000000000000:1")
	entries := func() int {
		page, err := w.engine.Trail(t.Context(), engine.Operator(), engine.EntryFilter{Actions: []string{"approve", "urge"}, Limit: engine.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Items)
	}
	before := entries()
	foreseen := w.ask(t, "zhang", "/ledger/batch", url.Values{"act": {"approve"}, "item": items, "back": {"/ledger?view=all"}})
	checkPage(t, "the preview", foreseen)
	if entries() != before {
		t.Fatal("the preview changed something")
	}
	want := fmt.Sprintf("可以办理 %d 项，不能办理 %d 项", len(ready), len(items)-len(ready))
	if foreseen.Code != http.StatusOK || !strings.Contains(foreseen.body, want) || !strings.Contains(foreseen.body, "没有等待审批的申请") {
		t.Fatalf("preview answers %d and does not say %q", foreseen.Code, want)
	}
	confirmed := url.Values{"act": {"approve"}, "step": {"do"}, "note": {"同意"}, "back": {"/ledger?view=all"}}
	for _, m := range regexp.MustCompile(`name="item" value="([^"]+)"`).FindAllStringSubmatch(foreseen.body, -1) {
		confirmed.Add("item", m[1])
	}
	if len(confirmed["item"]) != len(ready) {
		t.Fatalf("the confirmation holds %v", confirmed["item"])
	}
	done := w.ask(t, "zhang", "/ledger/batch", confirmed)
	checkPage(t, "the result", done)
	if !strings.Contains(done.body, fmt.Sprintf("已办理 %d 项，未办理 0 项", len(ready))) || entries() != before+len(ready) {
		t.Errorf("approving left %d entries: %s", entries()-before, problemOf(done.body))
	}
	again := w.ask(t, "zhang", "/ledger/batch", confirmed)
	if !strings.Contains(again.body, fmt.Sprintf("已办理 0 项，未办理 %d 项", len(ready))) || !strings.Contains(again.body, "有人更新过") || entries() != before+len(ready) {
		t.Error("sending it again did something, or does not say why it did not")
	}

	urge := url.Values{"act": {"urge"}, "step": {"do"}, "item": {fmt.Sprintf("%s:%d", stale[0].ID, stale[0].Version)}, "note": {"短"}}
	short := w.ask(t, "zhang", "/ledger/batch", urge)
	checkPage(t, "a note that is too short", short)
	if short.Code != http.StatusUnprocessableEntity || !strings.Contains(short.body, ">短</textarea>") {
		t.Errorf("a note that is too short answers %d, or is lost", short.Code)
	}
	urge.Set("note", "请尽快报来进展")
	if a := w.ask(t, "zhang", "/ledger/batch", urge); !strings.Contains(a.body, "已办理 1 项") {
		t.Errorf("urging answers %d", a.Code)
	}
	fresh := w.fresh(t, stale[0].ID)
	urge.Set("item", fmt.Sprintf("%s:%d", fresh.ID, fresh.Version))
	if a := w.ask(t, "zhang", "/ledger/batch", urge); !strings.Contains(a.body, "未办理 1 项") {
		t.Error("urging twice a day was done")
	}
	denied := w.ask(t, "wang", "/ledger/batch", urge)
	if !strings.Contains(denied.body, "未办理 1 项") {
		t.Errorf("an inspector's batch answers %d", denied.Code)
	}
	for name, x := range map[string]url.Values{"nothing picked": {"act": {"approve"}}, "another act": {"act": {"submit"}, "item": items}, "no version": {"act": {"urge"}, "item": {string(fresh.ID)}}} {
		if a := w.ask(t, "zhang", "/ledger/batch", x); a.Code != http.StatusUnprocessableEntity && a.Code != http.StatusPreconditionRequired {
			t.Errorf("%s answers %d", name, a.Code)
		}
	}
}

func TestPeriods(t *testing.T) {
	for _, tt := range []struct{ day, number, from, to string }{
		{"2025-11-01", "2025-6", "2025-11-01", "2025-12-31"}, {"2026-01-31", "2026-1", "2026-01-01", "2026-02-28"},
		{"2028-02-29", "2028-1", "2028-01-01", "2028-02-29"}, {"2026-06-30", "2026-3", "2026-05-01", "2026-06-30"},
	} {
		p := periodOf(calendar.MustDate(tt.day))
		if p.Number != tt.number || p.From.String() != tt.from || p.To.String() != tt.to {
			t.Errorf("%s lies in %s, %v to %v; want %s, %s to %s", tt.day, p.Number, p.From, p.To, tt.number, tt.from, tt.to)
		}
	}
}
