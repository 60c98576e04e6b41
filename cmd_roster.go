package main

import (
	"context"
	"fmt"
	"path/filepath"

	"bihuan/engine"
	"bihuan/engine/intake"
)

// rosterFlags are those of both imports of tables.
type rosterFlags struct {
	database
	DryRun bool
	JSON   bool   `name:"json"`
	File   string `arg:""`
}

type unitImportCmd struct{ rosterFlags }

// Help returns the examples.
func (unitImportCmd) Help() string {
	return "bihuan unit import --db sqlite:bihuan.db --dry-run units.xlsx\nbihuan unit import --db sqlite:bihuan.db units.csv"
}

// Run takes a table of units over: all of them or none.
func (x *unitImportCmd) Run(ctx context.Context, s *session) error {
	return s.takeRoster(ctx, &x.rosterFlags, "unit", intake.TakeUnits)
}

type userImportCmd struct{ rosterFlags }

// Help returns the examples.
func (userImportCmd) Help() string {
	return "bihuan user import --db sqlite:bihuan.db --dry-run people.xlsx\nbihuan user import --db sqlite:bihuan.db people.csv"
}

// Run takes a table of people over: all of them or none.
func (x *userImportCmd) Run(ctx context.Context, s *session) error {
	return s.takeRoster(ctx, &x.rosterFlags, "user", intake.TakePeople)
}

// rosterReport is what an import of units or people found and did. Its JSON is an interface for scripts.
type rosterReport struct {
	File     string         `json:"file"`
	DryRun   bool           `json:"dry_run"`
	Rows     int            `json:"rows"`
	New      int            `json:"new"`    // that were made, or with dry_run would be
	Known    int            `json:"known"`  // that are there already
	Grants   int            `json:"grants"` // roles that were given, or would be
	Problems []importRemark `json:"problems"`
	Notes    []importRemark `json:"notes"`
	Items    []rosterItem   `json:"items"`
}

type rosterItem struct {
	Row   int             `json:"row"`
	Key   string          `json:"key"` // code of the unit, login of the person
	Name  string          `json:"name"`
	Role  engine.Role     `json:"role,omitempty"`
	Unit  string          `json:"unit,omitempty"`
	State intake.RowState `json:"state"`
}

func (s *session) takeRoster(ctx context.Context, x *rosterFlags, kind string, take func(context.Context, *engine.Engine, engine.Actor, string, []byte, bool) (*intake.Roster, error)) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		data, err := readLedger(x.File)
		if err != nil {
			return err
		}
		name := filepath.Base(x.File)
		r, err := take(ctx, e, engine.Operator(), name, data, x.DryRun)
		if err != nil {
			return err
		}
		out := rosterReport{File: name, DryRun: x.DryRun, Rows: len(r.Rows), New: len(r.New), Known: len(r.Known), Grants: len(r.Grants),
			Problems: s.remarks(r.Problems), Notes: s.remarks(r.Notes), Items: []rosterItem{}}
		for _, i := range r.Rows {
			out.Items = append(out.Items, rosterItem{i.Row, i.Key, i.Name, i.Role, i.Unit, i.State})
		}
		if err := s.tellRoster(x, kind, &out); err != nil {
			return err
		}
		if len(out.Problems) > 0 {
			return failure{code: exitFailed}
		}
		return nil
	})
}

func (s *session) tellRoster(x *rosterFlags, kind string, r *rosterReport) error {
	if x.JSON {
		return s.json(r)
	}
	for _, p := range r.Problems {
		s.print(s.text("import.problem") + s.remark(p))
	}
	for _, p := range r.Notes {
		s.print(s.text("import.note") + s.remark(p))
	}
	if len(r.Problems) > 0 {
		s.say("roster.refused", "file", r.File, "problems", len(r.Problems), "rows", r.Rows)
		return nil
	}
	rows := [][]string{{s.text("import.row"), s.text(kind + "." + map[string]string{"unit": "code", "user": "login", "tally": "member"}[kind]), s.text(kind + ".name"), s.text("roster.state")}}
	for _, i := range r.Items {
		role := ""
		if i.Role != "" {
			role = " " + i.Role.In(s.lang) + "@" + i.Unit
		}
		rows = append(rows, []string{fmt.Sprint(i.Row), i.Key, oneLine(i.Name), s.text("roster.state."+string(i.State)) + role})
	}
	s.table(rows)
	key := map[bool]string{false: "roster.done", true: "roster.would"}[r.DryRun]
	if kind == "tally" {
		key = map[bool]string{false: "tally.done", true: "tally.would"}[r.DryRun]
	}
	s.say(key, "file", r.File, "rows", r.Rows, "new", r.New, "known", r.Known, "grants", r.Grants)
	return nil
}
