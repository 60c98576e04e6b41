package ledger

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// trim removes what surrounds a cell's text without being seen, and writes line ends one way.
func trim(s string) string {
	s = strings.TrimFunc(s, invisible)
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	return s
}

func invisible(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' || r == '\u2060'
}

// squeeze folds full-width and compatibility forms (１２, ⽉) and removes all white space.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, norm.NFKC.String(s))
}

var (
	clockTime   = regexp.MustCompile(`(\d)[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?Z?)?`)
	betweenNums = regexp.MustCompile(`(\d)\s+(\d)`)
	hanNumeral  = regexp.MustCompile(`[〇○零一二两三四五六七八九十]+(?:月|日|号|季度|学期|年)`)
	dashes      = strings.NewReplacer("—", "-", "–", "-", "―", "-", "−", "-", "‐", "-", "~", "-", "〜", "-", "∼", "-", "－", "-", "～", "-")
	doubleDash  = regexp.MustCompile(`-{2,}`)
	hanDigits   = map[rune]int{'〇': 0, '○': 0, '零': 0, '一': 1, '二': 2, '两': 2, '三': 3, '四': 4, '五': 5, '六': 6, '七': 7, '八': 8, '九': 9}
)

// plain brings a deadline text to the form the rules are written for: half-width, one kind of dash, no spaces,
// Arabic numerals before 年, 月, 日 and the like, no time of day.
func plain(s string) string {
	s = norm.NFKC.String(s)
	s = clockTime.ReplaceAllString(s, "$1")
	// A space between two numbers separates them; every other space is only typed for looks.
	s = betweenNums.ReplaceAllString(s, "$1;$2")
	s = squeeze(s)
	s = doubleDash.ReplaceAllString(dashes.Replace(s), "-")
	return hanNumeral.ReplaceAllStringFunc(s, func(m string) string {
		i := strings.IndexAny(m, "月日号季学年")
		n, ok := hanNumber(m[:i])
		if !ok {
			return m
		}
		return strconv.Itoa(n) + m[i:]
	})
}

// hanNumber reads 二〇二二 digit by digit and 二十三 by tens; nothing above 99 is written the second way in a date.
func hanNumber(s string) (int, bool) {
	tens, units, ten := strings.Cut(s, "十")
	if !ten {
		n, count := 0, 0
		for _, r := range s {
			n, count = n*10+hanDigits[r], count+1
		}
		return n, count == 1 || count == 4 // "三四月" is March or April: not a number
	}
	digit := func(s string, empty int) (int, bool) {
		r := []rune(s)
		if len(r) == 0 {
			return empty, true
		}
		d, ok := hanDigits[r[0]]
		return d, ok && len(r) == 1
	}
	t, okT := digit(tens, 1)
	u, okU := digit(units, 0)
	return t*10 + u, okT && okU
}
