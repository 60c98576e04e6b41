package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// tallies are the acts of the tests on yearly counts.
type tallies struct {
	lists
	rule engine.Tally
}

func counting(t *testing.T, db *storage.DB) tallies {
	h := tallies{lists{settle(t, db, "2026-09-01 09:00")}, workflows.Tallies()[0]}
	h.succeeds(h.e.EnableTally(t.Context(), h.people["admin"], h.rule))
	return h
}

func (h tallies) succeeds(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h tallies) did(y engine.TallyYear, err error) engine.TallyYear {
	h.t.Helper()
	h.succeeds(err)
	stored, err := h.db.TallyYear(h.t.Context(), y.ID)
	h.succeeds(err)
	a, err := json.Marshal(y)
	h.succeeds(err)
	if b, jsonErr := json.Marshal(stored); jsonErr != nil || string(a) != string(b) {
		h.t.Fatalf("what was answered is not what is stored:\n%s\n%s", a, b)
	}
	return y
}

func (h tallies) enrol(login string) engine.TallyYear {
	h.t.Helper()
	return h.did(h.e.EnrolMember(h.t.Context(), h.people["secretary"], h.rule.ID, h.units["b"], h.people[login].ID, 2026))
}

func drafted(category, date string, minutes int) engine.TallyDraft {
	return engine.TallyDraft{Category: category, Day: day(date), Minutes: minutes}
}

