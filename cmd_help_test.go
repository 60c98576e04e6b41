package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"bihuan/engine/message"
)

// TestCommandLine is what every script relies on: how the program ends, and on which stream it says why.
func TestCommandLine(t *testing.T) {
	missing := "sqlite:" + t.TempDir() + "/none.db"
	tests := []struct {
		name     string
		args     string
		env      map[string]string
		code     int
		out, err string // fragments; "" means that nothing is written there
	}{
		{name: "nothing at all", args: "", code: 2, err: "命令："},
		{name: "help", args: "help", code: 0, out: "audit verify"},
		{name: "--help", args: "--help", code: 0, out: "audit verify"},
		{name: "help of a command", args: "help import", code: 0, out: "bihuan import <file> --kind=ID --unit=CODE"},
		{name: "help of a group", args: "help workflow", code: 0, out: "diff"},
		{name: "help in English by flag", args: "help --lang en", code: 0, out: "Commands:"},
		{name: "help in English by environment", args: "help", env: map[string]string{"BIHUAN_LANGUAGE": "en"}, code: 0, out: "Commands:"},
		{name: "the flag goes before the environment", args: "help --lang=zh-CN", env: map[string]string{"BIHUAN_LANGUAGE": "en"}, code: 0, out: "命令："},
		{name: "help of nothing", args: "help nothing", code: 2, err: "不认识 nothing"},
		{name: "unknown command", args: "servee", code: 2, err: "不认识 servee；是不是 serve？"},
		{name: "unknown command in English", args: "nothing --lang en", code: 2, err: "usage: unknown: nothing"},
		{name: "unknown command asking for help", args: "nothing --help", code: 2, err: "不认识 nothing"},
		{name: "unknown language", args: "version --lang fr", code: 2, err: "--lang"},
		{name: "group alone", args: "workflow", code: 2, err: "check、graph、list、show、publish、diff、migrate"},
		{name: "unknown flag", args: "migrate --dp x", code: 2, err: "没有选项 --dp；是不是 --db？"},
		{name: "missing flag", args: "import x.csv --unit dw", code: 2, err: "缺少选项 --kind=ID"},
		{name: "missing argument", args: "workflow check", code: 2, err: "缺少 <file> ..."},
		{name: "not a number", args: "calendar show MMXXVI", code: 2, err: "<year>"},
		{name: "not a date", args: "simulate --workflow shishi --start 24.9. --deadline 2026-11-30", code: 2, err: "--start 应写成 2026-11-30 这样的日期，而不是“24.9.”"},
		{name: "year beyond reason", args: "import x.csv --kind shishi --unit dw --year 20260", code: 2, err: "--year"},
		{name: "limit of nothing", args: "audit list --limit 0", code: 2, err: "--limit"},
		{name: "verify: unknown flag", args: "audit verify --nope", code: 3, err: "没有选项 --nope"},
		{name: "verify: no such bundle", args: "audit verify now.zip", code: 3, err: "now.zip"},
		{name: "verify: set-up", args: "audit verify --db mysql://x", code: 3, err: "--db: db:"},
		{name: "verify: no such database", args: "audit verify --db " + missing, code: 2, err: "没有数据库文件", out: "无法判断"},
		{name: "no such database", args: "unit list --db " + missing, code: 1, err: "没有数据库文件"},
		{name: "bad database name", args: "migrate --db mysql://u:hunter2@h/d", code: 1, err: "sqlite:PATH"},
		{name: "every mistake of the set-up", args: "serve", env: map[string]string{"BIHUAN_DB": "oracle:x", "BIHUAN_ADDR": "here", "BIHUAN_LOG_LEVEL": "loud"},
			code: 1, err: "BIHUAN_LOG_LEVEL"},
		{name: "version", args: "version", code: 0, out: "bihuan "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, tt.env, strings.Fields(tt.args)...)
			if a.code != tt.code {
				t.Errorf("exit %d, want %d", a.code, tt.code)
			}
			for _, stream := range []struct{ name, got, want string }{{"stdout", a.out, tt.out}, {"stderr", a.err, tt.err}} {
				if stream.want == "" && stream.got != "" || !strings.Contains(stream.got, stream.want) {
					t.Errorf("%s = %q, want %q", stream.name, stream.got, stream.want)
				}
			}
			if strings.Contains(a.out+a.err, "hunter2") {
				t.Error("a password is shown")
			}
		})
	}
	if _, err := kong.New(&commands{}); err != nil {
		t.Error(err)
	}
}

// TestHelp holds every command to what its help must have: a sentence in both languages for itself, its flags and
// arguments, and an example, which must be a command line of that command that the parser accepts.
func TestHelp(t *testing.T) {
	for _, lang := range message.Languages {
		s := newSession([]string{"--lang", lang}, io.Discard, io.Discard, func(string) string { return "" })
		parser, err := s.parser(&commands{})
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range parser.Model.Leaves(false) {
			words := path(leaf)
			t.Run(lang+"/"+strings.Join(words, " "), func(t *testing.T) {
				a := call(t, nil, append(words, "--help", "--lang", lang)...)
				if a.code != exitOK {
					t.Fatalf("--help: exit %d: %s", a.code, a.err)
				}
				if strings.Contains(a.out, "cli.") {
					t.Errorf("a sentence is missing:\n%s", a.out)
				}
				if got := call(t, nil, append([]string{"help", "--lang", lang}, words...)...); got != a {
					t.Errorf("help %v differs from --help:\n%s", words, got.out)
				}
				_, examples, _ := strings.Cut(a.out, s.text("help.examples"))
				n := 0
				for text := range strings.Lines(examples) {
					_, rest, ok := strings.Cut(strings.TrimSpace(text), "bihuan ")
					if !ok || !strings.HasPrefix(text, "  ") {
						continue
					}
					n++
					rest, _, _ = strings.Cut(rest, " > ")
					rest, _, _ = strings.Cut(rest, " < ")
					fresh, err := s.parser(&commands{})
					if err != nil {
						t.Fatal(err)
					}
					if trace, err := fresh.Parse(shellWords(rest)); err != nil {
						t.Errorf("the example %q: %v", rest, err)
					} else if got := path(node(trace)); strings.Join(got, " ") != strings.Join(words, " ") {
						t.Errorf("the example %q is one of %v", rest, got)
					}
				}
				if n == 0 {
					t.Errorf("no example:\n%s", a.out)
				}
			})
		}
	}
}

// TestColumns keeps tables straight where Chinese and Latin letters mix.
func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "谋划": 4, "“谋划”": 6, "ＡＢ": 4, "—": 1} {
		if got := columns(text); got != want {
			t.Errorf("columns(%q) = %d, want %d", text, got, want)
		}
	}
}

// shellWords parts a command line as a shell does where it knows double quotes only.
func shellWords(s string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`"([^"]*)"|\S+`).FindAllStringSubmatch(s, -1) {
		if strings.HasPrefix(m[0], `"`) {
			m[0] = m[1]
		}
		out = append(out, m[0])
	}
	return out
}
