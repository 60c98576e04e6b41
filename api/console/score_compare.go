package console

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"bihuan/engine/message"
	"bihuan/engine/score"
)

// compareView is what another sheet would make of the same period.
type compareView struct {
	scoreHeadView
	With    []choice
	Address string // where a file is sent to
	Other   string // name of the other sheet
	Rows    []compareRow
	Wrong   []string // mistakes of a file
	Back    string
}

type compareRow struct {
	Name, Old, New, Difference, Class string
	OldRank, NewRank                  string
	OldBand, NewBand                  scoreBand
}

func (c *Console) compareScores(v *visit) error {
	other, err := c.Scores.Sheet(v.ctx, v.g.Query("with"))
	if err != nil {
		return err
	}
	sheets, err := c.Scores.Sheets(v.ctx)
	if err != nil {
		return err
	}
	if v.g.Query("with") == "" && len(sheets) > 1 {
		other = sheets[1]
	}
	return c.beside(v, other, nil)
}

// trySheet compares with a sheet that is in no place but the reader's file. Nothing is kept of it.
func (c *Console) trySheet(v *visit) error {
	name, source, err := v.sheetFile()
	if err != nil {
		return c.beside(v, nil, []string{v.t("console.scores.no_file")})
	}
	s, err := c.ParseSheet(name, source)
	if wrong := v.mistakes(err); len(wrong) > 0 {
		return c.beside(v, nil, wrong)
	}
	if err != nil {
		return err
	}
	return c.beside(v, s, nil)
}

// mistakes are those of a file, one sentence for each.
func (v *visit) mistakes(err error) []string {
	var out []string
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		for _, m := range several.Unwrap() {
			if x, ok := m.(message.Localised); ok {
				out = append(out, x.In(v.lang))
			}
		}
	}
	return out
}

// sheetFile reads the file of the form.
func (v *visit) sheetFile() (string, []byte, error) {
	f, head, err := v.g.Request.FormFile("file")
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	source, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return head.Filename, source, err
}

// beside shows the sheet of the address and another one, unit by unit.
func (c *Console) beside(v *visit, other *score.Sheet, mistakes []string) error {
	q, t, wrong, err := c.asked(v)
	if err != nil {
		return err
	}
	address := values(q).Encode()
	head, err := c.scoreHead(v, "/scores/compare", q, t)
	if err != nil {
		return err
	}
	view := compareView{scoreHeadView: head, Address: "/scores/compare?" + address, Back: "/scores?" + address, Wrong: mistakes}
	view.Error = wrong
	status := http.StatusOK
	if wrong != "" || len(mistakes) > 0 {
		status = http.StatusUnprocessableEntity
	}
	if view.With, err = c.withChoices(v, other); err != nil {
		return err
	}
	if t != nil && other != nil {
		with, err := c.Scores.Apply(v.ctx, v.actor, q, other)
		if err != nil {
			return err
		}
		view.Other = v.t("console.scores.sheet_version", "name", other.Name, "version", other.Version)
		for _, x := range score.Compare(t, with) {
			row := compareRow{Name: x.Old.Name, Old: x.Old.Total.String(), New: x.New.Total.String(), Difference: signed(x.Difference()),
				OldRank: rankText(x.Old), NewRank: rankText(x.New), OldBand: bandOf(v, t.Sheet, x.Old.Band), NewBand: bandOf(v, other, x.New.Band)}
			switch {
			case x.Difference() > 0:
				row.Class = "c-g"
			case x.Difference() < 0:
				row.Class = "c-r"
			}
			view.Rows = append(view.Rows, row)
		}
	}
	return c.render(v, status, "score_compare", v.t("console.scores.compare"), view)
}

func rankText(u *score.Unit) string {
	if u.Rank == 0 {
		return "—"
	}
	return strconv.Itoa(u.Rank)
}
