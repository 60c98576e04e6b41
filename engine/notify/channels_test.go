package notify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"bihuan/engine"
	"bihuan/engine/notify"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// receiver is a stand-in that records what it gets.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	ids    []string
	check  func(r *http.Request, body []byte) error
	answer func(w http.ResponseWriter)
	wrong  error
}

func receive(t *testing.T, check func(r *http.Request, body []byte) error, answer func(w http.ResponseWriter)) *receiver {
	t.Helper()
	x := &receiver{check: check, answer: answer}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		x.mu.Lock()
		defer x.mu.Unlock()
		if err == nil && x.check != nil {
			err = x.check(r, body)
		}
		if err != nil {
			x.wrong = err
		}
		x.bodies, x.ids = append(x.bodies, string(body)), append(x.ids, r.Header.Get("Webhook-Id"))
		x.answer(w)
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *receiver) got() ([]string, []string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]string(nil), x.bodies...), append([]string(nil), x.ids...), x.wrong
}

func says(s string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = io.WriteString(w, s) }
}

func sum(key, text string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// Robots get one signed message about what their unit is urged to, in text that cannot call anybody, and their codes
// are understood.
func TestRobots(t *testing.T) {
	content := func(member, field string) func(string) string {
		return func(body string) string {
			var x map[string]json.RawMessage
			var y map[string]string
			if json.Unmarshal([]byte(body), &x) != nil || json.Unmarshal(x[member], &y) != nil {
				return ""
			}
			return y[field]
		}
	}
	for _, tt := range []struct {
		kind      engine.ChannelKind
		path, ok  string
		no        string
		text      func(string) string
		signature func(r *http.Request, body []byte) error
	}{
		{engine.WeCom, "/cgi-bin/webhook/send?key=693a91f6", `{"errcode":0,"errmsg":"ok"}`, `{"errcode":93000,"errmsg":"invalid webhook url"}`, content("text", "content"),
			func(r *http.Request, _ []byte) error {
				if r.URL.Query().Get("key") != "693a91f6" {
					return errors.New("no key")
				}
				return nil
			}},
		{engine.DingTalk, "/robot/send?access_token=XX", `{"errcode":0,"errmsg":"ok"}`, `{"errcode":310000,"errmsg":"sign not match"}`, content("text", "content"),
			func(r *http.Request, _ []byte) error {
				q := r.URL.Query()
				if want := sum("SEC1", q.Get("timestamp")+"\nSEC1"); q.Get("access_token") != "XX" || q.Get("sign") != want || len(q.Get("timestamp")) != 13 {
					return fmt.Errorf("%v, want %s", q, want)
				}
				return nil
			}},
		{engine.Feishu, "/open-apis/bot/v2/hook/XX", `{"code":0,"msg":"success","data":{}}`, `{"code":19021,"msg":"sign match fail"}`, content("content", "text"),
			func(_ *http.Request, body []byte) error {
				var x struct{ Timestamp, Sign string }
				if err := json.Unmarshal(body, &x); err != nil {
					return err
				}
				if want := sum(x.Timestamp+"\nSEC1", ""); x.Sign != want || len(x.Timestamp) != 10 {
					return fmt.Errorf("sign %s of %s, want %s", x.Sign, x.Timestamp, want)
				}
				return nil
			}},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			h := settle(t, storagetest.Open(t, storage.SQLite), "2026-09-24 10:00")
			x := receive(t, tt.signature, says(tt.ok))
			h.channel(tt.kind, "z", engine.ChannelSecret{URL: x.URL + tt.path, Key: "SEC1"}, "urge")
			p := h.project(`改造照明<at user_id="all">`, "2026-11-30")
			h.do("supervisor", p, engine.Urge{Note: "请抓紧办理"})
			h.plan()
			if n := h.deliver(); n != 1 {
				t.Fatalf("%d attempts, want 1", n)
			}
			bodies, _, wrong := x.got()
			if wrong != nil {
				t.Fatal(wrong)
			}
			text := tt.text(bodies[0])
			for _, want := range []string{"催办", p.Number, "改造照明", "请抓紧办理", "https://loop.example.edu.cn/projects/" + string(p.ID)} {
				if !strings.Contains(text, want) {
					t.Errorf("the message lacks %q:\n%s", want, text)
				}
			}
			if tt.kind == engine.Feishu && strings.Contains(text, "<at") {
				t.Errorf("a title calls everybody: %s", text)
			}
			d := h.deliveries()[0]
			if d.State != engine.DeliverySent || !strings.Contains(d.Answer, "200") || d.FinishedAt == nil {
				t.Errorf("log: %+v", d)
			}
			x.mu.Lock()
			x.answer = says(tt.no)
			x.mu.Unlock()
			h.at("2026-09-28 10:00").do("supervisor", h.reload(p), engine.Urge{Note: "再催一次"})
			h.plan()
			h.deliver()
			if d := h.deliveries()[1]; d.State != engine.DeliveryWaiting || !strings.Contains(tt.no, strings.Fields(d.Answer)[0]) || !d.NextAt.After(h.now()) {
				t.Errorf("a refusal in a 200: %+v", d)
			}
		})
	}
}

