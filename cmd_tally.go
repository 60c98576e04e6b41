package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bihuan/engine"
	"bihuan/engine/intake"
	"bihuan/workflows"
)

// tallyCmd switches yearly counts on and off, takes tables of what members did over, and shows who is short.
type tallyCmd struct {
	Enable  tallyEnableCmd  `cmd:""`
	Disable tallyDisableCmd `cmd:""`
	Import  tallyImportCmd  `cmd:""`
	List    tallyListCmd    `cmd:""`
}

type tallyEnableCmd struct {
	database
	ID string `arg:"" name:"id"`
}

// Help returns the examples.
func (tallyEnableCmd) Help() string {
	return "bihuan tally enable sigeyi --db sqlite:bihuan.db\nbihuan tally enable ./dushu.yaml --db sqlite:bihuan.db"
}

// Run switches a yearly count on, by the definition that the product brings along or that is in a file.
func (x *tallyEnableCmd) Run(ctx context.Context, s *session) error {
	t, err := findTally(x.ID)
	if err != nil {
		return err
	}
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if err := e.EnableTally(ctx, engine.Operator(), t); err != nil {
			return err
		}
		s.say("tally.enabled", "name", t.Name)
		return nil
	})
}

// findTally finds a definition by the name of a file, or by the id of one that the product brings along.
func findTally(id string) (engine.Tally, error) {
	if strings.HasSuffix(id, ".yaml") || strings.HasSuffix(id, ".yml") {
		source, err := os.ReadFile(id)
		if err != nil {
			return engine.Tally{}, err
		}
		return workflows.ParseTally(filepath.Base(id), source)
	}
	all := workflows.Tallies()
	i := slices.IndexFunc(all, func(t engine.Tally) bool { return t.ID == id })
	if i < 0 {
		return engine.Tally{}, line("tally.unknown", "id", id)
	}
	return all[i], nil
}

type tallyDisableCmd struct {
	database
	ID string `arg:"" name:"id"`
}

// Help returns the examples.
func (tallyDisableCmd) Help() string { return "bihuan tally disable sigeyi --db sqlite:bihuan.db" }

// Run switches a yearly count off.
func (x *tallyDisableCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if err := e.DisableTally(ctx, engine.Operator(), x.ID); err != nil {
			return err
		}
		t, err := e.TheTally(ctx, x.ID)
		if err == nil {
			s.say("tally.disabled", "name", t.Name)
		}
		return err
	})
}

type tallyImportCmd struct {
	rosterFlags
	Tally string `placeholder:"ID"`
	Year  int    `placeholder:"YEAR"`
}

// Help returns the examples.
func (tallyImportCmd) Help() string {
	return "bihuan tally import --db sqlite:bihuan.db --dry-run hours.xlsx\nbihuan tally import --db sqlite:bihuan.db --year 2026 members.csv"
}

// Run takes a table of what members did over: all of it or nothing.
func (x *tallyImportCmd) Run(ctx context.Context, s *session) error {
	return s.takeRoster(ctx, &x.rosterFlags, "tally", func(ctx context.Context, e *engine.Engine, who engine.Actor, file string, data []byte, dry bool) (*intake.Roster, error) {
		t, err := tallyOf(ctx, e, x.Tally)
		if err != nil {
			return nil, err
		}
		return intake.TakeHours(ctx, e, who, t.ID, x.Year, file, data, dry)
	})
}

// tallyOf returns the yearly count with the id, or the only one that is on.
func tallyOf(ctx context.Context, e *engine.Engine, id string) (engine.Tally, error) {
	if id != "" {
		return e.TheTally(ctx, id)
	}
	all, err := e.Tallies(ctx)
	all = slices.DeleteFunc(all, func(t engine.Tally) bool { return !t.On })
	switch {
	case err != nil:
		return engine.Tally{}, err
	case len(all) != 1:
		return engine.Tally{}, line("tally.which", "n", len(all))
	}
	return all[0], nil
}

type tallyListCmd struct {
	database
	Tally string `placeholder:"ID"`
	Unit  string `required:"" placeholder:"CODE"`
	Year  int    `required:"" placeholder:"YEAR"`
	JSON  bool   `name:"json"`
}

// Help returns the examples.
func (tallyListCmd) Help() string {
	return "bihuan tally list --unit jsj-1 --year 2026 --db sqlite:bihuan.db\nbihuan tally list --unit dw --year 2026 --json --db sqlite:bihuan.db"
}

// tallyReport says who did what in a year. Its JSON is an interface for scripts; times are whole minutes.
type tallyReport struct {
	Tally   string        `json:"tally"`
	Year    int           `json:"year"`
	Members []tallyReckon `json:"members"`
	Short   int           `json:"short"` // how many members lack something
}

type tallyReckon struct {
	Member       string         `json:"member"` // login
	Unit         string         `json:"unit"`   // code
	Times        map[string]int `json:"times"`  // confirmed, by category
	Minutes      int            `json:"minutes"`
	Waiting      int            `json:"waiting"`
	ShortTimes   map[string]int `json:"short_times"` // how many are missing, by category
	ShortMinutes int            `json:"short_minutes"`
}

// Run shows who did what, and who is short.
func (x *tallyListCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		t, err := tallyOf(ctx, e, x.Tally)
		if err != nil {
			return err
		}
		r, err := reckon(ctx, e, &t, x.Unit, x.Year)
		if err != nil || x.JSON {
			if err == nil {
				err = s.json(r)
			}
			return err
		}
		head := []string{s.text("tally.member"), s.text("tally.unit")}
		for _, c := range t.Categories {
			head = append(head, c.Name.In(s.lang))
		}
		rows := [][]string{append(head, s.text("tally.hours"), s.text("tally.waiting"), s.text("tally.short"))}
		for _, m := range r.Members {
			row := []string{m.Member, m.Unit}
			for _, c := range t.Categories {
				row = append(row, fmt.Sprint(m.Times[c.ID]))
			}
			short := t.Missing(&engine.TallyCount{ShortTimes: m.ShortTimes, ShortMinutes: m.ShortMinutes}, s.lang)
			rows = append(rows, append(row, engine.Hours(m.Minutes), fmt.Sprint(m.Waiting), short))
		}
		s.table(rows)
		s.say("tally.total", "all", len(r.Members), "short", r.Short)
		return nil
	})
}

// reckon counts the year of every member of a unit and of those under it.
func reckon(ctx context.Context, e *engine.Engine, t *engine.Tally, code string, year int) (tallyReport, error) {
	r := tallyReport{Tally: t.ID, Year: year, Members: []tallyReckon{}}
	u, err := e.Unit(ctx, code)
	if err != nil {
		return r, err
	}
	years, err := e.AllTallyYears(ctx, engine.Operator(), engine.TallyFilter{Tally: t.ID, Year: year, Unit: u.ID})
	if err != nil {
		return r, err
	}
	codes, err := unitCodes(ctx, e)
	if err != nil {
		return r, err
	}
	users, err := e.Store.Users(ctx)
	if err != nil {
		return r, err
	}
	logins := make(map[engine.UserID]string, len(users))
	for _, u := range users {
		logins[u.ID] = u.Login
	}
	for i := range years {
		y := &years[i]
		if y.Struck != "" {
			continue
		}
		c := t.Count(y)
		r.Members = append(r.Members, tallyReckon{logins[y.UserID], codes[y.UnitID], c.Times, c.Minutes, c.Waiting, c.ShortTimes, c.ShortMinutes})
		if c.Short() {
			r.Short++
		}
	}
	return r, nil
}
