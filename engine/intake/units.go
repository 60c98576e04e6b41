package intake

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"bihuan/engine"
	"bihuan/engine/ledger"
)

// UnknownUnit is a name in a ledger that no unit has. It is offered to whoever imports, with the units that come
// nearest, and never made into a unit.
type UnknownUnit struct {
	Name   string
	Column string
	Row    int           // the first that has it
	Rows   int           // how many have it
	Near   []engine.Unit // at most three, the nearest first
}

// maxUnknown is for how many names the nearest units are looked for.
const maxUnknown = 300

// party is what the names of units end in that the office's short form leaves out.
var party = regexp.MustCompile(`(?:直属)?(?:党总支|党支部|党委|总支|支部)(?:委员会)?$`)

// directory finds units by what people write for them.
type directory struct {
	units []engine.Unit
	forms [][][]rune               // of each unit, its name and short forms
	exact map[string][]engine.Unit // by code and by name, as written
	loose map[string][]engine.Unit // by code, name and short forms, folded
}

// newDirectory is the directory of the units under top.
func newDirectory(all []engine.Unit, top engine.Unit) *directory {
	d := &directory{exact: map[string][]engine.Unit{}, loose: map[string][]engine.Unit{}}
	put := func(m map[string][]engine.Unit, key string, u engine.Unit) {
		if key != "" && !slices.ContainsFunc(m[key], func(o engine.Unit) bool { return o.ID == u.ID }) {
			m[key] = append(m[key], u)
		}
	}
	byID := map[engine.UnitID]engine.Unit{}
	for _, u := range all {
		byID[u.ID] = u
	}
	for _, u := range all {
		if !engine.Under(u.Path, top.Path) {
			continue
		}
		d.units = append(d.units, u)
		put(d.exact, u.Code, u)
		put(d.exact, u.Name, u)
		name := fold(u.Name)
		put(d.loose, fold(u.Code), u)
		put(d.loose, name, u)
		forms := []string{name}
		for up, ok := byID[u.ParentID]; ok; up, ok = byID[up.ParentID] { // 某大学教务处 is 教务处 inside 某大学
			if rest, cut := strings.CutPrefix(name, fold(up.Name)); cut && len([]rune(rest)) > 1 {
				forms = append(forms, rest)
			}
		}
		for _, f := range slices.Clone(forms) { // 学生工作部(学生工作处) is either, and 商学院党总支 is 商学院
			if before, inside, ok := strings.Cut(strings.TrimSuffix(f, ")"), "("); ok && strings.HasSuffix(f, ")") {
				forms = append(forms, before, inside)
			}
			if rest := party.ReplaceAllString(f, ""); rest != f && len([]rune(rest)) > 1 {
				forms = append(forms, rest)
			}
		}
		var runes [][]rune
		for _, f := range forms {
			put(d.loose, f, u)
			runes = append(runes, []rune(f))
		}
		d.forms = append(d.forms, runes)
	}
	return d
}

// fold brings a name to the form in which names are compared.
func fold(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(s)), ""))
}

// find returns the one unit that a name means. short is true where it is not written as the unit calls itself.
func (d *directory) find(name string) (u engine.Unit, short, ok bool) {
	if found := d.exact[name]; len(found) == 1 {
		return found[0], false, true
	}
	bare := fold(name)
	for _, key := range []string{bare, strings.TrimSuffix(bare, "等"), strings.TrimSuffix(strings.TrimSuffix(bare, "单位"), "等")} {
		// One whose own name it is goes before those for whom it is short.
		found := slices.DeleteFunc(slices.Clone(d.loose[key]), func(u engine.Unit) bool { return fold(u.Name) != key && fold(u.Code) != key })
		if len(found) == 0 {
			found = d.loose[key]
		}
		if len(found) == 1 {
			return found[0], true, true
		}
	}
	return engine.Unit{}, false, false
}

// near returns the units whose names come nearest to the name.
func (d *directory) near(name string) []engine.Unit {
	type scored struct {
		u engine.Unit
		n float64
	}
	bare := []rune(fold(name))
	if len(bare) > 40 {
		bare = bare[:40]
	}
	var list []scored
	for i, u := range d.units {
		best := 0.0
		for _, f := range d.forms[i] {
			best = max(best, likeness(bare, f))
		}
		if best >= 0.5 {
			list = append(list, scored{u, best})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int {
		switch {
		case a.n > b.n:
			return -1
		case a.n < b.n:
			return 1
		}
		return strings.Compare(a.u.Code, b.u.Code)
	})
	var out []engine.Unit
	for _, s := range list[:min(len(list), 3)] {
		out = append(out, s.u)
	}
	return out
}

// likeness is from 0 to 1: the share of runes that two names have in common in the same order (学工部 and 学生工作部).
func likeness(a, b []rune) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return 2 * float64(row[len(b)]) / float64(len(a)+len(b))
}

// Words by which a cell says who leads and who assists.
var (
	partLabel = regexp.MustCompile(`(牵头|责任|主办|主责|承办|配合|协办|协同|协助|参与)(?:单位|部门|处室)?[:：]`)
	partEnd   = regexp.MustCompile(`^(.+?)(?:等(?:单位|部门)?)?(?:[(（](牵头|责任|主办|主责|承办|负责|配合|协办|协同|协助|参与)(?:单位|部门)?[)）]|(牵头|主办|主责|负责|配合|协办|协同|协助|参与))$`)
)

