package calendar_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"bihuan/engine/calendar"
)

const head = "日期,节日,类型,国办通知\n"

func TestParseCSV(t *testing.T) {
	want := []calendar.Day{
		{Date: day("2026-02-14"), Name: "春节", Notice: "https://www.gov.cn/x"},
		{Date: day("2026-02-15"), Name: "春节", Off: true},
	}
	plain := head + "2026-02-14,春节,调休上班,https://www.gov.cn/x\n2026-02-15,春节,放假,\n"
	for name, text := range map[string]string{
		"plain":               plain,
		"byte order mark":     "\ufeff" + plain,
		"CRLF":                strings.ReplaceAll(plain, "\n", "\r\n"),
		"no end of line":      strings.TrimSuffix(plain, "\n"),
		"blanks":              head + "\n 2026-02-14 , 春节,调休上班 ,https://www.gov.cn/x,,\n,,,\n2026-02-15,春节,放假\n",
		"quoted":              head + `2026-02-14,"春节","调休上班","https://www.gov.cn/x"` + "\n2026-02-15,春节,放假,\"\"\n",
		"header after blanks": "\n,,,\n" + plain,
	} {
		got, err := calendar.ParseCSV(strings.NewReader(text))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestParseCSVReadsTheEmbeddedList(t *testing.T) {
	b, err := os.ReadFile("holidays.csv")
	if err != nil {
		t.Fatal(err)
	}
	days, err := calendar.ParseCSV(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var embedded []calendar.Day
	for _, year := range calendar.Embedded().Years() {
		embedded = append(embedded, calendar.Embedded().Days(year)...)
	}
	if len(days) != 344 || !slices.Equal(days, embedded) {
		t.Errorf("%d rows in the file, %d in the calendar; want the same 344", len(days), len(embedded))
	}
}

func TestParseCSVReportsEveryMistake(t *testing.T) {
	type mistake struct {
		line   int
		zh, en string // parts of the sentences
	}
	tests := map[string]struct {
		text string
		want []mistake
	}{
		"empty":        {"", []mistake{{1, "文件是空的", "file is empty"}}},
		"blank":        {"\n,,,\n", []mistake{{1, "文件是空的", "file is empty"}}},
		"header only":  {head, []mistake{{1, "没有任何日期", "no day under the header"}}},
		"other header": {"date,name,type,notice\n2026-1-1,x,y,z\n", []mistake{{1, "表头应为 日期,节日,类型,国办通知", "header must be"}}},
		"header in GBK": {"\xc8\xd5\xc6\xda,\xbd\xda\xc8\xd5,\xc0\xe0\xd0\xcd,\xb9\xfa\xb0\xec\xcd\xa8\xd6\xaa\n",
			[]mistake{{1, "UTF-8", "UTF-8"}}},
		"no header":   {"2026-02-14,春节,放假,x\n", []mistake{{1, "表头应为", "header must be"}}},
		"bad date":    {head + "2026/2/14,春节,放假,x\n", []mistake{{2, `日期 "2026/2/14" 应写成`, `"2026/2/14" is not a date`}}},
		"no such day": {head + "2026-02-29,春节,放假,x\n", []mistake{{2, "2026-02-29", "2026-02-29"}}},
		"no date":     {head + ",春节,放假,x\n", []mistake{{2, `日期 ""`, `"" is not a date`}}},
		"no name":     {head + "2026-02-14,,放假,x\n", []mistake{{2, "缺少节日名称", "name is missing"}}},
		"bad type":    {head + "2026-02-14,春节,休息,x\n", []mistake{{2, `类型 "休息"`, `type "休息"`}}},
		"too few":     {head + "2026-02-14,春节\n", []mistake{{2, "应有 4 列,实有 2 列", "2 columns instead of 4"}}},
		"too many":    {head + "2026-02-14,春节,放假,x,y\n", []mistake{{2, "实有 5 列", "5 columns"}}},
		"not UTF-8":   {head + "2026-02-14,\xb4\xba\xbd\xda,放假,x\n", []mistake{{2, "UTF-8", "UTF-8"}}},
		"stray quote": {head + "2026-02-14,春\"节,放假,x\n2026-02-15,,放假,x\n", []mistake{{2, "引号", "quotation"}, {3, "节日名称", "name"}}},
		"open quote":  {head + "2026-02-15,春节,放假,x\n2026-02-14,\"春节,放假,x\n", []mistake{{3, "引号", "quotation"}}},
		"open quote, lines under it": {head + "2026-02-14,\"春节,放假,x\n2026-02-15,春节,放假,x\n",
			[]mistake{{2, "引号", "quotation"}}},
		"quoted header": {"日\"期,节日,类型,国办通知\n", []mistake{{1, "引号", "quotation"}}},
		"twice": {head + "2026-02-14,春节,放假,x\n\n2026-02-14,春节,调休上班,x\n",
			[]mistake{{4, "在第 2 行已经出现过", "given in line 2 already"}}},
		"lines count over quoted breaks": {head + "2026-02-14,春节,放假,\"x\ny\"\n2026-02-15,春节,x,\n", []mistake{{4, "类型", "type"}}},
		"everything at once": {"\ufeff" + head + "2026-2-14,,休,x\r\n2026-02-15,春节,放假,\r\n2026-02-15,,放假,\r\nx\r\n",
			[]mistake{{2, "日期", "date"}, {2, "节日名称", "name"}, {2, "类型", "type"}, {4, "第 3 行", "line 3"}, {4, "节日名称", "name"}, {5, "列", "columns"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			days, err := calendar.ParseCSV(strings.NewReader(tt.text))
			if err == nil || days != nil {
				t.Fatalf("got %v, %v; want mistakes", days, err)
			}
			got := calendar.Mistakes(err)
			if len(got) != len(tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(err.Error(), got[i].Error()) {
					t.Errorf("%q is not in %q", got[i].Error(), err)
				}
				if got[i].Line != want.line || !strings.Contains(got[i].In("zh-CN"), want.zh) || !strings.Contains(got[i].In("en"), want.en) {
					t.Errorf("mistake %d: %q / %q, want %v", i, got[i].In("zh-CN"), got[i].In("en"), want)
				}
			}
		})
	}
}

func TestMistakeSentences(t *testing.T) {
	tests := map[string]struct {
		mistake  calendar.Mistake
		lang     string
		sentence string
	}{
		"Chinese, in a file": {calendar.Mistake{Line: 3, ZH: "错", EN: "wrong"}, "zh-CN", "第 3 行:错"},
		"English, in a file": {calendar.Mistake{Line: 3, ZH: "错", EN: "wrong"}, "en-GB", "line 3: wrong"},
		"Chinese, no file":   {calendar.Mistake{ZH: "错", EN: "wrong"}, "zh-CN", "错"},
		"English, no file":   {calendar.Mistake{ZH: "错", EN: "wrong"}, "en", "wrong"},
		"other language":     {calendar.Mistake{ZH: "错", EN: "wrong"}, "fr", "错"},
	}
	for name, tt := range tests {
		if got := tt.mistake.In(tt.lang); got != tt.sentence {
			t.Errorf("%s: got %q, want %q", name, got, tt.sentence)
		}
	}
}

func TestParseCSVPassesOnAFailingReader(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, before := range map[string]string{"at once": "", "in a row": head + "2026-02-14,春节"} {
		days, err := calendar.ParseCSV(io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken)))
		if days != nil || !errors.Is(err, broken) || len(calendar.Mistakes(err)) != 0 {
			t.Errorf("%s: got %v, %v; want the reader's error", name, days, err)
		}
	}
}
