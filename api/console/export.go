package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
)

// percent writes a part of a whole with one decimal, rounded down so that 94.96 % never reads as 95 %.
func percent(part, whole int) string {
	if whole == 0 {
		return "—"
	}
	tenths := part * 1000 / whole
	return fmt.Sprintf("%d.%d%%", tenths/10, tenths%10)
}

// safeCell keeps a spreadsheet from taking what people wrote for a formula.
func safeCell(s string) string {
	if strings.HasPrefix(s, "=") || strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "@") ||
		strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") {
		return "'" + s
	}
	return s
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

// attachment begins an answer that is a file.
func (c *Console) attachment(v *visit, name, mediaType string) {
	h := v.g.Writer.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, name))
	// Without the longer time the server's own limit holds, which is enough for all but the largest.
	_ = http.NewResponseController(v.g.Writer).SetWriteDeadline(time.Now().Add(exportTime))
}

// table streams a table as CSV that spreadsheets open with the right letters.
func (c *Console) table(v *visit, name string, head []string, rows func(row func(...string) error) error) error {
	c.attachment(v, fmt.Sprintf("%s-%s.csv", name, c.today()), "text/csv; charset=utf-8")
	v.g.Status(http.StatusOK)
	if _, err := v.g.Writer.WriteString("\ufeff"); err != nil {
		return err
	}
	w := csv.NewWriter(v.g.Writer)
	w.UseCRLF = true
	write := func(cells ...string) error {
		for i := range cells {
			cells[i] = safeCell(cells[i])
		}
		return w.Write(cells)
	}
	if err := write(head...); err != nil {
		return err
	}
	if err := rows(write); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// workbook answers with a table as XLSX. Rows go to a temporary file while they come, so that a large export takes
// little memory. Every cell is a text: what people wrote is never a formula.
func (c *Console) workbook(v *visit, name, sheet string, head []string, rows func(row func(...string) error) error) (err error) {
	f := excelize.NewFile()
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := f.SetSheetName("Sheet1", sheet); err != nil {
		return err
	}
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return err
	}
	w, err := f.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	if err := w.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	if err := w.SetColWidth(1, len(head), 16); err != nil {
		return err
	}
	n := 0
	write := func(style int, cells []string) error {
		n++
		line := make([]any, len(cells))
		for i, s := range cells {
			line[i] = excelize.Cell{Value: s, StyleID: style}
		}
		return w.SetRow(fmt.Sprintf("A%d", n), line)
	}
	if err := write(bold, head); err != nil {
		return err
	}
	if err := rows(func(cells ...string) error { return write(0, cells) }); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	c.attachment(v, fmt.Sprintf("%s-%s.xlsx", name, c.today()), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	v.g.Status(http.StatusOK)
	_, err = f.WriteTo(v.g.Writer)
	return err
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
	rows := func(write func(...string) error) error {
		for {
			for i := range page.Items {
				p := &page.Items[i]
				r, err := c.ledgerRow(v, p)
				if err != nil {
					return err
				}
				var cells []string
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
