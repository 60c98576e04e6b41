package plan

import (
	"context"
	"fmt"

	"bihuan/engine"
)

// period is the number of the two months that the play begins in, or of those n periods later.
func (p *player) period(n int) string {
	i := p.Start.Year()*6 + (int(p.Start.Month())-1)/2 + n
	return fmt.Sprintf("%d-%d", i/6, i%6+1)
}

// The units that keep lists: the college, and one 党总支 under it.
const (
	college = "csxy"
	school  = "jsj"
)

var listNames = map[string]string{college: "双月实事清单", school: "计算机学院实事清单"}

// lists is the life of the college's list: drawn up and published in the first week, one item added later; when its
// period is over the clock begins the reconciliation, and what will not be done is carried over into the next.
func lists() []event {
	on := func(day int, who string, do func(ctx context.Context, p *player, who engine.Actor) error) event {
		return event{day: day, who: who, item: "lists", list: do}
	}
	return []event{
		on(5, "zhang", func(ctx context.Context, p *player, who engine.Actor) error {
			l, err := p.drawUp(ctx, who, college, 0, 0, Workdays-2)
			if err != nil {
				return err
			}
			named, err := p.Engine.Named(ctx, who, &l)
			if err != nil {
				return err
			}
			ids := make([]engine.ProjectID, len(named))
			for i := range named {
				ids[i] = named[i].ID
			}
			_, err = p.Engine.PutOn(ctx, who, l.ID, l.Version, ids)
			return err
		}),
		on(6, "li", func(ctx context.Context, p *player, who engine.Actor) error {
			_, err := p.Engine.PublishList(ctx, who, p.listOf(college, 0), 0)
			return err
		}),
		on(36, "zhang", func(ctx context.Context, p *player, who engine.Actor) error {
			_, err := p.Engine.PutOn(ctx, who, p.listOf(college, 0), 0, []engine.ProjectID{p.items["blueprint"]})
			return err
		}),
		on(38, "zhang", func(ctx context.Context, p *player, who engine.Actor) error {
			l, err := p.drawUp(ctx, who, college, 1, Workdays-1, 2*Workdays)
			if err == nil {
				_, err = p.Engine.PutOn(ctx, who, l.ID, l.Version, []engine.ProjectID{p.items["friends"]})
			}
			return err
		}),
		on(39, "zhang", func(ctx context.Context, p *player, who engine.Actor) error {
			_, err := p.Engine.CarryOver(ctx, who, p.listOf(college, 0), 0, p.items["brand"], p.listOf(college, 1), "场地方案要到下一期才能定下来")
			return err
		}),
	}
}

// drawUp begins a list of the unit from one working day of the play to another.
func (p *player) drawUp(ctx context.Context, who engine.Actor, unit string, period, from, to int) (engine.List, error) {
	number := p.period(period)
	l, err := p.Engine.DrawUp(ctx, who, p.world.Units[unit],
		engine.ListHeader{Number: number, Name: listNames[unit] + " " + number, From: p.date(from), To: p.date(to)})
	p.lists[unit+" "+number] = l.ID
	return l, err
}

// listOf is the unit's list of the two months that the play begins in, or of those n periods later.
func (p *player) listOf(unit string, n int) engine.ListID { return p.lists[unit+" "+p.period(n)] }
