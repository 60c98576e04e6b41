package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

func read(t *testing.T, name, text string, o Options) *Ledger {
	t.Helper()
	l, err := Read(name, []byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// keys shows problems or notes as "row column key".
func keys(ps []Problem) []string {
	var out []string
	for _, p := range ps {
		out = append(out, strings.Join(strings.Fields(fmt.Sprint(p.Row, " ", p.Column, " ", strings.TrimPrefix(p.Key, "ledger."))), " "))
	}
	return out
}

func fieldsOf(l *Ledger) string {
	var out []string
	for _, c := range l.Columns {
		out = append(out, c.Header+"="+string(c.Field))
	}
	return strings.Join(out, " ")
}

func deadlinesOf(l *Ledger) []string {
	var out []string
	for _, r := range l.Rows {
		if r.Deadline.Rule != "" {
			out = append(out, fmt.Sprintf("%d %s %s", r.Number, r.Deadline.Date, r.Deadline.Rule))
		}
	}
	return out
}

func TestReadRealLedgers(t *testing.T) {
	yearFromName := "0 year_from_name"
	noDeadline := "1 no_deadline"
	tests := []struct {
		file      string
		year      int
		rows      int
		columns   string
		deadlines []string
		notes     []string
	}{
		{
			"csuft_2017_03_duban_unfinished.csv", 2017, 8,
			"督办月份= 事项序号=number 督办事项=title 状态=progress 原因=note",
			nil, []string{"0 year_from_column", noDeadline},
		},
		{
			"dazhu_2016_minsheng.csv", 2016, 11,
			"序号=number 民生实事=title 责任单位=unit 完成时限=deadline",
			[]string{
				"2 2016-12-31 month-end", "3 2016-09-30 month", "4 2016-12-31 month-end", "5 2016-05-31 month-end",
				"6 2016-05-31 month-end", "7 2016-12-31 month-end", "8 2016-12-31 month-end", "9 2016-12-31 month-end",
				"10 2016-12-31 month-end", "11 2016-12-31 month-end", "12 2016-12-31 month-end",
			},
			[]string{yearFromName, "5 完成时限 start_of_work", "6 完成时限 start_of_work", "7 责任单位 filled_down"},
		},
		{
			"dgut_2015_minsheng_progress.csv", 2015, 7,
			"民生实事=title 7月10日第一次进度检查情况=progress",
			nil, []string{yearFromName, noDeadline},
		},
		{
			"linan_2022_minsheng_plan.csv", 2022, 3,
			"序号=number 实事项目=title 工作举措及实施计划=measures 责任单位=unit 配合单位=assisting",
			nil, []string{yearFromName, noDeadline, "2 工作举措及实施计划 steps_undated"},
		},
		{
			"linan_2022_minsheng_progress_sept.csv", 2022, 11,
			"序号=number 项目内容=title 进展情况=progress 责任单位=unit",
			nil, []string{yearFromName, noDeadline, "4 责任单位 filled_down", "7 责任单位 filled_down", "10 责任单位 filled_down"},
		},
		{
			"ninghai_2020_satisfaction.csv", 2020, 10,
			"项目名称=title 满意= 基本满意= 不满意=",
			nil, []string{yearFromName, noDeadline},
		},
		{
			"shuji_projects_2024_2025_vocational_college.csv", 2024, 8,
			"学年度= 立项等次=category 基层党组织=unit 项目名称=title 建设周期=deadline 建设经费=",
			[]string{
				"2 2025-07-10 years", "3 2025-07-10 years", "4 2025-07-10 years", "5 2025-07-10 years",
				"6 2025-07-10 years", "7 2025-07-10 years", "8 2025-07-10 years", "9 2025-07-10 years",
			},
			[]string{"0 year_from_column"},
		},
		{
			"suzhou_city_university_2021_14_tasks.csv", 2021, 14,
			"序号=number 所属行动=category 任务=title 内容与措施=measures 责任部门=unit 完成时限=deadline",
			nil, []string{yearFromName},
		},
		{
			"university_2022_ten_minsheng.csv", 2022, 10,
			"序号=number 民生实事项目=title 责任部门=unit 完成时限=deadline",
			nil, []string{yearFromName},
		},
		{
			"zhenhai_2021_satisfaction.csv", 2021, 8,
			"序号=number 民生实事工程项目名称=title 满意= 基本满意= 不满意= 测评结果= 实到人数=",
			nil, []string{yearFromName, noDeadline},
		},
	}
	files, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d files and %d tests, %v", len(files), len(tests), err)
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			l := read(t, "some/folder/"+tt.file, string(data), Options{})
			if l.Name != tt.file || l.Year != tt.year || len(l.Rows) != tt.rows {
				t.Errorf("got %s of %d with %d rows, want year %d, %d rows", l.Name, l.Year, len(l.Rows), tt.year, tt.rows)
			}
			if got := fieldsOf(l); got != tt.columns {
				t.Errorf("columns:\n got %s\nwant %s", got, tt.columns)
			}
			if got := deadlinesOf(l); !slices.Equal(got, tt.deadlines) {
				t.Errorf("deadlines:\n got %q\nwant %q", got, tt.deadlines)
			}
			if got := keys(l.Notes); !slices.Equal(got, tt.notes) {
				t.Errorf("notes:\n got %q\nwant %q", got, tt.notes)
			}
			if len(l.Problems) > 0 {
				t.Errorf("problems: %q", keys(l.Problems))
			}
		})
	}
}

