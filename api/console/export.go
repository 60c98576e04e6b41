package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

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

// cell keeps a spreadsheet from taking what people wrote for a formula.
func cell(s string) string {
	if strings.HasPrefix(s, "=") || strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "@") ||
		strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") {
		return "'" + s
	}
	return s
}

// exportTime bounds an export; a million rows take about a minute.
const exportTime = 10 * time.Minute

// table streams a table as CSV that spreadsheets open with the right letters.
func (c *Console) table(v *visit, name string, head []string, rows func(row func(...string) error) error) error {
	h := v.g.Writer.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.csv"`, name, c.today()))
	// Without the longer time the server's own limit holds, which is enough for all but the largest.
	_ = http.NewResponseController(v.g.Writer).SetWriteDeadline(time.Now().Add(exportTime))
	v.g.Status(http.StatusOK)
	if _, err := v.g.Writer.WriteString("\ufeff"); err != nil {
		return err
	}
	w := csv.NewWriter(v.g.Writer)
	w.UseCRLF = true
	write := func(cells ...string) error {
		for i := range cells {
			cells[i] = cell(cells[i])
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

// ledgerCSV exports exactly what the ledger shows under the same address: all pages of it, in its order.
func (c *Console) ledgerCSV(v *visit) error {
	f, err := c.ledgerFilter(v)
	if err != nil {
		return err
	}
	f.After, f.Limit = "", engine.MaxPage
	page, err := c.Engine.List(v.ctx, v.actor, f.Filter) // before the first byte, so that a bad filter is still an error page
	if err != nil {
		return err
	}
	if err := c.Engine.Note(v.ctx, v.actor, "export", map[string]any{"what": "ledger", "filter": f.query.Encode()}); err != nil {
		return err
	}
	head := []string{v.t("console.col.light"), v.t("console.col.number"), v.t("console.col.kind"), v.t("console.col.title"), v.t("console.col.lead"),
		v.t("console.col.owner"), v.t("console.col.stage"), v.t("console.col.percent"), v.t("console.col.deadline"), v.t("console.col.left"),
		v.t("console.col.original"), v.t("console.col.extensions"), v.t("console.col.ever"), v.t("console.col.reported"), v.t("console.col.rating")}
	return c.table(v, "ledger", head, func(write func(...string) error) error {
		for {
			for i := range page.Items {
				p := &page.Items[i]
				r, err := c.ledgerRow(v, p)
				if err != nil {
					return err
				}
				ever := ""
				if p.EverOverdue {
					ever = v.t("console.yes")
				}
				reported := ""
				if p.ReportedAt != nil {
					reported = p.ReportedAt.In(c.Engine.Site.Location).Format(time.DateOnly)
				}
				if err := write(r.Light.Text, r.Number, r.Kind, r.Title, r.Unit, r.Owner, r.Dots.Name, fmt.Sprintf("%d%%", r.Progress.Percent),
					p.Deadline.String(), r.Due.Left, p.OriginalDeadline.String(), fmt.Sprint(r.Extensions), ever, reported, r.Rating); err != nil {
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
	})
}
