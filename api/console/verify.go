package console

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// Verification is what a look at the trail and at every row that it explains has found.
type Verification struct {
	Log               string // installation and epoch
	Started, Finished time.Time
	Checked           []Counted
	Findings          []audit.Finding
	More              int // findings that are not listed
	Erased            []audit.Erased
}

// Counted is how many of something were checked. What is a word of console.checked.
type Counted struct {
	What string
	N    int64
}

// turn lets one verification run at a time, and says how far it is.
type turn struct {
	busy    atomic.Bool
	entries atomic.Int64
}

// verifyView is the page from which the whole trail is verified, and what was found in it.
type verifyView struct {
	Why     string // the person may not; empty if they may
	Running string // how far a verification that is under way has come
	Offline bool   // there is a page to save that verifies bundles
	Verdict *verdictView
}

// verdictView is what a verification says.
type verdictView struct {
	Class, Icon     string
	Title, Detail   string
	Project, Number string // that it was about; empty for the whole
	Checked         []countedView
	Log             string
	Started         string
	By              string // who had it run
	Took            string
	Findings        []findingView
	More, Hidden    int
	Erased          []string // what nobody can read any more, and who saw to it
	Again           string   // address
}

type countedView struct{ What, N string }

type findingView struct {
	Subject, Href string
	Seq           string
	Entry         string
	Check, Detail string
}

func (c *Console) verifyPage(v *visit) error {
	view := verifyView{Offline: c.Offline}
	if err := c.Engine.Inspects(v.actor); err != nil {
		view.Why = asError(err).In(v.lang)
	} else if c.turn.busy.Load() {
		view.Running = v.t("console.verify.running", "n", c.turn.entries.Load())
	}
	return c.render(v, http.StatusOK, "verify", v.t("console.verify.title"), view)
}

// verifyProgress says how far the verification has come, for the script that waits for it.
func (c *Console) verifyProgress(v *visit) error {
	if err := c.Engine.Inspects(v.actor); err != nil {
		return err
	}
	text := ""
	if c.turn.busy.Load() {
		text = v.t("console.verify.running", "n", c.turn.entries.Load())
	}
	v.g.String(http.StatusOK, "%s", text)
	return nil
}

// verifyAll has everything verified. One at a time, because it reads the whole database.
func (c *Console) verifyAll(v *visit) error {
	if err := c.Engine.MayVerify(v.ctx, v.actor, ""); err != nil {
		return err
	}
	if !c.turn.busy.CompareAndSwap(false, true) {
		return &engine.Error{Kind: engine.Busy, Key: "console.verify.busy"}
	}
	defer c.turn.busy.Store(false)
	c.turn.entries.Store(0)
	verdict, err := c.verification(v, "", c.turn.entries.Store)
	if err != nil {
		return err
	}
	verdict.Again = "/trail/verify"
	return c.render(v, http.StatusOK, "verify", v.t("console.verify.title"), verifyView{Verdict: &verdict})
}

// verifyProject has one project's entries, row and evidence verified.
func (c *Console) verifyProject(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	if err := c.Engine.MayVerify(v.ctx, v.actor, p.ID); err != nil {
		return err
	}
	select {
	case c.checking <- struct{}{}:
		defer func() { <-c.checking }()
	case <-v.ctx.Done():
		return v.ctx.Err()
	}
	verdict, err := c.verification(v, p.ID, nil)
	if err != nil {
		return err
	}
	verdict.Number, verdict.Project, verdict.Again = p.Number, "/projects/"+string(p.ID), "/projects/"+string(p.ID)+"/verify"
	return c.render(v, http.StatusOK, "verify", v.t("console.verify.title"), verifyView{Verdict: &verdict})
}

// verification runs it, records that it was run, and puts it into words. What was found counts also when the rest
// could not be read.
func (c *Console) verification(v *visit, project engine.ProjectID, progress func(int64)) (verdictView, error) {
	_ = http.NewResponseController(v.g.Writer).SetWriteDeadline(time.Now().Add(exportTime)) // without it the server's own limit holds
	if progress == nil {
		progress = func(int64) {}
	}
	r, err := c.Verify(v.ctx, project, progress)
	if err != nil && len(r.Findings) == 0 {
		return verdictView{}, err
	}
	if err != nil {
		c.Log.ErrorContext(v.ctx, "verification broken off", slog.String("request", v.info.ID), slog.Any("error", err))
	}
	said := map[string]any{"findings": len(r.Findings) + r.More, "log": r.Log}
	if project != "" {
		said["project"] = project
	}
	for _, n := range r.Checked {
		if n.What == "entries" {
			said["entries"] = n.N
		}
	}
	if noteErr := c.Engine.Note(v.ctx, v.actor, "verify_trail", said); noteErr != nil {
		return verdictView{}, noteErr
	}
	out := verdictView{Class: "g", Icon: "shield-check", Title: v.t("console.verify.intact"), Detail: v.t("console.verify.intact_detail"), Log: r.Log,
		Started: r.Started.In(c.Engine.Site.Location).Format("2006-01-02 15:04:05"), By: c.names.user(v, v.actor.ID), Took: r.Finished.Sub(r.Started).Round(time.Millisecond).String(), More: r.More}
	if n := len(r.Findings) + r.More; n > 0 {
		out.Class, out.Icon, out.Title, out.Detail = "r", "alert-circle", v.t("console.verify.tampered", "n", n), v.t("console.verify.tampered_detail")
	}
	if err != nil {
		out.Detail = v.t("console.verify.broken_off", "request", v.info.ID)
	}
	for _, n := range r.Checked {
		if project != "" && n.N == 0 { // of what is no project's
			continue
		}
		out.Checked = append(out.Checked, countedView{v.t("console.checked." + n.What), v.t("console.number", "n", n.N)})
	}
	for _, f := range r.Findings {
		shown, ok, err := c.findingView(v, f)
		if err != nil {
			return verdictView{}, err
		}
		if ok {
			out.Findings = append(out.Findings, shown)
		} else {
			out.Hidden++
		}
	}
	for _, x := range r.Erased {
		shown, ok, err := c.findingView(v, audit.Finding{Subject: x.Subject})
		if err != nil {
			return verdictView{}, err
		}
		if x.Of != "" {
			shown.Subject = v.t("console.verify.words_of", "what", shown.Subject)
		}
		if ok {
			out.Erased = append(out.Erased, v.t("console.verify.erased", "what", shown.Subject, "by", c.names.user(v, engine.UserID(x.By)), "at", c.moment(x.At)))
		}
	}
	return out, nil
}

// findingView puts a finding into words. One about a project that exists where the person does not see it is only
// counted; one about a project that is gone is everybody's.
func (c *Console) findingView(v *visit, f audit.Finding) (findingView, bool, error) {
	out := findingView{Subject: f.Subject, Entry: f.Entry, Check: v.t("console.check." + f.Check), Detail: f.Detail}
	if f.Seq > 0 {
		out.Seq = strconv.FormatInt(f.Seq, 10)
	}
	kind, id, _ := strings.Cut(f.Subject, "/")
	if kind != engine.SubjectProject || !engine.IsID(id) {
		return out, true, nil
	}
	_, err := c.Reader.Project(v.ctx, engine.ProjectID(id))
	if errors.Is(err, engine.ErrNotFound) {
		return out, true, nil
	}
	if err != nil {
		return out, false, err
	}
	p, err := c.Engine.Project(v.ctx, v.actor, engine.ProjectID(id))
	if engine.KindOf(err) == engine.NotFound {
		return out, false, nil
	}
	out.Subject, out.Href = p.Number+" "+p.Title, "/projects/"+id
	return out, true, err
}
