package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"bihuan/engine"
)

// mappingCmd is about what imports have remembered of the sources of ledgers.
type mappingCmd struct {
	List   mappingListCmd   `cmd:""`
	Forget mappingForgetCmd `cmd:""`
}

type mappingListCmd struct {
	database
	Unit string `placeholder:"CODE"`
	JSON bool   `name:"json"`
}

// Help returns the examples.
func (mappingListCmd) Help() string {
	return "bihuan mapping list --db sqlite:bihuan.db\nbihuan mapping list --unit dw --json --db sqlite:bihuan.db"
}

// rememberedSource is what is remembered of one source. Its JSON is an interface for scripts.
type rememberedSource struct {
	ID      engine.MappingID   `json:"id"`
	Unit    string             `json:"unit"` // code
	File    string             `json:"file"` // with which it was confirmed
	By      string             `json:"by"`   // login
	At      time.Time          `json:"at"`
	Columns []rememberedColumn `json:"columns"`
}

type rememberedColumn struct {
	Column string `json:"column"`
	Field  string `json:"field"`
}

// Run lists the remembered sources, the last confirmed first.
func (x *mappingListCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		list, err := s.remembered(ctx, e, x.Unit)
		if err != nil {
			return err
		}
		if x.JSON {
			return s.json(map[string]any{"items": list})
		}
		rows := [][]string{{s.text("mapping.id"), s.text("mapping.unit"), s.text("mapping.file"), s.text("mapping.by"), s.text("mapping.at"), s.text("mapping.columns")}}
		for _, m := range list {
			var columns []string
			for _, c := range m.Columns {
				columns = append(columns, oneLine(c.Column)+" → "+sentence{"ledger.field." + c.Field, nil}.In(s.lang))
			}
			rows = append(rows, []string{string(m.ID), m.Unit, oneLine(m.File), m.By, when(e, m.At), strings.Join(columns, s.comma())})
		}
		s.table(rows)
		return nil
	})
}

// remembered lists what is remembered of the sources at a unit, or ("") at all.
func (s *session) remembered(ctx context.Context, e *engine.Engine, code string) ([]rememberedSource, error) {
	var at engine.UnitID
	if code != "" {
		u, err := e.Unit(ctx, code)
		if err != nil {
			return nil, err
		}
		at = u.ID
	}
	list, err := e.SourceMappings(ctx, engine.Operator(), at)
	if err != nil {
		return nil, err
	}
	codes, err := unitCodes(ctx, e)
	if err != nil {
		return nil, err
	}
	who, err := s.logins(ctx, e)
	if err != nil {
		return nil, err
	}
	out := []rememberedSource{}
	for _, m := range list {
		by := cmp.Or(who[string(m.SavedBy)], string(m.SavedBy)) // the operator has no account
		r := rememberedSource{m.ID, codes[m.UnitID], m.File, by, m.SavedAt, []rememberedColumn{}}
		for _, c := range m.Columns {
			r.Columns = append(r.Columns, rememberedColumn{c.Header, c.Field})
		}
		out = append(out, r)
	}
	return out, nil
}

type mappingForgetCmd struct {
	database
	ID string `arg:"" name:"id"`
}

// Help returns the examples.
func (mappingForgetCmd) Help() string {
	return "bihuan mapping forget 01980b2c-6f0e-7c3a-9d41-2a7c51e0b6aa --db sqlite:bihuan.db"
}

// Run forgets what is remembered of a source.
func (x *mappingForgetCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if err := e.ForgetMapping(ctx, engine.Operator(), engine.MappingID(x.ID)); err != nil {
			return err
		}
		s.say("mapping.forgotten")
		return nil
	})
}
