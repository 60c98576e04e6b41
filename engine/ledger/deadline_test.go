package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bihuan/engine/calendar"
	"bihuan/engine/message"

	"pgregory.net/rapid"
)

func mustDate(t *testing.T, s string) calendar.Date {
	t.Helper()
	if s == "" {
		return calendar.Date{}
	}
	d, err := calendar.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReadDeadline(t *testing.T) {
	tests := []struct {
		text  string
		year  int
		date  string
		rule  string
		start string
	}{
		{"12月底前", 2026, "2026-12-31", "month-end", ""},
		{"12月底", 2016, "2016-12-31", "month-end", ""},
		{"9月投入使用", 2016, "2016-09-30", "month", ""},
		{"5月底前动工", 2016, "2016-05-31", "month-end", ""},
		{"11月底前完成", 2022, "2022-11-30", "month-end", ""},
		{"2月底前", 2024, "2024-02-29", "month-end", ""},
		{"2月末", 2025, "2025-02-28", "month-end", ""},
		{"6月月底前", 2025, "2025-06-30", "month-end", ""},
		{"十二月底前", 2026, "2026-12-31", "month-end", ""},
		{"１２月底前", 2026, "2026-12-31", "month-end", ""},
		{" 12 月 底 前 ", 2026, "2026-12-31", "month-end", ""},
		{"12⽉底前", 2026, "2026-12-31", "month-end", ""}, // the Kangxi radical that PDF files leave behind
		{"明年3月底前", 2026, "2027-03-31", "month-end", ""},
		{"2022年12月底", 2020, "2022-12-31", "month-end", ""},
		{"22年12月底", 2020, "2022-12-31", "month-end", ""},
		{"二〇二二年六月底前", 2020, "2022-06-30", "month-end", ""},
		{"3-4月", 2022, "2022-04-30", "month-span", "2022-03-01"},
		{"3—4月", 2022, "2022-04-30", "month-span", "2022-03-01"},
		{"3、4月", 2022, "2022-04-30", "month-span", "2022-03-01"},
		{"3月至5月", 2022, "2022-05-31", "month-span", "2022-03-01"},
		{"3月～4月上旬", 2022, "2022-04-10", "month-span", "2022-03-01"},
		{"3月——4月中旬", 2022, "2022-04-20", "month-span", "2022-03-01"},
		{"3月下旬-4月下旬", 2022, "2022-04-30", "month-span", "2022-03-21"},
		{"11月-2月", 2022, "2023-02-28", "month-span", "2022-11-01"},
		{"11月-次年2月", 2022, "2023-02-28", "month-span", "2022-11-01"},
		{"2022年11月—2023年3月", 2020, "2023-03-31", "month-span", "2022-11-01"},
		{"2022年3-6月", 2020, "2022-06-30", "month-span", "2022-03-01"},
		{"2022.3-2022.12", 2020, "2022-12-31", "month-span", "2022-03-01"},
		{"2022.3-12", 2020, "2022-12-31", "month-span", "2022-03-01"},
		{"6月1日-6月30日", 2022, "2022-06-30", "month-span", "2022-06-01"},
		{"6月1日至15日", 2022, "2022-06-15", "date-span", "2022-06-01"},
		{"2022.3.1-2022.12.30", 2020, "2022-12-30", "date-span", "2022-03-01"},
		{"2022/3/1-6/30", 2020, "2022-06-30", "date-span", "2022-03-01"},
		{"4月上旬", 2022, "2022-04-10", "month-part", ""},
		{"4月中旬完成", 2022, "2022-04-20", "month-part", ""},
		{"2月下旬", 2022, "2022-02-28", "month-part", ""},
		{"9月初", 2022, "2022-09-10", "month-part", ""},
		{"9月中小学开学", 2022, "2022-09-30", "month", ""},
		{"9月2座投入使用", 2016, "2016-09-30", "month", ""},
		{"12月前", 2022, "2022-11-30", "before-month", ""},
		{"1月前", 2022, "2021-12-31", "before-month", ""},
		{"6月30日前", 2022, "2022-06-30", "month-day", ""},
		{"6月30日", 2022, "2022-06-30", "month-day", ""},
		{"6月15前", 2022, "2022-06-15", "month-day", ""},
		{"六月三十日前", 2022, "2022-06-30", "month-day", ""},
		{"明年1月5日", 2022, "2023-01-05", "month-day", ""},
		{"2022年6月30日前", 2016, "2022-06-30", "month-day", ""},
		{"2022年6月", 2016, "2022-06-30", "month", ""},
		{"2022.6", 2016, "2022-06-30", "year-month", ""},
		{"2022-06", 2016, "2022-06-30", "year-month", ""},
		{"202206", 2016, "2022-06-30", "year-month", ""},
		{"2022-06-30", 2016, "2022-06-30", "date", ""},
		{"2022/6/30", 2016, "2022-06-30", "date", ""},
		{"2022.6.30前", 2016, "2022-06-30", "date", ""},
		{"2022-06-30 17:30", 2016, "2022-06-30", "date", ""},
		{"2022-06-30T00:00:00Z", 2016, "2022-06-30", "date", ""},
		{"20220630", 2016, "2022-06-30", "date", ""},
		{"2022年底", 2016, "2022-12-31", "year-end", ""},
		{"2022年年底前", 2016, "2022-12-31", "year-end", ""},
		{"年底前", 2016, "2016-12-31", "year-end", ""},
		{"年内", 2016, "2016-12-31", "year-end", ""},
		{"明年年底", 2016, "2017-12-31", "year-end", ""},
		{"本年度内", 2016, "2016-12-31", "year-end", ""},
		{"2022年完成", 2016, "2022-12-31", "year", ""},
		{"2022年前", 2016, "2021-12-31", "before-year", ""},
		{"2022-2025年", 2016, "2025-12-31", "year-span", "2022-01-01"},
		{"2022年至2025年底", 2016, "2025-12-31", "year-span", "2022-01-01"},
		{"全年", 2016, "2016-12-31", "all-year", "2016-01-01"},
		{"2022年全年", 2016, "2022-12-31", "all-year", "2022-01-01"},
		{"上半年", 2016, "2016-06-30", "half-year", "2016-01-01"},
		{"明年下半年", 2016, "2017-12-31", "half-year", "2017-07-01"},
		{"第一季度", 2016, "2016-03-31", "quarter", "2016-01-01"},
		{"一季度末", 2016, "2016-03-31", "quarter", "2016-01-01"},
		{"第4季度", 2016, "2016-12-31", "quarter", "2016-10-01"},
		{"2022年Q3", 2016, "2022-09-30", "quarter", "2022-07-01"},
		{"二至三季度", 2016, "2016-09-30", "quarter", "2016-07-01"},
		{"2-3季度", 2016, "2016-09-30", "quarter", "2016-04-01"},
		{"逐月", 2016, "2016-12-31", "recurring", "2016-01-01"},
		{"每月", 2016, "2016-12-31", "recurring", "2016-01-01"},
		{"每月25日前", 2016, "2016-12-31", "recurring", "2016-01-01"},
		{"每季度", 2016, "2016-12-31", "recurring", "2016-01-01"},
		{"一年", 2024, "2024-12-31", "years", "2024-01-01"},
		{"两年内，2025年12月底前", 2024, "2025-12-31", "month-end", ""},
		{"2年", 2024, "2025-12-31", "years", "2024-01-01"},
		{"2024—2025学年第一学期", 2020, "2025-01-20", "term", ""},
		{"2022年春季学期", 2020, "2022-07-10", "term", ""},
		{"秋季学期", 2022, "2023-01-20", "term", ""},
		{"2024-2025学年", 2020, "2025-07-10", "academic-year", "2024-09-01"},
		{"长期坚持，12月底前见成效", 2022, "2022-12-31", "month-end", ""},
		{"", 2022, "", "", ""},
		{" — ", 2022, "", "", ""},
		{"/", 2022, "", "", ""},
		{"无", 2022, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s in %d", tt.text, tt.year), func(t *testing.T) {
			got, err := ReadDeadline(tt.text, tt.year, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Date != mustDate(t, tt.date) || got.Rule != tt.rule || got.Start != mustDate(t, tt.start) {
				t.Errorf("got %s %q from %s, want %s %q from %s", got.Date, got.Rule, got.Start, tt.date, tt.rule, tt.start)
			}
			if tt.rule != "" && !slices.Contains(Rules(), tt.rule) {
				t.Errorf("%q is not in Rules()", tt.rule)
			}
			if (tt.date != "") != strings.Contains(got.Reading, tt.date+"（") {
				t.Errorf("reading %q does not show the date", got.Reading)
			}
		})
	}
}

func TestReadingShowsConvention(t *testing.T) {
	tests := []struct{ text, want string }{
		{"12月底前", "“12月底前”→ 2026-12-31（按当月最后一日）"},
		{"3-4月", "“3-4月”→ 2026-03-01 至 2026-04-30（按最后一个月的最后一日）"},
		{"4月底前开工，11月底前建成", "“4月底前开工，11月底前建成”→ 2026-11-30（按当月最后一日；同格另有“4月底”，取最晚的日期）"},
	}
	for _, tt := range tests {
		got, err := ReadDeadline(tt.text, 2026, Options{})
		if err != nil || got.Reading != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.text, got.Reading, err, tt.want)
		}
	}
}

