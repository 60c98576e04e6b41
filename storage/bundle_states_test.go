package storage_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// furnish adds one of every kind of row that entries explain and newTrail does not have, and returns their subjects.
func (x *vault) furnish() []string {
	x.t.Helper()
	day, other := calendar.NewDate(2026, 9, 1), x.world.user("li")
	need := engine.Need{ID: engine.NeedID(newID()), UnitID: x.unit.ID, Number: "2026-6", Title: "路灯", Source: "box", Times: 1, State: "open", CreatedBy: x.user.ID, CreatedAt: x.tick(), Version: 1}
	source := []byte("id: half\nversion: 2\n")
	sheet := engine.SheetVersion{ID: engine.SheetID(newID()), Sheet: "half", Number: 2, Digest: audit.HashContent(source).String(), From: day, State: "proposed", Note: "x",
		ProposedBy: "operator", ProposedAt: x.tick(), Version: 1, Source: source}
	kind := engine.KindSwitch{ID: "keti", On: true, By: "operator", At: x.tick(), Version: 1}
	tally := engine.Tally{ID: "sigeyi", Name: engine.Text{ZH: "四个一"}, Categories: []engine.TallyCategory{{ID: "a", Name: engine.Text{ZH: "一"}, Min: 1}},
		Enter: []engine.Role{engine.Member}, On: true, By: "operator", At: x.tick(), Version: 1}
	year := engine.TallyYear{ID: engine.TallyYearID(newID()), Tally: "sigeyi", UserID: x.user.ID, UnitID: x.unit.ID, Year: 2026, CreatedBy: "operator", CreatedAt: x.tick(), Version: 1}
	list := engine.List{ID: engine.ListID(newID()), UnitID: x.unit.ID, Number: "2026-5", Name: "清单", From: day, To: day, State: "draft", CreatedBy: "operator", CreatedAt: x.tick(), Version: 1}
	lent := engine.Delegation{ID: engine.DelegationID(newID()), From: x.user.ID, To: other.ID, Role: engine.Leader, UnitID: x.unit.ID, StartsAt: x.tick(), EndsAt: x.tick(), Note: "x", CreatedAt: x.tick(), Version: 1}
	var subjects []string
	for _, r := range []struct {
		subject string
		state   any
		into    func(*engine.Record)
	}{
		{need.Subject(), need, func(r *engine.Record) { r.Need = &need }},
		{sheet.Subject(), sheet, func(r *engine.Record) { r.Sheet = &sheet }},
		{kind.Subject(), kind, func(r *engine.Record) { r.Switch = &kind }},
		{tally.Subject(), tally, func(r *engine.Record) { r.Tally = &tally }},
		{year.Subject(), year, func(r *engine.Record) { r.TallyYear = &year }},
		{list.Subject(), list, func(r *engine.Record) { r.List = &list }},
		{engine.SubjectDelegation + "/" + string(lent.ID), lent, func(r *engine.Record) { r.Delegation = &lent }},
	} {
		record := x.record(r.subject, 0, audit.Digest{}, "create", nil, r.state)
		r.into(&record)
		x.must(x.db.Record(x.t.Context(), record))
		subjects = append(subjects, r.subject)
	}
	x.seal()
	x.checkpoint()
	return subjects
}

