package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/message"
	"bihuan/storage"
)

// cast are the people of the play, each with another part.
var cast = []string{"zhou", "chen", "wu", "zhang", "he", "li", "wang", "zhao", "qian"}

// linkPattern finds where a page leads.
var linkPattern = regexp.MustCompile(`(?:href|hx-get|action|src)="([^"]*)"`)

// inline finds what the policy forbids.
var inline = regexp.MustCompile(`(?i)<[^>]*\s(?:style|on[a-z]+)\s*=|<style|<script(?:>|\s[^>]*>[^<])`)

// quotedText is the value of an attribute, which may say anything.
var quotedText = regexp.MustCompile(`"[^"]*"`)

// checkPage holds every page to what all pages promise.
func checkPage(t *testing.T, path string, a answer) {
	t.Helper()
	if got := a.Header().Get("Content-Security-Policy"); got != policy {
		t.Errorf("%s: policy %q", path, got)
	}
	if got := a.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s: Cache-Control %q", path, got)
	}
	if m := inline.FindString(quotedText.ReplaceAllString(a.body, `""`)); m != "" {
		t.Errorf("%s: inline style or script: %q", path, m)
	}
	for _, m := range linkPattern.FindAllStringSubmatch(a.body, -1) {
		if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "#") {
			t.Errorf("%s: leads outside: %q", path, m[1])
		}
	}
	if n := strings.Count(a.body, "<h1"); n != 1 {
		t.Errorf("%s: %d h1, want 1", path, n)
	}
	for _, part := range []string{`<html lang="`, `class="skip" href="#main"`, `<main`, `id="main"`} {
		if !strings.Contains(a.body, part) {
			t.Errorf("%s: no %s", path, part)
		}
	}
	for _, wrong := range []string{"ZgotmplZ", "<no value>", ">console.", `"console.`, "%!"} {
		if strings.Contains(a.body, wrong) {
			t.Errorf("%s: %q in the page", path, wrong)
		}
	}
	for _, id := range duplicates(regexp.MustCompile(`\sid="([^"]*)"`), a.body) {
		t.Errorf("%s: the id %q stands twice", path, id)
	}
}

func duplicates(p *regexp.Regexp, body string) []string {
	seen := map[string]int{}
	var out []string
	for _, m := range p.FindAllStringSubmatch(body, -1) {
		if seen[m[1]]++; seen[m[1]] == 2 {
			out = append(out, m[1])
		}
	}
	return out
}

// TestEveryLinkAnswers follows every link from the home page, as every person and in both languages: nothing may
// be missing, broken or forbidden that a page leads to.
func TestEveryLinkAnswers(t *testing.T) {
	w := readWorld(t)
	for i, login := range cast {
		t.Run(login, func(t *testing.T) {
			lang := message.Languages[i%2]
			todo, seen := []string{"/"}, map[string]bool{"/": true}
			pages, alike := 0, map[string]int{}
			for len(todo) > 0 {
				path := todo[0]
				todo = todo[1:]
				a := w.ask(t, login, path, nil, "Cookie", langCookie+"="+lang)
				switch a.Code {
				case http.StatusOK, http.StatusSeeOther:
				default:
					t.Errorf("%s answers %d", path, a.Code)
				}
				if to := a.Header().Get("Location"); to != "" && !seen[to] {
					seen[to] = true
					todo = append(todo, to)
				}
				if !strings.HasPrefix(a.Header().Get("Content-Type"), "text/html") {
					continue
				}
				if strings.Contains(a.body, "<html") {
					pages++
					checkPage(t, path, a)
					if !strings.Contains(a.body, `<html lang="`+lang+`"`) {
						t.Errorf("%s is not in %s", path, lang)
					}
				}
				for _, m := range linkPattern.FindAllStringSubmatch(a.body, -1) {
					to := link(m[1])
					if to == "" || seen[to] || alike[shape(to)] == 5 {
						continue
					}
					seen[to] = true
					alike[shape(to)]++
					todo = append(todo, to)
				}
			}
			if pages < 8 {
				t.Errorf("only %d pages were reached", pages)
			}
		})
	}
}

var naming = regexp.MustCompile(`/[^/]*[0-9][^/]*`)

// shape is what addresses of the same page have in common: the path without what it names. A page answers alike for
// many things, and the plan leads to thousands.
func shape(to string) string {
	path, _, _ := strings.Cut(to, "?")
	return naming.ReplaceAllString(path, "/*")
}

