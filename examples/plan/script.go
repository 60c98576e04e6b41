package plan

import (
	"context"
	"errors"
	"slices"

	"bihuan/engine"
)

// event is something that somebody does on a working day of the play.
type event struct {
	day    int
	who    string
	item   string
	do     func(ctx context.Context, p *player, x *engine.Project) ([]engine.Command, error)
	create func(p *player) (kind, unit string, d engine.Draft)
	list   func(ctx context.Context, p *player, who engine.Actor) error
}

// cmd is an event of fixed commands.
func cmd(day int, who, item string, cmds ...engine.Command) event {
	return event{day: day, who: who, item: item, do: func(context.Context, *player, *engine.Project) ([]engine.Command, error) {
		return cmds, nil
	}}
}

// script is the whole play: every task comes to rest somewhere else in the loop, so that each stage, light and
// way out can be seen.
func script() []event {
	var s []event
	add := func(events ...event) { s = append(s, events...) }

	// 双月实事清单: the whole loop on time.
	add(handOut("list", "zhou", "师生不知道学校为大家办什么、办到哪一步", "每两个月公布一份清单，事事有时限、件件有着落", 0, 34)...)
	add(report(9, "list", "zhou", 30, "走访了 12 个班级和 6 个部门，收集到 87 条诉求"), report(13, "list", "zhou", 75, "清单初稿完成，已征求各部门意见"))
	add(done(16, "list", "zhou")...)
	add(check(18, "list", true, "查看了公布的清单和走访记录，内容属实"))
	add(rated(24, "list", "zhou", 58, 23, 9, 3, 1, "教学楼一楼大厅现场测评，发放 100 份，收回 94 份")...)
	add(struckOff(27, "list", "zhou", "首期清单 21 项全部公布，师生可以逐项查询进度", "清单每双月编制一次，写入《学校议事规则》")...)

	add(cmd(33, "li", "list", engine.MarkAs{Kind: engine.MarkPromote, Note: "做法简单，各学院都可以照着办"}))

	// 四个一志愿服务: on time too.
	add(handOut("four", "chen", "党员服务时长不均，有人全年不足 20 小时", "每位党员全年服务不少于 20 小时", 0, 36)...)
	add(report(10, "four", "chen", 45, "已开展授课 26 次、义务劳动 3 次"), report(15, "four", "chen", 90, "结对宿舍 41 间"))
	add(done(18, "four", "chen")...)
	add(check(20, "four", true, "抽查 20 名党员的服务记录，均与登记一致"))
	add(rated(27, "four", "chen", 40, 30, 12, 4, 0, "线上问卷 86 份")...)
	add(struckOff(31, "four", "chen", "全校 312 名党员全部完成", "服务时长计入民主评议")...)
	add(cmd(36, "wang", "four", engine.InspectAgain{Passed: true, Lasting: true, Note: "抽查 10 名党员的记录，服务时长已计入民主评议"}), cmd(37, "li", "four", engine.Approve{Note: "同意"}))

	// 联系基层制度: done after its deadline; closed out with the mark 曾逾期.
	add(handOut("contact", "zhou", "基层反映问题渠道少", "班子成员每人联系一个支部、完成一篇调研报告", 1, 18)...)
	add(report(8, "contact", "zhou", 20, "联系点已确定"), report(16, "contact", "zhou", 60, "完成调研 5 篇"))
	add(cmd(20, "zhang", "contact", engine.Urge{Note: "已经到期，请说明原因并尽快报送"}))
	add(done(22, "contact", "zhou")...)
	add(check(24, "contact", true, "7 篇调研报告齐全"))
	add(rated(30, "contact", "zhou", 20, 18, 6, 3, 1, "支部书记例会现场测评 48 份")...)
	add(struckOff(33, "contact", "zhou", "形成调研报告 7 篇，解决问题 19 件", "联系制度每学期通报一次")...)

	// 第一班主任: the acceptor has signed, the leader has not.
	add(handOut("class", "chen", "新生入学适应难", "每位班子成员联系一个新生班级，每月进班一次", 1, 44)...)
	add(report(12, "class", "chen", 70, "进班 14 次，上好“大学第一课”"))
	add(done(17, "class", "chen")...)
	add(check(19, "class", true, "随机听取两个班级意见，情况属实"))
	add(rated(26, "class", "chen", 61, 40, 11, 5, 2, "新生班级问卷 119 份")...)
	add(cmd(36, "chen", "class", engine.Summarize{Summary: "班子成员进班 42 次，解决新生困难 36 件", Lasting: "写入《班子成员联系学生办法》"},
		engine.Submit{Transition: "close", Note: "全部完成，申请销号"}))
	add(cmd(37, "zhang", "class", engine.Approve{Note: "验收通过"}))

	// 师生关爱提升计划: rated badly, sent back to be done again.
	add(handOut("care", "chen", "心理咨询预约要等三周", "预约等待不超过 3 个工作日", 2, 46)...)
	add(report(11, "care", "chen", 65, "增聘咨询师 2 名"))
	add(done(15, "care", "chen")...)
	add(check(17, "care", true, "预约系统显示平均等待 4 天"))
	add(event{day: 24, who: "zhang", item: "care", do: survey(8, 9, 7, 10, 6, "咨询中心现场测评 40 份")})
	add(cmd(25, "zhang", "care", engine.Submit{Transition: "redo", Note: "满意率只有 60%，主要意见是晚间没有号源"}))
	add(report(32, "care", "chen", 70, "增加晚间号源，每周 12 个"))

	// 行动支部: waits for verification.
	add(handOut("branch", "zhou", "支部活动与中心工作结合不紧", "形成“行动支部工作法”并在 6 个支部试行", 2, 48)...)
	add(report(14, "branch", "zhou", 50, "3 个支部试行"), report(28, "branch", "zhou", 95, "6 个支部全部试行"))
	add(done(36, "branch", "zhou")...)

	// 共建品牌: overdue; the clock climbs the ladder, and an extension is asked for too late.
	add(handOut("brand", "chen", "校内外支部共建少", "建成“海棠花红”先锋阵地 1 个", 1, 30)...)
	add(report(12, "brand", "chen", 20, "与 2 个社区支部达成意向"), report(24, "brand", "chen", 35, "场地仍在协调"))
	add(cmd(33, "zhang", "brand", engine.Urge{Note: "已逾期，请与后勤处一起拿出场地方案"}))
	add(tooLate(34, "chen", "brand", 50, "后勤处的场地下月才能腾出，申请延期"))

	// 思政铸师魂: extended once; a second extension waits for the leader.
	add(handOut("teach", "zhou", "教务系统卡顿", "新教务系统上线，选课高峰不排队", 3, 32)...)
	add(report(15, "teach", "zhou", 40, "完成招标"))
	add(event{day: 26, who: "zhou", item: "teach", do: extend(42, "供应商到货推迟，安装要多用两周")})
	add(cmd(27, "zhang", "teach", engine.Approve{Note: "情况属实，同意第一次延期"}))
	add(report(35, "teach", "zhou", 72, "设备到货，正在安装"))
	add(event{day: 38, who: "zhou", item: "teach", do: extend(55, "试运行发现选课并发不足，需要扩容")})

	// 育人共同体: in work and behind its plan.
	add(handOut("together", "zhou", "办事要跑多个部门", "一站式线上办事大厅再上线 18 项高频事项", 3, 43)...)
	add(report(14, "together", "zhou", 30, "上线 5 项"), report(29, "together", "zhou", 55, "上线 10 项，其余等待部门确认表单"))

	// 三尺讲台立标杆: being rated, with an objection that nobody has answered.
	add(handOut("lesson", "chen", "青年教师缺少观摩机会", "每学期党员教师示范课 12 节", 4, 47)...)
	add(report(18, "lesson", "chen", 80, "已上示范课 10 节"))
	add(done(28, "lesson", "chen")...)
	add(check(31, "lesson", true, "听课记录 12 份，签到齐全"))
	add(cmd(34, "li", "lesson", engine.Object{Text: "有教师反映示范课时间与教研活动冲突"}))

	// 书记项目 as a task of the plan: shelved with the leader's approval.
	add(handOut("secretary", "zhou", "支部工作亮点不多", "每个支部一个书记项目", 4, 49)...)
	add(event{day: 20, who: "zhou", item: "secretary", do: evidence("关于调整书记项目安排的说明.txt", "上级将统一部署，等待文件。")})
	add(cmd(21, "zhou", "secretary", engine.Submit{Transition: "shelve", Note: "上级将统一部署书记项目，等待文件"}))
	add(cmd(23, "li", "secretary", engine.Approve{Note: "同意挂账，文件到后立即恢复"}))

	// 党心暖人心: returned to be planned better.
	add(planned(2, "pairs", "chen", "结对流于形式", "结对 60 对，每月谈心一次", 40))
	add(cmd(3, "chen", "pairs", engine.Submit{Transition: "deploy", Note: "请审批"}))
	add(cmd(5, "zhang", "pairs", engine.Return{Note: "举措没有写明由谁每月检查，请补充"}))

	// 一张干到底的蓝图: handed out, not yet acknowledged.
	add(planned(34, "blueprint", "zhou", "学校发展方向需要凝聚共识", "“十四五”规划文本经教代会通过", 52))
	add(cmd(35, "zhou", "blueprint", engine.Submit{Transition: "deploy", Note: "材料齐全，请审批"}))
	add(cmd(36, "zhang", "blueprint", engine.Approve{Note: "同意交办"}))

	// 朋友圈: waits for the supervisor.
	add(planned(37, "friends", "zhou", "校地合作项目少", "新签合作协议 5 份", 58))
	add(cmd(38, "zhou", "friends", engine.Submit{Transition: "deploy", Note: "已经征求合作单位意见"}))

	// The 书记项目 of a branch, approved in two tiers, each of which confirms the criteria.
	add(event{day: 6, who: "wu", item: "lab", create: func(p *player) (string, string, engine.Draft) {
		return "shuji", "jsj-1", engine.Draft{Title: "党员教师带学生修旧电脑，送给结对小学", Need: "结对小学机房缺电脑", Target: "修好并送出 30 台",
			Measures: "每周五下午开放实验室，党员教师带队", Owner: p.world.People["wu"].ID, Sponsor: p.world.People["li"].ID, Deadline: p.date(50)}
	}})
	add(cmd(7, "wu", "lab", engine.Submit{Transition: "deploy", Note: "切口小、可操作、易推广"}))
	add(cmd(8, "he", "lab", engine.Approve{Note: "总支同意", Criteria: criteria}), cmd(9, "zhang", "lab", engine.Approve{Note: "同意立项", Criteria: criteria}))
	add(event{day: 10, who: "wu", item: "lab", do: milestones})
	add(cmd(11, "wu", "lab", engine.Submit{Transition: "advance"}))
	add(cmd(12, "he", "lab", engine.Approve{}), cmd(13, "zhang", "lab", engine.Approve{}))
	add(report(25, "lab", "wu", 60, "修好 19 台"))
	add(lists()...)
	add(collected()...)
	add(below()...)
	return s
}

