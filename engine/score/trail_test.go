package score

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return loc
}()

// moment is a time in Shanghai.
func moment(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, shanghai)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// paper is a trail in memory.
type paper struct {
	entries []audit.Entry
	heads   map[string]audit.Digest
}

func (p *paper) Walk(_ context.Context, f engine.TrailFilter, each func([]byte) error) error {
	var chosen []audit.Entry
	for _, e := range p.entries {
		if e.Kind() == f.Kind && e.At.Before(f.Before) && (len(f.Units) == 0 || slices.Contains(f.Units, engine.UnitID(e.Unit))) {
			chosen = append(chosen, e)
		}
	}
	slices.SortStableFunc(chosen, func(a, b audit.Entry) int { return cmp.Compare(a.Subject, b.Subject) })
	for _, e := range chosen {
		raw, err := e.Bytes()
		if err != nil {
			return err
		}
		if err := each(raw); err != nil {
			return err
		}
	}
	return nil
}

// write appends an entry to a subject's chain.
func (p *paper) write(at time.Time, subject, unit, action string, before, after any, data map[string]any) audit.Entry {
	if p.heads == nil {
		p.heads = map[string]audit.Digest{}
	}
	seq := int64(1)
	for _, e := range p.entries {
		if e.Subject == subject {
			seq++
		}
	}
	var old json.RawMessage
	if before != nil {
		old = must(json.Marshal(before))
	}
	all := map[string]any{"set": must(audit.Diff(old, must(json.Marshal(after))))}
	for k, v := range data {
		all[k] = v
	}
	e := audit.Entry{V: audit.Format, Log: "test", ID: fmt.Sprintf("%s-%d", subject, seq), At: at, Actor: audit.Actor{ID: "x", Via: audit.ViaAPI},
		Action: action, Subject: subject, Unit: unit, Seq: seq, Prev: p.heads[subject], Version: seq, Data: must(json.Marshal(all))}
	p.heads[subject] = audit.HashEntry(must(e.Bytes()))
	p.entries = append(p.entries, e)
	return e
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (p *paper) unit(id, path string) {
	u := engine.Unit{ID: engine.UnitID(id), Path: path, Code: "code" + id, Name: "单位" + id, CreatedAt: moment("2026-01-01 08:00"), Version: 1}
	p.write(u.CreatedAt, "unit/"+id, id, "add_unit", nil, u, nil)
}

// work is a project whose history is written move by move.
type work struct {
	paper *paper
	p     engine.Project
	at    time.Time
}

func (w *work) do(action string, data map[string]any, change func(p *engine.Project)) {
	before := w.p
	var old any
	if before.Version > 0 {
		old = &before
	}
	next := clone(&w.p)
	change(&next)
	next.Version++
	next.UpdatedAt = w.at
	w.paper.write(w.at, next.Subject(), string(next.UnitID), action, old, &next, data)
	w.p = next
}

func clone(p *engine.Project) engine.Project {
	var q engine.Project
	if err := json.Unmarshal(must(json.Marshal(p)), &q); err != nil {
		panic(err)
	}
	return q
}

func (p *paper) propose(id, unit string, at time.Time, deadline calendar.Date) *work {
	w := &work{paper: p, at: at}
	w.do("create", nil, func(p *engine.Project) {
		p.ID, p.Number, p.Kind, p.Title, p.UnitID = engine.ProjectID(id), "SS"+id, "shishi", "实事"+id, engine.UnitID(unit)
		p.Stage, p.StageSince, p.Deadline, p.CreatedAt, p.CreatedBy = "plan", at, deadline, at, "x"
	})
	return w
}

func (w *work) on(at string) *work { w.at = moment(at); return w }

func (w *work) moves(action string, to engine.StageID, data map[string]any) *work {
	w.do(action, data, func(p *engine.Project) {
		p.Stage, p.StageSince = to, w.at
		p.ClosedAt = nil
		if to == engine.Closed {
			p.ClosedAt = &w.at
		}
	})
	return w
}

func (w *work) overdue() *work {
	w.do("overdue", nil, func(p *engine.Project) { p.OverdueAt, p.EverOverdue = &w.at, true })
	return w
}

func (w *work) reopened() *work {
	w.do("approve", map[string]any{"request": "look_back", "passed": false}, func(p *engine.Project) {
		p.Stage, p.ClosedAt, p.Deadline = "advance", nil, calendar.DateOf(w.at, shanghai).AddDays(30)
		p.LookBacksFailed++
		p.Round++
	})
	return w
}

func (w *work) says(action string, data map[string]any) *work {
	w.do(action, data, func(*engine.Project) {})
	return w
}

func (w *work) survey(yes, no int) *work {
	w.do("survey", nil, func(p *engine.Project) {
		p.Survey = &engine.Survey{Satisfied: yes, Dissatisfied: no, By: "x", At: w.at}
	})
	return w
}

var halfYear = Query{From: calendar.MustDate("2026-01-01"), To: calendar.MustDate("2026-06-30"), Location: shanghai, Calendar: calendar.Embedded()}

func tree() *paper {
	p := &paper{}
	p.unit("r", "/r/")
	p.unit("a", "/r/a/")
	p.unit("b", "/r/b/")
	p.unit("c", "/r/b/c/")
	return p
}

// random writes histories of several projects in which anything may follow anything.
func random(t *rapid.T) *paper {
	p := tree()
	for i := range rapid.IntRange(1, 6).Draw(t, "projects") {
		at := moment("2025-11-01 09:00").Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "created")) * time.Hour)
		unit := rapid.SampledFrom([]string{"r", "a", "b", "c"}).Draw(t, "unit")
		w := p.propose(fmt.Sprint(i), unit, at, calendar.DateOf(at, shanghai).AddDays(rapid.IntRange(1, 120).Draw(t, "deadline")))
		for range rapid.IntRange(0, 14).Draw(t, "moves") {
			w.at = w.at.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "hours")) * time.Hour)
			w.random(t)
		}
	}
	return p
}

