package engine_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// needs are the acts of the tests on 诉求.
type needs struct{ lists }

func (h needs) collect(title string, d engine.NeedDraft) engine.Need {
	h.t.Helper()
	d.Title, d.Number = title, "2026-6"
	if d.Source == "" {
		d.Source = engine.FromVisit
	}
	n, err := h.e.Collect(h.t.Context(), h.people["supervisor"], h.units["z"], d)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// stored is a need as the database has it.
func (h needs) stored(id engine.NeedID) engine.Need {
	h.t.Helper()
	n, err := h.db.Need(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h needs) did(n engine.Need, err error) engine.Need {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	if stored := h.stored(n.ID); string(stored.JSON()) != string(n.JSON()) {
		h.t.Fatalf("what was answered is not what is stored:\n%s\n%s", n.JSON(), stored.JSON())
	}
	return n
}

// intact verifies the whole trail and counts its entries.
func (h needs) intact() int64 {
	h.t.Helper()
	r, err := h.db.Verify(h.t.Context(), storage.VerifyOptions{})
	if err != nil || !r.Intact() {
		h.t.Fatalf("%v %+v", err, r.Findings)
	}
	return r.Checked.Entries
}

func TestNeedIsCollectedMergedAcceptedAndTold(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := needs{lists{settle(t, db, "2026-09-01 09:00")}}
		ctx := t.Context()
		who := h.people["supervisor"]
		lamp := h.collect("自习室太暗", engine.NeedDraft{Text: "三楼自习室晚上看不清", Who: "学生", Times: 12, Contact: "张同学 13800000000"})
		dark := h.collect("三楼灯光不足", engine.NeedDraft{Source: engine.FromLetter, Times: 3, Proposer: h.people["owner"].ID})
		if lamp.Times != 12 || dark.Source != engine.FromLetter {
			t.Fatalf("collected %+v %+v", lamp, dark)
		}
		dark = h.did(h.e.MergeNeed(ctx, who, dark.ID, dark.Version, lamp.ID))
		lamp = h.stored(lamp.ID)
		if dark.State != engine.NeedMerged || dark.Into != lamp.ID || lamp.Times != 15 || lamp.Contact == "" {
			t.Fatalf("merged %+v into %+v", dark, lamp)
		}
		lamp = h.did(h.e.AcceptNeed(ctx, who, lamp.ID, lamp.Version, engine.NeedItem{Kind: "shishi", Unit: h.units["z"]}, "下一期办"))
		p, err := db.Project(ctx, lamp.ProjectID)
		if err != nil || p.Title != "自习室太暗" || p.Need != "三楼自习室晚上看不清" || p.List != "2026-6" || p.Stage != "plan" {
			t.Fatalf("the item that came of it: %+v (%v)", p, err)
		}
		if dark = h.stored(dark.ID); dark.SettledAt == nil || dark.ProjectID != p.ID || dark.State != engine.NeedMerged || dark.Answer != "下一期办" {
			t.Errorf("the merged one was not settled with it: %+v", dark)
		}
		// Whoever has an account is told by the system, the other by somebody who says how.
		_, err = h.e.TellNeed(ctx, who, dark.ID, dark.Version, "打了电话")
		h.refuses(err, engine.Blocked, "needs.told_by_system")
		if page, _ := h.e.Needs(ctx, who, engine.NeedFilter{Untold: true}); len(page.Items) != 1 || page.Items[0].ID != lamp.ID || !lamp.Untold() {
			t.Errorf("still to be told: %+v", page.Items)
		}
		lamp = h.did(h.e.TellNeed(ctx, who, lamp.ID, lamp.Version, "打了电话"))
		_, err = h.e.TellNeed(ctx, who, lamp.ID, lamp.Version, "打了电话")
		h.refuses(err, engine.Blocked, "needs.told_already")
		if lamp.Untold() {
			t.Error("told and not told")
		}

		// Another one becomes part of an item that exists, after it was declined first.
		fan := h.collect("自习室风扇坏了", engine.NeedDraft{})
		fan = h.did(h.e.DeclineNeed(ctx, who, fan.ID, fan.Version, "暑假已经报修"))
		fan = h.did(h.e.AcceptNeed(ctx, who, fan.ID, fan.Version, engine.NeedItem{Project: p.ID}, ""))
		if page, _ := h.e.Needs(ctx, who, engine.NeedFilter{Project: p.ID}); len(page.Items) != 3 || fan.Answer != "" {
			t.Errorf("needs of the item: %d", len(page.Items))
		}
		_, err = h.e.DeclineNeed(ctx, who, fan.ID, fan.Version, "还是不办了")
		h.refuses(err, engine.Blocked, "needs.not_now")

		h.intact()
		entries, err := db.Entries(ctx, engine.EntryFilter{Limit: engine.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries.Items {
			if strings.Contains(string(e.Bytes), "13800000000") || strings.Contains(string(e.Bytes), "张同学") {
				t.Errorf("a contact stands in the trail: %s", e.Bytes)
			}
		}
	})
}

// Nothing about a need can be read by those whom it does not concern, and the contact by fewer.
func TestWhoReadsNeeds(t *testing.T) {
	h := needs{lists{settle(t, storagetest.Open(t, storage.SQLite), "2026-09-01 09:00")}}
	ctx := t.Context()
	n := h.collect("食堂太挤", engine.NeedDraft{Contact: "李老师 027-1234"})
	theirs := h.collect("班车太少", engine.NeedDraft{Proposer: h.people["owner"].ID})
	for login, want := range map[string]struct{ reads, contact bool }{
		"supervisor": {true, true}, "leader": {true, true}, "inspector": {true, false}, "elsewhere": {}, "secretary": {}, "nobody": {}, "owner": {}, "admin": {true, false},
	} {
		got, err := h.e.TheNeed(ctx, h.people[login], n.ID)
		page, listErr := h.e.Needs(ctx, h.people[login], engine.NeedFilter{})
		if listErr != nil {
			t.Fatal(listErr)
		}
		listed := slices.IndexFunc(page.Items, func(x engine.Need) bool { return x.ID == n.ID })
		if (err == nil) != want.reads || (listed >= 0) != want.reads {
			t.Errorf("%s: reads %v, listed %d, want %v", login, err, listed, want.reads)
		}
		if want.reads && (got.Contact != "") != want.contact || listed >= 0 && (page.Items[listed].Contact != "") != want.contact {
			t.Errorf("%s sees the contact %q, want %v", login, got.Contact, want.contact)
		}
	}
	if got, err := h.e.TheNeed(ctx, h.people["owner"], theirs.ID); err != nil || got.ID != theirs.ID {
		t.Errorf("the proposer does not see their own need: %v", err)
	}
	if b, err := json.Marshal(n); err != nil || strings.Contains(string(b), "027") {
		t.Errorf("the state has the contact in it: %s (%v)", b, err)
	}
}

func TestBadInputAboutNeeds(t *testing.T) {
	h := needs{lists{settle(t, storagetest.Open(t, storage.SQLite), "2026-09-01 09:00")}}
	ctx := t.Context()
	who := h.people["supervisor"]
	n, other, done := h.collect("食堂太挤", engine.NeedDraft{}), h.collect("食堂人多", engine.NeedDraft{}), h.collect("修路", engine.NeedDraft{})
	done = h.did(h.e.DeclineNeed(ctx, who, done.ID, done.Version, "市政道路，已经转交"))
	elsewhere, err := h.e.Collect(ctx, h.people["elsewhere"], h.units["zz"], engine.NeedDraft{Number: "2026-6", Title: "食堂", Source: engine.FromOther})
	if err != nil {
		t.Fatal(err)
	}
	collect := func(by, unit string, d engine.NeedDraft) func() error {
		return func() error { _, err := h.e.Collect(ctx, h.people[by], h.units[unit], d); return err }
	}
	good := engine.NeedDraft{Number: "2026-6", Title: "食堂太挤", Source: engine.FromVisit}
	with := func(change func(*engine.NeedDraft)) engine.NeedDraft { d := good; change(&d); return d }
	before := h.intact()
	for _, c := range []struct {
		name string
		do   func() error
		kind engine.Kind
		key  string
	}{
		{"no title", collect("supervisor", "z", with(func(d *engine.NeedDraft) { d.Title = " " })), engine.Invalid, "field.empty"},
		{"no list", collect("supervisor", "z", with(func(d *engine.NeedDraft) { d.Number = "" })), engine.Invalid, "field.empty"},
		{"a list on two lines", collect("supervisor", "z", with(func(d *engine.NeedDraft) { d.Number = "2026\n6" })), engine.Invalid, "field.not_text"},
		{"no such source", collect("supervisor", "z", with(func(d *engine.NeedDraft) { d.Source = "rumour" })), engine.Invalid, "needs.source"},
		{"less than once", collect("supervisor", "z", with(func(d *engine.NeedDraft) { d.Times = -1 })), engine.Invalid, "needs.times"},
		{"10 MB of words", collect("supervisor", "z", with(func(d *engine.NeedDraft) { d.Text = strings.Repeat("挤", 3_500_000) })), engine.Invalid, "field.too_long"},
		{"two ways to be told", collect("supervisor", "z", with(func(d *engine.NeedDraft) { d.Contact, d.Proposer = "电话", h.people["owner"].ID })), engine.Invalid, "needs.one_way"},
		{"an account that is none", collect("supervisor", "z", with(func(d *engine.NeedDraft) { d.Proposer = "01a20acd-0000-7000-8000-000000000000" })), engine.Invalid, "user.unknown"},
		{"an older version", func() error { _, err := h.e.DeclineNeed(ctx, who, n.ID, 7, "已经扩建食堂"); return err }, engine.Stale, "needs.stale"},
		{"an answer without a reason", func() error { _, err := h.e.DeclineNeed(ctx, who, n.ID, n.Version, "不"); return err }, engine.Invalid, "note.too_short"},
		{"merging into itself", func() error { _, err := h.e.MergeNeed(ctx, who, n.ID, n.Version, n.ID); return err }, engine.Invalid, "needs.into_itself"},
		{"merging into what is settled", func() error { _, err := h.e.MergeNeed(ctx, who, n.ID, n.Version, done.ID); return err }, engine.Blocked, "needs.not_now"},
		{"merging what is settled", func() error { _, err := h.e.MergeNeed(ctx, who, done.ID, done.Version, other.ID); return err }, engine.Blocked, "needs.not_now"},
		{"merging into another unit's", func() error {
			_, err := h.e.MergeNeed(ctx, h.people["leader"], n.ID, n.Version, elsewhere.ID)
			return err
		}, engine.Invalid, "needs.elsewhere"},
		{"merging into what is not seen", func() error { _, err := h.e.MergeNeed(ctx, who, n.ID, n.Version, elsewhere.ID); return err }, engine.Invalid, "needs.unknown"},
		{"an item that is none", func() error {
			_, err := h.e.AcceptNeed(ctx, who, n.ID, n.Version, engine.NeedItem{Project: "01a20acd-0000-7000-8000-000000000000"}, "")
			return err
		}, engine.Invalid, "project.unknown"},
		{"an item of another unit", func() error {
			_, err := h.e.AcceptNeed(ctx, who, n.ID, n.Version, engine.NeedItem{Kind: "shishi", Unit: h.units["zz"]}, "")
			return err
		}, engine.Invalid, "needs.item_elsewhere"},
		{"a kind that is none", func() error {
			_, err := h.e.AcceptNeed(ctx, who, n.ID, n.Version, engine.NeedItem{Kind: "x", Unit: h.units["z"]}, "")
			return err
		}, engine.NotFound, "workflow.unknown"},
		{"telling before there is an answer", func() error { _, err := h.e.TellNeed(ctx, who, n.ID, n.Version, "打了电话"); return err }, engine.Blocked, "needs.not_now"},
		{"editing what is settled", func() error { _, err := h.e.EditNeed(ctx, who, done.ID, done.Version, good); return err }, engine.Blocked, "needs.not_now"},
		{"somebody else's need", func() error {
			_, err := h.e.DeclineNeed(ctx, h.people["elsewhere"], n.ID, n.Version, "不归我们管")
			return err
		}, engine.NotFound, "needs.unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := needs{lists{&house{t: t}}}
			x.refuses(c.do(), c.kind, c.key)
		})
	}
	if after := h.intact(); after != before {
		t.Errorf("%d entries were written by what was refused", after-before)
	}
	// A refusal for lack of a role is itself an entry, and nothing else.
	h.refuses(collect("inspector", "z", good)(), engine.Denied, "act.role")
	if after := h.intact(); after != before+1 {
		t.Errorf("%d entries, want the refusal alone", after-before)
	}
	if got := h.stored(n.ID); got.Version != n.Version {
		t.Errorf("the need was changed: %+v", got)
	}
}