func TestReadDeadlineOfSeveralDates(t *testing.T) {
	tests := []struct {
		text, date string
		also       []string
	}{
		{"1.4月底前主体完工；2.8月底前竣工；3.11月底前交付", "2022-11-30", []string{"4月底", "8月底"}},
		{"12月底前完成，其中一期6月底前", "2022-12-31", []string{"6月底"}},
		{"2023年3月开工，12月底完工", "2023-12-31", []string{"2023年3月"}},
	}
	for _, tt := range tests {
		got, err := ReadDeadline(tt.text, 2022, Options{})
		if err != nil || got.Date != mustDate(t, tt.date) || !slices.Equal(got.Also, tt.also) {
			t.Errorf("%s: got %s %q, %v, want %s %q", tt.text, got.Date, got.Also, err, tt.date, tt.also)
		}
	}
}

func TestReadDeadlineInAcademicYear(t *testing.T) {
	tests := []struct{ text, date, start string }{
		{"12月底前", "2024-12-31", ""},
		{"3月底前", "2025-03-31", ""},
		{"8月", "2025-08-31", ""},
		{"9月", "2024-09-30", ""},
		{"11月-2月", "2025-02-28", "2024-11-01"},
		{"上半年", "2025-06-30", "2025-01-01"},
		{"下半年", "2024-12-31", "2024-07-01"},
		{"一季度", "2025-03-31", "2025-01-01"},
		{"年底前", "2024-12-31", ""},
		{"全年", "2025-07-05", "2024-09-01"},
		{"逐月", "2025-07-05", "2024-09-01"},
		{"一年", "2025-07-05", "2024-09-01"},
		{"两年", "2026-07-05", "2024-09-01"},
		{"2年", "2026-07-05", "2024-09-01"},
		{"本学年", "2025-07-05", "2024-09-01"},
		{"第一学期", "2025-01-15", ""},
		{"第二学期", "2025-07-05", ""},
		{"春季学期", "2025-07-05", ""},
	}
	o := Options{Year: 2024, AcademicYear: true, TermEnds: TermEnds{Spring: MonthDay{7, 5}, Autumn: MonthDay{1, 15}}}
	for _, tt := range tests {
		got, err := ReadDeadline(tt.text, 0, o)
		if err != nil || got.Date != mustDate(t, tt.date) || got.Start != mustDate(t, tt.start) {
			t.Errorf("%s: got %s from %s, %v, want %s from %s", tt.text, got.Date, got.Start, err, tt.date, tt.start)
		}
	}
}

