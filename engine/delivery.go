package engine

import (
	"context"
	"slices"
	"time"

	"bihuan/engine/calendar"
)

// Kinds of subjects about telling people.
const (
	SubjectChannel  = "channel"
	SubjectSettings = "settings" // id: the user; how they want to be told
	SubjectWording  = "wording"  // id: the language and the key
	SubjectDelivery = "delivery" // what people did about one: replay
)

// ChannelID names a channel.
type ChannelID string

// ChannelKind says what a channel speaks.
type ChannelKind string

// The kinds of channels. The inbox is none of them: it is always on.
const (
	Mail     ChannelKind = "mail"     // SMTP; reaches each person at their own address
	WeCom    ChannelKind = "wecom"    // 企业微信 group robot
	DingTalk ChannelKind = "dingtalk" // 钉钉 group robot
	Feishu   ChannelKind = "feishu"   // 飞书 group robot
	Webhook  ChannelKind = "webhook"  // Standard Webhooks 1.0; gets entries of the trail, not reminders
)

// ChannelKinds lists the kinds.
var ChannelKinds = []ChannelKind{Mail, WeCom, DingTalk, Feishu, Webhook}

// Known reports whether there is such a kind.
func (k ChannelKind) Known() bool { return slices.Contains(ChannelKinds, k) }

// Group reports whether the channel speaks to a group of people rather than to one person or a program.
func (k ChannelKind) Group() bool { return k == WeCom || k == DingTalk || k == Feishu }

// Channel is a way to reach people, or programs, about what happens at a unit and under it. Where its target and keys
// are is in Sealed alone, encrypted.
type Channel struct {
	ID        ChannelID       `json:"id" gorm:"primaryKey"`
	Kind      ChannelKind     `json:"kind"`
	Name      string          `json:"name"`
	UnitID    UnitID          `json:"unit_id"`
	Settings  ChannelSettings `json:"settings" gorm:"serializer:json"`
	Sealed    []byte          `json:"-"`
	Disabled  bool            `json:"disabled,omitempty"`
	CreatedAt time.Time       `json:"created_at" gorm:"autoCreateTime:false"`
	Version   int64           `json:"version"`
}

// ChannelSettings is what everybody who sees a channel may know of it.
type ChannelSettings struct {
	Host string `json:"host"`           // host of the target, without path or keys
	From string `json:"from,omitempty"` // Mail: the sender's address
	// Hourly says that the newest checkpoint goes over it each hour: mail to the inspectors, else to the target.
	Hourly bool     `json:"hourly,omitempty"`
	Kinds  []string `json:"kinds,omitempty"` // groups: kinds of reminders; Webhook: actions of entries; empty: all
}

// Wants reports whether the channel is for a kind of reminder, or an action.
func (c *Channel) Wants(kind string) bool {
	return !c.Disabled && (len(c.Settings.Kinds) == 0 || slices.Contains(c.Settings.Kinds, kind))
}

// ChannelSecret is what is sealed of a channel.
type ChannelSecret struct {
	URL      string `json:"url,omitempty"`      // robots and webhooks
	Key      string `json:"key,omitempty"`      // signs: DingTalk, Feishu, Webhook
	OldKey   string `json:"old_key,omitempty"`  // Webhook: still signs beside Key while receivers change over
	Addr     string `json:"addr,omitempty"`     // Mail: HOST:PORT
	Security string `json:"security,omitempty"` // Mail: "starttls" or "tls"
	User     string `json:"user,omitempty"`     // Mail
	Password string `json:"password,omitempty"` // Mail
}

// NotifySettings is how a person wants to be told. The zero value holds for whoever never chose: the inbox alone.
type NotifySettings struct {
	ID         UserID    `json:"id" gorm:"primaryKey"`
	Mail       string    `json:"-"`                     // address; "" for none. Personal data, so it is in no entry.
	AtOnce     bool      `json:"at_once,omitempty"`     // each thing by itself, not once in the morning
	QuietFrom  string    `json:"quiet_from,omitempty"`  // HH:MM on the site's clock; "" for no quiet hours
	QuietTo    string    `json:"quiet_to,omitempty"`    // the first minute that is not quiet any more
	Language   string    `json:"language,omitempty"`    // of messages; "" for the site's
	NoBulletin bool      `json:"no_bulletin,omitempty"` // leaders: without the weekly bulletin
	Feed       string    `json:"-"`                     // hex SHA-256 of the secret part of the calendar's address; "" for none
	UpdatedAt  time.Time `json:"updated_at" gorm:"autoUpdateTime:false"`
	Version    int64     `json:"version"`
}

// Wording is a sentence of messages that the site says in its own words.
type Wording struct {
	ID        string    `json:"id" gorm:"primaryKey"` // language and key, such as "zh-CN/notify.urge.title"
	Text      string    `json:"text"`                 // "" for the catalogue's again
	UpdatedAt time.Time `json:"updated_at" gorm:"autoUpdateTime:false"`
	Version   int64     `json:"version"`
}