// link is an address that can be followed with GET, "" for one that cannot.
func link(s string) string {
	s = strings.ReplaceAll(s, "&amp;", "&")
	s, _, _ = strings.Cut(s, "#")
	for _, r := range routes {
		if r.Method == http.MethodPost && s == r.Path {
			return ""
		}
	}
	if (strings.HasPrefix(s, "/people/") || strings.HasPrefix(s, "/units/") || strings.HasPrefix(s, "/delegations/")) && strings.Count(s, "/") == 3 && !strings.HasSuffix(s, "/leave") {
		return ""
	}
	if s == "" || s == "/trail/bundle.zip" || strings.HasPrefix(s, "/assets/") || strings.Contains(s, "/do/") || strings.HasPrefix(s, "/todo/") && s != "/todo/count" ||
		strings.HasSuffix(s, "/evidence") || strings.HasSuffix(s, "/poll") || s == "/events" ||
		strings.HasPrefix(s, "/projects/") && strings.HasSuffix(s, "/verify") {
		return ""
	}
	return s
}

// TestPagesForPeople is the table of pages and people: who is answered how.
func TestPagesForPeople(t *testing.T) {
	w := readWorld(t)
	hidden := w.item(t, func(p *engine.Project) bool { return !p.Has(w.people["zhou"].ID) })
	id := string(hidden.ID)
	for _, tt := range []struct {
		name, as, path string
		want           int
		has            string
	}{
		{"nobody is sent to the door", "", "/ledger?q=a", http.StatusSeeOther, ""},
		{"a session that is over is none", "ghost", "/ledger", http.StatusSeeOther, ""},
		{"the door", "", "/sign-in", http.StatusOK, `name="password"`},
		{"a supervisor proposes", "zhang", "/new", http.StatusOK, `name="unit"`},
		{"an owner without a role does not", "zhou", "/new", http.StatusForbidden, "只有"},
		{"an inspector does not either", "wang", "/new", http.StatusForbidden, "只有"},
		{"what one may not see is not there", "zhou", "/projects/" + id, http.StatusNotFound, "没有这个项目"},
		{"nor can it be edited", "zhou", "/projects/" + id + "/edit", http.StatusNotFound, ""},
		{"what is no id is not there", "zhang", "/projects/1", http.StatusNotFound, ""},
		{"an inspector reads it", "wang", "/projects/" + id, http.StatusOK, "审计记录"},
		{"how messages are worded", "zhao", "/wordings?lang=en", http.StatusOK, "notify.say.line"},
		{"is the administrator's", "zhang", "/wordings", http.StatusForbidden, ""},
		{"an inbox", "zhou", "/notices", http.StatusOK, "全部标为已读"},
		{"an inbox with a cursor that is none", "zhou", "/notices?after=x", http.StatusUnprocessableEntity, ""},
		{"how I am told", "zhou", "/notices/settings", http.StatusOK, `name="mail"`},
		{"channels are the administrator's", "zhang", "/channels", http.StatusForbidden, "系统管理员"},
		{"who sees them all", "zhao", "/channels", http.StatusOK, "/channels/new?kind=feishu"},
		{"a kind that does not exist", "zhao", "/channels/new?kind=fax", http.StatusNotFound, ""},
		{"a new one is theirs too", "zhang", "/channels/new?kind=mail", http.StatusForbidden, ""},
		{"a channel that does not exist", "zhao", "/channels/1", http.StatusNotFound, ""},
		{"the delivery log", "wang", "/deliveries?state=dead&from=2025-09-01", http.StatusOK, "没有投递记录"},
		{"is for administrators and inspectors", "zhang", "/deliveries", http.StatusForbidden, ""},
		{"a calendar that nobody has", "", "/feeds/" + strings.Repeat("x", 43) + "/deadlines.ics", http.StatusNotFound, ""},
		{"no such page", "zhang", "/no/such/page", http.StatusNotFound, "没有这个页面"},
		{"no such file", "", "/assets/console.css", http.StatusNotFound, ""},
		{"no such workflow", "zhang", "/workflows/nothing", http.StatusNotFound, ""},
		{"an unknown filter is refused", "zhang", "/ledger?light=purple", http.StatusUnprocessableEntity, "筛选"},
		{"so is a bad cursor", "zhang", "/ledger?after=%00", http.StatusUnprocessableEntity, ""},
		{"a search that finds nothing says why", "zhang", "/ledger?q=没有的项目", http.StatusOK, "没有的项目"},
		{"a number that nobody has", "zhang", "/trail?project=XX-1", http.StatusUnprocessableEntity, "XX-1"},
		{"a date that is none", "zhang", "/trail?from=yesterday", http.StatusUnprocessableEntity, ""},
		{"a simulation backwards", "zhang", "/workflows/shishi?start=2025-11-02&deadline=2025-11-01", http.StatusOK, "办结时限要晚于开始日期"},
		{"a security administrator sees an empty overview or a full one, never an error", "qian", "/overview", http.StatusOK, "总览"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.ask(t, tt.as, tt.path, nil)
			if a.Code != tt.want {
				t.Fatalf("%s answers %d, want %d", tt.path, a.Code, tt.want)
			}
			if !strings.Contains(a.body, tt.has) {
				t.Errorf("%s does not say %q", tt.path, tt.has)
			}
			if tt.want == http.StatusSeeOther {
				if to := a.Header().Get("Location"); !strings.HasPrefix(to, "/sign-in?next=%2Fledger") {
					t.Errorf("sent to %q", to)
				}
			} else if strings.Contains(a.body, "<html") {
				checkPage(t, tt.path, a)
			}
		})
	}
}

