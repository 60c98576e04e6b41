package console

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// An inbox is read, one by one or all at once, and keeps when.
func TestReadNotices(t *testing.T) {
	w := ownWorld(t)
	count := func() string { t.Helper(); return w.ask(t, "zhou", "/notices/count", nil).body }
	a := w.ask(t, "zhou", "/notices?unread=1", nil)
	ids := regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(a.body, -1)
	if len(ids) < 3 || !strings.Contains(count(), "cnt") {
		t.Fatalf("%d unread, count %q", len(ids), count())
	}
	if a := w.ask(t, "chen", "/notices/read", url.Values{"id": {ids[0][1]}}); a.Code != http.StatusSeeOther {
		t.Errorf("somebody else's notice answers %d", a.Code)
	}
	if a := w.ask(t, "zhou", "/notices?unread=1", nil); !strings.Contains(a.body, ids[0][1]) {
		t.Error("somebody else read it")
	}
	if a := w.ask(t, "zhou", "/notices/read", url.Values{"id": {ids[0][1]}, "next": {"//evil.example/"}}); a.Header().Get("Location") != "/notices" {
		t.Errorf("sent to %q", a.Header().Get("Location"))
	}
	if a := w.ask(t, "zhou", "/notices?unread=1", nil); strings.Contains(a.body, ids[0][1]) || !strings.Contains(a.body, ids[1][1]) {
		t.Error("reading one did not read that one")
	}
	w.ask(t, "zhou", "/notices/read", url.Values{})
	if got := count(); got != "" {
		t.Errorf("count %q after all were read", got)
	}
	if a := w.ask(t, "zhou", "/notices?unread=1", nil); !strings.Contains(a.body, "没有消息") {
		t.Error("an inbox without unread notices says nothing")
	}
}

