package ledger

import (
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

var (
	academicYear = regexp.MustCompile(`((?:19|20)\d{2})\s*(?:年?\s*[-—–―~〜_至/]+\s*)((?:19|20)\d{2})\s*(学年)?`)
	yearWritten  = regexp.MustCompile(`((?:19|20)\d{2})\s*年`)
	yearInName   = regexp.MustCompile(`(?:^|\D)((?:19|20)\d{2})(?:[01]\d(?:[0-3]\d)?)?(?:\D|$)`)
	yearOfDate   = regexp.MustCompile(`((?:19|20)\d{2})\s*[年./-]\s*\d{1,2}`)
	hanYear      = regexp.MustCompile(`二[〇○零][〇○零一二三四五六七八九]{2}年`)
	yearColumns  = regexp.MustCompile(`^(?:.*学年度?|.*年度|年份|.*月份)$`)
)

// yearIn finds the year that a title or header speaks of. "2024—2025学年度" is an academic year; two years that
// follow each other without 学年 are a plan over calendar years, read in the first.
func yearIn(s string) (period, bool) {
	s = norm.NFKC.String(cutRunes(s, 100)) // a cell may hold a whole text; its first words tell the year
	if m := academicYear.FindStringSubmatch(s); m != nil {
		return period{year: num(m[1]), academic: m[3] != "" && num(m[2]) == num(m[1])+1}, true
	}
	if m := yearWritten.FindStringSubmatch(s); m != nil {
		return period{year: num(m[1])}, true
	}
	if m := hanYear.FindString(s); m != "" {
		if n, ok := hanNumber(strings.TrimSuffix(m, "年")); ok {
			return period{year: n}, true
		}
	}
	return period{}, false
}

// yearInFile finds the year in a file name, where 2024_2025 can only be an academic year.
func yearInFile(name string) (period, bool) {
	name = cutRunes(name, 255)
	if m := academicYear.FindStringSubmatch(norm.NFKC.String(name)); m != nil && num(m[2]) == num(m[1])+1 {
		return period{year: num(m[1]), academic: true}, true
	}
	if p, ok := yearIn(name); ok {
		return p, true
	}
	if m := yearInName.FindStringSubmatch(name); m != nil {
		return period{year: num(m[1])}, true
	}
	return period{}, false
}

// findYear decides the year in which bare months are read, and the key of the note that says where it was
// found ("" when it was given).
//
// Where nothing tells, no year is guessed: the first bare month becomes a problem that asks for it.
func (l *Ledger) findYear(above []string, headers []string, column string, dates []string, o Options) (period, string) {
	if o.Year > 0 {
		return period{o.Year, o.AcademicYear}, ""
	}
	for _, s := range above {
		if p, ok := yearIn(s); ok {
			return p, KeyYearFromTitle
		}
	}
	for _, s := range headers {
		if p, ok := yearIn(s); ok {
			return p, KeyYearFromHeader
		}
	}
	if p, ok := yearIn(column); ok {
		return p, KeyYearFromColumn
	}
	if p, ok := yearInFile(l.Name); ok {
		return p, KeyYearFromName
	}
	return yearOfDates(dates)
}

// yearOfDates finds the one year that the dates of a file are written with.
func yearOfDates(dates []string) (period, string) {
	found := 0
	for _, text := range dates {
		for _, m := range yearOfDate.FindAllStringSubmatch(norm.NFKC.String(cutRunes(text, 100)), 8) {
			y := num(m[1])
			if found != 0 && found != y {
				return period{}, ""
			}
			found = y
		}
	}
	if found == 0 {
		return period{}, ""
	}
	return period{year: found}, KeyYearFromDates
}
