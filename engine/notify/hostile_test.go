package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/dns/dnsmessage"

	"bihuan/engine"
	"bihuan/engine/notify"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// mailHouse is a house with a mail server, an owner with an address, and an item.
func mailHouse(t *testing.T, title string) (*house, *mailServer, engine.Project) {
	t.Helper()
	h := settle(t, storagetest.Open(t, storage.SQLite), "2026-09-24 10:00")
	server, addr := serveMail(t, h, false)
	h.channel(engine.Mail, "p", engine.ChannelSecret{Addr: addr, User: "loop", Password: "hunter2"})
	p := h.project(title, "2026-11-30")
	h.plan()
	h.choose("owner", engine.NotifySettings{Mail: "owner@example.edu.cn"})
	return h, server, p
}

func (s *mailServer) only(t *testing.T) *mail.Message {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mails) != 1 {
		t.Fatalf("%d mails, want 1", len(s.mails))
	}
	m, err := mail.ReadMessage(strings.NewReader(s.mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Whatever people write into titles, notes and the site's own words stays text: no header, no second recipient.
func TestInjection(t *testing.T) {
	h, server, p := mailHouse(t, "改造照明\r\nBcc: spy@example.com\r\n\r\n<script>alert(1)</script>")
	if err := h.e.SaveWording(t.Context(), h.people["admin"], "zh-CN", "notify.say.subject", "{kind}\r\nX-Evil: 1\r\nReply-To: spy@example.com {title}"); err != nil {
		t.Fatal(err)
	}
	h.do("supervisor", p, engine.Urge{Note: "请抓紧办理\r\n.\r\nMAIL FROM:<spy@example.com>"})
	h.plan()
	h.deliver()
	m := server.only(t)
	for _, name := range []string{"Bcc", "X-Evil", "Reply-To"} {
		if m.Header.Get(name) != "" {
			t.Errorf("a header %s: %s", name, m.Header.Get(name))
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "催办 X-Evil: 1") || strings.ContainsAny(subject, "\r\n") {
		t.Errorf("subject %q (%v)", subject, err)
	}
	if got := server.to[0]; got != "owner@example.edu.cn" || !strings.HasPrefix(m.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("to %s as %s", got, m.Header.Get("Content-Type"))
	}
}

// The newest checkpoint rides on mails to people, and on nothing else; without one, or when it cannot be read, they
// go all the same.
func TestCheckpointLine(t *testing.T) {
	const line = "example.edu.cn/loop\n1284\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.edu.cn/loop Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8="
	for name, tt := range map[string]struct {
		checkpoint func(context.Context) (string, error)
		want       bool
	}{
		"there is one":      {func(context.Context) (string, error) { return line + "\n", nil }, true},
		"there is none":     {func(context.Context) (string, error) { return "", nil }, false},
		"it cannot be read": {func(context.Context) (string, error) { return line, errors.New("no such file") }, false},
		"nobody makes any":  {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, server, p := mailHouse(t, "改造照明")
			var group bytes.Buffer
			x := receive(t, func(_ *http.Request, body []byte) error { group.Write(body); return nil }, says(`{"errcode":0}`))
			h.channel(engine.WeCom, "z", engine.ChannelSecret{URL: x.URL}, "urge")
			h.n.Checkpoint = tt.checkpoint
			h.do("supervisor", p, engine.Urge{Note: "请抓紧办理"})
			h.plan()
			h.deliver()
			body, err := io.ReadAll(server.only(t).Body)
			if err != nil {
				t.Fatal(err)
			}
			text := quoted(t, string(body))
			if strings.Contains(strings.ReplaceAll(text, "\r", ""), line) != tt.want || !strings.Contains(text, p.Number) {
				t.Errorf("the mail: %s", text)
			}
			if group.Len() == 0 || strings.Contains(group.String(), "CsUYapGG") {
				t.Errorf("the group: %s", group.String())
			}
		})
	}
}

// A server that refuses a message after reading it is asked again, or not, as it says; one that takes it and hangs up
// has it, and does not get it twice.
func TestMailServersEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		spit  *smtp.SMTPError
		hang  bool
		state string
		mails int
	}{
		"for ever":       {&smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "spam"}, false, engine.DeliveryDead, 0},
		"for now":        {&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}, false, engine.DeliveryWaiting, 0},
		"it has hung up": {nil, true, engine.DeliverySent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h, server, p := mailHouse(t, "改造照明")
			server.spit, server.hang = tt.spit, tt.hang
			h.do("supervisor", p, engine.Urge{Note: "请抓紧办理"})
			h.plan()
			h.deliver()
			d := h.deliveries()[0]
			if d.State != tt.state || len(server.mails) != tt.mails || tt.spit != nil && !strings.Contains(d.Answer, tt.spit.Message) {
				t.Errorf("%d mails, %+v", len(server.mails), d)
			}
		})
	}
}

