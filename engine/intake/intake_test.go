package intake_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/intake"
	"bihuan/engine/message"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// office is a committee with one department, whose supervisor hands ledgers in.
type office struct {
	e          *engine.Engine
	root, dept engine.Unit
	supervisor engine.Actor
	leader     engine.Actor
}

func open(t *testing.T, db *storage.DB) office {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var o office
	var err error
	o.e, err = engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile,
		Now: func() time.Time { return time.Date(2026, 9, 24, 2, 0, 0, 0, time.UTC) }})
	must(err)
	source, _ := workflows.Source("shishi")
	_, err = o.e.Publish(ctx, engine.Operator(), source)
	must(err)
	o.root, err = o.e.AddUnit(ctx, engine.Operator(), "", "dw", "党委")
	must(err)
	o.dept, err = o.e.AddUnit(ctx, engine.Operator(), "dw", "hq", "后勤处")
	must(err)
	actor := func(login, name string, role engine.Role) engine.Actor {
		_, err := o.e.AddUser(ctx, engine.Operator(), login, name)
		must(err)
		u, err := o.e.Grant(ctx, engine.Operator(), login, "dw", role)
		must(err)
		return engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaConsole}
	}
	o.supervisor, o.leader = actor("chen", "陈明", engine.Supervisor), actor("zhang", "张华", engine.Leader)
	return o
}

func (o office) count(t *testing.T) int {
	t.Helper()
	n, err := o.e.Counts(t.Context(), engine.Operator(), engine.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Total
}

const rows = "序号,实事项目,责任单位,承办人,完成时限\n" +
	"1,改造照明,后勤处,陈明,12月底前\n" +
	"2,修缮食堂,后勤处、基建处,,2026-03-31\n" +
	"3,加装电梯,宿管中心,王一,\n"

func (o office) ledger(text string) intake.Ledger {
	return intake.Ledger{File: "2026.csv", Data: []byte(text), Kind: "shishi", Unit: o.root, List: "2026-5"}
}

func TestWhatIsShownIsWhatIsImported(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := open(t, db)
		ctx := t.Context()
		shown, err := intake.Preview(ctx, o.e, o.supervisor, o.ledger(rows))
		if err != nil {
			t.Fatal(err)
		}
		if len(shown.Items) != 3 || shown.New() != 3 || shown.Known() != 0 || len(shown.Problems) != 0 || shown.Year != 2026 || o.count(t) != 0 {
			t.Fatalf("preview: %d items, %d new, problems %v, year %d, %d stored", len(shown.Items), shown.New(), shown.Problems, shown.Year, o.count(t))
		}
		light, canteen, lift := shown.Items[0], shown.Items[1], shown.Items[2]
		if light.Unit.ID != o.dept.ID || light.Draft.Owner != o.supervisor.ID || light.Deadline.Rule != "month-end" || light.Draft.Deadline.String() != "2026-12-31" || light.Draft.List != "2026-5" {
			t.Errorf("row 2 becomes %+v", light)
		}
		if canteen.Unit.ID != o.dept.ID || !slices.Equal(canteen.Draft.Assisting, []string{"基建处"}) {
			t.Errorf("row 3 becomes %+v", canteen)
		}
		if lift.Unit.ID != o.root.ID || lift.Draft.Extra["责任单位"] != "宿管中心" || lift.Draft.Extra["承办人"] != "王一" || !lift.Draft.Deadline.IsZero() {
			t.Errorf("row 4 becomes %+v", lift)
		}
		var notes []string
		for _, n := range shown.Notes {
			notes = append(notes, n.Key)
			if n.Key == "intake.unit_kept" && !strings.HasSuffix(n.In("zh-CN"), "相近的单位：没有") {
				t.Errorf("of a name that resembles none it says %s", n.In("zh-CN"))
			}
		}
		for _, want := range []string{"intake.past", "intake.unit_kept", "intake.person_kept"} {
			if !slices.Contains(notes, want) {
				t.Errorf("no note %s among %v", want, notes)
			}
		}

		done, err := intake.Take(ctx, o.e, o.supervisor, o.ledger(rows), shown.Plan)
		if err != nil || done.New() != 3 || o.count(t) != 3 {
			t.Fatalf("import: %+v, %v", done, err)
		}
		for i, x := range done.Items {
			p, err := o.e.Project(ctx, o.supervisor, x.Project)
			if err != nil || p.Number != x.Number || p.Title != shown.Items[i].Draft.Title || p.Deadline != shown.Items[i].Draft.Deadline ||
				p.UnitID != shown.Items[i].Unit.ID || p.CreatedBy != o.supervisor.ID {
				t.Errorf("row %d became %+v, %v", x.Row, p, err)
			}
		}
		again, err := intake.Take(ctx, o.e, o.supervisor, o.ledger(rows), shown.Plan)
		if err != nil || again.New() != 0 || again.Known() != 3 || o.count(t) != 3 || again.Items[0].Project != done.Items[0].Project {
			t.Errorf("a second import: %d new, %d known, %v", again.New(), again.Known(), err)
		}
		if report, err := db.Verify(ctx, storage.VerifyOptions{}); err != nil || !report.Intact() {
			t.Errorf("verify: %+v, %v", report.Findings, err)
		}
	})
}

