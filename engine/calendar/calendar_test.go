package calendar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bihuan/engine/calendar"
)

// The notices of the General Office of the State Council of 2020-11-25 (for 2021), 2022-12-08 (2023), 2023-10-25
// (2024), 2024-11-12 (2025) and 2025-11-04 (2026), typed from their text and not from the embedded list.
var notices = []struct {
	year        int
	name        string
	first, last string   // 放假, inclusive
	worked      []string // 调休上班
}{
	{2021, "元旦", "01-01", "01-03", nil},
	{2021, "春节", "02-11", "02-17", []string{"02-07", "02-20"}},
	{2021, "清明节", "04-03", "04-05", nil},
	{2021, "劳动节", "05-01", "05-05", []string{"04-25", "05-08"}},
	{2021, "端午节", "06-12", "06-14", nil},
	{2021, "中秋节", "09-19", "09-21", []string{"09-18"}},
	{2021, "国庆节", "10-01", "10-07", []string{"09-26", "10-09"}},
	{2023, "元旦", "01-01", "01-02", nil}, // and 2022-12-31, see TestKnownYears
	{2023, "春节", "01-21", "01-27", []string{"01-28", "01-29"}},
	{2023, "清明节", "04-05", "04-05", nil},
	{2023, "劳动节", "04-29", "05-03", []string{"04-23", "05-06"}},
	{2023, "端午节", "06-22", "06-24", []string{"06-25"}},
	{2023, "中秋节、国庆节", "09-29", "10-06", []string{"10-07", "10-08"}},
	{2024, "元旦", "01-01", "01-01", nil},
	{2024, "春节", "02-10", "02-17", []string{"02-04", "02-18"}},
	{2024, "清明节", "04-04", "04-06", []string{"04-07"}},
	{2024, "劳动节", "05-01", "05-05", []string{"04-28", "05-11"}},
	{2024, "端午节", "06-10", "06-10", nil},
	{2024, "中秋节", "09-15", "09-17", []string{"09-14"}},
	{2024, "国庆节", "10-01", "10-07", []string{"09-29", "10-12"}},
	{2025, "元旦", "01-01", "01-01", nil},
	{2025, "春节", "01-28", "02-04", []string{"01-26", "02-08"}},
	{2025, "清明节", "04-04", "04-06", nil},
	{2025, "劳动节", "05-01", "05-05", []string{"04-27"}},
	{2025, "端午节", "05-31", "06-02", nil},
	{2025, "国庆节、中秋节", "10-01", "10-08", []string{"09-28", "10-11"}},
	{2026, "元旦", "01-01", "01-03", []string{"01-04"}},
	{2026, "春节", "02-15", "02-23", []string{"02-14", "02-28"}},
	{2026, "清明节", "04-04", "04-06", nil},
	{2026, "劳动节", "05-01", "05-05", []string{"05-09"}},
	{2026, "端午节", "06-19", "06-21", nil},
	{2026, "中秋节", "09-25", "09-27", nil},
	{2026, "国庆节", "10-01", "10-07", []string{"09-20", "10-10"}},
}

func TestEmbeddedFollowsTheNotices(t *testing.T) {
	c := calendar.Embedded()
	rows := map[int]int{}
	for _, n := range notices {
		t.Run(fmt.Sprintf("%d %s", n.year, n.name), func(t *testing.T) {
			in := func(monthDay string) calendar.Date { return day(fmt.Sprintf("%d-%s", n.year, monthDay)) }
			check := func(d calendar.Date, work bool) {
				t.Helper()
				rows[n.year]++
				if got, known := c.Workday(d); got != work || !known {
					t.Errorf("%v %v: work %v, known %v; want %v, true", d, d.Weekday(), got, known, work)
				}
				if row, ok := c.Day(d); !ok || row.Off == work || row.Name != n.name || !strings.HasPrefix(row.Notice, "http") {
					t.Errorf("%v: row %+v, %v", d, row, ok)
				}
			}
			for d := in(n.first); !d.After(in(n.last)); d = d.AddDays(1) {
				check(d, false)
			}
			for _, w := range n.worked {
				check(in(w), true)
			}
		})
	}
	for year, want := range rows {
		if got := len(c.Days(year)); got != want {
			t.Errorf("%d has %d rows, its notice %d", year, got, want)
		}
	}
}

