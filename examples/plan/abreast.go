package plan

import (
	"context"
	"maps"
	"slices"

	"bihuan/engine"
	"bihuan/workflows"
)

// others are people without a seat at the demo.
var others = []Person{
	{"gao", "高峰", "hq", "", engine.Text{}},
	{"lin", "林海", "jsj-1", "", engine.Text{}},
	{"zheng", "郑洁", "jsj-1", "", engine.Text{}},
	{"sun", "孙涛", "jsj-1", "", engine.Text{}},
	{"cao", "曹颖", "jsj-2", engine.Secretary, engine.Text{}},
	{"xu", "许诺", "jsj-2", "", engine.Text{}},
}

// abreast are items of offices of one level, so that the evaluation has somebody to rank: each office has three that
// are settled, in time, late, or never done.
func abreast() []event {
	var s []event
	for _, x := range []struct {
		item, unit, owner   string
		title, need, target string
		measures            string
		start, due          int
		very, satisfied     int // marks of the survey; the others are 基本满意 and 不满意
		basic, not          int
		late                bool // and so struck off after its deadline
		undone              bool // never finished
	}{
		{item: "network", unit: "it", owner: "zhou", title: "宿舍区晚间网络不再掉线", need: "晚上十点以后掉线，投诉一周 40 余件", target: "投诉降到每周 3 件以内",
			measures: "更换汇聚交换机，错峰限速", due: 30, very: 40, satisfied: 17, basic: 3},
		{item: "account", unit: "it", owner: "zhou", title: "校内系统一次登录", need: "八个系统八个密码", target: "八个系统一个账号",
			measures: "接入统一身份认证", start: 1, due: 30, very: 25, satisfied: 20, basic: 8, not: 2},
		{item: "coverage", unit: "it", owner: "zhou", title: "教学楼无线网全覆盖", need: "三号楼四层以上没有信号", target: "每间教室可用",
			measures: "补装 36 个接入点", start: 2, due: 20, very: 20, satisfied: 14, basic: 6, not: 1, late: true},
		{item: "repair", unit: "xsc", owner: "chen", title: "宿舍报修 24 小时有人到", need: "报修以后平均等三天", target: "24 小时内到场",
			measures: "维修班排晚班，手机报修", due: 30, very: 51, satisfied: 22, basic: 4},
		{item: "jobs", unit: "xsc", owner: "chen", title: "勤工助学岗位网上申请", need: "岗位靠熟人介绍", target: "岗位全部公开",
			measures: "岗位上网，双向选择", start: 1, due: 30, very: 33, satisfied: 11, basic: 2},
		{item: "hotline", unit: "xsc", owner: "chen", title: "心理热线夜间有人接", need: "夜间来电无人接听", target: "接通率九成以上",
			measures: "专兼职轮值到凌晨一点", start: 2, due: 30, very: 28, satisfied: 12, basic: 1},
		{item: "windows", unit: "hq", owner: "gao", title: "食堂高峰增开窗口", need: "午间排队 15 分钟", target: "排队不超过 6 分钟",
			measures: "增开 5 个窗口，错峰下课", due: 30, very: 44, satisfied: 30, basic: 12, not: 3},
		{item: "water", unit: "hq", owner: "gao", title: "教学楼装直饮水", need: "教学楼只有开水房", target: "每层一台",
			measures: "分两批安装 24 台", start: 1, due: 19, very: 30, satisfied: 20, basic: 9, not: 4, late: true},
		{item: "lamps", unit: "hq", owner: "gao", title: "东门夜间照明", need: "东门外两百米没有路灯", target: "全段亮灯",
			measures: "与街道共建 9 盏路灯", start: 2, due: 22, undone: true},
	} {
		s = append(s, event{who: "zhang", item: x.item, create: func(*player) (string, string, engine.Draft) {
			return "shishi", x.unit, engine.Draft{Title: x.title, Measures: x.measures}
		}})
		s = append(s, handOut(x.item, x.owner, x.need, x.target, x.start, x.due)...)
		s = append(s, report(x.start+8, x.item, x.owner, 60, "主要设备和人员已经到位"))
		if x.undone {
			s = append(s, cmd(x.due+2, "zhang", x.item, engine.Urge{Note: "已经到期，请说明原因"}))
			continue
		}
		s = append(s, done(x.start+10, x.item, x.owner)...)
		s = append(s, check(x.start+12, x.item, true, "到现场查看，与报告一致"))
		s = append(s, rated(x.start+18, x.item, x.owner, x.very, x.satisfied, x.basic, x.not, 0, "现场和线上测评")...)
		s = append(s, struckOff(x.start+21, x.item, x.owner, "目标已经达到，师生可以随时查看", "写入本部门岗位职责，每学期检查一次")...)
	}
	return s
}