// The longest texts that people can write arrive, cut to what the receiver takes, between letters.
func TestGiantTexts(t *testing.T) {
	h, server, p := mailHouse(t, strings.Repeat("照", 100))
	for kind, path := range map[engine.ChannelKind]string{engine.WeCom: "/w", engine.DingTalk: "/d", engine.Feishu: "/f"} {
		x := receive(t, func(_ *http.Request, body []byte) error {
			if !utf8.Valid(body) || len(body) > 20_000 {
				return fmt.Errorf("%d bytes, valid %v", len(body), utf8.Valid(body))
			}
			return nil
		}, says(`{"errcode":0,"code":0}`))
		defer func() {
			if bodies, _, wrong := x.got(); len(bodies) != 1 || wrong != nil {
				t.Errorf("%s: %d messages (%v)", kind, len(bodies), wrong)
			}
		}()
		h.channel(kind, "z", engine.ChannelSecret{URL: x.URL + path}, "urge")
	}
	note := strings.Repeat("抓紧办理", 500)
	for ; ; note = note[:len(note)-len("抓紧办理")] {
		if _, err := h.e.Do(t.Context(), h.people["supervisor"], p.ID, p.Version, engine.Urge{Note: note}); err == nil {
			break
		} else if engine.KindOf(err) != engine.Invalid {
			t.Fatal(err)
		}
	}
	h.plan()
	h.deliver()
	if body, err := io.ReadAll(server.only(t).Body); err != nil || !strings.Contains(quoted(t, string(body)), note) {
		t.Errorf("the mail lacks the note of %d bytes (%v)", len(note), err)
	}
}

// A receiver that dribbles is given up when its time is over. If it has agreed by then, it has agreed; what a robot
// means stands in its body.
func TestDribble(t *testing.T) {
	drip := func(status bool) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the caller has gone
			if status {
				_, _ = io.WriteString(w, "ok")
			}
			for r.Context().Err() == nil {
				if status {
					_, _ = io.WriteString(w, ".")
					_ = http.NewResponseController(w).Flush()
				}
				<-time.After(5 * time.Millisecond)
			}
		}))
	}
	for _, tt := range []struct {
		name   string
		kind   engine.ChannelKind
		status bool
		state  string
	}{
		{"no status, a program", engine.Webhook, false, engine.DeliveryWaiting},
		{"a status, a program", engine.Webhook, true, engine.DeliverySent},
		{"a status, a robot", engine.WeCom, true, engine.DeliveryWaiting},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := settle(t, storagetest.Open(t, storage.SQLite), "2026-09-24 10:00")
			server := drip(tt.status)
			defer server.Close()
			h.channel(tt.kind, "z", engine.ChannelSecret{URL: server.URL})
			h.do("supervisor", h.project("改造照明", "2026-11-30"), engine.Urge{Note: "请抓紧办理"})
			h.plan()
			n := notify.New(notify.Config{Engine: h.e, Queue: h.db, Network: mustNetwork(t), Timeout: 100 * time.Millisecond})
			if _, err := n.Deliver(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := h.deliveries()[0]; d.State != tt.state || d.Attempts != 1 {
				t.Errorf("%+v", d)
			}
		})
	}
}

// A name that led to an address outside and now leads inside is not followed there.
func TestRebinding(t *testing.T) {
	h := settle(t, storagetest.Open(t, storage.SQLite), "2026-09-24 10:00")
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer outside.Close()
	outside.Config.SetKeepAlivesEnabled(false) // so that every message asks for the address anew
	_, port, err := net.SplitHostPort(outside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Skipf("no second address on this machine: %v", err)
	}
	var asked atomic.Int64
	inside := &httptest.Server{Listener: l, Config: &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) })}}
	inside.Start()
	defer inside.Close()

	var address atomic.Value
	address.Store([4]byte{127, 0, 0, 1})
	names := serveNames(t, func() [4]byte { return address.Load().([4]byte) })
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", names)
	}}
	network, err := notify.NewNetwork("127.0.0.1/32")
	if err != nil {
		t.Fatal(err)
	}
	n := notify.New(notify.Config{Engine: h.e, Queue: h.db, Network: network})
	c := h.channel(engine.Webhook, "p", engine.ChannelSecret{URL: "http://hook.example.edu.cn:" + port})
	if answer, err := n.Test(t.Context(), h.people["admin"], c.ID, "", "en"); err != nil || answer != "HTTP 200 ok" {
		t.Fatalf("%q (%v)", answer, err)
	}
	address.Store([4]byte{127, 0, 0, 2})
	_, err = n.Test(t.Context(), h.people["admin"], c.ID, "", "en")
	if err == nil || !strings.Contains(err.Error(), "notify.networks") || asked.Load() != 0 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}