func TestReadDeadlineByToday(t *testing.T) {
	tests := []struct {
		name, text, today string
		year              int
		academic          bool
		date, key         string
	}{
		{"spring", "本学期完成", "2026-03-02", 2026, false, "2026-07-10", ""},
		{"last day of spring", "本学期末", "2026-07-10", 2026, false, "2026-07-10", ""},
		{"summer belongs to autumn", "本学期末", "2026-07-11", 2026, false, "2027-01-20", ""},
		{"autumn", "学期末", "2026-11-23", 2026, false, "2027-01-20", ""},
		{"January ends the autumn term", "本学期完成", "2026-01-20", 2026, false, "2026-01-20", ""},
		{"January, ledger of the year before", "本学期完成", "2026-01-10", 2025, false, "2026-01-20", ""},
		{"after January it is spring", "本学期完成", "2026-01-21", 2026, false, "2026-07-10", ""},
		{"academic year, spring", "本学期完成", "2026-03-02", 2025, true, "2026-07-10", ""},
		{"another year", "本学期完成", "2026-03-02", 2016, false, "", KeyDeadlineNoTerm},
		{"no today", "本学期完成", "", 2026, false, "", KeyDeadlineNoTerm},
		{"year of today", "12月底前", "2026-03-02", 0, false, "2026-12-31", ""},
		{"no year at all", "12月底前", "", 0, false, "", KeyDeadlineNoYear},
		{"no year needed", "2022年6月", "", 0, false, "2022-06-30", ""},
		{"academic year by today", "本学年", "2026-03-02", 2026, false, "2026-07-10", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadDeadline(tt.text, tt.year, Options{Today: mustDate(t, tt.today), AcademicYear: tt.academic})
			var e *Error
			if tt.key != "" {
				if !errors.As(err, &e) || e.Key != tt.key {
					t.Fatalf("got %s, %v, want %s", got.Date, err, tt.key)
				}
				return
			}
			if err != nil || got.Date != mustDate(t, tt.date) {
				t.Errorf("got %s, %v, want %s", got.Date, err, tt.date)
			}
		})
	}
}

