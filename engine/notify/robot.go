package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bihuan/engine"
)

// Longest texts that the platforms take, in bytes.
const (
	maxWeCom    = 2048
	maxDingTalk = 15_000
	maxFeishu   = 15_000
)

// robot is a group robot of one of the three platforms. All take plain text, so that nothing that people wrote can
// become a link or a call to everybody; all answer 200 even to a refusal, and say in the body what it was.
type robot struct {
	client *http.Client
	kind   engine.ChannelKind
	url    string
	key    string
}

func (r *robot) Send(ctx context.Context, m Message) (string, error) {
	target, body := r.url, map[string]any{}
	switch r.kind {
	case engine.WeCom:
		body["msgtype"], body["text"] = "text", map[string]string{"content": cut(m.Text, maxWeCom)}
	case engine.DingTalk:
		body["msgtype"], body["text"] = "text", map[string]string{"content": cut(m.Text, maxDingTalk)}
		if r.key != "" {
			u, err := url.Parse(target)
			if err != nil {
				return "", &Refusal{Why: "the address is malformed", Never: true}
			}
			q := u.Query()
			ts := m.At.UnixMilli()
			q.Set("timestamp", strconv.FormatInt(ts, 10))
			q.Set("sign", SignDingTalk(r.key, ts))
			u.RawQuery = q.Encode()
			target = u.String()
		}
	case engine.Feishu:
		// Feishu reads tags such as <at user_id="all"> in plain text.
		body["msg_type"], body["content"] = "text", map[string]string{"text": cut(strings.ReplaceAll(m.Text, "<", "＜"), maxFeishu)}
		if r.key != "" {
			ts := m.At.Unix()
			body["timestamp"], body["sign"] = strconv.FormatInt(ts, 10), SignFeishu(r.key, ts)
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	got, answer, err := post(ctx, r.client, target, http.Header{}, b, m.At)
	if err != nil {
		return answer, err
	}
	return answer, r.accepted(got)
}

// accepted reads the code in an answer. An answer without one is not the platform's.
func (r *robot) accepted(got []byte) error {
	var a struct {
		ErrCode    *int   `json:"errcode"`
		ErrMsg     string `json:"errmsg"`
		Code       *int   `json:"code"`
		StatusCode *int   `json:"StatusCode"` // Feishu's older answers
		Msg        string `json:"msg"`
	}
	if err := json.Unmarshal(got, &a); err != nil {
		return refuse("the answer is not the platform's: %s", shown(got))
	}
	code, why := a.ErrCode, a.ErrMsg
	if r.kind == engine.Feishu {
		if code, why = a.Code, a.Msg; code == nil {
			code = a.StatusCode
		}
	}
	switch {
	case code == nil:
		return refuse("the answer is not the platform's: %s", shown(got))
	case *code == 0:
		return nil
	case tooMany[*code]:
		return &Refusal{Why: strconv.Itoa(*code) + " " + shown([]byte(why)), After: time.Minute}
	}
	return refuse("%d %s", *code, shown([]byte(why)))
}

// tooMany are the platforms' codes for too many messages in a minute; all count by the minute.
var tooMany = map[int]bool{45009: true, 130101: true, 410100: true, 9499: true, 11232: true}

// SignDingTalk signs the moment of a message in milliseconds as 钉钉 asks for; the caller escapes it for the address.
func SignDingTalk(key string, millis int64) string {
	return mac([]byte(key), strconv.FormatInt(millis, 10)+"\n"+key)
}

// SignFeishu signs the moment of a message in seconds as 飞书 asks for: the moment and the key together are the key
// over nothing.
func SignFeishu(key string, seconds int64) string {
	return mac([]byte(strconv.FormatInt(seconds, 10)+"\n"+key), "")
}

// mac is what all signatures here are made of: HMAC with SHA-256, in base64.
func mac(key []byte, parts ...string) string {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write([]byte(p))
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
