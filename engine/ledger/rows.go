package ledger

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	totals  = regexp.MustCompile(`^(?:合计|总计|小计|共计)[:：]?$`)
	remarks = regexp.MustCompile(`^(?:备注|注|说明|填报说明|填表说明|填表人|填报人|填报单位|制表人?|审核人?|联系人|联系电话|单位负责人|主要负责人)\d*[:：]|^(?:合计|总计|共计)`)
	section = regexp.MustCompile(`^(?:[一二三四五六七八九十]+、|[(（][一二三四五六七八九十]+[)）])`)
	aside   = regexp.MustCompile(`^(?:附件|附表|附|填报单位|填报|制表|单位|日期|时间|联系人)\s*[\d一二三四五六七八九十]*\s*(?:[:：]|$)`)
)

// reader turns a table into the rows of a ledger.
type reader struct {
	*Ledger
	o        Options
	body     []gridRow
	fields   map[Field]Column // the first of each
	yearCol  int              // the column that names each row's year, or -1
	period   period
	deadline map[string]Deadline // texts already read: a ledger says "12月底前" a hundred times
	planned  map[string]*stepper // likewise
	places   int                 // where dates of steps may still be looked for
	spent    bool                // it was told that there are none left
	covered  map[int]bool        // by row: the title is that of the row above, in a merged cell
	lines    map[int][]line      // by row: the lines of an item that spans rows
}

// assemble makes a ledger of the table that was found.
func assemble(name string, f *found, o Options) (*Ledger, error) {
	f.assign()
	t, h := f.table, f.head
	l := &Ledger{Name: name, Sheet: t.sheet, Head: t.rows[h.row].number, Shape: shapeOf(h.texts), Remembered: f.known, Columns: f.columns, Notes: f.notes}
	r := &reader{Ledger: l, o: o, body: t.rows[h.body:], fields: map[Field]Column{}, yearCol: -1,
		deadline: map[string]Deadline{}, planned: map[string]*stepper{}, places: maxStepPlaces, covered: map[int]bool{}, lines: map[int][]line{}}
	for _, c := range l.Columns {
		switch _, twice := r.fields[c.Field]; {
		case c.Field != "" && !twice:
			r.fields[c.Field] = c
		case c.Field == "" && r.yearCol < 0 && yearColumns.MatchString(squeeze(c.Header)):
			r.yearCol = c.Index
		}
	}
	r.title(t, h)
	r.dropFoot()
	r.dropRepeats(h)
	if len(r.body) == 0 {
		return nil, fail(KeyNoRows, l.Head)
	}
	if err := r.fillMerged(t); err != nil {
		return nil, err
	}
	r.join()
	r.fillFollowing()
	r.year(t, h)
	r.tellWhole(t)
	for _, row := range r.body {
		r.read(row)
	}
	byRow := func(a, b Problem) int { return a.Row - b.Row }
	slices.SortStableFunc(l.Problems, byRow)
	slices.SortStableFunc(l.Notes, byRow)
	return l, nil
}

// title takes the title from the rows above the header, passing over "附件1" and "填报单位：".
func (r *reader) title(t *table, h header) {
	for _, row := range t.rows[:h.row] {
		if text, _ := row.first(); !aside.MatchString(text) && row.filled() == 1 {
			r.Title = oneLine(text)
			return
		}
	}
}

// dropFoot skips the rows of totals and remarks at the end.
func (r *reader) dropFoot() {
	for n := len(r.body); n > 0; n-- {
		row := r.body[n-1]
		text, _ := row.first()
		if !remarks.MatchString(squeeze(text)) || r.numbered(row) {
			r.body = r.body[:n]
			return
		}
		r.note(row.number, "", KeySkippedRow, text)
	}
	r.body = nil
}

// numbered reports whether the row has a number of its own in the 序号 column.
func (r *reader) numbered(row gridRow) bool {
	c, ok := r.fields[Number]
	return ok && strings.ContainsAny(row.at(c.Index), "0123456789")
}

