package console

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"bihuan/engine"
	"bihuan/engine/message"
)

//go:embed templates/*.html
var templateFiles embed.FS

// page is a parsed template with the layout and the components.
type page struct{ *template.Template }

// shared are the templates that every page includes.
var shared = []string{"templates/layout.html", "templates/parts.html", "templates/forms.html"}

// parsePages parses every page once for each language, so that a template names a sentence by its key alone.
func parsePages(a *assets) (map[string]map[string]*page, error) {
	out := map[string]map[string]*page{}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, lang := range message.Languages {
		out[lang] = map[string]*page{}
		base, err := template.New("").Funcs(functions(lang, a)).ParseFS(templateFiles, shared...)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if contains(shared, name) {
				continue
			}
			t, err := base.Clone()
			if err != nil {
				return nil, err
			}
			if t, err = t.ParseFS(templateFiles, name); err != nil {
				return nil, err
			}
			out[lang][strings.TrimSuffix(path.Base(name), ".html")] = &page{t}
		}
	}
	return out, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// functions are what templates may call. None of them knows a right or a rule.
func functions(lang string, a *assets) template.FuncMap {
	sprite, err := a.url("sprite.svg")
	return template.FuncMap{
		"t":     func(key string, args ...any) string { return say(lang, key, args...) },
		"asset": a.url,
		// icon and shape point into the one sprite file; the names are ours.
		"icon":  func(name string) (template.HTML, error) { return use(sprite, "i-"+name, "i"), err },
		"mark":  func(name string) (template.HTML, error) { return use(sprite, name, ""), err },
		"logo":  func() (template.HTML, error) { return use(sprite, "logo", "logo"), err },
		"lines": lines,
		"inc":   func(i int) int { return i + 1 },
		"sure": func(id string, version int64, act, icon string) sureView {
			return sureView{Action: "/lists/" + id + "/do/" + act, Version: version, Icon: icon,
				Title: say(lang, "console.list."+act), Text: say(lang, "console.list."+act+"_means")}
		},
	}
}

// lines splits a text that people wrote in several lines.
func lines(s string) []string { return strings.Split(s, "\n") }