// What people write comes as text, into the inbox and into calendars.
func TestNoticesAreText(t *testing.T) {
	w := ownWorld(t)
	p := w.item(t, func(p *engine.Project) bool {
		return p.Owner == w.people["zhou"].ID && p.Stage == "advance" && p.UrgedOn.IsZero()
	})
	supervisor, err := w.engine.ActorOf(t.Context(), "zhang", engine.ViaConsole, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Do(t.Context(), supervisor, p.ID, p.Version, engine.Urge{Note: `请抓紧<script>alert(1)</script><img src=x onerror="alert(2)">`}); err != nil {
		t.Fatal(err)
	}
	unit, err := w.engine.Unit(t.Context(), string(p.UnitID))
	if err != nil {
		t.Fatal(err)
	}
	d := engine.Draft{Title: "改造照明\r\nATTACH:https://evil.example/x\nEND:VEVENT", Need: "太暗", Target: "300勒克斯", Measures: "更换灯具", List: "1",
		Owner: w.people["zhou"].ID, Deadline: calendar.DateOf(w.engine.Now(), w.engine.Site.Location).AddDays(60)}
	if _, err := w.engine.Create(t.Context(), supervisor, "shishi", unit, d); err != nil {
		t.Fatal(err)
	}
	if _, err := w.notifier.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := w.ask(t, "zhou", "/notices", nil)
	if !strings.Contains(a.body, "&lt;script&gt;alert(1)&lt;/script&gt;") || strings.Contains(a.body, "<script>alert") || strings.Contains(a.body, "<img src=x") {
		t.Error("the inbox shows what was written as something else than text")
	}
	checkPage(t, "/notices", a)
	owner, err := w.engine.ActorOf(t.Context(), "zhou", engine.ViaConsole, "")
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.engine.NewFeed(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	a = w.ask(t, "", "/feeds/"+token+"/deadlines.ics", nil)
	if !strings.Contains(a.body, "改造照明") || strings.Count(a.body, "BEGIN:VEVENT") != strings.Count(a.body, "\nEND:VEVENT") || strings.Contains(a.body, "\nATTACH") || strings.Contains(a.body, "\rATTACH") {
		t.Errorf("a title has become part of the calendar:\n%s", a.body)
	}
}

// What somebody chooses is kept; what is wrong stands beside its control with what was typed.
func TestMySettings(t *testing.T) {
	w := ownWorld(t)
	form := url.Values{"mail": {"not an address"}, "pace": {"at_once"}, "quiet_from": {"22:00"}, "quiet_to": {"07:00"}, "language": {"en"}, "version": {"0"}}
	a := w.ask(t, "li", "/notices/settings", form)
	if a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, `value="not an address"`) || !strings.Contains(a.body, "邮箱地址不正确") {
		t.Errorf("a wrong address answers %d", a.Code)
	}
	form.Set("mail", "zhou@example.edu.cn")
	if a := w.ask(t, "zhou", "/notices/settings", form); a.Code != http.StatusSeeOther {
		t.Fatalf("saving answers %d: %s", a.Code, a.body)
	}
	s, err := w.db.Settings(t.Context(), w.people["zhou"].ID)
	if err != nil || s.Mail != "zhou@example.edu.cn" || !s.AtOnce || s.QuietFrom != "22:00" || s.QuietTo != "07:00" || s.Language != "en" {
		t.Errorf("%+v (%v)", s, err)
	}
	page, err := w.engine.Trail(t.Context(), engine.Operator(), engine.EntryFilter{Actions: []string{"settings"}})
	if err != nil || len(page.Items) != 1 || strings.Contains(string(page.Items[0].Bytes), "example.edu.cn") {
		t.Errorf("the trail shows the address, or nothing (%v)", err)
	}
}

// A calendar's address opens the deadlines of its owner and nothing else, until it is ended or renewed.
func TestFeed(t *testing.T) {
	w := ownWorld(t)
	make := func() string {
		t.Helper()
		a := w.ask(t, "zhou", "/notices/feed", url.Values{"feed": {"new"}})
		m := regexp.MustCompile(`value="https?://[^/"]+(/feeds/[^"]+)"`).FindStringSubmatch(a.body)
		if m == nil {
			t.Fatalf("no address: %d", a.Code)
		}
		return m[1]
	}
	address := make()
	a := w.ask(t, "", address, nil)
	if a.Code != http.StatusOK || !strings.HasPrefix(a.Header().Get("Content-Type"), "text/calendar") || a.Header().Get("Set-Cookie") != "" {
		t.Fatalf("%s: %d %s", address, a.Code, a.body)
	}
	open, err := w.engine.List(t.Context(), engine.Operator(), engine.Filter{Owner: w.people["zhou"].ID, Open: true, Limit: engine.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	dated := 0
	for _, p := range open.Items {
		if !p.Deadline.IsZero() {
			dated++
			if !strings.Contains(a.body, "DTSTART;VALUE=DATE:"+strings.ReplaceAll(p.Deadline.String(), "-", "")) {
				t.Errorf("the deadline of %s is missing", p.Number)
			}
		}
	}
	if n := strings.Count(a.body, "BEGIN:VEVENT"); n != dated || n == 0 {
		t.Errorf("%d events, want %d", n, dated)
	}
	next := make()
	if a := w.ask(t, "", address, nil); a.Code != http.StatusNotFound {
		t.Errorf("the address before answers %d", a.Code)
	}
	w.ask(t, "zhou", "/notices/feed", url.Values{"feed": {"end"}})
	if a := w.ask(t, "", next, nil); a.Code != http.StatusNotFound {
		t.Errorf("an address that was ended answers %d", a.Code)
	}
}

// A channel is added, tried out, seen to fail, and its dead letters replayed, all in the browser; nothing secret comes back.
func TestChannelsAndDeliveries(t *testing.T) {
	w := ownWorld(t)
	refuse := true
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if refuse {
			rw.WriteHeader(http.StatusGone)
			_, _ = io.WriteString(rw, "no longer here")
			return
		}
		_, _ = io.WriteString(rw, "thank you")
	}))
	defer receiver.Close()
	unit := w.people["zhao"].Grants[0].UnitID
	form := url.Values{"kind": {"webhook"}, "name": {"数据中台"}, "unit": {string(unit)}, "url": {"ftp://x"}, "kinds": {"urge"}}
	a := w.ask(t, "zhao", "/channels", form)
	if a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "https://") || !strings.Contains(a.body, `value="数据中台"`) {
		t.Errorf("a wrong address answers %d", a.Code)
	}
	form.Set("url", receiver.URL+"/secret-path")
	a = w.ask(t, "zhao", "/channels", form)
	id := regexp.MustCompile(`/channels/([0-9a-f-]{36})/test`).FindStringSubmatch(a.body)
	if a.Code != http.StatusOK || id == nil || !strings.Contains(a.body, "whsec_") {
		t.Fatalf("adding answers %d", a.Code)
	}
	checkPage(t, "/channels", a)
	a = w.ask(t, "zhao", "/channels/"+id[1], nil)
	if a.Code != http.StatusOK || strings.Contains(a.body, "whsec_") || strings.Contains(a.body, "secret-path") {
		t.Errorf("the page shows the secret, or answers %d", a.Code)
	}
	a = w.ask(t, "zhao", "/channels/"+id[1]+"/test", url.Values{})
	if a.Code != http.StatusConflict || !strings.Contains(a.body, "HTTP 410 no longer here") {
		t.Errorf("the answer is not shown: %d", a.Code)
	}
	if a := w.ask(t, "zhang", "/channels/"+id[1]+"/test", url.Values{}); a.Code != http.StatusNotFound {
		t.Errorf("a supervisor tests: %d", a.Code)
	}

	p := w.item(t, func(p *engine.Project) bool {
		return p.Stage == "advance" && p.UrgedOn.IsZero() && engine.Under(p.UnitPath, w.people["zhao"].Grants[0].Path)
	})
	supervisor, err := w.engine.ActorOf(t.Context(), "zhang", engine.ViaConsole, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Do(t.Context(), supervisor, p.ID, p.Version, engine.Urge{Note: "请抓紧办理"}); err != nil {
		t.Fatal(err)
	}
	run := func() {
		t.Helper()
		if _, err := w.notifier.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.notifier.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run()
	a = w.ask(t, "zhao", "/deliveries?state=dead&channel="+id[1]+"&project="+p.Number, nil)
	dead := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(a.body)
	if a.Code != http.StatusOK || dead == nil || !strings.Contains(a.body, p.Number) || !strings.Contains(a.body, "HTTP 410") {
		t.Fatalf("the log answers %d: %v", a.Code, dead)
	}
	checkPage(t, "/deliveries", a)
	if a := w.ask(t, "wang", "/deliveries", nil); a.Code != http.StatusOK || strings.Contains(a.body, `action="/deliveries/replay"><div class="tbl-w"`) && strings.Contains(a.body, `name="id"`) {
		t.Errorf("an inspector can replay, or is answered %d", a.Code)
	}
	if a := w.ask(t, "wang", "/deliveries/replay", url.Values{"id": {dead[1]}}); a.Code != http.StatusForbidden {
		t.Errorf("an inspector replays: %d", a.Code)
	}
	refuse = false
	if a := w.ask(t, "zhao", "/deliveries/replay", url.Values{"id": {dead[1]}}); a.Code != http.StatusSeeOther {
		t.Fatalf("replaying answers %d", a.Code)
	}
	run()
	if a := w.ask(t, "zhao", "/deliveries?state=sent", nil); !strings.Contains(a.body, "thank you") {
		t.Error("the log does not show what the receiver said")
	}
	if n, err := w.engine.ArchiveDeliveries(t.Context(), w.engine.Now().AddDate(0, 0, 1)); n == 0 || err != nil {
		t.Fatalf("%d archived (%v)", n, err)
	}
	if a := w.ask(t, "zhao", "/deliveries?state=sent", nil); strings.Contains(a.body, "thank you") {
		t.Error("what was archived is still among the others")
	}
	a = w.ask(t, "zhao", "/deliveries?archive=1&state=sent&project="+p.Number, nil)
	if a.Code != http.StatusOK || !strings.Contains(a.body, "thank you") || strings.Contains(a.body, `name="id"`) {
		t.Errorf("the archive answers %d: %s", a.Code, a.body)
	}
	checkPage(t, "/deliveries", a)
}

// An open page hears of news at once, and is sent away when the server stops.
func TestEvents(t *testing.T) {
	w := ownWorld(t)
	server := httptest.NewServer(w.router)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: strings.TrimPrefix(session, "__Host-"), Value: "zhou"}) // over plain HTTP on this machine
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || lines.Text() != "retry: 5000" {
		t.Fatalf("first line %q", lines.Text())
	}
	w.hub.Tell([]engine.UserID{w.people["chen"].ID}) // for somebody else
	p := w.item(t, func(p *engine.Project) bool {
		return p.Owner == w.people["zhou"].ID && p.Stage == "advance" && p.UrgedOn.IsZero()
	})
	supervisor, err := w.engine.ActorOf(t.Context(), "zhang", engine.ViaConsole, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Do(t.Context(), supervisor, p.ID, p.Version, engine.Urge{Note: "请抓紧办理"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.notifier.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := 0
	w.hub.Close()
	for lines.Scan() {
		if lines.Text() == "event: told" {
			told++
		}
	}
	if told != 1 || lines.Err() != nil {
		t.Errorf("%d signals, want 1 (%v)", told, lines.Err())
	}
	if a := w.ask(t, "", "/events", nil); a.Code != http.StatusSeeOther {
		t.Errorf("a stream without a session answers %d", a.Code)
	}
}

// A site words its messages anew, sees how they would read, and gets the product's words back.
func TestWordings(t *testing.T) {
	w := ownWorld(t)
	form := url.Values{"lang": {"zh-CN"}, "key": {"notify.say.subject"}, "text": {"〔{kind}〕{title} {number}"}, "do": {"save"}}
	a := w.ask(t, "zhao", "/wordings", form)
	if a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "{number}") {
		t.Errorf("a placeholder that does not exist answers %d", a.Code)
	}
	form.Set("text", "〔{kind}〕请看：{title}")
	form.Set("do", "preview")
	if a = w.ask(t, "zhao", "/wordings", form); a.Code != http.StatusOK || !strings.Contains(a.body, "〔催办〕请看：") {
		t.Errorf("the preview answers %d", a.Code)
	}
	checkPage(t, "/wordings", a)
	if list, err := w.db.Wordings(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("the preview was stored: %v %v", list, err)
	}
	form.Set("do", "save")
	if a = w.ask(t, "zhao", "/wordings", form); a.Code != http.StatusSeeOther {
		t.Fatalf("saving answers %d", a.Code)
	}
	if a = w.ask(t, "zhang", "/wordings", form); a.Code != http.StatusForbidden {
		t.Errorf("a supervisor words messages: %d", a.Code)
	}
	p := w.items[0]
	subject := func() string {
		t.Helper()
		s, _, err := w.notifier.Preview(t.Context(), "zh-CN", nil, "urge", p)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := subject(); got != "〔催办〕请看："+p.Title {
		t.Errorf("subject %q", got)
	}
	form.Set("text", "")
	w.ask(t, "zhao", "/wordings", form)
	if got := subject(); got != "【催办】"+p.Title {
		t.Errorf("subject %q after going back", got)
	}
	form.Set("key", "console.save")
	if a = w.ask(t, "zhao", "/wordings", form); a.Code != http.StatusNotFound {
		t.Errorf("a sentence of pages answers %d", a.Code)
	}
}
