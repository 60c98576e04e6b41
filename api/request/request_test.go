package request

import (
	"strings"
	"testing"
)

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ name, header, want string }{
		{"none", "", "zh-CN"},
		{"any", "*", "zh-CN"},
		{"Chinese", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"},
		{"English", "en-GB,en;q=0.9", "en"},
		{"weights count, not the order", "en;q=0.3, zh;q=0.7", "zh-CN"},
		{"the first of equals", "en, zh", "en"},
		{"a language that we don't have", "fr-FR, en;q=0.1", "en"},
		{"only languages that we don't have", "fr, de", "zh-CN"},
		{"refused by weight zero", "en;q=0", "zh-CN"},
		{"bad weight", "en;q=abc", "zh-CN"},
		{"a word that begins like one of ours", "end", "zh-CN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Language(c.header, "zh-CN"); got != c.want {
				t.Errorf("Language(%q) = %q, want %q", c.header, got, c.want)
			}
		})
	}
}

func TestSaneID(t *testing.T) {
	for _, c := range []struct {
		name, id string
		want     bool
	}{
		{"uuid", "0199e2a4-7c1e-7d3a-b1c2-000000000001", true},
		{"empty", "", false},
		{"line break", "a\nb", false},
		{"quote", `a"b`, false},
		{"longest", strings.Repeat("a", maxID), true},
		{"too long", strings.Repeat("a", maxID+1), false},
		{"not ASCII", "编号", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := SaneID(c.id); got != c.want {
				t.Errorf("SaneID(%q) = %v", c.id, got)
			}
		})
	}
}