// What the embedded definition asks for is what the plan's item 12 says.
func TestEmbeddedTally(t *testing.T) {
	rule := workflows.Tallies()[0]
	if rule.ID != "sigeyi" || rule.Minutes != 20*60 || len(rule.Categories) != 4 || rule.On {
		t.Errorf("%+v", rule)
	}
	for _, c := range rule.Categories {
		if c.Min != 1 || c.Name.EN == "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestATallyIsSwitchedOnEnteredConfirmedAndTakenBack(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := counting(t, db)
		ctx, secretary, supervisor, owner := t.Context(), h.people["secretary"], h.people["supervisor"], h.people["owner"]
		h.succeeds(h.e.EnableTally(ctx, h.people["admin"], h.rule)) // stays on without an entry
		h.refuses(h.e.EnableTally(ctx, secretary, h.rule), engine.Denied, "act.role")
		y := h.enrol("owner")
		_, err := h.e.EnrolMember(ctx, supervisor, h.rule.ID, h.units["z"], owner.ID, 2026)
		h.refuses(err, engine.Conflict, "tally.enrolled")

		// What the member entered somebody else confirms, and what the secretary entered not the secretary.
		y = h.did(h.e.EnterHours(ctx, owner, y.ID, y.Version, drafted("lecture", "2026-03-05", 90), drafted("志愿服务", "2026-03-05", 45)))
		y = h.did(h.e.EnterHours(ctx, secretary, y.ID, y.Version, drafted("labour", "2026-04-01", 1065)))
		_, err = h.e.ConfirmHours(ctx, owner, y.ID, y.Version, "r1")
		h.refuses(err, engine.Denied, "act.role")
		_, err = h.e.ConfirmHours(ctx, secretary, y.ID, y.Version, "r1", "r3")
		h.refuses(err, engine.Denied, "tally.four_eyes")
		y = h.did(h.e.ConfirmHours(ctx, secretary, y.ID, y.Version, "r1", "r2"))
		y = h.did(h.e.ConfirmHours(ctx, supervisor, y.ID, y.Version, "r3"))
		if c := h.rule.Count(&y); !c.Short() || c.Minutes != 1200 || c.ShortMinutes != 0 || c.ShortTimes["dormitory"] != 1 || len(c.ShortTimes) != 1 {
			t.Errorf("counted %+v", c)
		}
		y = h.did(h.e.EnterHours(ctx, owner, y.ID, y.Version, drafted("dormitory", "2026-08-31", 0)))
		_, err = h.e.DeclineHours(ctx, supervisor, y.ID, y.Version, "r4", "")
		h.refuses(err, engine.Invalid, "note.too_short")
		y = h.did(h.e.DeclineHours(ctx, supervisor, y.ID, y.Version, "r4", "没有写宿舍号"))
		_, err = h.e.ConfirmHours(ctx, supervisor, y.ID, y.Version, "r4")
		h.refuses(err, engine.Blocked, "tally.not_now")
		d := drafted("dormitory", "2026-08-31", 0)
		d.Note = "3 栋 201"
		y = h.did(h.e.EnterHours(ctx, owner, y.ID, y.Version, d))
		y = h.did(h.e.ConfirmHours(ctx, secretary, y.ID, y.Version, "r5"))
		if c := h.rule.Count(&y); c.Short() {
			t.Errorf("still short: %+v", c)
		}
		y = h.did(h.e.WithdrawHours(ctx, secretary, y.ID, y.Version, "r2", "记到别人名下了"))
		if c := h.rule.Count(&y); c.ShortTimes["volunteering"] != 1 || c.ShortMinutes != 45 || y.Records["r2"].Reason == "" {
			t.Errorf("after one was withdrawn: %+v", c)
		}
		_, err = h.e.ConfirmHours(ctx, secretary, y.ID, y.Version-1, "r1")
		h.refuses(err, engine.Stale, "tally.stale")

		// Struck off, nothing is done about it; another branch takes the year over with what there is.
		y = h.did(h.e.StrikeMember(ctx, secretary, y.ID, y.Version, "转出组织关系"))
		_, err = h.e.EnterHours(ctx, owner, y.ID, y.Version, drafted("labour", "2026-04-02", 60))
		h.refuses(err, engine.Blocked, "tally.struck")
		moved := h.did(h.e.EnrolMember(ctx, h.people["elsewhere"], h.rule.ID, h.units["zz"], owner.ID, 2026))
		if moved.ID != y.ID || moved.UnitID != h.units["zz"].ID || len(moved.Records) != 5 {
			t.Errorf("taken over: %+v", moved)
		}

		h.succeeds(h.e.DisableTally(ctx, h.people["admin"], h.rule.ID))
		_, err = h.e.EnterHours(ctx, owner, moved.ID, moved.Version, drafted("labour", "2026-04-02", 60))
		h.refuses(err, engine.Blocked, "tally.off")
		var actions []string
		for _, e := range h.trail(h.rule.Subject()) {
			actions = append(actions, e.Action)
		}
		if want := []string{"disable_tally", "enable_tally"}; !slices.Equal(slices.Sorted(slices.Values(actions)), want) {
			t.Errorf("entries %v, want %v", actions, want)
		}
		h.intact()
		// Whoever edits a row in the database is found out.
		h.exec(`UPDATE tally_years SET records = REPLACE(records, '1065', '1066')`)
		h.finds(moved.Subject(), audit.CheckReplay)
		h.exec(`UPDATE tally_years SET records = REPLACE(records, '1066', '1065')`)
		h.intact()
		h.exec(`UPDATE tallies SET minutes = 60`)
		h.finds(h.rule.Subject(), audit.CheckReplay)
		h.exec(`UPDATE tallies SET minutes = 1200`)
		h.exec(`DELETE FROM tally_years`)
		h.finds(moved.Subject(), storage.CheckOrphan)
	})
}

// Nobody reads a member's year without a role there or above, but the member.
func TestWhoReadsTallies(t *testing.T) {
	h := counting(t, storagetest.Open(t, storage.SQLite))
	y := h.enrol("owner")
	for login, want := range map[string]bool{"owner": true, "secretary": true, "supervisor": true, "inspector": true, "leader": true, "elsewhere": false, "nobody": false, "assistant": false} {
		_, err := h.e.TheTallyYear(t.Context(), h.people[login], y.ID)
		all, listErr := h.e.AllTallyYears(t.Context(), h.people[login], engine.TallyFilter{Tally: h.rule.ID, Year: 2026})
		h.succeeds(listErr)
		if (err == nil) != want || (len(all) == 1) != want {
			t.Errorf("%s: %v, listed %d, want %v", login, err, len(all), want)
		}
	}
	for unit, want := range map[string]int{"p": 1, "z": 1, "b": 1, "zz": 0} {
		all, err := h.e.AllTallyYears(t.Context(), h.people["leader"], engine.TallyFilter{Unit: h.units[unit].ID})
		if err != nil || len(all) != want {
			t.Errorf("at %s: %d (%v), want %d", unit, len(all), err, want)
		}
	}
}

