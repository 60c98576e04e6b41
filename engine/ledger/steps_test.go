package ledger

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"
)

// stepsOf shows steps as "2022-04-30 title".
func stepsOf(steps []Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, strings.TrimSpace(s.Deadline.Date.String()+" "+s.Title+" "+s.Who))
	}
	return out
}

func TestStepsInOneCell(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
		notes      string
	}{
		{"numbers glued to months", "1.4月底前主体完工。 2.8月底前竣工交付。 3.11月底前全部竣工。",
			[]string{"2022-04-30 主体完工", "2022-08-31 竣工交付", "2022-11-30 全部竣工"}, ""},
		{"months before colons", "3月：制定方案，开展调研 4月：组织实施", []string{"2022-03-31 制定方案，开展调研", "2022-04-30 组织实施"}, ""},
		{"quarters", "一季度完成招标；二季度开工建设；第三季度主体完工；四季度投入使用",
			[]string{"2022-03-31 完成招标", "2022-06-30 开工建设", "2022-09-30 主体完工", "2022-12-31 投入使用"}, ""},
		{"circled", "①3月底前完成设计②6月底前完成施工", []string{"2022-03-31 完成设计", "2022-06-30 完成施工"}, ""},
		{"parenthesised", "(1)3月底前完成设计；（2）6月底前完成施工", []string{"2022-03-31 完成设计", "2022-06-30 完成施工"}, ""},
		{"Chinese numbers", "一、3月底前完成设计。二、六月底前完成施工。", []string{"2022-03-31 完成设计", "2022-06-30 完成施工"}, ""},
		{"numbers with commas for points", "1、3月完成设计 2、8月底前完成施工", []string{"2022-03-31 完成设计", "2022-08-31 完成施工"}, ""},
		{"spans", "3-4月，开展排查；5月～6月上旬，集中整治；逐月通报", []string{"2022-04-30 开展排查", "2022-06-10 集中整治", "2022-12-31 通报"}, ""},
		{"phases", "第一阶段（3月-4月）：动员部署；第二阶段（5-10月）：组织实施", []string{"2022-04-30 第一阶段（3月-4月）：动员部署", "2022-10-31 第二阶段（5-10月）：组织实施"}, ""},
		{"heading over several", "1.成长驿站:3月底前新建2家;6月底前新建2家。 2.托位:9月底前完成500个。",
			[]string{"2022-03-31 成长驿站：新建2家", "2022-06-30 成长驿站：新建2家", "2022-09-30 托位：完成500个"}, ""},
		{"date as a heading", "3月：\n1.制定方案\n2.开展调研\n4月：\n1.组织实施", []string{"2022-03-31 制定方案；开展调研", "2022-04-30 组织实施"}, ""},
		{"numbered dates with a sibling without", "1.3月底前：制定方案。2.长期坚持走访。", []string{"2022-03-31 制定方案"}, "2 措施 steps_undated"},
		{"commas", "3月底前制定方案，6月底前启动，11月底前完成", []string{"2022-03-31 制定方案", "2022-06-30 启动", "2022-11-30 完成"}, ""},
		{"date in the middle", "力争6月底前完成方案；计划9月投入使用", []string{"2022-06-30 力争6月底前完成方案", "2022-09-30 计划9月投入使用"}, ""},
		{"one sentence", "开展调研，6月底前完成方案", []string{"2022-06-30 开展调研，6月底前完成方案"}, ""},
		{"several dates for one text", "3月、6月、9月分别检查", []string{"2022-03-31 分别检查", "2022-06-30 分别检查", "2022-09-30 分别检查"}, ""},
		{"years written", "2021年11月底前立项；次年3月完成；2022年9月30日前验收", []string{"2021-11-30 立项", "2022-03-31 完成", "2022-09-30 验收"}, ""},
		{"full-width and spaces", "１．４ 月底前 主体完工；２．８月底前竣工", []string{"2022-04-30 主体完工", "2022-08-31 竣工"}, ""},
		{"undated beside dated", "广泛宣传。6月底前完成招标。", []string{"2022-06-30 完成招标"}, "2 措施 steps_undated"},
		{"nothing but a date", "6月底前", []string{"2022-06-30 甲"}, ""},
		{"no such day", "2月30日前完成招标", nil, "2 措施 step_unreadable"},
		{"prose without dates", "每位党员每年必须至少参加一次志愿服务，总时长不得少于20小时。", nil, ""},
		{"prose with a date that is none to keep", "根据2021年10月的通知精神，新建3.5公里、投资1.5亿元，覆盖8.5万人。", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := read(t, "2022.csv", "序号,事项,措施\n1,甲,\""+tt.text+"\"\n", Options{})
			if got := stepsOf(l.Rows[0].Steps); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if l.Rows[0].Cells[Measures] != tt.text {
				t.Errorf("the cell does not keep its text: %q", l.Rows[0].Cells[Measures])
			}
			notes := slices.DeleteFunc(keys(l.Notes), func(s string) bool { return strings.HasPrefix(s, "0 ") || strings.HasSuffix(s, "no_deadline") })
			if got := strings.Join(notes, " "); got != tt.notes || len(l.Problems) > 0 {
				t.Errorf("notes %q, want %q; problems %q", got, tt.notes, keys(l.Problems))
			}
		})
	}
}

