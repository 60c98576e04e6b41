package workbook

import (
	"strings"

	"github.com/xuri/excelize/v2"
)

// Not every program fits a row to its wrapped texts when it opens a file, and none does when it prints one unopened. So
// heights are reckoned here, from the width of the letters: a Chinese one takes two columns of a Latin one.
const (
	usualSize  = 11.0 // of the letters, in points
	leading    = 1.33 // height of a line for each point of its letters
	leastRow   = 20.0 // points
	headRow    = 24.0
	mostPoints = 409.0 // that a row can have
)

// wrapped is how many lines a text takes in a column.
func wrapped(text string, width float64) int {
	room := max(2, width-1) // what the borders leave
	lines := 0
	for part := range strings.SplitSeq(text, "\n") {
		n, at := 1, 0.0
		for _, r := range part {
			w := 1.0
			if r >= 0x2E80 || r >= 0x2014 && r <= 0x2026 { // Chinese letters and marks; quotation marks and dashes among them
				w = 2
			}
			if at += w; at > room {
				n, at = n+1, w
			}
		}
		lines += n
	}
	return lines
}

// points is the height of a row that has so many lines of letters of a size.
func points(lines int, size float64) float64 {
	return min(mostPoints, float64(lines)*size*leading+5)
}

// tall is the height that the texts of a row need.
func tall(cells []any, least float64, width func(col int) (chars, size float64)) float64 {
	out := least
	for i, x := range cells {
		c, ok := x.(excelize.Cell)
		if !ok {
			continue
		}
		text, ok := c.Value.(string)
		if !ok || len(text) < 4 { // a letter or two fit everywhere
			continue
		}
		chars, size := width(i)
		if n := wrapped(text, chars); n > 1 {
			out = max(out, points(n, size))
		}
	}
	return out
}
