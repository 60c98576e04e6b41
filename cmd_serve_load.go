package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/workflows"
)

// maxCalendar is the largest list of days that is read, in bytes; ten years have 40 KiB.
const maxCalendar = 4 << 20

// definition is a workflow with the source that its digest covers.
type definition struct {
	*engine.Workflow
	source []byte
	file   string // "" for an embedded one
}

// embeddedDefinitions returns the definitions that the product brings along.
func embeddedDefinitions() ([]definition, error) {
	var out []definition
	for _, w := range workflows.Embedded() {
		source, ok := workflows.Source(w.ID)
		if !ok {
			return nil, fmt.Errorf("embedded definition %s has no source", w.ID)
		}
		out = append(out, definition{Workflow: w, source: source})
	}
	return out, nil
}

// siteDefinitions returns the definitions of a folder, the versions of each in order; none without a folder.
func siteDefinitions(folder string) ([]definition, error) {
	if folder == "" {
		return nil, nil
	}
	if _, err := workflows.Load(os.DirFS(folder)); err != nil {
		return nil, err // with every mistake of every file
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var out []definition
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); f.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		d, err := readDefinition(filepath.Join(folder, f.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b definition) int {
		if order := strings.Compare(a.ID, b.ID); order != 0 {
			return order
		}
		return a.Version - b.Version
	})
	return out, nil
}

// readDefinition reads a definition file.
func readDefinition(file string) (definition, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return definition{}, err
	}
	w, err := workflows.Parse(file, source)
	return definition{Workflow: w, source: source, file: file}, err
}

// publishAll publishes the embedded definitions and those of the site's folder where they are newer than what is
// in force. A file that was changed without a new version changes nothing: projects are pinned to versions.
func publishAll(ctx context.Context, e *engine.Engine, folder string, log *slog.Logger) error {
	list, err := embeddedDefinitions()
	if err != nil {
		return err
	}
	own, err := siteDefinitions(folder)
	if err != nil {
		return err
	}
	for _, d := range append(list, own...) {
		if now, err := e.Workflow(d.ID); err == nil && d.Version <= now.Version {
			if d.Version == now.Version && d.Digest != now.Digest {
				log.WarnContext(ctx, "definition differs from the published one of the same version, which stays in force",
					slog.String("workflow", d.ID), slog.Int("version", d.Version), slog.String("file", d.file))
			}
			continue
		}
		if _, err := e.Publish(ctx, engine.Operator(), d.source); err != nil {
			return err
		}
		log.InfoContext(ctx, "definition published", slog.String("workflow", d.ID), slog.Int("version", d.Version))
	}
	return nil
}

// readCalendar reads one CSV file, or all of a folder; none for "".
func readCalendar(place string) ([]calendar.Day, error) {
	if place == "" {
		return nil, nil
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, err
	}
	files := []string{place}
	if info.IsDir() {
		if files, err = fs.Glob(os.DirFS(place), "*.csv"); err != nil {
			return nil, err
		}
		for i, f := range files {
			files[i] = filepath.Join(place, f)
		}
	}
	var all []calendar.Day
	var wrong []error
	for _, file := range files {
		days, err := readDays(file)
		all, wrong = append(all, days...), append(wrong, err)
	}
	return all, errors.Join(wrong...)
}

// readDays reads one list of days. Its mistakes begin with the file's name.
func readDays(file string) ([]calendar.Day, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	days, err := calendar.ParseCSV(io.LimitReader(f, maxCalendar))
	if err != nil {
		return nil, inFile{file, err}
	}
	return days, nil
}

// loadCalendar brings the site's days into the database unless they are there already.
func loadCalendar(ctx context.Context, e *engine.Engine, place string, log *slog.Logger) error {
	days, err := readCalendar(place)
	if err != nil {
		return err
	}
	fresh := newDays(e.Working(), days)
	if len(fresh) == 0 {
		return nil
	}
	changed, err := e.LoadCalendar(ctx, engine.Operator(), fresh)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "calendar loaded", slog.Int("days", len(fresh)), slog.Int("projects", changed))
	return nil
}

// newDays returns the days of those years that the calendar has otherwise or not at all.
func newDays(c *calendar.Calendar, days []calendar.Day) []calendar.Day {
	years := map[int][]calendar.Day{}
	for _, d := range c.Join(days) {
		years[d.Date.Year()] = append(years[d.Date.Year()], d)
	}
	return slices.DeleteFunc(slices.Clone(days), func(d calendar.Day) bool {
		return slices.Equal(years[d.Date.Year()], c.Days(d.Date.Year()))
	})
}

// firstSteps tells visitors of the demo where it is, and an installation without people how to make the first; there
// is no default account.
func (sv *server) firstSteps(ctx context.Context) error {
	if sv.demo != nil {
		sv.say("demo.serving", "addr", sv.open[0].Addr())
	}
	token, until, err := sv.door.SetupToken(ctx)
	if err != nil || token == "" {
		return err
	}
	address := sv.config.PublicURL
	if address == "" {
		address = "http://" + sv.open[0].Addr().String()
	}
	sv.say("serve.set_up", "url", strings.TrimSuffix(address, "/")+"/set-up", "token", token,
		"until", until.In(sv.engine.Site.Location).Format("2006-01-02 15:04"))
	return nil
}
