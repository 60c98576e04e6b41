package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/notify"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

func kinds(list []engine.Notice) []string {
	var out []string
	for i := len(list) - 1; i >= 0; i-- { // the inbox shows the newest first
		out = append(out, list[i].Kind)
	}
	return out
}

// Roles resolve to those who hold them at the unit or above, once each, however many replicas plan.
func TestPlan(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		h.person("sibling", "p", engine.Inspector)
		h.person("stand-in")
		if _, err := h.e.Delegate(t.Context(), h.people["second"], engine.NewDelegation{To: "stand-in", Unit: "p", Role: engine.Supervisor,
			StartsAt: h.now(), EndsAt: h.now().AddDate(0, 0, 7)}); err != nil {
			t.Fatal(err)
		}
		p := h.project("改造照明", "2026-11-30")
		h.do("supervisor", p, engine.Urge{Note: "请抓紧办理"})
		replicas := []*notify.Notifier{h.n, h.notifier(), h.notifier()}
		var wg sync.WaitGroup
		for _, n := range replicas {
			wg.Go(func() {
				if _, err := n.Plan(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := h.plan(); n != 0 {
			t.Errorf("%d things planned again", n)
		}
		for login, want := range map[string][]string{
			"owner": {"approve", "urge"}, "supervisor": {"submit"}, "second": {"submit"}, "stand-in": {"submit"}, "leader": nil, "sibling": nil, "admin": nil,
		} {
			if got := kinds(h.inbox(login)); !slices.Equal(got, want) {
				t.Errorf("%s was told %v, want %v", login, got, want)
			}
		}
		if got := h.inbox("owner")[0]; got.Text != "请抓紧办理" || got.Role != engine.Owner || got.ProjectID != p.ID {
			t.Errorf("the notice of the urging: %+v", got)
		}
		if n := len(h.deliveries()); n != 0 {
			t.Errorf("%d messages went out without a channel", n)
		}
		unread := func() int {
			n, err := h.e.Unread(t.Context(), h.people["owner"])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if unread() != 2 {
			t.Errorf("%d unread, want 2", unread())
		}
		looking := h.people["owner"]
		looking.Limit = engine.TokenRead
		if err := h.e.MarkRead(t.Context(), looking, nil); engine.KindOf(err) != engine.Denied || unread() != 2 {
			t.Errorf("read by a token that only looks: %v, %d unread", err, unread())
		}
		if err := h.e.MarkRead(t.Context(), h.people["second"], []string{h.inbox("owner")[0].ID}); err != nil || unread() != 2 {
			t.Errorf("somebody else read the owner's notice: %v, %d unread", err, unread())
		}
		if err := h.e.MarkRead(t.Context(), h.people["owner"], []string{h.inbox("owner")[0].ID}); err != nil || unread() != 1 {
			t.Errorf("%d unread after reading one (%v)", unread(), err)
		}
		first := h.inbox("owner")[0].ReadAt
		h.at("2026-09-24 11:00")
		if err := h.e.MarkRead(t.Context(), h.people["owner"], nil); err != nil || unread() != 0 || first == nil || !h.inbox("owner")[0].ReadAt.Equal(*first) {
			t.Errorf("%d unread after reading all (%v); the first receipt went from %v to %v", unread(), err, first, h.inbox("owner")[0].ReadAt)
		}
		report, err := db.Verify(t.Context(), storage.VerifyOptions{})
		if err != nil || !report.Intact() {
			t.Errorf("%v %+v", err, report.Findings)
		}
	})
}

// After three days without the system every rung is recorded once, in order, and each person gets one message.
func TestDowntime(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		server, addr := serveMail(t, h, false)
		h.channel(engine.Mail, "p", engine.ChannelSecret{Addr: addr, User: "loop", Password: "hunter2"})
		for _, login := range []string{"owner", "supervisor", "second", "leader"} {
			h.choose(login, engine.NotifySettings{Mail: login + "@example.edu.cn"})
		}
		const projects = 6
		var ids []engine.ProjectID
		for i := range projects {
			p := h.project(fmt.Sprintf("第%d项", i), "2026-10-19") // a Monday
			ids = append(ids, h.do("owner", p, engine.Acknowledge{}).ID)
		}
		h.at("2026-10-18 12:00")
		if _, err := h.e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.plan()
		h.at("2026-10-19 09:30").deliver()
		server.mu.Lock()
		server.mails, server.to = nil, nil
		server.mu.Unlock()
		h.at("2026-10-23 14:00") // from Monday evening to Friday afternoon nothing ran
		for range 2 {
			if _, err := h.e.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.plan()
			h.deliver()
		}
		h.at("2026-10-23 14:02").deliver()
		h.at("2026-10-26 09:10").deliver() // those for whom nothing was urgent, on the next working day
		for _, id := range ids {
			page, err := db.Entries(t.Context(), engine.EntryFilter{Subject: "project/" + string(id), OldestFirst: true, Limit: engine.MaxPage})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range page.Items {
				if row.Actor.Via == engine.ViaClock {
					got = append(got, row.Action+" "+timerOf(row.Entry))
				}
			}
			if want := []string{"rung deploy_late", "rung before3", "rung before1", "overdue ", "rung after1", "rung after3"}; !slices.Equal(got, want) {
				t.Errorf("rungs %q, want %q", got, want)
			}
		}
		count := map[string]int{}
		for _, to := range server.to {
			count[to]++
		}
		for _, login := range []string{"owner", "supervisor", "second", "leader"} {
			if n := count[login+"@example.edu.cn"]; n != 1 {
				t.Errorf("%s got %d mails, want 1", login, n)
			}
		}
		for _, d := range h.deliveries() {
			if d.State != engine.DeliverySent {
				t.Errorf("%+v", d)
			}
		}
	})
}

func timerOf(e audit.Entry) string {
	if i := strings.Index(string(e.Data), `"timer":"`); i >= 0 {
		rest := string(e.Data)[i+len(`"timer":"`):]
		return rest[:strings.IndexByte(rest, '"')]
	}
	return ""
}

// What is not urgent waits for the morning of a working day, or for the end of quiet hours; what is urgent does not.
func TestWhen(t *testing.T) {
	const quietFrom, quietTo = "22:00", "07:30"
	for _, tt := range []struct {
		name, now string
		settings  engine.NotifySettings
		urgent    bool
		want      string
	}{
		{"before the morning's moment", "2026-09-24 08:00", engine.NotifySettings{}, false, "2026-09-24 09:10"},
		{"after it", "2026-09-24 10:00", engine.NotifySettings{}, false, "2026-09-28 09:10"}, // 25–27 September are the Mid-Autumn holiday
		{"before the National Day holiday", "2026-09-30 10:00", engine.NotifySettings{}, false, "2026-10-08 09:10"},
		{"urgent", "2026-09-24 10:00", engine.NotifySettings{}, true, "2026-09-24 10:00"},
		{"urgent in quiet hours", "2026-09-24 23:00", engine.NotifySettings{QuietFrom: quietFrom, QuietTo: quietTo}, true, "2026-09-24 23:00"},
		{"at once", "2026-09-24 10:00", engine.NotifySettings{AtOnce: true}, false, "2026-09-24 10:00"},
		{"at once in quiet hours before midnight", "2026-09-24 22:00", engine.NotifySettings{AtOnce: true, QuietFrom: quietFrom, QuietTo: quietTo}, false, "2026-09-25 07:30"},
		{"and after", "2026-09-25 07:29", engine.NotifySettings{AtOnce: true, QuietFrom: quietFrom, QuietTo: quietTo}, false, "2026-09-25 07:30"},
		{"when they are over", "2026-09-25 07:30", engine.NotifySettings{AtOnce: true, QuietFrom: quietFrom, QuietTo: quietTo}, false, "2026-09-25 07:30"},
		{"quiet at noon", "2026-09-24 13:00", engine.NotifySettings{AtOnce: true, QuietFrom: "12:00", QuietTo: "14:00"}, false, "2026-09-24 14:00"},
		{"quiet over the morning's moment", "2026-09-24 08:00", engine.NotifySettings{QuietFrom: "20:00", QuietTo: "10:00"}, false, "2026-09-24 10:00"},
	} {
		got := notify.When(civil(tt.now), calendar.Embedded(), engine.Site{Location: shanghai, RemindHour: 9}, tt.settings, tt.urgent)
		if !got.Equal(civil(tt.want)) {
			t.Errorf("%s: %s, want %s", tt.name, got.In(shanghai).Format("2006-01-02 15:04"), tt.want)
		}
	}
}

// Leaders get one bulletin a week, on its first working day; whoever does not want it does not.
func TestBulletin(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-22 10:00")
		h.person("other", "p", engine.Leader)
		h.choose("other", engine.NotifySettings{NoBulletin: true})
		h.project("改造照明", "2026-09-25")
		h.at("2026-09-26 10:00")
		if _, err := h.e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		run := func(when string, want int) {
			t.Helper()
			if n, err := h.at(when).n.Bulletins(t.Context()); err != nil || n != want {
				t.Errorf("%s: %d bulletins (%v), want %d", when, n, err, want)
			}
		}
		run("2026-09-28 09:09", 0)
		run("2026-09-28 09:10", 1)
		run("2026-09-28 09:20", 0)
		run("2026-10-05 09:20", 0) // the holiday's Monday
		run("2026-10-08 09:20", 1) // its first working day
		run("2026-10-16 09:20", 0) // Friday, too late for Monday's
		list := h.inbox("leader")
		list = slices.DeleteFunc(list, func(n engine.Notice) bool { return n.Kind != "week" })
		if len(list) != 2 || !strings.Contains(list[0].Text, "逾期 1 件") || !strings.Contains(list[0].Text, "单位b") {
			t.Errorf("%+v", list)
		}
		if n := len(slices.DeleteFunc(h.inbox("other"), func(n engine.Notice) bool { return n.Kind != "week" })); n != 0 {
			t.Errorf("%d bulletins to somebody who wants none", n)
		}
	})
}
