package audit

import (
	"encoding/json"
	"strings"
	"time"
)

// ActionErase is the action of the entries that tell that somebody's personal data were erased. What the trail had been
// promised stays as a commitment that nobody can open any more.
const ActionErase = "erase"

// Erased is what an entry tells of an erasure.
type Erased struct {
	Subject string    `json:"subject"`
	Of      string    `json:"of,omitempty"` // which objection of a project; "" for a user
	By      string    `json:"by"`           // id of who approved it
	At      time.Time `json:"at"`
	Entry   string    `json:"entry"`
}

// What names what was erased: the subject, and in it the objection.
func (x *Erased) What() string { return strings.TrimSuffix(x.Subject+" "+x.Of, " ") }

// Erased returns what the entry tells of an erasure, nil if it tells of none.
func (e *Entry) Erased() *Erased {
	if e.Action != ActionErase {
		return nil
	}
	var data struct {
		Objection string `json:"objection"`
	}
	if len(e.Data) > 0 && json.Unmarshal(e.Data, &data) != nil {
		return nil
	}
	return &Erased{Subject: e.Subject, Of: data.Objection, By: e.Actor.ID, At: e.At, Entry: e.ID}
}