// dropRepeats skips totals between the rows and headers that were printed again.
func (r *reader) dropRepeats(h header) {
	r.body = slices.DeleteFunc(slices.Clone(r.body), func(row gridRow) bool {
		text, _ := row.first()
		switch {
		case totals.MatchString(squeeze(text)):
			r.note(row.number, "", KeySkippedRow, text)
		case sameTexts(row.cells, h.texts):
			r.note(row.number, "", KeyRepeatedHeader, strings.Join(row.cells, " "))
		default:
			return false
		}
		return true
	})
}

func sameTexts(a, b []string) bool {
	for i := range max(len(a), len(b)) {
		if i < len(a) && i < len(b) && a[i] == b[i] || i >= len(a) && b[i] == "" || i >= len(b) && a[i] == "" {
			continue
		}
		return false
	}
	return true
}

// year settles the year of bare months.
func (r *reader) year(t *table, h header) {
	above := []string{r.Title}
	for _, row := range t.rows[:h.row] {
		above = append(above, row.cells...)
	}
	var headers []string
	for _, c := range r.Columns {
		headers = append(headers, c.Header)
	}
	var dates []string
	if c, ok := r.fields[Due]; ok {
		for _, row := range r.body {
			dates = append(dates, row.at(c.Index))
		}
	}
	p, key := r.findYear(above, headers, r.body[0].at(r.yearCol), dates, r.o)
	if r.o.Year > 0 {
		r.yearCol = -1 // what the caller says goes before what a row says
	}
	r.period, r.Year, r.AcademicYear = p, p.year, p.academic
	if key != "" {
		text := strconv.Itoa(p.year)
		if p.academic {
			text += "—" + strconv.Itoa(p.year+1)
		}
		r.note(0, "", key, text, "year", text)
	}
}

// tellWhole notes what concerns the sheet and not one of its rows.
func (r *reader) tellWhole(t *table) {
	if _, ok := r.fields[Due]; !ok {
		r.note(r.Head, "", KeyNoDeadlines, "")
	}
	r.Notes = append(r.Notes, t.unseen()...)
	for _, c := range r.Columns {
		if c.Ignored {
			r.tellIgnored(c)
			continue
		}
		count, first := 0, gridRow{}
		for _, row := range r.body {
			if row.flags[c.Index]&flagFormula != 0 && row.at(c.Index) != "" {
				if count == 0 {
					first = row
				}
				count++
			}
		}
		if count > 0 {
			r.note(first.number, c.Header, KeyFormulaCached, first.at(c.Index), "count", count)
		}
	}
}

// tellIgnored says how much of an ignored column is not taken over.
func (r *reader) tellIgnored(c Column) {
	count, first := 0, ""
	for _, row := range r.body {
		if text := row.at(c.Index); text != "" {
			if count++; first == "" {
				first = text
			}
		}
	}
	r.note(r.Head, c.Header, KeyIgnoredColumn, first, "count", count)
}

// read adds one row of the body to the ledger.
func (r *reader) read(g gridRow) {
	if text, ok := r.heading(g); ok {
		r.note(g.number, "", KeySectionRow, text)
		return
	}
	row := Row{Number: g.number, Cells: map[Field]string{}, Other: map[string]string{}}
	if p := r.periodOf(g); !p.academic {
		row.Year = p.year
	}
	for _, c := range r.Columns {
		text, flags := g.at(c.Index), g.flags[c.Index]
		switch {
		case c.Ignored:
			continue
		case flags&flagError != 0:
			r.problem(g.number, c.Header, KeyFormulaError, text)
			continue
		case text == "" && flags&flagFormula != 0:
			r.problem(g.number, c.Header, KeyFormulaNoValue, "")
			continue
		case text == "":
			continue
		case strings.ContainsRune(text, '\uFFFD'):
			r.problem(g.number, c.Header, KeyBadCharacters, text)
		}
		if c.Field == "" {
			row.Other[c.Header] = text
			continue
		}
		row.Cells[c.Field] = r.joined(c, row.Cells[c.Field], text)
		if c.Field == Due {
			row.Deadline = r.due(g, c, text, flags)
		}
	}
	if row.Cells[Title] == "" {
		r.problem(g.number, r.fields[Title].Header, KeyNoTitle, strings.Join(g.cells, " "))
		return
	}
	r.steps(g, &row)
	r.ofLines(g, &row)
	r.Rows = append(r.Rows, row)
}

