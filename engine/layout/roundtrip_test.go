package layout_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/intake"
	"bihuan/engine/layout"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// site is an installation with the units that ledgers name.
func site(t *testing.T, db *storage.DB, names ...string) (*engine.Engine, engine.Unit) {
	t.Helper()
	ctx := t.Context()
	e, err := engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := workflows.Source("shishi")
	if _, err := e.Publish(ctx, engine.Operator(), source); err != nil {
		t.Fatal(err)
	}
	root, err := e.AddUnit(ctx, engine.Operator(), "", "dw", "县委")
	for i := 0; err == nil && i < len(names); i++ {
		_, err = e.AddUnit(ctx, engine.Operator(), "dw", "u"+string(rune('a'+i)), names[i])
	}
	if err != nil {
		t.Fatal(err)
	}
	return e, root
}

// content is what must come through a file unchanged.
type content struct {
	Unit, Title, Category, Target, Measures string
	Assisting                               []string
	Deadline                                calendar.Date
	Milestones                              []engine.Milestone
	Extra                                   map[string]string
}

func contentOf(ctx context.Context, t *testing.T, e *engine.Engine, p *engine.Project) content {
	t.Helper()
	u, err := e.Unit(ctx, string(p.UnitID))
	if err != nil {
		t.Fatal(err)
	}
	c := content{u.Name, p.Title, p.Category, p.Target, p.Measures, p.Assisting, p.Deadline, slices.Collect(maps.Values(p.Milestones)), maps.Clone(p.Extra)}
	delete(c.Extra, "序号") // an export numbers its own rows
	if len(c.Extra) == 0 {
		c.Extra = nil
	}
	slices.SortFunc(c.Milestones, func(a, b engine.Milestone) int {
		if n := a.Due.Compare(b.Due); n != 0 {
			return n
		}
		return bytes.Compare([]byte(a.Title), []byte(b.Title))
	})
	for i := range c.Milestones { // in an order that dates alone do not tell, none is after another
		c.Milestones[i].After = nil
	}
	return c
}

// TestRoundTrip takes ledgers of the examples in, out, and in again at another site: the same items with the same content.
func TestRoundTrip(t *testing.T) {
	layouts, err := layout.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file  string // or the ledger itself
		year  int
		units []string
	}{
		{"序号,事项名称,工作举措,完成时限,备注\n1,-5℃停课预案,=SUM(A1:A9),2026-12-31,+1\n2,@全体师生,＝1＋1,2026-11-30,''-1\n3,''好,－,2026-10-31,＠\n", 2026, nil},
		{"../../examples/ledgers/dazhu_2016_minsheng.csv", 2016, []string{"县住建局", "县残联", "县民政局", "县水务局", "县教科局", "县代建中心"}},
		{"../../examples/plan/suzhou_city_university_2021_14_tasks.csv", 2021, nil},
	} {
		data := []byte(tt.file)
		if strings.HasPrefix(tt.file, "../") {
			var err error
			if data, err = os.ReadFile(tt.file); err != nil {
				t.Fatal(err)
			}
		}
		storagetest.Each(t, func(t *testing.T, db *storage.DB) {
			ctx := t.Context()
			e, root := site(t, db, tt.units...)
			first, err := intake.Take(ctx, e, engine.Operator(), intake.Ledger{File: "ledger.csv", Data: data, Kind: "shishi", Unit: root, Year: tt.year}, audit.Digest{})
			if err != nil || len(first.Problems) > 0 || first.New() == 0 {
				t.Fatalf("%v, %+v", err, first.Problems)
			}
			page, err := e.List(ctx, engine.Operator(), engine.Filter{Sort: engine.ByOldest, Limit: engine.MaxPage})
			if err != nil {
				t.Fatal(err)
			}
			var want []content
			for i := range page.Items {
				want = append(want, contentOf(ctx, t, e, &page.Items[i]))
			}
			for _, format := range layout.Formats {
				desk := &layout.Desk{Engine: e, Layouts: layouts}
				x, err := desk.Ledger(ctx, layout.Asked{Who: engine.Operator(), Lang: "zh-CN", Format: format}, layout.Query{Filter: engine.Filter{Sort: engine.ByOldest}})
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				if err := x.Write(ctx, &out); err != nil {
					t.Fatal(err)
				}
				other, unit := site(t, storagetest.Open(t, storage.SQLite), tt.units...)
				again, err := intake.Take(ctx, other, engine.Operator(), intake.Ledger{File: x.Name, Data: out.Bytes(), Kind: "shishi", Unit: unit}, audit.Digest{})
				if err != nil || len(again.Problems) > 0 {
					t.Fatalf("%s: %v, %+v", format, err, again.Problems)
				}
				for _, c := range again.Columns {
					if c.Field == "" && !c.Ignored && first.Columns[len(first.Columns)-1].Header != c.Header && !kept(first, c.Header) {
						t.Errorf("%s: the import does not know the column %q again", format, c.Header)
					}
				}
				page, err := other.List(ctx, engine.Operator(), engine.Filter{Sort: engine.ByOldest, Limit: engine.MaxPage})
				if err != nil {
					t.Fatal(err)
				}
				var got []content
				for i := range page.Items {
					got = append(got, contentOf(ctx, t, other, &page.Items[i]))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-first +again):\n%s", format, diff)
				}
			}
		})
	}
}

// kept tells whether the first ledger had the column.
func kept(r *intake.Report, header string) bool {
	for _, c := range r.Columns {
		if c.Header == header {
			return true
		}
	}
	return false
}
