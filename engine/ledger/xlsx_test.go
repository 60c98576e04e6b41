package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// book makes a workbook; build fills its sheet Sheet1.
func book(t *testing.T, build func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	build(f)
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fillRows(t *testing.T, f *excelize.File, rows ...[]any) {
	t.Helper()
	for i, r := range rows {
		must(t, f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &r))
	}
}

func TestReadWorkbook(t *testing.T) {
	data := book(t, func(f *excelize.File) {
		fillRows(
			t, f,
			[]any{"2022年民生实事台账"},
			[]any{"序号", "实事项目", "责任单位", "进展情况", nil, "完成时限"},
			[]any{nil, nil, nil, "上半年", "下半年", nil},
			[]any{1, "改造食堂", "后勤处", "完成", 0.5, "6月底前"},
			[]any{nil, "改造澡堂", nil, nil, nil, "9月底前"},
			nil,
			[]any{2, "新建车棚", "基建处", nil, nil, "长期坚持"},
			[]any{"合计", 2},
		)
		for _, m := range [][2]string{{"A1", "F1"}, {"A2", "A3"}, {"B2", "B3"}, {"C2", "C3"}, {"D2", "E2"}, {"F2", "F3"}, {"A4", "A5"}, {"C4", "C5"}} {
			must(t, f.MergeCell("Sheet1", m[0], m[1]))
		}
	})
	l := read(t, "x.csv", string(data), Options{})
	if l.Title != "2022年民生实事台账" || l.Sheet != "Sheet1" || l.Year != 2022 {
		t.Errorf("title %q, sheet %q, year %d", l.Title, l.Sheet, l.Year)
	}
	if got, want := fieldsOf(l), "序号=number 实事项目=title 责任单位=unit 进展情况/上半年=progress 进展情况/下半年= 完成时限=deadline"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := deadlinesOf(l), []string{"4 2022-06-30 month-end", "5 2022-09-30 month-end"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if r := l.Rows[1]; r.Cells[Unit] != "后勤处" || r.Cells[Number] != "1" {
		t.Errorf("merged cells: %+v", r)
	}
	if got, want := keys(l.Problems), []string{"7 完成时限 deadline_unreadable"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want := []string{"0 year_from_title", "2 进展情况/下半年 duplicate_column", "5 序号 filled_down", "5 责任单位 filled_down", "8 skipped_row"}
	if got := keys(l.Notes); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDateCells(t *testing.T) {
	style := func(f *excelize.File, s *excelize.Style) int {
		id, err := f.NewStyle(s)
		must(t, err)
		return id
	}
	code := func(s string) *excelize.Style { return &excelize.Style{CustomNumFmt: &s} }
	tests := []struct {
		name     string
		value    any
		style    *excelize.Style
		date1904 bool
		date     string
		rule     string
		problem  string
	}{
		{"built-in date", 44742, &excelize.Style{NumFmt: 14}, false, "2022-06-30", "excel-date", ""},
		{"Chinese long date", 44742, &excelize.Style{NumFmt: 31}, false, "2022-06-30", "excel-date", ""},
		{"custom date", 44742, code(`yyyy"年"m"月"d"日";@`), false, "2022-06-30", "excel-date", ""},
		{"locale prefix", 44742, code(`[$-804]yyyy/m/d`), false, "2022-06-30", "excel-date", ""},
		{"date with time", 44742.729, code(`yyyy-mm-dd hh:mm`), false, "2022-06-30", "excel-date", ""},
		{"month and day shown", 44742, code(`m"月"d"日"`), false, "2022-06-30", "excel-date", ""},
		{"only the month shown, first of June stored", 44713, code(`yyyy"年"m"月"`), false, "2022-06-30", "month", ""},
		{"Chinese built-in month", 44713, &excelize.Style{NumFmt: 57}, false, "2022-06-30", "month", ""},
		{"only the year shown", 44713, code(`yyyy`), false, "2022-12-31", "year", ""},
		{"base 1904", 44742 - 1462, &excelize.Style{NumFmt: 14}, true, "2022-06-30", "excel-date", ""},
		{"text in a date cell", "9月底前", &excelize.Style{NumFmt: 14}, false, "2016-09-30", "month-end", ""},
		{"plain number", 44742, nil, false, "", "", KeyDeadlineNumber},
		{"number format", 44742, &excelize.Style{NumFmt: 3}, false, "", "", KeyDeadlineNumber},
		{"duration", 44742, code(`[h]:mm`), false, "", "", KeyDeadlineNumber},
		{"time of day", 0.5, code(`h:mm`), false, "", "", KeyDeadlineUnreadable},
		{"number 2022.6", 2022.6, nil, false, "2022-06-30", "year-month", ""},
		{"number 2022.11", 2022.11, nil, false, "2022-11-30", "year-month", ""},
		{"number 2022.10 has lost its zero", 2022.10, nil, false, "", "", KeyDeadlineAmbiguous},
		{"text 2022.1", "2022.1", nil, false, "2022-01-31", "year-month", ""},
		{"number 20220630", 20220630, nil, false, "2022-06-30", "date", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := book(t, func(f *excelize.File) {
				fillRows(t, f, []any{"序号", "事项", "完成时限"}, []any{1, "甲", tt.value})
				if tt.style != nil {
					must(t, f.SetCellStyle("Sheet1", "C2", "C2", style(f, tt.style)))
				}
				must(t, f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &tt.date1904}))
			})
			l := read(t, "2016.xlsx", string(data), Options{})
			d := l.Rows[0].Deadline
			if d.Date != mustDate(t, tt.date) || d.Rule != tt.rule {
				t.Errorf("got %s %q, want %s %q; text %q", d.Date, d.Rule, tt.date, tt.rule, l.Rows[0].Cells[Due])
			}
			if got := len(l.Problems) > 0 && l.Problems[0].Key == tt.problem; got != (tt.problem != "") {
				t.Errorf("problems %q, want %q", keys(l.Problems), tt.problem)
			}
		})
	}
}

