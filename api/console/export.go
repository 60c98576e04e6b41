package console

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/layout"
	"bihuan/engine/workbook"
)

// percent writes a part of a whole with one decimal, rounded down so that 94.96 % never reads as 95 %.
func percent(part, whole int) string {
	if whole == 0 {
		return "—"
	}
	tenths := part * 1000 / whole
	return fmt.Sprintf("%d.%d%%", tenths/10, tenths%10)
}

// exportFormats are the kinds of files that the ledger is exported as.
var exportFormats = []string{"xlsx", "csv"}

// Bounds of an export. A workbook has to be finished before its first byte is sent, and no program opens a larger
// sheet; a CSV goes out row by row.
const (
	exportTime = 10 * time.Minute // a million rows take about a minute
	maxXLSX    = 100_000
	maxCSV     = 2_000_000
)

// table streams a table as CSV.
func (c *Console) table(v *visit, name string, head []string, rows func(row func(...any) error) error) error {
	w, err := workbook.NewCSV(upload.Attach(v.g.Writer, "text/csv; charset=utf-8", fmt.Sprintf("%s-%s.csv", name, c.today())))
	if err != nil {
		return err
	}
	headings := make([]any, len(head))
	for i := range head {
		headings[i] = head[i]
	}
	if err := w.Row(headings...); err != nil {
		return err
	}
	if err := rows(w.Row); err != nil {
		return err
	}
	return w.Flush()
}

// book answers with a workbook that write fills; the first byte is sent when all of it is there.
func (c *Console) book(v *visit, name string, write func(b *workbook.Book) error) (err error) {
	b, err := workbook.New()
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := b.Close(); err == nil {
			err = closeErr
		}
	}()
	note, err := c.note(v)
	if err != nil {
		return err
	}
	if err := errors.Join(write(b), WriteCheckpoint(b, v.lang, note)); err != nil {
		return err
	}
	_, err = b.WriteTo(upload.Attach(v.g.Writer, workbook.MediaType, name+".xlsx"))
	return err
}

// workbook answers with a table as XLSX.
func (c *Console) workbook(v *visit, name, sheet string, head []string, rows func(row func(...any) error) error) error {
	return c.book(v, fmt.Sprintf("%s-%s", name, c.today()), func(b *workbook.Book) error {
		t, err := b.Sheet(workbook.Sheet{Name: sheet, Columns: workbook.Columns(head...), Footer: v.t("console.export.page")})
		if err != nil {
			return err
		}
		return rows(t.Row)
	})
}

func (c *Console) ledgerCSV(v *visit) error  { return c.exportLedger(v, "csv", maxCSV) }
func (c *Console) ledgerXLSX(v *visit) error { return c.exportLedger(v, "xlsx", maxXLSX) }

// exportLedger exports exactly what the ledger shows under the same address: all pages of it, in its order, with its
// columns. The export is an entry in the trail before its first byte leaves.
func (c *Console) exportLedger(v *visit, format string, limit int) error {
	f, err := c.ledgerFilter(v, v.g.Request.URL.Query())
	if err != nil {
		return err
	}
	f.After, f.Limit = "", engine.MaxPage
	page, err := c.Engine.List(v.ctx, v.actor, f.Filter) // before the first byte, so that a bad filter is still an error page
	if err != nil {
		return err
	}
	n := len(page.Items)
	if page.Next != "" {
		counts, err := c.Engine.Counts(v.ctx, v.actor, f.Filter)
		if err != nil {
			return err
		}
		n = counts.Total
	}
	if n > limit {
		return invalid("format", "console.export.too_many", "n", n, "limit", limit)
	}
	err = c.Engine.Note(v.ctx, v.actor, "export", map[string]any{"what": "ledger", "format": format, "filter": f.query.Encode(), "columns": strings.Join(f.columns, "."), "rows": n})
	if err != nil {
		return err
	}
	columns := f.shown()
	var head []string
	for _, col := range columns {
		for _, key := range col.exports {
			head = append(head, v.t(key))
		}
	}
	rows := func(write func(...any) error) error {
		for {
			for i := range page.Items {
				p := &page.Items[i]
				r, err := c.ledgerRow(v, p)
				if err != nil {
					return err
				}
				var cells []any
				for _, col := range columns {
					cells = append(cells, col.values(c, v, p, &r)...)
				}
				if err := write(cells...); err != nil {
					return err
				}
			}
			if page.Next == "" {
				return nil
			}
			f.After = page.Next
			if page, err = c.Engine.List(v.ctx, v.actor, f.Filter); err != nil {
				return err
			}
		}
	}
	if format == "xlsx" {
		return c.workbook(v, "ledger", v.t("console.nav.ledger"), head, rows)
	}
	return c.table(v, "ledger", head, rows)
}

// asked is how the person wants an export in the layout of the office.
func (v *visit) asked() layout.Asked {
	return layout.Asked{Who: v.actor, Name: v.user.Name, Lang: v.lang}
}

// take answers with an export.
func (c *Console) take(v *visit, x *layout.Export, err error) error {
	if err != nil {
		return err
	}
	return x.Write(v.ctx, upload.Attach(v.g.Writer, x.Type, x.Name))
}

// takeLedger is what the ledger shows under the same address, in the layout of the office.
func (c *Console) takeLedger(v *visit) error {
	f, err := c.ledgerFilter(v, v.g.Request.URL.Query())
	if err != nil {
		return err
	}
	words := v.t("console.view." + f.view)
	if more := c.filterWords(v, f); more != "" {
		words += v.t("list.comma") + more
	}
	f.After, f.Limit = "", 0
	x, err := c.Exports.Ledger(v.ctx, v.asked(), layout.Query{Filter: f.Filter, Text: f.query.Encode(), Words: words})
	return c.take(v, x, err)
}

func (c *Console) takeList(v *visit) error {
	x, err := c.Exports.List(v.ctx, v.asked(), engine.ListID(v.g.Param("id")))
	return c.take(v, x, err)
}

func (c *Console) takeUnit(v *visit) error {
	year := c.today().Year()
	if s := v.g.Query("year"); s != "" {
		var err error
		if year, err = strconv.Atoi(s); err != nil {
			return invalid("year", "api.integer")
		}
	}
	x, err := c.Exports.Unit(v.ctx, v.asked(), v.g.Param("unit"), year)
	return c.take(v, x, err)
}
