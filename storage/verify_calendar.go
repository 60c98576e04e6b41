package storage

import (
	"encoding/json"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// calendarDays reads the lists of days that were loaded, by year.
func calendarDays(tx *gorm.DB) (map[string][]calendar.Day, error) {
	var rows []dayRow
	if err := tx.Raw("SELECT " + days.quoted("") + " FROM calendar_days ORDER BY date").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("calendar: %w", err)
	}
	years := map[string][]calendar.Day{}
	for _, r := range rows {
		year := strconv.Itoa(r.Date.Year())
		years[year] = append(years[year], r.day())
	}
	return years, nil
}

// closeCalendar compares the days of a year, by which deadlines are reckoned, with what was loaded last.
func (v *verifier) closeCalendar(c *audit.Chain) error {
	last, err := c.Entry()
	if err != nil {
		return nil //nolint:nilerr // found with the entry
	}
	var said struct {
		Digest string `json:"digest"`
	}
	if err := json.Unmarshal(last.Data, &said); err != nil || said.Digest == "" {
		return nil //nolint:nilerr // an entry of a kind that we do not know
	}
	year := last.SubjectID()
	list := v.years[year]
	delete(v.years, year)
	v.report.Checked.Calendars++
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if got := audit.HashContent(b).String(); got != said.Digest {
		v.note(v.subject, CheckDefinition, "the %d days of the year have the digest %s, those that were loaded %s", len(list), got, said.Digest)
	}
	return nil
}
