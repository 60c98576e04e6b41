package plan_test

import (
	"maps"
	"testing"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// TestOfficesAreRankedAndMembersCounted looks at what the demo adds for the pages that compare: offices of one level
// with a rank each, members of whom some are short, and a branch without its 书记项目.
func TestOfficesAreRankedAndMembersCounted(t *testing.T) {
	ctx, op := t.Context(), engine.Operator()
	db := storagetest.Open(t, "sqlite")
	e, world := playAll(t, db, true)
	year := e.Now().Year()

	desk := score.NewDesk(e, db, e.Now, workflows.Sheets(), workflows.ParseSheet)
	today := calendar.DateOf(e.Now(), e.Site.Location)
	table, err := desk.Table(ctx, op, score.Question{From: today.AddDays(-100), To: today})
	if err != nil {
		t.Fatal(err)
	}
	ranks := map[string]int{}
	for _, code := range []string{"it", "xsc", "hq"} {
		u, ok := table.Unit(world.Units[code].ID)
		if !ok || u.Items != 3 || u.Of != 3 || u.Band.Name.ZH == "" {
			t.Errorf("%s is not ranked: %+v", code, u)
			continue
		}
		ranks[code] = u.Rank
	}
	if want := map[string]int{"xsc": 1, "it": 2, "hq": 3}; !maps.Equal(ranks, want) {
		t.Errorf("ranks %v, want %v", ranks, want)
	}

	rule := workflows.Tallies()[0]
	years, err := e.AllTallyYears(ctx, op, engine.TallyFilter{Tally: rule.ID, Year: year})
	if err != nil || len(years) != 6 {
		t.Fatalf("%d members, %v", len(years), err)
	}
	short, waiting := map[engine.UnitID]int{}, 0
	for _, y := range years {
		c := rule.Count(&y)
		waiting += c.Waiting
		if c.Short() {
			short[y.UnitID]++
		}
	}
	if short[world.Units["jsj-1"].ID] != 2 || short[world.Units["jsj-2"].ID] != 1 || waiting != 1 {
		t.Errorf("short by branch: %v; %d records wait", short, waiting)
	}

	rows, err := e.Year(ctx, op, "shuji", year, "")
	if err != nil || len(rows) != 2 || (rows[0].Project == nil) == (rows[1].Project == nil) {
		t.Errorf("书记项目 by branch: %+v, %v", rows, err)
	}
	report, err := db.Verify(ctx, storage.VerifyOptions{})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %v %v", err, report.Findings)
	}
}
