package console

import (
	"fmt"

	"bihuan/engine/calendar"
)

// period is the two months of a 双月实事清单.
type period struct {
	Number   string        // 期号, as projects name it: "2025-6" for November and December
	From, To calendar.Date // both included
}

// periodOf returns the two months in which a day lies.
func periodOf(d calendar.Date) period {
	n := (int(d.Month()) + 1) / 2
	from := calendar.MustDate(fmt.Sprintf("%04d-%02d-01", d.Year(), 2*n-1))
	return period{fmt.Sprintf("%d-%d", d.Year(), n), from, from.AddMonths(2).AddDays(-1)}
}
