package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/pquerna/otp/totp"

	"bihuan/api/auth"
	"bihuan/api/request"
	"bihuan/engine"
)

// secretWord is everybody's password where the door is the real one.
const secretWord = "图书馆 照明 Lampe 7"

// realWorld is a world of the test's own behind the real door; a person is named by the cookie of a session.
func realWorld(t *testing.T, c auth.Config, more ...func(*Options)) *world {
	t.Helper()
	w := ownWorld(t)
	c.Engine, c.Store = w.engine, w.db
	real, err := auth.New(c)
	if err != nil {
		t.Fatal(err)
	}
	o := w.console.Options
	o.Door, o.Seats = real, nil
	for _, f := range more {
		f(&o)
	}
	if w.console, err = New(o); err != nil {
		t.Fatal(err)
	}
	w.router = gin.New()
	w.router.Use(func(g *gin.Context) {
		info := &request.Info{ID: "test", Lang: "zh-CN", Log: w.console.Log}
		g.Request = g.Request.WithContext(request.With(g.Request.Context(), info))
	})
	w.console.Register(w.router)
	phc, err := auth.Hash(t.Context(), secretWord)
	if err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"zhang", "li", "zhao"} {
		if _, err := w.engine.SetPassword(t.Context(), engine.Operator(), login, phc, false); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// given is the session that an answer sets, "" for none.
func given(a answer) string {
	for _, c := range a.Result().Cookies() {
		if c.Name == session {
			return c.Value
		}
	}
	return ""
}

// enter signs somebody in with the password and returns the cookie.
func (w *world) enter(t *testing.T, login string) string {
	t.Helper()
	a := w.ask(t, "", "/sign-in", url.Values{"login": {login}, "password": {secretWord}, "next": {"/ledger"}})
	if a.Code != http.StatusSeeOther || a.Header().Get("Location") != "/ledger" || given(a) == "" {
		t.Fatalf("%s: %d to %q", login, a.Code, a.Header().Get("Location"))
	}
	return given(a)
}

// leads wants an answer that sends the reader on.
func leads(t *testing.T, a answer, to string) {
	t.Helper()
	if a.Code != http.StatusSeeOther || a.Header().Get("Location") != to {
		t.Errorf("%d to %q, want %q", a.Code, a.Header().Get("Location"), to)
	}
}

// says wants a page with a status and all the words.
func says(t *testing.T, a answer, status int, words ...string) {
	t.Helper()
	if a.Code != status {
		t.Errorf("status %d, want %d", a.Code, status)
	}
	for _, word := range words {
		if !strings.Contains(a.body, word) {
			t.Errorf("the page does not say %q", word)
		}
	}
	checkPage(t, "page", a)
}

var (
	offerPattern = regexp.MustCompile(`name="offer" value="([^"]+)"`)
	seedPattern  = regexp.MustCompile(`<code class="mono">([A-Z2-7 ]+)</code>`)
	codePattern  = regexp.MustCompile(`[a-z2-7]{4}(?:-[a-z2-7]{4}){3}`)
)

// offered returns the seed and the sealed offer on a page.
func offered(t *testing.T, a answer) (seed, offer string) {
	t.Helper()
	o, s := offerPattern.FindStringSubmatch(a.body), seedPattern.FindStringSubmatch(a.body)
	if o == nil || s == nil {
		t.Fatal("there is no offer on the page")
	}
	return strings.ReplaceAll(s[1], " ", ""), o[1]
}

func (w *world) code(t *testing.T, seed string) string {
	t.Helper()
	code, err := totp.GenerateCode(seed, w.now.UTC())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// One-time codes from the QR code to the sign-in with them, a recovery code, and their removal.
func TestOneTimeCodePages(t *testing.T) {
	w := realWorld(t, auth.Config{})
	zhang := w.enter(t, "zhang")

	page := w.ask(t, zhang, codesPath, nil)
	says(t, page, http.StatusOK, `class="qr`, "<path d=\"M", "验证器")
	seed, offer := offered(t, page)
	wrong := w.ask(t, zhang, codesPath, url.Values{"offer": {offer}, "code": {"000000"}})
	says(t, wrong, http.StatusUnprocessableEntity, "动态口令不正确")
	if again, _ := offered(t, wrong); again != seed {
		t.Error("after a mistake another seed is offered")
	}
	says(t, w.ask(t, zhang, codesPath, url.Values{"offer": {"AAAA"}, "code": {w.code(t, seed)}}), http.StatusUnprocessableEntity, "已过期")
	done := w.ask(t, zhang, codesPath, url.Values{"offer": {offer}, "code": {w.code(t, seed)}})
	says(t, done, http.StatusOK, "只显示这一次")
	recovery := codePattern.FindAllString(done.body, -1)
	if len(recovery) != 10 {
		t.Fatalf("%d recovery codes", len(recovery))
	}
	leads(t, w.ask(t, zhang, "/ledger", nil), "/sign-in?next=%2Fledger")
	zhang = given(done)
	says(t, w.ask(t, zhang, codesPath, nil), http.StatusOK, "还剩 10 个恢复码")
	*w.now = w.now.Add(30 * time.Second)

	half := w.enter(t, "zhang")
	leads(t, w.ask(t, half, "/ledger?q=a", nil), "/sign-in/code?next=%2Fledger%3Fq%3Da")
	leads(t, w.ask(t, half, codesPath, nil), "/sign-in/code?next=%2Faccount%2Ftotp")
	leads(t, w.ask(t, half, "/password", nil), "/sign-in/code?next=%2Fpassword")
	leads(t, w.ask(t, half, "/prove", nil), "/sign-in/code?next=%2Fprove")
	says(t, w.ask(t, half, "/sign-in/code?next=//evil.example", nil), http.StatusOK, `autocomplete="one-time-code"`, `name="next" value="/"`, "zhang")
	says(t, w.ask(t, half, "/sign-in/code", url.Values{"code": {"123"}, "next": {"/ledger"}}), http.StatusUnprocessableEntity, "动态口令不正确", `name="next" value="/ledger"`)
	in := w.ask(t, half, "/sign-in/code", url.Values{"code": {w.code(t, seed)}, "next": {"/ledger"}})
	leads(t, in, "/ledger")
	if a := w.ask(t, given(in), "/ledger", nil); a.Code != http.StatusOK {
		t.Errorf("after the second step: %d", a.Code)
	}
	leads(t, w.ask(t, given(in), "/sign-in/code?next=/todo", nil), "/todo")
	leads(t, w.ask(t, "", "/sign-in/code", nil), "/sign-in")
	leads(t, w.ask(t, half, "/sign-in/code", url.Values{"code": {recovery[0]}}), "/sign-in") // the session is over
	lost := w.ask(t, w.enter(t, "zhang"), "/sign-in/code", url.Values{"code": {recovery[0]}})
	leads(t, lost, "/")

	*w.now = w.now.Add(10 * time.Minute)
	zhang = given(lost)
	leads(t, w.ask(t, zhang, codesPath, nil), "/prove?next=%2Faccount%2Ftotp")
	leads(t, w.ask(t, zhang, codesPath+"?again=yes", nil), "/prove?next=%2Faccount%2Ftotp%3Fagain%3Dyes")
	leads(t, w.ask(t, zhang, codesPath+"/remove", url.Values{}), "/prove?next=%2Faccount%2Ftotp")
	leads(t, w.ask(t, zhang, codesPath+"/codes", url.Values{}), "/prove?next=%2Faccount%2Ftotp")
	says(t, w.ask(t, zhang, "/prove?next=/account/totp", nil), http.StatusOK, `name="proof"`, `autocomplete="one-time-code"`)
	says(t, w.ask(t, zhang, "/prove", url.Values{"proof": {"000000"}, "next": {codesPath}}), http.StatusUnprocessableEntity, "动态口令不正确")
	leads(t, w.ask(t, zhang, "/prove", url.Values{"proof": {w.code(t, seed)}, "next": {codesPath}}), codesPath)
	renewed := w.ask(t, zhang, codesPath+"/codes", url.Values{})
	says(t, renewed, http.StatusOK, "只显示这一次")
	zhang = given(renewed)
	removed := w.ask(t, zhang, codesPath+"/remove", url.Values{})
	leads(t, removed, "/overview?done=totp_removed")
	says(t, w.ask(t, given(removed), "/overview?done=totp_removed", nil), http.StatusOK, "动态口令已停用")
	if a := w.ask(t, w.enter(t, "zhang"), "/ledger", nil); a.Code != http.StatusOK {
		t.Errorf("the password alone afterwards: %d", a.Code)
	}
}

// Somebody whose role needs codes gets to no other page before they are set up.
func TestCodesComeFirst(t *testing.T) {
	w := realWorld(t, auth.Config{SecondFactor: []engine.Role{engine.Leader}})
	li := w.enter(t, "li")
	for _, path := range []string{"/", "/ledger", "/todo", "/events"} {
		leads(t, w.ask(t, li, path, nil), codesPath)
	}
	page := w.ask(t, li, codesPath, nil)
	says(t, page, http.StatusOK, "您的角色要求使用动态口令")
	if strings.Contains(page.body, `class="side"`) {
		t.Error("the way around is shown to somebody who must not go it")
	}
	seed, offer := offered(t, page)
	*w.now = w.now.Add(10 * time.Minute)
	leads(t, w.ask(t, li, codesPath, url.Values{"offer": {offer}, "code": {w.code(t, seed)}}), "/prove?next=%2Faccount%2Ftotp")
	says(t, w.ask(t, li, "/prove?next=/account/totp", nil), http.StatusOK, `autocomplete="current-password"`)
	says(t, w.ask(t, li, "/prove", url.Values{"proof": {"guess"}}), http.StatusUnprocessableEntity, "现在的密码不正确")
	leads(t, w.ask(t, li, "/prove", url.Values{"proof": {secretWord}, "next": {codesPath}}), codesPath)
	done := w.ask(t, li, codesPath, url.Values{"offer": {offer}, "code": {w.code(t, seed)}})
	says(t, done, http.StatusOK, "恢复码")
	if a := w.ask(t, given(done), "/ledger", nil); a.Code != http.StatusOK {
		t.Errorf("afterwards: %d", a.Code)
	}
	if a := w.ask(t, w.enter(t, "zhang"), "/ledger", nil); a.Code != http.StatusOK {
		t.Errorf("somebody without the role: %d", a.Code)
	}
}
