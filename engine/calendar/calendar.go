package calendar

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Day is one row of a holiday notice: a day that is not what its weekday says, or a weekend day that belongs to
// a holiday.
type Day struct {
	Date   Date   `json:"date"`
	Name   string `json:"name"`             // the holiday, as the notice calls it: 春节
	Off    bool   `json:"off"`              // true 放假, false 调休上班
	Notice string `json:"notice,omitempty"` // address of the State Council's notice, or several, parted by spaces
}

// Calendar knows the working days of the years whose lists are loaded. It is immutable and safe for concurrent
// use. The zero value knows no year.
type Calendar struct {
	days  map[Date]Day
	years map[int][]Day // of the known years, sorted by date

	// The days on which the calendar differs from Monday–Friday, sorted, and how many working days they add
	// (negative: take away) in all up to and including each. With these a count over any span is two look-ups.
	exceptions []int32
	surplus    []int32
}

//go:embed holidays.csv
var holidays []byte

var embedded = sync.OnceValue(func() *Calendar {
	days, err := ParseCSV(bytes.NewReader(holidays))
	if err != nil {
		panic(fmt.Sprintf("calendar: holidays.csv: %v", err)) // embedded at build time, read by every test
	}
	c, err := new(Calendar).With(days)
	if err != nil {
		panic(fmt.Sprintf("calendar: holidays.csv: %v", err))
	}
	return c
})

// Embedded returns the calendar of the years 2017 to 2026 that the program carries.
func Embedded() *Calendar { return embedded() }

// With returns a new calendar in which each year that occurs in days is replaced whole. It refuses, with every
// Mistake joined: a row without a date or a holiday's name, two rows of one date, and a year whose list is not
// whole (see Join). On an error the calendar is nil.
func (c *Calendar) With(days []Day) (*Calendar, error) {
	var mistakes []error
	refuse := func(zh, en string, args ...any) {
		mistakes = append(mistakes, &Mistake{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)})
	}
	seen := make(map[Date]bool, len(days))
	for i, day := range days {
		if day.Date.IsZero() {
			refuse("第 %d 条没有日期", "row %d has no date", i+1)
			continue
		}
		if strings.TrimSpace(day.Name) == "" {
			refuse("%s 没有节日名称", "%s has no holiday name", day.Date)
		}
		if seen[day.Date] {
			refuse("%s 出现了不止一次", "%s occurs more than once", day.Date)
		}
		seen[day.Date] = true
	}
	lists := byYear(days)
	for _, year := range slices.Sorted(maps.Keys(lists)) {
		if absent := missing(lists[year]); len(absent) > 0 {
			refuse("%d 年的安排不完整,缺少%s的放假日;只有跨年的几天时,请与该年原有的安排一并提交",
				"the list of %d is not whole: no day off for %s; a few days at the year's end must come with the year's own list",
				year, strings.Join(absent, "、"))
		}
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	years := maps.Clone(c.years)
	if years == nil {
		years = make(map[int][]Day, len(lists))
	}
	maps.Copy(years, lists)
	return build(years), nil
}

// Join prepares a notice that reaches back over New Year for With, and for a store that replaces years whole:
// to a year of which days has only part of a list, it adds the rows that c has for that year, except on dates
// that days rules itself. Years that are whole in days, or unknown to c, stay as they are. The result is sorted
// by date; days is not changed.
func (c *Calendar) Join(days []Day) []Day {
	joined := slices.Clone(days)
	ruled := make(map[Date]bool, len(days))
	for _, day := range days {
		ruled[day.Date] = true
	}
	for year, list := range byYear(days) {
		if len(missing(list)) == 0 {
			continue
		}
		for _, day := range c.years[year] {
			if !ruled[day.Date] {
				joined = append(joined, day)
			}
		}
	}
	sortDays(joined)
	return joined
}

// byYear parts the days that have a date into years, each a sorted list of its own.
func byYear(days []Day) map[int][]Day {
	lists := make(map[int][]Day)
	for _, day := range days {
		if !day.Date.IsZero() {
			lists[day.Date.Year()] = append(lists[day.Date.Year()], day)
		}
	}
	for _, list := range lists {
		sortDays(list)
	}
	return lists
}

func sortDays(days []Day) {
	slices.SortStableFunc(days, func(a, b Day) int { return a.Date.Compare(b.Date) })
}

