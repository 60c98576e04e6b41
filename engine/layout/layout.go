package layout

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/message"
	"bihuan/engine/workbook"
)

// The layouts that there are.
const (
	Ledger = "ledger" // 台账
	List   = "list"   // 清单
	Unit   = "unit"   // 单位年度
)

// IDs are the layouts, and Names what a site may call their files.
var (
	IDs   = []string{Ledger, List, Unit}
	names = map[string]string{"ledger": Ledger, "台账": Ledger, "list": List, "清单": List, "unit": Unit, "单位年度": Unit}
)

var langs = []string{"zh-CN", "en"}

//go:embed layouts/*.yaml
var embedded embed.FS

// Layout is how a table looks.
type Layout struct {
	ID     string
	Digest audit.Digest // of the file
	source []byte       // the template's
	form   *workbook.Template
	fields []field // of an item, by the numbers that the template asks for
}

// Layouts are the layouts that hold. They are read only, and safe for concurrent use.
type Layouts struct {
	by map[string]*Layout // by language and id
}

// Get returns a layout in a language.
func (l *Layouts) Get(id, lang string) *Layout {
	if x := l.by[lang+"/"+id]; x != nil {
		return x
	}
	return l.by["zh-CN/"+id]
}

// Template returns the layout as a workbook that an office can change and put into its folder.
func (x *Layout) Template() []byte { return bytes.Clone(x.source) }

// described is a layout as YAML says it.
type described struct {
	Sheet   engine.Text   `yaml:"sheet"`
	Title   string        `yaml:"title"`
	Lines   []engine.Text `yaml:"lines"`
	Paper   string        `yaml:"paper"` // A4 or A3
	Columns []struct {
		Group engine.Text       `yaml:"group"`
		Head  engine.Text       `yaml:"head"`
		Field string            `yaml:"field"`
		Width float64           `yaml:"width"`
		Align string            `yaml:"align"` // center
		Tints map[string]string `yaml:"tints"` // key of a word → colour
	} `yaml:"columns"`
}

// Load returns the layouts of a folder, and the product's own for those that it has not; "" is no folder. The error is a
// Mistakes with every mistake of every file.
func Load(folder fs.FS) (*Layouts, error) {
	out := &Layouts{by: map[string]*Layout{}}
	for _, id := range IDs {
		source, err := embedded.ReadFile("layouts/" + id + ".yaml")
		if err != nil {
			return nil, err
		}
		if err := out.add(id+".yaml", id, source); err != nil {
			return nil, err
		}
	}
	if folder == nil {
		return out, nil
	}
	files, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	var all Mistakes
	from := map[string]string{}
	for _, f := range files {
		name := f.Name()
		ext := strings.ToLower(path.Ext(name))
		if f.IsDir() || ext != ".xlsx" && ext != ".yaml" && ext != ".yml" || strings.HasPrefix(name, "~$") || strings.HasPrefix(name, ".") {
			continue // what spreadsheets leave while a file is open
		}
		id, ok := names[strings.TrimSuffix(name, path.Ext(name))]
		switch {
		case !ok:
			all = append(all, mistake(name, "layout.name", "names", "ledger / 台账, list / 清单, unit / 单位年度"))
			continue
		case from[id] != "":
			all = append(all, mistake(name, "layout.twice", "other", from[id]))
			continue
		}
		from[id] = name
		source, err := fs.ReadFile(folder, name)
		if err == nil {
			err = out.add(name, id, source)
		}
		if wrong, ok := errors.AsType[Mistakes](err); ok {
			all = append(all, wrong...)
		} else if err != nil {
			all = append(all, mistake(name, "layout.broken", "why", err.Error()))
		}
	}
	if len(all) > 0 {
		return nil, all
	}
	return out, nil
}

// Parse reads one file as the layout of the name. The error is a Mistakes.
func (l *Layouts) Parse(name, id string, source []byte) (*Layouts, error) {
	out := &Layouts{by: map[string]*Layout{}}
	for k, v := range l.by {
		out.by[k] = v
	}
	return out, out.add(name, id, source)
}

func (l *Layouts) add(name, id string, source []byte) error {
	if strings.EqualFold(path.Ext(name), ".xlsx") {
		x, err := parse(name, id, source, source)
		if err != nil {
			return err
		}
		for _, lang := range langs {
			l.by[lang+"/"+id] = x
		}
		return nil
	}
	var d described
	dec := yaml.NewDecoder(bytes.NewReader(source))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		return Mistakes{mistake(name, "layout.broken", "why", err.Error())}
	}
	if len(d.Columns) == 0 {
		return Mistakes{mistake(name, "layout.no_row")}
	}
	for _, lang := range langs {
		form, err := d.template(lang)
		if err != nil {
			return Mistakes{mistake(name, "layout.broken", "why", err.Error())}
		}
		x, err := parse(name, id, form, source)
		if err != nil {
			return err
		}
		l.by[lang+"/"+id] = x
	}
	return nil
}

