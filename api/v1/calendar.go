package v1

import (
	"context"

	"bihuan/api/request"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// CalendarYear is the request for a year.
type CalendarYear struct {
	Year int `query:"year" minimum:"1" maximum:"9999" doc:"This year if left out."`
}

// CalendarAnswer is the list of a year.
type CalendarAnswer struct {
	Body struct {
		Year    int           `json:"year"`
		Known   bool          `json:"known" doc:"The year's holiday list is loaded. Else Monday to Friday are taken for working days."`
		Warning string        `json:"warning,omitempty"`
		Years   []int         `json:"years" doc:"Every year whose list is loaded."`
		Days    []CalendarDay `json:"days" doc:"Days that differ from Monday to Friday."`
	} `nameHint:"Calendar"`
}

// CalendarDay is a day of a holiday notice.
type CalendarDay struct {
	Date    string `json:"date"`
	Name    string `json:"name" doc:"The holiday that it belongs to."`
	Workday bool   `json:"workday" doc:"Worked (调休) instead of off."`
	Notice  string `json:"notice,omitempty" doc:"Where the notice can be read."`
}

func (h *handlers) calendar(ctx context.Context, in *CalendarYear) (*CalendarAnswer, error) {
	cal, year := h.Engine.Working(), in.Year
	if year == 0 {
		year = calendar.DateOf(h.Now(), h.Engine.Site.Location).Year()
	}
	out := &CalendarAnswer{}
	out.Body.Year, out.Body.Known, out.Body.Years = year, cal.Known(year), cal.Years()
	if !out.Body.Known {
		out.Body.Warning = unknownYear(ctx)
	}
	out.Body.Days = []CalendarDay{}
	for _, d := range cal.Days(year) {
		out.Body.Days = append(out.Body.Days, CalendarDay{Date: d.Date.String(), Name: d.Name, Workday: !d.Off, Notice: d.Notice})
	}
	return out, nil
}

// unknownYear says that a date is a guess.
func unknownYear(ctx context.Context) string {
	return message.Text(request.From(ctx).Lang, "api.calendar_unknown", nil)
}

// Workdays is the request for the n-th working day.
type Workdays struct {
	From Date `query:"from" maxLength:"10" doc:"A day as YYYY-MM-DD, which is not counted; today if left out." example:"2026-09-24"`
	N    int  `query:"n" required:"true" minimum:"-1000" maximum:"1000" doc:"Working days after, or before when negative."`
}

// WorkdaysAnswer is the n-th working day.
type WorkdaysAnswer struct {
	Body struct {
		From    string `json:"from"`
		N       int    `json:"n"`
		Date    string `json:"date"`
		Known   bool   `json:"known" doc:"Every day counted over lies in a year whose list is loaded."`
		Warning string `json:"warning,omitempty"`
	} `nameHint:"WorkdayResult"`
}

func (h *handlers) workdays(ctx context.Context, in *Workdays) (*WorkdaysAnswer, error) {
	from, err := in.From.parse("from")
	if err != nil {
		return nil, err
	}
	if from.IsZero() {
		from = calendar.DateOf(h.Now(), h.Engine.Site.Location)
	}
	out := &WorkdaysAnswer{}
	day, known := h.Engine.Working().AddWorkdays(from, in.N)
	out.Body.From, out.Body.N, out.Body.Date, out.Body.Known = from.String(), in.N, day.String(), known
	if !known {
		out.Body.Warning = unknownYear(ctx)
	}
	return out, nil
}