// missing returns the holidays whose absence shows that a year's list is not whole: one near its beginning, one
// near its end, both in every notice. A few days that another year's notice rules have neither.
func missing(list []Day) []string {
	var absent []string
	for _, holiday := range []string{"春节", "国庆"} {
		if !slices.ContainsFunc(list, func(d Day) bool { return d.Off && strings.Contains(d.Name, holiday) }) {
			absent = append(absent, holiday)
		}
	}
	return absent
}

func build(years map[int][]Day) *Calendar {
	c := &Calendar{days: make(map[Date]Day), years: years}
	var sum int32
	for _, year := range slices.Sorted(maps.Keys(years)) {
		for _, day := range years[year] {
			c.days[day.Date] = day
			switch onWeekday := weekday(day.Date); {
			case onWeekday && day.Off:
				sum--
			case !onWeekday && !day.Off:
				sum++
			default:
				continue
			}
			c.exceptions = append(c.exceptions, day.Date.n)
			c.surplus = append(c.surplus, sum)
		}
	}
	return c
}

func weekday(d Date) bool {
	w := d.Weekday()
	return w != time.Saturday && w != time.Sunday
}

// Years returns the known years in ascending order.
func (c *Calendar) Years() []int { return slices.Sorted(maps.Keys(c.years)) }

// Known reports whether the year's list is loaded.
func (c *Calendar) Known(year int) bool { return c.years[year] != nil }

// Days returns the rows of a year, sorted by date; none for an unknown year. The slice is the caller's own.
func (c *Calendar) Days(year int) []Day { return slices.Clone(c.years[year]) }

// Day returns the notice's own row for d, if it has one.
func (c *Calendar) Day(d Date) (Day, bool) {
	day, ok := c.days[d]
	return day, ok
}

// Workday reports whether d is a working day, and whether its year is known; in an unknown year Monday to
// Friday are assumed. "No date" is neither.
func (c *Calendar) Workday(d Date) (work, known bool) {
	if d.IsZero() {
		return false, false
	}
	if day, ok := c.days[d]; ok {
		return !day.Off, true
	}
	return weekday(d), c.Known(d.Year())
}

// AddWorkdays returns the n-th working day after d, or before d for a negative n; n = 0 gives d itself, whether
// it is worked or not. known is false when any day after d (before d) up to the result lies in an unknown year,
// and then the date is a guess. "No date" gives "no date" and false.
func (c *Calendar) AddWorkdays(d Date, n int) (result Date, known bool) {
	switch {
	case d.IsZero() || !within(n):
		return Date{}, false
	case n == 0:
		return d, true
	case n > 0:
		result = c.nth(c.until(d.n) + n)
		return result, !result.IsZero() && c.knows(d.n+1, result.n)
	default:
		result = c.nth(c.until(d.n-1) + n + 1)
		return result, !result.IsZero() && c.knows(result.n, d.n-1)
	}
}

// Workdays returns the number of working days in (from, to], that is from the day after from up to and including
// to; when to is before from, minus the number in (to, from]. So Workdays(deadline, today) is how many working
// days late today is, and Workdays(today, deadline) how many are left. known is false when any day counted over
// lies in an unknown year. With "no date" the answer is 0 and false.
func (c *Calendar) Workdays(from, to Date) (n int, known bool) {
	if from.IsZero() || to.IsZero() {
		return 0, false
	}
	n = c.until(to.n) - c.until(from.n)
	if to.Before(from) {
		from, to = to, from
	}
	return n, c.knows(from.n+1, to.n)
}

// until returns the number of working days from 0001-01-01, a Monday, up to and including day n.
func (c *Calendar) until(n int32) int {
	count := n/7*5 + min(n%7, 5)
	if i, found := slices.BinarySearch(c.exceptions, n); found {
		count += c.surplus[i]
	} else if i > 0 {
		count += c.surplus[i-1]
	}
	return int(count)
}

// nth returns the k-th working day since 0001-01-01, counted from 1, or "no date" when there is none.
func (c *Calendar) nth(k int) Date {
	if k < 1 {
		return Date{}
	}
	// until never falls, so the first day that reaches k is the working day sought.
	return fromDays(1 + int64(sort.Search(lastDay, func(i int) bool { return c.until(int32(i)+1) >= k })))
}

// knows reports whether every day from first to last lies in a known year; no day at all is no unknown one.
func (c *Calendar) knows(first, last int32) bool {
	if first > last {
		return true
	}
	for year := (Date{first}).Year(); year <= (Date{last}).Year(); year++ {
		if !c.Known(year) {
			return false
		}
	}
	return true
}
