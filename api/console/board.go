package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"bihuan/engine"
)

// boardLife is how long a page of the public board may be out of date. It is what lets one process answer a campus.
const boardLife = 15 * time.Second

// boards are the public pages as they were last rendered, by address and language.
type boards struct {
	mu    sync.Mutex
	pages map[string]*boardPage
}

type boardPage struct {
	mu    sync.Mutex
	until time.Time
	plain []byte
	small []byte // gzip
}

// drop forgets a page that could not be rendered: what nobody may see, or nobody has heard of, takes no place.
func (b *boards) drop(key string, p *boardPage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pages[key] == p {
		delete(b.pages, key)
	}
}

// maxBoards bounds how many pages are kept.
const maxBoards = 2000

func (b *boards) page(key string) *boardPage {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[key]
	if p == nil {
		if b.pages == nil || len(b.pages) >= maxBoards {
			b.pages = map[string]*boardPage{}
		}
		p = &boardPage{}
		b.pages[key] = p
	}
	return p
}

// boardView is the public list of lists.
type boardView struct {
	Site  string
	Unit  string // whose lists alone are shown, "" for all
	Rows  []boardRow
	Empty bool
}

// boardRow is a list with the address of its unit's board.
type boardRow struct {
	listRow
	UnitHref string
}

// boardListView is one list as everybody may see it: what was promised and what has come of it. No person is named.
type boardListView struct {
	Site, Name, Unit, Period string
	State                    tagView
	Numbers                  []numberView
	Items                    []boardItem
	Updated                  string
}

type boardItem struct {
	No                            int
	Title, Unit, Deadline, Target string
	Light                         lightView
	Dots                          dotsView
	Stamp                         tagView
	Rating                        string
	Late                          bool
}

// publicStates are the states in which a list is public.
var publicStates = []engine.ListState{engine.ListPublished, engine.ListReconciling, engine.ListArchived}

// board is the public board, where the site has switched it on.
func (c *Console) board(v *visit) error {
	unit := v.g.Query("unit")
	return c.cached(v, "board", unit, func(ctx context.Context) (any, error) {
		f := engine.ListFilter{State: publicStates, Limit: engine.MaxPage}
		view := boardView{Site: c.Site}
		if unit != "" {
			if !engine.IsID(unit) {
				return nil, &engine.Error{Kind: engine.NotFound, Key: "lists.unknown"}
			}
			f.Unit = engine.UnitID(unit)
		}
		page, err := c.Engine.Lists(ctx, engine.Public(), f)
		if err != nil {
			return nil, err
		}
		if unit != "" {
			if len(page.Items) == 0 { // a unit without a public list is nobody's to ask for
				return nil, &engine.Error{Kind: engine.NotFound, Key: "lists.unknown"}
			}
			view.Unit = c.names.unit(v, f.Unit)
		}
		view.Empty = len(page.Items) == 0
		for i := range page.Items {
			l := &page.Items[i]
			view.Rows = append(view.Rows, boardRow{listRow{ID: string(l.ID), Number: l.Number, Name: l.Name, Unit: c.names.unit(v, l.UnitID), Period: listPeriod(l), State: v.stateTag(l.State), Items: len(l.Items)},
				"/board?unit=" + string(l.UnitID)})
		}
		return view, nil
	})
}

// boardList is one list of the public board.
func (c *Console) boardList(v *visit) error {
	id := v.g.Param("id")
	if !engine.IsID(id) {
		return &engine.Error{Kind: engine.NotFound, Key: "lists.unknown"}
	}
	return c.cached(v, "board_list", "", func(ctx context.Context) (any, error) {
		r, err := c.Engine.Reconcile(ctx, engine.Public(), engine.ListID(id))
		if err != nil {
			return nil, err
		}
		l := &r.List
		if l.State == engine.ListDraft {
			return nil, &engine.Error{Kind: engine.NotFound, Key: "lists.unknown"}
		}
		view := boardListView{Site: c.Site, Name: l.Name, Unit: c.names.unit(v, l.UnitID), Period: listPeriod(l), State: v.stateTag(l.State), Updated: c.moment(c.Now())}
		view.Numbers = []numberView{{v.t("console.board.promised"), fmt.Sprint(len(r.Lines)), ""}, {v.t("console.list.n.closed"), fmt.Sprint(r.Count[engine.OutClosed]), ""},
			{v.t("console.board.running"), fmt.Sprint(r.Count[engine.OutRunning]), ""}, {v.t("console.bulletin.late"), fmt.Sprint(r.Count[engine.OutOverdue]), ""}}
		for i := range r.Lines {
			x := &r.Lines[i]
			p := &x.Project
			w, err := c.Engine.Pinned(ctx, p)
			if err != nil {
				return nil, err
			}
			light := v.lightOf(p, c.Now())
			item := boardItem{No: x.Item.No, Title: p.Title, Unit: c.names.unit(v, p.UnitID), Deadline: p.Deadline.String(), Target: p.Target, Light: light,
				Dots: v.dotsOf(w, p, light.Class), Stamp: tagView{stamps[x.Outcome], x.Outcome.In(v.lang)}, Late: x.Late}
			if p.Survey.Votes() > 0 {
				item.Rating = rate(p.Survey) + " · " + v.t("console.votes", "n", p.Survey.Votes())
			}
			view.Items = append(view.Items, item)
		}
		return view, nil
	})
}

// cached answers with a page that is rendered at most once in a while for everybody. Nothing on it depends on who
// asks but the language; part tells pages of one address apart.
func (c *Console) cached(v *visit, name, part string, read func(ctx context.Context) (any, error)) error {
	if !c.Board {
		return notFound()
	}
	v.user, v.actor, v.theme, v.large = engine.User{}, engine.Actor{}, "", false
	key := v.lang + " " + v.g.Request.URL.Path + " " + part
	p := c.shown.page(key)
	now := c.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plain == nil || now.After(p.until) {
		view, err := read(context.WithoutCancel(v.ctx)) // others wait for the same page
		if err != nil {
			c.shown.drop(key, p)
			return err
		}
		var b bytes.Buffer
		if err := c.pages[v.lang][name].ExecuteTemplate(&b, "layout", c.frame(v, v.t("console.board.title"), view)); err != nil {
			return fmt.Errorf("page %s: %w", name, err)
		}
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		p.plain, p.small, p.until = b.Bytes(), z.Bytes(), now.Add(boardLife)
	}
	h := v.g.Writer.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Language, Accept-Encoding, Cookie")
	body := p.plain
	if strings.Contains(v.g.GetHeader("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = p.small
	}
	v.g.Status(http.StatusOK)
	_, err := v.g.Writer.Write(body)
	return err
}
