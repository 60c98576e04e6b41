package v1

import (
	"context"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/message"
)

// NoticeView is one thing that the caller is told.
type NoticeView struct {
	ID       string       `json:"id"`
	Kind     Ref          `json:"kind" doc:"What it is about, such as urge 催办."`
	Project  *ToldProject `json:"project,omitempty" doc:"Absent for what is about no single project, or none that the caller sees."`
	Text     string       `json:"text,omitempty" doc:"What somebody wrote with it."`
	Deadline string       `json:"deadline,omitempty"`
	DueAt    time.Time    `json:"due_at" doc:"When it fell due."`
	At       time.Time    `json:"at" doc:"When it came into the inbox."`
	ReadAt   *time.Time   `json:"read_at,omitempty" doc:"The receipt."`
}

// ToldProject names a project that something was told about.
type ToldProject struct {
	ID     string `json:"id"`
	Number string `json:"number"`
	Title  string `json:"title"`
}

// Inbox is the request for the caller's notices.
type Inbox struct {
	Unread bool `query:"unread" doc:"Only what has not been read."`
	Page
}

// InboxAnswer is a page of notices.
type InboxAnswer struct {
	Body struct {
		Items []NoticeView `json:"items"`
		Next  string       `json:"next"`
	} `nameHint:"Inbox"`
}

// kindName names a kind of reminder.
func kindName(ctx context.Context, kind string) Ref {
	return Ref{ID: kind, Name: message.Text(request.From(ctx).Lang, "notify.say.kind."+kind, nil)}
}

// toldProject returns a project that the caller sees, nil for none.
func (h *handlers) toldProject(ctx context.Context, id engine.ProjectID) (*ToldProject, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	p, err := h.Engine.Project(ctx, request.From(ctx).Actor, id)
	if engine.KindOf(err) == engine.NotFound {
		return nil, nil //nolint:nilnil // for the caller there is none
	}
	return showTold(&p), err
}

func showTold(p *engine.Project) *ToldProject {
	return &ToldProject{ID: string(p.ID), Number: p.Number, Title: p.Title}
}

func (h *handlers) inbox(ctx context.Context, in *Inbox) (*InboxAnswer, error) {
	page, err := h.Engine.Inbox(ctx, request.From(ctx).Actor, engine.NoticeFilter{Unread: in.Unread, After: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, aboutCursor(err)
	}
	out := &InboxAnswer{}
	out.Body.Items, out.Body.Next = make([]NoticeView, 0, len(page.Items)), page.Next
	for i := range page.Items {
		n := &page.Items[i]
		v := NoticeView{ID: n.ID, Kind: kindName(ctx, n.Kind), Text: n.Text, Deadline: n.Deadline.String(), DueAt: n.DueAt, At: n.CreatedAt, ReadAt: n.ReadAt}
		if v.Project, err = h.toldProject(ctx, n.ProjectID); err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, v)
	}
	return out, nil
}

// UnreadAnswer is how much is unread.
type UnreadAnswer struct {
	Body struct {
		Unread int `json:"unread"`
	} `nameHint:"UnreadCount"`
}

func (h *handlers) unread(ctx context.Context, _ *struct{}) (*UnreadAnswer, error) {
	n, err := h.Engine.Unread(ctx, request.From(ctx).Actor)
	out := &UnreadAnswer{}
	out.Body.Unread = n
	return out, err
}

// Receipts is the request that notes what was read.
type Receipts struct {
	Body struct {
		IDs []string `json:"ids" maxItems:"200" doc:"Of notices; empty for all. What was read before keeps its time."`
	} `nameHint:"ReadNotices"`
}

func (h *handlers) markRead(ctx context.Context, in *Receipts) (*UnreadAnswer, error) {
	for _, id := range in.Body.IDs {
		if !engine.IsID(id) {
			return nil, invalid("ids", "notice.unknown")
		}
	}
	if err := h.Engine.MarkRead(ctx, request.From(ctx).Actor, in.Body.IDs); err != nil {
		return nil, err
	}
	return h.unread(ctx, nil)
}

// NotifySettings is how the caller wants to be told. The inbox always gets everything.
type NotifySettings struct {
	Mail       string `json:"mail" doc:"Address; empty for no mail."`
	AtOnce     bool   `json:"at_once" doc:"Each thing at once, instead of together in the morning of a working day."`
	QuietFrom  string `json:"quiet_from" doc:"HH:MM on the site's clock; empty for no quiet hours." example:"22:00"`
	QuietTo    string `json:"quiet_to" example:"07:00"`
	Language   string `json:"language" enum:",zh-CN,en" doc:"Of messages; empty for the site's."`
	NoBulletin bool   `json:"no_bulletin" doc:"Leaders: without the weekly bulletin."`
}

// NotifySettingsAnswer is the answer with settings.
type NotifySettingsAnswer struct {
	ETag string `header:"ETag" doc:"For If-Match."`
	Body struct {
		NotifySettings
		Calendar bool `json:"calendar" doc:"There is an address of the caller's deadlines as a calendar; the console gives and ends it."`
	} `nameHint:"MyNotifySettings"`
}

func (h *handlers) mySettings(ctx context.Context, _ *struct{}) (*NotifySettingsAnswer, error) {
	s, err := h.Engine.Store.Settings(ctx, request.From(ctx).Actor.ID)
	if err != nil {
		return nil, err
	}
	return showSettings(&s), nil
}

func showSettings(s *engine.NotifySettings) *NotifySettingsAnswer {
	out := &NotifySettingsAnswer{ETag: etag(s.Version)}
	out.Body.NotifySettings = NotifySettings{Mail: s.Mail, AtOnce: s.AtOnce, QuietFrom: s.QuietFrom, QuietTo: s.QuietTo, Language: s.Language, NoBulletin: s.NoBulletin}
	out.Body.Calendar = s.Feed != ""
	return out
}

// SaveSettings is the request that changes the caller's settings.
type SaveSettings struct {
	IfMatch string `header:"If-Match" doc:"The version that the change is based on, as ETag gave it, in quotes." example:"\"1\""`
	Body    NotifySettings
}

func (h *handlers) saveSettings(ctx context.Context, in *SaveSettings) (*NotifySettingsAnswer, error) {
	base, err := ifMatchFrom(in.IfMatch, 0) // of whoever never chose
	if err != nil {
		return nil, err
	}
	who, b := request.From(ctx).Actor, &in.Body
	s, err := h.Engine.SaveSettings(ctx, who, engine.NotifySettings{ID: who.ID, Mail: b.Mail, AtOnce: b.AtOnce, QuietFrom: b.QuietFrom, QuietTo: b.QuietTo,
		Language: b.Language, NoBulletin: b.NoBulletin, Version: base})
	if err != nil {
		return nil, err
	}
	return showSettings(&s), nil
}
