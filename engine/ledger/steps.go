package ledger

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bihuan/engine/message"
)

// Step is a dated step out of a cell that holds several: a milestone of the item.
type Step struct {
	Title    string   // what is to be reached, at most maxStep runes; the cell keeps the whole text
	Deadline Deadline // Text is what was read as the date
	Who      string   // the unit written beside it, where an item's lines name units of their own
}

// Bounds of the search for steps, in one cell and in one file: a plan has a dozen, and a text that only looks like one
// must not cost minutes.
const (
	maxStep       = 100 // runes
	maxSteps      = 60
	maxStepText   = 4000 // runes of a cell that are searched
	maxStepPlaces = 200_000
)

// marker is how the parts of a text in one cell are numbered: 1. 1、 (1) 1) ① 一、 (一) 第一阶段.
var marker = regexp.MustCompile(`^(?:([1-9]\d?|[１-９][０-９]?)[.．、)）]|[(（]([1-9]\d?|[１-９][０-９]?)[)）]|([①-⑳⑴-⒇⒈-⒛❶-❿])[、.．]?|([一二三四五六七八九十]{1,3})、|[(（]([一二三四五六七八九十]{1,3})[)）])`)

// clause is a part of a cell's text between two ends of sentences or numbers.
type clause struct {
	text   string
	number int  // it begins the part of this number; 0: it goes on, or is not numbered
	opens  bool // a new numbered part or line begins
	closed bool // it ended with a full stop
}

// clauses parts a text. A number counts only where it goes on from the one before, so that "3.5公里" and "3、4月"
// stay what they are.
func clauses(s string) []clause {
	var out []clause
	start, next, number, opens := 0, 1, 0, true
	push := func(end int, closed bool) {
		if t := trim(s[start:end]); t != "" {
			out = append(out, clause{t, number, opens, closed})
			number, opens = 0, false
		} else if closed && len(out) > 0 {
			out[len(out)-1].closed = true
		}
	}
	edge := true // the place is one at which a number can stand
	for i, r := range s {
		if i < start {
			continue
		}
		if edge || r >= '①' && r <= '⒛' || r >= '❶' && r <= '❿' {
			if n, k, plainly := numbering(s[i:]); n > 0 && (k == next || k == 1) && (plainly || follows(s[i+n:], k, s)) {
				push(i, false)
				start, next, number, opens, edge = i+n, k+1, k, true, true
				continue
			}
		}
		switch r {
		case '；', ';', '。', '\n':
			push(i, r == '。' || r == '\n')
			start, edge = i+utf8.RuneLen(r), true
			if r == '\n' {
				opens = true
			}
		default:
			edge = invisible(r) || r == '：' || r == ':' || r == '，' || r == ','
		}
	}
	push(len(s), true)
	return out
}

// follows tells a number from a quantity: behind 1. or 1、 in front of a month there must be a second number
// somewhere, and "1.5万" is none.
func follows(rest string, k int, whole string) bool {
	if rest == "" || !isDigit(rest[0]) {
		return true
	}
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	if !strings.HasPrefix(rest[digits:], "月") && !strings.HasPrefix(rest[digits:], "年") && !strings.HasPrefix(rest[digits:], "-") {
		return false
	}
	if k > 1 {
		return true
	}
	for _, form := range []string{".", "．", "、", ")", "）"} {
		if strings.Contains(whole, "2"+form) {
			return true
		}
	}
	return false
}

// numbering returns the length of the number that the text begins with, which number it is, and whether it can be
// nothing else, as ① can.
func numbering(s string) (length, n int, plainly bool) {
	if s[0] < utf8.RuneSelf && s[0] != '(' && !isDigit(s[0]) {
		return 0, 0, false
	}
	m := marker.FindStringSubmatch(s[:min(len(s), 40)])
	if m == nil {
		return 0, 0, false
	}
	switch {
	case m[1]+m[2] != "":
		n = num(squeeze(m[1] + m[2]))
	case m[3] != "":
		r, _ := utf8.DecodeRuneInString(m[3])
		for _, base := range []rune{'①', '⑴', '⒈', '❶'} {
			if r >= base && r < base+20 {
				n = int(r-base) + 1
			}
		}
	default:
		n, _ = hanNumber(m[4] + m[5])
	}
	return len(m[0]), n, m[1] == ""
}

// moment is a date that was found in a clause.
type moment struct {
	start, end int // in the folded text
	rule       string
	span       span
	leads      bool // it stands where a part of the clause begins
}

