package calendar_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine/calendar"
)

// stepAddWorkdays is AddWorkdays by its definition, a day at a time.
func stepAddWorkdays(c *calendar.Calendar, d calendar.Date, n int) (calendar.Date, bool) {
	known, step := true, 1
	if n < 0 {
		n, step = -n, -1
	}
	for n > 0 {
		d = d.AddDays(step)
		work, k := c.Workday(d)
		known = known && k
		if work {
			n--
		}
	}
	return d, known
}

// stepWorkdays is Workdays by its definition.
func stepWorkdays(c *calendar.Calendar, from, to calendar.Date) (int, bool) {
	sign := 1
	if to.Before(from) {
		from, to, sign = to, from, -1
	}
	n, known := 0, true
	for d := from.AddDays(1); !d.After(to); d = d.AddDays(1) {
		work, k := c.Workday(d)
		known = known && k
		if work {
			n++
		}
	}
	return sign * n, known
}

// anyCalendar draws the embedded calendar, or one with made-up lists of a few years, as thick with exceptions as
// no notice would be, and unknown years between them.
func anyCalendar() *rapid.Generator[*calendar.Calendar] {
	return rapid.Custom(func(t *rapid.T) *calendar.Calendar {
		if rapid.Bool().Draw(t, "embedded") {
			return calendar.Embedded()
		}
		var days []calendar.Day
		for _, year := range rapid.SliceOfNDistinct(rapid.IntRange(2014, 2030), 0, 4, rapid.ID[int]).Draw(t, "years") {
			days = append(days,
				calendar.Day{Date: calendar.NewDate(year, time.February, 1), Name: "春节", Off: true},
				calendar.Day{Date: calendar.NewDate(year, time.October, 1), Name: "国庆节", Off: true})
			for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(2, 31*3), 0, 60, rapid.ID[int]).Draw(t, "rows") {
				// Spread over February to May and over October to New Year; never on the two above.
				month := rapid.SampledFrom([]time.Month{time.February, time.October}).Draw(t, "month")
				d := calendar.NewDate(year, month, n)
				if d.Year() == year {
					days = append(days, calendar.Day{Date: d, Name: "节", Off: rapid.Bool().Draw(t, "off")})
				}
			}
		}
		c, err := new(calendar.Calendar).With(days)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

// nearDate draws a date in or around the years that anyCalendar knows.
func nearDate() *rapid.Generator[calendar.Date] {
	return rapid.Custom(func(t *rapid.T) calendar.Date {
		return day("2013-01-01").AddDays(rapid.IntRange(0, 19*365).Draw(t, "days"))
	})
}

func TestCountingFollowsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCalendar().Draw(t, "calendar")
		d, to, n := nearDate().Draw(t, "d"), nearDate().Draw(t, "to"), rapid.IntRange(-600, 600).Draw(t, "n")
		got, known := c.AddWorkdays(d, n)
		if want, wantKnown := stepAddWorkdays(c, d, n); got != want || known != wantKnown {
			t.Fatalf("AddWorkdays(%v, %d) = %v, %v; want %v, %v", d, n, got, known, want, wantKnown)
		}
		count, known := c.Workdays(d, to)
		if want, wantKnown := stepWorkdays(c, d, to); count != want || known != wantKnown {
			t.Fatalf("Workdays(%v, %v) = %d, %v; want %d, %v", d, to, count, known, want, wantKnown)
		}
	})
}

func TestCountingLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCalendar().Draw(t, "calendar")
		a, b, d := nearDate().Draw(t, "a"), nearDate().Draw(t, "b"), nearDate().Draw(t, "d")
		n := rapid.IntRange(1, 3000).Draw(t, "n")

		later, known := c.AddWorkdays(a, n)
		if back, k := c.Workdays(a, later); back != n || k != known {
			t.Fatalf("%v + %d = %v (%v), but %d (%v) between them", a, n, later, known, back, k)
		}
		if work, _ := c.Workday(later); !work {
			t.Fatalf("%v + %d = %v, which is not worked", a, n, later)
		}
		if home, _ := c.AddWorkdays(later.AddDays(1), -n-1); !home.Before(a.AddDays(1)) {
			t.Fatalf("the %d-th working day before the day after %v is %v, not before %v", n+1, later, home, a)
		}
		earlier, _ := c.AddWorkdays(a, -n)
		if back, _ := c.Workdays(earlier.AddDays(-1), a.AddDays(-1)); back != n {
			t.Fatalf("%v - %d = %v, but %d from it to the day before", a, n, earlier, back)
		}

		if next, _ := c.AddWorkdays(a, n+1); !next.After(later) {
			t.Fatalf("%v + %d = %v is not after + %d = %v", a, n+1, next, n, later)
		}
		if other, _ := c.AddWorkdays(b, n); a.Before(b) && other.Before(later) {
			t.Fatalf("%v is before %v, but + %d gives %v and %v", a, b, n, later, other)
		}

		ab, _ := c.Workdays(a, b)
		ba, _ := c.Workdays(b, a)
		bd, _ := c.Workdays(b, d)
		ad, _ := c.Workdays(a, d)
		if ab != -ba || ab+bd != ad {
			t.Fatalf("%v %v %v: ab %d, ba %d, bd %d, ad %d", a, b, d, ab, ba, bd, ad)
		}
		// What the ladder relies on: "n working days after a has come" is one question, asked either way.
		if (ab >= n) != !b.Before(later) {
			t.Fatalf("%d working days from %v to %v, but + %d is %v", ab, a, b, n, later)
		}
	})
}

