package engine

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Poll is a satisfaction survey that people answer behind a link. Votes lie in a table of their own and are counted
// into the project's Survey by one entry when the poll is over, so that a thousand votes are not a thousand versions.
type Poll struct {
	ID       string        `json:"id"`
	OpenedBy UserID        `json:"opened_by"`
	OpenedAt time.Time     `json:"opened_at"`
	Closes   calendar.Date `json:"closes"` // its last day
	ClosesAt time.Time     `json:"closes_at"`
}

// pollGrace is how long after its end a poll is counted: longer than a request that came in time may take.
const pollGrace = time.Minute

// maxPollDays is how long a poll may stay open.
const maxPollDays = 60

// Public is whoever answers behind a link or reads the board: nobody's account.
func Public() Actor { return Actor{ID: "public", Via: ViaConsole, system: true} }

// Vote is one device's answer. Level is 1 (非常不满意) to 5 (非常满意).
type Vote struct {
	Poll    string `gorm:"primaryKey"`
	Device  []byte `gorm:"primaryKey"` // SHA-256 of the device's secret
	Level   int
	Comment string
	At      time.Time
}

// Ballots keeps the votes of polls.
type Ballots interface {
	// ByPoll returns the project whose poll's link has the token with this hash, or ErrNotFound.
	ByPoll(ctx context.Context, hash string) (Project, error)
	// Cast counts the device's vote once, the newest for the one before, as long as the poll is open on the project.
	// ErrNotFound if it is not. It returns what the device had said before, zero if nothing.
	Cast(ctx context.Context, project ProjectID, v Vote) (before Vote, err error)
	// VoteOf returns what a device said, or ErrNotFound.
	VoteOf(ctx context.Context, poll string, device []byte) (Vote, error)
	// Tally counts the votes of a poll.
	Tally(ctx context.Context, poll string) (Survey, error)
	// Remarks returns the words of a project's objections that are kept apart from the trail.
	Remarks(ctx context.Context, project ProjectID) ([]Remark, error)
}

// openPoll opens a poll, or gives an open one another link.
type openPoll struct {
	hash   string
	closes calendar.Date
}

func (x openPoll) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActSurvey)
	if err != nil {
		return outcome{}, err
	}
	if err := c.futureDate("closes", x.closes); err != nil {
		return outcome{}, err
	}
	if c.today().AddDays(maxPollDays).Before(x.closes) {
		return outcome{}, invalid("closes", "poll.too_long", "days", maxPollDays)
	}
	poll := Poll{ID: c.NewID(), OpenedBy: c.Who.ID, OpenedAt: c.Now}
	action := "open_poll"
	if p.Poll != nil { // votes stay; the former link no longer works
		poll, action = *p.Poll, "renew_poll"
	}
	poll.Closes, poll.ClosesAt = x.closes, c.Site.deadlineEnd(x.closes)
	p.Poll, p.PollHash = &poll, x.hash
	return outcome{action: action, as: as, data: map[string]any{"closes": x.closes}}, nil
}

// ClosePoll ends a poll before its day; a minute later the clock counts it.
type ClosePoll struct{}

func (x ClosePoll) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActSurvey)
	if err != nil {
		return outcome{}, err
	}
	if p.Poll == nil || !c.Now.Before(p.Poll.ClosesAt) {
		return outcome{}, blocked("poll.none")
	}
	poll := *p.Poll
	poll.Closes, poll.ClosesAt = c.today(), c.Now
	p.Poll = &poll
	return outcome{action: "close_poll", as: as}, nil
}

// pollOwed is when the clock counts the votes.
func (c *Case) pollOwed(p *Project) (occurrence, bool) {
	if p.Poll == nil {
		return occurrence{}, false
	}
	return occurrence{at: p.Poll.ClosesAt.Add(pollGrace), poll: true}, true
}

// count puts the votes of a poll that is over on the project. A poll without votes leaves what was there.
func (c *Case) count(p *Project, tally Survey, data map[string]any) outcome {
	data["poll"], data["votes"] = p.Poll.ID, tally.Votes()
	if tally.Votes() > 0 {
		tally.By, tally.At = p.Poll.OpenedBy, c.Now
		p.Survey = &tally
	}
	p.Poll, p.PollHash = nil, ""
	return outcome{action: "count_poll", data: data, owed: []Reminder{{Kind: "survey", Role: Owner}, {Kind: "survey", Role: Supervisor}}}
}

// complain files the words behind a bad mark as an objection of somebody without a name. The words themselves stay apart
// from the trail.
type complain struct{ words Remark }