// stepper collects the steps of one cell.
type stepper struct {
	period  period
	o       Options
	places  int // that may still be looked at
	steps   []Step
	undated []string
	refused *Error
	heading string // what stands before the colon above several dates
	open    bool   // the last step takes what follows, up to the next date
	part    int    // number of the part that is read
	openAt  int    // number of the part in which the last step was opened
}

// stepsIn finds the dated steps of a text. undated is what stands beside them without a date; it is told only where
// there is a step at all.
func stepsIn(text string, p period, places int, o Options) *stepper {
	st := &stepper{period: p, o: o, places: places}
	for _, c := range clauses(cutRunes(text, maxStepText)) {
		st.clause(c)
		if st.refused != nil || len(st.steps) > maxSteps {
			break
		}
	}
	if len(st.steps) == 0 {
		st.undated = nil
	}
	return st
}

// clause takes the steps of one part of the text.
func (st *stepper) clause(c clause) {
	if c.opens {
		st.heading = ""
		if st.part = c.number; c.number > 0 {
			st.open = st.open && st.openAt == 0 // under "3月：" stand 1., 2. and 3.; behind "1.3月：" stands its sibling
		}
	}
	f := fold(c.text)
	found := st.moments(&f)
	if st.refused != nil {
		return
	}
	first := slices.IndexFunc(found, func(m moment) bool { return m.leads })
	switch {
	case len(found) == 0:
		st.without(c)
		return
	case first < 0: // "力争6月底前完成方案": the clause is the step
		last := latest(found)
		st.add(c.text, &f, last)
	default:
		st.leading(&f, found, first)
	}
	if c.closed && !st.open {
		st.heading = ""
	}
}

// leading takes a clause in which dates stand at the beginning of parts: "驿站:3月底前2家,6月底前7家".
func (st *stepper) leading(f *folded, found []moment, first int) {
	if before := trim(f.cut(0, found[first].start)); before != "" {
		switch r, n := utf8.DecodeLastRuneInString(before); {
		case strings.ContainsRune("：:", r):
			st.heading = trim(before[:len(before)-n])
		case first > 0: // "力争6月底前开工,9月底前建成"
			st.add(strings.TrimRight(before, "，,、"), f, latest(found[:first]))
		default: // "开展调研,6月底前完成方案": one sentence
			end := len(f.text)
			if next := st.after(found, first); next < len(found) {
				end = found[next].start
			}
			st.add(strings.TrimRight(trim(f.cut(0, end)), "，,、"), f, found[first])
			first = st.after(found, first)
		}
	}
	for i := first; i < len(found); {
		run := []moment{found[i]} // "3月、6月、9月分别检查": one text, several dates
		end := found[i].end
		next := i + 1
		for ; next < len(found) && between(f.text[end:found[next].start]); next++ {
			run = append(run, found[next])
			end = found[next].end
		}
		for next < len(found) && !found[next].leads { // a second date inside the same part: the first one counts
			next++
		}
		stop := len(f.text)
		if next < len(found) {
			stop = found[next].start
		}
		body := strings.TrimRight(trim(f.cut(end, stop)), "，,、")
		body = strings.TrimLeft(body, "，,、 ：:—-")
		colon := strings.HasPrefix(f.text[end:], ":") || body == ""
		for _, m := range run {
			st.add(body, f, m)
		}
		st.open, st.openAt = colon, st.part
		i = next
	}
}

// after is the index of the next date that begins a part.
func (st *stepper) after(found []moment, i int) int {
	for i++; i < len(found) && !found[i].leads; i++ {
	}
	return i
}

// without takes a clause that has no date: under "3月：" it goes on with that step, before a colon it is a heading.
func (st *stepper) without(c clause) {
	if st.open && len(st.steps) > 0 {
		last := &st.steps[len(st.steps)-1]
		if last.Title != "" {
			last.Title += "；"
		}
		last.Title = short(last.Title + c.text)
		return
	}
	if t := strings.TrimRight(c.text, "：:"); t != c.text {
		st.heading = t
		return
	}
	st.undated = append(st.undated, c.text)
}

// add appends a step.
func (st *stepper) add(title string, f *folded, m moment) {
	if st.heading != "" && title != "" {
		title = st.heading + "：" + title
	} else if title == "" {
		title = st.heading
	}
	d := Deadline{Text: trim(f.cut(m.start, m.end)), Date: m.span.end, Start: m.span.start, Rule: m.rule}
	d.say(m.span.how)
	st.steps = append(st.steps, Step{Title: short(title), Deadline: d})
	st.open = false
}

func short(s string) string {
	s = oneLine(s)
	if utf8.RuneCountInString(s) > maxStep {
		s = cutRunes(s, maxStep-1) + "…"
	}
	return s
}

