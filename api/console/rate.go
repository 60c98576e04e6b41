package console

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	qrcode "github.com/skip2/go-qrcode"
	limit "golang.org/x/time/rate"

	"bihuan/api/auth"
	"bihuan/engine"
)

// deviceCookie tells devices apart, so that each has one vote behind a link. It says nothing of who holds it, and is
// sent to rating pages alone.
const deviceCookie = "bihuan_ballot"

// Votes that one link takes a second, and at once: many more than a hall full of people, far fewer than a flood. A
// campus sits behind one address, so addresses count for nothing here.
const votesPerSecond, votesAtOnce = 400, 2000

// rateView is the page behind a rating link.
type rateView struct {
	Action, Title, Unit, Target, Number string
	Site                                string
	Levels                              []rateLevel
	Comment, Error                      string
	Done                                bool
	Until                               string
}

type rateLevel struct {
	Value   int
	Name    string
	Checked bool
}

// rating shows the page behind a link.
func (c *Console) rating(v *visit) error {
	p, err := c.Engine.Polled(v.ctx, v.g.Param("token"))
	if err != nil {
		return err
	}
	device := v.cookie(deviceCookie)
	if len(device) != 43 {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
		device = base64.RawURLEncoding.EncodeToString(secret)
		http.SetCookie(v.g.Writer, &http.Cookie{Name: deviceCookie, Value: device, Path: "/r/", MaxAge: settingsLife, HttpOnly: true,
			Secure: !auth.Plain(v.g.Request), SameSite: http.SameSiteLaxMode})
	}
	before, err := c.Engine.VoteOf(v.ctx, &p, device)
	if err != nil {
		return err
	}
	return c.showRating(v, http.StatusOK, &p, before.Level, before.Comment, v.g.Query("done") == "vote", nil)
}

func (c *Console) showRating(v *visit, status int, p *engine.Project, level int, comment string, done bool, why error) error {
	v.user = engine.User{} // the page is nobody's, whoever is signed in
	view := rateView{Action: "/r/" + v.g.Param("token"), Title: p.Title, Unit: c.names.unit(v, p.UnitID), Target: p.Target, Number: p.Number, Site: c.Site,
		Comment: comment, Done: done, Until: c.day(p.Poll.ClosesAt.Add(-1))}
	if why != nil {
		view.Error = asError(why).In(v.lang)
	}
	for i, name := range surveyLevels {
		view.Levels = append(view.Levels, rateLevel{5 - i, v.t("console.survey." + name), level == 5-i})
	}
	return c.render(v, status, "rate", v.t("console.rate.title"), view)
}

// vote takes a rating.
func (c *Console) vote(v *visit) error {
	token := v.g.Param("token")
	p, err := c.Engine.Polled(v.ctx, token)
	if err != nil {
		return err
	}
	if !c.ballots(p.Poll.ID).Allow() {
		return &engine.Error{Kind: engine.Busy, Key: "poll.busy"}
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	level, _ := strconv.Atoi(x.Get("level")) // 0 is refused by the engine
	if err = c.Engine.Cast(v.ctx, token, v.cookie(deviceCookie), level, x.Get("comment")); err == nil {
		v.redirect("/r/" + token + "?done=vote")
		return nil
	}
	if engine.KindOf(err) != engine.Invalid {
		return err
	}
	return c.showRating(v, http.StatusUnprocessableEntity, &p, level, x.Get("comment"), false, err)
}

// ballots is the bucket of a poll: of the project and its link.
func (c *Console) ballots(poll string) *limit.Limiter {
	if l, ok := c.polls.Load(poll); ok {
		return l.(*limit.Limiter)
	}
	l, _ := c.polls.LoadOrStore(poll, limit.NewLimiter(votesPerSecond, votesAtOnce))
	return l.(*limit.Limiter)
}

// pollForms are the forms that open a poll, give it another link, and end it.
func (c *Console) pollForms(v *visit, p *engine.Project, a *attempt) []form {
	base := "/projects/" + string(p.ID)
	open := form{ID: "do-open_poll", Action: base + "/poll", Title: v.t("do.open_poll"), Icon: "link", Submit: v.t("do.open_poll"), Version: p.Version,
		Fields: []field{{ID: "do-open_poll-closes", Name: "closes", Kind: "date", Label: v.t("console.field.poll_closes"), Hint: v.t("console.hint.poll_closes"), Required: true}}}
	if p.Poll != nil {
		open.Fields[0].Value = p.Poll.Closes.String()
	}
	if a != nil && a.id() == open.ID {
		open.keep(a.values)
		open.blame(v, a.err)
	}
	if p.Poll == nil {
		return []form{open}
	}
	title := v.t("do.close_poll")
	return []form{open, {ID: "do-close_poll", Action: base + "/do/close_poll", Title: title, Icon: "link-off", Submit: title, Version: p.Version}}
}

// pollView is the page that shows a poll's link and QR code, once.
type pollView struct {
	ID, Number, Title string
	Link              string
	QR                string // path of an SVG
	Size              int
	Until             string
}

// openPoll opens a poll or gives it another link, and shows the link the one time that it can be shown.
func (c *Console) openPoll(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	x, base, err := posted(v)
	if err != nil {
		return err
	}
	closes, err := date(x, "closes")
	var token string
	if err == nil {
		p, token, err = c.Engine.OpenPoll(v.ctx, v.actor, p.ID, base, closes)
	}
	if err != nil {
		return c.refused(v, &p, base, attempt{act: "open_poll", values: x}, err)
	}
	link := strings.TrimSuffix(c.PublicURL, "/")
	if link == "" { // the address that the reader came by
		link = "https://" + v.g.Request.Host
		if auth.Plain(v.g.Request) {
			link = "http://" + v.g.Request.Host
		}
	}
	link += "/r/" + token
	path, size, err := qrPath(link)
	if err != nil {
		return err
	}
	view := pollView{ID: string(p.ID), Number: p.Number, Title: p.Title, Link: link, QR: path, Size: size, Until: closes.String()}
	return c.render(v, http.StatusOK, "poll", v.t("console.poll.title"), view)
}

// qrPath draws a QR code as the path of an SVG: a unit square for every dark module, and a quiet zone around.
func qrPath(text string) (path string, size int, err error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return "", 0, fmt.Errorf("qr code: %w", err)
	}
	var b strings.Builder
	rows := code.Bitmap()
	for y, row := range rows {
		for x, dark := range row {
			if dark {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return b.String(), len(rows), nil
}
