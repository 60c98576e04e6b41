package engine

import "fmt"

// LayMilestones adds dated steps to the 时间表.
type LayMilestones struct{ Milestones []Milestone }

const maxMilestones = 60

func (x LayMilestones) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActMilestones)
	if err != nil {
		return outcome{}, err
	}
	if len(x.Milestones) == 0 {
		return outcome{}, invalid("milestones", "field.empty")
	}
	if len(p.Milestones)+len(x.Milestones) > maxMilestones {
		return outcome{}, invalid("milestones", "milestones.too_many", "limit", maxMilestones)
	}
	if p.Milestones == nil {
		p.Milestones = map[string]Milestone{}
	}
	var ids []string
	for i, m := range x.Milestones {
		m, err := m.checked(fmt.Sprintf("milestones[%d].", i))
		if err != nil {
			return outcome{}, err
		}
		p.Serial++
		id := fmt.Sprintf("m%d", p.Serial)
		p.Milestones[id] = m
		ids = append(ids, id)
	}
	return outcome{action: "lay_milestones", as: as, data: map[string]any{"milestones": ids}}, nil
}

// checked returns the milestone as people may lay it: not yet done.
func (m Milestone) checked(field string) (Milestone, error) {
	title, err := text(field+"title", m.Title, maxTitle)
	if err != nil {
		return m, err
	}
	who, err := text(field+"who", m.Who, maxTitle)
	if err != nil {
		return m, err
	}
	if title == "" {
		return m, invalid(field+"title", "field.empty")
	}
	if m.Due.IsZero() {
		return m, invalid(field+"due", "field.empty")
	}
	return Milestone{Title: title, Due: m.Due, Who: who}, nil
}

// EditMilestone changes a milestone that is not done.
type EditMilestone struct {
	ID        string
	Milestone Milestone
}

func (x EditMilestone) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActMilestones)
	if err != nil {
		return outcome{}, err
	}
	if err := p.openMilestone(x.ID); err != nil {
		return outcome{}, err
	}
	m, err := x.Milestone.checked("")
	if err != nil {
		return outcome{}, err
	}
	p.Milestones[x.ID] = m
	return outcome{action: "edit_milestone", as: as, data: map[string]any{"milestone": x.ID}}, nil
}

// RemoveMilestone takes a milestone that is not done off the 时间表.
type RemoveMilestone struct{ ID string }

func (x RemoveMilestone) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActMilestones)
	if err != nil {
		return outcome{}, err
	}
	if err := p.openMilestone(x.ID); err != nil {
		return outcome{}, err
	}
	delete(p.Milestones, x.ID)
	return outcome{action: "remove_milestone", as: as, data: map[string]any{"milestone": x.ID}}, nil
}

func (p *Project) openMilestone(id string) error {
	m, ok := p.Milestones[id]
	if !ok {
		return notFound("milestone.unknown", "id", id)
	}
	if m.DoneAt != nil {
		return blocked("milestone.done", "title", m.Title)
	}
	return nil
}

// Tick marks a milestone as done.
type Tick struct {
	ID   string
	Note string
}

func (x Tick) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActTick)
	if err != nil {
		return outcome{}, err
	}
	if err := p.openMilestone(x.ID); err != nil {
		return outcome{}, err
	}
	note, err := text("note", x.Note, maxNote)
	if err != nil {
		return outcome{}, err
	}
	m := p.Milestones[x.ID]
	m.DoneAt = at(c.Now)
	m.DoneNote = note
	p.Milestones[x.ID] = m
	return outcome{action: "tick", as: as, note: note, data: map[string]any{"milestone": x.ID}}, nil
}