// 调休 moves days off but makes none: a year has its Mondays to Fridays less the statutory holidays, 11 up to 2024
// and 13 since (全国年节及纪念日放假办法, as revised in November 2024).
func TestWorkingDaysOfAYear(t *testing.T) {
	for year, want := range map[int]int{2021: 250, 2024: 251, 2025: 248, 2026: 248} {
		eve := calendar.NewDate(year-1, time.December, 31)
		if got, known := calendar.Embedded().Workdays(eve, calendar.NewDate(year, time.December, 31)); got != want || !known {
			t.Errorf("%d: %d working days, known %v; want %d", year, got, known, want)
		}
	}
}

func TestKnownYears(t *testing.T) {
	c := calendar.Embedded()
	if want := []int{2017, 2018, 2019, 2020, 2021, 2022, 2023, 2024, 2025, 2026}; !slices.Equal(c.Years(), want) {
		t.Errorf("years %v, want %v", c.Years(), want)
	}
	for _, year := range []int{0, 2016, 2027} {
		if c.Known(year) || len(c.Days(year)) > 0 {
			t.Errorf("%d must be unknown", year)
		}
	}
	tests := map[string]struct {
		date        string
		work, known bool
	}{
		"last day of the last list":       {"2026-12-31", true, true},
		"New Year 2027, a Friday, guess":  {"2027-01-01", true, false},
		"Saturday of an unknown year":     {"2027-01-02", false, false},
		"before the first list":           {"2016-12-30", true, false},
		"off by the next year's notice":   {"2018-12-31", false, true},
		"worked by next year's notice":    {"2018-12-29", true, true},
		"worked Monday, 2020 as amended":  {"2020-02-03", true, true},
		"off Friday, 2020 as amended":     {"2020-01-31", false, true},
		"plain Wednesday":                 {"2026-11-25", true, true},
		"plain Sunday":                    {"2026-11-22", false, true},
		"Labour Day 2019 as amended":      {"2019-05-03", false, true},
		"its worked Sunday":               {"2019-04-28", true, true},
		"weekend off with the year's end": {"2022-12-31", false, true},
	}
	for name, tt := range tests {
		if work, known := c.Workday(day(tt.date)); work != tt.work || known != tt.known {
			t.Errorf("%s: %s work %v, known %v; want %v, %v", name, tt.date, work, known, tt.work, tt.known)
		}
	}
	if work, known := c.Workday(calendar.Date{}); work || known {
		t.Error("no date is neither worked nor known")
	}
	var empty calendar.Calendar
	if work, known := empty.Workday(day("2026-10-01")); !work || known || len(empty.Years()) > 0 {
		t.Error("an empty calendar must know nothing and assume a Thursday worked")
	}
}

// list2027 is a made-up list, whole by its 春节 and 国庆节.
func list2027(extra ...calendar.Day) []calendar.Day {
	return append([]calendar.Day{
		{Date: day("2027-10-01"), Name: "国庆节", Off: true},
		{Date: day("2027-02-05"), Name: "春节", Off: true},
		{Date: day("2027-02-06"), Name: "春节", Off: false},
	}, extra...)
}

