package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// halfYear is half a year of one university: 20 units, 60 branches with their 书记项目, three lists and 200 items, of
// which each has a fate. People act on days of the calendar and the clock is swept every day.
type halfYear struct {
	lists
	t     *testing.T
	items []*item
	list  [3]engine.List

	ofYear  []*branchYear
	planned map[calendar.Date]func() // what people do on a day, whatever else is going on

	earlier map[string]*score.Table // by the moment at which it was computed
	entries map[string]audit.Entry  // of the projects in the period, by id
}

// shown is something that the half year was to show.
type shown struct {
	name string
	ok   bool
}

type item struct {
	engine.Project
	fate string
	of   int // the list that it began on

	counts counts
}

// fates are what becomes of items; most are done on time.
var fates = []string{"extended", "extended twice", "shelved", "rated badly", "late", "cancelled", "resumed", "by link", "by rule", "looked back on"}

func TestHalfYear(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := &halfYear{lists: lists{settle(t, db, "2026-01-04 12:00")}, t: t, planned: map[calendar.Date]func(){}}
		h.organise()
		h.branches()
		for n, period := range [][2]string{{"2026-01-05", "2026-02-28"}, {"2026-03-01", "2026-04-30"}, {"2026-05-01", "2026-06-30"}} {
			h.period(n, period[0], period[1])
		}
		h.lookBack()
		h.rules()
		h.scores()
		h.intact()
	})
}

func (h *halfYear) organise() {
	h.t.Helper()
	ctx := h.t.Context()
	for i := range 20 {
		unit := fmt.Sprintf("u%02d", i)
		if _, err := h.e.AddUnit(ctx, engine.Operator(), "p", unit, "二级单位"+unit); err != nil {
			h.t.Fatal(err)
		}
		for j := range 3 {
			code := fmt.Sprintf("%s-%d", unit, j)
			u, err := h.e.AddUnit(ctx, engine.Operator(), unit, code, "支部"+code)
			if err != nil {
				h.t.Fatal(err)
			}
			h.units[code] = u
		}
	}
	source, _ := workflows.Source("shishi")
	text := strings.NewReplacer("id: shishi\n", "id: auto\n", "number: SS\n", "number: ZD\n").Replace(string(source))
	head, rest, ok := strings.Cut(text, "    to: closed\n")
	_, rest, found := strings.Cut(rest, "    require:\n")
	if !ok || !found {
		h.t.Fatal("the definition has no transition to 已销号 as this test knows it")
	}
	if _, err := h.e.Publish(ctx, engine.Operator(), []byte(head+"    to: closed\n    trigger: auto\n    require:\n"+rest)); err != nil {
		h.t.Fatal(err)
	}
}

// until lets the days pass, with a sweep in every morning.
func (h *halfYear) until(date string) {
	h.t.Helper()
	end := clockTime(date + " 10:00")
	for at := h.clock.now().UTC(); at.Before(end); {
		at = at.Add(24 * time.Hour)
		if at.After(end) {
			at = end
		}
		h.clock.set(at)
		h.sweep()
		today := calendar.DateOf(at, shanghai)
		if do := h.planned[today]; do != nil {
			delete(h.planned, today)
			do()
		}
	}
}

func (h *halfYear) act(x *item, who string, cmds ...engine.Command) {
	h.t.Helper()
	p, err := h.db.Project(h.t.Context(), x.ID) // the clock may have been faster
	if err != nil {
		h.t.Fatal(err)
	}
	x.Project = p
	for _, cmd := range cmds {
		h.does(who, &x.Project, cmd)
	}
}

func (h *halfYear) each(n int, do func(x *item)) {
	for _, x := range h.items {
		if x.of == n {
			do(x)
		}
	}
}

func (h *halfYear) ask(x *item, t engine.TransitionID, who ...string) {
	h.t.Helper()
	h.act(x, "owner", engine.Submit{Transition: t, Note: "请予审批办理"})
	for _, w := range who {
		h.act(x, w, engine.Approve{Note: "同意"})
	}
}

// worked takes items from 推进 into 反馈.
func (h *halfYear) worked(x *item) {
	h.t.Helper()
	if x.MilestonesDone() == 0 {
		h.act(x, "owner", engine.Tick{ID: "m1", Note: "做完了"}, evidence())
	}
	h.act(x, "owner", engine.Report{Percent: 100, Done: "全部完成"})
	h.ask(x, "track", "second")
	h.act(x, "second", engine.Verify{Passed: true, Note: "现场核查属实"})
}

func (h *halfYear) rate(x *item, bad int) {
	h.t.Helper()
	h.act(x, "second", engine.RecordSurvey{Survey: engine.Survey{Satisfied: 40 - bad, Dissatisfied: bad}, Note: "现场发放问卷四十份"})
}

// struckOff takes items from 反馈 to 已销号, by people or by the rule.
func (h *halfYear) struckOff(x *item) {
	h.t.Helper()
	h.ask(x, "effect", "second")
	h.act(x, "owner", engine.Summarize{Summary: "已经见效", Lasting: "写入制度，每学期检查"})
	if x.fate != "by rule" {
		h.ask(x, "close", "second", "leader")
	}
}

