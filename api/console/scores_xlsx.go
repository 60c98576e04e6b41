package console

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/score"
	"bihuan/engine/workbook"
)

// WriteScores writes scores as a workbook: the ranking, every line with the entries behind it, the candidates with
// those of the marks given that are theirs, and the newest checkpoint of the trail, which may be nil.
func WriteScores(w io.Writer, lang string, t *score.Table, given []engine.Distinction, note []byte) (err error) {
	say := func(key string, args ...any) string { return say(lang, key, args...) }
	title := say("console.scores.title", "from", t.Book.From, "to", t.Book.To)
	about := []string{say("console.scores.about", "name", t.Sheet.Name.In(lang), "version", t.Sheet.Version, "digest", t.Sheet.Digest,
		"until", t.Book.Until.In(t.Book.Location).Format("2006-01-02 15:04:05"))}
	b, err := workbook.New()
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := b.Close(); err == nil {
			err = closeErr
		}
	}()
	ranking, err := b.Sheet(workbook.Sheet{Name: say("console.scores.sheet.ranking"), Title: title, Lines: about, Footer: say("console.export.page"),
		Columns: []workbook.Column{{Head: say("console.overview.rank"), Width: 8, Center: true}, {Head: say("console.scores.code"), Width: 12}, {Head: say("console.scores.unit"), Width: 30},
			{Head: say("console.scores.kind"), Width: 10, Center: true}, {Head: say("console.scores.items"), Width: 10}, {Head: say("console.scores.base"), Width: 10}, {Head: say("console.scores.gained"), Width: 10},
			{Head: say("console.scores.lost"), Width: 10}, {Head: say("console.scores.total"), Width: 10}, {Head: say("console.scores.band"), Width: 12, Center: true}}})
	if err != nil {
		return err
	}
	for _, u := range slices.Concat(unitsByKind(t)...) { // as the page has them
		kind := unitKind(lang, t.Sheet, u)
		if err := ranking.Row(rankText(u), u.Code, u.Name, kind, u.Items, t.Sheet.Base.Float(), u.Gained().Float(), u.Lost().Float(), u.Total.Float(), u.Band.Name.In(lang)); err != nil {
			return err
		}
	}
	lines, err := b.Sheet(workbook.Sheet{Name: say("console.scores.sheet.lines"), Title: title, Lines: about, Footer: say("console.export.page"),
		Columns: []workbook.Column{{Head: say("console.scores.unit"), Width: 26}, {Head: say("console.scores.row"), Width: 26}, {Head: say("console.scores.number"), Width: 16}, {Head: say("console.col.title"), Width: 36},
			{Head: say("console.scores.raw"), Width: 10}, {Head: say("console.scores.points"), Width: 10}, {Head: say("console.scores.share"), Width: 10, Center: true}, {Head: say("console.col.time"), Width: 18},
			{Head: say("console.scores.entries"), Width: 60}}})
	if err != nil {
		return err
	}
	for i := range t.Units {
		u := &t.Units[i]
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
			if err := lines.Row(row...); err != nil {
				return err
			}
		}
	}
	if err := writeCandidates(b, lang, t, given, title, about); err != nil {
		return err
	}
	if err := WriteCheckpoint(b, lang, note); err != nil {
		return err
	}
	_, err = b.WriteTo(w)
	return err
}

// writeCandidates adds the units that the score suggests for 评先评优, with the items, entries and marks behind each.
func writeCandidates(b *workbook.Book, lang string, t *score.Table, given []engine.Distinction, title string, about []string) error {
	say := func(key string, args ...any) string { return say(lang, key, args...) }
	sheet, err := b.Sheet(workbook.Sheet{Name: say("console.scores.candidates"), Title: title, Lines: append(about[:len(about):len(about)], say("console.scores.candidates_note")), Footer: say("console.export.page"),
		Columns: []workbook.Column{{Head: say("console.scores.kind"), Width: 12, Center: true}, {Head: say("console.overview.rank"), Width: 8, Center: true}, {Head: say("console.scores.unit"), Width: 30}, {Head: say("console.scores.items"), Width: 10},
			{Head: say("console.scores.total"), Width: 10}, {Head: say("console.scores.band"), Width: 12, Center: true}, {Head: say("console.scores.on_time_items"), Width: 44}, {Head: say("console.nav.marks"), Width: 36}, {Head: say("console.scores.entries"), Width: 60}}})
	if err != nil {
		return err
	}
	for _, u := range t.Candidates() {
		lines := linesOf(t.Sheet, u, score.OnTime)
		var ids []string
		for _, l := range lines {
			for _, r := range l.Refs {
				ids = append(ids, r.ID)
			}
		}
		if len(ids) > maxEntries {
			ids = append(ids[:maxEntries], "…")
		}
		var marks []string
		for _, x := range marksOf(t, u, given) {
			marks = append(marks, x.Mark.Kind.In(lang)+" "+x.Project.Number+" "+x.Project.Title)
		}
		if err := sheet.Row(unitKind(lang, t.Sheet, u), u.Rank, u.Name, u.Items, u.Total.Float(), u.Band.Name.In(lang), numbersOf(lines), strings.Join(marks, "\n"), strings.Join(ids, " ")); err != nil {
			return err
		}
	}
	return nil
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
	given, err := c.Engine.Distinctions(v.ctx, v.actor, 0, "")
	if err != nil {
		return err
	}
	note, err := c.note(v)
	if err != nil {
		return err
	}
	return WriteScores(upload.Attach(v.g.Writer, workbook.MediaType, fmt.Sprintf("scores-%s.xlsx", c.today())), v.lang, t, given, note)
}