// Notice is one thing that one person is told. It stands in their inbox whatever else becomes of it.
type Notice struct {
	ID         string        `json:"id" gorm:"primaryKey"`
	UserID     UserID        `json:"user_id"`
	ProjectID  ProjectID     `json:"project_id,omitempty"` // "" for what is about no single project
	ReminderID string        `json:"reminder_id,omitempty"`
	Kind       string        `json:"kind"`
	Timer      TimerID       `json:"timer,omitempty" gorm:"column:timer_id"`
	Role       Role          `json:"role,omitempty"` // as which the person is told
	Deadline   calendar.Date `json:"deadline,omitzero"`
	Text       string        `json:"text,omitempty"` // of a notice that nothing else explains, in the person's language
	DueAt      time.Time     `json:"due_at"`
	CreatedAt  time.Time     `json:"created_at" gorm:"autoCreateTime:false"`
	ReadAt     *time.Time    `json:"read_at,omitempty"`
	DedupeKey  string        `json:"-"`
}

// States of a delivery.
const (
	DeliveryWaiting = "waiting"
	DeliverySent    = "sent"
	DeliveryDead    = "dead" // given up after the last attempt; somebody may replay it
)

// What the items of a delivery are.
const (
	AboutNotices   = "notices"   // to a person
	AboutReminders = "reminders" // to a group
	AboutEntry     = "entry"     // to a program

	AboutCheckpoint = "checkpoint" // the newest one, to whoever keeps copies
)

// Delivery is one message over one channel. Its id is what receivers recognise a repetition by.
type Delivery struct {
	ID         string     `json:"id" gorm:"primaryKey"`
	ChannelID  ChannelID  `json:"channel_id"`
	UnitID     UnitID     `json:"unit_id"`           // of the channel
	UserID     UserID     `json:"user_id,omitempty"` // to whom; "" for where the channel itself leads
	About      string     `json:"about"`
	State      string     `json:"state"`
	Urgent     bool       `json:"urgent,omitempty"`
	Attempts   int        `json:"attempts"`
	NextAt     time.Time  `json:"next_at"` // of the next attempt
	LeaseToken string     `json:"-"`       // of the worker that is at it
	LeaseUntil *time.Time `json:"-"`
	CreatedAt  time.Time  `json:"created_at" gorm:"autoCreateTime:false"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	Answer     string     `json:"answer,omitempty"` // what the receiver said last, or why it could not be asked
}

// DeliveryItem is one thing that a delivery tells.
type DeliveryItem struct {
	DedupeKey  string `gorm:"primaryKey"` // subject, rule, deadline version, recipient and channel
	DeliveryID string
	Ref        string // id of the notice, reminder or entry; of its own for a checkpoint
}

// Send is a delivery with its items. If one of the same kind to the same recipient still waits for its first
// attempt, the items join that one.
type Send struct {
	Delivery Delivery
	Items    []PlannedItem
}

// PlannedItem is an item with the reminder that it comes from, "" for none.
type PlannedItem struct {
	DeliveryItem
	Reminder string
}

// Plan is who will be told what. The store writes it whole or not at all, and leaves out what another replica
// planned first.
type Plan struct {
	At        time.Time
	Reminders []string // planned herewith
	Notices   []Notice
	Sends     []Send
	Told      ChannelID // of a webhook: the trail has been planned up to Until
	Until     time.Time
}

// Claim asks for deliveries of one channel that are due.
type Claim struct {
	Channel ChannelID
	Now     time.Time
	Until   time.Time // end of the lease
	Token   string    // of the worker
	Limit   int       // at most so many
}

// DeliveryFilter selects deliveries, newest first.
type DeliveryFilter struct {
	Scope   *Scope // nil: everything
	Channel ChannelID
	User    UserID
	Project ProjectID // that tell of it
	State   string
	From    time.Time
	To      time.Time
	Archive bool // those that were archived, instead of the others
	After   string
	Limit   int
}

// NoticeFilter selects one person's notices, newest first.
type NoticeFilter struct {
	User   UserID
	Unread bool
	After  string
	Limit  int
}

// Outbox is what a store knows of telling people. The queue of deliveries is package notify's.
type Outbox interface {
	Channels(ctx context.Context) ([]Channel, error) // by name
	// Settings returns how a person wants to be told; of whoever never chose, the zero value with their id.
	Settings(ctx context.Context, user UserID) (NotifySettings, error)
	AllSettings(ctx context.Context) ([]NotifySettings, error)
	FeedUser(ctx context.Context, hash string) (UserID, error) // whose calendar it is, or ErrNotFound
	Wordings(ctx context.Context) ([]Wording, error)
	Notices(ctx context.Context, f NoticeFilter) (Page[Notice], error)
	Unread(ctx context.Context, user UserID) (int, error)
	// MarkRead notes that the person has read the notices, or all of them; what was read before keeps its time.
	MarkRead(ctx context.Context, user UserID, ids []string, at time.Time) (int64, error)
	Deliveries(ctx context.Context, f DeliveryFilter) (Page[Delivery], error)
	Delivery(ctx context.Context, id string) (Delivery, error)
	// Finished returns deliveries that came to an end and were created before a moment, oldest first, with their items
	// in the order of the keys.
	Finished(ctx context.Context, before time.Time, limit int) ([]Send, error)
	DeliveryNotices(ctx context.Context, delivery string) ([]Notice, error)     // of one to a person
	DeliveryReminders(ctx context.Context, delivery string) ([]Reminder, error) // of one to a group
	DeliveryEntries(ctx context.Context, delivery string) ([]EntryRow, error)   // of one to a program
}