func TestStepsOfARealPlan(t *testing.T) {
	data, err := os.ReadFile("testdata/linan_2022_minsheng_plan.csv")
	must(t, err)
	l := read(t, "linan_2022_minsheng_plan.csv", string(data), Options{})
	want := [][]string{
		{"2022-04-30 职教中心、", "2022-08-31 职教中心、", "2022-11-30 天目山镇中心幼儿园竣工交付"},
		{"2022-03-31 婴幼儿照护服务成长驿站：新建成2家", "2022-06-30 婴幼儿照护服务成长驿站：新建成2家", "2022-09-30 婴幼儿照护服务成长驿站：完成7家建设任务",
			"2022-03-31 婴幼儿照护服务托位：新增100个以上托位", "2022-06-30 婴幼儿照护服务托位：新增200个以上托位", "2022-09-30 婴幼儿照护服务托位：完成500个托位",
			"2022-04-30 胃肠癌联合筛查：完成胃肠癌联合筛查方案制定", "2022-05-31 胃肠癌联合筛查：启动胃肠癌联合筛查", "2022-11-30 胃肠癌联合筛查：完成胃肠癌联合筛查工作"},
		{"2022-07-31 农村公路大中修：开工", "2022-11-30 农村公路大中修：建成", "2022-06-30 公交线路新增(优化调整)：完成6条线路优化调整", "2022-10-31 公交线路新增(优化调整)：全面完成新增和优化调整"},
	}
	for i, r := range l.Rows {
		got := stepsOf(r.Steps)
		if len(got) != len(want[i]) {
			t.Fatalf("row %d: %q, want %q", r.Number, got, want[i])
		}
		for j := range got {
			if !strings.HasPrefix(got[j], want[i][j]) {
				t.Errorf("row %d: %q, want %q", r.Number, got[j], want[i][j])
			}
		}
	}
}

func TestStepsNeedAYear(t *testing.T) {
	l := read(t, "a.csv", "序号,事项,措施\n1,甲,3月底前完成\n2,乙,4月底前完成\n", Options{Today: mustDate(t, "2026-11-23")})
	if got := keys(l.Problems); !slices.Equal(got, []string{"2 措施 deadline_no_year"}) {
		t.Errorf("problems %q", got)
	}
}

