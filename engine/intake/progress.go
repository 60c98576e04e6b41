package intake

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"bihuan/engine"
	"bihuan/engine/ledger"
)

// Progress is what a later ledger says of an item that is a project already.
type Progress struct {
	Done     string
	Percent  int  // -1: the ledger gives none
	Reported bool // it is reported on the project, or would be; false: it was before, or a note says why not
}

// rate are headers over shares of the work; such a column has no field of its own.
var rate = regexp.MustCompile(`^(?:总体|当前|目前|累计)?(?:完成率|完成比例|完成百分比|完成进度|形象进度|工程进度|进度)(?:[(（]?[%％][)）]?)?$`)

// Words about how far the work is. 基本完成 is not done, however high the figure beside it.
var (
	percent = regexp.MustCompile(`^(\d{1,3})(?:\.\d+)?[%％]?$`)
	share   = regexp.MustCompile(`^(?:1(?:\.0*)?|0?\.(\d+))$`) // of 1, as a cell holds it that is not shown in percent
	done    = regexp.MustCompile(`^(?:已|已经|均已|全部|全面|已全部|已全面)?(?:完成|办结|竣工|完工|完成销号|销号)[。.]?$`)
	undone  = regexp.MustCompile(`基本|未|部分|大部|初步|尚|正在|阶段性`)
)

// matcher finds the projects that the rows of a later ledger speak of.
type matcher struct {
	list    string
	year    int
	byTitle map[string][]*engine.Project
	byNo    map[string][]*engine.Project // on the list, by 序号
}

// newMatcher reads the projects that a ledger can speak of; nil where it has no column of progress, because it is then
// the first of its kind, or the same again.
func newMatcher(ctx context.Context, e *engine.Engine, who engine.Actor, x Ledger, l *ledger.Ledger) (*matcher, error) {
	if !slices.ContainsFunc(l.Columns, func(c ledger.Column) bool { return tellsProgress(c) }) {
		return nil, nil
	}
	m := &matcher{list: x.List, year: l.Year, byTitle: map[string][]*engine.Project{}, byNo: map[string][]*engine.Project{}}
	f := engine.Filter{Kind: x.Kind, Unit: x.Unit.ID, List: x.List, Kept: true, Limit: engine.MaxPage}
	for {
		page, err := e.List(ctx, who, f)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			p := &page.Items[i]
			m.byTitle[bare(p.Title)] = append(m.byTitle[bare(p.Title)], p)
			if n := numberOf(p); n != "" && x.List != "" {
				m.byNo[n] = append(m.byNo[n], p)
			}
		}
		if f.After = page.Next; f.After == "" {
			return m, nil
		}
	}
}

func tellsProgress(c ledger.Column) bool {
	return c.Field == ledger.Progress || c.Field == ledger.Outcome || c.Field == "" && rate.MatchString(fold(c.Header))
}

// numberOf is the 序号 that a project was imported with.
func numberOf(p *engine.Project) string {
	for _, header := range slices.Sorted(maps.Keys(p.Extra)) {
		if ledger.FieldOf(header) == ledger.Number {
			return p.Extra[header]
		}
	}
	return ""
}

// bare is a text without spaces and punctuation.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPunct(r) || unicode.IsSpace(r) || unicode.IsSymbol(r) {
			return -1
		}
		return r
	}, fold(s))
}

// find returns the project that a row speaks of. other is one with the same number that is not the same, where there is
// one; several reports that more than one has the row's name.
func (x *matcher) find(row *engine.ImportRow, r ledger.Row) (found, other *engine.Project, several bool) {
	title := bare(row.Draft.Title)
	named := r.Cells[ledger.Unit] != ""
	var same []*engine.Project
	for _, p := range x.byTitle[title] {
		if (!named || p.UnitID == row.Unit.ID) && x.inYear(p, row) {
			same = append(same, p)
		}
	}
	if len(same) > 1 { // of a name that comes back, the one that is being worked on
		if open := slices.DeleteFunc(slices.Clone(same), func(p *engine.Project) bool { return p.Stage.Resting() }); len(open) == 1 {
			same = open
		}
	}
	if len(same) > 1 { // or the one of that line
		if own := slices.DeleteFunc(slices.Clone(same), func(p *engine.Project) bool {
			return numberOf(p) != row.Number || !row.Draft.Deadline.IsZero() && p.Deadline != row.Draft.Deadline && p.OriginalDeadline != row.Draft.Deadline
		}); len(own) == 1 {
			same = own
		}
	}
	if len(same) == 1 {
		return same[0], nil, false
	}
	if len(same) > 1 {
		return nil, nil, true
	}
	on := x.byNo[row.Number]
	if row.Number == "" || len(on) != 1 {
		return nil, nil, false
	}
	if other := bare(on[0].Title); len([]rune(title)) >= 4 && (strings.Contains(other, title) || strings.Contains(title, other)) {
		return on[0], nil, false
	}
	return nil, on[0], false
}

