package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// listCmd sets up lists and shows them. Publishing and closing are decisions, and people take them.
type listCmd struct {
	All  listAllCmd  `cmd:""`
	Draw listDrawCmd `cmd:""`
	Put  listPutCmd  `cmd:""`
	Show listShowCmd `cmd:""`
}

// listAt names a list: its number at a unit.
type listAt struct {
	database
	Number string `arg:""`
	Unit   string `required:"" placeholder:"CODE"`
}

// find returns the list.
func (x *listAt) find(ctx context.Context, e *engine.Engine) (engine.List, error) {
	u, err := e.Unit(ctx, x.Unit)
	if err != nil {
		return engine.List{}, err
	}
	page, err := e.Lists(ctx, engine.Operator(), engine.ListFilter{Unit: u.ID, Number: x.Number, Limit: 1})
	if err != nil {
		return engine.List{}, err
	}
	if len(page.Items) == 0 {
		return engine.List{}, line("list.none", "number", x.Number, "unit", x.Unit)
	}
	return page.Items[0], nil
}

type listDrawCmd struct {
	listAt
	Name string        `arg:""`
	From calendar.Date `required:"" placeholder:"DATE"`
	To   calendar.Date `required:"" placeholder:"DATE"`
}

// Help returns the examples.
func (listDrawCmd) Help() string {
	return "bihuan list draw 2026-6 双月实事清单 --unit dw --from 2026-11-01 --to 2026-12-31 --db sqlite:bihuan.db"
}

// Run begins a list.
func (x *listDrawCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.Unit(ctx, x.Unit)
		if err != nil {
			return err
		}
		l, err := e.DrawUp(ctx, engine.Operator(), u, engine.ListHeader{Number: x.Number, Name: x.Name, From: x.From, To: x.To})
		if err != nil {
			return err
		}
		s.say("list.drawn", "number", l.Number, "unit", u.Code)
		return nil
	})
}

type listPutCmd struct{ listAt }

// Help returns the examples.
func (listPutCmd) Help() string { return "bihuan list put 2026-6 --unit dw --db sqlite:bihuan.db" }

// Run puts every project that names the list's number on it.
func (x *listPutCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		l, err := x.find(ctx, e)
		if err != nil {
			return err
		}
		named, err := e.Named(ctx, engine.Operator(), &l)
		if err != nil {
			return err
		}
		ids := make([]engine.ProjectID, len(named))
		for i := range named {
			ids[i] = named[i].ID
		}
		if len(ids) > 0 {
			if l, err = e.PutOn(ctx, engine.Operator(), l.ID, l.Version, ids); err != nil {
				return err
			}
		}
		s.say("list.put", "n", len(ids), "number", l.Number, "all", len(l.Items))
		return nil
	})
}

type listAllCmd struct {
	database
	Unit string `placeholder:"CODE"`
	JSON bool   `name:"json"`
}

// Help returns the examples.
func (listAllCmd) Help() string { return "bihuan list all --unit dw --db sqlite:bihuan.db" }

// listedList is a list for programs.
type listedList struct {
	ID     engine.ListID    `json:"id"`
	Unit   string           `json:"unit"` // code
	Number string           `json:"number"`
	Name   string           `json:"name"`
	From   string           `json:"from"`
	To     string           `json:"to"`
	State  engine.ListState `json:"state"`
	Items  int              `json:"items"`
}

// Run lists the lists, the newest period first.
func (x *listAllCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		codes, err := unitCodes(ctx, e)
		if err != nil {
			return err
		}
		f := engine.ListFilter{Limit: engine.MaxPage}
		if x.Unit != "" {
			u, err := e.Unit(ctx, x.Unit)
			if err != nil {
				return err
			}
			f.Unit = u.ID
		}
		list := []listedList{}
		for {
			page, err := e.Lists(ctx, engine.Operator(), f)
			if err != nil {
				return err
			}
			for _, l := range page.Items {
				list = append(list, listedList{l.ID, codes[l.UnitID], l.Number, l.Name, l.From.String(), l.To.String(), l.State, len(l.Items)})
			}
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		if x.JSON {
			return s.json(map[string]any{"lists": list})
		}
		rows := [][]string{{s.text("list.number"), s.text("list.unit"), s.text("list.name"), s.text("list.period"), s.text("list.state"), s.text("list.items")}}
		for _, l := range list {
			rows = append(rows, []string{l.Number, l.Unit, l.Name, l.From + "—" + l.To, l.State.In(s.lang), strconv.Itoa(l.Items)})
		}
		s.table(rows)
		return nil
	})
}

type listShowCmd struct {
	listAt
	JSON bool `name:"json"`
}

// Help returns the examples.
func (listShowCmd) Help() string { return "bihuan list show 2026-6 --unit dw --db sqlite:bihuan.db" }

// listedItem is an item for programs.
type listedItem struct {
	No      int              `json:"no"`
	Number  string           `json:"number"`
	Title   string           `json:"title"`
	Outcome engine.Outcome   `json:"outcome"`
	Open    bool             `json:"open"`
	Project engine.ProjectID `json:"project"`
	Carried int              `json:"carried"`
	Missing []string         `json:"missing"`
}

// Run shows a list held against what its items have come to.
func (x *listShowCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		l, err := x.find(ctx, e)
		if err != nil {
			return err
		}
		r, err := e.Reconcile(ctx, engine.Operator(), l.ID)
		if err != nil {
			return err
		}
		items := []listedItem{}
		rows := [][]string{{s.text("list.no"), s.text("list.project"), s.text("list.title"), s.text("list.outcome"), s.text("list.missing")}}
		for _, line := range r.Lines {
			missing := []string{}
			for _, m := range line.Missing {
				missing = append(missing, m.In(s.lang))
			}
			p := line.Project
			items = append(items, listedItem{line.Item.No, p.Number, p.Title, line.Outcome, line.Outcome.Open(), p.ID, line.Item.Times, missing})
			first := ""
			if len(missing) > 0 {
				first = missing[0]
			}
			if len(missing) > 1 {
				first = s.text("list.and_more", "first", first, "n", len(missing)-1)
			}
			rows = append(rows, []string{strconv.Itoa(line.Item.No), p.Number, p.Title, line.Outcome.In(s.lang), first})
		}
		if x.JSON {
			return s.json(map[string]any{"number": l.Number, "state": l.State, "open": r.Open, "items": items})
		}
		var parts []string
		for _, o := range engine.Outcomes {
			if n := r.Count[o]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %d", o.In(s.lang), n))
			}
		}
		s.say("list.sum", "name", l.Name, "number", l.Number, "state", l.State, "n", len(r.Lines), "parts", strings.Join(parts, s.comma()))
		s.table(rows)
		return nil
	})
}
