package intake_test

import (
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/intake"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// A ledger of a yearly kind fills the year that it is of, not the one in which somebody hands it in.
func TestAYearlyKindGoesIntoTheYearOfItsLedger(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := open(t, db)
		source, _ := workflows.Source("shuji")
		if _, err := o.e.Publish(t.Context(), engine.Operator(), source); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name, text string
			years      []int // of the items, in the order of the rows; today is in 2026
			problem    string
		}{
			{"nothing tells it", "序号,项目名称,责任单位,完成时限\n1,长期的,后勤处,\n", []int{2026}, ""},
			{"all dates are of the next year", "序号,项目名称,责任单位,完成时限\n2,明年的,后勤处,2027-03-31\n", []int{2027}, ""},
			{"nothing tells it, and it is known", "序号,项目名称,责任单位,完成时限\n1,长期的,后勤处,\n", []int{2026}, ""},
			{"the title tells it", "后勤处2025年书记项目台账\n序号,项目名称,责任单位,完成时限\n1,修旧电脑,后勤处,11月底前\n", []int{2025}, ""},
			{"once more", "后勤处2025年书记项目台账\n序号,项目名称,责任单位,完成时限\n2,换新电脑,后勤处,12月底前\n", nil, "year.taken"},
			{"another year beside it", "后勤处2024年书记项目台账\n序号,项目名称,责任单位,完成时限\n1,修旧电脑,后勤处,2025年1月\n", []int{2024}, ""},
			{"a column tells it", "序号,年度,项目名称,责任单位,完成时限\n1,2022年,送课下乡,后勤处,\n2,2023年,送课下乡,后勤处,\n", []int{2022, 2023}, ""},
			{"only the deadline tells it", "序号,项目名称,责任单位,完成时限\n1,结对助学,后勤处,2021-11-30\n", []int{2021}, ""},
			{"two of one year in a file", "序号,项目名称,责任单位,完成时限\n1,甲,党委,2021-11-30\n2,乙,党委,2021-10-30\n", nil, "import.same_year"},
			{"a past year", "党委2024年书记项目台账\n序号,项目名称,责任单位,完成时限\n1,送温暖,党委,11月底前\n", []int{2024}, ""},
			{"the one after it, though that was missed", "党委2025年书记项目台账\n序号,项目名称,责任单位,完成时限\n1,送清凉,党委,11月底前\n", []int{2025}, ""},
			{"this year", "党委2026年书记项目台账\n序号,项目名称,责任单位,完成时限\n1,送岗位,党委,11月底前\n", nil, "year.statement_owed"},
		} {
			r, err := intake.Take(t.Context(), o.e, engine.Operator(), intake.Ledger{File: "台账.csv", Kind: "shuji", Unit: o.root, Data: []byte(c.text)}, audit.Digest{})
			if _, sweepErr := o.e.Sweep(t.Context()); sweepErr != nil {
				t.Fatal(sweepErr)
			}
			switch {
			case err != nil:
				t.Fatalf("%s: %v", c.name, err)
			case c.problem != "":
				if len(r.Problems) != 1 || r.Problems[0].Key != c.problem {
					t.Errorf("%s: %+v", c.name, r.Problems)
				}
				continue
			case len(r.Problems) > 0:
				t.Errorf("%s: %+v", c.name, r.Problems)
				continue
			}
			for i, want := range c.years {
				p, err := o.e.Project(t.Context(), engine.Operator(), r.Items[i].Project)
				if err != nil || p.Year != want {
					t.Errorf("%s: row %d is of %d, want %d (%v)", c.name, i+1, p.Year, want, err)
				}
			}
		}
	})
}
