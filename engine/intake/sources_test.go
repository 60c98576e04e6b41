package intake_test

import (
	"slices"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/intake"
	"bihuan/engine/ledger"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

const strangeRows = "本表由办公室填\n#,要办啥,到哪天,咋弄的,6月弄到哪了,编码\n" +
	"1,换照明,2026-12-31,换灯,买灯,X1\n2,修食堂,2026-11-30,刷墙,,X2\n"

var strangeMapping = &ledger.Mapping{Head: 2, Columns: []ledger.MappedColumn{
	{Header: "#", Field: ledger.Number}, {Header: "要办啥", Field: ledger.Title}, {Header: "到哪天", Field: ledger.Due},
	{Header: "咋弄的", Field: ledger.Measures}, {Header: "6月弄到哪了", Field: ledger.Progress}, {Header: "编码", Field: ledger.Ignore}}}

// What a person said about a source's columns holds for its next ledger, until somebody forgets it; each has its entry.
func TestRemembersASource(t *testing.T) {
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
		june := o.ledger(strangeRows)
		july := june
		july.File, july.Data = "7月.csv", []byte("本表由办公室填\n#,要办啥,到哪天,咋弄的,7月弄到哪了,编码\n3,清雨沟,2026-10-31,掏沟,,X3\n")
		r, err := intake.Take(ctx, o.e, o.supervisor, june, audit.Digest{})
		must(err)
		if len(r.Problems) != 1 || r.Problems[0].Key != ledger.KeyNoHeader || o.count(t) != 0 {
			t.Fatalf("an unfamiliar ledger: %+v", r.Problems)
		}
		june.Mapping = strangeMapping
		before, err := intake.Preview(ctx, o.e, o.supervisor, june)
		must(err)
		if list, err := o.e.SourceMappings(ctx, o.supervisor, o.root.ID); err != nil || len(list) != 0 {
			t.Fatalf("the preview has remembered %v, %v", list, err)
		}
		r, err = intake.Take(ctx, o.e, o.supervisor, june, before.Plan)
		must(err)
		if r.New() != 2 || o.count(t) != 2 || r.Items[0].Draft.Measures != "换灯" || len(r.Problems) != 0 {
			t.Fatalf("imported %+v", r)
		}
		if !slices.ContainsFunc(r.Notes, func(x intake.Remark) bool { return x.Key == ledger.KeyIgnoredColumn && x.Column == "编码" }) {
			t.Errorf("the ignored column is not reported: %+v", r.Notes)
		}
		list, err := o.e.SourceMappings(ctx, o.supervisor, "")
		must(err)
		if len(list) != 1 || list[0].SavedBy != o.supervisor.ID || list[0].File != "2026.csv" || list[0].UnitID != o.root.ID || len(list[0].Columns) != 6 {
			t.Fatalf("remembered %+v", list)
		}
		got, err := intake.Recognise(ctx, o.e, o.supervisor, july, "", 0)
		must(err)
		if !got.Remembered || got.From == nil || got.From.ID != list[0].ID || got.Head != 2 || got.Columns[5].Field != ledger.Ignore {
			t.Fatalf("the next month's ledger is recognised as %+v", got)
		}
		fresh := july
		fresh.Fresh = true
		if got, err = intake.Recognise(ctx, o.e, o.supervisor, fresh, "", 0); err != nil || got.Remembered || got.Certain {
			t.Errorf("without what is remembered: %+v, %v", got, err)
		}
		other := july
		other.Unit = o.dept
		if got, err = intake.Recognise(ctx, o.e, o.supervisor, other, "", 0); err != nil || got.Remembered {
			t.Errorf("at another unit: %+v, %v", got, err)
		}
		r, err = intake.Take(ctx, o.e, o.supervisor, july, audit.Digest{})
		must(err)
		if r.New() != 1 || r.From == nil || r.Items[0].Draft.Title != "清雨沟" {
			t.Fatalf("the next month's ledger becomes %+v", r)
		}
		// The same said again makes no entry, another word does, and forgetting too.
		july.Mapping = strangeMappingOf("7月弄到哪了")
		july.Mapping.Columns[5].Field = ledger.Keep
		for range 2 {
			_, err = intake.Take(ctx, o.e, o.supervisor, july, audit.Digest{})
			must(err)
		}
		for _, who := range []engine.Actor{{ID: o.leader.ID, Via: engine.ViaConsole}, o.supervisor} {
			err := o.e.ForgetMapping(ctx, who, list[0].ID)
			if (err == nil) != (who.ID == o.supervisor.ID) {
				t.Errorf("%s forgets: %v", who.ID, err)
			}
		}
		if err := o.e.ForgetMapping(ctx, o.supervisor, list[0].ID); engine.KindOf(err) != engine.NotFound {
			t.Errorf("forgotten twice: %v", err)
		}
		july.Mapping = nil
		if got, err = intake.Recognise(ctx, o.e, o.supervisor, july, "", 0); err != nil || got.Remembered {
			t.Errorf("after it was forgotten: %+v, %v", got, err)
		}
		entries, err := db.Entries(ctx, engine.EntryFilter{Subject: engine.SubjectMapping + "/" + string(list[0].ID), OldestFirst: true})
		must(err)
		var actions []string
		for _, e := range entries.Items {
			actions = append(actions, e.Action)
		}
		if want := []string{"keep_mapping", "keep_mapping", "forget_mapping"}; !slices.Equal(actions, want) {
			t.Errorf("the entries say %v, want %v", actions, want)
		}
		july.Mapping = strangeMappingOf("7月弄到哪了")
		r, err = intake.Take(ctx, o.e, o.supervisor, july, audit.Digest{})
		must(err)
		if list, err = o.e.SourceMappings(ctx, o.supervisor, ""); err != nil || len(list) != 1 || list[0].Version != 4 {
			t.Errorf("after it was said again, %+v is remembered, %v, %+v", list, err, r.Notes)
		}
		report, err := db.Verify(ctx, storage.VerifyOptions{})
		must(err)
		if !report.Intact() {
			t.Errorf("findings: %+v", report.Findings)
		}
	})
}

func strangeMappingOf(progress string) *ledger.Mapping {
	m := &ledger.Mapping{Head: 2, Columns: slices.Clone(strangeMapping.Columns)}
	m.Columns[4].Header = progress
	return m
}
