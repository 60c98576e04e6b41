package ledger

import (
	"fmt"
	"strconv"
	"strings"

	"bihuan/engine/calendar"
)

// rule turns one way of writing a deadline into a date.
type rule struct {
	id      string // stable: it is stored and shown
	pattern string // on the text as plain leaves it
	read    func(g []string, r reading) (span, error)
}

// Pieces of the patterns. year has two groups, month and date one each, part one.
const (
	year  = `(?:(\d{4}|\d{2})年度?|(今年|本年度?|当年|明年|次年|来年|翌年|下年度?))`
	month = `(\d{1,2})月份?`
	sep   = `(?:-|至|到)`
	upTo  = `(?:[之以]?前|止)`
	// "9月2座" is September and two of something: a day must say that it is one.
	date = `(\d{1,2})(?:[日号]|` + upTo + `|$)`
	// 初 and 中 also begin words (9月中小学开学), so they only count before 前, 完成 or the end.
	part = `(上旬|中旬|下旬|月?[底末]|[初中](?:[之以]?前|完成|$))`
)

// rules is the table of conventions. Where two match at the same place the earlier wins, so the specific stand
// before the general.
var rules = []rule{
	{"term", `(?:(\d{4})-\d{4}学年度?)?第?([12])学期`, func(g []string, r reading) (span, error) {
		return r.term(num(g[1]), g[2] == "1")
	}},
	{"term", `(?:(\d{4})年)?([春秋])季?学期`, readSeason},
	{"term", `(?:本|这个?|当前)学期|学期[末内]|期末`, func(_ []string, r reading) (span, error) {
		return r.thisTerm()
	}},
	{"academic-year", `(?:(\d{4})-\d{4})?(?:本|全|整个?)?学年度?[底末内]?`, readAcademicYear},
	{"year-span", `(\d{4})年?` + sep + `(\d{4})年`, func(g []string, r reading) (span, error) {
		return r.months(ends{y: g[1], m: "1"}, ends{y: g[2], m: "12"})
	}},
	{"date-span", `(\d{4})[-./](\d{1,2})[-./](\d{1,2})` + sep + `(?:(\d{4})[-./])?(\d{1,2})[-./](\d{1,2})\b`, readNumericDates},
	{"month-span", `(\d{4})[-./](\d{1,2})` + sep + `(\d{4})[-./](\d{1,2})\b`, readNumericMonths},
	// One separator throughout: 2022.3-12 is March to December.
	{"date", `(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2}))\b`, func(g []string, r reading) (span, error) {
		return exact(num(g[1]), num(g[2]+g[4]+g[6]), num(g[3]+g[5]+g[7]), num(g[1]))
	}},
	{"month-span", `(\d{4})\.(\d{1,2})-(\d{1,2})\b`, func(g []string, r reading) (span, error) {
		return r.months(ends{y: g[1], m: g[2]}, ends{m: g[3]})
	}},
	{"date", `(20\d{2})(0[1-9]|1[0-2])([0-3]\d)\b`, func(g []string, r reading) (span, error) {
		return exact(num(g[1]), num(g[2]), num(g[3]), num(g[1]))
	}},
	{"month-span", year + `?` + month + `(?:(\d{1,2})[日号])?` + part + `?` + sep + year + `?` + month + `(?:` + date + `)?` + part + `?`,
		func(g []string, r reading) (span, error) {
			return r.months(ends{g[1], g[2], g[3], g[4], g[5]}, ends{g[6], g[7], g[8], g[9], g[10]})
		}},
	{"date-span", year + `?` + month + `(\d{1,2})[日号]?` + sep + `(\d{1,2})[日号]`, func(g []string, r reading) (span, error) {
		return r.months(ends{y: g[1], word: g[2], m: g[3], d: g[4]}, ends{m: g[3], d: g[5]})
	}},
	{"month-span", year + `?(\d{1,2})(?:` + sep + `|、)` + month + part + `?`, func(g []string, r reading) (span, error) {
		return r.months(ends{y: g[1], word: g[2], m: g[3]}, ends{m: g[4], part: g[5]})
	}},
	{"month-day", year + `?` + month + date, func(g []string, r reading) (span, error) {
		y, written, err := r.resolve(g[1], g[2], num(g[3]))
		if err != nil {
			return span{}, err
		}
		return exact(y, num(g[3]), num(g[4]), written)
	}},
	{"month-end", year + `?` + month + `月?[底末]`, func(g []string, r reading) (span, error) {
		return r.month(g[1], g[2], g[3], "按当月最后一日")
	}},
	{"month-part", year + `?` + month + part, readMonthPart},
	{"before-month", year + `?` + month + `[之以]?前`, func(g []string, r reading) (span, error) {
		s, err := r.month(g[1], g[2], g[3], "“某月前”按上月最后一日")
		if err != nil {
			return s, err
		}
		y, m := yearMonth(s.end)
		first, _ := day(y, m, 1)
		s.end = first.AddDays(-1)
		return s, nil
	}},
	{"month", year + `?` + month, func(g []string, r reading) (span, error) {
		return r.month(g[1], g[2], g[3], "只写到月，按当月最后一日")
	}},
	{"year-month", `(\d{4})[-./](\d{1,2})\b`, func(g []string, r reading) (span, error) {
		return r.month(g[1], "", g[2], "只写到月，按当月最后一日")
	}},
	{"year-month", `(20\d{2})(0[1-9]|1[0-2])\b`, func(g []string, r reading) (span, error) {
		return r.month(g[1], "", g[2], "只写到月，按当月最后一日")
	}},
	{"half-year", year + `?([上下])半年`, func(g []string, r reading) (span, error) {
		if g[3] == "上" {
			return r.block(g[1], g[2], 1, 6, "上半年至6月30日")
		}
		return r.block(g[1], g[2], 7, 12, "下半年至12月31日")
	}},
	{"quarter", year + `?第?([1-4])(?:季度)?(?:` + sep + `|、)第?([1-4])季度`, func(g []string, r reading) (span, error) {
		if num(g[4]) < num(g[3]) {
			return span{}, errInvalid
		}
		return r.block(g[1], g[2], 3*num(g[3])-2, 3*num(g[4]), "按季度最后一日")
	}},
	{"quarter", year + `?(?:第?([1-4])季度|[Qq]([1-4]))`, func(g []string, r reading) (span, error) {
		q := num(g[3] + g[4])
		return r.block(g[1], g[2], 3*q-2, 3*q, "按季度最后一日")
	}},
	{"recurring", `逐月|按月|每个?月|逐季度?|按季度?|每个?季度?|逐周|每周|每半年|每个?学期`, func(_ []string, r reading) (span, error) {
		return r.whole("按期推进的工作，以期末为限")
	}},
	{"all-year", year + `?(?:全年度?|整年|年度内)`, func(g []string, r reading) (span, error) {
		if g[1] == "" && g[2] == "" {
			return r.whole("按全年")
		}
		return r.block(g[1], g[2], 1, 12, "按全年")
	}},
	{"year-end", `(?:` + year + `(?:年?[底末终内]|以内|之内)|年[底末终内]|岁末)`, func(g []string, r reading) (span, error) {
		return r.yearEnd(g[1], g[2], 0, "按12月31日")
	}},
	{"before-year", `(?:(\d{4})年)` + upTo, func(g []string, r reading) (span, error) {
		s, err := r.yearEnd(g[1], "", -1, "“某年前”按上一年12月31日")
		s.year = 0
		return s, err
	}},
	{ruleYears, `([1-9])年(?:期|内)?$`, func(g []string, r reading) (span, error) {
		return r.years(num(g[1]))
	}},
	{"year", `(?:(\d{4})年度?|(今年|本年度?|当年|明年|次年|来年|翌年|下年度))`, func(g []string, r reading) (span, error) {
		return r.yearEnd(g[1], g[2], 0, "只写到年，按12月31日")
	}},
}

