package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bihuan/api"
	"bihuan/engine/notify"
	"bihuan/engine/secret"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// tellingHouse is a house that tells people, and may ask receivers on this machine.
func tellingHouse(t *testing.T, db *storage.DB) (*house, *notify.Notifier) {
	t.Helper()
	var n *notify.Notifier
	h := newHouse(t, db, func(o *api.Options) {
		box, err := secret.New(secret.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		o.Engine.Secrets = box
		network, err := notify.NewNetwork("127.0.0.0/8")
		if err != nil {
			t.Fatal(err)
		}
		n = notify.New(notify.Config{Engine: o.Engine, Queue: db, Network: network})
		o.Notifier = n
	})
	return h, n
}

// rowPage is a page of anything that has ids.
type rowPage struct {
	Items []struct {
		ID, State, Answer string
		Kind              struct{ ID, Name string }
		Project           *struct{ ID, Number, Title string }
		ReadAt            *time.Time `json:"read_at"`
		Told              []struct {
			Kind    string
			Project *struct{ ID string }
		}
	}
	Next string
}

func (h *house) page(who, path string) rowPage {
	h.t.Helper()
	var p rowPage
	h.want(200, "", who, "GET", "/api/v1"+path, nil).into(h.t, &p)
	return p
}

// A program reads somebody's inbox, notes receipts, and sets how they want to be told.
func TestNoticesOverHTTP(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, n := tellingHouse(t, db)
		p := h.create()
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "deploy"})
		h.act(&p, "supervisor", "POST /approvals", nil)
		h.act(&p, "supervisor", "POST /urges", map[string]any{"note": "请抓紧办理"})
		if _, err := n.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.want(200, `{"unread":2}`, "owner", "GET", "/api/v1/notices/count", nil)
		list := h.page("owner", "/notices?limit=1")
		if len(list.Items) != 1 || list.Items[0].Kind.ID != "urge" || list.Items[0].Kind.Name != "Urging" || list.Items[0].Project == nil ||
			list.Items[0].Project.ID != p.ID || list.Next == "" {
			t.Fatalf("%+v", list)
		}
		if next := h.page("owner", "/notices?limit=1&cursor="+list.Next); len(next.Items) != 1 || next.Items[0].Kind.ID != "approve" || next.Next != "" {
			t.Errorf("the second page: %+v", next)
		}
		one := list.Items[0].ID
		h.want(200, "", "second", "POST", "/api/v1/notices/receipts", map[string]any{"ids": []string{one}}) // somebody else's: nothing happens
		h.want(200, `{"unread":2}`, "owner", "GET", "/api/v1/notices/count", nil)
		h.want(200, `{"unread":1}`, "owner", "POST", "/api/v1/notices/receipts", map[string]any{"ids": []string{one}})
		if list = h.page("owner", "/notices"); list.Items[0].ReadAt == nil || list.Items[1].ReadAt != nil {
			t.Errorf("receipts: %+v", list)
		}
		if list = h.page("owner", "/notices?unread=true"); len(list.Items) != 1 || list.Items[0].ID == one {
			t.Errorf("unread: %+v", list)
		}
		h.want(200, `{"unread":0}`, "owner", "POST", "/api/v1/notices/receipts", map[string]any{"ids": []string{}})
		h.want(422, "notice.unknown", "owner", "POST", "/api/v1/notices/receipts", map[string]any{"ids": []string{"x"}})
		h.want(422, "cursor", "owner", "GET", "/api/v1/notices?cursor=nonsense", nil)

		settings := map[string]any{"mail": "owner@example.edu.cn", "at_once": true, "quiet_from": "22:00", "quiet_to": "07:00", "language": "en", "no_bulletin": false}
		const path = "/api/v1/me/notify-settings"
		h.want(200, `"mail":""`, "owner", "GET", path, nil)
		h.want(428, "api.if_match_required", "owner", "PUT", path, settings)
		h.want(200, `"at_once":true`, "owner", "PUT", path, settings, "If-Match", `"0"`)
		h.want(409, "record.conflict", "owner", "PUT", path, settings, "If-Match", `"0"`)
		settings["quiet_to"] = "7"
		h.want(422, "settings.quiet", "owner", "PUT", path, settings, "If-Match", `"1"`)
		if a := h.want(200, `"quiet_to":"07:00"`, "owner", "GET", path, nil); a.header.Get("ETag") != `"1"` {
			t.Errorf("ETag %s", a.header.Get("ETag"))
		}
		h.want(200, `"mail":""`, "second", "GET", path, nil)
	})
}