func (h *house) reload(p engine.Project) engine.Project {
	h.t.Helper()
	p, err := h.db.Project(h.t.Context(), p.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// Every entry under the unit reaches the program once, signed so that the official library accepts it, with both keys
// while they change; nothing from elsewhere does.
func TestWebhook(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, time.Now().In(shanghai).Format("2006-01-02 15:04"))
		var keys []string
		x := receive(t, func(r *http.Request, body []byte) error {
			for _, key := range keys {
				wh, err := standardwebhooks.NewWebhook(key)
				if err != nil {
					return err
				}
				if err := wh.Verify(body, r.Header); err != nil {
					return err
				}
			}
			return nil
		}, says("ok"))
		c, s, err := h.e.SaveChannel(t.Context(), h.people["admin"], engine.Channel{Kind: engine.Webhook, Name: "数据中台", UnitID: h.units["z"].ID,
			Settings: engine.ChannelSettings{Kinds: []string{"create", "submit", "approve"}}}, engine.ChannelSecret{URL: x.URL + "/hook"}, false)
		if err != nil {
			t.Fatal(err)
		}
		keys = []string{s.Key}
		deadline := h.now().In(shanghai).AddDate(0, 3, 0).Format("2006-01-02")
		p := h.project("改造照明", deadline)
		for range 2 { // planning again tells nothing again
			h.plan()
			h.deliver()
		}
		bodies, ids, wrong := x.got()
		if wrong != nil || len(bodies) != 3 {
			t.Fatalf("%d messages, want 3: %v", len(bodies), wrong)
		}
		var first struct {
			Type string
			Data struct{ Action, Subject string }
		}
		if err := json.Unmarshal([]byte(bodies[0]), &first); err != nil || first.Type != "project.create" || first.Data.Subject != "project/"+string(p.ID) {
			t.Errorf("%v %+v", err, first)
		}
		if ids[0] == ids[1] || ids[0] == "" {
			t.Errorf("ids %v", ids)
		}
		c, s2, err := h.e.SaveChannel(t.Context(), h.people["admin"], c, engine.ChannelSecret{}, true)
		if err != nil || s2.Key == s.Key || s2.OldKey != s.Key || s2.URL != s.URL {
			t.Fatalf("rotation: %+v (%v)", s2, err)
		}
		keys = []string{s2.Key, s.Key}
		h.project("改造二楼照明", deadline)
		h.plan()
		h.deliver()
		if bodies, _, wrong = x.got(); wrong != nil || len(bodies) != 6 {
			t.Errorf("%d messages after the rotation, want 6: %v", len(bodies), wrong)
		}
		var sealed []byte
		if err := db.SQL().QueryRowContext(t.Context(), "SELECT sealed FROM channels").Scan(&sealed); err != nil || strings.Contains(string(sealed), "whsec_") || strings.Contains(string(sealed), "hook") {
			t.Errorf("the database shows the secret (%v)", err)
		}
		c.Disabled = true
		if _, _, err = h.e.SaveChannel(t.Context(), h.people["admin"], c, engine.ChannelSecret{}, false); err != nil {
			t.Fatal(err)
		}
		h.project("改造三楼照明", deadline)
		h.plan()
		if n := h.deliver(); n != 0 {
			t.Errorf("%d attempts over a channel that is switched off", n)
		}
	})
}

