package ledger

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// maxDeadline is the length in runes over which a text is a description, not a deadline; it also bounds the work.
const maxDeadline = 500

// What a rule answers when its pattern matched and there is no date in it after all.
var (
	errInvalid = errors.New(KeyDeadlineInvalid)
	errNoYear  = errors.New(KeyDeadlineNoYear)
	errNoTerm  = errors.New(KeyDeadlineNoTerm)
)

// none matches what people write to say that there is nothing to write.
var none = regexp.MustCompile(`^[-/\\.。无]+$`)

// anchored are the rules' patterns, each held to the start of what it is given.
var anchored = func() []*regexp.Regexp {
	list := make([]*regexp.Regexp, len(rules))
	for i, r := range rules {
		list[i] = regexp.MustCompile("^(?:" + r.pattern + ")")
	}
	return list
}()

// Rules lists the ids that Deadline.Rule can have, in the order in which the rules are tried.
func Rules() []string {
	var ids []string
	seen := map[string]bool{}
	for _, r := range rules {
		if !seen[r.id] {
			seen[r.id] = true
			ids = append(ids, r.id)
		}
	}
	return append(ids, ruleExcelDate)
}

// Rules that need more than their pattern.
const (
	ruleYears     = "years"      // a duration, and nothing else, is in the cell
	ruleExcelDate = "excel-date" // a date cell of a workbook: no text had to be understood
)

// ReadDeadline reads a deadline as people write it, "12月底前" or "2022-06-30". Bare months are taken in year, or
// in o.Year, or in the year of o.Today. An empty text gives the zero Deadline. Of several dates the latest counts
// and the others are in Also. The error is an *Error; a text without any date ("长期坚持") is one.
func ReadDeadline(text string, year int, o Options) (Deadline, error) {
	p := period{year: year, academic: o.AcademicYear}
	if p.year == 0 {
		p.year = o.Year
	}
	if p.year == 0 {
		p.year, _ = yearMonth(o.Today)
		p.academic = false
	}
	d, refused := readDeadline(text, p, o.withDefaults())
	if refused != nil {
		return Deadline{}, refused
	}
	return d, nil
}

func readDeadline(text string, p period, o Options) (Deadline, *Error) {
	text = trim(text)
	s := plain(cutRunes(text, maxDeadline+1))
	if s == "" || none.MatchString(s) {
		return Deadline{Text: text}, nil
	}
	refuse := func(key string) *Error {
		return fail(key, 0, "text", message.Short(text))
	}
	if utf8.RuneCountInString(text) > maxDeadline {
		return Deadline{}, refuse(KeyDeadlineUnreadable)
	}
	var (
		best   Deadline
		how    string
		phrase string
	)
	for scan := (scanner{text: s, limit: maxPlaces}); ; {
		r, groups, ok := scan.next()
		if scan.places > scan.limit {
			return Deadline{}, refuse(KeyDeadlineUnreadable)
		}
		if !ok {
			break
		}
		got, err := r.read(groups, reading{period: p, today: o.Today, terms: o.TermEnds})
		if err != nil {
			return Deadline{}, refuse(err.Error())
		}
		if got.year > 0 {
			p = period{year: got.year} // "2022年3月开工，12月底完工": the second month is in the same year
		}
		switch {
		case best.Rule == "":
		case best.Date.After(got.end):
			best.Also = append(best.Also, groups[0])
			continue
		default:
			best.Also = append(best.Also, phrase)
		}
		best.Date, best.Start, best.Rule = got.end, got.start, r.id
		how, phrase = got.how, groups[0]
	}
	if best.Rule == "" {
		if number.MatchString(s) {
			return Deadline{}, refuse(KeyDeadlineNumber)
		}
		return Deadline{}, refuse(KeyDeadlineUnreadable)
	}
	best.Text = text
	best.say(how)
	return best, nil
}

var number = regexp.MustCompile(`^\d+(\.\d+)?$`)

// say sets the sentence that shows a person how the text was read.
func (d *Deadline) say(how string) {
	if len(d.Also) > 0 {
		how += "；同格另有“" + strings.Join(d.Also, "”“") + "”，取最晚的日期"
	}
	when := d.Date.String()
	if !d.Start.IsZero() {
		when = d.Start.String() + " 至 " + when
	}
	d.Reading = fmt.Sprintf("“%s”→ %s（%s）", message.Short(d.Text), when, how)
}

// Bounds of the search: with them no text costs more than a fraction of a millisecond, however it was made. A text
// with more places is refused as a whole, because the latest date may be among those not looked at.
const (
	maxPlaces = 24  // places in one text where a date may begin; a deadline has a handful
	window    = 160 // bytes that a rule looks at; the longest phrase that any rule matches is shorter
)

// scanner goes through a text from date to date.
type scanner struct {
	text   string
	limit  int // of places
	pos    int
	places int
}

// next returns the next rule that matches, and its groups. Of several that match at one place the first in the
// table wins. A match never begins inside a longer number, as in 12022.6; that it does not end inside one is the
// patterns' care.
func (sc *scanner) next() (rule, []string, bool) {
	for sc.pos < len(sc.text) && sc.places <= sc.limit {
		rest := sc.text[sc.pos:]
		skip := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if skip == 0 && !starts(rest) || skip > 0 && !goesOn(rest[skip:], skip) {
			_, n := utf8.DecodeRuneInString(rest)
			sc.pos += max(n, skip)
			continue
		}
		if sc.places++; sc.places > sc.limit {
			break
		}
		for i, re := range anchored {
			if rules[i].id == ruleYears && sc.pos > 0 {
				continue
			}
			if g := re.FindStringSubmatch(rest[:min(len(rest), window)]); g != nil {
				sc.pos += len(g[0])
				return rules[i], g, true
			}
		}
		if skip == 0 {
			_, skip = utf8.DecodeRuneInString(rest)
		}
		sc.pos += skip
	}
	return rule{}, nil, false
}

// starters begin every phrase of the rules that does not begin with a digit.
var starters = strings.Fields("今年 本年 当年 明年 次年 来年 翌年 下年 上半年 下半年 第 Q q 逐 按 每 本学 这 当前学期 全学年 整 学年 学期 期末 年底 年末 年终 年内 年度内 全年 岁末 春 秋")

// goesOn reports whether a run of digits can begin a phrase, by what stands behind it.
func goesOn(after string, digits int) bool {
	r, _ := utf8.DecodeRuneInString(after)
	return digits == 6 || digits == 8 || strings.ContainsRune("年月-./至到、季学", r)
}

func starts(s string) bool {
	for _, w := range starters {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

func cutRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// span is what a rule understood.
type span struct {
	start, end calendar.Date
	how        string // the convention, in Chinese
	year       int    // the year, when the text itself wrote one in digits
}

// reading is what a rule may look at beside the text.
type reading struct {
	period
	today calendar.Date
	terms TermEnds
}
