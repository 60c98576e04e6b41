package ledger

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// strange is a workbook that nothing recognises: a sheet of words before it, three rows over the head.
func strange(t *testing.T, month string) []byte {
	t.Helper()
	f := excelize.NewFile()
	must(t, f.SetSheetName("Sheet1", "怎么填"))
	if _, err := f.NewSheet("干活"); err != nil {
		t.Fatal(err)
	}
	for at, text := range map[string]string{"A1": "请各处按月填报", "A2": "不要改表头"} {
		must(t, f.SetCellStr("怎么填", at, text))
	}
	rows := [][]any{
		{"某学院办事一览"}, {"（" + month + "）"}, {"单位：党政办"},
		{"#", "要办啥", "谁牵头", "到哪天", "咋弄的", "帮手甲", "帮手乙", month + "弄到哪了", "内部编码"},
		{1, "修东门", "后勤处", "12月底前", "换两扇门", "保卫处", "基建处", "在量尺寸", "X-1"},
		{2, "补路灯", "后勤处", "2031-06-30", "加六盏", "", "学工部", "", "X-2"},
		{3, "清雨沟", "", "", "", "保卫处", "", "完了", ""},
	}
	for i, row := range rows {
		at, err := excelize.CoordinatesToCellName(1, i+1)
		must(t, err)
		must(t, f.SetSheetRow("干活", at, &row))
	}
	var b bytes.Buffer
	must(t, f.Write(&b))
	return b.Bytes()
}

// told is what a person says about it.
func told() *Mapping {
	return &Mapping{Sheet: "干活", Head: 4, Columns: []MappedColumn{
		{Header: "#", Field: Number}, {Header: "要办啥", Field: Title}, {Header: "谁牵头", Field: Unit}, {Header: "到哪天", Field: Due},
		{Header: "咋弄的", Field: Measures}, {Header: "帮手甲", Field: Assisting}, {Header: "帮手乙", Field: Assisting},
		{Header: "6月弄到哪了", Field: Progress}, {Header: "内部编码", Field: Ignore},
	}}
}

func TestMapsAnUnfamiliarLedger(t *testing.T) {
	data := strange(t, "6月")
	var bad *Error
	if _, err := Read("x.xlsx", data, Options{}); !errors.As(err, &bad) || bad.Key != KeyNoHeader {
		t.Fatalf("without a mapping: %v", err)
	}
	r, err := Recognise("x.xlsx", data, Options{})
	must(t, err)
	if r.Certain || r.Sheet != "干活" || r.Head != 4 || len(r.Columns) != 9 || !slices.Equal(r.Sheets, []string{"怎么填", "干活"}) {
		t.Fatalf("recognised %+v", r)
	}
	if c := r.Columns[1]; c.Field != Keep || c.Why != WhyUnknown || c.Why.Sure() || !slices.Equal(r.Samples[1], []string{"修东门", "补路灯", "清雨沟"}) || r.Filled[3] != 2 {
		t.Errorf("the second column is %+v with %q", c, r.Samples[1])
	}
	if row := r.Rows[3]; row.Number != 4 || !strings.Contains(row.Text, "要办啥") {
		t.Errorf("the fourth row is shown as %+v", row)
	}
	l, err := Read("x.xlsx", data, Options{Mapping: told(), Year: 2030})
	must(t, err)
	first, third := l.Rows[0], l.Rows[2]
	if len(l.Rows) != 3 || first.Number != 5 || first.Cells[Title] != "修东门" || first.Deadline.Date.String() != "2030-12-31" ||
		first.Cells[Assisting] != "保卫处、基建处" || l.Rows[1].Cells[Assisting] != "学工部" || first.Cells[Progress] != "在量尺寸" || third.Cells[Number] != "3" {
		t.Errorf("read %+v", l.Rows)
	}
	if len(first.Other) != 0 {
		t.Errorf("the ignored column is kept: %v", first.Other)
	}
	for _, want := range []string{"4 内部编码 ignored_column", "0 other_sheets"} {
		if !slices.Contains(keys(l.Notes), want) {
			t.Errorf("the report says %q, and not %s", keys(l.Notes), want)
		}
	}
	for _, n := range l.Notes {
		if n.Key == KeyIgnoredColumn && (n.Args["count"] != 2 || n.Text != "X-1") {
			t.Errorf("of the ignored column it says %v, %q", n.Args, n.Text)
		}
	}
}

// What a person said about one month's ledger holds for the next month's: the figures in the head are others.
func TestRemembersAShape(t *testing.T) {
	l, err := Read("6月.xlsx", strange(t, "6月"), Options{Mapping: told()})
	must(t, err)
	bare := (&Mapping{Columns: mappedOf(l)}).Bare()
	asked := 0
	o := Options{Year: 2030, Known: func(shape string) *Mapping {
		asked++
		if shape == l.Shape {
			return bare
		}
		return nil
	}}
	next := strange(t, "7月")
	r, err := Recognise("7月.xlsx", next, o)
	must(t, err)
	if !r.Remembered || !r.Certain || r.Sheet != "干活" || r.Head != 4 || asked == 0 {
		t.Fatalf("recognised %+v after %d questions", r, asked)
	}
	for i, c := range r.Columns {
		if c.Field != bare.Columns[i].Field || c.Why != WhyRemembered {
			t.Errorf("column %s is %s, %s", c.Header, c.Field, c.Why)
		}
	}
	again, err := Read("7月.xlsx", next, o)
	must(t, err)
	if !again.Remembered || again.Rows[0].Cells[Progress] != "在量尺寸" || len(again.Rows) != 3 {
		t.Errorf("read %+v", again.Rows)
	}
}