func TestAddWorkdays(t *testing.T) {
	tests := map[string]struct {
		from  string
		n     int
		want  string
		known bool
	}{
		"the day after":                   {"2026-11-23", 1, "2026-11-24", true},
		"over a weekend":                  {"2026-11-27", 1, "2026-11-30", true},
		"none":                            {"2026-10-01", 0, "2026-10-01", true},
		"over 春节 2026, with its Saturday": {"2026-02-13", 2, "2026-02-24", true},
		"back over 春节 2026":               {"2026-02-24", -1, "2026-02-14", true},
		"over 国庆 2021, with its Saturday": {"2021-09-30", 2, "2021-10-09", true},
		"out of 国庆 2023":                  {"2023-10-03", 1, "2023-10-07", true},
		"last day of the list":            {"2026-12-30", 1, "2026-12-31", true},
		"over the end of the list":        {"2026-12-31", 1, "2027-01-01", false},
		"none in an unknown year":         {"2027-01-05", 0, "2027-01-05", true},
		"back within an unknown year":     {"2027-01-05", -1, "2027-01-04", false},
		"back from the unknown year":      {"2027-01-01", -1, "2026-12-31", true},
		"back over the list's end":        {"2027-01-03", -2, "2026-12-31", false},
		"before the first list":           {"2017-01-03", -1, "2016-12-30", false},
		"out of an unknown year":          {"2016-12-31", 1, "2017-01-03", true},
		"past the years that exist":       {"9999-12-31", 1, "", false},
		"before them":                     {"0001-01-01", -1, "", false},
		"absurdly far":                    {"2026-01-01", math.MaxInt, "", false},
	}
	for name, tt := range tests {
		got, known := calendar.Embedded().AddWorkdays(day(tt.from), tt.n)
		if got.String() != tt.want || known != tt.known {
			t.Errorf("%s: %s + %d = %q, %v; want %q, %v", name, tt.from, tt.n, got, known, tt.want, tt.known)
		}
	}
	if got, known := calendar.Embedded().AddWorkdays(calendar.Date{}, 0); !got.IsZero() || known {
		t.Errorf("no date gave %v, %v", got, known)
	}
}

func TestWorkdays(t *testing.T) {
	tests := map[string]struct {
		from, to string
		want     int
		known    bool
	}{
		"same day":                    {"2026-11-25", "2026-11-25", 0, true},
		"same day of an unknown year": {"2027-11-25", "2027-11-25", 0, true},
		"next day":                    {"2026-11-25", "2026-11-26", 1, true},
		"into a weekend":              {"2026-11-27", "2026-11-29", 0, true},
		"one day late, Monday":        {"2026-11-30", "2026-11-27", -1, true},
		"over 国庆 2026":                {"2026-09-30", "2026-10-12", 4, true}, // 8, 9, the worked Saturday 10, 12
		"to the list's last day":      {"2026-12-30", "2026-12-31", 1, true},
		"past it":                     {"2026-12-30", "2027-01-04", 3, false}, // 31, and by guess 1 and 4
		"back past it":                {"2027-01-04", "2026-12-30", -3, false},
		"from no date":                {"", "2026-12-30", 0, false},
		"to no date":                  {"2026-12-30", "", 0, false},
	}
	for name, tt := range tests {
		var from, to calendar.Date
		if from.Scan(tt.from) != nil || to.Scan(tt.to) != nil {
			t.Fatalf("%s: bad row", name)
		}
		if got, known := calendar.Embedded().Workdays(from, to); got != tt.want || known != tt.known {
			t.Errorf("%s: (%s, %s] has %d, %v; want %d, %v", name, tt.from, tt.to, got, known, tt.want, tt.known)
		}
	}
}

func ExampleCalendar_AddWorkdays() {
	c := calendar.Embedded()
	fmt.Println(c.AddWorkdays(calendar.MustDate("2026-02-12"), 3)) // worked Saturday 02-14, then 春节
	fmt.Println(c.AddWorkdays(calendar.MustDate("2026-12-30"), 3)) // the list of 2027 is not loaded: a guess
	// Output:
	// 2026-02-24 true
	// 2027-01-04 false
}
