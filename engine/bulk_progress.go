package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine/audit"
)

// LedgerProgress is what a later ledger says of an item that is a project already.
type LedgerProgress struct {
	Report Report
	Known  bool // Report.Percent is what the ledger says; false: it says none, and the project's stays
}

// key identifies what was said of the project, so that a second import of it is found, whatever the file is called.
func (x *LedgerProgress) key(id ProjectID) string {
	percent := ""
	if x.Known {
		percent = strconv.Itoa(x.Report.Percent)
	}
	return audit.HashContent([]byte(strings.Join([]string{string(id), percent, x.Report.Done, x.Report.Problems}, "\n"))).String()
}

// takeProgress is a progress report out of a ledger. Whoever keeps the ledger of a unit writes down what the unit
// handed in, so those may who may import there, beside owner and assistants. The stage must be one with reports.
type takeProgress struct {
	LedgerProgress
	source map[string]string
}

func (x takeProgress) apply(c *Case, p *Project) (outcome, error) {
	as, ok := c.may(p, append(actRoles[ActReport], c.Workflow.Create...))
	if !ok && !c.Who.system {
		return outcome{}, denied("act.role", "roles", roleNameList(append(actRoles[ActReport], c.Workflow.Create...)))
	}
	if stage, _ := c.Workflow.Stage(p.Stage); !has(stage.Acts, ActReport) {
		return outcome{}, blocked("act.stage", "stage", c.Workflow.StageName(p.Stage))
	}
	r := x.Report
	if !x.Known {
		r.Percent = p.Progress
	}
	data, err := r.put(c, p)
	if err != nil {
		return outcome{}, err
	}
	return outcome{action: "report", as: as, data: map[string]any{"report": data, "source": x.source}}, nil
}

// progressOf decides the reports of the rows that are projects already. What a project's stage or the person's rights
// do not allow goes into out.Untold and keeps nothing else out; what cannot be a report at all is a problem.
func (e *Engine) progressOf(ctx context.Context, c *Case, rows []ImportRow, out *Imported) ([]Change, error) {
	told := newTold(rows, out.Known)
	var changes []Change
	for _, r := range rows {
		id, known := out.Known[r.Row]
		if !known || r.Progress == nil {
			continue
		}
		p, said, err := told.project(ctx, e, c.Who, id)
		if err != nil {
			return nil, err
		}
		key := r.Progress.key(id)
		if said[key] {
			continue
		}
		w, err := e.Pinned(ctx, p)
		if err != nil {
			return nil, err
		}
		own := *c
		own.Workflow = w
		source := map[string]string{"key": key}
		for k, v := range r.Source {
			source[k] = v
		}
		change, err := decide(&own, *p, takeProgress{*r.Progress, source})
		switch KindOf(err) {
		case 0:
			if err != nil {
				return nil, err
			}
		case Blocked, Denied:
			out.Untold = append(out.Untold, RowProblem{r.Row, err})
			continue
		default:
			out.Problems = append(out.Problems, RowProblem{r.Row, err})
			continue
		}
		said[key], *p = true, change.Project
		change.Entry.Data = nil // there are tens of thousands, and the bytes have it
		changes = append(changes, change)
		out.Reported = append(out.Reported, r.Row)
	}
	return changes, nil
}

// told are the projects that the rows of a ledger speak of, as they are after the rows before.
type told struct {
	ahead []ProjectID // of rows in their order, not read yet
	now   map[ProjectID]*Project
	said  map[ProjectID]map[string]bool // the keys of what ledgers have reported
}

func newTold(rows []ImportRow, known map[int]ProjectID) *told {
	t := &told{now: map[ProjectID]*Project{}, said: map[ProjectID]map[string]bool{}}
	for _, r := range rows {
		if id, ok := known[r.Row]; ok && r.Progress != nil {
			t.ahead = append(t.ahead, id)
		}
	}
	return t
}

// project returns a project that the person may see and the keys of what was said of it. Whoever asks in the order of
// the rows has the store asked once for many.
func (t *told) project(ctx context.Context, e *Engine, who Actor, id ProjectID) (*Project, map[string]bool, error) {
	for t.said[id] == nil && len(t.ahead) > 0 {
		n := min(len(t.ahead), MaxPage)
		if err := t.read(ctx, e, t.ahead[:n]); err != nil {
			return nil, nil, err
		}
		t.ahead = t.ahead[n:]
	}
	p := t.now[id]
	if p == nil || !who.Sees(p) {
		return nil, nil, notFound("project.unknown", "id", id)
	}
	return p, t.said[id], nil
}

func (t *told) read(ctx context.Context, e *Engine, ids []ProjectID) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id ProjectID) bool { return t.said[id] != nil })
	standing, err := e.Store.Standing(ctx, ids)
	if err != nil {
		return err
	}
	var reported []ProjectID
	for i := range standing {
		p := &standing[i]
		if t.now[p.ID] = p; p.Reports > 0 {
			reported = append(reported, p.ID)
		}
	}
	for _, id := range ids {
		t.said[id] = map[string]bool{}
	}
	return e.Store.Reports(ctx, reported, func(id ProjectID, report json.RawMessage) {
		var data struct {
			Source struct {
				Key string `json:"key"`
			} `json:"source"`
		}
		if json.Unmarshal(report, &data) == nil && data.Source.Key != "" {
			t.said[id][data.Source.Key] = true
		}
	})
}

// again reports whether an import that failed is to be decided anew: somebody did the same at this moment, or a
// project has moved on.
func again(err error, attempt int) bool {
	return attempt < 3 && (errors.Is(err, ErrDuplicate) || errors.Is(err, ErrConflict))
}