func leads(word string) bool { return strings.Contains("牵头责任主办主责承办负责", word) }

// parts splits a cell with units into those that lead and those that assist. A cell that says nothing of it names
// units that lead.
func parts(text string) (lead, assist []string) {
	put := func(leading bool, name string) {
		if name = strings.Trim(name, " \u3000。.:："); name == "" || slices.Contains(lead, name) || slices.Contains(assist, name) {
			return
		}
		if leading {
			lead = append(lead, name)
		} else {
			assist = append(assist, name)
		}
	}
	section := func(leading bool, text string) {
		for _, sentence := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("；;\n。", r) }) {
			var open []string // names whose part a later word tells: "学工处、团委配合"
			for _, name := range names(sentence) {
				m := partEnd.FindStringSubmatch(name)
				if m == nil {
					open = append(open, name)
					continue
				}
				for _, o := range append(open, m[1]) {
					put(leads(m[2]+m[3]), o)
				}
				open = nil
			}
			for _, o := range open {
				put(leading, o)
			}
		}
	}
	leading, from := true, 0
	for _, m := range partLabel.FindAllStringSubmatchIndex(text, -1) {
		section(leading, text[from:m[0]])
		leading, from = leads(text[m[2]:m[3]]), m[1]
	}
	section(leading, text[from:])
	return lead, assist
}

// names parts a list of units as people write it. What stands in parentheses stays together.
func names(text string) []string {
	var out []string
	depth := 0
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool {
		switch {
		case r == '(' || r == '（':
			depth++
		case (r == ')' || r == '）') && depth > 0:
			depth--
		}
		return depth == 0 && strings.ContainsRune("、，,；;\n", r)
	}) {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// place finds the leading unit of a row and its assisting ones. Of several units that lead, the first is the
// project's and the others assist; where no unit has the first one's name, the unit of the import leads and the text
// is kept.
func (m *mapping) place(r ledger.Row, d *engine.Draft) (unit engine.Unit, text string) {
	text = r.Cells[ledger.Unit]
	lead, assist := parts(text)
	more, beside := parts(r.Cells[ledger.Assisting])
	unit = m.unit
	if len(lead)+len(assist) > 0 && !m.whole(text, &unit) {
		if len(lead) == 0 {
			lead, assist = assist[:1], assist[1:]
		}
		found, short, ok := m.directory.find(lead[0])
		switch {
		case ok:
			unit = found
			if short {
				m.once(r.Number, ledger.Unit, "intake.unit_short", lead[0], "unit", found.Name)
			}
			assist = append(lead[1:], assist...)
		default:
			d.Extra[m.header[ledger.Unit]] = text
			m.unknownUnit(r.Number, ledger.Unit, lead[0])
			var near any = sentence{key: "intake.none_near"} // what follows is the cell's text: a dash would lead to it
			if list := m.directory.near(lead[0]); len(m.unknown) <= maxUnknown && len(list) > 0 {
				near = unitNames(list)
			}
			m.once(r.Number, ledger.Unit, "intake.unit_kept", text, "unit", m.unit.Name, "near", near)
			assist = nil
		}
	} else {
		assist = nil
	}
	for i, name := range slices.Concat(assist, more, beside) {
		field := ledger.Unit
		if i >= len(assist) {
			field = ledger.Assisting
		}
		if found, short, ok := m.directory.find(name); ok {
			if short {
				m.once(r.Number, field, "intake.unit_short", name, "unit", found.Name)
			}
			name = found.Name
		} else {
			m.unknownUnit(r.Number, field, name)
		}
		if !slices.Contains(d.Assisting, name) {
			d.Assisting = append(d.Assisting, name)
		}
	}
	return unit, text
}

// whole takes a cell that is the name of one unit from end to end, whatever stands in it.
func (m *mapping) whole(text string, unit *engine.Unit) bool {
	found := m.directory.exact[text]
	if len(found) != 1 {
		return false
	}
	*unit = found[0]
	return true
}

func unitNames(list []engine.Unit) string {
	out := make([]string, len(list))
	for i, u := range list {
		out[i] = u.Name
	}
	return strings.Join(out, "、")
}

// unknownUnit remembers a name that no unit has.
func (m *mapping) unknownUnit(row int, field ledger.Field, name string) {
	key := string(field) + "\n" + name
	x := m.unknown[key]
	if x == nil {
		x = &UnknownUnit{Name: name, Column: m.header[field], Row: row}
		m.unknown[key] = x
		m.unknowns = append(m.unknowns, x)
	}
	x.Rows++
}

// offered are the names that no unit has, each with what comes nearest.
func (m *mapping) offered() []UnknownUnit {
	out := make([]UnknownUnit, len(m.unknowns))
	for i, x := range m.unknowns {
		out[i] = *x
		if i < maxUnknown {
			out[i].Near = m.directory.near(x.Name)
		}
	}
	return out
}
