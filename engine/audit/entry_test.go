package audit

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestBytesRefuses(t *testing.T) {
	data := func(s string) func(*Entry) { return func(e *Entry) { e.Data = json.RawMessage(s) } }
	tests := map[string]struct {
		change func(*Entry)
		want   string // in the error
	}{
		"format 0":              {func(e *Entry) { e.V = 0 }, "v is 0"},
		"format 2":              {func(e *Entry) { e.V = 2 }, "v is 2"},
		"no log":                {func(e *Entry) { e.Log = "" }, "log is missing"},
		"no id":                 {func(e *Entry) { e.ID = "" }, "id is missing"},
		"no actor":              {func(e *Entry) { e.Actor.ID = "" }, "actor.id is missing"},
		"no via":                {func(e *Entry) { e.Actor.Via = "" }, "actor.via is missing"},
		"no action":             {func(e *Entry) { e.Action = "" }, "action is missing"},
		"no subject":            {func(e *Entry) { e.Subject = "" }, "subject is missing"},
		"subject without kind":  {func(e *Entry) { e.Subject = "/p" }, "not kind/id"},
		"subject without id":    {func(e *Entry) { e.Subject = "project/" }, "not kind/id"},
		"subject without slash": {func(e *Entry) { e.Subject = "project" }, "not kind/id"},
		"kind in capitals":      {func(e *Entry) { e.Subject = "Project/p" }, "not kind/id"},
		"kind with digit":       {func(e *Entry) { e.Subject = "p1/p" }, "not kind/id"},
		"no time":               {func(e *Entry) { e.At = time.Time{} }, "at is missing"},
		"nanoseconds":           {func(e *Entry) { e.At = e.At.Add(1) }, "not truncated"},
		"other zone":            {func(e *Entry) { e.At = e.At.In(time.FixedZone("CST", 8*3600)) }, "not UTC"},
		"year 0":                {func(e *Entry) { e.At = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC) }, "year 0"},
		"year 10000":            {func(e *Entry) { e.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "year 10000"},
		"seq 0":                 {func(e *Entry) { e.Seq = 0 }, "seq is 0"},
		"seq too great":         {func(e *Entry) { e.Seq = maxInt + 1 }, "seq is"},
		"version below 0":       {func(e *Entry) { e.Version = -1 }, "version is -1"},
		"version too great":     {func(e *Entry) { e.Version = maxInt + 1 }, "version is"},
		"prev for the first":    {func(e *Entry) { e.Seq = 1 }, "prev is given"},
		"no prev":               {func(e *Entry) { e.Prev = Digest{} }, "prev is missing"},
		"key no digest":         {func(e *Entry) { e.Request.Key = "k" }, "request.key"},
		"key in capitals":       {func(e *Entry) { e.Request.Key = strings.ToUpper(e.Request.Key) }, "request.key"},
		"invalid UTF-8":         {func(e *Entry) { e.Note = "a\xffb" }, "note: audit: invalid: not valid UTF-8"},
		"surrogate in UTF-8":    {func(e *Entry) { e.Actor.Role = "\xed\xa0\x80" }, "role: audit: invalid: not valid UTF-8"},
		"U+0000":                {func(e *Entry) { e.Note = "a\x00b" }, "note: audit: invalid: contains U+0000"},
		"data array":            {data(`[]`), "no object"},
		"data null":             {data(`null`), "no object"},
		"data no JSON":          {data(`{`), "data: audit: invalid"},
		"data white space":      {data(` `), "data: audit: invalid"},
		"data duplicate key":    {data(`{"a":1,"a":2}`), "uplicate key"},
		"data fraction":         {data(`{"a":1.0}`), "fraction"},
		"data exponent":         {data(`{"a":[1e2]}`), "exponent"},
		"data great integer":    {data(`{"a":9007199254740993}`), "outside"},
		"data invalid UTF-8":    {data("{\"a\":\"\xff\"}"), "UTF-8"},
		"set array":             {data(`{"set":[]}`), "set is not an object"},
		"set null":              {data(`{"set":null}`), "set is not an object"},
		"null in array of set":  {data(`{"set":{"a":[{"b":null}]}}`), "null"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := sample()
			if _, err := e.Bytes(); err != nil {
				t.Fatal(err)
			}
			test.change(&e)
			b, err := e.Bytes()
			if b != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Bytes = %s, %v; want ErrInvalid with %q", b, err, test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	b, err := sample().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	tests := map[string]struct{ old, new, want string }{
		"nothing":               {good, ``, "no object"},
		"array":                 {good, `[]`, "no object"},
		"null":                  {good, `null`, "no object"},
		"white space":           {`"seq":2`, `"seq": 2`, "not an integer"},
		"white space before":    {`{"action"`, ` {"action"`, "no object"},
		"new line after":        {`"version":2}`, "\"version\":2}\n", "after the end"},
		"two entries":           {`"version":2}`, `"version":2}{}`, "after the end"},
		"unknown field":         {`"unit":"unit-2",`, `"unit":"unit-2","units":"",`, "unknown field"},
		"unknown of the actor":  {`"via":"console"`, `"via":"console","x":1`, "unknown field"},
		"unknown of request":    {`"request":{`, `"request":{"a":1,`, "unknown field"},
		"capitals":              {`"action"`, `"Action"`, "unknown field"},
		"duplicate field":       {`"seq":2`, `"seq":2,"seq":2`, "duplicate key"},
		"duplicate of actor":    {`"via":"console"`, `"via":"console","via":"console"`, "duplicate key"},
		"out of order":          {`"v":1,"version":2`, `"version":2,"v":1`, "out of order"},
		"duplicate in data":     {`"votes":3`, `"votes":3,"votes":3`, "duplicate key"},
		"order in data":         {`"votes":3`, `"votes":3,"a":3`, "out of order"},
		"needless escape":       {`"note":"同意"`, `"note":"\u540c意"`, "needless escape"},
		"fraction":              {`"seq":2`, `"seq":2.0`, "fraction"},
		"exponent in data":      {`"votes":3`, `"votes":3e0`, "exponent"},
		"seq as text":           {`"seq":2`, `"seq":"2"`, "not an integer"},
		"seq null":              {`"seq":2`, `"seq":null`, "not an integer"},
		"format 2":              {`"v":1`, `"v":2`, "v is 2"},
		"no format":             {`"v":1,`, ``, "v is 0"},
		"no version":            {`,"version":2`, ``, "version is missing"},
		"no prev":               {`"prev":"` + sample().Prev.String() + `",`, ``, "prev is missing"},
		"no actor":              {`"actor":{"id":"user-1","role":"supervisor","unit":"unit-1","via":"console"},`, ``, "actor.id is missing"},
		"actor as text":         {`{"id":"user-1","role":"supervisor","unit":"unit-1","via":"console"}`, `"user-1"`, "no object"},
		"empty note":            {`"note":"同意"`, `"note":""`, "empty field"},
		"empty id":              {`"id":"e-2"`, `"id":""`, "empty field"},
		"empty request id":      {`"id":"r-1"`, `"id":""`, "empty field"},
		"note null":             {`"note":"同意"`, `"note":null`, "no string"},
		"note number":           {`"note":"同意"`, `"note":1`, "no string"},
		"prev in capitals":      {`"prev":"`, `"prev":"A`, "no digest"},
		"prev of zeros":         {sample().Prev.String(), strings.Repeat("0", 64), "no digest"},
		"prev empty":            {sample().Prev.String(), ``, "prev is missing although"},
		"five decimals":         {`03.456789Z`, `03.45678Z`, "six decimals"},
		"seven decimals":        {`03.456789Z`, `03.4567890Z`, "six decimals"},
		"no decimals":           {`03.456789Z`, `03Z`, "six decimals"},
		"comma":                 {`03.456789Z`, `03,456789Z`, "six decimals"},
		"offset":                {`03.456789Z`, `03.456789+00:00`, "six decimals"},
		"small z":               {`03.456789Z`, `03.456789z`, "six decimals"},
		"blank for T":           {`2025-11-20T`, `2025-11-20 `, "six decimals"},
		"no such day":           {`2025-11-20T`, `2025-11-31T`, "six decimals"},
		"leap second":           {`03.456789Z`, `60.456789Z`, "six decimals"},
		"zero time":             {`2025-11-20T01:02:03.456789Z`, `0001-01-01T00:00:00.000000Z`, "at is missing"},
		"data array":            {`{"set":{"stage":"deploy"},"votes":3}`, `[]`, "no object"},
		"data null":             {`{"set":{"stage":"deploy"},"votes":3}`, `null`, "no object"},
		"set text":              {`{"stage":"deploy"}`, `"x"`, "set is not an object"},
		"null in array of set":  {`{"stage":"deploy"}`, `{"stage":[null]}`, "null"},
		"invalid UTF-8":         {`同意`, "\xe5\x90", "UTF-8"},
		"U+0000":                {`同意`, `\u0000`, "U+0000"},
		"raw control character": {`同意`, "\n", "control character"},
		"cut":                   {`,"version":2}`, ``, "neither comma"},
	}
	if _, err := Parse(b); err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, test.old, test.new, 1)
			if bad == good {
				t.Fatalf("%q does not occur", test.old)
			}
			e, err := Parse([]byte(bad))
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse = %+v, %v; want ErrInvalid with %q", e, err, test.want)
			}
		})
	}
}

func TestParseOfBytesIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := entries().Draw(t, "entry")
		b, err := e.Bytes()
		if err != nil {
			t.Fatalf("Bytes: %v", err)
		}
		got, err := Parse(b)
		if err != nil {
			t.Fatalf("Parse(%s): %v", b, err)
		}
		if d := gocmp.Diff(e, got); d != "" {
			t.Fatalf("Parse(Bytes(e)) differs from e (-want +got):\n%s", d)
		}
		again, err := got.Bytes()
		if err != nil || string(again) != string(b) {
			t.Fatalf("Bytes(Parse(b)) = %s, %v; want %s", again, err, b)
		}
		if text, err := canonical(b); err != nil || text != string(b) {
			t.Fatalf("canonical(%s) = %s, %v", b, text, err)
		}
	})
}

// Data may come in any spelling; the bytes do not depend on it.
func TestBytesOfAnySpelling(t *testing.T) {
	a, b := sample(), sample()
	a.Data = json.RawMessage(`{"set":{"😀":"<\n>","` + "\ufb33" + `":1}}`)
	b.Data = json.RawMessage(` { "set" : { "\ufb33" : 1, "\uD83D\uDE00" : "\u003c\u000a\u003e" } } `)
	x, err := a.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if string(x) != string(y) {
		t.Errorf("Bytes:\n%s\n%s", x, y)
	}
}

