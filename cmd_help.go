package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"bihuan/engine/message"
)

const program = "bihuan"

// parser makes the parser of the grammar with its sentences in the session's language.
func (s *session) parser(c *commands) (*kong.Kong, error) {
	k, err := kong.New(c, kong.Name(program), kong.NoDefaultHelp(), kong.Writers(s.out, s.err))
	if err != nil {
		return nil, err
	}
	s.describe(k.Model.Node)
	return k, nil
}

// describe fills in the help of a command, its flags and what is below it.
func (s *session) describe(n *kong.Node) {
	n.Help = s.text("cmd" + dotted(n))
	for _, f := range n.Flags {
		f.Help = s.aboutValue("flag", n, f.Value)
	}
	for _, p := range n.Positional {
		p.Help = s.aboutValue("arg", n, p)
	}
	for _, child := range n.Children {
		s.describe(child)
	}
}

// aboutValue finds the sentence for a flag or argument: that of the command, else the general one.
func (s *session) aboutValue(what string, n *kong.Node, v *kong.Value) string {
	own := what + dotted(n) + "." + v.Name
	if message.Has("cli." + own) {
		return s.text(own)
	}
	return s.text(what + "." + v.Name)
}

// path is the words of a command behind the program's name.
func path(n *kong.Node) []string {
	var words []string
	for ; n != nil && n.Type == kong.CommandNode; n = n.Parent {
		words = append(words, n.Name)
	}
	slices.Reverse(words)
	return words
}

func dotted(n *kong.Node) string {
	if words := path(n); len(words) > 0 {
		return "." + strings.Join(words, ".")
	}
	return ""
}

// helpRequest turns "help COMMAND…" into COMMAND… and reports whether it was that.
func helpRequest(args []string) ([]string, bool) {
	if len(args) > 0 && args[0] == "help" {
		return args[1:], true
	}
	return args, false
}

func asksForHelp(trace *kong.Context) bool {
	return slices.ContainsFunc(trace.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == "help" })
}

// node is the innermost command that a command line names.
func node(trace *kong.Context) *kong.Node {
	n := trace.Model.Node
	for _, p := range trace.Path {
		if p.Command != nil {
			n = p.Command
		}
	}
	return n
}

// help writes all about a command.
func (s *session) help(w io.Writer, n *kong.Node) {
	var b strings.Builder
	b.WriteString(n.Help + "\n\n" + s.text("help.usage") + program)
	for _, word := range path(n) {
		b.WriteString(" " + word)
	}
	for _, p := range n.Positional {
		b.WriteString(" " + p.Summary())
	}
	for _, f := range n.Flags {
		if f.Required {
			b.WriteString(" --" + f.Name + "=" + f.FormatPlaceHolder())
		}
	}
	if len(n.Children) > 0 {
		b.WriteString(" " + s.text("help.command"))
	}
	b.WriteString(" " + s.text("help.flags") + "\n")

	var list [][2]string
	for _, leaf := range n.Leaves(true) {
		words := path(leaf)
		list = append(list, [2]string{strings.Join(words[len(path(n)):], " "), leaf.Help})
	}
	section(&b, s.text("help.commands"), list)
	list = nil
	for _, p := range n.Positional {
		list = append(list, [2]string{p.Summary(), p.Help})
	}
	section(&b, s.text("help.arguments"), list)
	list = nil
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			list = append(list, [2]string{flagSummary(f), f.Help})
		}
	}
	slices.SortStableFunc(list, func(a, b [2]string) int { return general(a[0]) - general(b[0]) })
	section(&b, s.text("help.options"), list)
	if n.Type == kong.ApplicationNode {
		n.Detail = (*commands)(nil).examples()
	}
	if n.Detail != "" {
		b.WriteString("\n" + s.text("help.examples") + "\n")
		for example := range strings.Lines(n.Detail) {
			b.WriteString("  " + strings.TrimRight(example, "\n") + "\n")
		}
	}
	codes := "exit" + dotted(n)
	if !message.Has("cli." + codes) {
		codes = "exit"
	}
	b.WriteString("\n" + s.text(codes) + "\n")
	_, _ = io.WriteString(w, b.String())
}

func (*commands) examples() string {
	return "bihuan serve --db sqlite:bihuan.db --addr 127.0.0.1:8080\nbihuan help import"
}

// general puts the flags that every command has behind its own.
func general(flag string) int {
	if strings.HasPrefix(flag, "-h,") || strings.Contains(flag, "--lang") {
		return 1
	}
	return 0
}

func flagSummary(f *kong.Flag) string {
	text := "    --" + f.Name
	if f.Short != 0 {
		text = fmt.Sprintf("-%c, --%s", f.Short, f.Name)
	}
	if !f.IsBool() {
		text += "=" + f.FormatPlaceHolder()
	}
	return text
}

func section(b *strings.Builder, title string, list [][2]string) {
	if len(list) == 0 {
		return
	}
	wide := 0
	for _, l := range list {
		wide = max(wide, columns(l[0]))
	}
	b.WriteString("\n" + title + "\n")
	for _, l := range list {
		b.WriteString("  " + pad(l[0], wide) + "  " + l[1] + "\n")
	}
}

// slips turns kong's complaints into ours. What none matches is shown as kong says it.
var slips = []struct {
	pattern *regexp.Regexp
	key     string // its values are 1, 2 … for the groups
}{
	{regexp.MustCompile(`^unknown flag (\S+?)(?:, did you mean (.*)\?)?$`), "usage.unknown_flag"},
	{regexp.MustCompile(`^unexpected argument (.+?)(?:, did you mean (.*)\?)?$`), "usage.unexpected"},
	{regexp.MustCompile(`^missing flags: (.*)$`), "usage.missing_flags"},
	{regexp.MustCompile(`^expected one of (.*)$`), "usage.choose"},
	{regexp.MustCompile(`^expected "(.*)"$`), "usage.missing_argument"},
	{regexp.MustCompile(`^(\S+): expected (?:a valid \d+ bit int|an int|string value|duration|bool).* but got (.*)$`), "usage.bad_value"},
	{regexp.MustCompile(`^(\S+) must be one of (\S+) but got (.*)$`), "usage.enum"},
}

// usage says what is wrong with a command line and where to read on, and returns the exit code.
func (s *session) usage(err error, trace *kong.Context) int {
	why := err.Error()
	var m misuse
	if errors.As(err, &m) {
		why = m.In(s.lang)
	} else {
		for _, slip := range slips {
			g := slip.pattern.FindStringSubmatch(why)
			if g == nil {
				continue
			}
			args := []any{}
			for i, v := range g[1:] {
				args = append(args, string(rune('a'+i)), strings.ReplaceAll(v, `"`, ""))
			}
			key := slip.key
			switch {
			case key == "usage.choose": // kong names five at most
				args[1] = below(node(trace))
			case len(g) > 2 && g[2] != "" && message.Has("cli."+key+".hint"):
				key += ".hint"
			}
			why = s.text(key, args...)
			break
		}
	}
	words := append([]string{program}, path(node(trace))...)
	_, _ = fmt.Fprintf(s.err, "%s\n%s\n", s.text("usage", "why", why), s.text("usage.help", "command", strings.Join(words, " ")))
	switch {
	case slices.Equal(words[1:], []string{"audit", "verify"}):
		return verifyUsage
	case slices.Equal(words[1:], []string{"restore"}):
		return restoreRefused
	}
	return exitUsage
}

// below lists the commands right below one.
func below(n *kong.Node) []string {
	var out []string
	for _, child := range n.Children {
		out = append(out, child.Name)
	}
	return out
}