func TestRealLedgerCells(t *testing.T) {
	data, err := os.ReadFile("testdata/shuji_projects_2024_2025_vocational_college.csv")
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, "", string(data), Options{}).Rows[0]
	if r.Cells[Unit] != "智能制造学院党总支" || r.Cells[Category] != "重点课题" || r.Other["建设经费"] != "3000元" ||
		r.Other["学年度"] != "2024—2025学年度" || r.Deadline.Start.String() != "2024-09-01" {
		t.Errorf("got %+v", r)
	}
	data, err = os.ReadFile("testdata/linan_2022_minsheng_progress_sept.csv")
	if err != nil {
		t.Fatal(err)
	}
	l := read(t, "", string(data), Options{})
	var units []string
	for _, r := range l.Rows {
		units = append(units, r.Cells[Unit])
	}
	want := []string{"教育局", "卫生健康局", "卫生健康局", "卫生健康局", "交通运输局", "交通运输局", "交通运输局", "住建局", "住建局", "住建局", "住建局"}
	if !slices.Equal(units, want) {
		t.Errorf("units %q, want %q", units, want)
	}
}

const plainCSV = "序号,事项名称,责任单位,完成时限\n1,新建人行天桥,住建局,9月底前\n2,改造食堂,后勤处,2022年6月\n"