// A roll alone is taken over by whoever keeps it, even where the rule lets others enter; with hours in the table it is not.
func TestARollIsTakenOverByWhoeverKeepsIt(t *testing.T) {
	h := counting(t, storagetest.Open(t, storage.SQLite))
	ctx, supervisor := t.Context(), h.people["supervisor"]
	roll := []engine.TallyRow{{Row: 2, Member: "owner", Unit: "b", Year: 2026}, {Row: 3, Member: "assistant", Unit: "b", Year: 2026}}
	for i, want := range [][2]int{{2, 0}, {0, 2}} { // the second time both are known
		done, err := h.e.ImportHours(ctx, supervisor, h.rule.ID, roll, nil, false)
		h.succeeds(err)
		if len(done.Problems) > 0 || len(done.Grants) != want[0] || len(done.Known) != want[1] {
			t.Errorf("time %d: %+v", i+1, done)
		}
	}
	roll[1].TallyDraft = drafted("labour", "2026-04-01", 60)
	_, err := h.e.ImportHours(ctx, supervisor, h.rule.ID, roll, nil, false)
	h.refuses(err, engine.Denied, "act.role")
}

// What somebody entered for a secretary who was away that secretary does not confirm, not even when both are apart again.
func TestADeputysHoursAreNotConfirmedByWhoseDeputyItWas(t *testing.T) {
	h := counting(t, storagetest.Open(t, storage.SQLite))
	ctx := t.Context()
	y := h.enrol("owner")
	_, err := h.lend("secretary", "nobody", "b", engine.Secretary, 2)
	h.succeeds(err)
	y = h.did(h.e.EnterHours(ctx, h.acts("nobody"), y.ID, y.Version, drafted("labour", "2026-04-01", 60)))
	h.clock.set(h.clock.now().AddDate(0, 0, 5))
	_, err = h.e.ConfirmHours(ctx, h.acts("secretary"), y.ID, y.Version, "r1")
	h.refuses(err, engine.Denied, "tally.four_eyes")
	y = h.did(h.e.ConfirmHours(ctx, h.acts("supervisor"), y.ID, y.Version, "r1"))
	if y.Records["r1"].State != engine.TallyConfirmed {
		t.Errorf("%+v", y.Records)
	}
	h.intact()
}

// What was declined or withdrawn does not come back with the table that it came from; by hand it does.
func TestATableBringsNothingDeclinedBack(t *testing.T) {
	h := counting(t, storagetest.Open(t, storage.SQLite))
	ctx, secretary := t.Context(), h.people["secretary"]
	y := h.enrol("owner")
	table := []engine.TallyRow{{Row: 2, Member: "owner", TallyDraft: drafted("labour", "2026-04-01", 60)}, {Row: 3, Member: "owner", TallyDraft: drafted("lecture", "2026-04-02", 60)}}
	take := func(known int) {
		t.Helper()
		done, err := h.e.ImportHours(ctx, secretary, h.rule.ID, table, nil, false)
		h.succeeds(err)
		y, err = h.db.TallyYear(ctx, y.ID)
		h.succeeds(err)
		if len(done.Known) != known || len(done.New) != len(table)-known || len(y.Records) != len(table) {
			t.Errorf("%+v, %d records", done, len(y.Records))
		}
	}
	take(0)
	y = h.did(h.e.DeclineHours(ctx, h.people["supervisor"], y.ID, y.Version, "r1", "那天没有劳动"))
	y = h.did(h.e.WithdrawHours(ctx, secretary, y.ID, y.Version, "r2", "记错了人"))
	take(2)
	table = append(table, engine.TallyRow{Row: 4, Member: "owner", TallyDraft: drafted("labour", "2026-05-01", 60)})
	take(2)
	y = h.did(h.e.EnterHours(ctx, secretary, y.ID, y.Version, table[0].TallyDraft))
	if y.Records["r4"].State != engine.TallyEntered {
		t.Errorf("by hand: %+v", y.Records)
	}
}

