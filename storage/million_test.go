//go:build bench

package storage_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// A ledger of a million projects in two thousand units under three, eight of ten closed out in former years.
const (
	million    = 1_000_000
	branches   = 2000
	people     = 20_000
	pageRounds = 3
	pageBound  = 100 * time.Millisecond // of the median
)

// millionDSN names a database that is filled once and kept, for whoever works on the queries.
const (
	millionDSN  = "BIHUAN_BENCH_MILLION"
	millionOnly = "BIHUAN_BENCH_MILLION_ONLY" // measures only filters whose name contains this
)

type ledger struct {
	*world
	now    time.Time
	leaves []engine.Unit
	people []engine.User
}

var (
	surnames = strings.Fields("赵 钱 孙 李 周 吴 郑 王 冯 陈 褚 卫 蒋 沈 韩 杨 朱 秦 尤 许")
	places   = strings.Fields("食堂 学生宿舍 图书馆 体育馆 教学楼 实验楼 校医院 停车场 幼儿园 浴室 快递站 自习室 操场 活动中心 教师公寓 档案馆 校门 林荫道 配电房 机房")
	things   = strings.Fields("热水 空调 照明 座椅 网络 门禁 饮水机 充电桩 无障碍坡道 监控 消防 屋面 电梯 管网 绿化 标识 宣传栏 储物柜 自助打印 医保结算")
	works    = strings.Fields("改造 更新 扩容 维修 新建 升级 整治 优化 开放 延时服务")
)

// openLedger opens the ledger of a million projects, and fills it where it is empty.
func openLedger(t *testing.T, db *storage.DB) *ledger {
	t.Helper()
	ctx := t.Context()
	l := &ledger{world: &world{t: t, db: db, now: start, units: map[string]engine.Unit{}}, now: start}
	have, err := db.Projects(ctx, engine.Filter{Limit: 1})
	l.must(err)
	if len(have.Items) == 0 {
		l.world = newWorld(t, db)
		l.fill()
	}
	us, err := db.Units(ctx)
	l.must(err)
	for _, u := range us {
		l.units[u.Code] = u
		if strings.HasPrefix(u.Code, "u") {
			l.leaves = append(l.leaves, u)
		}
	}
	l.people, err = db.Users(ctx)
	l.must(err)
	return l
}

func (l *ledger) fill() {
	l.t.Helper()
	begin := time.Now()
	ctx := l.t.Context()
	for i := range 3 {
		l.unit(fmt.Sprint("f", i), "root")
	}
	for i := range branches { // six, three and one of ten
		l.leaves = append(l.leaves, l.unit(fmt.Sprint("u", i), []string{"f0", "f1", "f2"}[max(0, i%10-5+2)/3]))
	}
	for i := range people {
		l.people = append(l.people, engine.User{ID: engine.UserID(newID()), Login: fmt.Sprint("p", i), CreatedAt: start, Version: 1,
			Name: surnames[i%len(surnames)] + things[i/20%len(things)][:3] + fmt.Sprint(i/400)})
	}
	l.must(l.db.FillUsers(ctx, func(yield func(*engine.User) bool) {
		for i := range l.people {
			if !yield(&l.people[i]) {
				return
			}
		}
	}))
	l.must(l.db.FillProjects(ctx, l.projects()))
	l.t.Logf("filled in %.0f s", time.Since(begin).Seconds())
}

