package intake

import (
	"context"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/ledger"
)

// Recognition is how a ledger would be read, with who said so if that is remembered.
type Recognition struct {
	*ledger.Recognition
	From *engine.SourceMapping // what was remembered of the source; nil: nothing, or it was not asked
}

// Recognise tells how the ledger would be read by who, and what may be chosen otherwise. head is the row in which the
// person says the head begins, sheet the sheet that they choose; 0 and "" are found. The error is an *ledger.Error
// where the file is at fault.
func Recognise(ctx context.Context, e *engine.Engine, who engine.Actor, l Ledger, sheet string, head int) (*Recognition, error) {
	known, err := newSources(ctx, e, who, l)
	if err != nil {
		return nil, err
	}
	o := l.options(e)
	o.Known, o.Sheet, o.Head = known.find(), sheet, head
	r, err := ledger.Recognise(l.File, l.Data, o)
	if err != nil {
		return nil, err
	}
	out := &Recognition{Recognition: r}
	if r.Remembered {
		out.From = known[r.Shape]
	}
	return out, nil
}

// options are what a ledger is read with.
func (l *Ledger) options(e *engine.Engine) ledger.Options {
	return ledger.Options{Year: l.Year, Today: calendar.DateOf(e.Now(), e.Site.Location), Mapping: l.Mapping}
}

// sources are what is remembered of the import's unit, by the shape of the head.
type sources map[string]*engine.SourceMapping

func newSources(ctx context.Context, e *engine.Engine, who engine.Actor, l Ledger) (sources, error) {
	if l.Fresh || l.Mapping != nil {
		return nil, nil
	}
	list, err := e.SourceMappings(ctx, who, l.Unit.ID)
	out := make(sources, len(list))
	for i := range list {
		out[list[i].Shape] = &list[i]
	}
	return out, err
}

// find is how package ledger asks; nil where there is nothing to ask for, so that no sheet is searched for it.
func (s sources) find() func(shape string) *ledger.Mapping {
	if len(s) == 0 {
		return nil
	}
	return func(shape string) *ledger.Mapping {
		m := s[shape]
		if m == nil {
			return nil
		}
		out := &ledger.Mapping{}
		for _, c := range m.Columns {
			out.Columns = append(out.Columns, ledger.MappedColumn{Index: c.Index, Field: ledger.Field(c.Field)})
		}
		return out
	}
}

// keep remembers what a person said about the columns, once the ledger is imported by it.
func keep(ctx context.Context, e *engine.Engine, who engine.Actor, l Ledger, read *ledger.Ledger) error {
	m := engine.SourceMapping{Shape: read.Shape, File: l.File}
	for _, c := range read.Columns {
		m.Columns = append(m.Columns, engine.SourceColumn{Index: c.Index, Header: c.Header, Field: string(c.Means())})
	}
	return e.KeepMapping(ctx, who, l.Kind, l.Unit, m)
}
