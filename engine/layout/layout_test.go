package layout

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/xuri/excelize/v2"
)

// site makes a template like an office would: a title, a line, a head of two rows, the row of names, a foot.
func site(t *testing.T, change func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	for at, text := range map[string]string{"A1": "{{组织}}督查台账（{{年度}}年）", "A2": "制表：{{制表人}}", "A3": "序号", "B3": "事项", "C3": "责任", "C4": "单位", "D4": "人员", "E3": "时限",
		"A5": "{{序号}}", "B5": "{{事项名称}}（{{台账编号}}）", "C5": "{{牵头单位}}", "D5": "{{承办人}}", "E5": "{{办结时限}}", "A6": "审核人：", "D6": "{{日期}}"} {
		if err := f.SetCellStr("Sheet1", at, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range [][2]string{{"A1", "E1"}, {"A2", "E2"}, {"A3", "A4"}, {"B3", "B4"}, {"C3", "D3"}, {"E3", "E4"}, {"A6", "C6"}} {
		if err := f.MergeCell("Sheet1", m[0], m[1]); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(f)
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// replaced is a workbook with a text of its parts replaced by another.
func replaced(t *testing.T, book []byte, old, text string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, part := range in.File {
		data, err := fs.ReadFile(in, part.Name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := w.Create(part.Name)
		if err == nil {
			_, err = f.Write(bytes.ReplaceAll(data, []byte(old), []byte(text)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBuiltInLayouts(t *testing.T) {
	all, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range IDs {
		for _, lang := range langs {
			l := all.Get(id, lang)
			if l == nil || l.ID != id || !l.reports() && id != Unit || slices.Contains(l.form.Headings(), "") && !l.form.HasMore() {
				t.Errorf("%s in %s: %+v", id, lang, l)
			}
		}
	}
	if all.Get(Ledger, "fr") != all.Get(Ledger, "zh-CN") {
		t.Error("who reads neither language gets no layout")
	}
	// What an office begins with must be a layout again.
	again, err := Load(fstest.MapFS{"台账.xlsx": {Data: all.Get(Ledger, "zh-CN").Template()}, "清单.xlsx": {Data: all.Get(List, "zh-CN").Template()}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.Get(Ledger, "en").form.Headings(), all.Get(Ledger, "zh-CN").form.Headings(); !slices.Equal(got, want) {
		t.Errorf("headings are %q, want %q", got, want)
	}
}

// TestExampleLayout loads the example, whose text names every field.
func TestExampleLayout(t *testing.T) {
	const folder = "../../examples/layouts"
	if _, err := Load(os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	about, err := os.ReadFile(folder + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range once {
		if !strings.Contains(string(about), "{{"+f.zh+"}}") {
			t.Errorf("the example does not name %s", f.zh)
		}
	}
	for _, f := range eaches {
		if !strings.Contains(string(about), "{{"+f.zh+"}}") {
			t.Errorf("the example does not name %s", f.zh)
		}
	}
}

// A column of imported ledgers that a layout has under another heading is not among the further ones again, however its
// name is written.
func TestOwnColumnsAreNotFurtherOnes(t *testing.T) {
	for _, name := range []string{"{{其他:备注}}", "{{其他：备注}}", "{{其他: 备注}}"} {
		all, err := Load(fstest.MapFS{"台账.xlsx": {Data: site(t, func(f *excelize.File) {
			if err := f.SetCellStr("Sheet1", "D5", name); err != nil {
				t.Fatal(err)
			}
		})}})
		if err != nil {
			t.Fatal(err)
		}
		if l := all.Get(Ledger, "zh-CN"); !l.shows("备注") || l.shows("电话") {
			t.Errorf("%s: shown %v, another %v", name, l.shows("备注"), l.shows("电话"))
		}
	}
}

func TestMistakesOfLayouts(t *testing.T) {
	set := func(at, text string) func(f *excelize.File) {
		return func(f *excelize.File) {
			if err := f.SetCellStr("Sheet1", at, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		want  []string
	}{
		{"sound", map[string][]byte{"ledger.xlsx": site(t, nil), "~$ledger.xlsx": []byte("lock"), "read me.txt": []byte("x")}, nil},
		{"a field that there is not", map[string][]byte{"台账.xlsx": site(t, set("D5", "{{承办负责人}}"))}, []string{"台账.xlsx D5: 不认识 {{承办负责人}}，相近的有：承办人、"}},
		{"a field in the wrong row", map[string][]byte{"台账.xlsx": site(t, set("A6", "{{承办人}}"))}, []string{"台账.xlsx A6: {{承办人}} 是事项的内容"}},
		{"no row to repeat", map[string][]byte{"台账.xlsx": site(t, func(f *excelize.File) {
			for _, at := range []string{"A5", "B5", "C5", "D5", "E5"} {
				set(at, "x")(f)
			}
		})}, []string{"台账.xlsx: 没有要逐项重复的一行：请在一行里写上各列的内容，如 {{事项名称}}"}},
		{"a formula", map[string][]byte{"台账.xlsx": site(t, func(f *excelize.File) {
			if err := f.SetCellFormula("Sheet1", "E5", "A5+1"); err != nil {
				t.Fatal(err)
			}
		})}, []string{"台账.xlsx E5: 重复行和它下面的行不能有公式"}},
		{"merged across the row", map[string][]byte{"台账.xlsx": site(t, func(f *excelize.File) {
			if err := f.MergeCell("Sheet1", "E5", "E6"); err != nil {
				t.Fatal(err)
			}
		})}, []string{"台账.xlsx E5: 合并单元格跨过了"}},
		{"further columns in the middle", map[string][]byte{"台账.xlsx": site(t, set("D5", "{{其他栏}}"))}, []string{"台账.xlsx D5: {{其他栏}} 只能写在最后一列"}},
		{"too wide", map[string][]byte{"台账.xlsx": site(t, set("DA1", "x"))}, []string{"台账.xlsx CW1: 版式太大"}},
		{"colours for cells that there are not", map[string][]byte{"台账.xlsx": replaced(t, site(t, func(f *excelize.File) {
			if err := f.SetConditionalFormat("Sheet1", "E5:E5", []excelize.ConditionalFormatOptions{{Type: "cell", Criteria: "==", Value: "1"}}); err != nil {
				t.Fatal(err)
			}
		}), `sqref="E5:E5"`, `sqref="E5:ZZZZ99"`)}, []string{"台账.xlsx: 读不出这个文件：the column number"}},
		{"no workbook", map[string][]byte{"台账.xlsx": []byte("PK\x03\x04 nonsense")}, []string{"台账.xlsx: 读不出这个文件："}},
		{"another name", map[string][]byte{"总表.xlsx": site(t, nil)}, []string{"总表.xlsx: 不是版式文件的名称"}},
		{"two of one", map[string][]byte{"台账.xlsx": site(t, nil), "ledger.yaml": []byte("title: x")}, []string{"ledger.yaml: 没有要逐项重复的一行", "台账.xlsx: 与 ledger.yaml 是同一种版式"}},
		{"all mistakes of all files", map[string][]byte{"unit.yaml": []byte("columns: [{field: nothing}]\n"), "list.yaml": []byte("titel: x\n")},
			[]string{"list.yaml: 读不出这个文件：yaml", "  line 1: field titel not found", "unit.yaml A2: 不认识 {{nothing}}"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := fstest.MapFS{}
			for name, data := range tt.files {
				folder[name] = &fstest.MapFile{Data: data}
			}
			_, err := Load(folder)
			var got []string
			if wrong, ok := err.(Mistakes); ok {
				got = strings.Split(wrong.In("zh-CN"), "\n")
			} else if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%d mistakes, want %d:\n%s", len(got), len(tt.want), strings.Join(got, "\n"))
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("got %q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}