// use draws a symbol of the sprite. It is built from constants of our own templates, never from what people wrote:
// anything but letters, digits and dashes in the name is dropped.
func use(sprite, symbol, class string) template.HTML {
	symbol = strings.Map(func(r rune) rune {
		if r == '-' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, symbol)
	return template.HTML(`<svg class="` + class + `" aria-hidden="true"><use href="` + sprite + `#` + symbol + `"/></svg>`) //nolint:gosec // constants
}

// frame is what the layout shows around a page.
type frame struct {
	Lang, Theme string
	Large       bool
	Title       string
	Site        string
	Path        string // where the reader is, to come back to after a setting
	Query       string // in the search box
	Nav         []navGroup
	Tabs        []navItem // at the bottom of a phone
	SignedIn    bool
	Name        string
	Initial     string
	Role        string // what the person is, in words
	Demo        bool   // people may change seats
	Today       string // in the demo, whose days visitors may let go by
	Seats       []seatView
	CanCreate   bool
	Live        bool   // there is a stream of signals
	Done        string // what was just done, said once
	Main        any
}

type navGroup struct {
	Title string
	Items []navItem
}

type navItem struct {
	Href, Icon, Title, Short string
	Current, Todo            bool
	Tally                    bool          // where a yearly count is switched on, and for who may do that
	Board                    bool          // where the site has switched the public board on
	Create                   bool          // for those who may create, and not at the bottom of a phone
	Count                    string        // where the number beside it comes from
	Roles                    []engine.Role // for those who hold one of them somewhere, and not at the bottom of a phone; empty: all
	Aside                    bool          // not at the bottom of a phone, but in the menu behind the name
}

type seatView struct {
	Login, Name, Title, Initial string
	Current                     bool
}

// navigation is the way around. Lists, evaluation and the public board join it with the issues that bring them.
var navigation = []struct {
	title string
	items []navItem
}{
	{"console.nav.work", []navItem{{Href: "/overview", Icon: "layout-dashboard", Title: "console.nav.overview", Short: "console.nav.overview"},
		{Href: "/todo", Icon: "inbox", Title: "console.nav.todo", Short: "console.nav.todo_short", Todo: true},
		{Href: "/notices", Icon: "bell", Title: "console.nav.notices", Short: "console.nav.notices_short", Count: "/notices/count"}}},
	{"console.nav.projects", []navItem{{Href: "/ledger", Icon: "table", Title: "console.nav.ledger", Short: "console.nav.ledger"},
		{Href: "/needs", Icon: "speakerphone", Title: "console.nav.needs", Short: "console.nav.needs", Roles: []engine.Role{engine.Secretary, engine.Supervisor, engine.Leader, engine.Inspector}},
		{Href: "/lists", Icon: "list-check", Title: "console.nav.lists", Short: "console.nav.lists_short"},
		{Href: "/yearly", Icon: "git-merge", Title: "console.nav.yearly", Short: "console.nav.yearly", Roles: []engine.Role{engine.Secretary, engine.Supervisor, engine.Leader, engine.Inspector}},
		{Href: "/tally", Icon: "checks", Title: "console.nav.tally", Short: "console.nav.tally", Tally: true, Aside: true},
		{Href: "/marks", Icon: "bookmark-plus", Title: "console.nav.marks", Short: "console.nav.marks", Roles: []engine.Role{engine.Secretary, engine.Supervisor, engine.Leader, engine.Inspector}},
		{Href: "/board", Icon: "eye", Title: "console.nav.board", Short: "console.nav.board", Roles: engine.Roles, Board: true},
		{Href: "/import", Icon: "file-spreadsheet", Title: "console.nav.import", Short: "console.nav.import", Create: true}}},
	{"console.nav.oversight", []navItem{{Href: "/scores", Icon: "chart-bar", Title: "console.nav.scores", Short: "console.nav.scores", Aside: true},
		{Href: "/trail", Icon: "shield-check", Title: "console.nav.trail", Short: "console.nav.trail"}}},
	{"console.nav.manage", []navItem{{Href: "/units", Icon: "building", Title: "console.nav.units", Short: "console.nav.units", Roles: engine.Offices},
		{Href: "/people", Icon: "users", Title: "console.nav.people", Short: "console.nav.people", Roles: engine.Offices},
		{Href: "/roles", Icon: "id-badge-2", Title: "console.nav.roles", Short: "console.nav.roles", Roles: engine.Offices},
		{Href: "/delegations", Icon: "user-cog", Title: "console.nav.delegations", Short: "console.nav.delegations", Aside: true}}},
	{"console.nav.setup", []navItem{{Href: "/workflows", Icon: "sitemap", Title: "console.nav.workflows", Short: "console.nav.workflows_short"},
		{Href: "/channels", Icon: "speakerphone", Title: "console.nav.channels", Short: "console.nav.channels", Roles: []engine.Role{engine.Admin}},
		{Href: "/deliveries", Icon: "checks", Title: "console.nav.deliveries", Short: "console.nav.deliveries", Roles: []engine.Role{engine.Admin, engine.Inspector}}}},
}

// frame prepares the layout for a visit.
func (c *Console) frame(v *visit, title string, main any) frame {
	f := frame{Lang: v.lang, Theme: v.theme, Large: v.large, Title: title, Site: c.Site, Path: local(v.g.Request.URL.RequestURI(), "/"),
		SignedIn: v.user.ID != "", Demo: c.Seats != nil, Main: main}
	if v.g.Request.Method != http.MethodGet {
		f.Path = "/"
	}
	if f.SignedIn {
		f.Name, f.Initial, f.Role = v.user.Name, initial(v.user.Name), c.roleLine(v)
		f.CanCreate, f.Live = len(c.creatable(v)) > 0, c.Live != nil
		for _, g := range navigation {
			group := navGroup{Title: v.t(g.title)}
			for _, item := range g.items {
				if item.Create && !f.CanCreate || item.Board && !c.Board || item.Tally && !c.tallied(v) || !v.holds(item.Roles) {
					continue
				}
				item.Title, item.Short = v.t(item.Title), v.t(item.Short)
				item.Current = v.g.Request.URL.Path == item.Href || strings.HasPrefix(v.g.Request.URL.Path, item.Href+"/") ||
					item.Href == "/ledger" && (strings.HasPrefix(v.g.Request.URL.Path, "/projects/") || v.g.Request.URL.Path == "/new")
				item.Aside = item.Aside || item.Create || len(item.Roles) > 0
				group.Items = append(group.Items, item)
				if !item.Aside {
					f.Tabs = append(f.Tabs, item)
				}
			}
			f.Nav = append(f.Nav, group)
		}
		if v.g.Request.URL.Path == "/ledger" {
			f.Query = v.g.Query("q")
		}
	}
	f.Seats = c.seatViews(v)
	if f.Demo {
		f.Today = c.today().String()
	}
	f.Done = v.said()
	return f
}

// said is the sentence about what was just done, which the address names; "" for none.
func (v *visit) said() string {
	if done := v.g.Query("done"); done != "" && message.Has("console.done."+done) {
		return v.t("console.done." + done)
	}
	return ""
}

// holds reports whether the person has one of the roles somewhere; everybody does where none is named.
func (v *visit) holds(roles []engine.Role) bool {
	return len(roles) == 0 || slices.ContainsFunc(v.actor.Grants, func(g engine.Grant) bool { return slices.Contains(roles, g.Role) })
}

// roleLine says what a person is: the highest roles with their units, or that they hold none.
func (c *Console) roleLine(v *visit) string {
	var parts []string
	for _, g := range v.actor.Grants {
		parts = append(parts, g.Role.In(v.lang))
		if len(parts) == 2 {
			break
		}
	}
	if len(parts) == 0 {
		return v.t("console.no_role")
	}
	unit := c.names.unit(v, v.actor.Grants[0].UnitID)
	return unit + " · " + strings.Join(parts, v.t("list.comma"))
}

// initial is the first letter of a name, for the round mark beside it.
func initial(name string) string {
	for _, r := range name {
		return string(r)
	}
	return "·"
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// render answers with a whole page.
func (c *Console) render(v *visit, status int, name, title string, main any) error {
	return c.execute(v, status, name, "layout", c.frame(v, title, main))
}

// fragment answers with a part of a page, for htmx.
func (c *Console) fragment(v *visit, status int, name, part string, view any) error {
	return c.execute(v, status, name, part, view)
}

// execute renders into a buffer first, so that a template that fails halfway never reaches anybody.
func (c *Console) execute(v *visit, status int, name, part string, data any) error {
	p := c.pages[v.lang][name]
	if p == nil {
		return fmt.Errorf("there is no page %q", name)
	}
	b := buffers.Get().(*bytes.Buffer)
	defer func() { b.Reset(); buffers.Put(b) }()
	b.Reset()
	if err := p.ExecuteTemplate(b, part, data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := v.g.Writer.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang)
	h.Add("Vary", "Cookie, Accept-Language, Accept-Encoding, HX-Request")
	// Pages hold no secret that an attacker could guess letter by letter, and every form is same-origin, so that
	// compression gives nothing away.
	if b.Len() > 1<<10 && strings.Contains(v.g.GetHeader("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		v.g.Status(status)
		z := zippers.Get().(*gzip.Writer)
		defer zippers.Put(z)
		z.Reset(v.g.Writer)
		if _, err := z.Write(b.Bytes()); err != nil {
			return nil // the reader hung up
		}
		_ = z.Close() // as above
		return nil
	}
	v.g.Data(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // a constant level
	}
	return z
}}

// notFound is the answer where there is nothing to see, or nothing that this person may see.
func notFound() error { return &engine.Error{Kind: engine.NotFound, Key: "project.unknown"} }
