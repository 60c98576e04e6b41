package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// LayMilestones adds dated steps to the 时间表. What a step comes after is named by the id of a milestone, or by "#2"
// for the second of those that are laid with it.
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
	ids, err := p.lay(x.Milestones)
	if err != nil {
		return outcome{}, err
	}
	return outcome{action: "lay_milestones", as: as, data: map[string]any{"milestones": ids}}, nil
}

// lay adds milestones and returns their ids.
func (p *Project) lay(list []Milestone) ([]string, error) {
	if len(p.Milestones)+len(list) > maxMilestones {
		return nil, invalid("milestones", "milestones.too_many", "limit", maxMilestones)
	}
	if p.Milestones == nil {
		p.Milestones = map[string]Milestone{}
	}
	var ids []string
	for i, m := range list {
		m, err := m.checked(fmt.Sprintf("milestones[%d].", i))
		if err != nil {
			return nil, err
		}
		p.Serial++
		id := fmt.Sprintf("m%d", p.Serial)
		p.Milestones[id] = m
		ids = append(ids, id)
	}
	for i, id := range ids {
		m := p.Milestones[id]
		for j, a := range m.After {
			if n, err := strconv.Atoi(strings.TrimPrefix(a, "#")); strings.HasPrefix(a, "#") && err == nil && n >= 1 && n <= len(ids) {
				m.After[j] = ids[n-1]
			}
		}
		if err := p.follows(fmt.Sprintf("milestones[%d].after", i), id, m); err != nil {
			return nil, err
		}
	}
	return ids, nil
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
	if len(m.After) > maxMilestones {
		return m, invalid(field+"after", "field.too_many")
	}
	return Milestone{Title: title, Due: m.Due, Who: who, After: slices.Clone(m.After)}, nil
}

// follows checks what the milestone with the id comes after: known ones that are due no later, and never itself.
func (p *Project) follows(field, id string, m Milestone) error {
	for _, a := range m.After {
		before, ok := p.Milestones[a]
		switch {
		case !ok:
			return invalid(field, "milestone.unknown", "id", a)
		case before.Due.After(m.Due):
			return invalid(field, "milestone.follows_later", "title", m.Title, "before", before.Title)
		}
	}
	if p.precedes(id, m.After, map[string]bool{}) {
		return invalid(field, "milestone.follows_itself", "title", m.Title)
	}
	return nil
}

// precedes reports whether the milestone stands among after, or among what those come after.
func (p *Project) precedes(id string, after []string, seen map[string]bool) bool {
	for _, a := range after {
		if a == id {
			return true
		}
		if !seen[a] {
			seen[a] = true
			if p.precedes(id, p.Milestones[a].After, seen) {
				return true
			}
		}
	}
	return false
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
	for id, other := range p.Milestones { // a new date may now lie behind that of a step that follows
		if id == x.ID || slices.Contains(other.After, x.ID) {
			if err := p.follows("after", id, other); err != nil {
				return outcome{}, err
			}
		}
	}
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
	gone := p.Milestones[x.ID]
	delete(p.Milestones, x.ID)
	for id, m := range p.Milestones { // what came after it now comes after what it came after
		if slices.Contains(m.After, x.ID) {
			m.After = slices.DeleteFunc(slices.Clone(m.After), func(a string) bool { return a == x.ID })
			for _, a := range gone.After {
				if !slices.Contains(m.After, a) {
					m.After = append(m.After, a)
				}
			}
			p.Milestones[id] = m
		}
	}
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
