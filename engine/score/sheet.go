package score

import (
	"errors"
	"strconv"
	"strings"

	"bihuan/engine"
)

// Points are hundredths of a point, so that sums are exact.
type Points int64

// Point is one whole point.
const Point Points = 100

// ParsePoints reads "2", "-0.2" or "1.25": at most five digits, and two behind the point.
func ParsePoints(s string) (Points, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, part, dotted := strings.Cut(digits, ".")
	if len(whole) < 1 || len(whole) > 5 || len(part) > 2 || dotted && part == "" || strings.Trim(whole+part, "0123456789") != "" {
		return 0, errors.New("score: no points: " + strconv.Quote(s))
	}
	n, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	if negative {
		n = -n
	}
	return Points(n), err
}

// String writes points without needless digits: "2", "-0.2".
func (p Points) String() string {
	sign := ""
	if p < 0 {
		sign, p = "-", -p
	}
	text := sign + strconv.FormatInt(int64(p/Point), 10)
	if rest := int64(p % Point); rest != 0 {
		text += "." + strings.TrimRight(strconv.FormatInt(100+rest, 10)[1:], "0")
	}
	return text
}

// Float is points as a number for whoever adds them up elsewhere.
func (p Points) Float() float64 { return float64(p) / float64(Point) }

// MarshalJSON writes points as a number.
func (p Points) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Points) UnmarshalJSON(b []byte) (err error) {
	*p, err = ParsePoints(string(b))
	return err
}

// Event is something that a rule gives or takes points for.
type Event string

// The events. What happens once to an item is decided by how it stands at the end of the period, or at the moment of
// a computation within it; what can happen several times counts when its entry was written.
const (
	OnTime         Event = "on_time"          // 销号 in the period, never overdue
	Late           Event = "late"             // 销号 in the period, once overdue; also open and overdue while the period runs
	Urged          Event = "urged"            // the same, but only after 催办 by a person, 督办, 约谈 or 通报
	Unfinished     Event = "unfinished"       // the period ended, the deadline had passed, it was still open
	Satisfied      Event = "satisfied"        // 销号 in the period with at least so many percent satisfied
	Satisfaction   Event = "satisfaction"     // the same of all votes on the unit's items that were closed out
	Returned       Event = "returned"         // sent back: 退回, 整改, 发回重办
	Extended       Event = "extended"         // an extension was granted
	LateAsk        Event = "late_ask"         // one was asked for after the deadline
	LookBackPassed Event = "look_back_passed" // 回头看 found it still at work
	LookBackFailed Event = "look_back_failed" // and found that it is not
	FalseEvidence  Event = "false_evidence"   // 弄虚作假, found by an inspector and confirmed
	ShelvedItem    Event = "shelved"          // 挂账 was approved
	CancelledItem  Event = "cancelled"        // 撤项 was approved
)

// Events lists every event, in the order in which people are shown them.
var Events = []Event{OnTime, Late, Urged, Unfinished, Satisfied, Satisfaction, Returned, Extended, LateAsk,
	LookBackPassed, LookBackFailed, FalseEvidence, ShelvedItem, CancelledItem}

// rated are the events that need a percentage, late those that can cost by the day.
var (
	rated = []Event{Satisfied, Satisfaction}
	late  = []Event{Late, Urged, Unfinished}
)

// Measure is a share of 0 to 1 that a weight is multiplied with.
type Measure string

// The measures. Each is a count of what was as it should be over a count of all.
const (
	ClosedOnTime     Measure = "closed_on_time"     // items settled on time, of those closed out or overdue
	StagesOnTime     Measure = "stages_on_time"     // stages left within their limit, of all that were left
	MilestonesOnTime Measure = "milestones_on_time" // milestones done by their day, of those done or due
	FirstPass        Measure = "first_pass"         // 送审 and 核查 that passed, of those that were answered
	SatisfiedVotes   Measure = "satisfied_votes"    // 非常满意, 满意 and 基本满意, of all votes on items closed out
	LastingWritten   Measure = "lasting"            // items closed out with a 长效机制, of all closed out
)

// Measures lists every measure.
var Measures = []Measure{ClosedOnTime, StagesOnTime, MilestonesOnTime, FirstPass, SatisfiedVotes, LastingWritten}

// Once says how often a rule may count.
type Once string

// The once-per keys.
const (
	OncePerItem Once = "item"       // once for each item; the default
	OncePerUnit Once = "unit"       // the first time only
	EachTime    Once = "occurrence" // every time
)

// Sheet is one version of a score sheet (考核口径). It is immutable once parsed.
type Sheet struct {
	ID      string
	Version int
	Digest  string // hex SHA-256 of Source
	Source  []byte // the definition file
	Name    engine.Text
	Kinds   []string // of workflows; none: every kind
	MinRank int      // a unit with fewer settled items is not ranked
	Base    Points
	Groups  []Group
	Rules   []Rule
	Shares  []Share
	Bands   []Band  // from the highest down; the last one begins nowhere
	Classes []Class // units that are ranked among themselves; the others are by their level in the tree
}

// Group bounds the sum of rules and shares.
type Group struct {
	ID       string
	Name     engine.Text
	Max, Min *Points // nil: no bound
}

// Rule gives or takes points for an event.
type Rule struct {
	ID      string
	Name    engine.Text
	Group   string
	Event   Event
	Points  Points
	Cap     Points // bound of its sum, of the sign of Points; 0: none
	Once    Once
	AtLeast int    // percent, for the events that have a rate
	PerDay  PerDay // in addition, for the events that are late
}

// PerDay takes points for each day that an item is late.
type PerDay struct {
	Points  Points
	Cap     Points // of one item
	Working bool   // working days, otherwise calendar days
}

// Share gives a weight times a measure.
type Share struct {
	ID      string
	Name    engine.Text
	Group   string
	Measure Measure
	Weight  Points
}

// Band is a grade such as 优秀.
type Band struct {
	ID   string
	Name engine.Text
	From *Points // nil: everything below the others
}

// Class is a set of units that are ranked among themselves, by their codes.
type Class struct {
	ID    string
	Name  engine.Text
	Units []string
}

// Counts reports whether the sheet counts items of the kind.
func (s *Sheet) Counts(kind string) bool {
	for _, k := range s.Kinds {
		if k == kind {
			return true
		}
	}
	return len(s.Kinds) == 0
}

// BandOf returns the band of a total.
func (s *Sheet) BandOf(total Points) Band {
	for _, b := range s.Bands {
		if b.From == nil || total >= *b.From {
			return b
		}
	}
	return Band{}
}

// RowName returns the name of a rule or share; "" for the base.
func (s *Sheet) RowName(id string) engine.Text {
	for _, r := range s.Rules {
		if r.ID == id {
			return r.Name
		}
	}
	for _, r := range s.Shares {
		if r.ID == id {
			return r.Name
		}
	}
	return engine.Text{}
}
