package audit

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// maxDepth bounds the nesting of a document, far above what the domain needs and below what any parser refuses.
const maxDepth = 64

// nullRule says where a document may contain null.
type nullRule int

const (
	nullAllowed nullRule = iota
	nullDeletes          // in a merge patch: as a member of objects; within an array it would put null into a state
	nullRefused          // in a state
)

// canonical returns the RFC 8785 form of a JSON document. What the form cannot hold exactly is refused, never
// rounded or replaced: jcs alone would round large integers, turn 1.0 into 1, lone surrogates into U+FFFD and
// accept "1 2" as 12.
func canonical(raw []byte) (string, error) {
	text := string(raw)
	// Mostly it has the form already, and finding that out is ten times cheaper than producing it.
	if check(text, false) == nil {
		return text, nil
	}
	if err := check(text, true); err != nil {
		return "", err
	}
	s := scanner{src: text, loose: true}
	out, err := s.arrange(nil, 0)
	if err != nil {
		return "", err // a duplicate key
	}
	text = string(out)
	return text, check(text, false)
}

// arrange appends the form of the value that comes next, in a document that has one. jcs does the same, but takes hours
// for an object with a million members; what is left to it are strings with escapes.
func (s *scanner) arrange(dst []byte, depth int) ([]byte, error) {
	switch s.peek() {
	case '{':
		return s.arrangeObject(dst, depth)
	case '[':
		s.pos++
		for dst = append(dst, '['); !s.take(']'); {
			if s.take(',') {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = s.arrange(dst, depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
	start := s.pos
	if err := s.value(depth); err != nil {
		return dst, err
	}
	text, err := spelled(s.src[start:s.pos])
	return append(dst, text...), err
}

func (s *scanner) arrangeObject(dst []byte, depth int) ([]byte, error) {
	type pair struct{ key, text string }
	var pairs []pair
	err := s.object(depth, func(key string) error {
		name, err := spelled(`"` + key + `"`)
		if err != nil {
			return err
		}
		text, err := s.arrange(nil, depth+1)
		pairs = append(pairs, pair{name[1 : len(name)-1], string(text)})
		return err
	})
	if err != nil {
		return dst, err
	}
	slices.SortFunc(pairs, func(a, b pair) int { return compareKeys(a.key, b.key) })
	dst = append(dst, '{')
	for i, p := range pairs {
		if i > 0 {
			if p.key == pairs[i-1].key {
				return dst, invalid("duplicate key %q", p.key)
			}
			dst = append(dst, ',')
		}
		dst = append(append(append(append(dst, '"'), p.key...), '"', ':'), p.text...)
	}
	return append(dst, '}'), nil
}

// spelled returns the form of a value that is neither object nor array: strings alone have several.
func spelled(text string) (string, error) {
	if text[0] != '"' || strings.IndexByte(text, '\\') < 0 {
		return text, nil
	}
	out, err := jcs.Transform([]byte(text))
	if err != nil {
		return "", invalid("%v", err)
	}
	return string(out), nil
}

// check tells whether text is one canonical value or, with loose, one that has a canonical form.
func check(text string, loose bool) error {
	s := scanner{src: text, loose: loose}
	if err := s.value(0); err != nil {
		return err
	}
	return s.end()
}

// scanner walks a JSON document and refuses whatever is not canonical; with loose, whatever has no canonical form
// of the same meaning, except for duplicate keys. Having one form only makes checking it cheap: nothing is
// rebuilt.
type scanner struct {
	src   string
	pos   int
	loose bool
	mixed bool // members of what object takes apart stand in any order
	nulls nullRule
	lists int // how many arrays are open
}

// fail reports what is wrong at the present byte.
func (s *scanner) fail(what string) error {
	return invalid("%s at byte %d", what, s.pos)
}

// end checks that nothing follows.
func (s *scanner) end() error {
	s.space()
	if s.pos != len(s.src) {
		return s.fail("unexpected content after the end")
	}
	return nil
}

func (s *scanner) space() {
	if s.loose {
		s.skipSpace()
	}
}

func (s *scanner) skipSpace() {
	for s.pos < len(s.src) && strings.IndexByte(" \t\r\n", s.src[s.pos]) >= 0 {
		s.pos++
	}
}

// peek returns the next byte, 0 at the end. No document contains a byte 0 outside of what is refused.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// take steps over c if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

// value scans any value, which begins within depth others.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '"':
		_, err := s.quoted()
		return err
	case c == '{':
		return s.object(depth, nil)
	case c == '[':
		return s.array(depth)
	case c == '-' || '0' <= c && c <= '9':
		_, err := s.integer()
		return err
	}
	return s.literal()
}

func (s *scanner) literal() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if !strings.HasPrefix(s.src[s.pos:], word) {
			continue
		}
		if word == "null" && (s.nulls == nullRefused || s.nulls == nullDeletes && s.lists > 0) {
			return s.fail("null, which a state cannot hold,")
		}
		s.pos += len(word)
		return nil
	}
	return s.fail("no JSON value")
}

