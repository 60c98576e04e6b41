package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"bihuan/engine"
	"bihuan/engine/intake"
	"bihuan/engine/ledger"
)

// mappingFlags say how a ledger is read. Without any, what is remembered of its source counts, or what is recognised.
type mappingFlags struct {
	Map         []string `placeholder:"COLUMN=FIELD" sep:"none"`
	Mapping     string   `placeholder:"FILE"`
	ShowMapping bool
	Sheet       string `placeholder:"NAME"`
	Head        int    `placeholder:"ROW"`
	Fresh       bool
}

// mappingFile is a mapping as people write it, in YAML or JSON. Why and samples are for them to read.
type mappingFile struct {
	Sheet   string          `yaml:"sheet,omitempty" json:"sheet"`
	Head    int             `yaml:"head,omitempty" json:"head"`
	Year    int             `yaml:"year,omitempty" json:"year,omitempty"`
	Columns []mappingColumn `yaml:"columns" json:"columns"`
}

type mappingColumn struct {
	Column  string   `yaml:"column" json:"column"`
	Field   string   `yaml:"field" json:"field"`
	Why     string   `yaml:"why,omitempty" json:"why"`
	Samples []string `yaml:"samples,omitempty,flow" json:"samples"`
}

// asked reports whether the flags say how the ledger is read.
func (x *mappingFlags) asked() bool {
	return len(x.Map) > 0 || x.Mapping != "" || x.Sheet != "" || x.Head != 0
}

// recognise tells how the flags want the ledger read. A year in the file of the mapping becomes the ledger's where no
// other is given.
func (x *mappingFlags) recognise(ctx context.Context, e *engine.Engine, l *intake.Ledger) (*intake.Recognition, error) {
	if x.Mapping != "" {
		m, year, err := readMapping(x.Mapping)
		if err != nil {
			return nil, err
		}
		if l.Mapping = m; l.Year == 0 {
			l.Year = year
		}
		if x.Sheet != "" {
			l.Mapping.Sheet = x.Sheet
		}
		if x.Head != 0 {
			l.Mapping.Head = x.Head
		}
	}
	r, err := intake.Recognise(ctx, e, engine.Operator(), *l, x.Sheet, x.Head)
	if err != nil {
		return nil, err
	}
	for _, pair := range x.Map {
		i := strings.LastIndex(pair, "=") // headers may have one, fields have none
		if i <= 0 {
			return nil, misuse{line("import.map_form", "text", pair)}
		}
		if err := r.Set(strings.TrimSpace(pair[:i]), ledger.Field(strings.TrimSpace(pair[i+1:]))); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// readMapping reads a file that --show-mapping has written, or somebody by hand, and the year in it.
func readMapping(name string) (m *ledger.Mapping, year int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	var in mappingFile
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&in); err != nil || len(in.Columns) == 0 {
		return nil, 0, errors.Join(line("import.mapping_form", "file", name), err)
	}
	if err := sensibleYear(in.Year); err != nil {
		return nil, 0, err
	}
	m = &ledger.Mapping{Sheet: in.Sheet, Head: in.Head}
	for _, c := range in.Columns {
		if c.Column == "" {
			return nil, 0, line("import.mapping_form", "file", name)
		}
		m.Columns = append(m.Columns, ledger.MappedColumn{Header: c.Column, Field: ledger.Field(c.Field)})
	}
	return m, in.Year, nil
}

// showMapping writes what the columns would be read as, in the form in which it can be given back.
func (s *session) showMapping(r *intake.Recognition, year int, asJSON bool) error {
	out := mappingFile{Sheet: r.Sheet, Head: r.Head, Year: year}
	for i, c := range r.Columns {
		why := (sentence{"ledger.why." + string(c.Why), nil}).In(s.lang)
		out.Columns = append(out.Columns, mappingColumn{c.Header, string(c.Field), why, r.Samples[i]})
	}
	if asJSON {
		return s.json(out)
	}
	fields := make([]string, 0, len(ledger.Fields)+2)
	for _, f := range append([]ledger.Field{ledger.Keep, ledger.Ignore}, ledger.Fields...) {
		fields = append(fields, string(f)+" "+(sentence{"ledger.field." + string(f), nil}).In(s.lang))
	}
	s.print("# " + s.text("import.fields", "fields", strings.Join(fields, s.comma())))
	if r.From != nil {
		s.print("# " + s.text("import.from", "file", r.From.File, "date", r.From.SavedAt.Format("2006-01-02")))
	}
	if !r.Certain {
		s.print("# " + s.text("import.head_guessed", "row", r.Head))
	}
	if r.NeedsYear {
		s.print("# " + s.text("import.needs_year"))
	}
	e := yaml.NewEncoder(s.out)
	e.SetIndent(2)
	if err := e.Encode(out); err != nil {
		return err
	}
	return e.Close()
}