// inYear keeps apart what comes back every year under one name. On one list everything is of one time.
func (x *matcher) inYear(p *engine.Project, row *engine.ImportRow) bool {
	if p.Year > 0 && row.Draft.Year > 0 {
		return p.Year == row.Draft.Year
	}
	due := p.Deadline
	if !p.OriginalDeadline.IsZero() {
		due = p.OriginalDeadline
	}
	year := x.year
	if d := row.Draft.Deadline; !d.IsZero() {
		year = d.Year()
	}
	return x.list != "" || due.IsZero() || year == 0 || due.Year() == year || p.Deadline.Year() == year
}

// progress makes of a row the report on the project that it speaks of, if it is one already.
func (m *mapping) progress(x *matcher, row *engine.ImportRow, r ledger.Row) *Progress {
	p, other, several := x.find(row, r)
	switch {
	case several:
		m.note(r.Number, ledger.Title, "intake.several_like_it", row.Draft.Title)
	case other != nil:
		m.note(r.Number, ledger.Title, "intake.not_the_same", row.Draft.Title, "number", row.Number, "project", other.Number, "title", other.Title)
	}
	if p == nil {
		return nil
	}
	row.Project, row.Unit = p.ID, engine.Unit{ID: p.UnitID, Path: p.UnitPath, Name: m.directory.name(p.UnitID)}
	out := &Progress{Percent: -1, Done: r.Cells[ledger.Progress]}
	if s := r.Cells[ledger.Outcome]; s != "" {
		out.Done = strings.TrimPrefix(out.Done+"\n"+m.header[ledger.Outcome]+"："+s, "\n")
	}
	figure, header := r.Cells[ledger.Progress], m.header[ledger.Progress]
	for _, c := range m.ledger.Columns { // of several shares the first: a preview and its import must read the same
		if s := r.Other[c.Header]; s != "" && c.Field == "" && rate.MatchString(fold(c.Header)) {
			figure, header = s, c.Header
			break
		}
	}
	if out.Done == "" && figure != "" {
		out.Done = header + "：" + figure
	}
	if out.Done == "" {
		return nil
	}
	out.Percent = m.percentOf(r, header, figure)
	report := engine.Report{Percent: max(out.Percent, 0), Done: out.Done}
	if h := m.header[ledger.Remark]; strings.Contains(h, "原因") || strings.Contains(h, "问题") {
		report.Problems = r.Cells[ledger.Remark]
	}
	row.Progress = &engine.LedgerProgress{Report: report, Known: out.Percent >= 0}
	row.Source["file"], row.Source["row"] = m.ledger.Name, strconv.Itoa(r.Number)
	if rest := m.rest(p, r, report); rest != "" {
		row.Source["cells"] = rest
	}
	// What the item was made with is no news of it.
	if m.kept(p, r) {
		row.Progress = nil
	}
	return out
}

// percentOf reads how much is done, -1 where the row does not say it in figures or in a word that means all of it.
func (m *mapping) percentOf(r ledger.Row, header, figure string) int {
	said := r.Cells[ledger.Progress] + r.Cells[ledger.Outcome]
	n := -1
	if g := share.FindStringSubmatch(fold(figure)); g != nil && !strings.ContainsAny(header, "%％") {
		if g[1] != "" { // 1 may be all of it or one in a hundred: not guessed
			n, _ = strconv.Atoi((g[1] + "0")[:2]) // digits, by the pattern
		}
	} else if g := percent.FindStringSubmatch(fold(figure)); g != nil {
		if v, err := strconv.Atoi(g[1]); err == nil && v <= 100 {
			n = v
		}
	} else if done.MatchString(fold(r.Cells[ledger.Progress])) {
		n = 100
	}
	if n == 100 && undone.MatchString(said) {
		m.note(r.Number, ledger.Progress, "intake.not_done", r.Cells[ledger.Progress])
		return -1
	}
	return n
}

// kept reports whether the progress stands with the project since it was imported.
func (m *mapping) kept(p *engine.Project, r ledger.Row) bool {
	for _, f := range []ledger.Field{ledger.Progress, ledger.Outcome} {
		if s := r.Cells[f]; s != "" && p.Extra[m.header[f]] != s {
			return false
		}
	}
	for h, s := range r.Other {
		if rate.MatchString(fold(h)) && p.Extra[h] != s {
			return false
		}
	}
	return true
}

// rest is what the row says beyond what its project has, for the entry to keep.
func (m *mapping) rest(p *engine.Project, r ledger.Row, report engine.Report) string {
	stored := []string{p.Title, p.Category, p.Target, p.Measures, report.Done, report.Problems, m.directory.name(p.UnitID)}
	stored = append(append(stored, p.Assisting...), slices.Collect(maps.Values(p.Extra))...)
	for i, s := range stored {
		stored[i] = bare(s)
	}
	var out []string
	for _, c := range m.ledger.Columns {
		text := r.Other[c.Header]
		if c.Field != "" {
			text = r.Cells[c.Field]
		}
		if text != "" && !slices.ContainsFunc(stored, func(s string) bool { return strings.Contains(s, bare(text)) }) {
			out = append(out, c.Header+"："+text)
		}
	}
	return strings.Join(out, "\n")
}

// name is that of a unit under the import's.
func (d *directory) name(id engine.UnitID) string {
	for _, u := range d.units {
		if u.ID == id {
			return u.Name
		}
	}
	return ""
}
