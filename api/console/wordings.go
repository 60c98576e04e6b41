package console

import (
	"net/http"
	"slices"
	"strings"

	"bihuan/engine"
	"bihuan/engine/message"
)

// wordingsView is how messages are worded, in one language.
type wordingsView struct {
	Lang    string
	Langs   []choice
	Rows    []wordingRow
	Subject string // of the preview
	Text    string
	NoShow  string // why there is no preview
}

type wordingRow struct {
	ID, Key, Text string // Text: the product's
	Own           string // the site's, or as typed
	Can           string // the placeholders that it may use
	Changed       bool
	Open          bool
	Error         string
}

func (c *Console) wordings(v *visit) error {
	view, err := c.wordingsView(v, v.g.Query("lang"))
	if err != nil {
		return err
	}
	return c.render(v, http.StatusOK, "wordings", v.t("console.nav.wordings"), view)
}

// wordingsView lists every sentence that a site may say in its own words.
func (c *Console) wordingsView(v *visit, lang string) (wordingsView, error) {
	if _, err := c.Engine.Channels(v.ctx, v.actor); err != nil { // administrators alone
		return wordingsView{}, err
	}
	if lang == "" {
		lang = v.lang
	}
	view := wordingsView{Lang: message.Match(lang)}
	for _, l := range message.Languages {
		view.Langs = append(view.Langs, choice{l, map[string]string{"zh-CN": "中文", "en": "English"}[l], l == view.Lang})
	}
	list, err := c.Engine.Store.Wordings(v.ctx)
	if err != nil {
		return view, err
	}
	own := map[string]string{}
	for _, w := range list {
		own[w.ID] = w.Text
	}
	for _, key := range message.Keys() {
		if !strings.HasPrefix(key, message.Wordable) {
			continue
		}
		text := message.Text(view.Lang, key, nil)
		row := wordingRow{ID: "w-" + strings.ReplaceAll(key, ".", "-"), Key: key, Text: text, Own: own[view.Lang+"/"+key]}
		row.Changed = row.Own != ""
		if names := message.Placeholders(text); len(names) > 0 {
			for i, n := range names {
				names[i] = "{" + n + "}"
			}
			row.Can = v.t("console.wordings.can", "names", names)
		}
		view.Rows = append(view.Rows, row)
	}
	return view, nil
}

// saveWording keeps a sentence, or shows how a message would read with it.
func (c *Console) saveWording(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	q := v.g.Request.PostForm
	lang, key, text := message.Match(q.Get("lang")), q.Get("key"), q.Get("text")
	view, err := c.wordingsView(v, lang)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(view.Rows, func(r wordingRow) bool { return r.Key == key })
	if i < 0 {
		return &engine.Error{Kind: engine.NotFound, Key: "wording.unknown"}
	}
	row := &view.Rows[i]
	row.Own, row.Open = text, true
	if q.Get("do") == "preview" {
		if err := c.previewWording(v, &view, key, text); err != nil {
			return err
		}
		return c.render(v, http.StatusOK, "wordings", v.t("console.nav.wordings"), view)
	}
	if err := c.Engine.SaveWording(v.ctx, v.actor, lang, key, text); err != nil {
		kind := engine.KindOf(err)
		if kind != engine.Invalid && kind != engine.Conflict {
			return err
		}
		row.Error = asError(err).In(v.lang)
		return c.render(v, statuses[kind], "wordings", v.t("console.nav.wordings"), view)
	}
	v.redirect("/wordings?lang=" + lang + "&done=wording#" + row.ID)
	return nil
}

// previewWording composes a message about the newest project that the reader sees.
func (c *Console) previewWording(v *visit, view *wordingsView, key, text string) error {
	page, err := c.Engine.List(v.ctx, v.actor, engine.Filter{Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		view.NoShow = v.t("console.wordings.none")
		return nil
	}
	kind, ok := strings.CutPrefix(key, message.Wordable+"kind.")
	if !ok || kind == "week" {
		kind = "urge"
	}
	view.Subject, view.Text, err = c.Notifier.Preview(v.ctx, view.Lang, map[string]string{key: text}, kind, page.Items[0])
	return err
}
