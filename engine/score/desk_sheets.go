package score

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// Parse reads a score sheet; name is what mistakes call the file.
type Parse func(name string, source []byte) (*Sheet, error)

// Sheets lists the sheets that can be chosen: the one that holds today, then the newest of every other that holds or
// once did, then those that the product brings along.
func (d *Desk) Sheets(ctx context.Context) ([]*Sheet, error) {
	all, err := d.engine.Store.SheetVersions(ctx)
	if err != nil {
		return nil, err
	}
	return d.choices(ctx, engine.SheetsInForce(all))
}

func (d *Desk) choices(ctx context.Context, inForce []engine.SheetVersion) ([]*Sheet, error) {
	holds, err := d.on(ctx, inForce, d.today())
	if err != nil {
		return nil, err
	}
	out := []*Sheet{holds}
	add := func(s *Sheet) {
		if !slices.ContainsFunc(out, func(x *Sheet) bool { return x.ID == s.ID }) {
			out = append(out, s)
		}
	}
	for _, v := range slices.Backward(inForce) {
		if v.From.After(d.today()) {
			continue
		}
		s, err := d.read(ctx, &v)
		if err != nil {
			return nil, err
		}
		add(s)
	}
	for _, s := range d.sheets {
		add(s)
	}
	return out, nil
}

// Sheet finds a sheet: "" is the one that holds today, an id the newest of Sheets with it, "id@version" that version,
// whether it was adopted or comes with the product, and the id of a proposal what was proposed.
func (d *Desk) Sheet(ctx context.Context, id string) (*Sheet, error) {
	all, err := d.engine.Store.SheetVersions(ctx)
	if err != nil {
		return nil, err
	}
	inForce := engine.SheetsInForce(all)
	if id == "" {
		return d.on(ctx, inForce, d.today())
	}
	name, version, exact := strings.Cut(id, "@")
	for _, v := range all {
		if string(v.ID) == id || exact && v.State == engine.SheetAdopted && v.Sheet == name && strconv.Itoa(v.Number) == version {
			return d.read(ctx, &v)
		}
	}
	for _, s := range d.sheets {
		if exact && s.ID == name && strconv.Itoa(s.Version) == version {
			return s, nil
		}
	}
	list, err := d.choices(ctx, inForce)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, &engine.Error{Kind: engine.NotFound, Field: "sheet", Key: "score.no_sheet", Args: map[string]any{"id": id}}
}

// on is the sheet that holds on a day.
func (d *Desk) on(ctx context.Context, inForce []engine.SheetVersion, day calendar.Date) (*Sheet, error) {
	for _, v := range slices.Backward(inForce) {
		if !v.From.After(day) {
			return d.read(ctx, &v)
		}
	}
	return d.sheets[0], nil
}

// holding is the sheet that a question is answered by, where it names none: the one in force on the last day that
// counts.
func (d *Desk) holding(ctx context.Context, b *Book) (*Sheet, error) {
	all, err := d.engine.Store.SheetVersions(ctx)
	if err != nil {
		return nil, err
	}
	return d.on(ctx, engine.SheetsInForce(all), b.window().today)
}

// read parses what was adopted, once.
func (d *Desk) read(ctx context.Context, v *engine.SheetVersion) (*Sheet, error) {
	if s, ok := d.parsed.Load(v.Digest); ok {
		return s.(*Sheet), nil
	}
	source, err := d.engine.Store.SheetSource(ctx, v.ID)
	if err != nil {
		return nil, err
	}
	s, err := d.parse(v.Sheet+".yaml", source)
	if err != nil {
		return nil, err
	}
	d.parsed.Store(v.Digest, s)
	return s, nil
}

func (d *Desk) today() calendar.Date { return calendar.DateOf(d.now(), d.engine.Site.Location) }

// Check reads a sheet that somebody wants to propose. An id and version that is taken by other content is refused, and
// so is a version older than the newest one: a version means one thing for ever.
func (d *Desk) Check(ctx context.Context, name string, source []byte) (*Sheet, error) {
	s, err := d.parse(name, source)
	if err != nil {
		return nil, &engine.Error{Kind: engine.Invalid, Field: "source", Key: "sheet.wrong", Args: map[string]any{"why": mistakes{err}}, Err: err}
	}
	all, err := d.engine.Store.SheetVersions(ctx)
	if err != nil {
		return nil, err
	}
	newest := 0
	for _, v := range all {
		if v.State != engine.SheetAdopted || v.Sheet != s.ID {
			continue
		}
		if v.Digest == s.Digest {
			return s, nil // one that held before may hold again
		}
		newest = max(newest, v.Number)
	}
	for _, x := range d.sheets {
		if x.Digest == s.Digest {
			return s, nil
		}
		if x.ID == s.ID {
			newest = max(newest, x.Version)
		}
	}
	if s.Version <= newest {
		return nil, &engine.Error{Kind: engine.Conflict, Field: "source", Key: "sheet.version_taken", Args: message.Args("id", s.ID, "version", s.Version, "newest", newest)}
	}
	return s, nil
}

// Propose proposes a sheet for everybody, to hold from a day; see engine.ProposeSheet.
func (d *Desk) Propose(ctx context.Context, who engine.Actor, source []byte, from calendar.Date, note string) (engine.SheetVersion, error) {
	if err := d.engine.MayProposeSheet(ctx, who); err != nil {
		return engine.SheetVersion{}, err
	}
	s, err := d.Check(ctx, "sheet", source)
	if err != nil {
		return engine.SheetVersion{}, err
	}
	return d.engine.ProposeSheet(ctx, who, engine.NewSheet{Sheet: s.ID, Number: s.Version, Source: source, From: from, Note: note})
}

// mistakes are those of a file, for a sentence.
type mistakes struct{ err error }

// In returns one line per mistake in the given language.
func (m mistakes) In(lang string) string {
	if x, ok := m.err.(message.Localised); ok {
		return x.In(lang)
	}
	return m.err.Error()
}