// projects makes the same million projects each time: six years of them, two of ten still open, one of ten of those
// overdue.
func (l *ledger) projects() iter.Seq[*engine.Project] {
	return func(yield func(*engine.Project) bool) {
		dice := rand.New(rand.NewPCG(2, 2))
		pick := func(from []string) string { return from[dice.IntN(len(from))] }
		first := start.AddDate(-6, 0, 0)
		gap := start.Sub(first) / million
		stages := []engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect"}
		for i := range million {
			at := first.Add(time.Duration(i) * gap).Truncate(time.Microsecond)
			id := idAt(at, dice)
			u := l.leaves[dice.IntN(len(l.leaves))]
			p := &engine.Project{ID: id, Number: fmt.Sprintf("SS%d-%06d", at.Year(), i), Kind: "shishi",
				Definition: "d1", UnitID: u.ID, Title: pick(places) + pick(things) + pick(works) + fmt.Sprintf("（第%d批）", dice.IntN(30)),
				Need: strings.Repeat("师生反映较多，", 5), Target: strings.Repeat("年内完成，", 5), Measures: strings.Repeat("逐项梳理。", 10),
				Owner: l.people[dice.IntN(len(l.people))].ID, Sponsor: l.people[dice.IntN(50)].ID, StageSince: at, CreatedBy: "operator", CreatedAt: at,
				Version: 5, Head: audit.HashEntry([]byte(id))}
			if i%5000 == 17 {
				p.Title += "，增设母婴室"
			}
			if i%10 == 0 {
				p.Kind, p.Number = "shuji", "SJ"+p.Number[2:]
			}
			p.List = fmt.Sprintf("%d-%d", at.Year(), (int(at.Month())+1)/2)
			p.Deadline = calendar.DateOf(at, time.UTC).AddDays(20 + dice.IntN(300))
			p.UpdatedAt = at.Add(time.Duration(dice.IntN(200*24)) * time.Hour)
			switch n := dice.IntN(100); {
			case i > million*9/10 || n >= 90: // open: everything young, and one of ten of what is older has got a new deadline
				p.Stage = stages[dice.IntN(len(stages))]
				p.Deadline = calendar.DateOf(start, time.UTC).AddDays(dice.IntN(330) - 30)
				p.UpdatedAt = start.Add(-time.Duration(dice.IntN(60*24*60)) * time.Minute)
				end := p.Deadline.Start(time.UTC)
				yellow, red := end.AddDate(0, 0, -dice.IntN(60)), end.AddDate(0, 0, 1)
				p.YellowAt, p.RedAt = &yellow, &red
				if !start.Before(red) {
					p.OverdueAt, p.EverOverdue = &red, true
				}
				if dice.IntN(20) == 0 {
					p.Waiting, p.Request = ",supervisor,", &engine.Request{Kind: engine.RequestTransition, Transition: "deploy", By: p.Owner, At: p.UpdatedAt}
				}
				if dice.IntN(5) == 0 && p.Stage == "plan" {
					p.Deadline, p.YellowAt, p.RedAt = calendar.Date{}, nil, nil
				}
			case n < 2:
				p.Stage = engine.Cancelled
			case n < 3:
				p.Stage = engine.Shelved
			default:
				p.Stage, p.EverOverdue = engine.Closed, n < 13
				closed := at.Add(time.Duration(20+dice.IntN(250)) * 24 * time.Hour)
				p.ClosedAt = &closed
			}
			if !yield(p) {
				return
			}
		}
	}
}

// TestBenchMillion measures pages of the ledger, first, next, far down and backwards, in every order through what
// people filter by. Absolute times, because that is what is promised: no page of the ledger over 100 ms at a million.
func TestBenchMillion(t *testing.T) {
	for _, backend := range []string{storage.SQLite, storage.Postgres} {
		t.Run(backend, func(t *testing.T) {
			var db *storage.DB
			if dsn := os.Getenv(millionDSN); dsn == "" {
				db = storagetest.Open(t, backend)
			} else if strings.HasPrefix(dsn, backend) {
				db = storagetest.At(t, dsn)
				if err := db.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				t.Skipf("%s names another database", millionDSN)
			}
			measureLedger(t, openLedger(t, db))
		})
	}
}