func (w *work) random(t *rapid.T) {
	stage := engine.StageID(rapid.SampledFrom([]string{"plan", "deploy", "advance", "closed", "closed", "shelved", "cancelled"}).Draw(t, "stage"))
	n := rapid.IntRange(0, 30).Draw(t, "n")
	id := rapid.SampledFrom([]string{"m1", "m2"}).Draw(t, "milestone")
	switch rapid.IntRange(0, 12).Draw(t, "move") {
	case 0, 1:
		w.moves("approve", stage, map[string]any{"request": "transition"})
	case 2:
		w.overdue()
	case 3:
		w.survey(n, rapid.IntRange(0, 3).Draw(t, "no"))
	case 4:
		w.do("return", map[string]any{"request": "transition"}, func(p *engine.Project) { p.Returns++; p.Stage = "plan" })
	case 5:
		w.do("approve", map[string]any{"request": "extension"}, func(p *engine.Project) { p.Extensions++; p.Deadline = p.Deadline.AddDays(n) })
	case 6:
		w.says("rung", map[string]any{"rung": "supervise"})
	case 7:
		w.says("urge", nil)
	case 8:
		w.do("verify", map[string]any{"passed": false}, func(p *engine.Project) { p.Round++; p.Survey = nil; p.Stage = "advance" })
	case 9:
		w.says("approve", map[string]any{"request": "look_back", "passed": n%2 == 0})
	case 10:
		w.do("lay_milestones", nil, func(p *engine.Project) {
			p.Milestones = map[string]engine.Milestone{id: {Title: "节点", Due: calendar.DateOf(w.at, shanghai).AddDays(n)}}
		})
	case 11:
		w.do("tick", map[string]any{"milestone": id}, func(p *engine.Project) {
			if m, ok := p.Milestones[id]; ok {
				m.DoneAt = &w.at
				p.Milestones[id] = m
			}
		})
	case 12:
		w.do("summarize", nil, func(p *engine.Project) {
			p.Lasting = strings.Repeat("长", n%3)
			due := w.at.Add(time.Duration(n) * time.Hour)
			p.StageDue = &due
		})
	}
}

// What this package folds is what the project was.
func TestHistoryIsTheFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := random(t)
		q := halfYear.window()
		byID := map[string]*history{}
		chains := map[string]*audit.Chain{}
		for _, e := range p.entries {
			if e.Kind() != engine.SubjectProject {
				continue
			}
			if byID[e.Subject] == nil {
				byID[e.Subject], chains[e.Subject] = &history{q: &q}, audit.NewChain(e.Subject)
			}
			h, c := byID[e.Subject], chains[e.Subject]
			if err := h.add(&e); err != nil {
				t.Fatal(err)
			}
			if bad := c.Add(must(e.Row())); len(bad) > 0 {
				t.Fatalf("the test's trail is not sound: %v", bad)
			}
			var want state
			if err := json.Unmarshal(c.State(), &want); err != nil {
				t.Fatal(err)
			}
			for _, m := range h.state.Milestones {
				m.laid = Ref{}
			}
			if got := must(json.Marshal(h.state)); string(got) != string(must(json.Marshal(want))) {
				t.Fatalf("after %s:\n%s\nwant\n%s", e.ID, got, must(json.Marshal(want)))
			}
		}
	})
}

func TestPoints(t *testing.T) {
	for _, c := range []struct {
		text string
		want Points
		ok   bool
	}{
		{"0", 0, true}, {"2", 200, true}, {"-0.2", -20, true}, {"1.25", 125, true}, {"-10", -1000, true}, {"0.05", 5, true},
		{"", 0, false}, {"-", 0, false}, {"1.", 0, false}, {".5", 0, false}, {"1.234", 0, false}, {"123456", 0, false},
		{"1e3", 0, false}, {"+1", 0, false}, {"--1", 0, false}, {"0x1", 0, false},
	} {
		got, err := ParsePoints(c.text)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %d, %v", c.text, got, err)
		}
		if c.ok && got.String() != c.text {
			t.Errorf("%q is written %q", c.text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := Points(rapid.Int64Range(-9999999, 9999999).Draw(t, "points"))
		if q, err := ParsePoints(p.String()); err != nil || q != p {
			t.Fatalf("%d is written %q and read %d, %v", p, p, q, err)
		}
	})
}
