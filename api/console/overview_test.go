package console

import (
	"html"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bihuan/engine"
)

// numbered finds the links of a page that stand for a number of rows.
var numbered = regexp.MustCompile(`<a [^>]*href="([^"]+)" data-n="(\d+)"`)

// TestOverviewNumbersLeadToTheirRows follows every number of the overview, of everything and of each kind, as people
// with different scopes, and counts the rows behind it.
func TestOverviewNumbersLeadToTheirRows(t *testing.T) {
	w := readWorld(t)
	followed, nonzero := 0, 0
	for _, who := range []string{"zhang", "zhou"} {
		for _, path := range []string{"/overview", "/overview?kind=shishi", "/overview?kind=shuji"} {
			a := w.ask(t, who, path, nil)
			checkPage(t, path, a)
			rows := map[string]int{}
			for _, m := range numbered.FindAllStringSubmatch(a.body, -1) {
				to := html.UnescapeString(m[1])
				n, seen := rows[to]
				if !seen {
					page := w.ask(t, who, to+"&rows=200", nil)
					if page.Code != http.StatusOK {
						t.Fatalf("%s: %s answers %d", path, to, page.Code)
					}
					n = len(titles(page.body))
					rows[to] = n
				}
				if strconv.Itoa(n) != m[2] {
					t.Errorf("%s, %s: it says %s, %s shows %d rows", who, path, m[2], to, n)
				}
				if followed++; n > 0 {
					nonzero++
				}
			}
		}
	}
	if followed < 100 || nonzero < 30 {
		t.Errorf("only %d numbers were followed, %d of them not zero", followed, nonzero)
	}
}

// TestOverviewSaysItInWords looks for what the charts show in the text beside them.
func TestOverviewSaysItInWords(t *testing.T) {
	w := readWorld(t)
	a := w.ask(t, "zhang", "/overview", nil)
	for _, s := range []string{"现在在办", "双月清单 2025-5", "按期率", "近 9 周", "查看数据表", "不足 3 项的单位只列数"} {
		if !strings.Contains(a.body, s) {
			t.Errorf("the overview does not say %q", s)
		}
	}
	if n := strings.Count(a.body, `role="img" aria-label="`); n < 2 {
		t.Errorf("%d charts, want two with a label", n)
	}
	if unknown := w.ask(t, "zhang", "/overview?kind=nothing", nil); unknown.Code != http.StatusNotFound {
		t.Errorf("a kind that there is not answers %d", unknown.Code)
	}
}

// TestRanking ranks made-up units: those with few items or nothing settled are listed, not ranked.
func TestRanking(t *testing.T) {
	w := readWorld(t)
	c := w.console
	v := &visit{ctx: t.Context(), lang: "zh-CN", info: w.info}
	o := &overviewer{Console: c, v: v}
	unit := func(id string, total, closed, onTime, late, cancelled int) engine.UnitCount {
		return engine.UnitCount{UnitID: engine.UnitID(id), Total: total, Closed: closed, OnTime: onTime, Late: late, Cancelled: cancelled}
	}
	o.all.ByUnit = []engine.UnitCount{unit("two", 2, 2, 2, 0, 0), unit("half", 8, 3, 2, 1, 0), unit("all", 4, 4, 4, 0, 0), unit("half too", 5, 2, 1, 0, 1),
		unit("begun", 9, 0, 0, 0, 0), unit("gone", 3, 0, 0, 0, 3), unit("none", 4, 0, 0, 4, 0), unit("two kept", 4, 1, 1, 0, 2)}
	var view overviewView
	o.units(&view)
	var got []string
	for _, u := range view.Units {
		id, _, _ := strings.Cut(strings.SplitAfter(u.All.Href, "unit=")[1], "&")
		got = append(got, id+" "+strconv.Itoa(u.Rank)+" "+u.Rate)
	}
	want := "all 1 100.0%, half 2 50.0%, half+too 2 50.0%, none 4 0.0%, begun 0 —, two 0 100.0%, two+kept 0 100.0%"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("ranked\n%s, want\n%s", s, want)
	}
}

func TestChartScale(t *testing.T) {
	for highest, step := range map[int]int{0: 1, 1: 1, 4: 1, 5: 2, 8: 2, 9: 5, 20: 5, 21: 10, 41: 20, 1999: 500, 2001: 1000} {
		c, y := newChart("", highest)
		if got := c.Grid[1].N; got != step {
			t.Errorf("up to %d the lines are %d apart, want %d", highest, got, step)
		}
		if y(0) != chartBottom || y(4*step) != chartTop || y(highest) < chartTop {
			t.Errorf("up to %d: 0 lies at %d, the top at %d, the highest at %d", highest, y(0), y(4*step), y(highest))
		}
	}
}