// ends is one end of a span as written.
type ends struct{ y, word, m, d, part string }

func num(s string) int {
	n, _ := strconv.Atoi(s) // the patterns admit digits only; empty is 0
	return n
}

func exact(y, m, d, written int) (span, error) {
	end, ok := day(y, m, d)
	if !ok {
		return span{}, errInvalid
	}
	return span{end: end, how: "按所写日期", year: written}, nil
}

// resolve returns the calendar year of a month, and that year again when the text wrote it in digits.
func (r reading) resolve(digits, word string, month int) (y, written int, err error) {
	if digits != "" {
		y = num(digits)
		if len(digits) == 2 {
			y += 2000
		}
		return y, y, nil
	}
	if r.year == 0 {
		return 0, 0, errNoYear
	}
	switch {
	case word == "":
		return r.yearOf(month), 0, nil
	case strings.ContainsAny(word, "明次来翌下"):
		return r.year + 1, 0, nil
	}
	return r.year, 0, nil
}

// month reads a month to its last day.
func (r reading) month(digits, word, m, how string) (span, error) {
	y, written, err := r.resolve(digits, word, num(m))
	if err != nil {
		return span{}, err
	}
	s, err := exact(y, num(m), monthEnd(y, num(m)), written)
	s.how = how
	return s, err
}