func TestRowsOfOneItemAreJoined(t *testing.T) {
	tests := []struct {
		name, text string
		rows       []string // number title|unit|measures|deadline|joined
		steps      []string
		problems   string
	}{
		{"without number and title", "序号,事项,措施,责任单位,完成时限\n1,甲,做一,一处,\n,,做二,二处,\n,,做三,,9月底前\n2,乙,做四,,\n",
			[]string{"1 甲|一处\n二处|做一\n做二\n做三|2022-09-30|[3 4]", "2 乙||做四||[]"}, nil, ""},
		{"lines with dates of their own", "序号,事项,措施,责任单位,完成时限\n1,甲,做一,一处,3月底前\n,,做二,二处,6月底前\n",
			[]string{"1 甲|一处\n二处|做一\n做二|2022-06-30|[3]"}, []string{"2022-03-31 做一", "2022-06-30 做二 二处"}, ""},
		{"number and title repeated", "序号,事项,措施,责任单位,完成时限\n1,甲,做一,一处,6月\n1,甲,做二,,\n",
			[]string{"1 甲|一处|做一\n做二|2022-06-30|[3]"}, nil, ""},
		{"the same task of another unit", "序号,事项,措施,责任单位,完成时限\n1,甲,做一,一处,\n1,甲,做二,二处,\n",
			[]string{"1 甲|一处|做一||[]", "1 甲|二处|做二||[]"}, nil, ""},
		{"a heading between", "序号,事项,措施,责任单位,完成时限\n1,甲,做一,一处,\n二、其他,,,,\n,,做二,,\n",
			[]string{"1 甲|一处|做一||[]"}, nil, "4 事项 row_without_title"},
		{"a number without a title is a mistake", "序号,事项,措施,责任单位,完成时限\n1,甲,做一,一处,\n2,,做二,,\n",
			[]string{"1 甲|一处|做一||[]"}, nil, "3 事项 row_without_title"},
	}
	check := func(t *testing.T, l *Ledger, rows, steps []string, problems string) {
		t.Helper()
		var got, laid []string
		for _, r := range l.Rows {
			got = append(got, strings.Join([]string{r.Cells[Number] + " " + r.Cells[Title], r.Cells[Unit], r.Cells[Measures], r.Deadline.Date.String(), fmt.Sprint(r.Joined)}, "|"))
			laid = append(laid, stepsOf(r.Steps)...)
		}
		if !slices.Equal(got, rows) {
			t.Errorf("rows\n%q\nwant\n%q", got, rows)
		}
		if !slices.Equal(laid, steps) {
			t.Errorf("steps %q, want %q", laid, steps)
		}
		if p := strings.Join(keys(l.Problems), " "); p != problems {
			t.Errorf("problems %q, want %q", p, problems)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, read(t, "2022.csv", tt.text, Options{}), tt.rows, tt.steps, tt.problems)
		})
	}
	t.Run("merged cells", func(t *testing.T) {
		data := book(t, func(f *excelize.File) {
			fillRows(t, f, []any{"序号", "事项", "措施", "责任单位", "完成时限"}, []any{1, "甲", "做一", "一处", "3月底前"}, []any{nil, nil, "做二", "二处", "6月底前"},
				[]any{nil, nil, "做三", nil, "9月底前"}, []any{2, "乙", "做四", "三处", "9月"})
			for _, m := range [][2]string{{"A2", "A4"}, {"B2", "B4"}, {"D3", "D4"}} {
				must(t, f.MergeCell("Sheet1", m[0], m[1]))
			}
		})
		check(t, read(t, "2022.xlsx", string(data), Options{}), []string{"1 甲|一处\n二处|做一\n做二\n做三|2022-09-30|[3 4]", "2 乙|三处|做四|2022-09-30|[]"},
			[]string{"2022-03-31 做一", "2022-06-30 做二 二处", "2022-09-30 做三 二处"}, "")
	})
}

// TestCuttingClausesKeepsEveryWord: whatever a cell says, no text of it is lost between the clauses, and folding a
// text keeps the way back.
func TestCuttingClausesKeepsEveryWord(t *testing.T) {
	words := []string{"3月底前", "1.", "2、", "①", "（1）", "一、", "；", "。", "，", "：", "\n", " ", "完成方案", "二季度", "4-5月", "十二月", "～", "1", "万", "2022年"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 30).Draw(t, "words"), "")
		var kept strings.Builder
		for _, c := range clauses(text) {
			kept.WriteString(c.text)
		}
		letters := func(s string) string {
			return strings.Map(func(r rune) rune {
				if strings.ContainsRune("完成方案万月季度底前年～", r) {
					return r
				}
				return -1
			}, s)
		}
		if letters(kept.String()) != letters(text) {
			t.Fatalf("%q became %q", text, kept.String())
		}
		f := fold(text)
		if f.text != plain(text) && !strings.Contains(f.text, ";") {
			t.Fatalf("%q folds to %q, not %q", text, f.text, plain(text))
		}
		if len(f.from) != len(f.text)+1 || !slices.IsSorted(f.from) || f.cut(0, len(f.text)) != strings.TrimLeftFunc(text, invisible) {
			t.Fatalf("%q: %v", text, f)
		}
		st := stepsIn(text, period{year: 2022}, maxStepPlaces, Options{}.withDefaults())
		for _, s := range st.steps {
			if s.Deadline.Date.IsZero() || s.Deadline.Rule == "" || len([]rune(s.Title)) > maxStep {
				t.Fatalf("%q: %+v", text, s)
			}
		}
	})
}
