// Package plan is the founding plan as data, and two months of its life: the 14 tasks of the 2021 plan are taken
// over from its table, handed out, worked on, inspected, rated and struck off by a cast of people, through the
// engine and with an injected clock. The demo shows the result and tests check it. People, progress and votes are
// invented; only the names of the tasks are the plan's.
package plan

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// Tasks is the plan's table of tasks (CSV), and File the name under which it is imported.
//
//go:embed suzhou_city_university_2021_14_tasks.csv
var Tasks []byte

// File is the name of the table.
const File = "suzhou_city_university_2021_14_tasks.csv"

// Workdays is how many working days the play lasts: two months.
const Workdays = 40

// Clock is an injected clock that only moves forward.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at t.
func NewClock(t time.Time) *Clock { return &Clock{now: t} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set moves the clock to t, unless that is in its past.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}

// Start returns the day on which a play begins that ends the working day before today.
func Start(cal *calendar.Calendar, today calendar.Date) calendar.Date {
	d, _ := cal.AddWorkdays(today, -Workdays)
	return d
}

// Stage is what a play needs.
type Stage struct {
	Engine *engine.Engine
	Clock  *Clock
	Start  calendar.Date
	// Import takes a ledger over at a unit, as `bihuan import` does.
	Import func(ctx context.Context, unit engine.Unit, name string, data []byte) error
	// Put stores a piece of evidence and returns the command that binds it.
	Put func(ctx context.Context, name string, content []byte) (engine.AddEvidence, error)
	// County is a second ledger of another body, or nil.
	County     []byte
	CountyFile string
	// Abreast adds what makes the pages alive that compare: items of several offices, and the members' 四个一.
	Abreast bool
}

// Person is one of the cast.
type Person struct {
	Login, Name, Unit string
	Role              engine.Role // "" for people without a role
	Title             engine.Text // what they are, for the list of seats
}

// Cast lists the people of the play. Everybody is invented.
var Cast = []Person{
	{"zhou", "周启航", "it", "", engine.Text{ZH: "承办人", EN: "owner"}},
	{"chen", "陈晓", "xsc", "", engine.Text{ZH: "承办人", EN: "owner (2)"}},
	{"wu", "吴敏", "jsj-1", engine.Secretary, engine.Text{ZH: "支部书记", EN: "secretary"}},
	{"zhang", "张岚", "csxy", engine.Supervisor, engine.Text{ZH: "督导员", EN: "supervisor"}},
	{"he", "何青", "jsj", engine.Supervisor, engine.Text{ZH: "党总支督导员", EN: "supervisor of one 党总支"}},
	{"li", "李明川", "csxy", engine.Leader, engine.Text{ZH: "党委领导", EN: "leader"}},
	{"wang", "王建平", "csxy", engine.Inspector, engine.Text{ZH: "督查员", EN: "inspector"}},
	{"zhao", "赵工", "csxy", engine.Admin, engine.Text{ZH: "系统管理员", EN: "admin"}},
	{"qian", "钱安", "csxy", engine.Security, engine.Text{ZH: "安全管理员", EN: "security"}},
	{"tang", "唐志远", "dz", engine.Supervisor, engine.Text{ZH: "县政府督查室", EN: "supervisor of the county"}},
}

type unit struct{ parent, code, name string }

var units = []unit{
	{"", "csxy", "示例城市学院党委"},
	{"csxy", "dzb", "党政办公室"},
	{"csxy", "it", "信息化中心"},
	{"csxy", "xsc", "学生工作处"},
	{"csxy", "jwc", "教务处"},
	{"csxy", "hq", "后勤保障处"},
	{"csxy", "jsj", "计算机学院党总支"},
	{"jsj", "jsj-1", "计算机学院教师第一党支部"},
	{"jsj", "jsj-2", "计算机学院学生第一党支部"},
	{"", "dz", "大竹县（示例）"},
	{"dz", "dz-sw", "县水务局"},
	{"dz", "dz-zj", "县住建局"},
	{"dz", "dz-jk", "县教科局"},
	{"dz", "dz-mz", "县民政局"},
}

// World is what a play leaves behind.
type World struct {
	People map[string]engine.User // by login
	Units  map[string]engine.Unit // by code
}

// player carries the play out.
type player struct {
	Stage
	world  World
	items  map[string]engine.ProjectID // by the item's word in the script
	lists  map[string]engine.ListID    // by unit and number
	minute int
}

// Play sets up the units and people, takes the ledgers over and plays the script. The clock ends on the last
// day's evening.
func Play(ctx context.Context, s Stage) (*World, error) {
	p := &player{Stage: s, items: map[string]engine.ProjectID{}, lists: map[string]engine.ListID{},
		world: World{People: map[string]engine.User{}, Units: map[string]engine.Unit{}}}
	p.Clock.Set(p.moment(0, 8, 0))
	if err := p.people(ctx); err != nil {
		return nil, err
	}
	if err := p.ledgers(ctx); err != nil {
		return nil, err
	}
	events := script()
	if p.Abreast {
		events = append(append(events, abreast()...), members()...)
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.day - b.day })
	for _, e := range events {
		if err := p.play(ctx, e); err != nil {
			return nil, fmt.Errorf("day %d, %s, %s: %w", e.day, e.who, e.item, err)
		}
	}
	if err := p.until(ctx, p.moment(Workdays-1, 20, 0)); err != nil {
		return nil, err
	}
	return &p.world, nil
}

