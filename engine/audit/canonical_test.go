package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"
)

func TestCanonical(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := map[string]struct{ in, want string }{ // want "" = refused
		"canonical already":     {`{"a":[1,{"b":null}],"c":"x"}`, `{"a":[1,{"b":null}],"c":"x"}`},
		"white space":           {" {\t\"b\" :\r\n [ 1 , 2 ] , \"a\" : { } } ", `{"a":{},"b":[1,2]}`},
		"needless escapes":      {`{"a":"\u0041\/\u003c\u2028\ud83d\ude00\u001F\u000a"}`, "{\"a\":\"A/<\u2028😀\\u001f\\n\"}"},
		"escaped key":           {`{"\u0062":1,"a":2}`, `{"a":2,"b":1}`},
		"UTF-16 order":          {"{\"\ufb33\":1,\"😀\":2}", "{\"😀\":2,\"\ufb33\":1}"},
		"top-level text":        {` "a" `, `"a"`},
		"top-level integer":     {` -5 `, `-5`},
		"greatest integer":      {`[9007199254740991, -9007199254740991]`, `[9007199254740991,-9007199254740991]`},
		"deepest nesting":       {" " + nested(64), nested(64)},
		"empty":                 {``, ``},
		"only white space":      {`  `, ``},
		"integer too great":     {`[9007199254740992]`, ``},
		"integer too small":     {`[-9007199254740992]`, ``},
		"integer far too great": {`[` + strings.Repeat("9", 400) + `]`, ``},
		"fraction":              {`{"a":1.5}`, ``},
		"whole fraction":        {`{"a":1.0}`, ``},
		"exponent":              {`{"a":1e3}`, ``},
		"capital exponent":      {`{"a":1E3}`, ``},
		"minus zero":            {`{"a":-0}`, ``},
		"leading zero":          {`{"a":01}`, ``},
		"plus":                  {`{"a":+1}`, ``},
		"minus alone":           {`{"a":-}`, ``},
		"hexadecimal":           {`{"a":0x10}`, ``},
		"digits apart":          {`{"a":1 2}`, ``},
		"not a number":          {`{"a":NaN}`, ``},
		"duplicate key":         {`{"a":1,"a":1}`, ``},
		"duplicate key escaped": {`{"a":1,"\u0061":2}`, ``},
		"duplicate key inside":  {`[{"b":1,"a":1,"b":2}]`, ``},
		"lone high surrogate":   {`{"a":"\ud83d"}`, ``},
		"lone low surrogate":    {`{"a":"\ude00"}`, ``},
		"two high surrogates":   {`{"a":"\ud83d\ud83d"}`, ``},
		"surrogate then text":   {`{"a":"\ud83dx\ude00"}`, ``},
		"invalid UTF-8":         {"{\"a\":\"\xff\"}", ``},
		"overlong UTF-8":        {"{\"a\":\"\xc0\x80\"}", ``},
		"surrogate in UTF-8":    {"{\"a\":\"\xed\xa0\x80\"}", ``},
		"invalid UTF-8 in key":  {"{ \"\x80\":1}", ``},
		"U+0000":                {`{"a":"\u0000"}`, ``},
		"raw control character": {"{\"a\":\"\n\"}", ``},
		"unknown escape":        {`{"a":"\x41"}`, ``},
		"signed escape":         {`{"a":"\u+041"}`, ``},
		"short escape":          {`{"a":"\u41"}`, ``},
		"capital literal":       {`{"a":True}`, ``},
		"cut literal":           {`{"a":tru}`, ``},
		"trailing comma":        {`{"a":1,}`, ``},
		"trailing comma in []":  {`[1,]`, ``},
		"missing comma":         {`[1 2]`, ``},
		"missing colon":         {`{"a" 1}`, ``},
		"missing key":           {`{:1}`, ``},
		"number as key":         {`{1:1}`, ``},
		"cut object":            {`{"a":1`, ``},
		"cut string":            {`"a`, ``},
		"cut escape":            {`"\`, ``},
		"wrong bracket":         {`[1}`, ``},
		"two values":            {`{} {}`, ``},
		"comment":               {`{} // x`, ``},
		"byte order mark":       {"\ufeff{}", ``},
		"nested too deeply":     {nested(65), ``},
		"far too deeply":        {strings.Repeat(`{"a":`, 1e5) + `1` + strings.Repeat(`}`, 1e5), ``},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := canonical([]byte(test.in))
			switch {
			case test.want == "" && !errors.Is(err, ErrInvalid):
				t.Errorf("canonical = %q, %v; want ErrInvalid", got, err)
			case test.want != "" && (err != nil || got != test.want):
				t.Errorf("canonical = %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// The canonical form is unique, so the cheap check must refuse every other spelling.
func TestCheckRefusesOtherSpellings(t *testing.T) {
	for name, text := range map[string]string{
		"white space":            `{"a": 1}`,
		"white space at the end": `{"a":1} `,
		"order":                  `{"b":1,"a":2}`,
		"UTF-16 order":           "{\"\ufb33\":1,\"😀\":2}",
		"escaped solidus":        `"\/"`,
		"escaped letter":         `"\u0041"`,
		"escaped separator":      `"\u2028"`,
		"escaped pair":           `"\ud83d\ude00"`,
		"long escape":            `"\u000a"`,
		"capital hexadecimal":    `"\u001F"`,
		"escaped delete":         `"\u007f"`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := check(text, false); !errors.Is(err, ErrInvalid) {
				t.Errorf("check(%s) = %v, want ErrInvalid", text, err)
			}
			if err := check(text, true); err != nil {
				t.Errorf("loose: %v", err)
			}
		})
	}
}

func TestCanonicalAgreesWithJCS(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := encode(values(3, true).Draw(t, "value"))
		want, err := jcs.Transform(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := canonical(raw)
		if err != nil || got != string(want) {
			t.Fatalf("canonical(%s) = %s, %v; jcs has %s", raw, got, err, want)
		}
		if err := check(got, false); err != nil {
			t.Fatalf("check(%s): %v", got, err)
		}
	})
}

func TestCompareKeysIsUTF16Order(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := texts().Draw(t, "a"), texts().Draw(t, "b")
		raw := func(s string) string {
			q, err := appendString(nil, s)
			if err != nil {
				t.Fatal(err)
			}
			return string(q[1 : len(q)-1])
		}
		want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		if got := compareKeys(raw(a), raw(b)); cmp.Compare(got, 0) != want {
			t.Fatalf("compareKeys(%q, %q) = %d, want %d", a, b, got, want)
		}
	})
}

func TestAppendStringAgreesWithJCS(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := texts().Draw(t, "text")
		got, err := appendString(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := jcs.Transform(encode(s))
		if err != nil || string(got) != string(want) {
			t.Fatalf("appendString(%q) = %s, jcs has %s, %v", s, got, want, err)
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != s {
			t.Fatalf("%s means %q, %v; want %q", got, back, err, s)
		}
		if back := unescape(string(got[1 : len(got)-1])); back != s {
			t.Fatalf("unescape(%s) = %q, want %q", got, back, s)
		}
	})
}