func measureLedger(t *testing.T, l *ledger) {
	root, large, middle, small, leaf := l.units["root"], l.units["f0"], l.units["f1"], l.units["f2"], l.leaves[77]
	owner := l.people[1234].ID
	open := func(f engine.Filter) engine.Filter { f.Open = true; return f }
	scope := func(u engine.Unit) *engine.Scope { return &engine.Scope{Paths: []string{u.Path}, User: owner} }
	filters := []struct {
		name string
		f    engine.Filter
	}{
		{"everything", engine.Filter{}},
		{"open", open(engine.Filter{})},
		{"overdue", open(engine.Filter{Overdue: ptr(true)})},
		{"red and yellow", open(engine.Filter{Light: []engine.Light{engine.Red, engine.Yellow}})},
		{"green", open(engine.Filter{Light: []engine.Light{engine.Green}})},
		{"a stage", open(engine.Filter{Stage: []engine.StageID{"track"}})},
		{"closed", engine.Filter{Stage: []engine.StageID{engine.Closed}}},
		{"cancelled", engine.Filter{Stage: []engine.StageID{engine.Cancelled}}},
		{"a kind", engine.Filter{Kind: "shuji"}},
		{"a list", engine.Filter{List: "2025-6", Kept: true}},
		{"an owner", engine.Filter{Owner: owner}},
		{"waiting", engine.Filter{Waiting: []engine.Role{engine.Supervisor}}},
		{"unit all", engine.Filter{Unit: root.ID}},
		{"unit large", engine.Filter{Unit: large.ID}},
		{"unit middle", engine.Filter{Unit: middle.ID}},
		{"unit small", engine.Filter{Unit: small.ID}},
		{"unit leaf", engine.Filter{Unit: leaf.ID}},
		{"unit middle, open", open(engine.Filter{Unit: middle.ID})},
		{"unit leaf, open", open(engine.Filter{Unit: leaf.ID})},
		{"scope all, open", open(engine.Filter{Scope: scope(root)})},
		{"scope large, open", open(engine.Filter{Scope: scope(large)})},
		{"scope small", engine.Filter{Scope: scope(small)}},
		{"scope small, open", open(engine.Filter{Scope: scope(small)})},
		{"scope leaf", engine.Filter{Scope: scope(leaf)}},
		{"scope middle, red", open(engine.Filter{Scope: scope(middle), Light: []engine.Light{engine.Red}})},
		{"scope none, mine", engine.Filter{Scope: &engine.Scope{User: owner}}},
		{"text usual", engine.Filter{Text: "食堂"}},
		{"text usual, open", open(engine.Filter{Text: "食堂"})},
		{"text one character", engine.Filter{Text: "热"}},
		{"text rare", engine.Filter{Text: "母婴室"}},
		{"text rare, open", open(engine.Filter{Text: "母婴室"})},
		{"text long", engine.Filter{Text: "图书馆座椅更新（第7批"}},
		{"text number", engine.Filter{Text: "SS2024-7"}},
		{"text nothing", engine.Filter{Text: "游泳池"}},
		{"text unit", engine.Filter{Text: "单位 u77"}},
		{"text person", engine.Filter{Text: "钱空1"}},
		{"text usual, leaf", engine.Filter{Text: "食堂", Unit: leaf.ID}},
		{"text usual, scope small, open", open(engine.Filter{Text: "食堂", Scope: scope(small)})},
	}
	sorts := []engine.Sort{engine.ByNewest, engine.ByDeadline, engine.ByLatest, engine.ByUpdated, engine.ByStale, engine.ByLight}
	var over []string
	worst := time.Duration(0)
	for _, x := range filters {
		if only := os.Getenv(millionOnly); only != "" && !strings.Contains(x.name, only) {
			continue
		}
		for _, sort := range sorts {
			f := x.f
			f.Sort, f.Now, f.Limit = sort, l.now, 50
			times := map[string][]time.Duration{}
			read := func(kind string, f engine.Filter) (page engine.Page[engine.Project]) {
				for range pageRounds {
					begin := time.Now()
					var err error
					page, err = l.db.Projects(t.Context(), f)
					l.must(err)
					took := time.Since(begin)
					times[kind] = append(times[kind], took)
					if took > 3*time.Second {
						break
					}
				}
				return page
			}
			page := read("first", f)
			if page.Next != "" {
				f.After = page.Next
				page = read("next", f)
			}
			if page.Prev != "" {
				f.After = page.Prev
				read("back", f)
			}
			if far := l.far(f); far != "" {
				f.After = far
				page = read("far", f)
				if page.Prev != "" {
					f.After = page.Prev
					read("far back", f)
				}
			}
			var says []string
			bad := false
			for _, kind := range []string{"first", "next", "back", "far", "far back"} {
				if ts := times[kind]; len(ts) > 0 {
					slices.Sort(ts)
					median := ts[len(ts)/2]
					worst = max(worst, median)
					bad = bad || median > pageBound
					says = append(says, fmt.Sprintf("%s %.1f", kind, float64(median.Microseconds())/1000))
				}
			}
			line := fmt.Sprintf("%-30s %-14s %s", x.name, cmp.Or(sort, engine.ByNewest), strings.Join(says, ", "))
			t.Log(line)
			if bad {
				over = append(over, line)
			}
		}
	}
	fmt.Printf("ratio million_worst_page_%s %.3f\n", l.db.Backend(), float64(worst)/float64(pageBound))
	if len(over) > 0 {
		t.Errorf("%d over %s:\n%s", len(over), pageBound, strings.Join(over, "\n"))
	}
}

// far returns a cursor in the middle of what the filter selects.
func (l *ledger) far(f engine.Filter) string {
	at := l.now.AddDate(-3, 0, 0)
	if f.Open {
		at = l.now.AddDate(0, 0, -20)
	}
	due := calendar.DateOf(at, time.UTC)
	switch {
	case f.Sort == engine.ByLight: // it lies among the green ones
		due = calendar.DateOf(l.now, time.UTC).AddDays(100)
	case f.Overdue != nil:
		due = due.AddDays(5)
	case f.Open:
		due = due.AddDays(120)
	}
	return storage.CursorAt(f.Sort, at, due, idAt(at, rand.New(rand.NewPCG(3, 3))))
}

// idAt returns a UUIDv7 of a moment.
func idAt(at time.Time, dice *rand.Rand) engine.ProjectID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|0x7000|dice.Uint64N(1<<12))
	binary.BigEndian.PutUint64(id[8:], 2<<62|dice.Uint64N(1<<62))
	return engine.ProjectID(id.String())
}
