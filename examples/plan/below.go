package plan

import (
	"context"
	"fmt"

	"bihuan/engine"
)

// below is the life of a list of the 党总支, which its own supervisor keeps: of its three items two are struck off and
// one is carried over, so that the leader closes the list. Then a look-back at the first finds that it did not last,
// and the one carried over is rated behind a link.
func below() []event {
	var s []event
	add := func(events ...event) {
		for _, e := range events {
			if e.who == "zhang" { // what the college's supervisor does there is the 党总支's own supervisor's here
				e.who = "he"
			}
			s = append(s, e)
		}
	}
	on := func(day int, who string, do func(ctx context.Context, p *player, who engine.Actor) error) {
		add(event{day: day, who: who, item: "lists of the school", list: do})
	}

	// 机房上机: struck off in time; the look-back fails, and it is in work again under its number.
	add(founded("queue", "机房上机不再排队", "晚间错峰开放，座位网上预约"))
	add(handOut("queue", "zhou", "晚间上机要等一个多小时", "晚间上机等待不超过 10 分钟", 0, 25)...)
	add(report(8, "queue", "zhou", 60, "预约系统上线，晚间增开 2 间机房"))
	add(done(10, "queue", "zhou")...)
	add(check(12, "queue", true, "连续三晚到机房查看，平均等待 6 分钟"))
	add(rated(18, "queue", "zhou", 34, 15, 5, 2, 0, "机房门口现场测评，收回 56 份")...)
	add(struckOff(21, "queue", "zhou", "晚间开放机房 6 间，等待时间由 65 分钟降到 6 分钟", "每学期初公布机房开放表，由信息化中心值班")...)
	add(event{day: 35, who: "wang", item: "queue", do: func(_ context.Context, p *player, _ *engine.Project) ([]engine.Command, error) {
		return []engine.Command{engine.InspectAgain{Deadline: p.date(56), Note: "回访两晚，值班表没有执行，2 间机房未开门，又要排队半小时"}}, nil
	}})
	add(cmd(36, "li", "queue", engine.Approve{Note: "同意，恢复推进，值班要落实到人"}))
	add(report(38, "queue", "zhou", 30, "重新排定值班表，未开门的 2 间机房已恢复开放"))

	// 毕业设计: struck off in time.
	add(founded("thesis", "毕业设计选题网上双向选择", "题目提前公布，学生教师两轮互选"))
	add(handOut("thesis", "chen", "选题靠抢，跨专业题目没人知道", "选题一次成功率达到九成", 0, 27)...)
	add(report(9, "thesis", "chen", 70, "公布题目 186 个，第一轮互选完成"))
	add(done(12, "thesis", "chen")...)
	add(check(14, "thesis", true, "系统记录 170 名学生选定题目，与名单一致"))
	add(rated(20, "thesis", "chen", 71, 52, 20, 6, 1, "毕业班线上问卷 150 份")...)
	add(struckOff(23, "thesis", "chen", "170 名学生全部选定题目，一次成功率 93%", "写入《毕业设计管理细则》，每届照此办理")...)

	// 创新工坊: carried over, and now rated behind a link.
	add(founded("workshop", "学生创新工坊晚间开放", "增配管理员和门禁，晚间开放到十点"))
	add(handOut("workshop", "zhou", "做项目只有白天能进工坊", "工作日晚间开放到 22 点", 0, 45)...)
	add(report(15, "workshop", "zhou", 40, "门禁设备到货"), report(26, "workshop", "zhou", 80, "门禁装好，试开放一周"))
	add(done(29, "workshop", "zhou")...)
	add(check(32, "workshop", true, "两个晚上到工坊查看，到 22 点仍有 30 余人"))
	add(event{day: 33, who: "he", item: "workshop", list: poll})
	add(event{day: 37, who: "he", item: "workshop", do: func(_ context.Context, _ *player, x *engine.Project) ([]engine.Command, error) {
		var out []engine.Command
		for id := range x.Objections {
			out = append(out, engine.Answer{ID: id, Text: "已与后勤保障处商定，周五周六同样开放到 22 点"})
		}
		return out, nil
	}})

	on(2, "he", func(ctx context.Context, p *player, who engine.Actor) error {
		l, err := p.drawUp(ctx, who, school, 0, 0, 28)
		if err == nil {
			_, err = p.Engine.PutOn(ctx, who, l.ID, l.Version, []engine.ProjectID{p.items["queue"], p.items["thesis"], p.items["workshop"]})
		}
		return err
	})
	on(3, "li", func(ctx context.Context, p *player, who engine.Actor) error {
		_, err := p.Engine.PublishList(ctx, who, p.listOf(school, 0), 0)
		return err
	})
	on(29, "he", func(ctx context.Context, p *player, who engine.Actor) error {
		_, err := p.drawUp(ctx, who, school, 1, 29, 29+Workdays)
		return err
	})
	on(30, "he", func(ctx context.Context, p *player, who engine.Actor) error {
		_, err := p.Engine.CarryOver(ctx, who, p.listOf(school, 0), 0, p.items["workshop"], p.listOf(school, 1), "刚刚报请核查，核查和测评在下一期完成")
		return err
	})
	on(31, "li", func(ctx context.Context, p *player, who engine.Actor) error {
		if _, err := p.Engine.CloseList(ctx, who, p.listOf(school, 0), 0, "三项逐一核对：两项已销号，一项结转，同意关账"); err != nil {
			return err
		}
		_, err := p.Engine.PublishList(ctx, who, p.listOf(school, 1), 0)
		return err
	})
	return s
}

// founded puts up an item of the 党总支 on the play's first day.
func founded(item, title, measures string) event {
	return event{who: "he", item: item, create: func(*player) (string, string, engine.Draft) {
		return "shishi", school, engine.Draft{Title: title, Measures: measures}
	}}
}

// marks are what the first who followed the link said, from 非常不满意 (1) to 非常满意 (5), and votes how many they are.
var marks = []struct{ level, votes int }{{5, 13}, {4, 8}, {3, 3}, {2, 1}}

// poll opens a poll behind a link, which stays open when the play ends, and lets people answer it; the words behind
// the one bad mark become an objection.
func poll(ctx context.Context, p *player, who engine.Actor) error {
	x, err := p.Engine.Project(ctx, who, p.items["workshop"])
	if err != nil {
		return err
	}
	_, token, err := p.Engine.OpenPoll(ctx, who, x.ID, x.Version, p.date(Workdays+8))
	if err != nil {
		return err
	}
	device := 0
	for _, m := range marks {
		comment := ""
		if m.level <= 2 {
			comment = "周五晚上还是关着门"
		}
		for range m.votes {
			device++
			if err := p.Engine.Cast(ctx, token, fmt.Sprintf("a-phone-of-the-play-%04d", device), m.level, comment); err != nil {
				return err
			}
		}
	}
	return nil
}