// period plays one list: drawn up and published on its first day, worked on, and closed in the month after.
func (h *halfYear) period(n int, from, to string) {
	h.t.Helper()
	ctx := h.t.Context()
	number := fmt.Sprintf("2026-%d", n+1)
	h.list[n] = h.drawUp(number, from, to)
	if n > 0 {
		h.settleList(n-1, h.list[n].ID)
	}
	h.until(from)
	size := []int{67, 67, 66}[n]
	var ids []engine.ProjectID
	start := day(from)
	for i := range size {
		d := h.draft()
		d.Title, d.List, d.Deadline = fmt.Sprintf("实事 %s-%02d", number, i+1), "", start.AddDays(45)
		kind, fate := "shishi", "done"
		if i%5 == 0 && i/5 < len(fates) {
			fate = fates[i/5]
		}
		if fate == "by rule" {
			kind = "auto"
		}
		p, err := h.e.Create(ctx, h.people["second"], kind, h.units[fmt.Sprintf("u%02d-%d", i%20, i%3)], d)
		if err != nil {
			h.t.Fatal(err)
		}
		h.items, ids = append(h.items, &item{Project: p, fate: fate, of: n}), append(ids, p.ID)
	}
	h.list[n] = h.publish(h.put(h.list[n], ids...))
	h.each(n, func(x *item) {
		h.ask(x, "deploy", "second")
		h.act(x, "owner", engine.Acknowledge{}, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "完成", Due: x.Deadline}}})
		h.ask(x, "advance", "second")
	})
	h.until(start.AddDays(10).String())
	h.each(n, func(x *item) {
		switch x.fate {
		case "extended", "extended twice":
			h.act(x, "owner", engine.Extend{Deadline: x.Deadline.AddDays(5), Note: "材料没有到货"})
			h.act(x, "second", engine.Approve{})
		case "shelved", "resumed", "cancelled":
			way := engine.TransitionID("shelve")
			if x.fate == "cancelled" {
				way = "cancel"
			}
			h.act(x, "owner", evidence())
			h.ask(x, way, "leader")
		case "late":
		default:
			h.worked(x)
		}
	})
	h.until(start.AddDays(14).String())
	h.each(n, func(x *item) {
		switch x.fate {
		case "rated badly":
			h.rate(x, 20)
			h.act(x, "second", engine.Submit{Transition: "redo", Note: "满意率只有一半，发回重办"})
			h.worked(x)
			h.rate(x, 1)
		case "extended twice":
			h.act(x, "owner", engine.Extend{Deadline: x.Deadline.AddDays(5), Note: "还要再等几天"})
			if _, err := h.e.Do(ctx, h.people["second"], x.ID, x.Version, engine.Approve{}); engine.KindOf(err) != engine.Denied {
				h.t.Errorf("§5 the second extension climbs to the leader: a supervisor was answered %v", err)
			}
			h.act(x, "leader", engine.Approve{})
			if _, err := h.e.Do(ctx, h.people["owner"], x.ID, x.Version, engine.Extend{Deadline: x.Deadline.AddDays(5), Note: "第三次延期"}); engine.KindOf(err) != engine.Blocked {
				h.t.Errorf("§5 at most two extensions: the third was answered %v", err)
			}
			h.worked(x)
			h.rate(x, 1)
		case "extended":
			h.worked(x)
			h.rate(x, 1)
		case "resumed":
			h.ask(x, "resume", "leader")
			h.worked(x)
			h.rate(x, 1)
		case "by link":
			p, token, err := h.e.OpenPoll(ctx, h.people["second"], x.ID, x.Version, start.AddDays(16))
			if err != nil {
				h.t.Fatal(err)
			}
			x.Project = p
			for i := range 30 {
				if err := h.e.Cast(ctx, token, device(i), 5-i%2, ""); err != nil {
					h.t.Fatal(err)
				}
			}
		case "late", "shelved", "cancelled":
		default:
			h.rate(x, 1)
		}
	})
	h.until(start.AddDays(40).String()) // past 春节 and 5 working days of publicity
	h.each(n, func(x *item) {
		if x.fate != "late" && x.fate != "shelved" && x.fate != "cancelled" {
			h.struckOff(x)
		}
	})
	h.remember()
}

// settleList reconciles the list of a period that is over, carries over what is not done, and closes it.
func (h *halfYear) settleList(n int, next engine.ListID) {
	h.t.Helper()
	ctx := h.t.Context()
	h.until(h.newest(h.list[n].ID).To.AddDays(1).String())
	l := h.newest(h.list[n].ID)
	r := h.reconcile(l)
	if r.Count[engine.OutShelved] == 0 || r.Count[engine.OutCancelled] == 0 || r.Count[engine.OutClosed] < 60 || r.Count[engine.OutOverdue] == 0 {
		h.t.Errorf("§6.3 list %s: %v", l.Number, r.Count)
	}
	if _, err := h.e.CloseList(ctx, h.people["leader"], l.ID, l.Version, ""); engine.KindOf(err) != engine.Blocked {
		h.t.Errorf("§6.4 a list closes only when every item is accounted for: answered %v", err)
	}
	for _, line := range r.Lines {
		if line.Outcome.Open() {
			l = h.must(h.e.CarryOver(ctx, h.people["second"], l.ID, l.Version, line.ID, next, "没有按期办结，转入下期"))
		}
	}
	h.list[n] = h.must(h.e.CloseList(ctx, h.people["leader"], l.ID, l.Version, "按期关账"))
}

