package engine

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// NeedID names a need.
type NeedID string

// SubjectNeed is the kind of a need's subject in the trail.
const SubjectNeed = "need"

// NeedState is where a 诉求 stands.
type NeedState string

// The states of a need.
const (
	NeedOpen     NeedState = "open"     // 待办理
	NeedAccepted NeedState = "accepted" // 已采纳: an item does something about it
	NeedDeclined NeedState = "declined" // 已答复: not taken up, with a reason
	NeedMerged   NeedState = "merged"   // 已合并: one that says the same goes on for both
)

// NeedStates lists the states in the order in which pages show them.
var NeedStates = []NeedState{NeedOpen, NeedAccepted, NeedDeclined, NeedMerged}

var needStateNames = map[NeedState]Text{
	NeedOpen: {"待办理", "open"}, NeedAccepted: {"已采纳", "accepted"}, NeedDeclined: {"已答复", "answered"}, NeedMerged: {"已合并", "merged"},
}

// In returns the state's name in the given language.
func (s NeedState) In(lang string) string { return needStateNames[s].In(lang) }

// NeedSource is where a need was heard.
type NeedSource string

// The sources: the 大调研 and 大走访 of the founding plan, and the usual ways beside them.
const (
	FromSurvey  NeedSource = "survey"  // 大调研
	FromVisit   NeedSource = "visit"   // 大走访
	FromMeeting NeedSource = "meeting" // 座谈会
	FromLetter  NeedSource = "letter"  // 来信来访、信箱
	FromHotline NeedSource = "hotline" // 热线、接诉即办
	FromMotion  NeedSource = "motion"  // 提案议案
	FromOther   NeedSource = "other"   // 其他
)

// NeedSources lists the sources.
var NeedSources = []NeedSource{FromSurvey, FromVisit, FromMeeting, FromLetter, FromHotline, FromMotion, FromOther}

var needSourceNames = map[NeedSource]Text{
	FromSurvey: {"大调研", "survey"}, FromVisit: {"大走访", "visit"}, FromMeeting: {"座谈会", "meeting"}, FromLetter: {"来信来访", "letter or visitor"},
	FromHotline: {"热线", "hotline"}, FromMotion: {"提案", "motion"}, FromOther: {"其他", "other"},
}

// In returns the source's name in the given language.
func (s NeedSource) In(lang string) string { return needSourceNames[s].In(lang) }

// Events of a need's machine, and the actions of the entries that tell of them.
const (
	needAccept  = "accept"
	needDecline = "decline"
	needMerge   = "merge"
)

// needMoves is the machine of a need. What was declined can be taken up after all; what was accepted stays so, because
// an item has come of it.
var needMoves = []move{
	{needAccept, string(NeedOpen), string(NeedAccepted)},
	{needAccept, string(NeedDeclined), string(NeedAccepted)},
	{needDecline, string(NeedOpen), string(NeedDeclined)},
	{needMerge, string(NeedOpen), string(NeedMerged)},
}

// Need is one 诉求: something that the people served ask for, collected before a list is drawn up. Its json form is
// the state that its entries carry patches of.
type Need struct {
	ID       NeedID     `json:"id" gorm:"primaryKey"`
	UnitID   UnitID     `json:"unit_id"`     // whose list it is meant for
	UnitPath string     `json:"-" gorm:"->"` // from the unit's row
	Number   string     `json:"number"`      // 期号 of the list that it is meant for, such as "2026-6"
	Title    string     `json:"title"`       // in a few words
	Text     string     `json:"text,omitempty"`
	Source   NeedSource `json:"source"`
	Who      string     `json:"who,omitempty"` // what kind of people ask, such as "学生"; nobody's name
	Times    int        `json:"times"`         // how often it was raised, with those merged into it

	// Proposer is the account of the person who asked, who is told by the system. Contact is the name and number of
	// somebody without one: personal data, which stands in no entry and is shown to those alone who answer.
	Proposer UserID `json:"proposer,omitempty" gorm:"column:proposer_id"`
	Contact  string `json:"-"`

	State     NeedState  `json:"state"`
	ProjectID ProjectID  `json:"project_id,omitempty"` // the item that does something about it
	Into      NeedID     `json:"into,omitempty" gorm:"column:into_id"`
	Answer    string     `json:"answer,omitempty"` // what the proposer is told
	SettledBy UserID     `json:"settled_by,omitempty"`
	SettledAt *time.Time `json:"settled_at,omitempty"` // of a merged one: when the other was settled
	ToldBy    UserID     `json:"told_by,omitempty"`    // who told somebody without an account
	ToldAt    *time.Time `json:"told_at,omitempty"`
	ToldHow   string     `json:"told_how,omitempty"`

	CreatedBy UserID    `json:"created_by"`
	CreatedAt time.Time `json:"created_at" gorm:"autoCreateTime:false"`
	Version   int64     `json:"version"` // equals the seq of the newest entry
}

