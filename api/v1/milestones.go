package v1

import (
	"fmt"

	"bihuan/engine"
)

// MilestoneBody is a milestone as people lay it.
type MilestoneBody struct {
	Title string   `json:"title"`
	Due   Date     `json:"due" doc:"A day as YYYY-MM-DD." example:"2026-10-31"`
	Who   string   `json:"who,omitempty" doc:"Who does it, in words."`
	After []string `json:"after,omitempty" doc:"Ids of the milestones that it follows (路线图); #2 is the second of those laid with it."`
}

func (b MilestoneBody) milestone(field string) (engine.Milestone, error) {
	due, err := b.Due.parse(field + "due")
	return engine.Milestone{Title: b.Title, Due: due, Who: b.Who, After: b.After}, err
}

// LayMilestonesBody adds milestones.
type LayMilestonesBody struct {
	Milestones []MilestoneBody `json:"milestones"`
}

// LayMilestones is the request that adds milestones.
type LayMilestones struct {
	Change
	Body LayMilestonesBody
}

func (in *LayMilestones) payload() any { return &in.Body }

func (in *LayMilestones) command() (engine.Command, error) {
	var out engine.LayMilestones
	for i, b := range in.Body.Milestones {
		m, err := b.milestone(fmt.Sprintf("milestones[%d].", i))
		if err != nil {
			return nil, err
		}
		out.Milestones = append(out.Milestones, m)
	}
	return out, nil
}

// OneMilestone is a change of one milestone.
type OneMilestone struct {
	Change
	Milestone string `path:"milestone" maxLength:"20" doc:"Id of the milestone, such as m3."`
}

// EditMilestone is the request that changes a milestone.
type EditMilestone struct {
	OneMilestone
	Body MilestoneBody
}

func (in *EditMilestone) payload() any { return &in.Body }

func (in *EditMilestone) command() (engine.Command, error) {
	m, err := in.Body.milestone("")
	return engine.EditMilestone{ID: in.Milestone, Milestone: m}, err
}

// RemoveMilestone is the request that removes a milestone.
type RemoveMilestone struct{ OneMilestone }

func (in *RemoveMilestone) payload() any { return struct{}{} }

func (in *RemoveMilestone) command() (engine.Command, error) {
	return engine.RemoveMilestone{ID: in.Milestone}, nil
}

// Tick is the request that marks a milestone as done.
type Tick struct {
	OneMilestone
	Body *NoteBody
}

func (in *Tick) payload() any { return noteOf(in.Body) }

func (in *Tick) command() (engine.Command, error) {
	return engine.Tick{ID: in.Milestone, Note: noteOf(in.Body)}, nil
}
