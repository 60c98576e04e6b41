package notify

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"bihuan/engine"
	"bihuan/engine/message"
)

// Queue is what the notifier needs of a store beyond what the engine holds.
type Queue interface {
	// Unplanned returns reminders that have not been planned, in the order in which they were recorded.
	Unplanned(ctx context.Context, limit int) ([]engine.Reminder, error)
	// Untold returns entries for a webhook's channel from a moment on that have not been planned for it, oldest first.
	Untold(ctx context.Context, c engine.Channel, from time.Time, limit int) ([]engine.EntryRow, error)
	// ToldUntil returns how far the trail has been told over each channel that it was told over.
	ToldUntil(ctx context.Context) (map[engine.ChannelID]time.Time, error)
	// Plan writes a plan whole or not at all, without what was planned before, and returns who got a notice.
	Plan(ctx context.Context, p engine.Plan) ([]engine.UserID, error)
	// Notes returns what people wrote with entries, by the entry's id; nothing for those without.
	Notes(ctx context.Context, entries []string) (map[string]string, error)
	// SignedBefore returns when the newest checkpoint before a moment was signed; the zero time if there is none.
	SignedBefore(ctx context.Context, at time.Time) (time.Time, error)
	DueChannels(ctx context.Context, now time.Time) ([]engine.ChannelID, error)
	// Claim leases deliveries and counts the attempt.
	Claim(ctx context.Context, c engine.Claim) ([]engine.Delivery, error)
	// Finish writes what became of an attempt; false if its lease went to somebody else.
	Finish(ctx context.Context, d engine.Delivery) (bool, error)
}

// Config is what a Notifier is made of.
type Config struct {
	Engine     *engine.Engine
	Queue      Queue
	Network    Network
	Roots      *x509.CertPool                        // authorities of mail servers and webhooks; nil: the system's
	PublicURL  string                                // where links lead; "" for messages without links
	Language   string                                // of whoever has not chosen; "" for the catalogue's first
	Checkpoint func(context.Context) (string, error) // the newest signed checkpoint of the trail, for mails; nil or "": none
	Told       func([]engine.UserID)                 // called after people got notices; may be nil
	Timeout    time.Duration                         // for one attempt; 0: 10 s
	Log        *slog.Logger                          // nil: discarded
}

// Notifier plans and delivers. It is safe for concurrent use; any number of replicas may run over one database.
type Notifier struct {
	Config
	client  *http.Client
	token   string // of this process, in its leases
	metrics Metrics

	mu         sync.Mutex
	lookedBack time.Time // when planning last looked back far
	healths    map[engine.ChannelID]*health
	fresh      int    // attempts that have just begun
	copied     string // the hour whose copies this process has planned last
	wake       chan struct{}
}

// New makes a notifier.
func New(c Config) *Notifier {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Timeout <= 0 {
		c.Timeout = sendTimeout
	}
	if c.Language == "" {
		c.Language = message.Languages[0]
	}
	n := &Notifier{Config: c, token: c.Engine.NewID(), client: c.Network.client(c.Timeout), healths: map[engine.ChannelID]*health{}, wake: make(chan struct{}, 1)}
	if t, ok := n.client.Transport.(*http.Transport); ok && c.Roots != nil {
		t.TLSClientConfig = tlsOf(c.Roots)
	}
	return n
}

func (n *Notifier) now() time.Time { return n.Engine.Now().UTC().Truncate(time.Microsecond) }

// Wake makes a running notifier look at once whether there is something to do.
func (n *Notifier) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *Notifier) told(users []engine.UserID) {
	n.metrics.notices.Add(int64(len(users)))
	if n.Told != nil && len(users) > 0 {
		n.Told(users)
	}
}

// sender opens a channel.
func (n *Notifier) sender(c *engine.Channel) (Sender, error) {
	s, err := n.Engine.OpenChannel(c)
	if err != nil {
		return nil, err
	}
	switch c.Kind {
	case engine.Mail:
		return &mailer{timeout: n.Timeout, network: n.Network, roots: n.Roots, from: c.Settings.From, secret: s}, nil
	case engine.Webhook:
		w := &webhook{client: n.client, url: s.URL, keys: []string{s.Key}}
		if s.OldKey != "" {
			w.keys = append(w.keys, s.OldKey)
		}
		return w, nil
	case engine.WeCom, engine.DingTalk, engine.Feishu:
		return &robot{client: n.client, kind: c.Kind, url: s.URL, key: s.Key}, nil
	}
	return nil, fmt.Errorf("channel %s is of kind %q", c.ID, c.Kind)
}

// Test sends a message over a channel at once and returns the receiver's answer as it came. to is a mail address,
// for a channel that needs one. The test is an act with an entry.
func (n *Notifier) Test(ctx context.Context, who engine.Actor, id engine.ChannelID, to, lang string) (answer string, err error) {
	c, err := n.Engine.Channel(ctx, who, id)
	if err == nil {
		err = who.Allows(engine.TokenAll) // a message to anybody is more than a look
	}
	if err != nil {
		return "", err
	}
	words, err := n.voices(ctx)
	if err != nil {
		return "", err
	}
	s, err := n.sender(&c)
	if err != nil {
		return "", err
	}
	v := voice{message.Match(lang), words}
	m := Message{ID: n.Engine.NewID(), At: n.now(), To: to, Subject: v.say("notify.say.test_subject"), Text: v.say("notify.say.test", "channel", c.Name),
		Payload: []byte(`{"type":"test","timestamp":"` + n.now().Format(time.RFC3339Nano) + `","data":{}}`)}
	sendCtx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	answer, sendErr := s.Send(sendCtx, m)
	if err := n.Engine.Note(ctx, who, "test_channel", map[string]any{"channel": c.ID, "ok": sendErr == nil}); err != nil {
		return answer, err
	}
	if sendErr != nil {
		return answer, &engine.Error{Kind: engine.Blocked, Key: "channel.test_failed", Args: message.Args("why", n.reasonOf(sendErr)), Err: sendErr}
	}
	return answer, nil
}