// enrolled are the members of two branches, most of whom have no seat: what each did by the end of the play, in hours
// of every category, and what becomes of it.
var enrolled = []struct {
	login, unit string
	hours       map[string]int // by category
	open        bool           // the last of them still waits for somebody else's word
}{
	{login: "wu", unit: "jsj-1", hours: map[string]int{"lecture": 4, "volunteering": 8, "labour": 4, "dormitory": 6}},
	{login: "lin", unit: "jsj-1", hours: map[string]int{"lecture": 2, "volunteering": 9, "labour": 5, "dormitory": 4}},
	{login: "zheng", unit: "jsj-1", hours: map[string]int{"lecture": 2, "volunteering": 6, "labour": 3}},
	{login: "sun", unit: "jsj-1", hours: map[string]int{"volunteering": 5, "labour": 2, "dormitory": 3}, open: true},
	{login: "cao", unit: "jsj-2", hours: map[string]int{"lecture": 3, "volunteering": 10, "labour": 4, "dormitory": 5}},
	{login: "xu", unit: "jsj-2", hours: map[string]int{"volunteering": 4}},
}

// keepers are who keeps the roll of a branch, and who confirms there what its secretary entered.
var keepers = map[string]string{"jsj-1": "wu", "jsj-2": "cao"}

// members is the year of 四个一: an administrator switches it on, the secretaries enter what their members did, and the
// 党总支's supervisor confirms it; so some have met it and some are short.
func members() []event {
	on := func(day int, who string, do func(ctx context.Context, p *player, who engine.Actor) error) event {
		return event{day: day, who: who, item: "four ones", list: do}
	}
	rule := workflows.Tallies()[0]
	s := []event{on(1, "zhao", func(ctx context.Context, p *player, who engine.Actor) error {
		return p.Engine.EnableTally(ctx, who, rule)
	})}
	for i, m := range enrolled {
		s = append(s, on(37, keepers[m.unit], func(ctx context.Context, p *player, who engine.Actor) error {
			year := p.date(37).Year()
			y, err := p.Engine.EnrolMember(ctx, who, rule.ID, p.world.Units[m.unit], p.world.People[m.login].ID, year)
			if err != nil {
				return err
			}
			var drafts []engine.TallyDraft
			for j, c := range rule.Categories {
				if day := p.date(4*j + i); m.hours[c.ID] > 0 {
					if day.Year() != year { // the play began in the year before
						day = p.date(37)
					}
					drafts = append(drafts, engine.TallyDraft{Category: c.ID, Day: day, Minutes: 60 * m.hours[c.ID]})
				}
			}
			y, err = p.Engine.EnterHours(ctx, who, y.ID, y.Version, drafts...)
			if err != nil {
				return err
			}
			ids := slices.Sorted(maps.Keys(y.Records))
			if m.open {
				ids = ids[:len(ids)-1]
			}
			_, err = p.Engine.ConfirmHours(ctx, p.actor("he"), y.ID, y.Version, ids...)
			return err
		}))
	}
	return s
}
