package auth

import (
	"crypto/rand"
	_ "embed"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"bihuan/engine"
)

// Policy says which passwords are good enough.
type Policy struct {
	Classes int           // how many of lower case, upper case, digits and others must occur; 0: no matter
	MaxAge  time.Duration // after which a password must be changed; 0: never
	Words   []string      // of the site, which nobody may use: its name, its short names
}

// The profiles. Standard follows NIST SP 800-63B and OWASP ASVS: length and uncommonness instead of composition.
// MLPS adds what assessors of 等级保护 ask for: three classes of characters and a change every 90 days.
var (
	Standard = Policy{}
	MLPS     = Policy{Classes: 3, MaxAge: 90 * 24 * time.Hour}
)

// Profiles are the policies by the name that a set-up gives them.
var Profiles = map[string]Policy{"standard": Standard, "mlps": MLPS}

// Bounds of a password's length in characters. Nothing is ever cut off.
const (
	minPassword = 8
	maxPassword = 128
)

//go:embed common.txt
var commonText string

// common are the passwords that everybody tries first, in lower case.
var common = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for line := range strings.Lines(commonText) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			m[line] = true
		}
	}
	return m
})

// ownWords are the product's.
var ownWords = []string{"bihuan", "闭环"}

// Check refuses a password that is not good enough for somebody with the login and name, with an Invalid error about
// the field "password". The error never shows the password.
func (p Policy) Check(password, login, name string) error {
	if !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl) {
		return refuse("field.not_text")
	}
	password = normal(password)
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return refuse("password.too_short", "limit", minPassword)
	case n > maxPassword:
		return refuse("password.too_long", "limit", maxPassword)
	}
	lower := strings.ToLower(password)
	core := strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	switch {
	case common()[lower], len(core) > 3 && common()[core]:
		return refuse("password.common")
	case !strings.ContainsFunc(lower, func(r rune) bool { return !unicode.IsDigit(r) }):
		return refuse("password.digits")
	case monotonous(lower), utf8.RuneCountInString(core) >= 6 && monotonous(core):
		return refuse("password.monotonous")
	}
	for _, list := range [][]string{ownWords, p.Words, {login, name}} {
		for _, w := range list {
			if uses(lower, core, strings.ToLower(normal(strings.TrimSpace(w)))) {
				return refuse("password.own_word")
			}
		}
	}
	if classes(password) < p.Classes {
		return refuse("password.classes", "limit", p.Classes)
	}
	return nil
}

func refuse(key string, args ...any) error {
	e := &engine.Error{Kind: engine.Invalid, Field: "password", Key: key}
	if len(args) == 2 {
		e.Args = map[string]any{args[0].(string): args[1]}
	}
	return e
}

// uses tells whether a password is made from a word. A short word may occur by chance; it counts only if nothing
// but digits and signs stands around it. A Chinese character says as much as several letters.
func uses(password, core, word string) bool {
	if word == "" {
		return false
	}
	long := utf8.RuneCountInString(word) >= 4 || len(word) >= 6 && strings.ContainsFunc(word, func(r rune) bool { return unicode.Is(unicode.Han, r) })
	return core == word || password == word || long && strings.Contains(password, word)
}

// monotonous tells whether a password repeats few characters or runs along the alphabet, the digits or a row of the
// keyboard.
func monotonous(password string) bool {
	seen := map[rune]bool{}
	for _, r := range password {
		seen[r] = true
	}
	if len(seen) < 4 {
		return true
	}
	for _, row := range []string{"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik"} {
		if strings.Contains(row+row, password) || strings.Contains(reversed(row)+reversed(row), password) {
			return true
		}
	}
	return false
}

func reversed(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

// classes counts the classes of characters: lower case, upper case, digits, all others.
func classes(password string) int {
	var has [4]bool
	for _, r := range password {
		switch {
		case unicode.IsLower(r):
			has[0] = true
		case unicode.IsUpper(r):
			has[1] = true
		case unicode.IsDigit(r):
			has[2] = true
		default:
			has[3] = true
		}
	}
	n := 0
	for _, h := range has {
		if h {
			n++
		}
	}
	return n
}

// Generate returns a password of 80 random bits that can be read out over the telephone, for somebody who has to
// change it at once. It is good enough for every policy.
func Generate() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789" // 32, none that look alike
	for {
		raw := make([]byte, 16)
		rand.Read(raw) // never fails (crypto/rand)
		var b strings.Builder
		for i, c := range raw {
			if i > 0 && i%4 == 0 {
				b.WriteByte('-')
			}
			b.WriteByte(letters[c%32])
		}
		if MLPS.Check(b.String(), "", "") == nil {
			return b.String()
		}
	}
}

// expired tells whether a password has to be changed before it is good for anything else.
func (p Policy) expired(w engine.Password, now time.Time) bool {
	return w.MustChange || p.MaxAge > 0 && !w.ChangedAt.IsZero() && !now.Before(w.ChangedAt.Add(p.MaxAge))
}
