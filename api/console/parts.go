package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// lightView is a light: a shape, a word and a colour, never the colour alone.
type lightView struct {
	Class string // r, o, y, g, h (挂账), d (已销号), n
	Text  string
	Pill  bool
}

// lightOf shows an item's light at a moment; what is not being worked on has a mark of its own.
func (v *visit) lightOf(p *engine.Project, now time.Time) lightView {
	switch p.Stage {
	case engine.Closed:
		return lightView{Class: "d", Text: v.t("console.light.closed")}
	case engine.Shelved:
		return lightView{Class: "h", Text: v.t("console.light.shelved")}
	case engine.Cancelled:
		return lightView{Class: "n", Text: v.t("console.light.cancelled")}
	}
	l := p.Light(now)
	return lightView{Class: lightClass[l], Text: v.t("console.light." + string(l))}
}

var lightClass = map[engine.Light]string{engine.Red: "r", engine.Orange: "o", engine.Yellow: "y", engine.Green: "g", engine.NoLight: "n"}

// dotsView is the progress through the stages as dots on a line.
type dotsView struct {
	Class string
	Width int
	Lines []dotLine
	Dots  []dot
	Label string // the same in words
	Name  string
}

type dotLine struct {
	X1, X2 string
	On     bool
}

type dot struct {
	X     string
	R     string
	Class string // dn done, cu current, ft to come
}

// dotsOf draws where a project stands among its workflow's stages.
func (v *visit) dotsOf(w *engine.Workflow, p *engine.Project, light string) dotsView {
	n := len(w.Stages)
	at := n
	stage := p.Stage
	if p.Stage == engine.Shelved {
		stage = p.Resume
	}
	for i, s := range w.Stages {
		if s.ID == stage {
			at = i
		}
	}
	if p.Stage == engine.Cancelled {
		at = 0
	}
	out := dotsView{Class: light, Width: 12 + 13*max(0, n-1), Name: w.StageName(p.Stage).In(v.lang)}
	x := func(i int) string { return strconv.Itoa(6 + 13*i) }
	for i := range n {
		if i > 0 {
			out.Lines = append(out.Lines, dotLine{x(i - 1), x(i), i <= at})
		}
		d := dot{X: x(i), R: "4", Class: "dn"}
		switch {
		case i == at:
			d.Class = "cu"
		case i > at:
			d.Class, d.R = "ft", "3.4"
		}
		out.Dots = append(out.Dots, d)
	}
	if at < n {
		out.Label = v.t("console.dots", "n", at+1, "stage", out.Name, "of", n)
	} else {
		out.Label = v.t("console.dots.all", "stage", out.Name, "of", n)
	}
	return out
}

// progressView is the percentage done, beside what the calendar would have by now.
type progressView struct {
	Class         string
	Percent, Plan int
	HasPlan       bool
	Label         string
}

// progressOf compares the reported progress with the share of the time that has passed since 交办.
func (v *visit) progressOf(p *engine.Project, light string, now time.Time, loc *time.Location) progressView {
	out := progressView{Class: light, Percent: p.Progress}
	if light == "g" {
		out.Class = ""
	}
	if p.Stage == engine.Closed {
		out.Percent = 100
	}
	if p.StartedAt != nil && !p.Deadline.IsZero() && !p.Stage.Resting() {
		total := p.Deadline.AddDays(1).Start(loc).Sub(*p.StartedAt)
		if total > 0 {
			out.HasPlan = true
			out.Plan = min(100, max(0, int(100*now.Sub(*p.StartedAt)/total)))
			out.Label = v.t("console.progress.plan", "percent", out.Percent, "plan", out.Plan)
			return out
		}
	}
	out.Label = v.t("console.progress", "percent", out.Percent)
	return out
}

// dueView is a deadline with what is left of it.
type dueView struct {
	Date  string // 06-24, with the year where it is not this year
	Left  string // 剩 5 天, 超期 3 天
	Class string // c-r, c-y, muted
	Exact string // 2026-06-24
}

// dueOf says how many working days are left until a deadline, or have passed since.
func (c *Console) dueOf(v *visit, p *engine.Project, light string, today calendar.Date) dueView {
	if p.Deadline.IsZero() {
		return dueView{Date: "—"}
	}
	out := dueView{Date: shortDate(p.Deadline, today), Exact: p.Deadline.String(), Class: "muted"}
	if p.Stage.Resting() {
		return out
	}
	working := c.Engine.Working()
	switch {
	case today.After(p.Deadline):
		n, _ := working.Workdays(p.Deadline, today)
		out.Left, out.Class = v.t("console.due.over", "n", max(1, n)), "c-r" // the weekend belongs to the first day
	case today == p.Deadline:
		out.Left, out.Class = v.t("console.due.today"), "c-y"
	default:
		n, _ := working.Workdays(today, p.Deadline)
		out.Left = v.t("console.due.left", "n", n)
		if light == "y" || light == "o" || light == "r" {
			out.Class = "c-" + light
		}
	}
	return out
}

// shortDate leaves the year out where it is this year.
func shortDate(d, today calendar.Date) string {
	if d.IsZero() {
		return "—"
	}
	if d.Year() == today.Year() {
		return d.String()[5:]
	}
	return d.String()
}

func (c *Console) today() calendar.Date { return calendar.DateOf(c.Now(), c.Engine.Site.Location) }

// moment shows a time at the site: "06-17 10:18", with the year where it is not this year.
func (c *Console) moment(t time.Time) string {
	local := t.In(c.Engine.Site.Location)
	if local.Year() == c.Now().In(c.Engine.Site.Location).Year() {
		return local.Format("01-02 15:04")
	}
	return local.Format("2006-01-02 15:04")
}

// moments shows a time that may not be there.
func (c *Console) moments(t *time.Time) string {
	if t == nil {
		return ""
	}
	return c.moment(*t)
}

func (c *Console) day(t time.Time) string {
	return shortDate(calendar.DateOf(t, c.Engine.Site.Location), c.today())
}

// size shows a number of bytes.
func size(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// fileKind is a short mark for a file's type: its extension in capitals.
func fileKind(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 5 {
		return "—"
	}
	return strings.ToUpper(name[i+1:])
}

// hashView is a digest, shortened for the eye and whole for whoever compares.
type hashView struct{ Short, Whole string }

func hashOf(s string) hashView {
	if len(s) < 12 {
		return hashView{s, s}
	}
	return hashView{s[:4] + "…" + s[len(s)-4:], s}
}

// actionName is an entry's action in words.
func (v *visit) actionName(action string) string {
	key := "console.action." + action
	if s := v.t(key); s != key {
		return s
	}
	return action
}

// actionClass grades an entry on a timeline: what moved the project, what went wrong, the rest.
func actionClass(action string) string {
	switch action {
	case "create", "import", "approve", "transition", "auto", "verify":
		return "key"
	case "overdue", "return", "urge", "rung", "object", "refused":
		return "warn"
	}
	return ""
}

// emptyView says why there is nothing, and offers one next step.
type emptyView struct {
	Title, Why string
	Href, Do   string
}
