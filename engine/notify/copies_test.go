package notify_test

import (
	"encoding/json"
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit/merkle"
	"bihuan/engine/notify"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// TestCopies: the inspectors get the newest checkpoint by mail and a program gets it over its webhook, once for each hour in
// which one was signed, however many replicas look and however often; and what a mail or a message holds is the checkpoint.
func TestCopies(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		signing := filepath.Join(t.TempDir(), "signing")
		sign := func(at string) string {
			t.Helper()
			note, err := storagetest.Sign(t.Context(), db, signing, civil(at), func(key string) error {
				return h.e.Note(t.Context(), engine.Operator(), engine.ActionCheckpointKey, map[string]any{"key": key})
			})
			if err != nil || note == nil {
				t.Fatalf("%q, %v", note, err)
			}
			return string(note)
		}
		h.person("inspector", "p", engine.Inspector)
		h.person("below", "z", engine.Inspector)
		h.person("asleep", "z", engine.Inspector)
		h.person("unreachable", "z", engine.Inspector)
		server, addr := serveMail(t, h, false)
		x := receive(t, func(*http.Request, []byte) error { return nil }, says("ok"))
		hourly := engine.ChannelSettings{From: "闭环 <loop@example.edu.cn>", Hourly: true}
		// A nearer channel that sends other things keeps nobody from the copies.
		plain := engine.Channel{Kind: engine.Mail, Name: "本单位", UnitID: h.units["z"].ID, Settings: engine.ChannelSettings{From: hourly.From}}
		if _, _, err := h.e.SaveChannel(t.Context(), h.people["admin"], plain, engine.ChannelSecret{Addr: addr, User: "loop", Password: "hunter2"}, false); err != nil {
			t.Fatal(err)
		}
		for kind, s := range map[engine.ChannelKind]engine.ChannelSecret{engine.Mail: {Addr: addr, User: "loop", Password: "hunter2"}, engine.Webhook: {URL: x.URL + "/copies"}} {
			c := engine.Channel{Kind: kind, Name: "留存", UnitID: h.units["p"].ID, Settings: hourly}
			if kind == engine.Webhook {
				c.Settings.Kinds = []string{"restore"} // no entries of these tests
			}
			if _, _, err := h.e.SaveChannel(t.Context(), h.people["admin"], c, s, false); err != nil {
				t.Fatal(err)
			}
		}
		for login, s := range map[string]engine.NotifySettings{"inspector": {Mail: "jw@example.edu.cn"}, "below": {Mail: "dc@example.edu.cn", Language: "en"}, "owner": {Mail: "owner@example.edu.cn"},
			"asleep": {Mail: "asleep@example.edu.cn", QuietFrom: "09:00", QuietTo: "12:30"}} {
			h.choose(login, s)
		}
		replicas := []*notify.Notifier{h.n, h.notifier(), h.notifier()}
		// copies lets every replica look, twice, and says to whom something went.
		copies := func(at string) []string {
			t.Helper()
			h.at(at)
			server.mu.Lock()
			before := len(server.to)
			server.mu.Unlock()
			bodies, _, _ := x.got()
			programs := len(bodies)
			var wg sync.WaitGroup
			for _, n := range replicas {
				wg.Go(func() {
					for range 2 {
						if _, err := n.Copies(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			h.deliver()
			server.mu.Lock()
			defer server.mu.Unlock()
			to := slices.Clone(server.to[before:])
			bodies, _, _ = x.got()
			for range bodies[programs:] {
				to = append(to, "program")
			}
			slices.Sort(to)
			return to
		}
		everybody := []string{"dc@example.edu.cn", "jw@example.edu.cn", "program"}
		first := sign("2026-09-24 10:10")
		if got := copies("2026-09-24 10:59"); len(got) != 0 {
			t.Errorf("before the hour is over copies went to %v", got)
		}
		if got := copies("2026-09-24 11:00"); !slices.Equal(got, everybody) {
			t.Errorf("after the hour copies went to %v", got)
		}
		if got := copies("2026-09-24 11:40"); len(got) != 0 {
			t.Errorf("the same once more went to %v", got)
		}
		if got := copies("2026-09-24 12:05"); len(got) != 0 {
			t.Errorf("without a new checkpoint something went to %v", got)
		}
		if got := copies("2026-09-24 12:31"); !slices.Equal(got, []string{"asleep@example.edu.cn"}) {
			t.Errorf("after the quiet hours copies went to %v", got)
		}
		keys, err := merkle.ReadKeys(signing)
		if err != nil {
			t.Fatal(err)
		}
		kept := func(what, text, want string) {
			t.Helper()
			notes, _ := merkle.Cut([]byte(text))
			if len(notes) != 1 || string(notes[0]) != want {
				t.Errorf("%s holds %q:\n%s", what, notes, text)
				return
			}
			if _, err := merkle.Parse(notes[0], keys); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		for i, raw := range server.mails {
			m, err := mail.ReadMessage(strings.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
			if err != nil || m.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
				t.Fatalf("%v %v", m.Header, err)
			}
			kept(server.to[i], string(body), first)
		}
		bodies, _, _ := x.got()
		var message struct {
			Type string
			Data struct{ Checkpoint string }
		}
		if err := json.Unmarshal([]byte(bodies[0]), &message); err != nil || message.Type != "checkpoint" || message.Data.Checkpoint != first {
			t.Errorf("the program got %s, %v", bodies[0], err)
		}

		// Two hours with checkpoints while nothing ran: one copy, with the newest there is.
		for _, at := range []string{"2026-09-24 13:10", "2026-09-24 14:10", "2026-09-24 15:10"} {
			h.at(at).project("改造照明 "+at, "2026-11-30")
			sign(at)
		}
		if got := copies("2026-09-24 15:20"); !slices.Equal(got, append([]string{"asleep@example.edu.cn"}, everybody...)) {
			t.Errorf("after a pause copies went to %v", got)
		}
		// The demand to send is the administrator's, and stands in the trail.
		trail, err := h.e.Trail(t.Context(), engine.Operator(), engine.EntryFilter{Actions: []string{"add_channel"}})
		if err != nil || !strings.Contains(string(trail.Items[0].Data), `"hourly":true`) {
			t.Errorf("the entry says %s, %v", trail.Items[0].Data, err)
		}
		for _, d := range h.deliveries() {
			told, err := h.e.Told(t.Context(), engine.Operator(), &d)
			if err != nil || len(told) != 1 || told[0].Kind != "checkpoint" {
				t.Errorf("the log says that a delivery told %+v, %v", told, err)
			}
		}
	})
}
