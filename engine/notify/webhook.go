package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bihuan/engine"
)

// webhook tells a program, after Standard Webhooks 1.0.
type webhook struct {
	client *http.Client
	url    string
	keys   []string // each signs; more than one while receivers change over
}

func (w *webhook) Send(ctx context.Context, m Message) (string, error) {
	var signatures []string
	for _, key := range w.keys {
		s, err := SignWebhook(key, m.ID, m.At, m.Payload)
		if err != nil {
			return "", &Refusal{Why: "the key is malformed", Never: true}
		}
		signatures = append(signatures, s)
	}
	h := http.Header{}
	h["webhook-id"] = []string{m.ID} // lower case as the specification writes it
	h["webhook-timestamp"] = []string{strconv.FormatInt(m.At.Unix(), 10)}
	h["webhook-signature"] = []string{strings.Join(signatures, " ")}
	_, answer, err := post(ctx, w.client, w.url, h, m.Payload, m.At)
	if errors.Is(err, errUnread) { // the status is the answer; what follows is for the log
		err = nil
	}
	return answer, err
}

// SignWebhook returns the signature of a message as Standard Webhooks 1.0 writes it. The key is in base64, with or
// without "whsec_".
func SignWebhook(key, id string, at time.Time, payload []byte) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil {
		return "", err
	}
	return "v1," + mac(raw, id+"."+strconv.FormatInt(at.Unix(), 10)+".", string(payload)), nil
}

// payload is what a program gets of an entry: its kind, when it happened, and the entry's own bytes, whose hash is in
// the trail.
func payload(row engine.EntryRow) ([]byte, error) {
	return json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}{row.Kind() + "." + row.Action, row.At, row.Bytes})
}