// views are the pages with their typed views, for rendering each empty.
var emptyViews = map[string]any{
	"account":         accountView{},
	"batch":           batchView{},
	"board":           boardView{},
	"board_list":      boardListView{},
	"bulletin":        bulletinView{},
	"certificate":     certificateView{},
	"channel":         channelView{},
	"channels":        channelsView{},
	"closing":         closingView{},
	"conflict":        conflictView{},
	"deliveries":      deliveriesView{},
	"edit":            editView{},
	"error":           errorView{},
	"import":          importView{},
	"import_columns":  &columnsView{},
	"import_preview":  previewView{},
	"ledger":          ledgerView{Empty: &emptyView{}},
	"list":            listView{Empty: &emptyView{}},
	"lists":           listsView{Empty: &emptyView{}},
	"marks":           marksView{Empty: &emptyView{}},
	"mine":            mineView{},
	"need":            needView{},
	"needs":           needsView{Empty: &emptyView{}},
	"notice_settings": mySettingsView{},
	"notices":         noticesView{Empty: &emptyView{}},
	"overview":        overviewView{},
	"poll":            pollView{},
	"project":         projectView{},
	"rate":            rateView{},
	"score":           scoreView{},
	"score_compare":   compareView{},
	"scores":          scoresView{Empty: &emptyView{}},
	"sheets":          sheetsView{},
	"sheet":           sheetRow{},
	"sign_in":         signInView{},
	"tally":           tallyView{Empty: &emptyView{}},
	"tally_year":      tallyYearView{},
	"todo":            todoView{},
	"totp":            totpView{},
	"trail":           trailView{},
	"wordings":        wordingsView{},
	"workflow":        workflowView{},
	"workflows":       workflowsView{},
	"yearly":          yearlyView{Empty: &emptyView{}},
}

// TestTemplatesRenderEmptyAndFull renders every template with a view without values and with one in which every
// field, list and pointer is filled, each text with markup.
func TestTemplatesRenderEmptyAndFull(t *testing.T) {
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := parsePages(a)
	if err != nil {
		t.Fatal(err)
	}
	for lang, byName := range pages {
		for name, p := range byName {
			empty, ok := emptyViews[name]
			if !ok {
				t.Errorf("the page %s is not in the test's table of views", name)
				continue
			}
			full := reflect.New(reflect.TypeOf(empty)).Elem()
			fill(full, 0)
			for kind, view := range map[string]any{"empty": empty, "full": full.Interface()} {
				var b bytes.Buffer
				if err := p.ExecuteTemplate(&b, "main", view); err != nil {
					t.Errorf("%s, %s, %s: %v", lang, name, kind, err)
				}
				if strings.Contains(b.String(), "<script") || strings.Contains(b.String(), "<img src=x") {
					t.Errorf("%s, %s, %s: markup got through", lang, name, kind)
				}
			}
		}
	}
}

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'{{.}}`

// fill puts something into every field.
func fill(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Pointer:
		if depth < 8 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if depth < 8 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0), depth+1)
			fill(v.Index(1), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), depth+1)
			}
		}
	}
}

