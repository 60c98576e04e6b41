//go:build bench

package storage_test

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/layout"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// takenOut is how many items the export has.
const takenOut = 100_000

// counter counts the bytes of a file that nobody keeps.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// TestBenchExport takes a ledger of 100,000 items out; the bar is 10 s and 128 MiB, as the system sees the process.
func TestBenchExport(t *testing.T) {
	layouts, err := layout.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		e, err := engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile})
		if err != nil {
			t.Fatal(err)
		}
		source, _ := workflows.Source("shishi")
		d, err := e.Publish(ctx, engine.Operator(), source)
		if err != nil {
			t.Fatal(err)
		}
		u, err := e.AddUnit(ctx, engine.Operator(), "", "dw", "学校党委")
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().UTC().Truncate(time.Microsecond)
		err = db.FillProjects(ctx, func(yield func(*engine.Project) bool) {
			for i := range takenOut {
				id := engine.ProjectID(fmt.Sprintf("01a20ad9-9b3e-78e3-9fc3-%012d", i))
				due := calendar.DateOf(at, time.UTC).AddDays(i % 300)
				if !yield(&engine.Project{ID: id, Number: fmt.Sprintf("SS2026-%06d", i), Kind: "shishi", Definition: d.Digest, UnitID: u.ID, Title: fmt.Sprintf("图书馆三楼阅览室照明改造（第%d批）", i),
					Category: "师生实事", Target: strings.Repeat("年内完成，", 5), Measures: strings.Repeat("逐项梳理、逐项上线、逐项回访。", 3), Assisting: []string{"后勤保障处", "信息化中心"},
					Milestones: map[string]engine.Milestone{"m1": {Title: "完成招标", Due: due.AddDays(-20)}, "m2": {Title: "完成安装", Due: due.AddDays(-5)}}, Extra: map[string]string{"监督电话": "88886666"},
					Stage: "advance", StageSince: at, Progress: i % 100, Deadline: due, OriginalDeadline: due, CreatedBy: "operator", CreatedAt: at, UpdatedAt: at, Version: 1, Head: audit.HashEntry([]byte(id))}) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		desk := &layout.Desk{Engine: e, Layouts: layouts}
		for _, format := range layout.Formats {
			debug.FreeOSMemory()
			forgetPeak(t)
			begin, worked := time.Now(), work(t)
			x, err := desk.Ledger(ctx, layout.Asked{Who: engine.Operator(), Lang: "zh-CN", Format: format}, layout.Query{})
			if err != nil {
				t.Fatal(err)
			}
			var n counter
			if err := x.Write(ctx, io.Writer(&n)); err != nil {
				t.Fatal(err)
			}
			t.Logf("time export_%d_%s_%s %.2f s", takenOut, format, db.Backend(), time.Since(begin).Seconds())
			t.Logf("figure export_%d_%s_%s %.0f MiB of memory, %.1f MiB of file, %.1f s of processor", takenOut, format, db.Backend(), peak(t), float64(n)/(1<<20), (work(t) - worked).Seconds())
		}
	})
}

// forgetPeak lets the system begin anew with what the process has had in memory at most.
func forgetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil {
		t.Skipf("the most memory that was used cannot be told here: %v", err)
	}
}

// peak is the most that the process had in memory since, in MiB.
func peak(t *testing.T) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}

// work is how long processors have worked for the process, whatever else the machine did.
func work(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