// TestMilestonesComeWithTheirItem: what one cell, or the lines of an item that spans rows, says of dates is the
// item's 时间表, the text stays, and the trail folds to what is stored.
func TestMilestonesComeWithTheirItem(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := open(t, db)
		l := o.ledger("序号,实事项目,工作举措,牵头单位,完成时限\n1,改造照明,1.4月底前完成招标。2.8月底前完工。长期维护。,后勤处牵头，校医院配合,9月\n" +
			"2,修缮食堂,设计,后勤处,3月底前\n,,施工,基建处,11月底前\n")
		r, err := intake.Take(t.Context(), o.e, o.supervisor, l, audit.Digest{})
		if err != nil || len(r.Problems) > 0 || len(r.Items) != 2 || !slices.Equal(r.Items[1].Joined, []int{4}) {
			t.Fatalf("%+v, %v", r, err)
		}
		for i, want := range []map[string]string{
			{"m1": "2026-04-30 完成招标 ", "m2": "2026-08-31 完工 "},
			{"m1": "2026-03-31 设计 ", "m2": "2026-11-30 施工 基建处"},
		} {
			p, err := o.e.Project(t.Context(), o.supervisor, r.Items[i].Project)
			if err != nil || len(p.Milestones) != len(want) {
				t.Fatalf("%v, %+v", err, p.Milestones)
			}
			for id, m := range p.Milestones {
				if got := m.Due.String() + " " + m.Title + " " + m.Who; got != want[id] || m.DoneAt != nil {
					t.Errorf("%s is %q, want %q", id, got, want[id])
				}
			}
			if m := r.Items[i].Draft.Measures; p.Measures != m || p.Stage != "plan" {
				t.Errorf("measures %q in %s", p.Measures, p.Stage)
			}
		}
		if d := r.Items[0]; d.Unit.ID != o.dept.ID || !slices.Equal(d.Draft.Assisting, []string{"校医院"}) || d.Source["unit"] != "后勤处牵头，校医院配合" {
			t.Errorf("%+v", d)
		}
		if len(r.Unknown) != 2 || r.Unknown[0].Name != "校医院" || r.Unknown[0].Row != 2 || r.Unknown[1].Name != "基建处" {
			t.Errorf("unknown %+v", r.Unknown)
		}
		if report, err := db.Verify(t.Context(), storage.VerifyOptions{}); err != nil || !report.Intact() {
			t.Errorf("verify: %+v, %v", report.Findings, err)
		}
	})
}

func TestNothingIsImportedThatWasNotShown(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := open(t, db)
		ctx := t.Context()
		shown, err := intake.Preview(ctx, o.e, o.supervisor, o.ledger(rows))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.e.AddUser(ctx, engine.Operator(), "wangyi", "王一"); err != nil { // row 4 has an owner now
			t.Fatal(err)
		}
		now, err := intake.Take(ctx, o.e, o.supervisor, o.ledger(rows), shown.Plan)
		if !errors.Is(err, intake.ErrChanged) || o.count(t) != 0 || now.Plan == shown.Plan || now.Items[2].Draft.Owner == "" || now.Items[2].Number != "" {
			t.Errorf("after a change: %v, %d stored, %+v", err, o.count(t), now)
		}
		if _, err := intake.Take(ctx, o.e, o.leader, o.ledger(rows), audit.Digest{}); engine.KindOf(err) != engine.Denied || o.count(t) != 0 {
			t.Errorf("a leader imports: %v", err)
		}
		if _, err := intake.Preview(ctx, o.e, o.leader, o.ledger(rows)); engine.KindOf(err) != engine.Denied {
			t.Errorf("a leader previews: %v", err)
		}
	})
}

func TestOneBadRowKeepsEveryOtherOut(t *testing.T) {
	t.Parallel()
	o := open(t, storagetest.Open(t, storage.SQLite))
	tests := []struct {
		name, text string
		row        int
		key        string
		refused    int
	}{
		{"a deadline that nobody can read", rows + "4,植树,后勤处,,改天\n", 5, "ledger.deadline_unreadable", 1},
		{"a title too long for the engine", rows + "4," + strings.Repeat("长", 201) + ",后勤处,,12月\n", 5, "field.too_long", 1},
		{"a row twice", rows + "1,改造照明,后勤处,,12月底前\n", 5, "import.same_row", 1},
		{"no table at all", "你好", 0, "ledger.no_header", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := intake.Take(t.Context(), o.e, o.supervisor, o.ledger(tt.text), audit.Digest{})
			if err != nil || len(r.Problems) != 1 || r.Problems[0].Key != tt.key || o.count(t) != 0 {
				t.Fatalf("%+v, %v, %d stored", r, err, o.count(t))
			}
			if tt.row != 0 && r.Problems[0].Row != tt.row {
				t.Errorf("row %d, want %d", r.Problems[0].Row, tt.row)
			}
			refused := 0
			for _, x := range r.Items {
				if x.Refused {
					refused++
				}
			}
			if refused != tt.refused || r.New() != len(r.Items)-tt.refused {
				t.Errorf("%d rows refused, %d new of %d", refused, r.New(), len(r.Items))
			}
			for _, lang := range message.Languages {
				if s := r.Problems[0].In(lang); s == "" || s == tt.key || regexp.MustCompile(`\{[a-z_]+\}`).MatchString(s) {
					t.Errorf("%s: %q", lang, s)
				}
			}
		})
	}
}