// TestSentencesExist looks up every key that a template or a Go file of this package names.
func TestSentencesExist(t *testing.T) {
	names := regexp.MustCompile(`\bt "([a-z_.]+)"|\.t\("([a-z0-9_.]+)"|Key: "([a-z0-9_.]+)"|invalid\("[a-z_]*", "([a-z0-9_.]+)"|"(console\.[a-z0-9_.]*[a-z0-9_])"`)
	found := 0
	for _, dir := range []string{".", "templates"} {
		err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".html") {
				return err
			}
			b, err := fs.ReadFile(os.DirFS(dir), path)
			if err != nil {
				return err
			}
			for _, m := range names.FindAllStringSubmatch(string(b), -1) {
				key := strings.Join(m[1:], "")
				if strings.HasSuffix(key, ".") || key == "console.css" || key == "console.js" || strings.HasSuffix(key, ".css") {
					continue
				}
				found++
				if !message.Has(key) {
					t.Errorf("%s: the catalogue has no %q", path, key)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 200 {
		t.Errorf("only %d keys were found", found)
	}
	built := map[string][]string{"console.action.": actions, "console.survey.": surveyLevels, "console.view.": views, "console.checked.": slices.Collect(func(yield func(string) bool) {
		storage.Checked{}.Each(func(what string, _ int64) bool { return yield(what) })
	}), "console.check.": {audit.CheckBytes, audit.CheckHash, audit.CheckColumns, audit.CheckSubject, audit.CheckChain, audit.CheckTime,
		audit.CheckHead, audit.CheckVersion, audit.CheckReplay, storage.CheckCommitment, storage.CheckEvidence, storage.CheckDefinition, storage.CheckOrphan},
		"console.import.show.": {"all", "new", "known", "problem", "note"},
		"console.export.":      exportFormats, "console.batch.": batchActs, "console.batch.do.": batchActs, "console.batch.not_now.": batchActs,
		"console.light.": {"red", "orange", "yellow", "green", "none", "closed", "shelved", "cancelled"}, "console.field.": tellable,
		"console.weekday.": {"0", "1", "2", "3", "4", "5", "6"}, "console.anchor.": {"deadline", "entered", "stage_due", "submitted"},
		"do.": slices.Collect(func(yield func(string) bool) {
			for act := range actionIcons {
				if !yield(act) {
					return
				}
			}
		})}
	for _, key := range message.Keys() { // what has a name can be searched for, but for what is only ever refused
		if s, ok := strings.CutPrefix(key, "console.action."); ok && s != "channel" && s != "open_work" && !slices.Contains(actions, s) {
			t.Errorf("the trail cannot be searched for %q", s)
		}
	}
	for prefix, list := range built {
		for _, s := range list {
			if !message.Has(prefix + s) {
				t.Errorf("the catalogue has no %q", prefix+s)
			}
		}
	}
}

// TestFirstPageIsLight adds up what a browser fetches for the first page.
func TestFirstPageIsLight(t *testing.T) {
	w := readWorld(t)
	const limit = 300 << 10
	page := w.ask(t, "zhang", "/ledger?view=all", nil, "Accept-Encoding", "gzip")
	sum := page.Body.Len()
	z, err := gzip.NewReader(bytes.NewReader([]byte(page.body)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	assets := map[string]bool{}
	for _, m := range regexp.MustCompile(`"(/assets/[^"#]+)`).FindAllStringSubmatch(string(plain), -1) {
		assets[m[1]] = true
	}
	for path := range assets {
		a := w.ask(t, "", path, nil, "Accept-Encoding", "gzip")
		if a.Code != http.StatusOK || !strings.Contains(a.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s answers %d, Cache-Control %q", path, a.Code, a.Header().Get("Cache-Control"))
		}
		sum += a.Body.Len()
	}
	if len(assets) < 5 || sum > limit {
		t.Errorf("%d files, %d bytes; want the styles, scripts and icons in at most %d", len(assets), sum, limit)
	}
}

func TestLocalNeverLeavesTheSite(t *testing.T) {
	for in, want := range map[string]string{"/ledger?q=1": "/ledger?q=1", "": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example/": "/",
		"javascript:alert(1)": "/", "ledger": "/", "/a\nb": "/", "/%2f/evil": "/%2f/evil"} {
		if got := local(in, "/"); got != want {
			t.Errorf("local(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestExportShowsWhatThePageShows compares the numbers of the two under several filters.
func TestExportShowsWhatThePageShows(t *testing.T) {
	w := readWorld(t)
	numbers := regexp.MustCompile(`S[SJ]\d{4}-\d{4}`)
	for _, filter := range []string{"", "?view=all", "?view=all&light=red&light=yellow", "?view=closed", "?view=all&stage=advance&sort=newest", "?view=all&q=0003"} {
		page, file := w.ask(t, "zhang", "/ledger"+filter, nil), w.ask(t, "zhang", "/ledger.csv"+filter, nil)
		_, rows, _ := strings.Cut(page.body, `<tbody id="rows">`)
		rows, _, _ = strings.Cut(rows, "</tbody>")
		var shown []string
		shown = append(shown, numbers.FindAllString(regexp.MustCompile(`(title|aria-label)="[^"]*"`).ReplaceAllString(rows, ""), -1)...)
		exported := numbers.FindAllString(file.body, -1)
		if len(exported) == 0 || !slices.Equal(shown, exported) {
			t.Errorf("%q shows %v and exports %v", filter, shown, exported)
		}
		if !strings.HasPrefix(file.body, "\ufeff") {
			t.Errorf("%q: no byte order mark", filter)
		}
	}
}
