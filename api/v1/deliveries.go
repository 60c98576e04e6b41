package v1

import (
	"context"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
)

// DeliveryView is one message over one channel, and what became of it.
type DeliveryView struct {
	ID         string     `json:"id" doc:"Receivers recognise a repetition by it: Message-ID, webhook-id."`
	Channel    Ref        `json:"channel"`
	User       *Ref       `json:"user,omitempty" doc:"To whom; absent where the channel itself leads somewhere."`
	State      string     `json:"state" enum:"waiting,sent,dead"`
	Urgent     bool       `json:"urgent"`
	Attempts   int        `json:"attempts"`
	NextAt     *time.Time `json:"next_at,omitempty" doc:"Of the next attempt, while it waits."`
	CreatedAt  time.Time  `json:"created_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	Answer     string     `json:"answer,omitempty" doc:"What the receiver said last, or why it could not be asked."`
	Told       []Told     `json:"told" doc:"What it tells, in the order in which it was owed."`
}

// Told is one thing that a delivery tells.
type Told struct {
	Kind    string       `json:"kind" doc:"Of the reminder; to a program the action of the entry."`
	Project *ToldProject `json:"project,omitempty" doc:"Absent for what is about none, or none that the caller sees."`
}

// Deliveries is the request for the delivery log.
type Deliveries struct {
	State   string `query:"state" enum:"waiting,sent,dead"`
	Channel string `query:"channel" maxLength:"36" doc:"Id of a channel."`
	User    string `query:"user" maxLength:"36" doc:"Id of a person."`
	Project string `query:"project" maxLength:"36" doc:"Id of a project that is told of."`
	From    Date   `query:"from" maxLength:"10" doc:"First day, as YYYY-MM-DD."`
	To      Date   `query:"to" maxLength:"10" doc:"Last day."`
	Archive bool   `query:"archive" doc:"Those that were archived, instead of the others."`
	Page
}

// DeliveriesAnswer is a page of the log, newest first.
type DeliveriesAnswer struct {
	Body struct {
		Items []DeliveryView `json:"items"`
		Next  string         `json:"next"`
	} `nameHint:"DeliveryPage"`
}

func (h *handlers) deliveries(ctx context.Context, in *Deliveries) (*DeliveriesAnswer, error) {
	who := request.From(ctx).Actor
	f := engine.DeliveryFilter{State: in.State, Channel: engine.ChannelID(in.Channel), User: engine.UserID(in.User), Project: engine.ProjectID(in.Project),
		Archive: in.Archive, After: in.Cursor, Limit: in.Limit}
	from, err := in.From.parse("from")
	if err != nil {
		return nil, err
	}
	to, err := in.To.parse("to")
	if err != nil {
		return nil, err
	}
	if !from.IsZero() {
		f.From = from.Start(h.Engine.Site.Location)
	}
	if !to.IsZero() {
		f.To = to.AddDays(1).Start(h.Engine.Site.Location)
	}
	page, err := h.Engine.Deliveries(ctx, who, f)
	if err != nil {
		return nil, aboutCursor(err)
	}
	channels, err := h.Engine.Store.Channels(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[engine.ChannelID]string, len(channels))
	for _, c := range channels {
		names[c.ID] = c.Name
	}
	out := &DeliveriesAnswer{}
	out.Body.Items, out.Body.Next = make([]DeliveryView, 0, len(page.Items)), page.Next
	for i := range page.Items {
		d := &page.Items[i]
		v := DeliveryView{ID: d.ID, Channel: Ref{ID: string(d.ChannelID), Name: names[d.ChannelID]}, User: h.names.maybe(ctx, d.UserID), State: d.State,
			Urgent: d.Urgent, Attempts: d.Attempts, CreatedAt: d.CreatedAt, FinishedAt: d.FinishedAt, Answer: d.Answer, Told: []Told{}}
		if d.State == engine.DeliveryWaiting {
			v.NextAt = &d.NextAt
		}
		told, err := h.Engine.Told(ctx, who, d)
		if err != nil {
			return nil, err
		}
		for i := range told {
			t := Told{Kind: told[i].Kind}
			if told[i].Project.ID != "" {
				t.Project = showTold(&told[i].Project)
			}
			v.Told = append(v.Told, t)
		}
		out.Body.Items = append(out.Body.Items, v)
	}
	return out, nil
}

// ReplayDeliveries is the request that tries dead deliveries again.
type ReplayDeliveries struct {
	Body struct {
		IDs []string `json:"ids" minItems:"1" maxItems:"500" doc:"Of deliveries that were given up."`
	} `nameHint:"DeliveryIDs"`
}

func (h *handlers) replayDeliveries(ctx context.Context, in *ReplayDeliveries) (*struct{}, error) {
	return nil, h.Engine.Replay(ctx, request.From(ctx).Actor, in.Body.IDs)
}
