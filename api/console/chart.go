package console

import (
	"fmt"
	"strconv"
	"strings"
)

// chart is a drawing in SVG made here: no script has to be brought along for it, and it prints. It says nothing that
// the table beside it does not say; Label says the same in a sentence.
type chart struct {
	Width, Height int
	Label         string
	Hatch         bool // it needs the pattern; its id stands on a page once
	Grid          []gridLine
	Bars          []bar
	Paths         []stroke
	Dots          []point
	Texts         []label
	Legend        []legend
}

type gridLine struct{ X1, X2, Y, TextX, TextY, N int }

type bar struct {
	Class      string
	X, Y, W, H int
}

type stroke struct{ Class, Points string }

type point struct {
	Class string
	X, Y  int
}

type label struct {
	Class, Anchor, Text string
	X, Y                int
}

type legend struct{ Class, Text string }

// The frame that values are drawn in.
const (
	chartWidth  = 560
	chartHeight = 210
	chartLeft   = 30
	chartRight  = 548
	chartTop    = 16
	chartBottom = 182
)

// newChart draws the lines that values are read against, up to at least highest, and returns the height of a value.
func newChart(says string, highest int) (*chart, func(n int) int) {
	step := 1
	for _, s := range []int{1, 2, 5} {
		for f := 1; f <= 1_000_000_000; f *= 10 {
			if 4*s*f >= highest && (4*step < highest || s*f < step) {
				step = s * f
			}
		}
	}
	c := &chart{Width: chartWidth, Height: chartHeight, Label: says}
	y := func(n int) int { return chartBottom - n*(chartBottom-chartTop)/(4*step) }
	for i := range 5 {
		c.Grid = append(c.Grid, gridLine{chartLeft, chartRight, y(i * step), chartLeft - 6, y(i*step) + 4, i * step})
	}
	return c, y
}

// series are values in a row with how they are drawn.
type series struct {
	values      []int
	class, name string
}

// lineChart draws series over the same names.
func lineChart(says string, names []string, highest int, list ...series) *chart {
	for _, s := range list {
		for _, n := range s.values {
			highest = max(highest, n)
		}
	}
	c, y := newChart(says, highest)
	x := func(i int) int { return chartLeft + 6 + i*(chartRight-chartLeft-40)/max(1, len(names)-1) }
	for _, s := range list {
		var points []string
		for i, n := range s.values {
			points = append(points, fmt.Sprintf("%d,%d", x(i), y(n)))
			c.Dots = append(c.Dots, point{s.class, x(i), y(n)})
		}
		c.Paths = append(c.Paths, stroke{s.class, strings.Join(points, " ")})
		if last := len(s.values) - 1; last >= 0 {
			c.Texts = append(c.Texts, label{s.class, "start", strconv.Itoa(s.values[last]), x(last) + 7, y(s.values[last]) + 4})
		}
		c.Legend = append(c.Legend, legend{s.class, s.name})
	}
	for i, name := range names {
		if i%2 == 0 || len(names) < 6 {
			c.Texts = append(c.Texts, label{"axis", "middle", name, x(i), chartHeight - 8})
		}
	}
	return c
}

// barGroup is a week: what was due, and what was closed out on time and late.
type barGroup struct {
	name              string
	due, onTime, late int
}

// barChart draws groups of two bars: an outline for what was due, and beside it what was done, the late part hatched.
func barChart(says string, groups []barGroup) *chart {
	highest := 1
	for _, g := range groups {
		highest = max(highest, g.due, g.onTime+g.late)
	}
	c, y := newChart(says, highest)
	c.Hatch = true
	pitch := (chartRight - chartLeft) / max(1, len(groups))
	w := min(22, pitch*2/5)
	for i, g := range groups {
		left := chartLeft + i*pitch + (pitch-2*w-3)/2
		add := func(class string, x, from, n int) {
			if n > 0 {
				c.Bars = append(c.Bars, bar{class, x, y(from + n), w, y(from) - y(from+n)})
			}
		}
		number := func(class string, x, n int) {
			if n > 0 {
				c.Texts = append(c.Texts, label{class, "middle", strconv.Itoa(n), x + w/2, y(n) - 4})
			}
		}
		add("due", left, 0, g.due)
		add("met", left+w+3, 0, g.onTime)
		add("late", left+w+3, g.onTime, g.late)
		number("", left, g.due)
		number("b", left+w+3, g.onTime+g.late)
		c.Texts = append(c.Texts, label{"axis", "middle", g.name, left + w + 1, chartHeight - 8})
	}
	return c
}