// A program adds a channel, tries it out, reads the log and replays what died; nothing secret comes back.
func TestChannelsOverHTTP(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, n := tellingHouse(t, db)
		var refuse atomic.Bool
		refuse.Store(true)
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if refuse.Load() {
				w.WriteHeader(http.StatusGone)
			}
			_, _ = io.WriteString(w, "thank you")
		}))
		defer receiver.Close()
		body := map[string]any{"kind": "webhook", "name": "数据中台", "unit": "dw", "url": receiver.URL + "/hidden-path", "kinds": []string{"create"}}
		h.want(403, "", "second", "POST", "/api/v1/channels", body)
		var c struct {
			ID, Key, Host string
			Version       int64
		}
		a := h.want(201, `"key":"whsec_`, "admin", "POST", "/api/v1/channels", body)
		a.into(t, &c)
		at := "/api/v1/channels/" + c.ID
		if a.header.Get("Location") != at || strings.Contains(a.body, "hidden-path") {
			t.Errorf("%s at %s", a.body, a.header.Get("Location"))
		}
		for _, path := range []string{at, "/api/v1/channels"} {
			if a := h.want(200, c.ID, "admin", "GET", path, nil); strings.Contains(a.body, "hidden-path") || strings.Contains(a.body, "whsec_") {
				t.Errorf("%s shows what is secret: %s", path, a.body)
			}
		}
		h.want(404, "channel.unknown", "supervisor", "GET", at, nil)
		h.want(200, `"ok":false`, "admin", "POST", at+"/tests", map[string]any{})
		h.want(404, "channel.unknown", "supervisor", "POST", at+"/tests", map[string]any{})
		delete(body, "kind")
		delete(body, "url")
		body["name"] = "中台"
		h.want(409, "record.conflict", "admin", "PUT", at, body, "If-Match", `"9"`)
		h.want(200, `"name":"中台"`, "admin", "PUT", at, body, "If-Match", `"1"`)
		h.want(200, `"key":"whsec_`, "admin", "POST", at+"/rotation", nil, "If-Match", `"2"`)

		p := h.create()
		if _, err := n.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.want(403, "", "supervisor", "GET", "/api/v1/deliveries", nil)
		log := h.page("inspector", "/deliveries?state=dead&channel="+c.ID+"&project="+p.ID+"&from=2026-09-24&to=2026-09-24")
		if len(log.Items) != 1 || !strings.Contains(log.Items[0].Answer, "HTTP 410 thank you") || len(log.Items[0].Told) != 1 ||
			log.Items[0].Told[0].Kind != "create" || log.Items[0].Told[0].Project == nil || log.Items[0].Told[0].Project.ID != p.ID {
			t.Fatalf("%+v", log)
		}
		// An administrator administers; what a project is about is not theirs to read.
		if other := h.page("admin", "/deliveries?to=2026-09-23"); len(other.Items) != 0 {
			t.Errorf("before there were any: %+v", other)
		}
		replay := map[string]any{"ids": []string{log.Items[0].ID}}
		h.want(403, "", "inspector", "POST", "/api/v1/deliveries/replays", replay)
		refuse.Store(false)
		h.want(204, "", "admin", "POST", "/api/v1/deliveries/replays", replay)
		h.want(409, "delivery.not_dead", "admin", "POST", "/api/v1/deliveries/replays", replay)
		if _, err := n.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		if log := h.page("admin", "/deliveries?state=sent"); len(log.Items) != 1 || log.Items[0].Answer != "HTTP 200 thank you" {
			t.Errorf("after the replay: %+v", log)
		}
		h.want(200, `"ok":true,"answer":"HTTP 200 thank you"`, "admin", "POST", at+"/tests", map[string]any{}, "Accept", "application/json")
		entries := h.want(200, "", "inspector", "GET", "/api/v1/audit/entries?limit=200", nil)
		if !strings.Contains(entries.body, "test_channel") || strings.Contains(entries.body, "whsec_") || strings.Contains(entries.body, "hidden-path") || strings.Contains(h.log.String(), "hidden-path") {
			t.Error("the trail or the log shows what is secret")
		}
	})
}
