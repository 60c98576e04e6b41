package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/mail"
	"strings"
	"time"

	"bihuan/engine/message"
)

// maxMail is the longest address in bytes.
const maxMail = 200

// Inbox returns a page of the actor's notices.
func (e *Engine) Inbox(ctx context.Context, who Actor, f NoticeFilter) (Page[Notice], error) {
	f.User = who.ID
	return e.Store.Notices(ctx, f)
}

// Unread counts the actor's notices that have not been read.
func (e *Engine) Unread(ctx context.Context, who Actor) (int, error) {
	return e.Store.Unread(ctx, who.ID)
}

// MarkRead notes that the actor has read notices; all of them without ids. The time on the notice is the receipt:
// reading changes nothing else and leaves no entry.
func (e *Engine) MarkRead(ctx context.Context, who Actor, ids []string) error {
	if len(ids) > MaxPage {
		return invalid("id", "delivery.choose", "limit", MaxPage)
	}
	if err := who.Allows(TokenProjects); err != nil {
		return err
	}
	_, err := e.Store.MarkRead(ctx, who.ID, ids, e.now())
	return err
}

// SaveSettings sets how a person wants to be told: their own choice, or an administrator's for them. The address is
// personal data and stands in no entry; that it changed does. s.Version is the version that the caller saw, 0 of whoever
// never chose.
func (e *Engine) SaveSettings(ctx context.Context, who Actor, s NotifySettings) (NotifySettings, error) {
	if who.ID != s.ID {
		if err := e.requires(ctx, who, Admin, "settings"); err != nil {
			return s, err
		}
	}
	if _, err := e.User(ctx, string(s.ID)); err != nil {
		return s, err
	}
	if s.Mail = strings.TrimSpace(s.Mail); s.Mail != "" {
		a, err := mail.ParseAddress(s.Mail)
		if err != nil || a.Name != "" || len(a.Address) > maxMail {
			return s, invalid("mail", "settings.mail")
		}
		s.Mail = a.Address
	}
	for field, v := range map[string]string{"quiet_from": s.QuietFrom, "quiet_to": s.QuietTo} {
		if t, err := time.Parse("15:04", v); v != "" && (err != nil || t.Format("15:04") != v) {
			return s, invalid(field, "settings.quiet")
		}
	}
	if (s.QuietFrom == "") != (s.QuietTo == "") || s.QuietFrom != "" && s.QuietFrom == s.QuietTo {
		return s, invalid("quiet_to", "settings.quiet")
	}
	if s.Language != "" {
		s.Language = message.Match(s.Language)
	}
	return e.saveSettings(ctx, who, s, "settings", func(old NotifySettings) map[string]any {
		if old.Mail != s.Mail {
			return map[string]any{"mail_changed": true}
		}
		return nil
	})
}

func (e *Engine) saveSettings(ctx context.Context, who Actor, s NotifySettings, action string, data func(old NotifySettings) map[string]any) (NotifySettings, error) {
	old, err := e.Store.Settings(ctx, s.ID)
	if err != nil {
		return s, err
	}
	if old.Version != s.Version {
		return s, &Error{Kind: Conflict, Key: "record.conflict"}
	}
	var before any
	if old.Version > 0 {
		before = old
	}
	if action == "settings" {
		s.Feed = old.Feed
	}
	s.Version, s.UpdatedAt = old.Version+1, e.now()
	err = e.record(ctx, who, SubjectSettings+"/"+string(s.ID), action, before, func(r *Record) (any, map[string]any) {
		r.Settings, r.Entry.Unit = &s, string(who.home())
		return s, data(old)
	})
	return s, conflict(err)
}

// NewFeed gives the actor's calendar a new address, of which it returns the secret part once, and ends the old one.
func (e *Engine) NewFeed(ctx context.Context, who Actor) (string, error) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand)
	token := base64.RawURLEncoding.EncodeToString(raw)
	return token, e.setFeed(ctx, who, hashFeed(token), "new_feed")
}

// EndFeed ends the address of the actor's calendar.
func (e *Engine) EndFeed(ctx context.Context, who Actor) error {
	return e.setFeed(ctx, who, "", "end_feed")
}

func (e *Engine) setFeed(ctx context.Context, who Actor, hash, action string) error {
	s, err := e.Store.Settings(ctx, who.ID)
	if err != nil {
		return err
	}
	s.Feed = hash
	_, err = e.saveSettings(ctx, who, s, action, func(NotifySettings) map[string]any { return nil })
	return err
}

func hashFeed(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// FeedOf tells whose calendar an address leads to. One that has been ended, or whose owner may not sign in any more,
// is as absent as one that never was.
func (e *Engine) FeedOf(ctx context.Context, token string) (Actor, User, error) {
	if len(token) != 43 {
		return Actor{}, User{}, notFound("feed.unknown")
	}
	id, err := e.Store.FeedUser(ctx, hashFeed(token))
	if errors.Is(err, ErrNotFound) {
		return Actor{}, User{}, notFound("feed.unknown")
	}
	if err != nil {
		return Actor{}, User{}, err
	}
	u, err := e.User(ctx, string(id))
	if err == nil && u.Disabled {
		err = notFound("feed.unknown")
	}
	if err != nil {
		return Actor{}, User{}, err
	}
	a, err := e.Actor(ctx, u, ViaAPI, "")
	return a, u, err
}

// SaveWording says a sentence of messages in the site's own words; an empty text is the catalogue's again. Only the
// placeholders of the catalogue's sentence may occur.
func (e *Engine) SaveWording(ctx context.Context, who Actor, lang, key, words string) error {
	if err := e.requires(ctx, who, Admin, "wording"); err != nil {
		return err
	}
	lang = message.Match(lang)
	if !strings.HasPrefix(key, message.Wordable) || !message.Has(key) {
		return notFound("wording.unknown")
	}
	words, err := text("text", words, maxText)
	if err != nil {
		return err
	}
	known := message.Placeholders(message.Text(lang, key, nil))
	for _, p := range message.Placeholders(words) {
		if !has(known, p) {
			return invalid("text", "wording.placeholder", "name", p, "known", known)
		}
	}
	id := lang + "/" + key
	all, err := e.Store.Wordings(ctx)
	if err != nil {
		return err
	}
	w := Wording{ID: id, Text: words, UpdatedAt: e.now(), Version: 1}
	var before any
	for _, old := range all {
		if old.ID == id {
			before, w.Version = old, old.Version+1
		}
	}
	return conflict(e.record(ctx, who, SubjectWording+"/"+id, "wording", before, func(r *Record) (any, map[string]any) {
		r.Wording = &w
		return w, nil
	}))
}