// Subject names the need in entries.
func (n *Need) Subject() string { return SubjectNeed + "/" + string(n.ID) }

// JSON returns the state that the fold of the entries must equal.
func (n *Need) JSON() json.RawMessage { return state(n) }

// Untold reports whether somebody without an account waits to hear what became of the need.
func (n *Need) Untold() bool {
	return n.SettledAt != nil && n.ToldAt == nil && n.Proposer == "" && n.Contact != ""
}

// ToldKey is the key of the notice that tells the need's proposer what became of it. The version stands in it, because
// what was declined may be accepted after all.
func (n *Need) ToldKey() string {
	return "need|" + string(n.ID) + "|" + strconv.FormatInt(n.Version, 10) + "|" + string(n.Proposer)
}

// maxTimes is how often one need can have been raised.
const maxTimes = 100_000

// NeedDraft is what people write about a need.
type NeedDraft struct {
	Number   string
	Title    string
	Text     string
	Source   NeedSource
	Who      string
	Times    int // 0: once
	Proposer UserID
	Contact  string
}

// DraftOfNeed returns what was written about a need, to be changed and sent back.
func DraftOfNeed(n *Need) NeedDraft {
	return NeedDraft{n.Number, n.Title, n.Text, n.Source, n.Who, n.Times, n.Proposer, n.Contact}
}

func (d NeedDraft) write(n *Need) error {
	var err error
	if n.Number, err = listNumber(d.Number); err != nil {
		return err
	}
	for _, x := range []struct {
		field, value string
		limit        int
		into         *string
	}{{"title", d.Title, maxTitle, &n.Title}, {"text", d.Text, maxText, &n.Text}, {"who", d.Who, maxTitle, &n.Who}, {"contact", d.Contact, maxTitle, &n.Contact}} {
		if *x.into, err = text(x.field, x.value, x.limit); err != nil {
			return err
		}
	}
	if d.Times == 0 {
		d.Times = 1
	}
	switch {
	case n.Title == "":
		return invalid("title", "field.empty")
	case !slices.Contains(NeedSources, d.Source):
		return invalid("source", "needs.source")
	case d.Times < 1 || d.Times > maxTimes:
		return invalid("times", "needs.times", "limit", maxTimes)
	case d.Proposer != "" && n.Contact != "":
		return invalid("contact", "needs.one_way")
	}
	n.Source, n.Times, n.Proposer = d.Source, d.Times, d.Proposer
	return nil
}

// step moves the need over an event of its machine.
func (n *Need) step(event string) error {
	to, ok := nextState(string(n.State), event, needMoves)
	if !ok {
		return n.notNow()
	}
	n.State = NeedState(to)
	return nil
}

func (n *Need) notNow() error { return blocked("needs.not_now", "state", n.State) }

// settle writes down what became of the need. What was told before was about another answer.
func (n *Need) settle(answer string, project ProjectID, who UserID, now time.Time) {
	n.Answer, n.ProjectID, n.SettledBy, n.SettledAt = answer, project, who, &now
	n.ToldBy, n.ToldAt, n.ToldHow = "", nil, ""
}

// absorb adds what another need counted; the other is settled with this one.
func (n *Need) absorb(other *Need) error {
	if n.State != NeedOpen {
		return n.notNow()
	}
	if n.UnitID != other.UnitID {
		return invalid("into", "needs.elsewhere")
	}
	if err := other.step(needMerge); err != nil {
		return err
	}
	other.Into = n.ID
	n.Times = min(n.Times+other.Times, maxTimes)
	return nil
}

// NeedFilter selects needs. The zero value selects all that the scope allows, newest first.
type NeedFilter struct {
	Scope   *Scope // nil: everything
	Unit    UnitID // the unit itself
	Number  string // 期号
	State   []NeedState
	Into    NeedID    // merged into this one
	Project ProjectID // which this item does something about
	Text    string    // in the title or the text
	Untold  bool      // settled, and somebody without an account has not been told
	After   string
	Limit   int // 1…MaxPage; 0 = 50
}

// ReadsNeed reports whether the actor may read the need: by a role at its unit or above, or because it is theirs.
func (a Actor) ReadsNeed(n *Need) bool {
	return a.Covers(n.UnitPath) || a.ID != "" && (n.Proposer == a.ID || n.CreatedBy == a.ID)
}
