package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// changed is the default sheet with another version and base.
func changed(version, base int) []byte {
	source, _ := workflows.SheetSource("default")
	return []byte(strings.NewReplacer("version: 1\n", fmt.Sprintf("version: %d\n", version), "base: 100", fmt.Sprintf("base: %d", base)).Replace(string(source)))
}

// A score sheet is proposed by an administrator and adopted by a leader before the day from which it holds; scores of
// every past day follow the sheet that was in force then, whenever they are computed.
func TestSheets(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-24 09:00")}
		ctx := t.Context()
		h.person("branchleader", "z", engine.Leader)
		both := h.person("both", "p", engine.Admin, "p", engine.Leader)
		desk := score.NewDesk(h.e, db, h.clock.now, workflows.Sheets(), workflows.ParseSheet)
		propose := func(who string, source []byte, from, note string) (engine.SheetVersion, error) {
			return desk.Propose(ctx, h.people[who], source, day(from), note)
		}
		must := func(s engine.SheetVersion, err error) engine.SheetVersion {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		for _, c := range []struct {
			name, who  string
			source     []byte
			from, note string
			kind       engine.Kind
			key        string
		}{
			{"by a leader", "leader", changed(2, 90), "2026-10-01", "基础分偏高", engine.Denied, "act.role"},
			{"by an administrator below the top", "branchadmin", changed(2, 90), "2026-10-01", "基础分偏高", engine.Denied, "sheet.top"},
			{"for a day that is over", "admin", changed(2, 90), "2026-09-24", "基础分偏高", engine.Invalid, "sheet.not_ahead"},
			{"without a word", "admin", changed(2, 90), "2026-10-01", "改", engine.Invalid, "note.too_short"},
			{"with mistakes", "admin", []byte("id: default\nversion: 2\nbass: 1\n"), "2026-10-01", "基础分偏高", engine.Invalid, "sheet.wrong"},
			{"other content under a version that there is", "admin", changed(1, 90), "2026-10-01", "基础分偏高", engine.Conflict, "sheet.version_taken"},
		} {
			t.Run(c.name, func(t *testing.T) {
				_, err := propose(c.who, c.source, c.from, c.note)
				lists{&house{t: t}}.refuses(err, c.kind, c.key)
			})
		}
		if _, err := propose("admin", []byte("id: default\nversion: 2\nbass: 1\n"), "2026-10-01", "基础分偏高"); err == nil || !strings.Contains(err.Error(), "sheet:3:") {
			t.Errorf("the refusal does not say where the mistake is: %v", err)
		}

		p := must(propose("both", changed(2, 90), "2026-10-01", "基础分偏高"))
		_, err := propose("admin", changed(3, 80), "2026-10-01", "基础分偏高")
		h.refuses(err, engine.Blocked, "sheet.pending")
		decide := func(who engine.Actor, base int64, adopt bool, note string) (engine.SheetVersion, error) {
			return h.e.DecideSheet(ctx, who, p.ID, base, adopt, note)
		}
		for _, c := range []struct {
			name string
			who  engine.Actor
			base int64
			note string
			kind engine.Kind
			key  string
		}{
			{"whoever proposed it", both, 1, "同意", engine.Denied, "four_eyes.approve"},
			{"an administrator", h.people["admin"], 1, "同意", engine.Denied, "act.role"},
			{"a leader below the top", h.people["branchleader"], 1, "同意", engine.Denied, "sheet.top"},
			{"a version that is none", h.people["leader"], 2, "同意", engine.Stale, ""},
		} {
			_, err := decide(c.who, c.base, true, c.note)
			if engine.KindOf(err) != c.kind || c.key != "" && !strings.Contains(fmt.Sprintf("%+v", err.(*engine.Error).Key), c.key) {
				t.Errorf("adopted by %s: %v", c.name, err)
			}
		}
		_, err = decide(h.people["leader"], 1, false, "")
		h.refuses(err, engine.Invalid, "note.too_short")
		must(decide(h.people["leader"], 1, false, "先征求各单位意见"))
		_, err = decide(h.people["leader"], 2, true, "同意")
		h.refuses(err, engine.Blocked, "sheet.decided")

		// 90 from October, 80 from November; one that came too late, one that was withdrawn.
		p = must(propose("admin", changed(2, 90), "2026-10-01", "基础分偏高"))
		p = must(decide(h.people["leader"], 1, true, "同意"))
		p = must(propose("admin", changed(3, 80), "2026-11-01", "基础分仍偏高"))
		must(decide(h.people["leader"], 1, true, ""))
		p = must(propose("admin", changed(4, 70), "2026-09-26", "赶在月底之前"))
		h.clock.set(clockTime("2026-09-26 09:00"))
		_, err = decide(h.people["leader"], 1, true, "同意")
		h.refuses(err, engine.Blocked, "sheet.too_late")
		must(h.e.WithdrawSheet(ctx, h.people["admin"], p.ID, 1, "过期了"))

		totals := func() map[string]string {
			out := map[string]string{}
			for _, d := range []string{"2026-09-30", "2026-10-01", "2026-10-31", "2026-11-01", "2026-12-31"} {
				if day(d).After(calendar.DateOf(h.clock.now(), shanghai)) {
					continue
				}
				table, err := desk.Table(ctx, h.people["leader"], score.Question{From: day("2026-07-01"), To: day("2026-12-31"), On: day(d)})
				if err != nil {
					t.Fatal(err)
				}
				u, _ := table.Unit(h.units["p"].ID)
				out[d] = fmt.Sprintf("%s by %d", u.Total, table.Sheet.Version)
			}
			return out
		}
		h.clock.set(clockTime("2026-10-15 09:00"))
		before := totals()
		h.clock.set(clockTime("2027-02-01 09:00"))
		after := totals()
		want := map[string]string{"2026-09-30": "100 by 1", "2026-10-01": "90 by 2", "2026-10-31": "90 by 2", "2026-11-01": "80 by 3", "2026-12-31": "80 by 3"}
		if fmt.Sprint(after) != fmt.Sprint(want) {
			t.Errorf("scores of past days: %v, want %v", after, want)
		}
		for d, x := range before {
			if after[d] != x {
				t.Errorf("the score of %s was %s and is now %s", d, x, after[d])
			}
		}

		// What held before may hold again, and every version can be asked for by name.
		first, _ := workflows.SheetSource("default")
		p = must(propose("admin", first, "2027-03-01", "恢复原来的口径"))
		must(decide(h.people["leader"], 1, true, ""))
		for key, number := range map[string]int{"default@1": 1, "default@2": 2, "default": 3, "": 3, string(p.ID): 1} {
			if s, err := desk.Sheet(ctx, key); err != nil || s.ID != "default" || s.Version != number {
				t.Errorf("%q is %+v (%v)", key, s, err)
			}
		}
		if list, err := desk.Sheets(ctx); err != nil || len(list) != 3 || list[0].Version != 3 {
			t.Errorf("to choose from: %v (%v)", list, err)
		}
		h.intact()
		r, err := db.Verify(ctx, storage.VerifyOptions{})
		if err != nil || r.Checked.Sheets != 5 {
			t.Errorf("%d sheets were verified (%v)", r.Checked.Sheets, err)
		}

		for _, c := range []struct{ name, text, check string }{
			{"another source", "UPDATE sheet_versions SET source = note WHERE id = '" + string(p.ID) + "'", storage.CheckDefinition},
			{"another day", "UPDATE sheet_versions SET in_force = '2026-01-01' WHERE id = '" + string(p.ID) + "'", audit.CheckReplay},
			{"gone", "DELETE FROM sheet_versions WHERE id = '" + string(p.ID) + "'", storage.CheckOrphan},
		} {
			if db.Backend() == storage.Postgres {
				c.text = strings.Replace(c.text, "source = note", "source = convert_to(note, 'UTF8')", 1)
			}
			h.exec(c.text)
			r, err := db.Verify(ctx, storage.VerifyOptions{})
			if err != nil || !slices.ContainsFunc(r.Findings, func(f audit.Finding) bool { return f.Subject == p.Subject() && f.Check == c.check }) {
				t.Errorf("%s: found %+v (%v)", c.name, r.Findings, err)
			}
		}
	})
}
