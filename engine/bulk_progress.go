package engine

import (
	"context"
	"encoding/json"
	"errors"
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
	now := map[ProjectID]Project{}
	said := map[ProjectID]map[string]bool{}
	var changes []Change
	for _, r := range rows {
		id, known := out.Known[r.Row]
		if !known || r.Progress == nil {
			continue
		}
		p, read := now[id]
		if !read {
			var err error
			if p, err = e.visible(ctx, c.Who, id); err != nil {
				return nil, err
			}
			if said[id], err = e.said(ctx, &p); err != nil {
				return nil, err
			}
			now[id] = p
		}
		key := r.Progress.key(id)
		if said[id][key] {
			continue
		}
		w, err := e.Pinned(ctx, &p)
		if err != nil {
			return nil, err
		}
		own := *c
		own.Workflow = w
		source := map[string]string{"key": key}
		for k, v := range r.Source {
			source[k] = v
		}
		change, err := decide(&own, p, takeProgress{*r.Progress, source})
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
		said[id][key], now[id] = true, change.Project
		changes = append(changes, change)
		out.Reported = append(out.Reported, r.Row)
	}
	return changes, nil
}

// said are the keys of what ledgers have reported of a project.
func (e *Engine) said(ctx context.Context, p *Project) (map[string]bool, error) {
	keys := map[string]bool{}
	if p.Reports == 0 {
		return keys, nil
	}
	for after := ""; ; {
		page, err := e.Store.Entries(ctx, EntryFilter{Subject: p.Subject(), Actions: []string{"report"}, After: after, Limit: MaxPage})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			var data struct {
				Source struct {
					Key string `json:"key"`
				} `json:"source"`
			}
			if err := json.Unmarshal(page.Items[i].Data, &data); err == nil && data.Source.Key != "" {
				keys[data.Source.Key] = true
			}
		}
		if after = page.Next; after == "" {
			return keys, nil
		}
	}
}

// again reports whether an import that failed is to be decided anew: somebody did the same at this moment, or a
// project has moved on.
func again(err error, attempt int) bool {
	return attempt < 3 && (errors.Is(err, ErrDuplicate) || errors.Is(err, ErrConflict))
}
