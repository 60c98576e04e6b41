package intake_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/intake"
	"bihuan/engine/ledger"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// letters leaves what a text says: no spaces and no punctuation, which lists of names are joined by.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) {
			return -1
		}
		return r
	}, s)
}

// TestNoCellOfAPublishedLedgerIsLost compares every cell of every published ledger with what is stored with the item
// of its row, in its state or in the entry of its import, or told in a note about that row. The files are read here by
// nothing of ours.
func TestNoCellOfAPublishedLedgerIsLost(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../ledger/testdata/*.csv")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, known := range []bool{false, true} { // no unit of the ledgers is in the tree, or every one is
		o := open(t, storagetest.Open(t, storage.SQLite))
		for n, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			table, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			top, err := o.e.AddUnit(t.Context(), engine.Operator(), "dw", fmt.Sprintf("top%d", n), fmt.Sprintf("第%d个单位", n))
			if err != nil {
				t.Fatal(err)
			}
			if known {
				o.addUnits(t, top, table)
			}
			l := intake.Ledger{File: filepath.Base(file), Data: data, Kind: "shishi", Unit: top, List: "2022-1"}
			shown, err := intake.Preview(t.Context(), o.e, o.supervisor, l)
			if err != nil {
				t.Fatal(err)
			}
			o.sameAsWorkbook(t, l, table, shown)
			r, err := intake.Take(t.Context(), o.e, o.supervisor, l, shown.Plan)
			if err != nil || len(r.Problems) > 0 {
				t.Fatalf("%s: %v, %+v", file, err, r.Problems)
			}
			o.everyCell(t, filepath.Base(file), table, r)
		}
	}
}

// addUnits makes a unit of every name in the columns of units.
func (o office) addUnits(t *testing.T, top engine.Unit, table [][]string) {
	t.Helper()
	seen := map[string]bool{}
	for c, header := range table[0] {
		if !strings.Contains(header, "单位") && !strings.Contains(header, "部门") && !strings.Contains(header, "组织") {
			continue
		}
		for _, row := range table[1:] {
			for _, name := range strings.FieldsFunc(row[c], func(r rune) bool { return strings.ContainsRune("、,，", r) }) {
				if seen[name] {
					continue
				}
				seen[name] = true
				if _, err := o.e.AddUnit(t.Context(), engine.Operator(), top.Code, fmt.Sprintf("%s-%d", top.Code, len(seen)), name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// sameAsWorkbook writes the table as XLSX and expects the same items of it.
func (o office) sameAsWorkbook(t *testing.T, l intake.Ledger, table [][]string, want *intake.Report) {
	t.Helper()
	f := excelize.NewFile()
	for i, row := range table {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	l.Data = b.Bytes()
	got, err := intake.Preview(t.Context(), o.e, o.supervisor, l)
	if err != nil || len(got.Items) != len(want.Items) {
		t.Fatalf("%s as XLSX: %d items, not %d, %v", l.File, len(got.Items), len(want.Items), err)
	}
	for i := range got.Items {
		a, b := got.Items[i], want.Items[i]
		if !reflect.DeepEqual(a.Draft, b.Draft) || !reflect.DeepEqual(a.Milestones, b.Milestones) || a.Unit.ID != b.Unit.ID || a.ImportRow.Number != b.ImportRow.Number {
			t.Errorf("%s as XLSX, row %d:\n%+v\nnot\n%+v", l.File, a.Row, a.ImportRow, b.ImportRow)
		}
	}
}

func (o office) everyCell(t *testing.T, file string, table [][]string, r *intake.Report) {
	t.Helper()
	stored := map[int]string{} // by row of the file, all that is kept of it
	exact := map[int]string{}  // likewise, with the quotes around every text
	for _, x := range r.Items {
		p, err := o.e.Project(t.Context(), o.supervisor, x.Project)
		if err != nil {
			t.Fatal(err)
		}
		page, err := o.e.Trail(t.Context(), o.supervisor, engine.EntryFilter{Subject: p.Subject()})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("%d entries, %v", len(page.Items), err)
		}
		u, err := o.e.Unit(t.Context(), string(p.UnitID))
		if err != nil {
			t.Fatal(err)
		}
		// Quoted texts are as JSON has them; the fold of the entries equals the state, so the entry alone is enough.
		all := letters(strings.NewReplacer(`\n`, "", `\"`, "", `\u003c`, "", `\u003e`, "", `\u0026`, "").Replace(string(page.Items[0].Data)) + string(p.State()) + u.Name)
		for _, row := range append([]int{x.Row}, x.Joined...) {
			stored[row], exact[row] = all, string(page.Items[0].Data)+`"`+u.Name+`"`
		}
	}
	for _, note := range r.Notes {
		stored[note.Row] += letters(note.Text)
	}
	for c, header := range table[0] {
		if r.Columns[c].Header != header {
			t.Errorf("%s: column %d is %q, not %q", file, c+1, r.Columns[c].Header, header)
		}
	}
	cells := 0
	for i, row := range table[1:] {
		for c, cell := range row {
			if cell == "" {
				continue
			}
			cells++
			// A figure stands in many a text; it must be there as a text of its own.
			if !strings.Contains(stored[i+2], letters(cell)) || len([]rune(cell)) <= 3 && !strings.Contains(exact[i+2], `"`+cell+`"`) {
				t.Errorf("%s: row %d, %s: %q is lost", file, i+2, table[0][c], cell)
			}
		}
	}
	t.Logf("%s: %d cells of %d items", file, cells, len(r.Items))
}

// TestAPlanIsKeptUnlessItsStepsSayAll: what a cell of milestones says beyond what becomes a milestone stays with the
// item, and so do the texts of two columns of one kind, under the first one's header.
func TestAPlanIsKeptUnlessItsStepsSayAll(t *testing.T) {
	t.Parallel()
	o := open(t, storagetest.Open(t, storage.SQLite))
	long := strings.Repeat("逐栋排查", 30)
	for plan, kept := range map[string]bool{"1.2026年10月8日前：招标；2.2026年10月20日前：完工": false, "由专班负责": true, "1.2026年10月8日前：招标；2.长期维护": true, "2026年10月8日前：" + long: true} {
		l := o.ledger("序号,实事项目,里程碑,工作举措,备注,说明\n1,改造照明," + plan + ",2026年11月1日前验收,甲,乙\n")
		l.Mapping = &ledger.Mapping{}
		for header, f := range map[string]ledger.Field{"序号": ledger.Number, "实事项目": ledger.Title, "里程碑": ledger.Plan, "工作举措": ledger.Measures, "备注": ledger.Remark, "说明": ledger.Remark} {
			l.Mapping.Columns = append(l.Mapping.Columns, ledger.MappedColumn{Header: header, Field: f})
		}
		r, err := intake.Preview(t.Context(), o.e, o.supervisor, l)
		if err != nil || len(r.Problems) > 0 || len(r.Items) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		d := r.Items[0].Draft
		if (d.Extra["里程碑"] == plan) != kept || len(r.Items[0].Steps) == 0 {
			t.Errorf("%s: kept %v, steps %+v", plan, d.Extra, r.Items[0].Steps)
		}
		if d.Extra["备注"] != "甲\n说明：乙" || d.Extra["说明"] != "" {
			t.Errorf("two columns of remarks: %v", d.Extra)
		}
	}
}

// TestFormulasGoInAsText: what looks like a formula in a CSV is text in an item.
func TestFormulasGoInAsText(t *testing.T) {
	t.Parallel()
	o := open(t, storagetest.Open(t, storage.SQLite))
	r, err := intake.Take(t.Context(), o.e, o.supervisor, o.ledger("序号,实事项目,备注\n1,=cmd|'/c calc'!A0,@SUM(1)\n"), audit.Digest{})
	if err != nil || len(r.Items) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if p, err := o.e.Project(t.Context(), o.supervisor, r.Items[0].Project); err != nil || p.Title != "=cmd|'/c calc'!A0" || p.Extra["备注"] != "@SUM(1)" {
		t.Errorf("%+v, %v", p, err)
	}
}
