package calendar_test

import (
	"math"
	"testing"
	"time"
	_ "time/tzdata" // zones must not depend on the host

	"pgregory.net/rapid"

	"bihuan/engine/calendar"
)

var day = calendar.MustDate

// anyDate draws a date from the years that exist.
func anyDate() *rapid.Generator[calendar.Date] {
	return rapid.Custom(func(t *rapid.T) calendar.Date {
		return day("0001-01-01").AddDays(rapid.IntRange(0, 3652058).Draw(t, "days"))
	})
}

func TestParseDate(t *testing.T) {
	for _, s := range []string{"2026-11-30", "0001-01-01", "9999-12-31", "2024-02-29"} {
		d, err := calendar.ParseDate(s)
		if err != nil || d.String() != s || d.IsZero() {
			t.Errorf("ParseDate(%q) = %v, %v", s, d, err)
		}
	}
	for name, s := range map[string]string{
		"empty": "", "space": " 2026-11-30", "slashes": "2026/11/30", "narrow": "2026-1-30", "two-digit year": "26-11-30",
		"no such day": "2026-02-29", "month 13": "2026-13-01", "day 0": "2026-01-00", "year 0": "0000-01-01",
		"with clock": "2026-11-30T00:00:00Z", "Chinese": "2026年11月30日", "five-digit year": "12026-11-30", "sign": "-026-11-30",
	} {
		if d, err := calendar.ParseDate(s); err == nil || !d.IsZero() {
			t.Errorf("%s: ParseDate(%q) = %v, %v, want an error and no date", name, s, d, err)
		}
	}
}

func TestMustDatePanicsOnAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a mistake went through")
		}
	}()
	calendar.MustDate("2026-02-29")
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-11-30", "2024-02-29", "2023-02-29", "0000-01-01", "9999-12-31", "", "2026-1-1", "２０２６-11-30"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := calendar.ParseDate(s)
		if err == nil && d.String() != s {
			t.Errorf("ParseDate(%q) was accepted and reads %q", s, d)
		}
		if err != nil && !d.IsZero() {
			t.Errorf("ParseDate(%q) = %v with error %v", s, d, err)
		}
	})
}

func TestNewDate(t *testing.T) {
	tests := map[string]struct {
		got  calendar.Date
		want string
	}{
		"plain":              {calendar.NewDate(2026, time.November, 30), "2026-11-30"},
		"day over":           {calendar.NewDate(2026, time.October, 32), "2026-11-01"},
		"day 0":              {calendar.NewDate(2026, time.March, 0), "2026-02-28"},
		"month over":         {calendar.NewDate(2026, 14, 1), "2027-02-01"},
		"month under":        {calendar.NewDate(2026, 0, 31), "2025-12-31"},
		"before the first":   {calendar.NewDate(1, 1, 0), ""},
		"after the last":     {calendar.NewDate(9999, 12, 32), ""},
		"absurd year":        {calendar.NewDate(math.MaxInt, 1, 1), ""},
		"absurd month":       {calendar.NewDate(2026, math.MinInt, 1), ""},
		"absurd day":         {calendar.NewDate(2026, 1, math.MaxInt), ""},
		"add past the end":   {day("9999-12-31").AddDays(1), ""},
		"add absurd days":    {day("2026-01-01").AddDays(math.MinInt), ""},
		"add absurd months":  {day("2026-01-01").AddMonths(math.MaxInt), ""},
		"no date and a day":  {calendar.Date{}.AddDays(1), ""},
		"no date and months": {calendar.Date{}.AddMonths(1), ""},
	}
	for name, tt := range tests {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestDateAgreesWithTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, n := anyDate().Draw(t, "d"), rapid.IntRange(-800000, 800000).Draw(t, "n")
		ref := time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, time.UTC)
		if d.String() != ref.Format(time.DateOnly) || d.Weekday() != ref.Weekday() {
			t.Fatalf("%v is a %v, time says %v", d, d.Weekday(), ref)
		}
		later := d.AddDays(n)
		if want := ref.AddDate(0, 0, n); want.Year() < 1 || want.Year() > 9999 {
			if !later.IsZero() {
				t.Fatalf("%v + %d days = %v outside the years that exist", d, n, later)
			}
			return
		} else if later.String() != want.Format(time.DateOnly) {
			t.Fatalf("%v + %d days = %v, want %v", d, n, later, want)
		}
		if d.DaysUntil(later) != n {
			t.Fatalf("%v until %v = %d, want %d", d, later, d.DaysUntil(later), n)
		}
		if d.Before(later) != (n > 0) || d.After(later) != (n < 0) || d.Equal(later) != (n == 0) || later.Compare(d)*n < 0 {
			t.Fatalf("order of %v and %v, %d days later", d, later, n)
		}
	})
}

