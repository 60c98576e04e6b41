package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportMapping shows what an unfamiliar ledger is taken for, gives it back edited, and finds it remembered.
func TestImportMapping(t *testing.T) {
	dsn, dir := fresh(t), t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(file string, more ...string) answer {
		return call(t, nil, append([]string{"import", "--db", dsn, "--kind", "shishi", "--unit", "dw", file}, more...)...)
	}
	june := write("6月.csv", "某处办事一览,,,,\n各处按月填,,,,\n#,要办啥,到哪天,6月弄到哪了,a=b\n1,修东门,2027-12-31,在量,X-1\n2,补路灯,11月底前,,X-2\n")
	if code, r := imported(t, dsn, june); code != 1 || len(r.Problems) != 1 || r.Problems[0].Key != "ledger.no_header" {
		t.Fatalf("without a word: exit %d, %+v", code, r.Problems)
	}
	a := run(june, "--show-mapping")
	if a.code != 0 || !strings.Contains(a.out, "head: 3") || !strings.Contains(a.out, "修东门") || !strings.Contains(a.out, "没有识别") || !strings.Contains(a.out, "# ") {
		t.Fatalf("exit %d\n%s%s", a.code, a.out, a.err)
	}
	text := a.out
	for column, field := range map[string]string{"'#'": "number", "要办啥": "title", "到哪天": "deadline", "6月弄到哪了": "progress"} {
		before := "column: " + column + "\n    field: keep"
		if !strings.Contains(text, before) {
			t.Fatalf("there is no %q in\n%s", before, text)
		}
		text = strings.Replace(text, before, "column: "+column+"\n    field: "+field, 1)
	}
	columns := write("columns.yaml", text)
	for _, tt := range []struct {
		name, says string
		code       int
		more       []string
	}{
		{"a pair without a field", "--map", 2, []string{"--map", "要办啥"}},
		{"a column that is not there", "没有“何事”", 1, []string{"--map", "何事=title"}},
		{"an unknown field", "colour", 1, []string{"--mapping", columns, "--map", "到哪天=colour"}},
		{"no title", "事项名称", 1, []string{"--mapping", columns, "--map", "要办啥=keep"}},
		{"no such file", "none.yaml", 1, []string{"--mapping", filepath.Join(dir, "none.yaml")}},
		{"a file of something else", "columns", 1, []string{"--mapping", june}},
		{"a year that no ledger is of", "26", 2, []string{"--mapping", write("26.yaml", "year: 26\ncolumns: [{column: 要办啥, field: title}]\n")}},
		{"no such row", "第 40 行", 1, []string{"--head", "40"}},
	} {
		if a := run(june, tt.more...); a.code != tt.code || !strings.Contains(a.out+a.err, tt.says) {
			t.Errorf("%s: exit %d, %s%s", tt.name, a.code, a.out, a.err)
		}
	}
	code, r := imported(t, dsn, june, "--mapping", columns, "--map", "a=b=ignore", "--year", "2027")
	if code != 0 || r.Projects != 2 || r.Items[0].Deadline.String() != "2027-12-31" || r.Items[1].Deadline.String() != "2027-11-30" {
		t.Fatalf("exit %d, %+v", code, r)
	}
	july := write("7月.csv", "某处办事一览,,,,\n各处按月填,,,,\n#,要办啥,到哪天,7月弄到哪了,a=b\n3,清雨沟,2027-10-31,,X-3\n")
	if a := run(july, "--show-mapping", "--json"); a.code != 0 {
		t.Errorf("exit %d, %s", a.code, a.err)
	} else {
		var m mappingFile
		if err := json.Unmarshal([]byte(a.out), &m); err != nil || m.Head != 3 || m.Columns[1].Field != "title" || m.Columns[4].Field != "ignore" {
			t.Errorf("the next month's is taken for %+v, %v", m, err)
		}
		write("july.json", a.out) // what is shown as JSON can be given back as well
		if code, r := imported(t, dsn, july, "--dry-run", "--mapping", filepath.Join(dir, "july.json")); code != 0 || r.Projects != 1 {
			t.Errorf("by its JSON: exit %d, %+v", code, r.Problems)
		}
	}
	if code, r := imported(t, dsn, july); code != 0 || r.Projects != 1 {
		t.Errorf("as remembered: exit %d, %+v", code, r.Problems)
	}
	if code, _ := imported(t, dsn, july, "--fresh"); code != 1 {
		t.Errorf("without what is remembered: exit %d", code)
	}
	if a := run(july, "--fresh", "--map", "要办啥=title", "--dry-run"); a.code != 0 {
		t.Errorf("with one word: exit %d, %s%s", a.code, a.out, a.err)
	}
	// What is remembered is listed, and forgotten once.
	list := func(more ...string) (out struct{ Items []rememberedSource }) {
		t.Helper()
		a := call(t, nil, append([]string{"mapping", "list", "--db", dsn, "--json"}, more...)...)
		if err := json.Unmarshal([]byte(a.out), &out); a.code != 0 || err != nil {
			t.Fatalf("exit %d, %v, %s", a.code, err, a.err)
		}
		return out
	}
	all := list("--unit", "dw").Items
	if len(all) != 1 || all[0].Unit != "dw" || all[0].File != "6月.csv" || all[0].By != "operator" || len(all[0].Columns) != 5 ||
		all[0].Columns[1] != (rememberedColumn{"要办啥", "title"}) {
		t.Fatalf("remembered: %+v", all)
	}
	if a := call(t, nil, "mapping", "list", "--db", dsn); a.code != 0 || !strings.Contains(a.out, string(all[0].ID)) || !strings.Contains(a.out, "要办啥 → 事项名称") {
		t.Errorf("exit %d, %s%s", a.code, a.out, a.err)
	}
	for _, want := range []struct {
		code int
		says string
	}{{0, "已忘记"}, {1, "没有这样记住的"}} {
		if a := call(t, nil, "mapping", "forget", string(all[0].ID), "--db", dsn); a.code != want.code || !strings.Contains(a.out+a.err, want.says) {
			t.Errorf("exit %d, %s%s", a.code, a.out, a.err)
		}
	}
	if left := list().Items; len(left) != 0 {
		t.Errorf("forgotten and still there: %+v", left)
	}
	if code, _ := imported(t, dsn, july, "--dry-run"); code != 1 {
		t.Errorf("a forgotten source is read as remembered: exit %d", code)
	}
	// A year in the file counts where nothing else tells one, and is shown again.
	bare := write("某月.csv", "要办啥,到哪天\n换窗户,11月底前\n")
	withYear := write("year.yaml", "year: 2027\ncolumns:\n  - {column: 要办啥, field: title}\n  - {column: 到哪天, field: deadline}\n")
	if code, r := imported(t, dsn, bare, "--dry-run", "--mapping", withYear); code != 0 || r.Year != 2027 || r.Items[0].Deadline.String() != "2027-11-30" {
		t.Errorf("with a year in the file: exit %d, %+v", code, r)
	}
	if a := run(bare, "--mapping", withYear, "--show-mapping"); a.code != 0 || !strings.Contains(a.out, "year: 2027") {
		t.Errorf("exit %d, %s%s", a.code, a.out, a.err)
	}
	if a := call(t, nil, "audit", "verify", "--db", dsn); a.code != verifyIntact {
		t.Errorf("verify: exit %d\n%s", a.code, a.out)
	}
}
