package calendar

import (
	"cmp"
	"fmt"
	"time"
)

// Date is a civil date: a day without a clock or a place. The zero value is "no date". Dates compare with ==
// and serve as map keys.
//
// Only the years 1 to 9999 exist; a calculation that leaves them gives "no date", and "no date" plus anything is
// again "no date". It sorts before every date.
type Date struct {
	n int32 // days since 0000-12-31, so that 0001-01-01 is 1 and a Monday; 0 is "no date"
}

const (
	lastDay     = 3652059 // 9999-12-31
	unixEpoch   = 719163  // 1970-01-01
	secondsADay = 24 * 60 * 60
)

// NewDate returns the date of that year, month and day. Like time.Date it normalises: October 32 is November 1.
func NewDate(y int, m time.Month, d int) Date {
	// Beyond these bounds no combination that people mean exists, and time.Date would overflow.
	if !within(y) || !within(int(m)) || !within(d) {
		return Date{}
	}
	return fromDays(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/secondsADay + unixEpoch)
}

func within(n int) bool { return -2*lastDay <= n && n <= 2*lastDay }

func fromDays(n int64) Date {
	if n < 1 || n > lastDay {
		return Date{}
	}
	return Date{int32(n)}
}

// ParseDate reads a date written as 2026-11-30, and nothing else: no other order, separator, width or space. The
// error quotes what was given.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || len(s) != len(time.DateOnly) || t.Year() < 1 { // a time may lie in the year 0, a Date may not
		return Date{}, fmt.Errorf("%q is not a date such as 2026-11-30", s)
	}
	return NewDate(t.Date()), nil
}

// MustDate is ParseDate for tests and tables in the source; it panics on a mistake.
func MustDate(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic("calendar: " + err.Error())
	}
	return d
}

// DateOf returns the date that calendars at loc show at the instant t; the zero time gives "no date".
func DateOf(t time.Time, loc *time.Location) Date {
	if t.IsZero() {
		return Date{}
	}
	y, m, d := t.In(loc).Date()
	return NewDate(y, m, d)
}

// utc returns the date's midnight in UTC, for calculations only.
func (d Date) utc() time.Time {
	return time.Unix((int64(d.n)-unixEpoch)*secondsADay, 0).UTC()
}

// String returns the date as 2026-11-30, or "" for "no date".
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.utc().Format(time.DateOnly)
}

// IsZero reports whether d is "no date".
func (d Date) IsZero() bool { return d.n == 0 }

// Year returns the year, 0 for "no date".
func (d Date) Year() int {
	if d.IsZero() {
		return 0
	}
	return d.utc().Year()
}

// Month returns the month, 0 for "no date".
func (d Date) Month() time.Month {
	if d.IsZero() {
		return 0
	}
	return d.utc().Month()
}

// Day returns the day of the month, 0 for "no date".
func (d Date) Day() int {
	if d.IsZero() {
		return 0
	}
	return d.utc().Day()
}

// Weekday returns the day of the week. It means nothing for "no date".
func (d Date) Weekday() time.Weekday { return time.Weekday(d.n % 7) }

// AddDays returns the date n days later, or earlier for a negative n.
func (d Date) AddDays(n int) Date {
	if d.IsZero() || !within(n) {
		return Date{}
	}
	return fromDays(int64(d.n) + int64(n))
}

// AddMonths returns the same day of the month n months later, or earlier for a negative n, and the month's last
// day where it has no such day: 2026-11-30 and three months give 2027-02-28.
func (d Date) AddMonths(n int) Date {
	if d.IsZero() || !within(n) {
		return Date{}
	}
	y, m, day := d.utc().Date()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return NewDate(first.Year(), first.Month(), min(day, last))
}

// Before reports whether d is an earlier date than o.
func (d Date) Before(o Date) bool { return d.n < o.n }

// After reports whether d is a later date than o.
func (d Date) After(o Date) bool { return d.n > o.n }

// Equal reports whether d and o are the same date, as == does; comparison packages look for it.
func (d Date) Equal(o Date) bool { return d == o }

// Compare returns -1, 0 or +1 as d is earlier than, the same as or later than o; it fits slices.SortFunc.
func (d Date) Compare(o Date) int { return cmp.Compare(d.n, o.n) }

// DaysUntil returns the number of calendar days from d to o: 1 for the day after, negative when o is earlier, 0
// when either is "no date".
func (d Date) DaysUntil(o Date) int {
	if d.IsZero() || o.IsZero() {
		return 0
	}
	return int(o.n - d.n)
}

// Start returns the first instant of the date at loc, in UTC: 00:00 there, or what follows the gap where clocks
// skipped midnight. "No date" gives the zero time.
func (d Date) Start(loc *time.Location) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	// time.Date may choose either offset when midnight is skipped or happens twice, and thereby a moment of the
	// day before; so count on from a noon that exists once.
	y, m, day := d.utc().Date()
	noon := time.Date(y, m, day-1, 12, 0, 0, 0, loc)
	_, before := noon.Zone()
	midnight := d.utc().Add(-time.Duration(before) * time.Second)
	_, change := noon.ZoneBounds()
	if change.IsZero() || midnight.Before(change) {
		return midnight
	}
	_, after := change.Zone()
	midnight = d.utc().Add(-time.Duration(after) * time.Second)
	if midnight.Before(change) {
		return change.UTC()
	}
	return midnight
}

// At returns the instant of hour:minute on that date at loc, in UTC. A clock time that the place skipped or had
// twice is resolved as time.Date does. "No date" gives the zero time.
func (d Date) At(hour, minute int, loc *time.Location) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	y, m, day := d.utc().Date()
	return time.Date(y, m, day, hour, minute, 0, 0, loc).UTC()
}