func TestWithReplacesYearsWhole(t *testing.T) {
	base := calendar.Embedded()
	days := list2027()
	c, err := base.With(days)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Known(2027) || !c.Known(2026) || base.Known(2027) {
		t.Error("2027 must be known to the new calendar only, and 2026 stay known")
	}
	if got := c.Days(2027); len(got) != 3 || got[0].Date != day("2027-02-05") {
		t.Errorf("2027: %v, want the three rows sorted", got)
	}
	if work, known := c.Workday(day("2027-02-06")); !work || !known {
		t.Error("the worked Saturday of 2027 is lost")
	}

	// Neither what went in nor what came out gives a handle on the calendar.
	days[0].Off, c.Days(2027)[0].Off = false, false
	if work, _ := c.Workday(day("2027-10-01")); work || !c.Days(2027)[0].Off {
		t.Error("the calendar was changed from outside")
	}

	again, err := c.With([]calendar.Day{
		{Date: day("2027-02-08"), Name: "春节", Off: true}, {Date: day("2027-10-01"), Name: "国庆节、中秋节", Off: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.Day(day("2027-02-06")); ok || len(again.Days(2027)) != 2 {
		t.Errorf("rows of the old list survived: %v", again.Days(2027))
	}
	if n, _ := again.Workdays(day("2026-12-31"), day("2027-12-31")); n != 261-2 {
		t.Errorf("2027 has %d working days, want 259", n)
	}
}

func TestWithRefuses(t *testing.T) {
	tests := map[string]struct {
		days []calendar.Day
		want []string // one English sentence each
	}{
		"no date":             {list2027(calendar.Day{Name: "元旦", Off: true}), []string{"row 4 has no date"}},
		"no name":             {list2027(calendar.Day{Date: day("2027-01-01"), Name: " ", Off: true}), []string{"2027-01-01 has no holiday name"}},
		"twice":               {list2027(calendar.Day{Date: day("2027-02-06"), Name: "春节", Off: true}), []string{"2027-02-06 occurs more than once"}},
		"cut off":             {list2027()[1:], []string{"the list of 2027 is not whole: no day off for 国庆"}},
		"days of next notice": {list2027(calendar.Day{Date: day("2026-12-31"), Name: "元旦", Off: true}), []string{"the list of 2026 is not whole: no day off for 春节、国庆"}},
		"worked days only":    {[]calendar.Day{{Date: day("2027-02-06"), Name: "春节"}, {Date: day("2027-10-09"), Name: "国庆节"}}, []string{"no day off for 春节、国庆"}},
		"several": {[]calendar.Day{{}, {Date: day("2027-01-01"), Off: true}, {Date: day("2027-01-01"), Name: "元旦", Off: true}},
			[]string{"row 1 has no date", "has no holiday name", "more than once", "the list of 2027 is not whole"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := calendar.Embedded().With(tt.days)
			if c != nil || err == nil {
				t.Fatalf("got %v, %v; want a refusal", c, err)
			}
			mistakes := calendar.Mistakes(err)
			if len(mistakes) != len(tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(mistakes[i].In("en"), want) || mistakes[i].ZH == "" {
					t.Errorf("got %q (%q), want %q", mistakes[i], mistakes[i].In("zh-CN"), want)
				}
			}
		})
	}
}

func TestJoinKeepsTheListThatANoticeReachesBackInto(t *testing.T) {
	base := calendar.Embedded()
	notice := list2027(
		calendar.Day{Date: day("2026-12-31"), Name: "元旦", Off: true},
		calendar.Day{Date: day("2026-10-10"), Name: "国庆节", Off: false, Notice: "amended"},
	)
	joined := base.Join(notice)
	if len(notice) != 5 || notice[0].Date != day("2027-10-01") {
		t.Error("Join changed its argument")
	}
	c, err := base.With(joined)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(c.Days(2026)), len(base.Days(2026))+1; got != want {
		t.Errorf("2026 has %d rows, want %d", got, want)
	}
	if row, _ := c.Day(day("2026-10-10")); row.Notice != "amended" {
		t.Errorf("the newer row must win, got %+v", row)
	}
	if work, known := c.Workday(day("2026-12-31")); work || !known {
		t.Error("2026-12-31 must be off")
	}
	whole := list2027()
	if got := base.Join(whole); len(got) != 3 || got[0].Date != day("2027-02-05") || whole[0].Date != day("2027-10-01") {
		t.Errorf("a whole list %v must come back as it is, sorted, got %v", whole, got)
	}
	spill := []calendar.Day{{Date: day("2027-12-31"), Name: "元旦", Off: true}}
	if got := base.Join(spill); len(got) != 1 {
		t.Errorf("rows were made up for an unknown year: %v", got)
	}
}