func TestEncodingsAndSeparators(t *testing.T) {
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(plainCSV)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewEncoder().String(strings.ReplaceAll(plainCSV, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text string }{
		{"UTF-8", plainCSV},
		{"UTF-8 with mark", "\ufeff" + plainCSV},
		{"GB18030", gb},
		{"UTF-16 with tabs", utf16},
		{"tabs", strings.ReplaceAll(plainCSV, ",", "\t")},
		{"semicolons", strings.ReplaceAll(plainCSV, ",", ";")},
		{"sep line", "sep=;\r\n" + strings.ReplaceAll(plainCSV, ",", ";")},
		{"CR LF", strings.ReplaceAll(plainCSV, "\n", "\r\n")},
		{"CR", strings.ReplaceAll(plainCSV, "\n", "\r")},
		{"no last line end", strings.TrimSuffix(plainCSV, "\n")},
		{"trailing separators", strings.ReplaceAll(plainCSV, "\n", strings.Repeat(",", 300)+"\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := read(t, "2022.xls", tt.text, Options{})
			if got := deadlinesOf(l); len(got) != 2 || !strings.HasSuffix(got[0], "2022-09-30 month-end") || !strings.HasSuffix(got[1], "2022-06-30 month") {
				t.Errorf("got %q", got)
			}
			if l.Rows[1].Cells[Title] != "改造食堂" || len(l.Problems) > 0 || len(l.Columns) != 4 {
				t.Errorf("got %+v, problems %q, %d columns", l.Rows[1], keys(l.Problems), len(l.Columns))
			}
		})
	}
}

func TestMessyRows(t *testing.T) {
	tests := []struct {
		name, text string
		rows       []string // number title unit
		problems   []string
		notes      []string // without the year and the missing deadline column
	}{
		{
			"title and annex above, totals and remarks below",
			"附件1,,\n2022年实事清单,,\n序号,事项,责任单位\n1,甲,一处\n\n2,乙,二处\n合计,2,\n备注：以上为准,,\n",
			[]string{"4 甲 一处", "6 乙 二处"}, nil,
			[]string{"7 skipped_row", "8 skipped_row"},
		},
		{
			"row without title",
			"序号,事项,责任单位\n1,甲,一处\n2,,二处\n",
			[]string{"2 甲 一处"}, []string{"3 事项 row_without_title"}, nil,
		},
		{
			"same number filled down, other number not",
			"序号,事项,责任单位\n1,甲,一处\n1,乙,\n1,丙,\n2,丁,\n",
			[]string{"2 甲 一处", "3 乙 一处", "4 丙 一处", "5 丁"}, nil,
			[]string{"3 责任单位 filled_down"},
		},
		{
			"blank number belongs to the row above",
			"序号,事项,责任单位\n1,甲,一处\n,乙,\n2,丙,三处\n",
			[]string{"2 甲 一处", "3 乙 一处", "4 丙 三处"}, nil,
			[]string{"3 序号 number_taken_over", "3 责任单位 filled_down"},
		},
		{
			"headings between rows stop the filling",
			"序号,事项,责任单位\n一、领头雁行动,,\n1,甲,一处\n二、堡垒行动,,\n,乙,\n",
			[]string{"3 甲 一处", "5 乙"}, nil,
			[]string{"2 section_row", "4 section_row"},
		},
		{
			"header printed again and subtotal",
			"序号,事项,责任单位\n1,甲,一处\n小计,,\n序号,事项,责任单位\n2,乙,二处\n",
			[]string{"2 甲 一处", "5 乙 二处"}, nil,
			[]string{"3 skipped_row", "4 repeated_header"},
		},
		{
			"numbered row whose title begins like a remark",
			"序号,事项,责任单位\n1,甲,一处\n2,说明：乙,二处\n",
			[]string{"2 甲 一处", "3 说明：乙 二处"}, nil, nil,
		},
		{
			"second of two equal columns",
			"序号,事项,责任单位,责任单位,,备注,原因\n1,甲,一处,二处,x,y,z\n",
			[]string{"2 甲 一处"}, nil,
			[]string{"1 第5列 unnamed_column", "1 责任单位（第4列） duplicate_column", "1 原因 duplicate_column"},
		},
		{
			"line breaks in quoted cells keep the row numbers of the sheet",
			"序号,事项,责任单位\n1,\"甲\n续\",一处\n\n2,,二处\n",
			[]string{"2 甲\n续 一处"}, []string{"4 事项 row_without_title"}, nil,
		},
		{
			"damaged UTF-8",
			"序号,事项名称,责任单位\n1,改造学生食堂,后勤保障处\n2,改造\xe5\xad图书馆,图书馆办公室\n3,改造停车场和道路,基建处\n",
			[]string{"2 改造学生食堂 后勤保障处", "3 改造\uFFFD图书馆 图书馆办公室", "4 改造停车场和道路 基建处"},
			[]string{"3 事项名称 bad_characters"}, nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := read(t, "", tt.text, Options{Year: 2022})
			var rows []string
			for _, r := range l.Rows {
				rows = append(rows, strings.TrimSpace(fmt.Sprintf("%d %s %s", r.Number, r.Cells[Title], r.Cells[Unit])))
			}
			notes := slices.DeleteFunc(keys(l.Notes), func(s string) bool { return strings.HasSuffix(s, " no_deadline") })
			if !slices.Equal(rows, tt.rows) {
				t.Errorf("rows:\n got %q\nwant %q", rows, tt.rows)
			}
			if got := keys(l.Problems); !slices.Equal(got, tt.problems) {
				t.Errorf("problems:\n got %q\nwant %q", got, tt.problems)
			}
			if !slices.Equal(notes, tt.notes) {
				t.Errorf("notes:\n got %q\nwant %q", notes, tt.notes)
			}
		})
	}
}

