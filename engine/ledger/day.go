package ledger

import (
	"time"

	"bihuan/engine/calendar"
)

// Deadlines outside these years are slips of the pen or of a spreadsheet.
const firstYear, lastYear = 1990, 2100

// day returns the calendar day, or ok = false when there is no such day in the years that can be meant.
func day(y, m, d int) (calendar.Date, bool) {
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if y < firstYear || y > lastYear || t.Year() != y || int(t.Month()) != m || t.Day() != d {
		return calendar.Date{}, false
	}
	return calendar.NewDate(y, time.Month(m), d), true
}

// monthEnd returns the last day of month m, or 0 when there is no such month.
func monthEnd(y, m int) int {
	if m < 1 || m > 12 {
		return 0
	}
	return time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// yearMonth takes a date apart; zeros for the zero date.
func yearMonth(d calendar.Date) (y, m int) {
	if d.IsZero() {
		return 0, 0
	}
	t, err := time.Parse(time.DateOnly, d.String())
	if err != nil {
		return 0, 0
	}
	return t.Year(), int(t.Month())
}

// period is the year in which bare months are read.
type period struct {
	year     int // 0: nothing tells
	academic bool
}

// yearOf returns the calendar year of a bare month: in an academic year September to December belong to the year
// it began in, January to August to the next.
func (p period) yearOf(month int) int {
	if p.academic && month < 9 {
		return p.year + 1
	}
	return p.year
}