// joined is what a field holds that several columns fill: each text under its header, so that none is lost.
func (r *reader) joined(c Column, before, text string) string {
	first := r.fields[c.Field]
	alone := !slices.ContainsFunc(r.Columns, func(x Column) bool { return x.Field == c.Field && x.Index != c.Index })
	switch {
	case alone:
		return text
	case c.Field == Assisting && before == "":
		return text
	case c.Field == Assisting:
		return before + "、" + text
	case before == "" && c.Index == first.Index:
		return text
	case before == "":
		return c.Header + "：" + text
	}
	return before + "\n" + c.Header + "：" + text
}

// heading reports whether the row is a heading between rows: one text alone, outside the title column or
// counted as headings are.
func (r *reader) heading(g gridRow) (string, bool) {
	text, col := g.first()
	if g.filled() != 1 || len(r.Columns) < 2 {
		return "", false
	}
	if section.MatchString(text) {
		return text, true
	}
	n, ok := r.fields[Number]
	return text, ok && col == n.Index && !strings.ContainsAny(squeeze(text), "0123456789")
}

// startOfWork finds deadlines for beginning; finished takes back what both begins and ends.
var (
	startOfWork = regexp.MustCompile(`动工|开工|启动|开建`)
	finished    = regexp.MustCompile(`完工|完成|竣工|投入|投用|办结|建成|结束|交付|全面|验收`)
)

// periodOf is the year of the row's bare months.
func (r *reader) periodOf(g gridRow) period {
	if r.yearCol >= 0 {
		if own, ok := yearIn(g.at(r.yearCol)); ok {
			return own
		}
	}
	return r.period
}

// yearless asks for the year, once: whoever gives it settles every cell.
func (r *reader) yearless(row int, column, text string, refused *Error) {
	if !r.NeedsYear {
		r.NeedsYear = true
		r.problem(row, column, refused.Key, text, "text", refused.Args["text"])
	}
}

// due reads a deadline cell. The zero Deadline is returned with a Problem when it cannot be read.
func (r *reader) due(g gridRow, c Column, text string, flags uint8) Deadline {
	p := r.periodOf(g)
	// The number 2022.1 is January, or October that lost its zero: not guessed.
	if flags&flagNumber != 0 && strings.HasSuffix(text, ".1") && len(text) == len("2022.1") {
		r.problem(g.number, c.Header, KeyDeadlineAmbiguous, text, "text", text)
		return Deadline{}
	}
	memo := strconv.Itoa(p.year) + strconv.FormatBool(p.academic) + strconv.Itoa(int(flags&flagDay)) + text
	d, ok := r.deadline[memo]
	if !ok {
		var refused *Error
		if d, refused = readDeadline(text, p, r.o); refused != nil {
			if refused.Key == KeyDeadlineNoYear {
				r.yearless(g.number, c.Header, text, refused)
				return Deadline{}
			}
			r.problem(g.number, c.Header, refused.Key, text, "text", refused.Args["text"])
			return Deadline{}
		}
		if flags&flagDay != 0 {
			d.Rule = ruleExcelDate
			d.say("日期单元格")
		}
		r.deadline[memo] = d
	}
	if len(d.Also) > 0 {
		r.note(g.number, c.Header, KeySeveralDates, text, "date", d.Date.String(), "others", d.Also)
	}
	if !d.Date.IsZero() && startOfWork.MatchString(text) && !finished.MatchString(text) {
		r.note(g.number, c.Header, KeyStartOfWork, text, "date", d.Date.String())
	}
	return d
}