func TestUnreadableDeadlines(t *testing.T) {
	tests := []struct{ text, key string }{
		{"长期坚持", KeyDeadlineUnreadable},
		{"持续推进", KeyDeadlineUnreadable},
		{"常态化", KeyDeadlineUnreadable},
		{"春节前", KeyDeadlineUnreadable},
		{"年前", KeyDeadlineUnreadable},
		{"下学期", KeyDeadlineUnreadable},
		{"三四月", KeyDeadlineUnreadable},
		{"半年", KeyDeadlineUnreadable},
		{"3-5年", KeyDeadlineUnreadable},
		{"1个月", KeyDeadlineUnreadable},
		{"2022-2025", KeyDeadlineUnreadable},
		{strings.Repeat("持续推进", 200) + "12月底", KeyDeadlineUnreadable},
		{strings.Repeat("每月检查；", 24) + "12月底完成", KeyDeadlineUnreadable}, // a diary: its last date is not looked for
		{"44742", KeyDeadlineNumber},
		{"12", KeyDeadlineNumber},
		{"3.5", KeyDeadlineNumber},
		{"2月30日", KeyDeadlineInvalid},
		{"2023年2月29日", KeyDeadlineInvalid},
		{"13月底", KeyDeadlineInvalid},
		{"0月", KeyDeadlineInvalid},
		{"2022-13-01", KeyDeadlineInvalid},
		{"6月15日-1日", KeyDeadlineInvalid},
		{"2023年5月-2022年3月", KeyDeadlineInvalid},
		{"0202-06-30", KeyDeadlineInvalid},
		{"6月底前，2月30日复查", KeyDeadlineInvalid},
	}
	for _, tt := range tests {
		got, err := ReadDeadline(tt.text, 2022, Options{})
		var e *Error
		if !errors.As(err, &e) || e.Key != tt.key {
			t.Errorf("%s: got %s %s, %v, want %s", message.Short(tt.text), got.Rule, got.Date, err, tt.key)
		}
	}
}

