package layout_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/intake"
	"bihuan/engine/layout"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// Whoever may read a list but not all of its items takes out of those no more than a published list shows, whatever the
// site's layout has columns for.
func TestAListKeepsWhatItsReaderMayNotSee(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		e, root := site(t, db, "甲处", "乙处")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		actor := func(login, unit string, role engine.Role) engine.Actor {
			_, err := e.AddUser(ctx, engine.Operator(), login, login)
			must(err)
			u, err := e.Grant(ctx, engine.Operator(), login, unit, role)
			must(err)
			return engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaConsole}
		}
		supervisor, leader, secretary := actor("sup", "dw", engine.Supervisor), actor("lead", "dw", engine.Leader), actor("sec", "ub", engine.Secretary)
		r, err := intake.Take(ctx, e, engine.Operator(), intake.Ledger{File: "x.csv", Kind: "shishi", Unit: root,
			Data: []byte("序号,事项名称,责任单位,完成时限,进展情况,联系人\n1,甲事,甲处,2099-10-20,甲进展,甲电话\n2,乙事,乙处,2099-10-20,乙进展,乙电话\n")}, audit.Digest{})
		must(err)
		today := calendar.DateOf(e.Now(), e.Site.Location)
		l, err := e.DrawUp(ctx, supervisor, root, engine.ListHeader{Number: "1", Name: "清单", From: today, To: today.AddDays(60)})
		must(err)
		l, err = e.PutOn(ctx, supervisor, l.ID, l.Version, []engine.ProjectID{r.Items[0].Project, r.Items[1].Project})
		must(err)
		l, err = e.PublishList(ctx, leader, l.ID, l.Version)
		must(err)

		form := excelize.NewFile()
		for at, text := range map[string]string{"A1": "事项", "B1": "进展", "C1": "{{其他栏}}", "A2": "{{事项名称}}", "B2": "{{进展情况}}", "C2": "{{其他栏}}"} {
			must(form.SetCellStr("Sheet1", at, text))
		}
		var file, out bytes.Buffer
		must(form.Write(&file))
		own, err := layout.Load(nil)
		must(err)
		layouts, err := own.Parse("清单.xlsx", layout.List, file.Bytes())
		must(err)
		for _, c := range []struct {
			who  engine.Actor
			want []string
		}{{leader, []string{"甲事", "甲进展", "甲电话", "乙事", "乙进展", "乙电话"}}, {secretary, []string{"甲事", "乙事", "乙进展", "乙电话"}}} {
			x, err := (&layout.Desk{Engine: e, Layouts: layouts}).List(ctx, layout.Asked{Who: c.who, Lang: "zh-CN", Format: "csv"}, l.ID)
			must(err)
			out.Reset()
			must(x.Write(ctx, &out))
			var got []string
			for _, s := range []string{"甲事", "甲进展", "甲电话", "乙事", "乙进展", "乙电话"} {
				if strings.Contains(out.String(), s) {
					got = append(got, s)
				}
			}
			if strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Errorf("%s takes %v out, want %v:\n%s", c.who.ID, got, c.want, out.String())
			}
		}
	})
}