func TestOtherColumns(t *testing.T) {
	l := read(t, "", "序号,事项,责任单位,责任单位,\n1,甲,一处,二处,x\n", Options{Year: 2022})
	if r := l.Rows[0]; r.Other["责任单位（第4列）"] != "二处" || r.Other["第5列"] != "x" || r.Cells[Unit] != "一处" {
		t.Errorf("got %+v", r)
	}
}

func TestYearInference(t *testing.T) {
	row := "序号,事项,完成时限\n1,甲,3月底前\n"
	tests := []struct {
		name, file, text string
		o                Options
		date, note       string
	}{
		{"given", "2016.csv", "2017年清单\n" + row, Options{Year: 2020}, "2020-03-31", ""},
		{"given academic", "2016.csv", row, Options{Year: 2020, AcademicYear: true}, "2021-03-31", ""},
		{"title", "2016.csv", "2017年实事清单\n" + row, Options{}, "2017-03-31", KeyYearFromTitle},
		{"title in Chinese numerals", "2016.csv", "二〇一八年实事清单\n" + row, Options{}, "2018-03-31", KeyYearFromTitle},
		{"academic title", "2016.csv", "2024—2025学年度书记项目\n" + row, Options{}, "2025-03-31", KeyYearFromTitle},
		{"years of a plan", "2016.csv", "2024-2025年计划\n" + row, Options{}, "2024-03-31", KeyYearFromTitle},
		{"header", "2016.csv", strings.Replace(row, "完成时限", "完成时限（2019年）", 1), Options{}, "2019-03-31", KeyYearFromHeader},
		{"column", "2016.csv", "年度,事项,完成时限\n2018年,甲,3月底前\n", Options{}, "2018-03-31", KeyYearFromColumn},
		{"file name", "实事2016.csv", row, Options{}, "2016-03-31", KeyYearFromName},
		{"file name with a day", "实事_20160412.csv", row, Options{}, "2016-03-31", KeyYearFromName},
		{"academic file name", "sj_2024_2025.csv", row, Options{}, "2025-03-31", KeyYearFromName},
		{"other deadlines", "a.csv", row + "2,乙,2019年6月\n3,丙,2019.9.30\n", Options{}, "2019-03-31", KeyYearFromDates},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := read(t, tt.file, tt.text, tt.o)
			if got := l.Rows[0].Deadline.Date.String(); got != tt.date {
				t.Errorf("got %s, want %s", got, tt.date)
			}
			inferred := slices.ContainsFunc(l.Notes, func(p Problem) bool { return p.Key == tt.note })
			if inferred != (tt.note != "") {
				t.Errorf("notes %q, want %s", keys(l.Notes), tt.note)
			}
		})
	}
	// Neither today's year nor one of several is guessed, and one question is enough.
	l := read(t, "a.csv", row+"2,乙,2019年6月\n3,丙,2020年9月\n4,丁,5月\n", Options{Today: mustDate(t, "2026-11-23")})
	if got := keys(l.Problems); l.Year != 0 || !slices.Equal(got, []string{"2 完成时限 deadline_no_year"}) {
		t.Errorf("without any year: %d, %q", l.Year, got)
	}
}

func TestDeadlineProblemsAndNotes(t *testing.T) {
	l := read(t, "", "序号,事项,完成时限\n1,甲,长期坚持\n2,乙,4月底前开工；11月底前建成\n3,丙,44742\n4,丁,2月30日\n5,戊,\n6,己,5月底前动工\n",
		Options{Year: 2022})
	want := []string{"2 完成时限 deadline_unreadable", "4 完成时限 deadline_number", "5 完成时限 deadline_invalid"}
	if got := keys(l.Problems); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if got := keys(l.Notes); !slices.Equal(got, []string{"3 完成时限 several_dates", "7 完成时限 start_of_work"}) {
		t.Errorf("notes %q", got)
	}
	if len(l.Rows) != 6 || l.Rows[0].Cells[Due] != "长期坚持" || !l.Rows[0].Deadline.Date.IsZero() {
		t.Errorf("an unreadable deadline must leave the row as it is: %+v", l.Rows[0])
	}
}

