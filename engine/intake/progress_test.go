package intake_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/intake"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

const short = `id: tz
version: 1
name: {zh: 台账事项, en: ledger item}
number: TZ
create: [supervisor]
stages:
  - {id: plan, name: {zh: 谋划, en: plan}, acts: [edit]}
  - {id: advance, name: {zh: 推进, en: advance}, acts: [report, milestones]}
transitions:
  - {id: go, name: {zh: 交办, en: go}, from: plan, to: advance, submit: [owner], approve: [supervisor]}
  - {id: close, name: {zh: 销号, en: close}, from: advance, to: closed, submit: [owner], approve: [supervisor]}
`

// TestALaterLedgerReportsProgress takes a published plan and the progress that was published of it two months later.
func TestALaterLedgerReportsProgress(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := open(t, db)
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := o.e.Publish(ctx, engine.Operator(), []byte(short))
		must(err)
		u, err := o.e.AddUser(ctx, engine.Operator(), "li", "李四")
		must(err)
		owner := engine.Actor{ID: u.ID, Via: engine.ViaConsole}
		take := func(name, text string) *intake.Report {
			t.Helper()
			r, err := intake.Take(ctx, o.e, o.supervisor, intake.Ledger{File: name, Data: []byte(text), Kind: "tz", Unit: o.root, List: "2022-1"}, audit.Digest{})
			must(err)
			if len(r.Problems) > 0 {
				t.Fatalf("problems %+v", r.Problems)
			}
			return r
		}
		file := func(name string) string {
			data, err := os.ReadFile("../ledger/testdata/" + name)
			must(err)
			return string(data)
		}
		keys := func(r *intake.Report) string {
			var out []string
			for _, n := range r.Notes {
				if strings.HasPrefix(n.Key, "intake.") && n.Key != "intake.unit_kept" {
					out = append(out, strings.TrimPrefix(n.Key, "intake."))
				}
			}
			return strings.Join(out, " ")
		}
		plan := take("linan_2022_minsheng_plan.csv", file("linan_2022_minsheng_plan.csv"))
		var ids []engine.ProjectID
		for i, x := range plan.Items {
			ids = append(ids, x.Project)
			if i == 2 {
				break // the third stays in 谋划
			}
			p, err := o.e.Project(ctx, o.supervisor, x.Project)
			must(err)
			d := engine.DraftOf(&p)
			d.Owner = owner.ID
			p, err = o.e.Do(ctx, o.supervisor, p.ID, p.Version, engine.Edit{Draft: d})
			must(err)
			p, err = o.e.Do(ctx, owner, p.ID, p.Version, engine.Submit{Transition: "go"})
			must(err)
			_, err = o.e.Do(ctx, o.supervisor, p.ID, p.Version, engine.Approve{})
			must(err)
		}
		state := func() (out []engine.Project) {
			for _, id := range ids {
				p, err := o.e.Project(ctx, o.supervisor, id)
				must(err)
				out = append(out, p)
			}
			return out
		}

		september := file("linan_2022_minsheng_progress_sept.csv")
		r := take("linan_2022_minsheng_progress_sept.csv", september)
		if r.New() != 4 || r.Known() != 7 || r.Reported() != 4 || o.count(t) != 7 {
			t.Errorf("%d new, %d known, %d reported, %d stored", r.New(), r.Known(), r.Reported(), o.count(t))
		}
		if got := keys(r); got != "progress_not_taken progress_not_taken progress_not_taken" {
			t.Errorf("notes %s", got)
		}
		now := state()
		for i, reports := range []int{1, 3, 0} {
			if now[i].Reports != reports || now[i].Progress != 0 || (now[i].Stage == "plan") != (i == 2) {
				t.Errorf("item %d: %d reports, %d %%, %s", i+1, now[i].Reports, now[i].Progress, now[i].Stage)
			}
		}
		page, err := o.e.Trail(ctx, o.supervisor, engine.EntryFilter{Subject: now[0].Subject(), Actions: []string{"report"}})
		must(err)
		if e := page.Items[0]; len(page.Items) != 1 || e.Actor.ID != string(o.supervisor.ID) || e.Actor.Role != "supervisor" ||
			!strings.Contains(string(e.Data), `"file":"linan_2022_minsheng_progress_sept.csv"`) || !strings.Contains(string(e.Data), "新建成临安区职教中心") {
			t.Errorf("entry %+v %s", e.Actor, e.Data)
		}
		same := func(what string, r *intake.Report) {
			t.Helper()
			if r.New() != 0 || r.Reported() != 0 || o.count(t) != 7 {
				t.Errorf("%s: %d new, %d reported, %d stored", what, r.New(), r.Reported(), o.count(t))
			}
			for i, p := range state() {
				if p.Version != now[i].Version {
					t.Errorf("%s: item %d moved on", what, i+1)
				}
			}
		}
		same("the same file twice", take("linan_2022_minsheng_progress_sept.csv", september))
		same("the same under another name", take("again.csv", "2022年\n"+september))

		const title = "新建成公办中小学、幼儿园7所,新增中小学、幼儿园公办学位6800个。"
		r = take("2022.csv", "序号,项目内容,完成率,进展情况,未完成原因,资金\n1,\""+title+"\",100%,基本完成,征地,县财政\n")
		if p := state()[0]; r.Reported() != 1 || p.Progress != 0 || p.Reports != 2 || keys(r) != "not_done" {
			t.Errorf("基本完成 is %d %% after %d reports; notes %s", p.Progress, p.Reports, keys(r))
		}
		page, err = o.e.Trail(ctx, o.supervisor, engine.EntryFilter{Subject: now[0].Subject(), Actions: []string{"report"}})
		must(err)
		for _, want := range []string{"征地", "县财政", "基本完成"} {
			if !slices.ContainsFunc(page.Items, func(e engine.EntryRow) bool { return strings.Contains(string(e.Data), want) }) {
				t.Errorf("the trail does not keep %s", want)
			}
		}
		r = take("2022.csv", "序号,项目内容,完成率\n1,\""+title+"\",85%\n2,另一件完全不同的事,50%\n")
		if p := state()[0]; r.Reported() != 1 || r.New() != 1 || p.Progress != 85 || keys(r) != "not_the_same" {
			t.Errorf("%d %%, %d reported, %d new, notes %s", p.Progress, r.Reported(), r.New(), keys(r))
		}
		r = take("2022.csv", "项目内容,完成情况\n\""+title+"\",已完成\n")
		if p := state()[0]; r.Reported() != 1 || p.Progress != 100 || p.Stage != "advance" {
			t.Errorf("已完成: %d %% in %s", p.Progress, p.Stage)
		}
		// Of two shares the first counts, every time: what was shown is what is confirmed.
		twice := intake.Ledger{File: "2022.csv", Kind: "tz", Unit: o.root, List: "2022-1",
			Data: []byte("项目内容,进展情况,完成率,形象进度,进度（%）\n\"" + title + "\",二期开工,60%,70%,80%\n")}
		shown, err := intake.Preview(ctx, o.e, o.supervisor, twice)
		must(err)
		for range 20 {
			again, err := intake.Preview(ctx, o.e, o.supervisor, twice)
			must(err)
			if p := again.Items[0].Said.Percent; p != 60 || again.Plan != shown.Plan {
				t.Fatalf("%d %% at one time, %d %% at another", shown.Items[0].Said.Percent, p)
			}
		}
		// A share that is not shown in percent is one of 1, unless the head says otherwise; 1 itself is not guessed.
		for _, c := range []struct {
			header, figure string
			want           int
		}{{"完成率", "0.57", 57}, {"完成率", "0.5", 50}, {"完成率", "0.578", 57}, {"完成率", "1", -1}, {"完成率", "0", 0}, {"完成率", "57", 57},
			{"完成率", "1%", 1}, {"完成率（%）", "0.57", 0}, {"完成率（%）", "1", 1}, {"完成率", "100", 100}} {
			r, err := intake.Preview(ctx, o.e, o.supervisor, intake.Ledger{File: "2022.csv", Kind: "tz", Unit: o.root, List: "2022-1",
				Data: []byte("项目内容,进展情况," + c.header + "\n\"" + title + "\",三期开工," + c.figure + "\n")})
			must(err)
			if got := r.Items[0].Said.Percent; got != c.want {
				t.Errorf("%s under %s is %d %%, want %d", c.figure, c.header, got, c.want)
			}
		}
		// A kind that is switched off takes in how what runs goes on, and nothing new.
		must(o.e.DisableKind(ctx, engine.Operator(), "tz"))
		if r = take("2022.csv", "项目内容,完成情况\n\""+title+"\",停办前的进展\n"); r.Reported() != 1 {
			t.Errorf("switched off: %d reported, notes %s", r.Reported(), keys(r))
		}
		_, err = intake.Take(ctx, o.e, o.supervisor, intake.Ledger{File: "2022.csv", Kind: "tz", Unit: o.root, List: "2022-1", Data: []byte("项目内容,完成情况\n停办后的新事,刚开始\n")}, audit.Digest{})
		if x, ok := errors.AsType[*engine.Error](err); !ok || x.Key != "kind.off" {
			t.Errorf("something new of a kind that is off: %v", err)
		}
		must(o.e.EnableKind(ctx, engine.Operator(), "tz"))
		// A long text is refused as a whole rather than cut.
		long, err := intake.Take(ctx, o.e, o.supervisor, intake.Ledger{File: "2022.csv", Kind: "tz", Unit: o.root, List: "2022-1",
			Data: []byte("项目内容,完成情况\n\"" + title + "\"," + strings.Repeat("长", 1001) + "\n")}, audit.Digest{})
		must(err)
		if len(long.Problems) != 1 || long.Problems[0].Key != "field.too_long" || long.Reported() != 0 {
			t.Errorf("%+v", long.Problems)
		}
		if report, err := db.Verify(ctx, storage.VerifyOptions{}); err != nil || !report.Intact() {
			t.Errorf("verify: %+v, %v", report.Findings, err)
		}
	})
}