func TestEveryRuleHasAPhrase(t *testing.T) {
	phrases := map[string]string{
		"date-span": "2022.3.1-2022.4.1", "month-span": "3-4月", "date": "2022-6-1", "month-day": "6月1日", "month-end": "6月底",
		"month-part": "6月上旬", "before-month": "6月前", "month": "6月", "year-month": "2022.6", "half-year": "上半年",
		"quarter": "一季度", "recurring": "逐月", "term": "第一学期", "academic-year": "2024-2025学年", "all-year": "全年",
		"year-end": "年底", "before-year": "2022年前", "year-span": "2022-2023年", "years": "一年", "year": "2022年", ruleExcelDate: "",
	}
	for _, id := range Rules() {
		phrase, ok := phrases[id]
		if !ok {
			t.Errorf("no phrase for rule %q", id)
			continue
		}
		if id == ruleExcelDate {
			continue // a kind of cell, not a text; tested with workbooks
		}
		if d, err := ReadDeadline(phrase, 2022, Options{}); err != nil || d.Rule != id {
			t.Errorf("%s: got %q, %v, want %q", phrase, d.Rule, err, id)
		}
	}
}

func TestAnyWayOfWritingADayIsThatDay(t *testing.T) {
	wide := strings.NewReplacer("0", "０", "1", "１", "2", "２", "3", "３", "4", "４", "5", "５", "6", "６", "7", "７", "8", "８", "9", "９")
	rapid.Check(t, func(t *rapid.T) {
		want := calendar.NewDate(rapid.IntRange(2000, 2099).Draw(t, "year"), 1, 1).AddDays(rapid.IntRange(0, 364).Draw(t, "day"))
		var y, m, d int
		if _, err := fmt.Sscanf(want.String(), "%d-%d-%d", &y, &m, &d); err != nil {
			t.Fatal(err)
		}
		forms := []string{"%d年%d月%d日", "%d年%d月%d日前", "%d年%02d月%02d日之前完成", "%d-%02d-%02d", "%d/%d/%d", "%d.%d.%d", "%d.%02d.%02d前",
			"于%d年%d月%d号办结", "%d 年 %d 月 %d 日", "%d-%02d-%02d 08:30:00"}
		s := fmt.Sprintf(rapid.SampledFrom(forms).Draw(t, "form"), y, m, d)
		if rapid.Bool().Draw(t, "full width") {
			s = wide.Replace(s)
		}
		got, err := ReadDeadline(s, rapid.IntRange(0, 2050).Draw(t, "ledger year"), Options{})
		if err != nil || got.Date != want || len(got.Also) > 0 {
			t.Fatalf("%q: got %s, %q, %v", s, got.Date, got.Also, err)
		}
	})
}

func TestReadDeadlineNeverPanics(t *testing.T) {
	pieces := []string{"2022", "22", "12", "3", "0", "31", "年", "月", "日", "-", "至", "、", ".", "/", "底", "前", "上旬", "中", "初", "第", "一", "十",
		"季度", "学期", "学年", "本", "明年", "全年", "半年", "上", "逐月", "内", "末", " ", "；", "完成", "Q"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		year := rapid.SampledFrom([]int{0, 1, 2022, 9999}).Draw(t, "year")
		o := Options{AcademicYear: rapid.Bool().Draw(t, "academic"), Today: calendar.NewDate(2022, 3, 1)}
		d, err := ReadDeadline(text, year, o)
		var e *Error
		switch {
		case err != nil && (!errors.As(err, &e) || !slices.Contains(Keys, e.Key)):
			t.Fatalf("%q: %v is not an Error of this package", text, err)
		case err == nil && d.Date.IsZero() != (d.Rule == ""):
			t.Fatalf("%q: date %s by rule %q", text, d.Date, d.Rule)
		case err == nil && d.Date.Before(d.Start):
			t.Fatalf("%q: from %s to %s", text, d.Start, d.Date)
		}
	})
}