func TestAddMonths(t *testing.T) {
	tests := map[string]struct {
		from string
		n    int
		want string
	}{
		"same day":              {"2026-11-23", 3, "2027-02-23"},
		"clamped":               {"2026-11-30", 3, "2027-02-28"},
		"clamped in leap year":  {"2027-11-30", 3, "2028-02-29"},
		"backwards and clamped": {"2026-03-31", -1, "2026-02-28"},
		"over New Year":         {"2026-12-31", 1, "2027-01-31"},
		"backwards over it":     {"2026-01-31", -2, "2025-11-30"},
		"none":                  {"2026-12-31", 0, "2026-12-31"},
		"leap day and a year":   {"2024-02-29", 12, "2025-02-28"},
		"last month":            {"9999-12-31", 0, "9999-12-31"},
		"past the last":         {"9999-12-01", 1, ""},
	}
	for name, tt := range tests {
		if got := day(tt.from).AddMonths(tt.n).String(); got != tt.want {
			t.Errorf("%s: %s + %d months = %q, want %q", name, tt.from, tt.n, got, tt.want)
		}
	}
}

func TestNoDate(t *testing.T) {
	var none calendar.Date
	d := day("2026-11-30")
	if !none.IsZero() || none.String() != "" || none.Year() != 0 || none.Month() != 0 || none.Day() != 0 {
		t.Errorf("zero value: %q %d-%d-%d", none, none.Year(), none.Month(), none.Day())
	}
	if !none.Before(d) || none.DaysUntil(d) != 0 || d.DaysUntil(none) != 0 {
		t.Error("no date must sort first and be no days away")
	}
	if !none.Start(time.UTC).IsZero() || !none.At(9, 0, time.UTC).IsZero() || !calendar.DateOf(time.Time{}, time.UTC).IsZero() {
		t.Error("no date and no time must go together")
	}
}

func TestStartAndAt(t *testing.T) {
	tests := map[string]struct{ zone, date, want string }{
		"China":                          {"Asia/Shanghai", "2026-02-17", "2026-02-16T16:00:00Z"},
		"west of Greenwich":              {"America/New_York", "2026-07-01", "2026-07-01T04:00:00Z"},
		"midnight skipped: first moment": {"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},
		"midnight twice: the first one":  {"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"},
		"the hour before it twice":       {"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"},
		"day after a skipped day":        {"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := day(tt.date).Start(zone(t, tt.zone))
			if got.Format(time.RFC3339Nano) != tt.want {
				t.Errorf("got %s, want %s", got.Format(time.RFC3339Nano), tt.want)
			}
		})
	}
	if got := day("2026-11-30").At(9, 30, zone(t, "Asia/Shanghai")).Format(time.RFC3339Nano); got != "2026-11-30T01:30:00Z" {
		t.Errorf("09:30 in Shanghai = %s", got)
	}
}

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestStartIsTheFirstInstantOfItsDate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc := zone(t, rapid.SampledFrom([]string{
			"Asia/Shanghai", "UTC", "America/Havana", "America/Sao_Paulo", "Asia/Beirut", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Auckland",
		}).Draw(t, "zone"))
		d := day("1970-01-01").AddDays(rapid.IntRange(0, 365*70).Draw(t, "days"))
		start := d.Start(loc)
		if got := calendar.DateOf(start, loc); got != d {
			t.Fatalf("%v starts at %v, which is on %v", d, start.In(loc), got)
		}
		if got := calendar.DateOf(start.Add(-time.Microsecond), loc); got == d {
			t.Fatalf("%v starts at %v, but the moment before is on it too", d, start.In(loc))
		}
		if start.Location() != time.UTC || !start.Equal(start.Truncate(time.Second)) {
			t.Fatalf("%v is not a plain UTC instant", start)
		}
	})
}
