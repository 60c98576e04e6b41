package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/intake"
	"bihuan/engine/ledger"
)

type importCmd struct {
	database
	Kind string `required:"" placeholder:"ID"`
	Unit string `required:"" placeholder:"CODE"`
	Year int    `placeholder:"YEAR"`
	List string `placeholder:"CODE"`
	mappingFlags
	DryRun bool
	JSON   bool   `name:"json"`
	File   string `arg:""`
}

// Help returns the examples.
func (importCmd) Help() string {
	return "bihuan import --db sqlite:bihuan.db --kind shishi --unit dw --dry-run ledger.xlsx\n" +
		"bihuan import --db sqlite:bihuan.db --kind shishi --unit dw --year 2026 --list 2026-6 --json ledger.csv\n" +
		"bihuan import --db sqlite:bihuan.db --kind shishi --unit dw --show-mapping ledger.xlsx > columns.yaml\n" +
		"bihuan import --db sqlite:bihuan.db --kind shishi --unit dw --mapping columns.yaml --map 内部编码=ignore ledger.xlsx"
}

// importMemory is how much memory, in bytes, an import takes before it collects garbage at once.
const importMemory = 180 << 20

// importReport is what an import found and did. Its JSON is an interface for scripts.
type importReport struct {
	File     string         `json:"file"`
	Kind     string         `json:"kind"`
	Unit     string         `json:"unit"`
	Year     int            `json:"year"` // in which bare months were read; 0 if none had to be
	DryRun   bool           `json:"dry_run"`
	Rows     int            `json:"rows"`     // items in the file
	Projects int            `json:"projects"` // that were made, or with dry_run would be
	Known    int            `json:"known"`    // items that are projects already
	Reported int            `json:"reported"` // of those, whose progress was reported on their project, or with dry_run would be
	Problems []importRemark `json:"problems"` // with one, nothing is imported
	Notes    []importRemark `json:"notes"`
	Items    []importedItem `json:"items"`
	Reports  []ledgerReport `json:"reports"`       // what the rows say of items that are projects already
	Unknown  []unknownUnit  `json:"unknown_units"` // names that no unit has; none is made of them
}

// importRemark is a problem or a note about a row, or about the file if row is 0.
type importRemark struct {
	Row     int    `json:"row"`
	Column  string `json:"column"`
	Key     string `json:"key"`
	Message string `json:"message"`
	Text    string `json:"text"` // what stands in the cell, shortened
}

// importedItem is a row that is a project now. Number is empty after a dry run.
type importedItem struct {
	Row      int           `json:"row"`
	Number   string        `json:"number"`
	Title    string        `json:"title"`
	Deadline calendar.Date `json:"deadline"`
	Reading  string        `json:"reading"` // how the deadline was read
	Joined   []int         `json:"joined"`  // further rows of the file that are part of it

	Milestones []importedStep `json:"milestones"` // that were read out of its cells
}

// importedStep is a milestone of an imported item.
type importedStep struct {
	Title   string        `json:"title"`
	Due     calendar.Date `json:"due"`
	Who     string        `json:"who"`
	Reading string        `json:"reading"` // how its date was read
}

// ledgerReport is what a row says of an item that is a project already.
type ledgerReport struct {
	Row      int              `json:"row"`
	Project  engine.ProjectID `json:"project"`
	Percent  *int             `json:"percent"` // null: the row gives none, and that of the project stays
	Done     string           `json:"done"`
	Reported bool             `json:"reported"` // false: it was before, or a note says why not
}

// unknownUnit is a name in the file that no unit has.
type unknownUnit struct {
	Name   string     `json:"name"`
	Column string     `json:"column"`
	Row    int        `json:"row"`  // the first that has it
	Rows   int        `json:"rows"` // how many have it
	Near   []nearUnit `json:"near"` // the units with the nearest names, at most three
}

// nearUnit is a unit that may have been meant.
type nearUnit struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// Run imports a ledger: all of its items or none.
func (x *importCmd) Run(ctx context.Context, s *session) error {
	if err := sensibleYear(x.Year); err != nil {
		return err
	}
	// What a large ledger becomes is held at once, because all of it is written or nothing. Collecting garbage more often
	// near the limit keeps the process within what a small machine has.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(importMemory))
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if _, err := e.Offered(x.Kind); err != nil {
			return err
		}
		unit, err := e.Unit(ctx, x.Unit)
		if err != nil {
			return err
		}
		data, err := readLedger(x.File)
		if err != nil {
			return err
		}
		l := intake.Ledger{File: filepath.Base(x.File), Data: data, Kind: x.Kind, Unit: unit, Year: x.Year, List: x.List, Fresh: x.Fresh}
		if x.asked() || x.ShowMapping {
			r, err := x.recognise(ctx, e, &l)
			if err != nil {
				return err
			}
			if x.ShowMapping {
				return s.showMapping(r, l.Year, x.JSON)
			}
			l.Mapping = &r.Mapping
		}
		report, err := s.takeLedger(ctx, e, l, x.DryRun)
		if err != nil {
			return err
		}
		if err := s.tell(x, report); err != nil {
			return err
		}
		if len(report.Problems) > 0 {
			return failure{code: exitFailed}
		}
		return nil
	})
}

// sensibleYear refuses a year that no ledger is of. 0 is none.
func sensibleYear(year int) error {
	if year != 0 && (year < 1990 || year > 2100) {
		return misuse{line("usage.year", "year", year)}
	}
	return nil
}

