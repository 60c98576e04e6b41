package plan

import (
	"context"

	"bihuan/engine"
)

// collected are the needs that were heard on visits before the second list is drawn up: two that say the same, one
// that an item takes up, one that is answered with a reason, and those that still wait.
func collected() []event {
	var ids []engine.NeedID
	collect := func(day int, who, unit string, d engine.NeedDraft, proposer string) event {
		return event{day: day, who: who, item: "needs", list: func(ctx context.Context, p *player, by engine.Actor) error {
			d.Number = p.period(1)
			if proposer != "" {
				d.Proposer = p.world.People[proposer].ID
			}
			n, err := p.Engine.Collect(ctx, by, p.world.Units[unit], d)
			ids = append(ids, n.ID)
			return err
		}}
	}
	on := func(day int, n int, do func(ctx context.Context, p *player, by engine.Actor, n engine.Need) error) event {
		return event{day: day, who: "zhang", item: "needs", list: func(ctx context.Context, p *player, by engine.Actor) error {
			x, err := p.Engine.TheNeed(ctx, by, ids[n])
			if err != nil {
				return err
			}
			return do(ctx, p, by, x)
		}}
	}
	return []event{
		collect(28, "zhang", "csxy", engine.NeedDraft{Title: "希望多办校地合作的实践项目", Text: "学生反映企业实践名额少，想去本地企业实习。", Source: engine.FromMeeting, Who: "学生", Times: 17}, "chen"),
		collect(29, "zhang", "csxy", engine.NeedDraft{Title: "实习岗位太少", Source: engine.FromVisit, Who: "学生", Times: 9, Contact: "王同学 电话 010-0000（示例）"}, ""),
		collect(30, "zhang", "csxy", engine.NeedDraft{Title: "校门口公交站没有雨棚", Source: engine.FromLetter, Who: "退休教职工", Times: 3, Contact: "刘老师 信箱 12 号（示例）"}, ""),
		collect(31, "zhang", "csxy", engine.NeedDraft{Title: "自习室插座不够用", Text: "图书馆三楼自习室 120 个座位只有 40 个插座。", Source: engine.FromHotline, Who: "学生", Times: 26}, ""),
		collect(32, "wu", "jsj-1", engine.NeedDraft{Title: "实验室周末不开放", Source: engine.FromSurvey, Who: "研究生", Times: 8}, ""),
		on(36, 1, func(ctx context.Context, p *player, by engine.Actor, n engine.Need) error {
			_, err := p.Engine.MergeNeed(ctx, by, n.ID, n.Version, ids[0])
			return err
		}),
		on(38, 0, func(ctx context.Context, p *player, by engine.Actor, n engine.Need) error {
			_, err := p.Engine.AcceptNeed(ctx, by, n.ID, n.Version, engine.NeedItem{Project: p.items["friends"]}, "下一期清单办理，新签协议都含实习岗位")
			return err
		}),
		on(38, 2, func(ctx context.Context, p *player, by engine.Actor, n engine.Need) error {
			_, err := p.Engine.DeclineNeed(ctx, by, n.ID, n.Version, "公交站属市政设施，已经致函公交公司，对方答复明年春季改造")
			return err
		}),
		on(39, 2, func(ctx context.Context, p *player, by engine.Actor, n engine.Need) error {
			_, err := p.Engine.TellNeed(ctx, by, n.ID, n.Version, "当面告知本人，并留下公交公司的答复复印件")
			return err
		}),
	}
}
