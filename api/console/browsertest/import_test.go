package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/engine"
)

// goodLedger is a ledger as offices keep them: a title line, words for the deadline, a column that nobody knows.
const goodLedger = "2025年度民生实事台账,,,\n序号,实事项目,责任单位,完成时限,联系电话\n1,东门加装两盏路灯,信息化中心,12月底前,8801\n2,操场雨后两小时可用,后勤保障处,11月30日前,8802\n"

// upload hands a ledger in at the import page and ends at its preview.
func (p *person) upload(h *house, name, text string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.open("/import")
	p.complete("#main form", "kind", "shishi", "unit", string(h.unit("csxy")), "year", "2025", "list", "2025-6", "file", file)
	p.follow("#main form button[type=submit]")
	if p.sent != 200 || !strings.HasPrefix(p.at(), "/import/") {
		p.t.Fatalf("the ledger answers %d at %s: %s", p.sent, p.at(), p.text("#main"))
	}
}

// TestImport takes a ledger over through its preview: nothing is written before it is confirmed, a ledger with a row
// that cannot be read is not taken at all, and what the preview promised is what then stands in the ledger.
func TestImport(t *testing.T) {
	h := open(t, false)
	count := func() int64 {
		t.Helper()
		r, err := h.engine.List(t.Context(), engine.Operator(), engine.Filter{Limit: engine.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(r.Items))
	}
	before := count()
	p := h.enter("zhang")
	p.upload(h, "坏台账.csv", "实事项目,责任单位,完成时限\n,信息化中心,12月底前\n好的一行,信息化中心,昨天的昨天\n")
	if p.has("#main .banner form[method=post]") {
		t.Errorf("a ledger with a row without a title may be imported: %s", p.text("#main .banner"))
	}
	p.upload(h, "民生实事.csv", goodLedger)
	p.wants("#main", "东门加装两盏路灯", "2025-12-31", "操场雨后两小时可用", "2025-11-30", "联系电话")
	p.readable("import preview")
	if n := count(); n != before {
		t.Errorf("the preview has made %d projects", n-before)
	}
	p.follow("#main .banner form[method=post] button[type=submit]")
	if p.sent != 200 || !p.has(".said") {
		t.Fatalf("the import answers %d: %s", p.sent, p.text("#main"))
	}
	if n := count(); n != before+2 {
		t.Errorf("%d projects were made, want 2", n-before)
	}
	p.follow("#main td a.mono")
	p.wants("#main", "8801", "信息化中心")
	h.intact()
}
