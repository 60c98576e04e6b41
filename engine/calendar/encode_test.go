package calendar_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine/calendar"
)

var (
	_ encoding.TextAppender    = calendar.Date{}
	_ encoding.TextMarshaler   = calendar.Date{}
	_ encoding.TextUnmarshaler = (*calendar.Date)(nil)
	_ driver.Valuer            = calendar.Date{}
	_ sql.Scanner              = (*calendar.Date)(nil)
)

func TestJSON(t *testing.T) {
	type row struct {
		Due   calendar.Date            `json:"due"`
		Until calendar.Date            `json:"until,omitzero"`
		Per   map[calendar.Date]string `json:"per,omitempty"`
	}
	tests := map[string]struct {
		row  row
		text string
	}{
		"full":    {row{day("2026-11-30"), day("2027-01-31"), map[calendar.Date]string{day("2026-10-01"): "国庆节"}}, `{"due":"2026-11-30","until":"2027-01-31","per":{"2026-10-01":"国庆节"}}`},
		"no date": {row{}, `{"due":""}`},
	}
	for name, tt := range tests {
		b, err := json.Marshal(tt.row)
		if err != nil || string(b) != tt.text {
			t.Errorf("%s: got %s, %v; want %s", name, b, err, tt.text)
		}
		var back row
		if err := json.Unmarshal(b, &back); err != nil || back.Due != tt.row.Due || back.Until != tt.row.Until || len(back.Per) != len(tt.row.Per) {
			t.Errorf("%s: back %+v, %v", name, back, err)
		}
	}
	back := row{Due: day("2026-11-30")}
	if err := json.Unmarshal([]byte(`{"due":"30.11.2026"}`), &back); err == nil || back.Due != day("2026-11-30") {
		t.Errorf("a bad date gave %v, error %v; want an error and the old value", back.Due, err)
	}
}

func TestScan(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	tests := map[string]struct {
		src  any
		want string
	}{
		"text":           {"2026-11-30", "2026-11-30"},
		"bytes":          {[]byte("2026-11-30"), "2026-11-30"},
		"UTC midnight":   {time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), "2026-11-30"},
		"local midnight": {time.Date(2026, 11, 30, 0, 0, 0, 0, shanghai), "2026-11-30"},
		"NULL":           {nil, ""},
		"empty text":     {"", ""},
		"empty bytes":    {[]byte{}, ""},
	}
	for name, tt := range tests {
		d := day("2020-01-01") // what was there must go
		if err := d.Scan(tt.src); err != nil || d.String() != tt.want {
			t.Errorf("%s: got %q, %v; want %q", name, d, err, tt.want)
		}
	}
	for name, src := range map[string]any{
		"a moment": time.Date(2026, 11, 29, 16, 0, 0, 0, time.UTC), "a number": int64(20261130), "other text": "2026-11-30 00:00:00",
		"a fraction": time.Date(2026, 11, 30, 0, 0, 0, 1000, time.UTC),
	} {
		d := day("2020-01-01")
		if err := d.Scan(src); err == nil || d != day("2020-01-01") {
			t.Errorf("%s: got %v, error %v; want an error and the old value", name, d, err)
		}
	}
}

func TestValueScanRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.OneOf(anyDate(), rapid.Just(calendar.Date{})).Draw(t, "d")
		v, err := d.Value()
		if err != nil || !driver.IsValue(v) || (v == nil) != d.IsZero() {
			t.Fatalf("Value of %q = %v, %v", d, v, err)
		}
		back := day("2020-01-01")
		if err := back.Scan(v); err != nil || back != d {
			t.Fatalf("%q came back as %q, %v", d, back, err)
		}
		text, _ := d.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != d {
			t.Fatalf("%q came back from text as %q, %v", d, back, err)
		}
	})
}

func TestColumnType(t *testing.T) {
	if got := (calendar.Date{}).GormDataType(); got != "date" {
		t.Errorf("got %q, want date", got)
	}
}
