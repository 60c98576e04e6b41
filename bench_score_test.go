//go:build bench

package main

import (
	"fmt"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// Of a year of 100 units: 2,500 items with 20 entries each.
const (
	scoredUnits = 100
	scoredItems = 2500
	scoredMoves = 20
)

// TestBenchScore computes every unit's score over a year of 50,000 entries; issue 6 asks for 2 s.
func TestBenchScore(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		e, err := engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile})
		if err != nil {
			t.Fatal(err)
		}
		var units []engine.Unit
		for i := range scoredUnits {
			parent := ""
			if i > 0 {
				parent = fmt.Sprint("u", i/10)
			}
			u, err := e.AddUnit(ctx, engine.Operator(), parent, fmt.Sprint("u", i), fmt.Sprint("单位", i))
			if err != nil {
				t.Fatal(err)
			}
			units = append(units, u)
		}
		year := time.Now().Year()
		begin := time.Now().UTC().Truncate(time.Microsecond)
		for i := range scoredItems {
			writeYear(t, db, units[i%len(units)], i, begin)
		}
		q := score.Query{From: calendar.NewDate(year, 1, 1), To: calendar.NewDate(year, 12, 31), Location: e.Site.Location, Calendar: e.Working()}
		sheet := workflows.Sheets()[0]
		best := time.Hour
		for range rounds {
			start := time.Now()
			book, err := score.Read(ctx, db, q)
			if err != nil {
				t.Fatal(err)
			}
			table := book.Score(sheet)
			best = min(best, time.Since(start))
			if len(table.Units) != scoredUnits || table.Units[0].Items != scoredItems {
				t.Fatalf("%d units, %d items", len(table.Units), table.Units[0].Items)
			}
		}
		t.Logf("time score_%d_entries_%s %.2f s", scoredItems*scoredMoves, db.Backend(), best.Seconds())
		start := time.Now()
		q.Unit = units[50].ID
		book, err := score.Read(ctx, db, q)
		if err != nil {
			t.Fatal(err)
		}
		book.Score(sheet)
		t.Logf("time score_one_unit_%s %.3f s", db.Backend(), time.Since(start).Seconds())
	})
}

// writeYear commits an item's whole chain: reports like real ones, then 销号.
func writeYear(t *testing.T, db *storage.DB, u engine.Unit, i int, begin time.Time) {
	t.Helper()
	var changes []engine.Change
	p := engine.Project{ID: engine.ProjectID(fmt.Sprintf("01a20ad9-9b3e-78e3-9fc3-%012d", i)), Number: fmt.Sprintf("SS-%04d", i), Kind: "shishi", UnitID: u.ID,
		Title: "一站式线上办事大厅二期：新增 18 项师生高频事项", Need: "办事要跑多个部门", Target: "18 项事项全部上线", Measures: "逐项梳理、逐项上线、逐项回访",
		Stage: "plan", StageSince: begin, Deadline: calendar.DateOf(begin, time.UTC).AddDays(30), CreatedAt: begin, UpdatedAt: begin, CreatedBy: "x"}
	for n := range scoredMoves {
		before, action := p, "report"
		var old []byte
		if n > 0 {
			old = before.State()
		}
		switch n {
		case 0:
			action = "create"
		case scoredMoves - 1:
			action, p.Stage, p.ClosedAt = "approve", engine.Closed, &begin
		default:
			p.Progress, p.Reports, p.ReportedAt = n*5, n, &begin
		}
		p.Version = int64(n + 1)
		set, err := audit.Diff(old, p.State())
		if err != nil {
			t.Fatal(err)
		}
		entry := audit.Entry{V: audit.Format, Log: "bench", ID: fmt.Sprintf("01a20ad9-9b3e-78e3-%04d-%012d", n, i), At: begin, Actor: audit.Actor{ID: "x", Via: audit.ViaAPI},
			Action: action, Subject: p.Subject(), Unit: string(u.ID), Seq: p.Version, Prev: before.Head, Version: p.Version,
			Data: append(append([]byte(`{"report":{"done":"完成了本月的事项梳理，走访三个学院","next":"继续推进","percent":5},"set":`), set...), '}')}
		raw, err := entry.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		p.Head = audit.HashEntry(raw)
		changes = append(changes, engine.Change{Base: before.Version, Project: p, Entry: entry, Bytes: raw})
	}
	for _, err := range db.Commit(t.Context(), changes...) {
		if err != nil {
			t.Fatal(err)
		}
	}
}