func (p *player) people(ctx context.Context) error {
	op := engine.Operator()
	for _, u := range units {
		made, err := p.Engine.AddUnit(ctx, op, u.parent, u.code, u.name)
		if err != nil {
			return fmt.Errorf("unit %s: %w", u.code, err)
		}
		p.world.Units[u.code] = made
	}
	cast := Cast
	if p.Abreast {
		cast = slices.Concat(Cast, others)
	}
	for _, c := range cast {
		u, err := p.Engine.AddUser(ctx, op, c.Login, c.Name)
		if err != nil {
			return fmt.Errorf("user %s: %w", c.Login, err)
		}
		if c.Role != "" {
			if u, err = p.Engine.Grant(ctx, op, c.Login, c.Unit, c.Role); err != nil {
				return fmt.Errorf("grant %s: %w", c.Login, err)
			}
		}
		p.world.People[c.Login] = u
	}
	return nil
}

// ledgers takes over the plan's table at the college and the published ledger at the county, and finds the tasks
// that the script speaks of.
func (p *player) ledgers(ctx context.Context) error {
	if err := p.Import(ctx, p.world.Units["csxy"], File, Tasks); err != nil {
		return err
	}
	if p.County != nil {
		if err := p.Import(ctx, p.world.Units["dz"], p.CountyFile, p.County); err != nil {
			return err
		}
	}
	page, err := p.Engine.List(ctx, engine.Operator(), engine.Filter{Unit: p.world.Units["csxy"].ID, Limit: engine.MaxPage})
	if err != nil {
		return err
	}
	for word, part := range titles {
		i := slices.IndexFunc(page.Items, func(x engine.Project) bool { return strings.Contains(x.Title, part) })
		if i < 0 {
			return fmt.Errorf("the plan has no task %q", part)
		}
		p.items[word] = page.Items[i].ID
	}
	return nil
}

// titles names the plan's tasks by a word for the script and a part of the title.
var titles = map[string]string{ //nolint:gosec // "secretary" is no secret
	"blueprint": "一张干到底的蓝图", "friends": "朋友圈", "list": "双月实事清单", "class": "第一班主任",
	"contact": "联系基层制度", "secretary": "书记项目", "branch": "行动支部", "brand": "共建品牌",
	"care": "师生关爱提升计划", "teach": "思政铸师魂", "together": "育人共同体", "four": "四个一",
	"lesson": "三尺讲台立标杆", "pairs": "党心暖人心",
}

// moment is a time of the n-th working day of the play.
func (p *player) moment(n, hour, minute int) time.Time {
	d, _ := p.Engine.Working().AddWorkdays(p.Start, n)
	return d.At(hour, minute, p.Engine.Site.Location)
}

// date is the n-th working day of the play.
func (p *player) date(n int) calendar.Date {
	d, _ := p.Engine.Working().AddWorkdays(p.Start, n)
	return d
}

// until lets the time pass, with a sweep after each midnight and each morning.
func (p *player) until(ctx context.Context, t time.Time) error {
	loc := p.Engine.Site.Location
	for day := calendar.DateOf(p.Clock.Now(), loc); ; day = day.AddDays(1) {
		for _, at := range []time.Time{day.At(0, 1, loc), day.At(9, 1, loc)} {
			if at.After(t) {
				p.Clock.Set(t)
				return nil
			}
			if at.Before(p.Clock.Now()) {
				continue
			}
			p.Clock.Set(at)
			if _, err := p.Engine.Sweep(ctx); err != nil {
				return err
			}
		}
	}
}

func (p *player) actor(login string) engine.Actor {
	u := p.world.People[login]
	return engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaConsole}
}

// play carries out one event.
func (p *player) play(ctx context.Context, e event) error {
	p.minute = (p.minute + 7) % 420 // people act all through the day, from half past nine
	if err := p.until(ctx, p.moment(e.day, 9, 30).Add(time.Duration(p.minute)*time.Minute)); err != nil {
		return err
	}
	who := p.actor(e.who)
	if e.list != nil {
		return e.list(ctx, p, who)
	}
	if e.create != nil {
		kind, code, draft := e.create(p)
		made, err := p.Engine.Create(ctx, who, kind, p.world.Units[code], draft)
		p.items[e.item] = made.ID
		return err
	}
	x, err := p.Engine.Project(ctx, who, p.items[e.item])
	if err != nil {
		return err
	}
	cmds, err := e.do(ctx, p, &x)
	if err != nil {
		return err
	}
	for _, cmd := range cmds {
		if x, err = p.Engine.Do(ctx, who, x.ID, x.Version, cmd); err != nil {
			return fmt.Errorf("%T: %w", cmd, err)
		}
	}
	return nil
}