// Nobody is put on the roll of a unit that was closed, whether or not they were struck off another before.
func TestNobodyIsEnrolledAtAClosedUnit(t *testing.T) {
	h := counting(t, storagetest.Open(t, storage.SQLite))
	ctx := t.Context()
	y := h.enrol("owner")
	h.did(h.e.StrikeMember(ctx, h.people["secretary"], y.ID, y.Version, "转出组织关系"))
	h.exec(`UPDATE units SET closed_at = '2026-08-01 00:00:00.000000+00:00' WHERE code = 'zz'`)
	for _, login := range []string{"owner", "nobody"} {
		if got, err := h.e.EnrolMember(ctx, h.people["elsewhere"], h.rule.ID, h.units["zz"], h.people[login].ID, 2026); err == nil {
			t.Errorf("%s was enrolled: %+v", login, got)
		}
	}
}

func TestBadInputAboutTallies(t *testing.T) {
	h := counting(t, storagetest.Open(t, storage.SQLite))
	ctx := t.Context()
	y := h.enrol("owner")
	h.did(h.e.EnterHours(ctx, h.people["owner"], y.ID, 1, drafted("labour", "2026-04-01", 1000)))
	long := drafted("labour", "2026-04-02", 60)
	long.Note = strings.Repeat("长", 1001)
	for _, c := range []struct {
		name, who string
		d         engine.TallyDraft
		kind      engine.Kind
		key       string
	}{
		{"no category", "owner", drafted("", "2026-04-01", 60), engine.Invalid, "tally.category"},
		{"no such category", "owner", drafted("party", "2026-04-01", 60), engine.Invalid, "tally.category"},
		{"no day", "owner", engine.TallyDraft{Category: "labour", Minutes: 60}, engine.Invalid, "field.empty"},
		{"another year", "owner", drafted("labour", "2025-12-31", 60), engine.Invalid, "tally.other_year"},
		{"a day ahead", "owner", drafted("labour", "2026-09-02", 60), engine.Invalid, "tally.ahead"},
		{"less than nothing", "owner", drafted("labour", "2026-04-02", -1), engine.Invalid, "tally.hours"},
		{"more than a day", "owner", drafted("labour", "2026-04-02", 1441), engine.Invalid, "tally.hours"},
		{"a day of more than a day", "owner", drafted("lecture", "2026-04-01", 441), engine.Invalid, "tally.long_day"},
		{"the same again", "owner", drafted("义务劳动", "2026-04-01", 1000), engine.Blocked, "tally.same"},
		{"a long note", "owner", long, engine.Invalid, "field.too_long"},
		{"not the member", "supervisor", drafted("labour", "2026-04-02", 60), engine.Denied, "act.role"},
		{"somebody who does not see it", "elsewhere", drafted("labour", "2026-04-02", 60), engine.NotFound, "tally.unknown_year"},
	} {
		_, err := h.e.EnterHours(ctx, h.people[c.who], y.ID, 2, c.d)
		t.Run(c.name, func(t *testing.T) { lists{&house{t: t}}.refuses(err, c.kind, c.key) })
	}
	for _, c := range []struct {
		name, unit, who string
		year            int
		kind            engine.Kind
		key             string
	}{
		{"a year long ago", "b", "secretary", 1999, engine.Invalid, "tally.year"},
		{"a unit elsewhere", "zz", "secretary", 2026, engine.Denied, "act.role"},
		{"an inspector", "b", "inspector", 2026, engine.Denied, "act.role"},
	} {
		_, err := h.e.EnrolMember(ctx, h.people[c.who], h.rule.ID, h.units[c.unit], h.people["nobody"].ID, c.year)
		t.Run(c.name, func(t *testing.T) { lists{&house{t: t}}.refuses(err, c.kind, c.key) })
	}
	if _, err := h.e.EnrolMember(ctx, h.people["secretary"], "other", h.units["b"], h.people["nobody"].ID, 2026); engine.KindOf(err) != engine.NotFound {
		t.Error(err)
	}
}

