package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bihuan/api/console"
	"bihuan/config"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/layout"
	"bihuan/engine/workbook"
)

// exportCmd takes the ledger, a list or a unit's year out in the layouts of offices.
type exportCmd struct {
	Ledger exportLedgerCmd `cmd:""`
	List   exportListCmd   `cmd:""`
	Unit   exportUnitCmd   `cmd:""`
	Layout exportLayoutCmd `cmd:""`
}

// toFile are the flags that every export has.
type toFile struct {
	database
	Out      string `required:"" placeholder:"FILE"`
	CSV      bool   `name:"csv"`
	Template string `placeholder:"FILE"`
	Layouts  string `placeholder:"DIR"`
}

// siteLayouts are the layouts of the site's folder over the product's own.
func siteLayouts(folder string) (*layout.Layouts, error) {
	var files fs.FS
	if folder != "" {
		files = os.DirFS(folder)
	}
	return layout.Load(files)
}

// layouts are those that an export uses: --template goes before the folder.
func (x *toFile) layouts(c config.Config, id string) (*layout.Layouts, error) {
	all, err := siteLayouts(c.Layouts)
	if err != nil || x.Template == "" {
		return all, err
	}
	source, err := os.ReadFile(x.Template)
	if err != nil {
		return nil, err
	}
	return all.Parse(filepath.Base(x.Template), id, source)
}

// export writes a file, and leaves none where that fails.
func (s *session) export(ctx context.Context, x *toFile, id string, what func(e *engine.Engine, d *layout.Desk, a layout.Asked) (*layout.Export, error)) error {
	c, err := s.config(x.setup, map[string]string{"db": x.DB, "layouts": x.Layouts})
	if err != nil {
		return err
	}
	layouts, err := x.layouts(c, id)
	if err != nil {
		return err
	}
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		a := layout.Asked{Who: engine.Operator(), Lang: s.lang, Format: "xlsx"}
		if x.CSV || strings.EqualFold(filepath.Ext(x.Out), ".csv") { // a workbook under that name would open nowhere
			a.Format = "csv"
		}
		out, err := what(e, &layout.Desk{Engine: e, Layouts: layouts, Site: c.Organisation, After: func(ctx context.Context, b *workbook.Book, lang string) error {
			note, err := newestNote(ctx, e)
			if err != nil {
				return err
			}
			return console.WriteCheckpoint(b, lang, note)
		}}, a)
		if err != nil {
			return err
		}
		if err := writeFile(x.Out, os.O_TRUNC, func(f *os.File) error { return out.Write(ctx, f) }); err != nil {
			return err
		}
		s.say("export.written", "file", x.Out, "rows", out.Rows)
		return nil
	})
}

type exportLedgerCmd struct {
	toFile
	Unit    string        `placeholder:"CODE"`
	Kind    string        `placeholder:"ID"`
	List    string        `placeholder:"NUMBER"`
	Text    string        `placeholder:"TEXT"`
	Stage   []string      `placeholder:"STAGE"`
	Light   []string      `placeholder:"LIGHT"`
	DueFrom calendar.Date `placeholder:"DATE"`
	DueTo   calendar.Date `placeholder:"DATE"`
	Open    bool
	Overdue bool
}

// Help returns the examples.
func (exportLedgerCmd) Help() string {
	return "bihuan export ledger --out ledger.xlsx --db sqlite:bihuan.db\nbihuan export ledger --unit dw --open --light red --csv --out open.csv --db sqlite:bihuan.db\n" +
		"bihuan export ledger --template our-ledger.xlsx --out ledger.xlsx --db sqlite:bihuan.db"
}

// Run takes the ledger out.
func (x *exportLedgerCmd) Run(ctx context.Context, s *session) error {
	return s.export(ctx, &x.toFile, layout.Ledger, func(e *engine.Engine, d *layout.Desk, a layout.Asked) (*layout.Export, error) {
		f := engine.Filter{Kind: x.Kind, List: x.List, Text: x.Text, Open: x.Open, DueFrom: x.DueFrom, DueTo: x.DueTo, Sort: engine.ByOldest}
		if x.Unit != "" {
			u, err := e.Unit(ctx, x.Unit)
			if err != nil {
				return nil, err
			}
			f.Unit = u.ID
		}
		for _, stage := range x.Stage {
			f.Stage = append(f.Stage, engine.StageID(stage))
		}
		for _, l := range x.Light {
			light := engine.Light(l)
			if !slices.Contains([]engine.Light{engine.Green, engine.Yellow, engine.Orange, engine.Red, engine.NoLight}, light) {
				return nil, misuse{line("export.light", "light", l)}
			}
			f.Light = append(f.Light, light)
		}
		if x.Overdue {
			f.Overdue = &x.Overdue
		}
		return d.Ledger(ctx, a, layout.Query{Filter: f})
	})
}

type exportListCmd struct {
	toFile
	Number string `arg:""`
	Unit   string `required:"" placeholder:"CODE"`
}

// Help returns the examples.
func (exportListCmd) Help() string {
	return "bihuan export list 2026-6 --unit dw --out list.xlsx --db sqlite:bihuan.db"
}

// Run takes a list out.
func (x *exportListCmd) Run(ctx context.Context, s *session) error {
	return s.export(ctx, &x.toFile, layout.List, func(e *engine.Engine, d *layout.Desk, a layout.Asked) (*layout.Export, error) {
		l, err := (&listAt{Number: x.Number, Unit: x.Unit}).find(ctx, e)
		if err != nil {
			return nil, err
		}
		return d.List(ctx, a, l.ID)
	})
}

type exportUnitCmd struct {
	toFile
	Unit string `arg:""`
	Year int    `required:"" placeholder:"YEAR"`
}

// Help returns the examples.
func (exportUnitCmd) Help() string {
	return "bihuan export unit dw --year 2026 --out year.xlsx --db sqlite:bihuan.db"
}

// Run takes a unit's year out.
func (x *exportUnitCmd) Run(ctx context.Context, s *session) error {
	return s.export(ctx, &x.toFile, layout.Unit, func(_ *engine.Engine, d *layout.Desk, a layout.Asked) (*layout.Export, error) {
		return d.Unit(ctx, a, x.Unit, x.Year)
	})
}

type exportLayoutCmd struct {
	Name string `arg:"" enum:"ledger,list,unit"`
	Out  string `required:"" placeholder:"FILE"`
}

// Help returns the examples.
func (exportLayoutCmd) Help() string { return "bihuan export layout ledger --out layouts/台账.xlsx" }

// Run writes a layout of the product as the workbook that an office begins its own with.
func (x *exportLayoutCmd) Run(s *session) error {
	all, err := siteLayouts("")
	if err != nil {
		return err
	}
	if err := os.WriteFile(x.Out, all.Get(x.Name, s.lang).Template(), 0o644); err != nil { //nolint:gosec // a form for everybody
		return err
	}
	s.say("export.layout", "file", x.Out)
	return nil
}