// object scans an object. For each member it calls member, if given, with the key as it stands between the quotes
// and the position at its value, which member must scan.
func (s *scanner) object(depth int, member func(key string) error) error {
	if depth >= maxDepth {
		return s.fail("nesting deeper than " + strconv.Itoa(maxDepth))
	}
	if !s.take('{') {
		return s.fail("no object")
	}
	if s.take('}') {
		return nil
	}
	for last, first := "", true; ; first = false {
		s.space()
		at := s.pos
		key, err := s.quoted()
		if err != nil {
			return err
		}
		if !first && !s.loose && (member == nil || !s.mixed) {
			if c := compareKeys(last, key); c >= 0 {
				s.pos = at
				if c == 0 {
					return s.fail("duplicate key " + strconv.Quote(key))
				}
				return s.fail("key " + strconv.Quote(key) + " out of order")
			}
		}
		last = key
		if !s.take(':') {
			return s.fail("no colon")
		}
		if member != nil {
			err = member(key)
		} else {
			err = s.value(depth + 1)
		}
		if err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.fail("neither comma nor end of the object")
		}
	}
}

func (s *scanner) array(depth int) error {
	if depth >= maxDepth {
		return s.fail("nesting deeper than " + strconv.Itoa(maxDepth))
	}
	s.pos++ // the bracket, which the caller has seen
	if s.take(']') {
		return nil
	}
	s.lists++
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if s.take(']') {
			s.lists--
			return nil
		}
		if !s.take(',') {
			return s.fail("neither comma nor end of the array")
		}
	}
}

// integer scans an integer within ±(2^53−1), written without leading zeros; -0 is no such thing.
func (s *scanner) integer() (int64, error) {
	s.space()
	start := s.pos
	negative := s.pos < len(s.src) && s.src[s.pos] == '-'
	if negative {
		s.pos++
	}
	digits := s.pos
	var n int64
	for ; s.pos < len(s.src) && '0' <= s.src[s.pos] && s.src[s.pos] <= '9'; s.pos++ {
		if n = n*10 + int64(s.src[s.pos]-'0'); n > maxInt {
			s.pos = start
			return 0, s.fail("integer outside of ±(2^53−1)")
		}
	}
	text := s.src[digits:s.pos]
	switch {
	case text == "", len(text) > 1 && text[0] == '0', negative && n == 0:
		s.pos = start
		return 0, s.fail("not an integer")
	case s.pos < len(s.src) && strings.IndexByte(".eE", s.src[s.pos]) >= 0:
		s.pos = start
		return 0, s.fail("number with a fraction or an exponent")
	case negative:
		return -n, nil
	}
	return n, nil
}

// plain are the bytes that stand for themselves in a string, whatever is around them.
var plain = func() (p [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		p[c] = c != '"' && c != '\\'
	}
	return p
}()

