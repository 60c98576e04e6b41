package console

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"bihuan/engine/score"
)

// WriteScores writes scores as a workbook: the ranking, and every line with the entries behind it.
func WriteScores(w io.Writer, lang string, t *score.Table) (err error) {
	say := func(key string, args ...any) string { return say(lang, key, args...) }
	title := say("console.scores.title", "from", t.Book.From, "to", t.Book.To)
	about := []string{say("console.scores.about", "name", t.Sheet.Name.In(lang), "version", t.Sheet.Version, "digest", t.Sheet.Digest,
		"until", t.Book.Until.In(t.Book.Location).Format("2006-01-02 15:04:05"))}
	ranking := sheet{name: say("console.scores.sheet.ranking"), title: title, lines: about, widths: []float64{8, 12, 30, 10, 10, 10, 10, 10, 10, 12},
		head: []string{say("console.overview.rank"), say("console.scores.code"), say("console.scores.unit"), say("console.scores.kind"), say("console.scores.items"), say("console.scores.base"),
			say("console.scores.gained"), say("console.scores.lost"), say("console.scores.total"), say("console.scores.band")}}
	lines := sheet{name: say("console.scores.sheet.lines"), title: title, lines: about, widths: []float64{26, 26, 16, 36, 10, 10, 10, 18, 60},
		head: []string{say("console.scores.unit"), say("console.scores.row"), say("console.scores.number"), say("console.col.title"), say("console.scores.raw"), say("console.scores.points"),
			say("console.scores.share"), say("console.col.time"), say("console.scores.entries")}}
	for i := range t.Units {
		u := &t.Units[i]
		kind := say("console.scores.level", "n", u.Level())
		for _, c := range t.Sheet.Classes {
			if c.ID == u.Class {
				kind = c.Name.In(lang)
			}
		}
		ranking.rows = append(ranking.rows, []any{rankText(u), u.Code, u.Name, kind, u.Items, t.Sheet.Base.Float(), u.Gained().Float(), u.Lost().Float(), u.Total.Float(), u.Band.Name.In(lang)})
		for j := range u.Lines {
			l := &u.Lines[j]
			row := []any{u.Name, t.Sheet.RowName(l.Row).In(lang), "", "", l.Raw.Float(), l.Points.Float(), "", "", ""}
			if l.Row == score.BaseRow {
				row[1] = say("console.scores.base")
			} else {
				row[7] = l.At.In(t.Book.Location).Format("2006-01-02 15:04")
			}
			if l.Item != nil {
				row[2], row[3] = l.Item.Number, l.Item.Title
			}
			if l.Of > 0 {
				row[6] = strconv.Itoa(l.Yes) + "/" + strconv.Itoa(l.Of)
			}
			ids := make([]string, 0, len(l.Refs))
			for k, r := range l.Refs {
				if k == maxEntries {
					ids = append(ids, "…")
					break
				}
				ids = append(ids, r.ID)
			}
			row[8] = strings.Join(ids, " ")
			lines.rows = append(lines.rows, row)
		}
	}
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // nothing of it lies on the disk
	for i, s := range []sheet{ranking, lines} {
		if i == 0 {
			err = f.SetSheetName("Sheet1", s.name)
		} else {
			_, err = f.NewSheet(s.name)
		}
		if err == nil {
			err = s.write(f)
		}
		if err != nil {
			return fmt.Errorf("sheet %s: %w", s.name, err)
		}
	}
	_, err = f.WriteTo(w)
	return err
}

func (c *Console) scoresXLSX(v *visit) error {
	q, err := c.question(v.g.Request.URL.Query())
	if err != nil {
		return err
	}
	t, err := c.Scores.Table(v.ctx, v.actor, q)
	if err != nil {
		return err
	}
	if err := c.Engine.Note(v.ctx, v.actor, "export", map[string]any{"what": "scores", "format": "xlsx", "filter": values(q).Encode(), "rows": len(t.Units)}); err != nil {
		return err
	}
	c.attachment(v, fmt.Sprintf("scores-%s.xlsx", c.today()), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	v.g.Status(http.StatusOK)
	return WriteScores(v.g.Writer, v.lang, t)
}