// partDay returns the day of the month that a part of it ends on.
func partDay(y, m int, part string) (int, string) {
	switch {
	case strings.HasPrefix(part, "上旬"):
		return 10, "上旬按10日"
	case strings.HasPrefix(part, "中旬"):
		return 20, "中旬按20日"
	case strings.HasPrefix(part, "初"):
		return 10, "月初按10日"
	case strings.HasPrefix(part, "中"):
		return 15, "月中按15日"
	case strings.HasPrefix(part, "下旬"):
		return monthEnd(y, m), "下旬按当月最后一日"
	}
	return monthEnd(y, m), "按当月最后一日"
}

func readMonthPart(g []string, r reading) (span, error) {
	y, written, err := r.resolve(g[1], g[2], num(g[3]))
	if err != nil {
		return span{}, err
	}
	d, how := partDay(y, num(g[3]), g[4])
	s, err := exact(y, num(g[3]), d, written)
	s.how = how
	return s, err
}

// months reads a span of months or days. A year written at one end serves both; where the months run backwards
// ("11月-2月") the span crosses New Year.
func (r reading) months(a, b ends) (span, error) {
	am, bm := num(a.m), num(b.m)
	ay, awritten, aerr := r.resolve(a.y, a.word, am)
	by, bwritten, berr := r.resolve(b.y, b.word, bm)
	back := 0
	if bm < am {
		back = 1
	}
	switch given := b.y != "" || b.word != ""; {
	case a.y == "" && a.word == "" && given && berr == nil:
		ay, aerr = by-back, nil
	case !given && aerr == nil && (a.y != "" || a.word != "" || by < ay || by == ay && back == 1):
		by, berr = ay+back, nil
	}
	if aerr != nil {
		return span{}, aerr
	}
	if berr != nil {
		return span{}, berr
	}
	ad, bd, how := num(a.d), num(b.d), "按所写日期"
	if ad == 0 {
		ad = startOfPart(a.part)
	}
	if bd == 0 {
		bd, how = partDay(by, bm, b.part)
		if b.part == "" {
			how = "按最后一个月的最后一日"
		}
	}
	start, ok := day(ay, am, ad)
	end, ok2 := day(by, bm, bd)
	if !ok || !ok2 || end.Before(start) {
		return span{}, errInvalid
	}
	return span{start: start, end: end, how: how, year: max(awritten, bwritten)}, nil
}

func startOfPart(part string) int {
	switch {
	case strings.HasPrefix(part, "中旬"):
		return 11
	case strings.HasPrefix(part, "下旬"):
		return 21
	case strings.HasPrefix(part, "中"):
		return 15
	}
	return 1
}

func readNumericDates(g []string, r reading) (span, error) {
	y := num(g[1])
	start, ok := day(y, num(g[2]), num(g[3]))
	if g[4] != "" {
		y = num(g[4])
	}
	end, ok2 := day(y, num(g[5]), num(g[6]))
	if !ok || !ok2 || end.Before(start) {
		return span{}, errInvalid
	}
	return span{start: start, end: end, how: "按所写日期", year: y}, nil
}

func readNumericMonths(g []string, r reading) (span, error) {
	return r.months(ends{y: g[1], m: g[2]}, ends{y: g[3], m: g[4]})
}

// block reads a run of whole months of one calendar year. In an academic year its last month decides which.
func (r reading) block(digits, word string, from, to int, how string) (span, error) {
	y, written, err := r.resolve(digits, word, to)
	if err != nil {
		return span{}, err
	}
	start, ok := day(y, from, 1)
	end, ok2 := day(y, to, monthEnd(y, to))
	if !ok || !ok2 {
		return span{}, errInvalid
	}
	return span{start: start, end: end, how: how, year: written}, nil
}