// serveNames is a name server that leads every name to one address.
func serveNames(t *testing.T, address func() [4]byte) string {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:size]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: address()}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// A program whose certificate nobody vouches for gets nothing.
func TestWrongCertificate(t *testing.T) {
	h := settle(t, storagetest.Open(t, storage.SQLite), "2026-09-24 10:00")
	var asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	c := h.channel(engine.Webhook, "p", engine.ChannelSecret{URL: server.URL})
	if _, err := h.n.Test(t.Context(), h.people["admin"], c.ID, "", "en"); err == nil || !strings.Contains(err.Error(), "certificate") || asked.Load() != 0 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
	h.roots.AddCert(server.Certificate())
	if _, err := h.notifier().Test(t.Context(), h.people["admin"], c.ID, "", "en"); err != nil || asked.Load() != 1 {
		t.Errorf("with the right authority: %v, asked %d times", err, asked.Load())
	}
}

// heldUp is a queue whose answer to a claim comes after a pause.
type heldUp struct {
	notify.Queue
	after func()
}

func (q heldUp) Claim(ctx context.Context, c engine.Claim) ([]engine.Delivery, error) {
	list, err := q.Queue.Claim(ctx, c)
	q.after()
	return list, err
}

// A process that was held up for as long as its leases last leaves what it claimed to the others.
func TestHeldUp(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		x := receive(t, nil, says("ok"))
		h.channel(engine.Webhook, "z", engine.ChannelSecret{URL: x.URL}, "create")
		h.project("改造照明", "2026-11-30")
		h.plan()
		slow := notify.New(notify.Config{Engine: h.e, Network: mustNetwork(t),
			Queue: heldUp{db, func() { h.clock.Add((25 * time.Second).Microseconds()) }}})
		if _, err := slow.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		if bodies, _, _ := x.got(); len(bodies) != 0 {
			t.Fatalf("%d messages from a process that was held up", len(bodies))
		}
		h.clock.Add((6 * time.Second).Microseconds())
		if n := h.deliver(); n != 1 {
			t.Errorf("%d attempts by the next", n)
		}
		if d := h.deliveries()[0]; d.State != engine.DeliverySent || d.Attempts != 2 {
			t.Errorf("%+v", d)
		}
	})
}

// A clock that jumps, either way, tells nobody anything twice and loses nothing.
func TestClockJumps(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		x := receive(t, nil, says("ok"))
		h.channel(engine.Webhook, "z", engine.ChannelSecret{URL: x.URL}, "create")
		for _, at := range []string{"2026-09-24 10:00", "2027-03-01 10:00", "2026-09-24 09:00", "2026-09-24 10:01", "2026-09-25 10:00"} {
			h.at(at)
			h.project("改造照明", "2027-11-30")
			for range 2 {
				h.plan()
				h.deliver()
			}
		}
		h.at("2027-03-01 10:01")
		h.plan()
		h.deliver()
		bodies, ids, _ := x.got()
		seen := map[string]bool{}
		for _, id := range ids {
			seen[id] = true
		}
		// What was created before the channel was, by the clock, is history to it.
		if len(bodies) != 4 || len(seen) != 4 {
			t.Errorf("%d messages, %d different, want 4", len(bodies), len(seen))
		}
	})
}

// Words of the site that make no sense go out as they are, and stop nothing.
func TestBrokenWording(t *testing.T) {
	h, server, p := mailHouse(t, "改造照明")
	for key, words := range map[string]string{"notify.say.subject": "{title", "notify.say.line": "}{ {number} {{title}} {", "notify.say.footer": "%s%d {{.}} ${x"} {
		if err := h.e.SaveWording(t.Context(), h.people["admin"], "zh-CN", key, words); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	h.do("supervisor", p, engine.Urge{Note: "请抓紧办理"})
	h.plan()
	h.deliver()
	m := server.only(t)
	body, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if text := quoted(t, string(body)); err != nil || subject != "{title" || !strings.Contains(text, p.Number) || !strings.Contains(text, "%s%d {{.}} ${x") {
		t.Errorf("%q (%v): %s", subject, err, text)
	}
}

// quoted decodes a mail's body.
func quoted(t *testing.T, body string) string {
	t.Helper()
	b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
