//go:build bench

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// importedRows is how long the ledger of TestBenchImport is.
const importedRows = 10_000

// TestBenchImport takes a workbook of 10,000 rows, each with a plan in a cell, units and a deadline, into both
// databases by the program itself, then a second one with the progress of every row. 10 s and 256 MiB are asked for.
func TestBenchImport(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "bihuan")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "nomsgpack", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	plan, progress := filepath.Join(dir, "2026plan.xlsx"), filepath.Join(dir, "2026progress.xlsx")
	writeLedger(t, plan, []any{"序号", "实事项目", "工作举措及实施计划", "责任单位", "配合单位", "完成时限", "监督电话"}, func(i int) []any {
		return []any{i, fmt.Sprintf("新建成幼儿园第%d所，新增公办学位 680 个", i),
			fmt.Sprintf("1.%d月底前主体完工，开始装修工程施工；2.8月底前第%d所竣工交付。3.11月底前全面完成验收。", i%6+1, i),
			fmt.Sprintf("第%d处", i%100), fmt.Sprintf("第%d处、财政局、规划和自然资源分局", (i+1)%100), fmt.Sprintf("%d月底前", i%12+1), 13800000000 + i}
	})
	writeLedger(t, progress, []any{"序号", "实事项目", "责任单位", "进展情况", "完成率"}, func(i int) []any {
		return []any{i, fmt.Sprintf("新建成幼儿园第%d所，新增公办学位 680 个", i), fmt.Sprintf("第%d处", i%100), fmt.Sprintf("第%d所主体完工", i), fmt.Sprint(i%100, "%")}
	})
	for _, backend := range storagetest.Backends {
		t.Run(backend, func(t *testing.T) {
			dsn := storagetest.DSN(t, backend)
			db, err := storage.Open(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			w := newBenchWorld(t, db)
			for i := range 100 {
				if _, err := w.engine.AddUnit(t.Context(), engine.Operator(), "root", fmt.Sprint("u", i), fmt.Sprintf("第%d处", i)); err != nil {
					t.Fatal(err)
				}
			}
			source, err := os.ReadFile("engine/intake/testdata/ledger_item.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.engine.Publish(t.Context(), engine.Operator(), source); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			run := func(what, file string) importReport {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), binary, "import", "--db", dsn, "--kind", "tz", "--unit", "root", "--list", "2026-1", "--json", file)
				began := time.Now()
				out, err := cmd.Output()
				took := time.Since(began)
				var r importReport
				if err != nil || json.Unmarshal(out, &r) != nil {
					t.Fatalf("%v\n%.2000s", err, out)
				}
				usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
				fmt.Printf("figure %s_%s_seconds %.1f\nfigure %s_%s_mebibytes %d\n", what, backend, took.Seconds(), what, backend, usage.Maxrss>>10)
				fmt.Printf("  %s_%s: %.1f s of processor time\n", what, backend, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
				return r
			}
			if r := run("import", plan); r.Projects != importedRows || len(r.Items[0].Milestones) != 3 {
				t.Errorf("%d projects, milestones %v, problems %v", r.Projects, r.Items[0].Milestones, r.Problems)
			}
			if r := run("import_progress", progress); r.Reported != importedRows || r.Projects != 0 {
				t.Errorf("%d reported, %d projects", r.Reported, r.Projects)
			}
			if r := run("import_again", progress); r.Reported != 0 || r.Known != importedRows {
				t.Errorf("again: %d reported, %d known", r.Reported, r.Known)
			}
		})
	}
}

// writeLedger writes a workbook of importedRows rows.
func writeLedger(t *testing.T, path string, header []any, row func(i int) []any) {
	t.Helper()
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range importedRows + 1 {
		cells := header
		if i > 0 {
			cells = row(i)
		}
		if err := w.SetRow(fmt.Sprint("A", i+1), cells); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.SaveAs(path); err != nil {
		t.Fatal(err)
	}
}