// takeLedger imports a ledger as the operator, or with dry only says what an import would do.
func (s *session) takeLedger(ctx context.Context, e *engine.Engine, l intake.Ledger, dry bool) (*importReport, error) {
	take := func() (*intake.Report, error) { return intake.Take(ctx, e, engine.Operator(), l, audit.Digest{}) }
	if dry {
		take = func() (*intake.Report, error) { return intake.Preview(ctx, e, engine.Operator(), l) }
	}
	r, err := take()
	if err != nil {
		return nil, err
	}
	out := &importReport{File: l.File, Kind: l.Kind, Unit: l.Unit.Code, Year: r.Year, DryRun: dry, Rows: len(r.Items), Known: r.Known(), Reported: r.Reported(),
		Problems: s.remarks(r.Problems), Notes: s.remarks(r.Notes), Items: []importedItem{}, Reports: []ledgerReport{}, Unknown: unknownUnits(r.Unknown)}
	if len(r.Problems) > 0 {
		return out, nil
	}
	out.Projects = r.New()
	for _, i := range r.Items {
		if i.Said != nil {
			told := ledgerReport{Row: i.Row, Project: i.Project, Done: i.Said.Done, Reported: i.Said.Reported}
			if i.Said.Percent >= 0 {
				told.Percent = &i.Said.Percent
			}
			out.Reports = append(out.Reports, told)
		}
		if !i.Known {
			item := importedItem{Row: i.Row, Number: i.Number, Title: strings.TrimSpace(i.Draft.Title), Deadline: i.Draft.Deadline, Reading: i.Deadline.Reading,
				Joined: append([]int{}, i.Joined...), Milestones: []importedStep{}}
			for _, x := range i.Steps {
				item.Milestones = append(item.Milestones, importedStep{x.Title, x.Deadline.Date, x.Who, x.Deadline.Reading})
			}
			out.Items = append(out.Items, item)
		}
	}
	return out, nil
}

func unknownUnits(list []intake.UnknownUnit) []unknownUnit {
	out := make([]unknownUnit, len(list))
	for i, x := range list {
		out[i] = unknownUnit{x.Name, x.Column, x.Row, x.Rows, []nearUnit{}}
		for _, u := range x.Near {
			out[i].Near = append(out[i].Near, nearUnit{u.Code, u.Name})
		}
	}
	return out
}

// readLedger reads a file as far as the reader of ledgers wants to see it.
func readLedger(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	return io.ReadAll(io.LimitReader(f, ledger.MaxFile+1))
}

// remarks puts what was found into words.
func (s *session) remarks(list []intake.Remark) []importRemark {
	out := make([]importRemark, len(list))
	for i, r := range list {
		out[i] = importRemark{Row: r.Row, Column: r.Column, Key: r.Key, Message: r.In(s.lang), Text: r.Text}
	}
	return out
}

// tell writes the report.
func (s *session) tell(x *importCmd, r *importReport) error {
	if x.JSON {
		return s.json(r)
	}
	for _, list := range []struct {
		key     string
		remarks []importRemark
	}{{"import.problem", r.Problems}, {"import.note", r.Notes}} {
		for _, p := range list.remarks {
			s.print(s.text(list.key) + s.remark(p))
		}
	}
	s.tellUnknown(r.Unknown)
	s.tellItems(r.Items)
	switch {
	case len(r.Problems) > 0:
		s.say("import.refused", "file", r.File, "problems", len(r.Problems), "rows", r.Rows)
	case r.DryRun:
		s.say("import.would", "file", r.File, "rows", r.Rows, "projects", r.Projects, "known", r.Known, "reported", r.Reported)
	default:
		s.say("import.done", "file", r.File, "rows", r.Rows, "projects", r.Projects, "known", r.Known, "reported", r.Reported)
	}
	return nil
}

func (s *session) remark(p importRemark) string {
	text := ""
	if p.Row > 0 {
		text = s.text("import.at_row", "row", p.Row)
	}
	if p.Column != "" {
		text += s.text("import.at_column", "column", p.Column)
	}
	text += p.Message
	if p.Text != "" {
		text += s.text("import.cell", "text", p.Text)
	}
	return text
}

// tellUnknown offers the nearest units for the names that no unit has.
func (s *session) tellUnknown(list []unknownUnit) {
	if len(list) == 0 {
		return
	}
	s.say("import.unknown_units", "count", len(list))
	rows := [][]string{{s.text("import.unknown_name"), s.text("import.rows"), s.text("import.near")}}
	for _, x := range list {
		var near []string
		for _, u := range x.Near {
			near = append(near, u.Name+" ("+u.Code+")")
		}
		rows = append(rows, []string{oneLine(x.Name), fmt.Sprint(x.Rows), strings.Join(near, "、")})
	}
	s.table(rows)
}

// tellItems lists the items, each with its milestones below it.
func (s *session) tellItems(list []importedItem) {
	if len(list) == 0 {
		return
	}
	rows := [][]string{{s.text("import.row"), s.text("import.number"), s.text("import.deadline"), s.text("import.title"), s.text("import.reading")}}
	for _, i := range list {
		rows = append(rows, []string{fmt.Sprint(i.Row), i.Number, i.Deadline.String(), oneLine(i.Title), i.Reading})
		for _, x := range i.Milestones {
			rows = append(rows, []string{"", s.text("import.milestone"), x.Due.String(), oneLine(strings.TrimSpace(x.Title + " " + x.Who)), x.Reading})
		}
	}
	s.table(rows)
}
