package message

import (
	"io/fs"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

func TestBothLanguagesSayTheSame(t *testing.T) {
	zh, en := catalogue()["zh-CN"], catalogue()["en"]
	for key, s := range zh {
		if _, ok := en[key]; !ok {
			t.Errorf("%s: no English sentence", key)
			continue
		}
		a, b := placeholder.FindAllString(s, -1), placeholder.FindAllString(en[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(slices.Compact(a), slices.Compact(b)) {
			t.Errorf("%s: placeholders differ: %v in Chinese, %v in English", key, a, b)
		}
	}
	for key := range en {
		if _, ok := zh[key]; !ok {
			t.Errorf("%s: no Chinese sentence", key)
		}
	}
}

func TestNoKeyInTwoFiles(t *testing.T) {
	for _, lang := range Languages {
		seen := map[string]string{}
		names, err := fs.Glob(files, lang+"/*.yaml")
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: no files: %v", lang, err)
		}
		for _, name := range names {
			b, err := files.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			m := map[string]string{}
			if err := yaml.Unmarshal(b, &m); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for key := range m {
				if other, ok := seen[key]; ok {
					t.Errorf("%s stands in %s and in %s", key, other, name)
				}
				seen[key] = name
			}
		}
	}
}

type stage struct{}

func (stage) In(lang string) string {
	return map[string]string{"zh-CN": "推进", "en": "advance"}[lang]
}

func TestText(t *testing.T) {
	catalogue()["zh-CN"]["test.at"] = "在{stage}阶段，差{n}项：{what}"
	catalogue()["en"]["test.at"] = "at {stage}, {n} missing: {what}"
	args := map[string]any{"stage": stage{}, "n": 2, "what": []string{"A", "B"}}
	for _, c := range []struct{ lang, key, want string }{
		{"zh-CN", "test.at", "在推进阶段，差2项：A、B"},
		{"zh", "test.at", "在推进阶段，差2项：A、B"},
		{"en-GB", "test.at", "at advance, 2 missing: A, B"},
		{"fr", "test.at", "在推进阶段，差2项：A、B"},
		{"en", "no.such.key", "no.such.key"},
	} {
		if got := Text(c.lang, c.key, args); got != c.want {
			t.Errorf("Text(%s, %s) = %q, want %q", c.lang, c.key, got, c.want)
		}
	}
}