func TestRecognise(t *testing.T) {
	tests := []struct {
		header string
		want   Field
	}{
		{"序 号", Number}, {"No.", Number}, {"完成\n时限", Due}, {"完成时限（月底前）", Due}, {"计划完成时间", Due}, {"拟办结时限", Due},
		{"实际完成时间", ""}, {"已完成时限", ""}, {"2022年工作目标", Target}, {"牵头责任单位", Unit}, {"协助配合单位", Assisting},
		{"分管校领导", Sponsor}, {"项目负责人", Owner}, {"监督电话：", Phone}, {"咨询监督电话", Phone}, {"9月进展", Progress},
		{"未完成的原因", Remark}, {"取得的成效", Outcome}, {"具体推进措施", Measures}, {"重点民生项目", Title},
		{"2022年十件民生实事", ""}, {"满意", ""}, {"建设经费", ""}, {"", ""}, {strings.Repeat("责任单位", 20), ""},
	}
	for _, tt := range tests {
		if got := recognise(tt.header).field; got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.header, got, tt.want)
		}
	}
}

func TestTwoColumnsForOneField(t *testing.T) {
	tests := []struct{ header, want string }{
		{"项目名称,项目内容,责任单位", "项目名称=title 项目内容=measures 责任单位=unit"},
		{"项目内容,责任单位", "项目内容=title 责任单位=unit"},
		{"任务,项目名称", "任务=target 项目名称=title"},
		{"责任单位,事项,牵头单位", "责任单位= 事项=title 牵头单位=unit"},
		{"项目内容,项目名称,措施", "项目内容= 项目名称=title 措施=measures"},
	}
	for _, tt := range tests {
		l := read(t, "", tt.header+"\na,b,c\n", Options{Year: 2022})
		if got := strings.TrimSuffix(fieldsOf(l), " 第3列="); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestReadNeverPanicsOnCSV(t *testing.T) {
	cells := []string{"序号", "事项名称", "责任单位", "完成时限", "1", "2", "", "12月底前", "2022.1", "合计", "备注：", "一、行动", "\"", "\"a\nb\"", "\xff", " ",
		"年度", "2022年", "第3列"}
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(cells), 0, 6), 0, 12).Draw(t, "lines")
		var b strings.Builder
		for _, line := range lines {
			b.WriteString(strings.Join(line, rapid.SampledFrom([]string{",", ",", ",", ";", "\t"}).Draw(t, "separator")))
			b.WriteString("\n")
		}
		checkRead(t, []byte(b.String()))
	})
}

func TestReadNeverPanicsOnBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")
		head := rapid.SampledFrom([]string{"", "PK\x03\x04", "\xff\xfe", "\xef\xbb\xbf", "序号,事项\n"}).Draw(t, "head")
		checkRead(t, append([]byte(head), data...))
	})
}

// checkRead holds what is true of any input: an Error of this package, or rows that stand in order, have a title
// and take nothing from nowhere.
func checkRead(t *rapid.T, data []byte) {
	l, err := Read("x.csv", data, Options{})
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || !slices.Contains(Keys, e.Key) || l != nil {
			t.Fatalf("%v is not an Error of this package", err)
		}
		return
	}
	last := 0
	for _, r := range l.Rows {
		if r.Number <= last || r.Cells[Title] == "" {
			t.Fatalf("row %d after %d, title %q", r.Number, last, r.Cells[Title])
		}
		last = r.Number
	}
	for _, p := range slices.Concat(l.Problems, l.Notes) {
		if !slices.Contains(Keys, p.Key) || len([]rune(p.Text)) > 80 {
			t.Fatalf("%+v", p)
		}
	}
}
