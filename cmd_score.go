package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bihuan/api/console"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/workflows"
)

type scoreCmd struct {
	database
	Unit   string        `placeholder:"CODE"`
	From   calendar.Date `placeholder:"DATE"`
	To     calendar.Date `placeholder:"DATE"`
	AsOf   calendar.Date `placeholder:"DATE"`
	Sheet  string        `placeholder:"SHEET"`
	Beside string        `placeholder:"SHEET"`
	JSON   bool          `name:"json"`
	XLSX   string        `name:"xlsx" placeholder:"FILE"`
}

// Help returns the examples.
func (scoreCmd) Help() string {
	return "bihuan score --from 2026-01-01 --to 2026-06-30 --db sqlite:bihuan.db\nbihuan score --unit dw --as-of 2026-03-31 --db sqlite:bihuan.db\nbihuan score --sheet default --beside sheet.yaml --db sqlite:bihuan.db"
}

// sheetNamed reads a file, or finds a sheet of the database by its id; nil is the one in force.
func sheetNamed(ctx context.Context, desk *score.Desk, name string) (*score.Sheet, error) {
	if name == "" {
		return nil, nil
	}
	if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" && !strings.ContainsRune(name, filepath.Separator) {
		return desk.Sheet(ctx, name)
	}
	source, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return workflows.ParseSheet(filepath.Base(name), source)
}

// Run computes and shows scores.
func (x *scoreCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		q := score.Question{From: x.From, To: x.To, On: x.AsOf}
		if q.From.IsZero() {
			q.From = calendar.NewDate(calendar.DateOf(time.Now(), e.Site.Location).Year(), time.January, 1)
		}
		if q.To.IsZero() {
			q.To = calendar.NewDate(q.From.Year(), time.December, 31)
		}
		desk := scoreDesk(e)
		sheet, err := sheetNamed(ctx, desk, x.Sheet)
		if err != nil {
			return err
		}
		beside, err := sheetNamed(ctx, desk, x.Beside)
		if err != nil {
			return err
		}
		t, err := desk.Apply(ctx, engine.Operator(), q, sheet)
		if err != nil {
			return err
		}
		other := t
		if beside != nil {
			if other, err = desk.Apply(ctx, engine.Operator(), q, beside); err != nil {
				return err
			}
		}
		if x.Unit != "" {
			u, err := e.Unit(ctx, x.Unit)
			if err != nil {
				return err
			}
			for _, table := range []*score.Table{t, other} {
				table.Units = slices.DeleteFunc(table.Units, func(p score.Unit) bool { return p.ID != u.ID })
			}
		}
		note, err := newestNote(ctx, e)
		if err != nil {
			return err
		}
		given, err := e.Distinctions(ctx, engine.Operator(), 0, "")
		if err != nil {
			return err
		}
		return x.show(s, t, other, given, note)
	})
}

func (x *scoreCmd) show(s *session, t, other *score.Table, given []engine.Distinction, note []byte) error {
	switch {
	case x.XLSX != "":
		err := writeFile(x.XLSX, os.O_TRUNC, func(f *os.File) error { return console.WriteScores(f, s.lang, t, given, note) })
		if err == nil {
			s.say("score.written", "file", x.XLSX)
		}
		return err
	case x.JSON:
		return s.json(scoredTable(t, other))
	}
	s.say("score.head", "from", t.Book.From, "to", t.Book.To, "sheet", t.Sheet.Name, "version", t.Sheet.Version,
		"until", t.Book.Until.In(t.Book.Location).Format("2006-01-02 15:04"))
	if t != other {
		for _, c := range score.Compare(t, other) {
			s.say("score.change", "name", c.Old.Name, "code", c.Old.Code, "old", c.Old.Total, "new", c.New.Total, "difference", c.Difference())
		}
		return nil
	}
	for i := range t.Units {
		u := &t.Units[i]
		rank, band := s.text("score.unranked"), "—"
		if u.Rank > 0 {
			rank, band = fmt.Sprintf("%d/%d", u.Rank, u.Of), u.Band.Name.In(s.lang)
		}
		s.say("score.unit", "rank", rank, "name", u.Name, "code", u.Code, "items", u.Items, "total", u.Total, "band", band)
		if x.Unit == "" {
			continue
		}
		for _, l := range u.Lines {
			name, what := t.Sheet.RowName(l.Row).In(s.lang), ""
			if l.Row == score.BaseRow {
				name = s.text("score.base")
			}
			if l.Item != nil {
				what = l.Item.Number + " " + l.Item.Title
			} else if l.Of > 0 {
				what = fmt.Sprintf("%d/%d", l.Yes, l.Of)
			}
			s.say("score.line", "points", l.Points, "name", name, "what", what, "n", len(l.Refs))
		}
	}
	return nil
}

// scoredUnit is a unit's score for programs.
type scoredUnit struct {
	Unit   string        `json:"unit"` // code
	Name   string        `json:"name"`
	Items  int           `json:"items"`
	Total  score.Points  `json:"total"`
	Beside *score.Points `json:"beside,omitempty"` // by the other sheet
	Band   string        `json:"band"`
	Rank   int           `json:"rank"`
	Of     int           `json:"of"`
	Lines  []scoredLine  `json:"lines"`
}

type scoredLine struct {
	Row     string       `json:"row"`
	Project string       `json:"project,omitempty"` // number
	Points  score.Points `json:"points"`
	Raw     score.Points `json:"raw"`
	Yes     int          `json:"yes,omitempty"`
	Of      int          `json:"of,omitempty"`
	Entries []string     `json:"entries"` // ids
}

// scoredTable is a table for programs.
func scoredTable(t, other *score.Table) any {
	units := make([]scoredUnit, 0, len(t.Units))
	for i, u := range t.Units {
		x := scoredUnit{Unit: u.Code, Name: u.Name, Items: u.Items, Total: u.Total, Band: u.Band.ID, Rank: u.Rank, Of: u.Of, Lines: make([]scoredLine, 0, len(u.Lines))}
		if t != other {
			x.Beside = &other.Units[i].Total
		}
		for _, l := range u.Lines {
			y := scoredLine{Row: l.Row, Points: l.Points, Raw: l.Raw, Yes: l.Yes, Of: l.Of, Entries: make([]string, 0, len(l.Refs))}
			if l.Item != nil {
				y.Project = l.Item.Number
			}
			for _, r := range l.Refs {
				y.Entries = append(y.Entries, r.ID)
			}
			x.Lines = append(x.Lines, y)
		}
		units = append(units, x)
	}
	return map[string]any{"from": t.Book.From, "to": t.Book.To, "until": t.Book.Until, "over": t.Book.Over,
		"sheet": map[string]any{"id": t.Sheet.ID, "version": t.Sheet.Version, "digest": t.Sheet.Digest}, "units": units}
}