// criteria are those of 书记项目, which each approver of 立项 confirms.
var criteria = []string{"small", "doable", "spreadable", "solving"}

// planned fills in what 谋划 asks for; the supervisor does it with the owner.
func planned(day int, item, owner, need, target string, due int) event {
	return event{day: day, who: "zhang", item: item, do: func(_ context.Context, p *player, x *engine.Project) ([]engine.Command, error) {
		d := engine.DraftOf(x)
		d.Need, d.Target, d.Owner, d.Sponsor = need, target, p.world.People[owner].ID, p.world.People["li"].ID
		d.Deadline = p.date(due)
		d.List = p.period(0)
		return []engine.Command{engine.Edit{Draft: d}}, nil
	}}
}

// handOut takes an item from 谋划 to 推进 within a week.
func handOut(item, owner, need, target string, day, due int) []event {
	return []event{
		planned(day, item, owner, need, target, due),
		cmd(day+1, owner, item, engine.Submit{Transition: "deploy", Note: "目标、举措和时限已经明确，请审批"}),
		cmd(day+2, "zhang", item, engine.Approve{Note: "同意交办"}),
		cmd(day+3, owner, item, engine.Acknowledge{}),
		{day: day + 3, who: owner, item: item, do: milestones},
		cmd(day+4, owner, item, engine.Submit{Transition: "advance"}),
		cmd(day+5, "zhang", item, engine.Approve{}),
	}
}