func (r reading) yearEnd(digits, word string, shift int, how string) (span, error) {
	y, written, err := r.resolve(digits, word, 12)
	if err != nil {
		return span{}, err
	}
	s, err := exact(y+shift, 12, 31, written)
	s.how = how
	return s, err
}

// whole reads the ledger's own year from end to end; an academic year ends with its spring term, because nobody
// is there to deliver to afterwards.
func (r reading) whole(how string) (span, error) {
	return r.run(1, how)
}

// years reads a duration such as 建设周期 "一年". The text names no start; the year of the ledger is the only one
// known, so the first year is that of the ledger.
func (r reading) years(n int) (span, error) {
	if r.academic {
		return r.run(n, fmt.Sprintf("建设周期%d年，自学年之初起，到春季学期结束之日", n))
	}
	return r.run(n, fmt.Sprintf("建设周期%d年，自当年1月1日起", n))
}

func (r reading) run(n int, how string) (span, error) {
	if r.year == 0 {
		return span{}, errNoYear
	}
	if r.academic {
		return r.academicYear(r.year, n, how)
	}
	start, ok := day(r.year, 1, 1)
	end, ok2 := day(r.year+n-1, 12, 31)
	if !ok || !ok2 {
		return span{}, errInvalid
	}
	return span{start: start, end: end, how: how}, nil
}

func (r reading) academicYear(from, n int, how string) (span, error) {
	start, ok := day(from, 9, 1)
	end, ok2 := r.termEnd(from+n, false)
	if !ok || !ok2 {
		return span{}, errInvalid
	}
	return span{start: start, end: end, how: how}, nil
}

// termEnd returns the last day of the spring term of year y, or of the autumn term that begins in year y.
func (r reading) termEnd(y int, autumn bool) (calendar.Date, bool) {
	if !autumn {
		return day(y, r.terms.Spring.Month, r.terms.Spring.Day)
	}
	if r.terms.Autumn.Month <= 6 {
		y++
	}
	return day(y, r.terms.Autumn.Month, r.terms.Autumn.Day)
}

// term reads the first (autumn) or second (spring) term of the academic year that begins in from; 0 is the
// ledger's own. In a ledger of a calendar year the terms are those that begin in it.
func (r reading) term(from int, autumn bool) (span, error) {
	y := from
	switch {
	case from == 0 && r.year == 0:
		return span{}, errNoYear
	case from == 0:
		y = r.year
		if r.academic && !autumn {
			y++
		}
	case !autumn:
		y++
	}
	return r.endOfTerm(y, autumn)
}

func (r reading) endOfTerm(y int, autumn bool) (span, error) {
	end, ok := r.termEnd(y, autumn)
	if !ok {
		return span{}, errInvalid
	}
	name := "春季"
	if autumn {
		name = "秋季"
	}
	return span{end: end, how: fmt.Sprintf("按%d年%s学期结束之日", y, name)}, nil
}

func readSeason(g []string, r reading) (span, error) {
	autumn := g[2] == "秋"
	if g[1] != "" {
		return r.endOfTerm(num(g[1]), autumn)
	}
	return r.term(0, autumn)
}

// thisTerm reads "本学期" by today. A ledger of another year is refused: which of its terms was meant cannot be
// known, and today's would be wrong.
func (r reading) thisTerm() (span, error) {
	y, m := yearMonth(r.today)
	if y == 0 {
		return span{}, errNoTerm
	}
	autumn := true
	if last, ok := r.termEnd(y-1, true); !ok || r.today.After(last) {
		spring, ok := r.termEnd(y, false)
		autumn = ok && r.today.After(spring)
	} else {
		y-- // still in the autumn term of last year
	}
	began := y
	if !autumn {
		began-- // the academic year began in the autumn before
	}
	known := r.year == 0 || r.academic && r.year == began || !r.academic && (r.year == y || autumn && m < 9 && r.year == y+1)
	if !known {
		return span{}, errNoTerm
	}
	return r.endOfTerm(y, autumn)
}

func readAcademicYear(g []string, r reading) (span, error) {
	from := num(g[1])
	switch {
	case from > 0:
	case r.academic:
		from = r.year
	default:
		y, m := yearMonth(r.today)
		if m < 9 {
			y--
		}
		if y <= 0 || r.year != 0 && r.year != y && r.year != y+1 {
			return span{}, errNoTerm
		}
		from = y
	}
	return r.academicYear(from, 1, fmt.Sprintf("按%d—%d学年春季学期结束之日", from, from+1))
}