// A definition of a site's own counts without any code.
func TestATallyFromAFile(t *testing.T) {
	h := counting(t, storagetest.Open(t, storage.SQLite))
	source, err := os.ReadFile(filepath.Join("testdata", "tallies", "dushu.yaml"))
	h.succeeds(err)
	rule, err := workflows.ParseTally("dushu.yaml", source)
	h.succeeds(err)
	h.succeeds(h.e.EnableTally(t.Context(), h.people["admin"], rule))
	y, err := h.e.EnrolMember(t.Context(), h.people["supervisor"], rule.ID, h.units["b"], h.people["owner"].ID, 2026)
	h.succeeds(err)
	_, err = h.e.EnterHours(t.Context(), h.people["owner"], y.ID, y.Version, drafted("book", "2026-01-02", 60))
	h.refuses(err, engine.Denied, "act.role") // its rule lets the secretary alone enter
	y, err = h.e.EnterHours(t.Context(), h.people["secretary"], y.ID, y.Version, drafted("读书", "2026-01-02", 60), drafted("book", "2026-01-03", 30))
	h.succeeds(err)
	y, err = h.e.ConfirmHours(t.Context(), h.people["supervisor"], y.ID, y.Version, "r1", "r2")
	h.succeeds(err)
	if c := rule.Count(&y); c.ShortTimes["book"] != 1 || c.ShortMinutes != 0 {
		t.Errorf("counted %+v", c)
	}
	for text, key := range map[string]string{
		"id: X\nname: {zh: 甲}\ncategories: [{id: a, name: {zh: 一}}]\nenter: [member]":                         "workflow.bad_id",
		"id: x\nname: {zh: 甲}\ncategories: [{id: a, name: {zh: 一}}, {id: b, name: {zh: 一}}]\nenter: [member]": "tally.twice",
		"id: x\nname: {zh: 甲}\ncategories: [{id: a, name: {zh: 一}}]\nenter: [admin]":                          "tally.enter",
		"id: x\nname: {zh: 甲}\ncategories: [{id: a, name: {zh: 一}, min: 400}]\nenter: [member]":               "tally.minimum",
		"id: x\nname: {zh: 甲}\ncategories: [{id: a, name: {zh: 一}}]\nhours: 1.234\nenter: [member]":           "tally.hours",
		"id: x\nname: {zh: 甲}\ncategories: []\nenter: [member]":                                               "tally.categories",
		"id: x\nname: {zh: 甲}\ncategories: [{id: a, name: {zh: 一}}]\nenter: [member]\nsomething: else":        "workflow.unknown_key",
	} {
		_, bad := workflows.ParseTally("x.yaml", []byte(text))
		if m, ok := errors.AsType[workflows.Mistakes](bad); !ok || len(m) != 1 || m[0].Key != key {
			t.Errorf("%s: %v, want %s", text, bad, key)
		}
	}
}