// quoted scans a string and returns what stands between the quotes, escapes as they are.
func (s *scanner) quoted() (string, error) {
	if !s.take('"') {
		return "", s.fail("no string")
	}
	start := s.pos
	for s.pos < len(s.src) {
		rest := s.src[s.pos:]
		n := 0
		for n < len(rest) && plain[rest[n]] {
			n++
		}
		if s.pos += n; n == len(rest) {
			break
		}
		switch c := rest[n]; {
		case c == '"':
			s.pos++
			return s.src[start : s.pos-1], nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return "", err
			}
		case c < ' ':
			return "", s.fail("control character in a string")
		default:
			r, n := utf8.DecodeRuneInString(rest[n:])
			if r == utf8.RuneError && n == 1 {
				return "", s.fail("invalid UTF-8")
			}
			s.pos += n
		}
	}
	return "", s.fail("string without an end")
}

// text scans a string and returns what it means. Only for canonical documents.
func (s *scanner) text() (string, error) {
	raw, err := s.quoted()
	if err != nil {
		return "", err
	}
	return unescape(raw), nil
}

// escape steps over a backslash and what belongs to it. Canonical are the two-character escapes that JSON has for
// quote, backslash and five control characters, and \u00xx in lower case for the other control characters.
func (s *scanner) escape() error {
	rest := s.src[s.pos:]
	if len(rest) < 2 {
		return s.fail("string without an end")
	}
	if c := rest[1]; strings.IndexByte(`"\bfnrt`, c) >= 0 || s.loose && c == '/' {
		s.pos += 2
		return nil
	}
	unit, ok := unicodeEscape(rest)
	switch {
	case !ok:
		return s.fail("no such escape")
	case unit == 0:
		return s.fail("U+0000")
	case s.loose && 0xd800 <= unit && unit <= 0xdfff:
		low, ok := unicodeEscape(rest[6:])
		if unit >= 0xdc00 || !ok || low < 0xdc00 || low > 0xdfff {
			return s.fail("surrogate without its other half")
		}
		s.pos += 12
		return nil
	case !s.loose && (unit >= ' ' || strings.IndexByte("\b\f\n\r\t", byte(unit)) >= 0 || rest[:6] != strings.ToLower(rest[:6])):
		return s.fail("needless escape")
	}
	s.pos += 6
	return nil
}

// unicodeEscape reads the UTF-16 code unit of an escape \uxxxx at the beginning of s.
func unicodeEscape(s string) (unit uint64, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(s[2:6], 16, 16)
	return unit, err == nil
}

// unescape returns what the inside of a canonical string means.
func unescape(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	// The canonical escapes of JSON are escapes of Go with the same meaning, so Unquote cannot fail.
	text, err := strconv.Unquote(`"` + raw + `"`)
	if err != nil {
		panic("audit: unescape of what is not canonical: " + strconv.Quote(raw))
	}
	return text
}

// compareKeys orders keys as they stand between the quotes of canonical strings by the UTF-16 code units of what
// they mean (RFC 8785, section 3.2.3).
func compareKeys(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == '\\' || y == '\\' {
			return compareUTF16(unescape(a), unescape(b))
		}
		if x != y {
			return compareUTF16(a[i:], b[i:])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareUTF16 orders texts by their UTF-16 code units.
func compareUTF16(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		// UTF-8 sorts like code points. UTF-16 differs in one thing: characters beyond U+FFFF (leading byte ≥ 0xf0)
		// are surrogates there and come before U+E000 … U+FFFF (leading bytes 0xee and 0xef).
		if max(x, y) >= 0xf0 && min(x, y) >= 0xee && min(x, y) < 0xf0 {
			return cmp.Compare(y, x)
		}
		return cmp.Compare(x, y)
	}
	return cmp.Compare(len(a), len(b))
}

// appendString appends s as a canonical JSON string. It refuses invalid UTF-8 and U+0000.
func appendString(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return dst, invalid("not valid UTF-8")
	}
	dst = append(dst, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[done:i]...)
		done = i + 1
		switch c {
		case 0:
			return dst, invalid("contains U+0000")
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&0xf])
		}
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"'), nil
}