// Addresses inside are not asked, by whatever name they go; redirects are not followed; answers are not read to the end.
func TestGuard(t *testing.T) {
	open, err := notify.NewNetwork("10.1.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"127.0.0.1": false, "::1": false, "10.0.0.1": false, "10.1.2.3": true, "192.168.1.1": false, "172.16.0.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "::ffff:127.0.0.1": false, "::ffff:10.1.2.3": true, "fe80::1": false, "fc00::1": false, "64:ff9b::7f00:1": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "2002:7f00:1::": false, "1.1.1.1": true, "2606:4700::1111": true, "202.112.0.1": true,
	} {
		if got := open.Allows(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	if _, err := notify.NewNetwork("10.0.0.1"); err == nil {
		t.Error("an address without a length is no network")
	}

	h := settle(t, storagetest.Open(t, storage.SQLite), "2026-09-24 10:00")
	asked := 0
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer inside.Close()
	closed, err := notify.NewNetwork("")
	if err != nil {
		t.Fatal(err)
	}
	guarded := notify.New(notify.Config{Engine: h.e, Queue: h.db, Network: closed})
	for _, target := range []string{inside.URL, strings.Replace(inside.URL, "127.0.0.1", "localhost", 1), strings.Replace(inside.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		c := h.channel(engine.Webhook, "p", engine.ChannelSecret{URL: target})
		if _, err := guarded.Test(t.Context(), h.people["admin"], c.ID, "", "en"); engine.KindOf(err) != engine.Blocked || !strings.Contains(err.Error(), "notify.networks") {
			t.Errorf("%s: %v", target, err)
		}
	}
	if asked != 0 {
		t.Errorf("the address inside was asked %d times", asked)
	}
	moved := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	defer moved.Close()
	c := h.channel(engine.Webhook, "p", engine.ChannelSecret{URL: moved.URL + "/secret-path"})
	_, err = h.n.Test(t.Context(), h.people["admin"], c.ID, "", "en")
	if err == nil || !strings.Contains(err.Error(), "307") || asked != 0 {
		t.Errorf("redirect: %v, asked %d", err, asked)
	}
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 64 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	c = h.channel(engine.Webhook, "p", engine.ChannelSecret{URL: endless.URL})
	began := time.Now()
	limited := h.people["admin"]
	limited.Limit = engine.TokenProjects
	if _, err := h.n.Test(t.Context(), limited, c.ID, "", "en"); engine.KindOf(err) != engine.Denied {
		t.Errorf("tried by a token for projects: %v", err)
	}
	answer, err := h.n.Test(t.Context(), h.people["admin"], c.ID, "", "en")
	if err != nil || len(answer) > 600 || time.Since(began) > 5*time.Second {
		t.Errorf("an endless answer: %d bytes (%v)", len(answer), err)
	}
	dead := httptest.NewServer(nil)
	dead.Close()
	c = h.channel(engine.WeCom, "p", engine.ChannelSecret{URL: dead.URL + "/send?key=hunter2"})
	if _, err = h.n.Test(t.Context(), h.people["admin"], c.ID, "", "en"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the key: %v", err)
	}
}

// mailServer is a real SMTP server with TLS and a password.
type mailServer struct {
	mu    sync.Mutex
	mails []string
	to    []string
	fail  *smtp.SMTPError // of every recipient
	spit  *smtp.SMTPError // of every message, after it was read
	hang  bool            // hangs up after taking a message
}

func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{s: s, conn: c.Conn()}, nil
}

type mailSession struct {
	s    *mailServer
	conn net.Conn
	user string
	to   string
}

func (x *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (x *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "loop" || password != "hunter2" {
			return smtp.ErrAuthFailed
		}
		x.user = user
		return nil
	}), nil
}

func (x *mailSession) Mail(string, *smtp.MailOptions) error {
	if x.user == "" {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (x *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.fail != nil {
		return x.s.fail
	}
	x.to = to
	return nil
}

func (x *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if err == nil && x.s.spit != nil {
		return x.s.spit
	}
	x.s.mails, x.s.to = append(x.s.mails, string(b)), append(x.s.to, x.to)
	return err
}

// Reset is called when a message has been answered.
func (x *mailSession) Reset() {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.hang && len(x.s.mails) > 0 {
		_ = x.conn.Close() // that is the point
	}
}

func (*mailSession) Logout() error { return nil }

// serveMail starts the server, with STARTTLS or TLS from the first byte, and makes the house trust it.
func serveMail(t testing.TB, h *house, implicit bool) (*mailServer, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	h.roots.AddCert(cert)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	s := &mailServer{}
	server := smtp.NewServer(s)
	server.TLSConfig, server.Domain = config, "127.0.0.1"
	var l net.Listener
	if implicit {
		l, err = tls.Listen("tcp", "127.0.0.1:0", config)
	} else {
		l, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return s, l.Addr().String()
}

func TestMail(t *testing.T) {
	for _, security := range []string{"starttls", "tls"} {
		t.Run(security, func(t *testing.T) {
			h := settle(t, storagetest.Open(t, storage.SQLite), "2026-09-24 10:00")
			server, addr := serveMail(t, h, security == "tls")
			c := h.channel(engine.Mail, "p", engine.ChannelSecret{Addr: addr, Security: security, User: "loop", Password: "hunter2"})
			h.choose("owner", engine.NotifySettings{Mail: "owner@example.edu.cn"})
			p := h.project("改造照明\u2028", "2026-11-30")
			h.do("supervisor", p, engine.Urge{Note: "请抓紧办理"})
			h.plan()
			h.deliver()
			if len(server.mails) != 1 || server.to[0] != "owner@example.edu.cn" {
				t.Fatalf("%d mails to %v; %+v", len(server.mails), server.to, h.deliveries())
			}
			m, err := mail.ReadMessage(strings.NewReader(server.mails[0]))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			// The project's start and the urging come together, because the first had not gone out yet.
			if err != nil || subject != "【闭环】2 件事请您过目" {
				t.Errorf("subject %q (%v)", subject, err)
			}
			d := h.deliveries()[0]
			if want := "<" + d.ID + "@example.edu.cn>"; m.Header.Get("Message-Id") != want || m.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("Message-Id %s, want %s", m.Header.Get("Message-Id"), want)
			}
			if d.State != engine.DeliverySent || !strings.HasPrefix(d.Answer, "250") {
				t.Errorf("log: %+v", d)
			}
			answer, err := h.n.Test(t.Context(), h.people["admin"], c.ID, "admin@example.edu.cn", "zh-CN")
			if err != nil || !strings.HasPrefix(answer, "250") || len(server.mails) != 2 {
				t.Errorf("test: %q (%v)", answer, err)
			}
			for _, bad := range []string{"a@b.cn\r\nBcc: c@d.cn", "not an address", ""} {
				if _, err := h.n.Test(t.Context(), h.people["admin"], c.ID, bad, "en"); err == nil {
					t.Errorf("a mail went to %q", bad)
				}
			}
			server.mu.Lock()
			server.fail = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
			server.mu.Unlock()
			h.at("2026-09-28 10:00").do("supervisor", h.reload(p), engine.Urge{Note: "再催一次"})
			h.plan()
			h.deliver()
			if d := h.deliveries()[1]; d.State != engine.DeliveryDead || !strings.Contains(d.Answer, "no such user") {
				t.Errorf("an address that does not exist: %+v", d)
			}
			c2 := h.channel(engine.Mail, "p", engine.ChannelSecret{Addr: addr, Security: security, User: "loop", Password: "wrong-secret"})
			if _, err := h.n.Test(t.Context(), h.people["admin"], c2.ID, "a@example.edu.cn", "en"); err == nil || strings.Contains(err.Error(), "wrong-secret") {
				t.Errorf("a wrong password: %v", err)
			}
			stranger := notify.New(notify.Config{Engine: h.e, Queue: h.db, Network: mustNetwork(t)})
			if _, err := stranger.Test(t.Context(), h.people["admin"], c.ID, "a@example.edu.cn", "en"); err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("a server that nobody vouches for: %v", err)
			}
		})
	}
}

func mustNetwork(t *testing.T) notify.Network {
	t.Helper()
	n, err := notify.NewNetwork("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	return n
}
