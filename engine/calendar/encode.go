package calendar

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// AppendText appends what String returns. It never fails.
func (d Date) AppendText(b []byte) ([]byte, error) {
	if d.IsZero() {
		return b, nil
	}
	return d.utc().AppendFormat(b, time.DateOnly), nil
}

// MarshalText returns what String returns, so that JSON, YAML and form values read "2026-11-30", and "" for "no
// date". It never fails.
func (d Date) MarshalText() ([]byte, error) { return d.AppendText(nil) }

// UnmarshalText reads what MarshalText wrote. On an error d keeps its value.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Value stores the date as the string 2026-11-30, which sorts as dates do on every database, and "no date" as
// NULL.
func (d Date) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil
	}
	return d.String(), nil
}

// Scan reads a date column: text as Value writes it, the midnight that drivers make of a DATE, or NULL and ""
// for "no date". A time with a clock is refused: which day it belongs to depends on a place that is not known
// here. On an error d keeps its value.
func (d *Date) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = Date{}
		return nil
	case string:
		return d.UnmarshalText([]byte(v))
	case []byte:
		return d.UnmarshalText(v)
	case time.Time:
		if h, m, s := v.Clock(); h != 0 || m != 0 || s != 0 || v.Nanosecond() != 0 {
			return fmt.Errorf("%v is a moment, not a date", v)
		}
		*d = DateOf(v, v.Location())
		return nil
	default:
		return fmt.Errorf("cannot read a date from %T", src)
	}
}

// GormDataType names the column type.
func (Date) GormDataType() string { return "date" }