func (x complain) apply(c *Case, p *Project) (outcome, error) {
	stage, _ := c.Workflow.Stage(p.Stage)
	if !has(stage.Acts, ActObject) {
		return outcome{}, blocked("act.stage", "stage", c.Workflow.StageName(p.Stage))
	}
	id, out, err := c.object(p, authority{}, Objection{Sealed: x.words.Commitment()})
	x.words.ProjectID, x.words.ID = p.ID, id
	out.remark = &x.words
	return out, err
}

// OpenPoll opens a poll behind a new link and returns the link's token, which is kept nowhere. If one is open already
// it gets the new link and day, and the former link stops working.
func (e *Engine) OpenPoll(ctx context.Context, who Actor, id ProjectID, base int64, closes calendar.Date) (Project, string, error) {
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	token := base64.RawURLEncoding.EncodeToString(secret)
	p, err := e.Do(ctx, who, id, base, openPoll{hash: pollHash(token), closes: closes})
	return p, token, err
}

func pollHash(token string) string { return audit.HashContent([]byte("poll " + token)).String() }

// Polled returns the project behind a link. One whose poll is over is not found.
func (e *Engine) Polled(ctx context.Context, token string) (Project, error) {
	gone := notFound("poll.gone")
	if len(token) != 22 {
		return Project{}, gone
	}
	p, err := e.Store.ByPoll(ctx, pollHash(token))
	if errors.Is(err, ErrNotFound) || err == nil && (p.Poll == nil || !e.now().Before(p.Poll.ClosesAt)) {
		return Project{}, gone
	}
	return p, err
}

// Votes counts what has been cast in the project's poll so far.
func (e *Engine) Votes(ctx context.Context, p *Project) (Survey, error) {
	if p.Poll == nil {
		return Survey{}, nil
	}
	return e.Store.Tally(ctx, p.Poll.ID)
}

// VoteOf returns what the device said in the project's poll, zero if nothing.
func (e *Engine) VoteOf(ctx context.Context, p *Project, device string) (Vote, error) {
	if p.Poll == nil || device == "" {
		return Vote{}, nil
	}
	v, err := e.Store.VoteOf(ctx, p.Poll.ID, deviceHash(device))
	if errors.Is(err, ErrNotFound) {
		return Vote{}, nil
	}
	return v, err
}

func deviceHash(device string) []byte {
	h := audit.HashContent([]byte("device " + device))
	return h[:]
}

// Cast counts a device's vote behind a link; a second one takes the place of the first. The words behind a bad mark
// become an objection, once for each device.
func (e *Engine) Cast(ctx context.Context, token, device string, level int, comment string) error {
	p, err := e.Polled(ctx, token)
	if err != nil {
		return err
	}
	if level < 1 || level > 5 {
		return invalid("level", "poll.level")
	}
	if comment, err = text("comment", comment, maxComment); err != nil {
		return err
	}
	if len(device) < 22 {
		return invalid("device", "poll.device")
	}
	v := Vote{Poll: p.Poll.ID, Device: deviceHash(device), Level: level, Comment: comment, At: e.now()}
	complains := level <= 2 && comment != ""
	if complains { // from here on, because a button pressed twice must find what it said the first time
		e.objecting.Lock()
		defer e.objecting.Unlock()
	}
	before, err := e.Store.Cast(ctx, p.ID, v)
	if errors.Is(err, ErrNotFound) {
		return notFound("poll.gone")
	}
	if err != nil {
		return err
	}
	if complains && (before.Comment == "" || before.Level > 2) {
		e.objectFor(ctx, p.ID, v)
	}
	return nil
}

// maxComment is the longest remark behind a vote.
const maxComment = 200

// objectFor files an objection. The vote has been counted by then, so that whoever hung up is heard all the same; what
// stands in the way of the objection, such as that there are too many of them, is logged and the remark stays with the
// vote.
func (e *Engine) objectFor(ctx context.Context, id ProjectID, v Vote) {
	ctx = context.WithoutCancel(ctx)
	words := Remark{Poll: v.Poll, Device: v.Device, Salt: audit.NewSalt(), Text: v.Comment}
	var err error
	for range 5 {
		var p Project
		if p, err = e.Store.Project(ctx, id); err != nil {
			break
		}
		if _, err = e.Do(ctx, Public(), id, p.Version, complain{words}); KindOf(err) != Conflict && KindOf(err) != Stale {
			break
		}
	}
	if err != nil {
		e.Log.WarnContext(ctx, "no objection from a vote", slog.String("project", string(id)), slog.Any("error", err))
	}
}