// TestWholeBundleComparesStates: what a database says of any subject that has a row of its own is compared with its
// entries in a bundle of everything, as it is where the database is.
func TestWholeBundleComparesStates(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		x := newVault(t, db)
		subjects := x.furnish()
		live := x.verify(true)
		if !live.Intact() {
			t.Fatalf("live: %+v", live.Findings)
		}
		n := live.Checked
		whole := x.export(storage.ExportOptions{})
		r := x.check(whole, x.known)
		want := n.Projects + n.Units + n.Users + n.Tokens + n.Delegations + n.Lists + n.Needs + n.Sheets + n.Kinds + n.Tallies + n.TallyYears
		if len(r.Findings) > 0 || len(r.Undecided) > 0 || r.Checked.States != want || r.Checked.Sources != 1 || want < int64(len(subjects))+5 {
			t.Errorf("%d states of %d, %d sources, found %+v, undecided %v", r.Checked.States, want, r.Checked.Sources, r.Findings, r.Undecided)
		}
		python(t, whole, x.signing, 0)

		// What is left out is missed.
		for _, subject := range append(subjects, x.p.Subject()) {
			bare := edited(t, whole, "subjects.ndjson", func(b []byte) []byte {
				return eachLine(b, func(line string) string {
					if i := strings.Index(line, `,"state":`); strings.Contains(line, `"`+subject+`"`) {
						return line[:i] + "}"
					}
					return line
				})
			})
			if r := x.check(bare); len(r.Findings) != 1 || r.Findings[0].Subject != subject || r.Findings[0].Check != bundle.CheckBundle {
				t.Errorf("without the state of %s: %+v", subject, r.Findings)
			}
		}
		for name, bad := range map[string][]byte{"no source": edited(t, whole, "sources.ndjson", func([]byte) []byte { return nil }),
			"another source": edited(t, whole, "sources.ndjson", func(b []byte) []byte { return bytes.Replace(b, []byte("half"), []byte("hallo"), 1) })} {
			if r := x.check(bad); len(r.Findings) != 1 || r.Findings[0].Check != bundle.CheckDefinition {
				t.Errorf("%s: %+v", name, r.Findings)
			}
		}

		// A bundle as it was made before is read as it was.
		old := edited(t, edited(t, edited(t, whole, "manifest.json", func(b []byte) []byte { return bytes.Replace(b, []byte(bundle.Format), []byte("bihuan-bundle/1"), 1) }),
			"sources.ndjson", func([]byte) []byte { return nil }), "subjects.ndjson", func(b []byte) []byte {
			return eachLine(b, func(line string) string {
				for _, kind := range []string{engine.SubjectNeed, engine.SubjectSheet, engine.SubjectKind, engine.SubjectTally, engine.SubjectTallyYear} {
					if i := strings.Index(line, `,"version":`); strings.Contains(line, `"subject":"`+kind+`/`) {
						return line[:i] + `,"version":-1}`
					}
				}
				return line
			})
		})
		if r := x.check(old, x.known); len(r.Findings) > 0 || len(r.Undecided) > 0 || r.Checked.States != want-5 || r.Checked.Sources != 0 {
			t.Errorf("format 1: %+v", r)
		}
		python(t, old, x.signing, 0)

		for table, column := range map[string]string{"needs": "title", "sheet_versions": "note", "kind_switches": "by_id", "tallies": "by_id", "tally_years": "created_by", "lists": "name", "delegations": "note"} {
			x.exec(fmt.Sprintf("UPDATE %s SET %s = %s || 'x'", table, column, column))
		}
		b := x.export(storage.ExportOptions{})
		for what, found := range map[string][]audit.Finding{"live": x.verify(true).Findings, "bundle": x.check(b).Findings} {
			for _, subject := range subjects {
				if !slices.ContainsFunc(found, func(f audit.Finding) bool { return f.Subject == subject && f.Check == audit.CheckReplay }) {
					t.Errorf("%s: the edited row of %s is not found in %+v", what, subject, found)
				}
			}
			if len(found) != len(subjects) {
				t.Errorf("%s: %+v", what, found)
			}
		}
		python(t, b, x.signing, 1)
		if want := append([]string{engine.SubjectProject}, storage.Standings()...); !slices.Equal(bundle.Standing, want) {
			t.Errorf("a bundle says how %v stand, the database %v", bundle.Standing, want)
		}
	})
}

// eachLine maps every line.
func eachLine(b []byte, do func(string) string) []byte {
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		out.WriteString(do(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return []byte(out.String())
}
