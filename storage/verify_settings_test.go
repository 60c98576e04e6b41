package storage_test

import (
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// Whoever changes in the database where messages and hourly copies go, how people are told, what sentences say, how ledgers
// are read, or which days are working days, is found.
func TestVerifySettings(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		x := newTrail(t, db)
		record := func(subject string, after any, fill func(r *engine.Record)) {
			t.Helper()
			r := x.record(subject, 0, audit.Digest{}, "set", nil, after)
			fill(&r)
			x.must(db.Record(t.Context(), r))
		}
		channel := engine.Channel{ID: engine.ChannelID(newID()), Kind: engine.Webhook, Name: "督查室", UnitID: x.unit.ID, Sealed: []byte("x"),
			Settings: engine.ChannelSettings{Host: "a.example", Hourly: true}, CreatedAt: x.tick(), Version: 1}
		record("channel/"+string(channel.ID), channel, func(r *engine.Record) { r.Channel = &channel })
		settings := engine.NotifySettings{ID: x.user.ID, Mail: "a@b.example", QuietFrom: "22:00", QuietTo: "06:00", UpdatedAt: x.tick(), Version: 1}
		record("settings/"+string(settings.ID), settings, func(r *engine.Record) { r.Settings = &settings })
		for _, id := range []string{"zh-CN/notify.urge.title", "en/notify.urge.title"} {
			wording := engine.Wording{ID: id, Text: "请尽快", UpdatedAt: x.tick(), Version: 1}
			record("wording/"+id, wording, func(r *engine.Record) { r.Wording = &wording })
		}
		mapping := engine.SourceMapping{ID: engine.MappingID(newID()), UnitID: x.unit.ID, Shape: strings.Repeat("a", 64), File: "台账.xlsx",
			Columns: []engine.SourceColumn{{Index: 1, Header: "事项", Field: "title"}}, SavedBy: x.user.ID, SavedAt: x.tick(), Version: 1}
		record("mapping/"+string(mapping.ID), mapping, func(r *engine.Record) { r.Mapping = &mapping })
		list := []calendar.Day{{Name: "元旦", Off: true}}
		var err error
		list[0].Date, err = calendar.ParseDate("2026-01-01")
		x.must(err)
		r := x.record("calendar/2026", 0, audit.Digest{}, "load_calendar", nil, nil)
		r.Entry.Data = asJSON(t, map[string]any{"days": 1, "digest": audit.HashContent(asJSON(t, list))})
		r.Bytes, err = r.Entry.Bytes()
		x.must(err)
		r.Days, r.Head = list, audit.HashEntry(r.Bytes)
		x.must(db.Record(t.Context(), r))

		for _, batch := range []int{0, 1} {
			got := verify(t, db, batch)
			if c := got.Checked; !got.Intact() || c.Channels != 1 || c.Settings != 1 || c.Wordings != 2 || c.Mappings != 1 || c.Calendars != 1 {
				t.Fatalf("before anything was done: %+v", got)
			}
		}
		for _, c := range []struct{ subject, check, tamper, back string }{
			{"channel/" + string(channel.ID), audit.CheckReplay, `UPDATE channels SET settings = replace(settings, 'true', 'false')`, `UPDATE channels SET settings = replace(settings, 'false', 'true')`},
			{"channel/" + string(channel.ID), audit.CheckReplay, `UPDATE channels SET disabled = TRUE`, `UPDATE channels SET disabled = FALSE`},
			{"settings/" + string(settings.ID), audit.CheckReplay, `UPDATE notify_settings SET quiet_to = '23:00'`, `UPDATE notify_settings SET quiet_to = '06:00'`},
			{"wording/en/notify.urge.title", audit.CheckReplay, `UPDATE wordings SET text = '不急' WHERE id LIKE 'en/%'`, `UPDATE wordings SET text = '请尽快'`},
			{"mapping/" + string(mapping.ID), audit.CheckReplay, `UPDATE source_mappings SET columns = replace(columns, 'title', 'owner')`, `UPDATE source_mappings SET columns = replace(columns, 'owner', 'title')`},
			{"calendar/2026", storage.CheckDefinition, `UPDATE calendar_days SET off = FALSE`, `UPDATE calendar_days SET off = TRUE`},
			{"calendar/2027", storage.CheckOrphan, `INSERT INTO calendar_days (date, name, off, notice) VALUES ('2027-03-01', 'x', TRUE, '')`, `DELETE FROM calendar_days WHERE date > '2026-12-31'`},
			{"mapping/" + string(mapping.ID), storage.CheckOrphan, `DELETE FROM source_mappings`, ""},
		} {
			x.exec(c.tamper)
			got := verify(t, db, 0)
			if len(got.Findings) != 1 || got.Findings[0].Subject != c.subject || got.Findings[0].Check != c.check {
				t.Errorf("%s: %+v", c.tamper, got.Findings)
			}
			if c.back != "" {
				x.exec(c.back)
			}
		}
	})
}
