package notify

import (
	"context"
	"log/slog"
	"strings"

	"bihuan/engine"
	"bihuan/engine/message"
)

// longest list in one message; whoever has more reads them in the inbox.
const maxLines = 40

// Kinds lists the kinds of reminders that there are, in the order in which settings show them.
var Kinds = []string{"remind", "urge", "supervise", "talk", "bulletin", "overdue", "submit", "approve", "return", "transition", "verify", "object", "survey", "look_back", "hand_over", "mark", "unmark"}

// kindWeek is the kind of the weekly bulletin's notice.
const kindWeek = "week"

// urgent are the kinds that pass quiet hours and do not wait for the morning.
var urgent = map[string]bool{"urge": true, "supervise": true, "talk": true}

// voice says sentences in one language, in the site's own words where it has any.
type voice struct {
	lang  string
	words map[string]string // by language and key
}

func (v voice) say(key string, args ...any) string {
	if own := v.words[v.lang+"/"+key]; own != "" {
		return message.Fill(v.lang, own, message.Args(args...))
	}
	return message.Text(v.lang, key, message.Args(args...))
}

// voices returns the site's words.
func (n *Notifier) voices(ctx context.Context) (map[string]string, error) {
	list, err := n.Engine.Store.Wordings(ctx)
	out := make(map[string]string, len(list))
	for _, w := range list {
		out[w.ID] = w.Text
	}
	return out, err
}

// voice says things to a person in the language that they chose, or in the site's.
func (n *Notifier) voice(words map[string]string, s *engine.NotifySettings) voice {
	if s.Language != "" {
		return voice{s.Language, words}
	}
	return voice{n.Language, words}
}

// thing is one line of a message.
type thing struct {
	kind    string
	project engine.Project
	note    string // what somebody wrote
	text    string // of a notice that is about no project
}

// kindName names a kind of reminder.
func (v voice) kindName(kind string) string { return v.say("notify.say.kind." + kind) }

// line is what is said of one thing.
func (n *Notifier) line(ctx context.Context, v voice, t thing) (string, error) {
	if t.text != "" {
		return t.text, nil
	}
	p := &t.project
	w, err := n.Engine.Pinned(ctx, p)
	if err != nil {
		return "", err
	}
	deadline := p.Deadline.String()
	if p.Deadline.IsZero() {
		deadline = v.say("notify.say.no_deadline")
	}
	s := v.say("notify.say.line", "kind", v.kindName(t.kind), "number", p.Number, "title", p.Title,
		"stage", w.StageName(p.Stage), "deadline", deadline)
	if t.note != "" {
		s += "\n" + v.say("notify.say.note", "note", t.note)
	}
	if n.PublicURL != "" {
		s += "\n" + strings.TrimSuffix(n.PublicURL, "/") + "/projects/" + string(p.ID)
	}
	return s, nil
}

// compose makes the subject and text of a message about things, the earliest first.
func (n *Notifier) compose(ctx context.Context, v voice, things []thing, person bool) (subject, text string, err error) {
	var b strings.Builder
	for i, t := range things {
		if i == maxLines {
			b.WriteString(v.say("notify.say.more", "count", len(things)-maxLines) + "\n\n")
			break
		}
		line, err := n.line(ctx, v, t)
		if err != nil {
			return "", "", err
		}
		b.WriteString(line + "\n\n")
	}
	switch {
	case len(things) == 1 && things[0].text == "":
		subject = v.say("notify.say.subject", "kind", v.kindName(things[0].kind), "title", things[0].project.Title)
	case len(things) == 1 && things[0].kind == kindNeed:
		subject = v.say("notify.say.subject_need")
	case len(things) == 1:
		subject = v.say("notify.say.subject_week")
	default:
		subject = v.say("notify.say.subject_many", "count", len(things))
	}
	if !person {
		return subject, subject + "\n\n" + strings.TrimSpace(b.String()), nil
	}
	if line := n.checkpoint(ctx); line != "" {
		b.WriteString(v.say("notify.say.checkpoint", "checkpoint", line) + "\n\n")
	}
	b.WriteString(v.say("notify.say.footer"))
	if n.PublicURL != "" {
		b.WriteString("\n" + strings.TrimSuffix(n.PublicURL, "/") + "/notices")
	}
	return subject, b.String(), nil
}

// checkpoint returns the newest signed checkpoint of the trail, "" if there is none. People are told without it rather
// than not at all.
func (n *Notifier) checkpoint(ctx context.Context) string {
	if n.Checkpoint == nil {
		return ""
	}
	line, err := n.Checkpoint(ctx)
	if err != nil {
		n.Log.WarnContext(ctx, "a message goes without checkpoint", slog.Any("error", err))
		return ""
	}
	return strings.TrimSpace(line)
}

// things returns what a delivery tells, in the order in which it was owed.
func (n *Notifier) things(ctx context.Context, d *engine.Delivery) ([]thing, error) {
	type row struct {
		project     engine.ProjectID
		kind, entry string
		text        string
	}
	var rows []row
	if d.About == engine.AboutNotices {
		list, err := n.Engine.Store.DeliveryNotices(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			rows = append(rows, row{project: x.ProjectID, kind: x.Kind, text: x.Text})
		}
	} else {
		list, err := n.Engine.Store.DeliveryReminders(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			rows = append(rows, row{project: x.ProjectID, kind: x.Kind, entry: x.Entry})
		}
	}
	var entries []string
	for _, r := range rows {
		if r.entry != "" {
			entries = append(entries, r.entry)
		}
	}
	notes, err := n.Queue.Notes(ctx, entries)
	if err != nil {
		return nil, err
	}
	out := make([]thing, 0, len(rows))
	for _, r := range rows {
		t := thing{kind: r.kind, note: notes[r.entry]}
		if r.project == "" {
			t.text = r.text
		} else {
			if r.text != "" {
				t.note = r.text
			}
			if t.project, err = n.Engine.Store.Project(ctx, r.project); err != nil {
				return nil, err
			}
		}
		out = append(out, t)
	}
	return out, nil
}