func TestMaxEntry(t *testing.T) {
	e := sample()
	b, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	e.Note += strings.Repeat("n", MaxEntry-len(b))
	b, err = e.Bytes()
	if err != nil || len(b) != MaxEntry {
		t.Fatalf("Bytes: %d bytes, %v; want %d", len(b), err, MaxEntry)
	}
	if _, err := Parse(b); err != nil {
		t.Errorf("Parse: %v", err)
	}

	e.Note += "n"
	if _, err := e.Bytes(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Bytes = %v, want ErrTooLarge", err)
	}
	larger := strings.Replace(string(b), `"note":"`, `"note":"n`, 1)
	if _, err := Parse([]byte(larger)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Parse = %v, want ErrTooLarge", err)
	}
}

// The deepest data that Bytes takes is what Parse takes.
func TestDepthOfData(t *testing.T) {
	for depth, ok := range map[int]bool{maxDepth: true, maxDepth + 1: false} {
		e := sample()
		e.Data = json.RawMessage(strings.Repeat(`{"set":`, depth-1) + `{}` + strings.Repeat(`}`, depth-1))
		b, err := e.Bytes()
		if (err == nil) != ok {
			t.Errorf("depth %d: Bytes: %v", depth, err)
		}
		if !ok {
			full, err := sample().Bytes()
			if err != nil {
				t.Fatal(err)
			}
			b = []byte(strings.Replace(string(full), string(sample().Data), string(e.Data), 1))
		}
		if _, err := Parse(b); (err == nil) != ok {
			t.Errorf("depth %d: Parse: %v", depth, err)
		}
	}
}

func TestSubject(t *testing.T) {
	for subject, want := range map[string][2]string{
		"project/42":    {"project", "42"},
		"actor/user/1":  {"actor", "user/1"},
		"calendar/2026": {"calendar", "2026"},
		"nothing":       {"", ""},
		"":              {"", ""},
	} {
		e := Entry{Subject: subject}
		if got := [2]string{e.Kind(), e.SubjectID()}; got != want {
			t.Errorf("%q: %q, want %q", subject, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	v := readVectors(f)
	for _, e := range v.Entries {
		f.Add([]byte(e.Bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("Parse: untyped error %v", err)
			}
			return
		}
		again, err := e.Bytes()
		if err != nil || string(again) != string(b) {
			t.Fatalf("Bytes(Parse(%q)) = %q, %v", b, again, err)
		}
		NewChain(e.Subject).Add(Row{Bytes: b, NoColumns: true})
	})
}

// TestParseTime compares with the standard library, which lets more pass.
func TestParseTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(times().Draw(t, "time").Format(timeLayout))
		if rapid.Bool().Draw(t, "changed") {
			text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0123456789-:.,TZ ")).Draw(t, "by")
		}
		want, err := time.Parse(timeLayout, string(text))
		same := err == nil && want.Format(timeLayout) == string(text)
		if got, ok := parseTime(string(text)); ok != same || ok && !got.Equal(want) {
			t.Fatalf("parseTime(%s) = %s, %t; time.Parse has %s, %v", text, got, ok, want, err)
		}
	})
}
