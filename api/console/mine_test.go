package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"bihuan/api/auth"
	"bihuan/engine"
)

var (
	tokenPattern   = regexp.MustCompile(`value="(bh_[A-Za-z0-9_-]{43})"`)
	sittingPattern = regexp.MustCompile(`name="id" value="([A-Za-z0-9_-]{43})"`)
)

// People see and end their sessions, and make, use and revoke their tokens.
func TestMyAccountPage(t *testing.T) {
	w := realWorld(t, auth.Config{})
	mine, other := w.enter(t, "zhang"), w.enter(t, "zhang")
	page := w.ask(t, mine, "/account", nil)
	says(t, page, http.StatusOK, "当前设备", "未知设备", "没有启用动态口令", "退出其他所有设备")
	id := sittingPattern.FindStringSubmatch(page.body)
	if id == nil {
		t.Fatal("the other session cannot be ended")
	}
	leads(t, w.ask(t, mine, "/account/sessions/end", url.Values{"id": {id[1]}}), "/account?done=session_ended")
	leads(t, w.ask(t, other, "/account", nil), "/sign-in?next=%2Faccount")
	third := w.enter(t, "zhang")
	leads(t, w.ask(t, mine, "/account/sessions/end", url.Values{"others": {"yes"}}), "/account?done=sessions_ended")
	leads(t, w.ask(t, third, "/account", nil), "/sign-in?next=%2Faccount")
	if page = w.ask(t, mine, "/account?done=sessions_ended", nil); strings.Contains(page.body, "退出其他所有设备") {
		t.Error("there are still other sessions")
	}

	for name, form := range map[string]url.Values{
		"no name": {"scope": {"read"}, "life": {"30"}}, "no scope": {"name": {"x"}, "life": {"30"}}, "an invented scope": {"name": {"x"}, "scope": {"god"}, "life": {"30"}},
		"no end": {"name": {"x"}, "scope": {"read"}}, "for ever": {"name": {"x"}, "scope": {"read"}, "life": {"9999999999"}}, "past": {"name": {"x"}, "scope": {"read"}, "life": {"-1"}},
	} {
		a := w.ask(t, mine, "/account/tokens", form)
		if says(t, a, http.StatusUnprocessableEntity, `class="errsum"`); tokenPattern.MatchString(a.body) {
			t.Errorf("%s: a token was made", name)
		}
	}
	made := w.ask(t, mine, "/account/tokens", url.Values{"name": {"数据中台"}, "scope": {"read"}, "life": {"30"}})
	says(t, made, http.StatusOK, "只显示这一次", "从未使用")
	token := tokenPattern.FindStringSubmatch(made.body)
	if token == nil {
		t.Fatal("no token is shown")
	}
	a, u, err := w.engine.Bearer(t.Context(), token[1], engine.ViaAPI, "r")
	if err != nil || u.Login != "zhang" || a.Limit != engine.TokenRead {
		t.Errorf("the token is %+v of %q (%v)", a, u.Login, err)
	}
	page = w.ask(t, mine, "/account", nil)
	says(t, page, http.StatusOK, "数据中台", "只读", "有效")
	if strings.Contains(page.body, token[1]) || strings.Contains(page.body, "从未使用") {
		t.Error("the token is shown again, or its use is not")
	}
	tokens, err := w.engine.Tokens(t.Context(), engine.Actor{ID: u.ID})
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%d tokens (%v)", len(tokens), err)
	}
	tid := url.Values{"id": {string(tokens[0].ID)}}
	if a := w.ask(t, w.enter(t, "li"), "/account/tokens/revoke", tid); a.Code != http.StatusNotFound {
		t.Errorf("somebody else's token: %d", a.Code)
	}
	leads(t, w.ask(t, mine, "/account/tokens/revoke", tid), "/account?done=token_revoked")
	leads(t, w.ask(t, mine, "/account/tokens/revoke", tid), "/account?done=token_revoked")
	if _, _, err := w.engine.Bearer(t.Context(), token[1], engine.ViaAPI, "r"); engine.KindOf(err) != engine.Denied {
		t.Errorf("a revoked token: %v", err)
	}
	says(t, w.ask(t, mine, "/account", nil), http.StatusOK, "已作废")

	*w.now = w.now.Add(10 * time.Minute)
	leads(t, w.ask(t, mine, "/account/tokens", url.Values{"name": {"x"}, "scope": {"read"}, "life": {"30"}}), "/prove?next=%2Faccount")
}

func TestDevices(t *testing.T) {
	v := &visit{lang: "en"}
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":       "Edge · Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50": "微信 · iPhone",
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                        "Chrome · Android",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                              "Firefox · Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":               "Safari · macOS",
		"": "unknown device", "curl/8.0": "unknown device",
	} {
		if got := v.device(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}