func latest(list []moment) moment {
	return slices.MaxFunc(list, func(a, b moment) int {
		switch {
		case a.span.end.Before(b.span.end):
			return -1
		case b.span.end.Before(a.span.end):
			return 1
		}
		return 0
	})
}

var (
	// firm is how a date ends that something is due by, wherever in a sentence it stands.
	firm = regexp.MustCompile(`(?:前|止|底|末|旬|季度|半年|期)$`)
	// does begins what is done in a bare month: "计划9月投入使用".
	does = regexp.MustCompile(`^[，,]?(?:全面|基本|力争|正式)?(?:` + startOfWork.String() + `|` + finished.String() + `)`)
)

// until belongs to the date before it.
var until = regexp.MustCompile(`^(?:[之以]?前|以?内|止)`)

// between reports whether nothing but "and" stands between two dates.
func between(s string) bool { return len(s) < 8 && strings.Trim(s, "、和及与") == "" }

// moments finds the dates of a clause that something is due by. A date that only tells of something ("根据2021年10月
// 的通知") is passed over.
func (st *stepper) moments(f *folded) []moment {
	var out []moment
	sc := scanner{text: f.text, limit: min(st.places, maxStepText)}
	defer func() { st.places -= sc.places }()
	for {
		r, groups, ok := sc.next()
		if !ok {
			return out
		}
		m := moment{start: sc.pos - len(groups[0]), end: sc.pos, rule: r.id}
		m.leads = m.start == 0 || strings.ContainsRune(":,;", rune(f.text[m.start-1])) || spaced(f, m.start)
		m.end += len(until.FindString(f.text[m.end:]))
		again := len(out) > 0 && between(f.text[out[len(out)-1].end:m.start])
		firmly := firm.MatchString(f.text[m.start:m.end]) || strings.Contains(r.id, "span")
		switch r.id {
		case ruleYears, "year":
			continue
		case "recurring", "all-year", "academic-year", "term":
			if !m.leads {
				continue
			}
		default:
			if !m.leads && !firmly && !again && !does.MatchString(f.text[m.end:]) {
				continue
			}
		}
		got, err := r.read(groups, reading{period: st.period, today: st.o.Today, terms: st.o.TermEnds})
		if err != nil {
			if m.leads || firmly {
				st.refused = fail(err.Error(), 0, "text", message.Short(f.original))
				return nil
			}
			continue
		}
		if got.year > 0 {
			st.period = period{year: got.year}
		}
		m.span = got
		out = append(out, m)
	}
}

// spaced reports whether white space stands before the place, as between "3月：调研 4月：定稿".
func spaced(f *folded, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(f.original[:f.from[i]])
	return invisible(r)
}

// planned are the columns in which steps are looked for, with how many make a plan of the cell's text.
var planned = []struct {
	field Field
	least int
}{{Plan, 1}, {Measures, 1}, {Target, 2}, {Due, 2}}

// steps reads the dated steps of a row and notes what has no date.
func (r *reader) steps(g gridRow, row *Row) {
	for _, w := range planned {
		text := row.Cells[w.field]
		if text == "" || len(row.Steps) > 0 {
			continue
		}
		c := r.fields[w.field]
		if r.places <= 0 {
			if !r.spent {
				r.spent = true
				r.note(g.number, c.Header, KeyStepsUnread, text)
			}
			return
		}
		p := r.periodOf(g)
		memo := strconv.Itoa(p.year) + strconv.FormatBool(p.academic) + text
		st, ok := r.planned[memo]
		if !ok {
			st = stepsIn(text, p, r.places, r.o)
			r.places = st.places
			r.planned[memo] = st
		}
		switch {
		case st.refused != nil && st.refused.Key == KeyDeadlineNoYear:
			r.yearless(g.number, c.Header, text, st.refused)
			return
		case st.refused != nil && w.field == Measures:
			r.note(g.number, c.Header, KeyStepUnreadable, text, "text", st.refused.Args["text"])
			continue
		case st.refused != nil || len(st.steps) < w.least:
			continue
		}
		steps := st.steps
		if len(steps) > maxSteps {
			steps = steps[:maxSteps]
			r.note(g.number, c.Header, KeyStepsTooMany, text, "limit", maxSteps)
		}
		row.Steps = slices.Clone(steps)
		for i := range row.Steps {
			if row.Steps[i].Title == "" {
				row.Steps[i].Title = short(row.Cells[Title])
			}
		}
		if len(st.undated) > 0 {
			r.note(g.number, c.Header, KeyStepsUndated, strings.Join(st.undated, "；"), "count", len(st.undated))
		}
	}
}