func TestFormatFlags(t *testing.T) {
	tests := []struct {
		code string
		want uint8
	}{
		{"General", 0}, {"@", 0}, {"0.00", 0}, {"#,##0", 0}, {"0.00E+00", 0}, {"h:mm:ss", flagClock}, {"mm:ss", 0}, {"[mm]:ss", 0}, {"[h]:mm", flagClock}, {`h"小时"`, flagClock},
		{"0%", flagPercent}, {"0.0%;[Red]-0.0%", flagPercent}, {"yyyy-mm-dd", flagDay}, {`d"日"`, flagDay}, {"mmm-yy", flagMonth},
		{`yyyy\-mm`, flagMonth}, {`[DBNum1][$-804]yyyy"年"m"月"`, flagMonth}, {`m"月"`, flagMonth}, {`yyyy"年"`, flagYear}, {`0"d"`, 0},
		{`"open`, 0}, {`\`, 0}, {"", 0},
	}
	for _, tt := range tests {
		if got := formatFlags(tt.code); got != tt.want {
			t.Errorf("%s: got %b, want %b", tt.code, got, tt.want)
		}
	}
}

func TestFormulasAreNeverEvaluated(t *testing.T) {
	data := book(t, func(f *excelize.File) {
		fillRows(t, f, []any{"序号", "事项", "责任单位", "完成时限"}, []any{1, "甲", "一处", "6月底"}, []any{2, "乙", "二处", "9月底"}, []any{3, "丙", "三处"})
		for _, c := range []string{"A2", "A3", "D4"} {
			must(t, f.SetCellFormula("Sheet1", c, "1+1"))
		}
	})
	l := read(t, "", string(data), Options{Year: 2022})
	var numbers []string
	for _, r := range l.Rows {
		numbers = append(numbers, r.Cells[Number])
	}
	if want := []string{"1", "2", "3"}; !slices.Equal(numbers, want) {
		t.Errorf("got %q, want the cached %q", numbers, want)
	}
	if got, want := keys(l.Notes), []string{"2 序号 formula_cached"}; !slices.Equal(got, want) || l.Notes[0].Args["count"] != 2 {
		t.Errorf("notes %q, want %q; %v", got, want, l.Notes)
	}
	if got, want := keys(l.Problems), []string{"4 完成时限 formula_without_text"}; !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

func TestShownNumbers(t *testing.T) {
	data := book(t, func(f *excelize.File) {
		fillRows(t, f, []any{"序号", "事项", "进度", "监督电话"}, []any{1, "甲", 0.57, 13800001111})
		id, err := f.NewStyle(&excelize.Style{NumFmt: 9})
		must(t, err)
		must(t, f.SetCellStyle("Sheet1", "C2", "C2", id))
	})
	r := read(t, "", string(data), Options{Year: 2022}).Rows[0]
	if r.Cells[Number] != "1" || r.Cells[Progress] != "57%" || r.Cells[Phone] != "13800001111" {
		t.Errorf("got %+v", r.Cells)
	}
	if got := fifteen(2022.5999999999999); got != "2022.6" {
		t.Errorf("got %s", got)
	}
}

func TestErrorCells(t *testing.T) {
	data := rezip(t, book(t, func(f *excelize.File) {
		fillRows(t, f, []any{"序号", "事项", "责任单位"}, []any{1, "甲", 7})
	}), func(name, text string) string {
		return strings.Replace(text, `<c r="C2"><v>7</v></c>`, `<c r="C2" t="e"><v>#REF!</v></c>`, 1)
	})
	l := read(t, "", string(data), Options{Year: 2022})
	if got, want := keys(l.Problems), []string{"2 责任单位 formula_error"}; !slices.Equal(got, want) || l.Rows[0].Cells[Unit] != "" {
		t.Errorf("got %q, %+v", got, l.Rows[0])
	}
}

func TestChoiceOfSheet(t *testing.T) {
	data := book(t, func(f *excelize.File) {
		fillRows(t, f, []any{"填表说明"}, []any{"请逐项填写"})
		for _, name := range []string{"隐藏", "台账", "另一张"} {
			_, err := f.NewSheet(name)
			must(t, err)
			must(t, f.SetSheetRow(name, "A1", &[]any{"序号", "事项"}))
			must(t, f.SetSheetRow(name, "A2", &[]any{1, name}))
		}
		must(t, f.SetSheetVisible("隐藏", false))
		must(t, f.SetRowVisible("台账", 2, false))
	})
	tests := []struct{ sheet, title, notes string }{
		{"", "台账", "0 hidden_rows 0 other_sheets 1 no_deadline"},
		{"隐藏", "隐藏", "1 no_deadline"},
		{"另一张", "另一张", "1 no_deadline"},
	}
	for _, tt := range tests {
		l := read(t, "", string(data), Options{Year: 2022, Sheet: tt.sheet})
		if got := l.Rows[0].Cells[Title]; got != tt.title || strings.Join(keys(l.Notes), " ") != tt.notes {
			t.Errorf("%s: got %s, notes %q", tt.sheet, got, keys(l.Notes))
		}
	}
	_, err := Read("", data, Options{Sheet: "没有"})
	if e, ok := err.(*Error); !ok || e.Key != KeyNoSheet || len(e.Args["sheets"].([]string)) != 4 {
		t.Errorf("got %v", err)
	}
}