// milestones lays two steps between now and the deadline.
func milestones(_ context.Context, p *player, x *engine.Project) ([]engine.Command, error) {
	from := p.date(0)
	half := from.AddDays(from.DaysUntil(x.Deadline) / 2)
	return []engine.Command{engine.LayMilestones{Milestones: []engine.Milestone{
		{Title: "摸清底数、拿出方案", Due: half, Who: "牵头单位"},
		{Title: "全部落地、收集佐证", Due: x.Deadline.AddDays(-3), Who: "牵头单位", After: []string{"#1"}},
	}}}, nil
}

func report(day int, item, who string, percent int, done string) event {
	return cmd(day, who, item, engine.Report{Percent: percent, Done: done, Next: "按时间表继续推进"})
}

// done ticks every milestone, adds evidence and reports the work as done; the supervisor lets it be verified.
func done(day int, item, owner string) []event {
	return []event{
		{day: day, who: owner, item: item, do: func(ctx context.Context, p *player, x *engine.Project) ([]engine.Command, error) {
			var out []engine.Command
			var ids []string
			for id := range x.Milestones {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			for _, id := range ids {
				out = append(out, engine.Tick{ID: id, Note: "已完成"})
			}
			e, err := p.Put(ctx, "完成情况说明.txt", []byte(x.Title+"\n各项举措均已落实，详见附表。\n"))
			if err != nil {
				return nil, err
			}
			return append(out, e, engine.Report{Percent: 100, Done: "全部完成，佐证材料已上传"},
				engine.Submit{Transition: "track", Note: "里程碑全部完成，请核查"}), nil
		}},
		cmd(day+1, "zhang", item, engine.Approve{Note: "同意核查"}),
	}
}

func evidence(name, content string) func(context.Context, *player, *engine.Project) ([]engine.Command, error) {
	return func(ctx context.Context, p *player, _ *engine.Project) ([]engine.Command, error) {
		e, err := p.Put(ctx, name, []byte(content))
		return []engine.Command{e}, err
	}
}

func check(day int, item string, passed bool, note string) event {
	return cmd(day, "zhang", item, engine.Verify{Passed: passed, Note: note})
}

func survey(very, satisfied, basic, not, notAtAll int, note string) func(context.Context, *player, *engine.Project) ([]engine.Command, error) {
	return func(context.Context, *player, *engine.Project) ([]engine.Command, error) {
		return []engine.Command{engine.RecordSurvey{Note: note, Survey: engine.Survey{VerySatisfied: very, Satisfied: satisfied, Basic: basic,
			Dissatisfied: not, VeryDissatisfied: notAtAll}}}, nil
	}
}

// rated records the survey and takes the item to 达效 two days later, when publicity is over.
func rated(day int, item, owner string, very, satisfied, basic, not, notAtAll int, note string) []event {
	return []event{
		{day: day, who: "zhang", item: item, do: survey(very, satisfied, basic, not, notAtAll, note)},
		cmd(day+1, owner, item, engine.Submit{Transition: "effect", Note: "公示期满，没有异议"}),
		cmd(day+2, "zhang", item, engine.Approve{Note: "同意"}),
	}
}

// struckOff writes the summary and takes the item to 已销号 by acceptor and leader.
func struckOff(day int, item, owner, summary, lasting string) []event {
	return []event{
		cmd(day, owner, item, engine.Summarize{Summary: summary, Lasting: lasting}, engine.Submit{Transition: "close", Note: "申请销号"}),
		cmd(day+1, "zhang", item, engine.Approve{Note: "验收通过，谁验收谁负责"}),
		cmd(day+2, "li", item, engine.Approve{Note: "同意销号"}),
	}
}

func extend(due int, why string) func(context.Context, *player, *engine.Project) ([]engine.Command, error) {
	return func(_ context.Context, p *player, _ *engine.Project) ([]engine.Command, error) {
		return []engine.Command{engine.Extend{Deadline: p.date(due), Note: why}}, nil
	}
}

// tooLate asks for an extension after the deadline: it is refused, and counted.
func tooLate(day int, who, item string, due int, why string) event {
	return event{day: day, who: who, item: item, list: func(ctx context.Context, p *player, by engine.Actor) error {
		x, err := p.Engine.Project(ctx, by, p.items[item])
		if err != nil {
			return err
		}
		_, err = p.Engine.Do(ctx, by, x.ID, x.Version, engine.Extend{Deadline: p.date(due), Note: why})
		if e := (*engine.Error)(nil); errors.As(err, &e) && e.Key == "extension.too_late" {
			return nil
		}
		return errors.Join(errors.New("an extension asked for after the deadline is not refused as that"), err)
	}}
}
