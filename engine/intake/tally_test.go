package intake_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/intake"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// Hours that a spreadsheet keeps as times are hours, and what of the file is not read, or not seen by who looks at it,
// is said.
func TestHoursOutOfAWorkbook(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := open(t, db)
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(o.e.EnableTally(ctx, engine.Operator(), workflows.Tallies()[0]))
		book := excelize.NewFile()
		_, err := book.NewSheet("下半年")
		must(err)
		day, err := book.NewStyle(&excelize.Style{NumFmt: 14})
		must(err)
		clock, err := book.NewStyle(&excelize.Style{NumFmt: 20})
		must(err)
		elapsed, err := book.NewStyle(&excelize.Style{NumFmt: 46})
		must(err)
		for i, row := range [][]any{
			{"工号", "支部", "类别", "日期", "时长"},
			{"chen", "hq", "授课", time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), 0.25},
			{"chen", "hq", "义务劳动", time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC), 0.0625},
			{"chen", "hq", "志愿服务", time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC), 1},
			{"chen", "hq", "宿舍结对", time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC), 0.25},
		} {
			cell, err := excelize.CoordinatesToCellName(1, i+1)
			must(err)
			must(book.SetSheetRow("Sheet1", cell, &row))
			must(book.SetSheetRow("下半年", cell, &row))
		}
		must(book.SetCellStyle("Sheet1", "D2", "D5", day))
		must(book.SetCellStyle("Sheet1", "E2", "E3", clock))
		must(book.SetCellStyle("Sheet1", "E4", "E4", elapsed))
		must(book.SetRowVisible("Sheet1", 3, false))
		var file bytes.Buffer
		must(book.Write(&file))
		r, err := intake.TakeHours(ctx, o.e, engine.Operator(), "sigeyi", 2026, "时长.xlsx", file.Bytes(), false)
		must(err)
		if len(r.Problems) > 0 {
			t.Fatalf("%+v", r.Problems)
		}
		years, err := o.e.AllTallyYears(ctx, engine.Operator(), engine.TallyFilter{Year: 2026})
		must(err)
		var minutes []int
		for _, id := range []string{"r1", "r2", "r3", "r4"} {
			minutes = append(minutes, years[0].Records[id].Minutes)
		}
		if want := []int{6 * 60, 90, 24 * 60, 15}; !slices.Equal(minutes, want) { // the last is a number: a quarter of an hour
			t.Errorf("6:00, 1:30, 24:00:00 and 0.25 are %v minutes, want %v", minutes, want)
		}
		var notes []string
		for _, n := range r.Notes {
			notes = append(notes, n.Key)
		}
		if want := []string{"ledger.hidden_rows", "ledger.other_sheets"}; !slices.Equal(notes, want) {
			t.Errorf("notes %v, want %v", notes, want)
		}
	})
}