func TestHours(t *testing.T) {
	for m := range 3000 {
		if got, err := engine.ParseHours(engine.Hours(m)); err != nil || got != m {
			t.Fatalf("%d minutes are %q, which is read as %d (%v)", m, engine.Hours(m), got, err)
		}
	}
	for s, want := range map[string]int{"2": 120, "2.5": 150, "0.25": 15, "2小时": 120, " 1:05 ": 65, "1：20": 80, "0": 0} {
		if got, err := engine.ParseHours(s); err != nil || got != want {
			t.Errorf("%q: %d (%v), want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-1", "1,5", "0.33", "1:60", "1.2.3", "两小时", "1e3", "99999"} {
		if got, err := engine.ParseHours(s); err == nil {
			t.Errorf("%q is read as %d", s, got)
		}
	}
}

// Whatever people do in whatever order, what is counted is what an independent recount of the acts that were carried
// out says, on both databases.
func TestTalliesEqualAnIndependentRecount(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := counting(t, db)
		ctx, rng := t.Context(), rand.New(rand.NewPCG(7, 7))
		actors := []engine.Actor{h.people["owner"], h.people["assistant"], h.people["secretary"], h.people["supervisor"], h.people["second"], h.people["inspector"], h.people["elsewhere"]}
		type record struct {
			category, state string
			minutes         int
			by, member      engine.UserID
		}
		years := []engine.TallyYear{h.enrol("owner"), h.enrol("assistant"), h.enrol("secretary")}
		book := map[string]*record{}
		done := 0
		for i := range 400 {
			n := rng.IntN(len(years))
			y, who := &years[n], actors[rng.IntN(len(actors))]
			id := fmt.Sprintf("r%d", 1+rng.IntN(max(y.Serial, 1)))
			key, r := fmt.Sprint(n, id), book[fmt.Sprint(n, id)]
			in := func(logins ...string) bool {
				return slices.ContainsFunc(logins, func(l string) bool { return h.people[l].ID == who.ID })
			}
			var next engine.TallyYear
			var err error
			var want bool
			switch rng.IntN(5) {
			case 0, 1:
				d := drafted(h.rule.Categories[rng.IntN(4)].ID, "2026-05-01", rng.IntN(300))
				d.Day, d.Note = d.Day.AddDays(i%100), fmt.Sprint(i)
				want = who.ID == y.UserID || in("secretary")
				if next, err = h.e.EnterHours(ctx, who, y.ID, y.Version, d); err == nil {
					book[fmt.Sprint(n, "r", next.Serial)] = &record{d.Category, "entered", d.Minutes, who.ID, y.UserID}
				}
			case 2, 3:
				want = r != nil && r.state == "entered" && in("secretary", "supervisor", "second") && who.ID != r.by && who.ID != r.member
				if next, err = h.e.ConfirmHours(ctx, who, y.ID, y.Version, id); err == nil {
					r.state = "confirmed"
				}
			default:
				want = r != nil && (r.state == "entered" || r.state == "confirmed") && (in("secretary", "supervisor", "second") || who.ID == r.by || who.ID == r.member)
				if next, err = h.e.WithdrawHours(ctx, who, y.ID, y.Version, id, "记错了一次"); err == nil {
					r.state = "withdrawn"
				}
			}
			if (err == nil) != want {
				t.Fatalf("step %d on %s: %v, want allowed %v", i, key, err, want)
			}
			if err == nil {
				*y = next
				done++
			}
		}
		stored, err := h.e.AllTallyYears(ctx, h.people["leader"], engine.TallyFilter{Tally: h.rule.ID, Year: 2026})
		h.succeeds(err)
		for n, y := range stored {
			times, minutes := map[string]int{}, 0
			for key, r := range book {
				if key[0] == byte('0'+n) && r.state == "confirmed" {
					times[r.category]++
					minutes += r.minutes
				}
			}
			c := h.rule.Count(&y)
			if fmt.Sprint(c.Times) != fmt.Sprint(times) || c.Minutes != minutes || c.ShortMinutes != max(1200-minutes, 0) {
				t.Errorf("member %d: counted %+v, want %v and %d", n, c, times, minutes)
			}
			for _, x := range h.rule.Categories {
				if c.ShortTimes[x.ID] != max(1-times[x.ID], 0) {
					t.Errorf("member %d: short of %v", n, c.ShortTimes)
				}
			}
		}
		if done < 40 {
			t.Errorf("only %d of the acts were carried out", done)
		}
		h.intact()
	})
}