// lookBack inspects two items of the first list again, of which one has lapsed.
func (h *halfYear) lookBack() {
	h.t.Helper()
	h.until("2026-06-29")
	h.each(0, func(x *item) {
		switch x.fate {
		case "looked back on":
			h.act(x, "inspector", engine.InspectAgain{Note: "三个月后又坏了", Deadline: day("2026-07-31")})
			h.act(x, "leader", engine.Approve{})
		case "extended":
			h.act(x, "inspector", engine.InspectAgain{Passed: true, Lasting: true, Note: "抽查运行正常"})
			h.act(x, "leader", engine.Approve{})
		}
	})
}

// rules asserts, by name, what the half year was to show.
func (h *halfYear) rules() {
	ctx := h.t.Context()
	byFate := func(n int, fate string) engine.Project {
		var out engine.Project
		h.each(n, func(x *item) {
			if x.fate == fate {
				p, err := h.db.Project(ctx, x.ID)
				if err != nil {
					h.t.Fatal(err)
				}
				out = p
			}
		})
		return out
	}
	has := func(p engine.Project, action string) bool {
		for _, e := range h.trail(p.Subject()) {
			if e.Action == action {
				return true
			}
		}
		return false
	}
	late := byFate(0, "late")
	_, lateErr := h.e.Do(ctx, h.people["owner"], late.ID, late.Version, engine.Extend{Deadline: day("2026-12-01"), Note: "现在才来申请"})
	asked := byFate(0, "late")
	once := byFate(0, "extended")
	twice := byFate(0, "extended twice")
	failed := byFate(0, "looked back on")
	bad := byFate(1, "rated badly")
	auto := byFate(1, "by rule")
	link := byFate(2, "by link")
	shelved := byFate(0, "shelved")
	for _, r := range append(h.yearlyRules(), []shown{
		{"there are 200 items on three lists", len(h.items) == 200},
		{"§5 the first extension is the supervisor's, and the original deadline stays", once.Extensions == 1 && once.OriginalDeadline == day("2026-02-19") && once.Deadline != once.OriginalDeadline},
		{"§5 two extensions at most", twice.Extensions == 2},
		{"§5 asking after expiry is refused and counts", engine.KindOf(lateErr) == engine.Blocked && asked.LateAsks == late.LateAsks+1 && asked.Deadline == late.Deadline},
		{"§5 a passed deadline is an event that is recorded", late.EverOverdue && has(late, "overdue")},
		{"§5 every rung of the ladder is recorded once", has(late, "rung") && late.Fired["after1"] != "" && late.Fired["after3"] != "" && late.Fired["after6"] != ""},
		{"§5 what is shelved has no light and no clock", shelved.Stage == engine.Shelved && shelved.NextAt == nil && shelved.Light(h.clock.now()) == engine.NoLight},
		{"§5 what was shelved and resumed is closed out", byFate(0, "resumed").Stage == engine.Closed},
		{"§6.1 the conditions held when it was closed out", once.Stage == engine.Closed && once.Summary != "" && once.Verification.Passed && once.Survey.Votes() >= 20},
		{"§6.2 a rule closes by itself, and its entry names rule and inputs", auto.Stage == engine.Closed && has(auto, "auto")},
		{"§6.2 acceptor and leader sign otherwise", once.ClosedAt != nil && has(once, "approve")},
		{"§6.4 carry-over keeps number, original deadline and count", late.Carried == 2 && late.ListID == h.list[2].ID && late.OriginalDeadline == day("2026-02-19") && strings.HasPrefix(late.Number, "SS2026-")},
		{"§6.4 who closed a list is recorded", h.list[0].ClosedBy == h.people["leader"].ID && h.list[1].State == engine.ListArchived},
		{"§6.5 basically done is not done: what was never finished is not closed out", late.Stage == "advance"},
		{"§7 a bad rate sends the item back, and it is rated anew", bad.Round == 1 && bad.Stage == engine.Closed && bad.Survey.Dissatisfied == 1},
		{"§7 votes by link are counted once into the item", link.Survey.Votes() == 30 && link.Stage == engine.Closed && has(link, "count_poll")},
		{"a failed look-back reopens under the same number with the mark kept", failed.Stage == "advance" && failed.LookBacksFailed == 1 && failed.ClosedAt == nil && failed.Deadline == day("2026-07-31")},
		{"a look-back that passed asks for 长效机制", once.LookBack != nil && once.LookBack.Passed && once.LookBack.Lasting},
		{"a shelved item keeps no list open", h.newest(h.list[0].ID).Items[shelved.ID].Outcome == engine.OutShelved},
	}...) {
		h.t.Run(r.name, func(t *testing.T) {
			if !r.ok {
				t.Error("does not hold")
			}
		})
	}
}
