package main

import (
	"context"
	"maps"
	"slices"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

type calendarCmd struct {
	Load calendarLoadCmd `cmd:""`
	Show calendarShowCmd `cmd:""`
}

type calendarLoadCmd struct {
	database
	File string `arg:""`
}

// Help returns the examples.
func (calendarLoadCmd) Help() string { return "bihuan calendar load 2027.csv --db sqlite:bihuan.db" }

// Run puts the holiday lists of a file into force; what waited for them gets its dates.
func (x *calendarLoadCmd) Run(ctx context.Context, s *session) error {
	days, err := readDays(x.File)
	if err != nil {
		return err
	}
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if len(newDays(e.Working(), days)) == 0 {
			s.say("calendar.unchanged", "file", x.File)
			return nil
		}
		years := map[int]bool{}
		for _, d := range days {
			years[d.Date.Year()] = true
		}
		changed, err := e.LoadCalendar(ctx, engine.Operator(), days)
		if err != nil {
			return err
		}
		s.say("calendar.loaded", "years", yearTexts(slices.Sorted(maps.Keys(years))), "days", len(days), "projects", changed)
		return nil
	})
}

type calendarShowCmd struct {
	database
	Year int  `arg:"" name:"year"`
	JSON bool `name:"json"`
}

// Help returns the examples.
func (calendarShowCmd) Help() string {
	return "bihuan calendar show 2026\nbihuan calendar show 2027 --db sqlite:bihuan.db --json"
}

// Run lists the days of a year that are not what their weekday says: as embedded and in the set-up's folder, or
// with --db as in force at the site.
func (x *calendarShowCmd) Run(ctx context.Context, s *session) error {
	if x.DB != "" {
		return s.withEngine(ctx, x.database, func(e *engine.Engine) error { return x.show(s, e.Working()) })
	}
	c, err := s.config(x.setup, nil)
	if err != nil {
		return err
	}
	cal, err := workingDays(c.Calendar)
	if err != nil {
		return err
	}
	return x.show(s, cal)
}

func (x *calendarShowCmd) show(s *session, cal *calendar.Calendar) error {
	if !cal.Known(x.Year) {
		return line("calendar.unknown", "year", x.Year, "years", yearTexts(cal.Years()))
	}
	list := cal.Days(x.Year)
	if x.JSON {
		return s.json(map[string]any{"year": x.Year, "days": list})
	}
	rows := [][]string{{s.text("simulate.date"), s.text("simulate.weekday"), s.text("calendar.kind"), s.text("calendar.holiday")}}
	for _, d := range list {
		kind := "calendar.work"
		if d.Off {
			kind = "calendar.off"
		}
		rows = append(rows, []string{d.Date.String(), s.weekday(d.Date), s.text(kind), d.Name})
	}
	s.table(rows)
	return nil
}
