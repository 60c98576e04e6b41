package v1

import (
	"context"
	"strings"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
)

// Scored is the period and sheet of a request.
type Scored struct {
	From  Date   `query:"from" maxLength:"10" doc:"First day of the period; the first of this year if left out." example:"2026-01-01"`
	To    Date   `query:"to" maxLength:"10" doc:"Last day of the period; the last of the first day's year if left out." example:"2026-06-30"`
	On    Date   `query:"on" maxLength:"10" doc:"As it was at the end of this day; now if left out."`
	Sheet string `query:"sheet" maxLength:"64" doc:"Id of a score sheet, an id@version, or the id of a proposal; the one in force on the last day that counts if left out."`
}

// ScoredUnit is Scored for one unit.
type ScoredUnit struct {
	Unit string `path:"unit" maxLength:"40" doc:"Id or code of a unit."`
	Scored
}

func (h *handlers) table(ctx context.Context, in *Scored) (*score.Table, error) {
	q := score.Question{Sheet: in.Sheet}
	for _, d := range []struct {
		name string
		text Date
		into *calendar.Date
	}{{"from", in.From, &q.From}, {"to", in.To, &q.To}, {"on", in.On, &q.On}} {
		var err error
		if *d.into, err = d.text.parse(d.name); err != nil {
			return nil, err
		}
	}
	if q.From.IsZero() {
		q.From = calendar.NewDate(calendar.DateOf(h.Now(), h.Engine.Site.Location).Year(), time.January, 1)
	}
	if q.To.IsZero() {
		q.To = calendar.NewDate(q.From.Year(), time.December, 31)
	}
	return h.Scores.Table(ctx, request.From(ctx).Actor, q)
}

// ScoreHead says what scores were computed from.
type ScoreHead struct {
	From    string    `json:"from"`
	To      string    `json:"to"`
	Until   time.Time `json:"until" doc:"Entries before this moment counted."`
	Over    bool      `json:"over" doc:"The period is over, so that figures will not change."`
	Sheet   string    `json:"sheet"`
	Version int       `json:"version"`
	Digest  string    `json:"digest" doc:"SHA-256 of the sheet."`
}

func scoreHead(t *score.Table) ScoreHead {
	return ScoreHead{From: t.Book.From.String(), To: t.Book.To.String(), Until: t.Book.Until, Over: t.Book.Over,
		Sheet: t.Sheet.ID, Version: t.Sheet.Version, Digest: t.Sheet.Digest}
}

// Score is a unit's score.
type Score struct {
	Unit      Ref     `json:"unit"`
	Code      string  `json:"code"`
	Level     int     `json:"level" doc:"1 for a root; units are ranked within their level or class."`
	Class     string  `json:"class,omitempty"`
	Items     int     `json:"items" doc:"Closed out in the period, or overdue."`
	Gained    float64 `json:"gained"`
	Lost      float64 `json:"lost"`
	Total     float64 `json:"total"`
	Band      string  `json:"band"`
	BandName  string  `json:"band_name"`
	Rank      int     `json:"rank" doc:"0: too few items to be ranked."`
	Of        int     `json:"of" doc:"Units that are ranked with it."`
	Candidate bool    `json:"candidate" doc:"Suggested for 评先评优: ranked, in the highest band, nothing that rules it out."`
}

func showScore(ctx context.Context, t *score.Table, u *score.Unit) Score {
	out := Score{Unit: Ref{ID: string(u.ID), Name: u.Name}, Code: u.Code, Level: u.Level(), Class: u.Class, Items: u.Items, Gained: u.Gained().Float(),
		Lost: u.Lost().Float(), Total: u.Total.Float(), Band: u.Band.ID, BandName: u.Band.Name.In(request.From(ctx).Lang), Rank: u.Rank, Of: u.Of}
	for _, c := range t.Candidates() {
		out.Candidate = out.Candidate || c.ID == u.ID
	}
	return out
}

// ScoresAnswer is a table of scores.
type ScoresAnswer struct {
	Body struct {
		ScoreHead
		Items []Score `json:"items"`
	} `nameHint:"Scores"`
}

func (h *handlers) scores(ctx context.Context, in *Scored) (*ScoresAnswer, error) {
	t, err := h.table(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &ScoresAnswer{}
	out.Body.ScoreHead, out.Body.Items = scoreHead(t), make([]Score, 0, len(t.Units))
	for i := range t.Units {
		out.Body.Items = append(out.Body.Items, showScore(ctx, t, &t.Units[i]))
	}
	return out, nil
}

// ScoreLine is one reason for points.
type ScoreLine struct {
	Row     string       `json:"row" doc:"Id of the rule or share of the sheet; base for what every unit begins with."`
	Name    string       `json:"name"`
	Group   string       `json:"group,omitempty"`
	Project *Ref         `json:"project,omitempty" doc:"None: about the unit as a whole."`
	At      *time.Time   `json:"at,omitempty"`
	Raw     float64      `json:"raw" doc:"Before caps."`
	Points  float64      `json:"points" doc:"What counts; they add up to the total."`
	Yes     int          `json:"yes,omitempty"`
	Of      int          `json:"of,omitempty"`
	Days    int          `json:"days,omitempty"`
	Entries []ScoreEntry `json:"entries" doc:"The entries of the trail behind it."`
}

// ScoreEntry names an entry.
type ScoreEntry struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"`
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Action  string    `json:"action"`
	Failed  bool      `json:"failed,omitempty" doc:"Of a share: counted below the line alone."`
}

// ScoreAnswer is a unit's score, line by line.
type ScoreAnswer struct {
	Body struct {
		ScoreHead
		Score
		Lines []ScoreLine `json:"lines"`
	} `nameHint:"ScoreLines"`
}

func (h *handlers) score(ctx context.Context, in *ScoredUnit) (*ScoreAnswer, error) {
	t, err := h.table(ctx, &in.Scored)
	if err != nil {
		return nil, err
	}
	unit, err := h.Engine.Unit(ctx, in.Unit)
	if err != nil {
		return nil, err
	}
	u, ok := t.Unit(unit.ID)
	if !ok {
		return nil, &engine.Error{Kind: engine.NotFound, Key: "unit.unknown", Args: map[string]any{"unit": in.Unit}}
	}
	out := &ScoreAnswer{}
	out.Body.ScoreHead, out.Body.Score, out.Body.Lines = scoreHead(t), showScore(ctx, t, u), make([]ScoreLine, 0, len(u.Lines))
	lang := request.From(ctx).Lang
	for i := range u.Lines {
		l := &u.Lines[i]
		x := ScoreLine{Row: l.Row, Name: t.Sheet.RowName(l.Row).In(lang), Group: l.Group, Raw: l.Raw.Float(), Points: l.Points.Float(), Yes: l.Yes, Of: l.Of,
			Days: l.Days, Entries: make([]ScoreEntry, 0, len(l.Refs))}
		if !l.At.IsZero() {
			x.At = &l.At
		}
		if l.Item != nil {
			x.Project = &Ref{ID: string(l.Item.ID), Name: strings.TrimSpace(l.Item.Number + " " + l.Item.Title)}
		}
		for _, r := range l.Refs {
			x.Entries = append(x.Entries, ScoreEntry(r))
		}
		out.Body.Lines = append(out.Body.Lines, x)
	}
	return out, nil
}
