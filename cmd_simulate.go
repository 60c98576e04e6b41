package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

type simulateCmd struct {
	setup
	Workflow string `required:"" placeholder:"ID|FILE"`
	Start    string `required:"" placeholder:"DATE"`
	Deadline string `required:"" placeholder:"DATE"`
	JSON     bool   `name:"json"`
}

// Help returns the examples.
func (simulateCmd) Help() string {
	return "bihuan simulate --workflow shishi --start 2026-09-24 --deadline 2026-11-30\n" +
		"bihuan simulate --workflow my-workflow.yaml --start 2026-09-24 --deadline 2026-11-30 --json"
}

// simulation is what simulate prints for programs.
type simulation struct {
	Workflow     string        `json:"workflow"`
	Version      int           `json:"version"`
	Digest       string        `json:"digest"`
	Start        calendar.Date `json:"start"`
	Deadline     calendar.Date `json:"deadline"`
	UnknownYears []int         `json:"unknown_years"` // whose holiday lists are not loaded
	Occurrences  []occurrence  `json:"occurrences"`
}

// occurrence is one dated line. Members that do not apply to its kind are absent.
type occurrence struct {
	At      time.Time      `json:"at"`
	Date    calendar.Date  `json:"date"` // at the site
	Weekday string         `json:"weekday"`
	Time    string         `json:"time"`
	Kind    string         `json:"kind"` // stage, light, rung, overdue, auto, deadline
	Stage   engine.StageID `json:"stage"`
	Timer   engine.TimerID `json:"timer,omitempty"`
	Rung    engine.Rung    `json:"rung,omitempty"`
	Light   engine.Light   `json:"light,omitempty"`
	To      []engine.Role  `json:"to,omitempty"`
	Unknown bool           `json:"calendar_unknown,omitempty"`
}

// Run lists, without a database, everything that the clock would do to a project.
func (x *simulateCmd) Run(s *session) error {
	start, err := readDate("--start", x.Start)
	if err != nil {
		return err
	}
	deadline, err := readDate("--deadline", x.Deadline)
	if err != nil {
		return err
	}
	c, err := s.config(x.setup, nil)
	if err != nil {
		return err
	}
	d, err := s.findDefinition(x.setup, x.Workflow)
	if err != nil {
		return err
	}
	cal, err := workingDays(c.Calendar)
	if err != nil {
		return err
	}
	where, err := site(c)
	if err != nil {
		return err
	}
	list, err := engine.Simulate(d.Workflow, cal, where, start, deadline)
	if err != nil {
		return err
	}
	out := simulation{Workflow: d.ID, Version: d.Version, Digest: d.Digest, Start: start, Deadline: deadline, UnknownYears: []int{}}
	for _, o := range list {
		local := o.At.In(where.Location)
		day := calendar.DateOf(o.At, where.Location)
		out.Occurrences = append(out.Occurrences, occurrence{At: o.At, Date: day, Weekday: local.Weekday().String(),
			Time: local.Format("15:04"), Kind: o.Kind, Stage: o.Stage, Timer: o.Timer, Rung: o.Rung, Light: o.Light, To: o.To,
			Unknown: o.Unknown})
	}
	out.UnknownYears = append(out.UnknownYears, unknownYears(cal, out.Occurrences)...)
	if x.JSON {
		return s.json(out)
	}
	s.showSimulation(d.Workflow, out)
	return nil
}

// readDate reads a date that a flag gave.
func readDate(flag, text string) (calendar.Date, error) {
	d, err := calendar.ParseDate(text)
	if err != nil {
		return d, misuse{line("usage.date", "flag", flag, "text", text)}
	}
	return d, nil
}

// workingDays is the embedded calendar with the days of the set-up's file or folder.
func workingDays(place string) (*calendar.Calendar, error) {
	days, err := readCalendar(place)
	if err != nil {
		return nil, err
	}
	embedded := calendar.Embedded()
	c, err := embedded.With(embedded.Join(days))
	if err != nil {
		return nil, inFile{place, err}
	}
	return c, nil
}

// unknownYears are the years that the occurrences fall in and whose holiday list is not loaded.
func unknownYears(cal *calendar.Calendar, list []occurrence) []int {
	var years []int
	for _, o := range list {
		if y := o.Date.Year(); !cal.Known(y) && !slices.Contains(years, y) {
			years = append(years, y)
		}
	}
	return years
}

// showSimulation writes the table. A star marks dates that are a guess.
func (s *session) showSimulation(w *engine.Workflow, sim simulation) {
	s.say("simulate.title", "name", w.Name, "version", w.Version, "start", sim.Start, "deadline", sim.Deadline)
	if len(sim.UnknownYears) > 0 {
		s.say("simulate.unknown", "years", yearTexts(sim.UnknownYears))
	}
	rows := [][]string{{s.text("simulate.date"), s.text("simulate.weekday"), s.text("simulate.time"), s.text("simulate.stage"),
		s.text("simulate.what"), s.text("simulate.to")}}
	for _, o := range sim.Occurrences {
		day := o.Date.String()
		if o.Unknown || slices.Contains(sim.UnknownYears, o.Date.Year()) {
			day += "*"
		}
		rows = append(rows, []string{day, s.text("weekday." + strings.ToLower(o.Weekday)), o.Time, w.StageName(o.Stage).In(s.lang),
			s.what(w, o), s.roles(o.To)})
	}
	s.table(rows)
}

// what says what happens.
func (s *session) what(w *engine.Workflow, o occurrence) string {
	switch o.Kind {
	case "rung":
		return s.text("simulate.rung", "rung", o.Rung, "timer", o.Timer)
	case "light":
		return s.text("simulate.light." + string(o.Light))
	case "stage":
		return s.text("simulate.stage_begins", "stage", w.StageName(o.Stage))
	}
	return s.text("simulate." + o.Kind)
}

// yearTexts writes years for a sentence.
func yearTexts(years []int) []string {
	out := make([]string, len(years))
	for i, y := range years {
		out[i] = strconv.Itoa(y)
	}
	return out
}
