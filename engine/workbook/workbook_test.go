package workbook

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"bihuan/engine/calendar"
)

// read opens what a book wrote.
func read(t *testing.T, write func(w io.Writer) error) (*excelize.File, []byte) {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, out.Bytes()
}

// part is a part of a workbook's package.
func part(t *testing.T, data []byte, name string) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var day = calendar.NewDate(2026, 6, 30)

func TestBook(t *testing.T) {
	b, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	table, err := b.Sheet(Sheet{Name: "台账", Title: "某大学2026年实事项目台账", Lines: []string{"单位：党委办公室"}, Paper: A3, Footer: "第 &P 页，共 &N 页",
		Columns: []Column{{Head: "序号", Width: 6, Center: true}, {Head: "事项名称", Width: 40}, {Group: "时限", Head: "原定"}, {Group: "时限", Head: "现行"}, {Head: "完成"}, {Head: "满意"}}})
	if err != nil {
		t.Fatal(err)
	}
	formula := "=1+1"
	if err := table.Row(1, formula, day, calendar.Date{}, Percent(45), Share(0.949)); err != nil {
		t.Fatal(err)
	}
	if err := table.Row(2, "二"); err != nil {
		t.Fatal(err)
	}
	other, err := b.Sheet(Sheet{Name: "另一张", Columns: Columns("甲", "乙")})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Row("a", 1.5); err != nil {
		t.Fatal(err)
	}
	f, raw := read(t, func(w io.Writer) error { _, err := b.WriteTo(w); return err })

	rows, err := f.GetRows("台账")
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"某大学2026年实事项目台账"}, {"单位：党委办公室"}, {"序号", "事项名称", "时限", "", "完成", "满意"}, {"", "", "原定", "现行"},
		{"1", formula, "2026-06-30", "", "45%", "94.9%"}, {"2", "二"}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if rows, err := f.GetRows("另一张"); err != nil || !cmp.Equal(rows, [][]string{{"甲", "乙"}, {"a", "1.5"}}) {
		t.Errorf("the other sheet holds %v, %v", rows, err)
	}
	merges := map[string]bool{}
	cells, err := f.GetMergeCells("台账")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range cells {
		merges[m.GetStartAxis()+":"+m.GetEndAxis()] = true
	}
	if diff := cmp.Diff(map[string]bool{"A1:F1": true, "A2:F2": true, "A3:A4": true, "B3:B4": true, "C3:D3": true, "E3:E4": true, "F3:F4": true}, merges); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	for at, kind := range map[string]excelize.CellType{"A5": excelize.CellTypeUnset, "B5": excelize.CellTypeInlineString, "C5": excelize.CellTypeUnset, "E5": excelize.CellTypeUnset} {
		if got, err := f.GetCellType("台账", at); err != nil || got != kind {
			t.Errorf("%s is of type %d (%v), want %d", at, got, err, kind)
		}
	}
	if got, err := f.GetCellFormula("台账", "B5"); err != nil || got != "" {
		t.Errorf("what looks like a formula is one: %q, %v", got, err)
	}
	layout, err := f.GetPageLayout("台账")
	if err != nil || *layout.Orientation != "landscape" || *layout.Size != int(A3) || *layout.FitToWidth != 1 || *layout.FitToHeight != 0 {
		t.Errorf("the page is laid out as %+v, %v", layout, err)
	}
	foot, err := f.GetHeaderFooter("台账")
	if err != nil || foot.OddFooter != "&C第 &P 页，共 &N 页" {
		t.Errorf("the footer is %+v, %v", foot, err)
	}
	titles := map[string]string{}
	for _, n := range f.GetDefinedName() {
		titles[n.Scope] = n.Name + " " + n.RefersTo
	}
	if diff := cmp.Diff(map[string]string{"台账": "_xlnm.Print_Titles '台账'!$3:$4", "另一张": "_xlnm.Print_Titles '另一张'!$1:$1"}, titles); diff != "" {
		t.Errorf("repeated rows (-want +got):\n%s", diff)
	}
	xml := part(t, raw, "xl/worksheets/sheet1.xml")
	if !strings.Contains(xml, `fitToPage="true"`) || strings.Contains(xml, "<dimension") || !strings.Contains(xml, `ySplit="4"`) {
		t.Errorf("the sheet is set up as %s", xml)
	}
	if _, widths, ok := strings.Cut(xml, `<cols><col min="1" max="1" width="6"`); !ok || !strings.HasPrefix(widths, ` customWidth="1"/><col min="2" max="2" width="40"`) {
		t.Errorf("widths are not in the columns' order: %s", xml)
	}
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	w, err := NewCSV(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "'-1", "'好'", "教务处", "", "1=1"} {
		if err := w.Row(s, day, Percent(5), Share(1), -3, 0.5, nil, calendar.Date{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	const rest = ",2026-06-30,5%,100.0%,-3,0.5,,\r\n"
	want := "\ufeff'=1+1" + rest + "'+1" + rest + "'-1" + rest + "'@x" + rest + "'\tx" + rest + "\"'x\"" + rest + "'＝1" + rest + "''-1" + rest + "'好'" + rest + "教务处" + rest + rest + "1=1" + rest
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
