package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
)

// takenOver are the states of what was imported, by title.
func takenOver(t *testing.T, dsn string) map[string]engine.Project {
	t.Helper()
	var list struct {
		Entries []struct {
			Entry struct {
				Data struct{ Set engine.Project }
			}
		}
	}
	if err := json.Unmarshal([]byte(must(t, "audit", "list", "--db", dsn, "--action", "import", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]engine.Project{}
	for _, e := range list.Entries {
		out[e.Entry.Data.Set.Title] = e.Entry.Data.Set
	}
	return out
}

// plans are a project's milestones by date, because a workbook lists them so, whatever number each of them had.
func plans(p engine.Project) []string {
	var out []string
	for _, m := range p.Milestones {
		out = append(out, m.Due.String()+" "+m.Title+" "+m.Who)
	}
	slices.Sort(out)
	return out
}

// TestLedgersGoInOutAndIn takes six published ledgers in, out as the workbook that offices print, and in again to a
// fresh database: what the items say is the same. Only 序号 is another, because an export counts its own lines.
func TestLedgersGoInOutAndIn(t *testing.T) {
	for file, year := range map[string]string{
		"dazhu_2016_minsheng": "2016", "linan_2022_minsheng_plan": "2022", "linan_2022_minsheng_progress_sept": "2022",
		"suzhou_city_university_2021_14_tasks": "2021", "university_2022_ten_minsheng": "2022", "csuft_2017_03_duban_unfinished": "2017",
	} {
		t.Run(file, func(t *testing.T) {
			first, second := fresh(t), fresh(t)
			if code, r := imported(t, first, published+file+".csv", "--list", "2016-1"); code != 0 {
				t.Fatalf("in: %+v", r.Problems)
			}
			book := filepath.Join(t.TempDir(), "out.xlsx")
			must(t, "export", "ledger", "--db", first, "--out", book)
			if code, r := imported(t, second, book, "--list", "2016-1", "--year", year); code != 0 {
				t.Fatalf("in again: %+v", r.Problems)
			}
			want, got := takenOver(t, first), takenOver(t, second)
			if len(want) == 0 || len(got) != len(want) {
				t.Fatalf("%d items became %d", len(want), len(got))
			}
			for title, a := range want {
				b := got[title]
				if a.Category != b.Category || a.Target != b.Target || a.Measures != b.Measures || a.Deadline != b.Deadline || a.List != b.List ||
					!slices.Equal(a.Assisting, b.Assisting) || !slices.Equal(plans(a), plans(b)) {
					t.Errorf("%s:\n%+v\nbecame\n%+v", title, a, b)
				}
				for _, column := range slices.Sorted(maps.Keys(a.Extra)) {
					if text := a.Extra[column]; column != "序号" && column != "事项序号" && !slices.Contains(slices.Collect(maps.Values(b.Extra)), text) {
						t.Errorf("%s: %s %q is lost, there is %v", title, column, text, b.Extra)
					}
				}
			}
		})
	}
}

// TestExportByName: a file that is called CSV is CSV, whether or not a flag says so.
func TestExportByName(t *testing.T) {
	dsn := fresh(t)
	for name, args := range map[string][]string{"ledger.csv": nil, "LEDGER.CSV": nil, "ledger.txt": {"--csv"}} {
		out := filepath.Join(t.TempDir(), name)
		must(t, append([]string{"export", "ledger", "--db", dsn, "--out", out}, args...)...)
		b, err := os.ReadFile(out)
		if err != nil || len(b) == 0 || strings.HasPrefix(string(b), "PK") {
			t.Errorf("%s: %v, %.40q", name, err, b)
		}
	}
}
