package console

import (
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
)

// Difference is one thing that two versions of a definition say differently. Path names it by ids: "stages.track.limit".
// Old or New is empty where that version does not have it.
type Difference struct{ Path, Old, New string }

// versions lists what was published of the workflow, and compares the two versions that the address names: without
// any, the one that is shown with the one before it.
func (c *Console) versions(v *visit, view *workflowView) error {
	list, err := c.Engine.Versions(v.ctx, view.ID)
	if err != nil {
		return err
	}
	view.Old, view.New = compared(v.g.Query("old")), compared(v.g.Query("new"))
	if view.Old == 0 && view.New == 0 {
		if i := slices.IndexFunc(list, func(d engine.Definition) bool { return d.Version == view.Version }); i >= 0 && i+1 < len(list) {
			view.Old, view.New = list[i+1].Version, view.Version
		}
	}
	for _, d := range list {
		view.Versions = append(view.Versions, versionRow{Version: d.Version, At: c.moment(d.PublishedAt), By: c.names.user(v, d.PublishedBy), Digest: hashOf(d.Digest),
			Href: "/workflows/" + view.ID + "?version=" + strconv.Itoa(d.Version), Current: d.Version == view.Current, Shown: d.Version == view.Version,
			Older: d.Version == view.Old, Newer: d.Version == view.New})
	}
	if view.Old == 0 && view.New == 0 {
		return nil
	}
	before, err := c.Engine.Version(v.ctx, view.ID, view.Old)
	if err == nil {
		var after *engine.Workflow
		if after, err = c.Engine.Version(v.ctx, view.ID, view.New); err == nil {
			for _, d := range c.Compare(before, after) {
				view.Differences = append(view.Differences, differenceRow{Path: d.Path, Where: v.whereIn(before, after, d.Path), Old: d.Old, New: d.New})
			}
		}
	}
	if engine.KindOf(err) == engine.NotFound {
		view.Problem, err = asError(err).In(v.lang), nil
	}
	return err
}

// compared is the number of a version in an address, 0 for what is none.
func compared(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// whereIn names the stage or transition that a path is about, as far as one of the versions has it.
func (v *visit) whereIn(before, after *engine.Workflow, path string) string {
	part, rest, _ := strings.Cut(path, ".")
	id, _, _ := strings.Cut(rest, ".")
	for _, w := range []*engine.Workflow{after, before} {
		switch part {
		case "stages":
			for _, s := range w.Stages {
				if string(s.ID) == id {
					return s.Name.In(v.lang)
				}
			}
		case "transitions":
			for _, t := range w.Transitions {
				if string(t.ID) == id {
					return t.Name.In(v.lang)
				}
			}
		case "timers":
			for _, t := range w.Timers {
				if string(t.ID) == id {
					return t.Rung.In(v.lang)
				}
			}
		}
	}
	return ""
}