// parse compiles a template.
func parse(name, id string, form, source []byte) (*Layout, error) {
	x := &Layout{ID: id, Digest: audit.HashContent(source), source: form, fields: slices.Clone(eaches)}
	var wrong []*workbook.Mistake
	x.form, wrong = workbook.ParseTemplate(form, workbook.Fields{More: moreName, Once: onceNumber, Each: x.number})
	if len(wrong) == 0 {
		return x, nil
	}
	var all Mistakes
	for _, m := range wrong {
		at := name
		if m.Cell != "" {
			at += " " + m.Cell
		}
		why := ""
		if m.Err != nil {
			why = m.Err.Error()
		}
		all = append(all, mistake(at, "layout."+m.Key, "name", m.Name, "why", why, "known", strings.Join(known(m.Name), "、")))
	}
	return nil, all
}

func onceNumber(name string) (int, bool) {
	i := slices.IndexFunc(once, func(f struct{ id, zh string }) bool { return f.id == name || f.zh == name })
	return i, i >= 0
}

// number finds a field of an item, and makes one for a column of imported ledgers.
func (x *Layout) number(name string) (int, bool) {
	heading, extra := strings.CutPrefix(strings.Replace(name, "：", ":", 1), extraPrefix)
	if heading = strings.TrimSpace(heading); extra {
		name = extraPrefix + heading
	}
	i := slices.IndexFunc(x.fields, func(f field) bool { return f.id == name || f.zh == name })
	if i >= 0 || !extra || heading == "" {
		return i, i >= 0
	}
	x.fields = append(x.fields, field{id: name, zh: name, each: func(r *row) any { return r.p.Extra[heading] }})
	return len(x.fields) - 1, true
}

// known are the names that somebody may have meant, the likeliest first.
func known(name string) []string {
	type scored struct {
		name string
		n    int
	}
	var all []scored
	add := func(s string) {
		n := 0
		for _, r := range s {
			if strings.ContainsRune(name, r) {
				n++
			}
		}
		all = append(all, scored{s, n})
	}
	for _, f := range eaches {
		add(f.zh)
	}
	for _, f := range once {
		add(f.zh)
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.n, a.n) })
	out := make([]string, 0, 5)
	for _, s := range all[:5] {
		out = append(out, s.name)
	}
	return out
}

// template draws a described layout as the workbook that it stands for.
func (d *described) template(lang string) ([]byte, error) {
	s := workbook.Sheet{Name: cmp.Or(d.Sheet.In(lang), "Sheet1"), Title: d.Title, Footer: message.Text(lang, "console.export.page", nil)}
	if strings.EqualFold(d.Paper, "A3") {
		s.Paper = workbook.A3
	}
	for _, l := range d.Lines {
		s.Lines = append(s.Lines, l.In(lang))
	}
	row := make([]any, len(d.Columns))
	for i, c := range d.Columns {
		col := workbook.Column{Group: c.Group.In(lang), Head: c.Head.In(lang), Width: c.Width, Center: c.Align == "center", Tints: map[string]string{}}
		for key, colour := range c.Tints {
			col.Tints[message.Text(lang, key, nil)] = colour
		}
		s.Columns = append(s.Columns, col)
		row[i] = "{{" + c.Field + "}}"
	}
	b, err := workbook.New()
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close() }() // nothing of it lies on the disk
	t, err := b.Sheet(s)
	if err != nil {
		return nil, err
	}
	if err := t.Row(row...); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := b.WriteTo(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Mistake is one thing that is wrong with a layout's file, with the sentence for the person who made it.
type Mistake struct {
	At   string // file, and cell where it is about one
	Key  string
	Args map[string]any
}

func mistake(at, key string, args ...any) Mistake { return Mistake{at, key, message.Args(args...)} }

// In returns "file cell: sentence" in the given language.
func (m Mistake) In(lang string) string {
	return fmt.Sprintf("%s: %s", m.At, message.Text(lang, m.Key, m.Args))
}

// Error returns the English line.
func (m Mistake) Error() string { return m.In("en") }

// Mistakes are all mistakes of one or several files.
type Mistakes []Mistake

// In returns one line per mistake.
func (ms Mistakes) In(lang string) string { return message.Lines(ms, lang) }

// Error returns the English lines.
func (ms Mistakes) Error() string { return ms.In("en") }

// maxMore is how many columns of imported ledgers an export can have beside its own: together a ledger that is read
// again.
const maxMore = 60

// value is a field of an item. What an imported ledger said under the same heading stands in for what is not known yet.
func (x *Layout) value(n int, r *row) any {
	f := &x.fields[n]
	v := f.each(r)
	if s, text := v.(string); v == nil || text && s == "" {
		if extra := r.p.Extra[f.zh]; extra != "" {
			return extra
		}
	}
	return v
}

// reports tells whether the layout shows anything of the last report.
func (x *Layout) reports() bool {
	for n := range x.fields {
		if x.fields[n].report && x.form.Uses(n) {
			return true
		}
	}
	return false
}

// shows tells whether the layout has a column of its own for a column of imported ledgers.
func (x *Layout) shows(heading string) bool {
	n := slices.IndexFunc(x.fields, func(f field) bool { return f.id == extraPrefix+heading || f.zh == heading })
	return n >= 0 && x.form.Uses(n)
}