func mappedOf(l *Ledger) []MappedColumn {
	var out []MappedColumn
	for _, c := range l.Columns {
		out = append(out, MappedColumn{Index: c.Index, Header: c.Header, Field: c.Means()})
	}
	return out
}

func TestRefusesAMapping(t *testing.T) {
	data := strange(t, "6月")
	with := func(change func(m *Mapping)) *Mapping {
		m := told()
		change(m)
		return m
	}
	for _, tt := range []struct {
		name, key string
		column    int
		m         *Mapping
	}{
		{"an unknown field", KeyUnknownField, 4, with(func(m *Mapping) { m.Columns[3].Field = "colour" })},
		{"no field at all", KeyUnknownField, 4, with(func(m *Mapping) { m.Columns[3].Field = "" })},
		{"two titles", KeyFieldTwice, 5, with(func(m *Mapping) { m.Columns[4].Field = Title })},
		{"two deadlines", KeyFieldTwice, 5, with(func(m *Mapping) { m.Columns[4].Field = Due })},
		{"no title", KeyTitleMissing, 0, with(func(m *Mapping) { m.Columns[1].Field = Keep })},
		{"a column that is not there", KeyNoSuchColumn, 0, with(func(m *Mapping) { m.Columns[8].Header = "外部编码" })},
		{"a position that is not there", KeyNoSuchColumn, 0, with(func(m *Mapping) { m.Columns[8] = MappedColumn{Index: 30, Field: Keep} })},
		{"a head without a text", KeyNoHeadRow, 0, with(func(m *Mapping) { m.Head = 40 })},
		{"a sheet that is not there", KeyNoSheet, 0, with(func(m *Mapping) { m.Sheet = "别的" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var bad *Error
			if _, err := Read("", data, Options{Mapping: tt.m}); !errors.As(err, &bad) || bad.Key != tt.key || bad.Column != tt.column {
				t.Errorf("Read: %v, column %d", err, bad.Column)
			}
			if _, err := Recognise("", data, Options{Mapping: tt.m}); !errors.As(err, &bad) || bad.Key != tt.key {
				t.Errorf("Recognise: %v", err)
			}
		})
	}
	// Where neither sheet nor row are named, the columns tell them; a column that was not spoken of is kept.
	l, err := Read("", data, Options{Mapping: with(func(m *Mapping) { m.Sheet, m.Head, m.Columns = "", 0, m.Columns[:7] })})
	must(t, err)
	if l.Sheet != "干活" || l.Head != 4 || l.Rows[0].Other["内部编码"] != "X-1" || !slices.Contains(keys(l.Notes), "4 内部编码 unmapped_column") {
		t.Errorf("read %s from row %d: %+v, %q", l.Sheet, l.Head, l.Rows[0], keys(l.Notes))
	}
}

func TestJoinsColumnsOfOneField(t *testing.T) {
	l := read(t, "", "事,甲措施,乙措施\n修路,铺砂,压实\n架桥,,打桩\n清沟,,\n", Options{Mapping: &Mapping{Columns: []MappedColumn{
		{Header: "事", Field: Title}, {Header: "甲措施", Field: Measures}, {Header: "乙措施", Field: Measures}}}})
	want := []string{"铺砂\n乙措施：压实", "乙措施：打桩", ""}
	for i, w := range want {
		if got := l.Rows[i].Cells[Measures]; got != w {
			t.Errorf("row %d: %q, want %q", i, got, w)
		}
	}
}

// Whatever is recognised can be given back as a mapping, and then everything is read as before.
func TestRecognisedIsWhatIsRead(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*"))
	must(t, err)
	tried := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		want, err := Read(file, data, Options{Year: 2022})
		if err != nil {
			continue
		}
		tried++
		r, err := Recognise(file, data, Options{Year: 2022})
		must(t, err)
		if !r.Certain || r.Shape != want.Shape || r.Head != want.Head {
			t.Errorf("%s: recognised in row %d as %s, read in %d as %s", file, r.Head, r.Shape, want.Head, want.Shape)
		}
		got, err := Read(file, data, Options{Year: 2022, Mapping: &r.Mapping})
		must(t, err)
		if fieldsOf(got) != fieldsOf(want) || !reflect.DeepEqual(got.Rows, want.Rows) || !reflect.DeepEqual(got.Problems, want.Problems) {
			t.Errorf("%s is read as something else by what was recognised", file)
		}
	}
	if tried < 3 {
		t.Errorf("only %d ledgers were tried", tried)
	}
}

func TestAsksForTheYear(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		year       int
		needs      bool
	}{
		{"a bare month", "事项,完成时限\n修路,12月底前\n", 0, true},
		{"told", "事项,完成时限\n修路,12月底前\n", 2031, false},
		{"dates", "事项,完成时限\n修路,2031-06-30\n架桥,2031年底前\n", 0, false},
		{"none", "事项,备注\n修路,急\n", 0, false},
		{"in the title", "2031年度台账,\n事项,完成时限\n修路,12月底前\n", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Recognise("", []byte(tt.text), Options{Year: tt.year, Today: mustDate(t, "2031-03-01")})
			must(t, err)
			if r.NeedsYear != tt.needs {
				t.Errorf("needs a year: %v", r.NeedsYear)
			}
		})
	}
}
