package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/workflows"
)

// sheetCmd checks and proposes score sheets. Adopting one is a leader's decision, taken in the console.
type sheetCmd struct {
	Check    sheetCheckCmd    `cmd:""`
	List     sheetListCmd     `cmd:""`
	Propose  sheetProposeCmd  `cmd:""`
	Withdraw sheetWithdrawCmd `cmd:""`
}

// scoreDesk is what computes scores by the sheets of a database.
func scoreDesk(e *engine.Engine) *score.Desk {
	return score.NewDesk(e, e.Store, time.Now, workflows.Sheets(), workflows.ParseSheet)
}

type sheetCheckCmd struct {
	File []string `arg:""`
}

// Help returns the examples.
func (sheetCheckCmd) Help() string { return "bihuan sheet check sheet.yaml" }

// Run reports every mistake of every file as file:line: sentence.
func (x *sheetCheckCmd) Run(s *session) error {
	bad := false
	for _, file := range x.File {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		sheet, err := workflows.ParseSheet(filepath.Base(file), source)
		if err != nil {
			bad = true
			_, _ = fmt.Fprintln(s.err, s.explain(err))
			continue
		}
		s.say("sheet.ok", "file", file, "id", sheet.ID, "version", sheet.Version, "digest", sheet.Digest)
	}
	if bad {
		return failure{code: exitFailed}
	}
	return nil
}

type sheetListCmd struct{ database }

// Help returns the examples.
func (sheetListCmd) Help() string { return "bihuan sheet list --db sqlite:bihuan.db" }

// Run lists the sheet in force and every proposal.
func (x *sheetListCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		holds, err := scoreDesk(e).Sheet(ctx, "")
		if err != nil {
			return err
		}
		s.say("sheet.holds", "id", holds.ID, "version", holds.Version, "name", holds.Name, "digest", holds.Digest)
		all, err := e.Store.SheetVersions(ctx)
		for _, p := range all {
			s.say("sheet.row", "state", p.State, "id", p.Sheet, "version", p.Number, "from", p.From, "note", p.Note,
				"at", p.ProposedAt.In(e.Site.Location).Format("2006-01-02 15:04"))
		}
		return err
	})
}

type sheetProposeCmd struct {
	database
	File string        `arg:""`
	From calendar.Date `required:"" placeholder:"DATE"`
	Note string        `required:"" placeholder:"TEXT"`
}

// Help returns the examples.
func (sheetProposeCmd) Help() string {
	return "bihuan sheet propose sheet.yaml --from 2027-01-01 --note 明年起逾期按天扣分 --db sqlite:bihuan.db"
}

// Run proposes a sheet.
func (x *sheetProposeCmd) Run(ctx context.Context, s *session) error {
	source, err := os.ReadFile(x.File)
	if err != nil {
		return err
	}
	if _, err := workflows.ParseSheet(filepath.Base(x.File), source); err != nil {
		return err
	}
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		p, err := scoreDesk(e).Propose(ctx, engine.Operator(), source, x.From, x.Note)
		if err == nil {
			s.say("sheet.proposed", "id", p.Sheet, "version", p.Number, "from", p.From)
		}
		return err
	})
}

type sheetWithdrawCmd struct {
	database
	Note string `placeholder:"TEXT"`
}

// Help returns the examples.
func (sheetWithdrawCmd) Help() string { return "bihuan sheet withdraw --db sqlite:bihuan.db" }

// Run takes the proposal back that waits.
func (x *sheetWithdrawCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		all, err := e.Store.SheetVersions(ctx)
		if err != nil {
			return err
		}
		for _, p := range all {
			if p.State != engine.SheetProposed {
				continue
			}
			if p, err = e.WithdrawSheet(ctx, engine.Operator(), p.ID, p.Version, x.Note); err == nil {
				s.say("sheet.withdrawn", "id", p.Sheet, "version", p.Number)
			}
			return err
		}
		return line("sheet.none")
	})
}
