package engine

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// Kinds of subjects in the trail that yearly counts have.
const (
	SubjectTally     = "tally"      // id: the definition's word
	SubjectTallyYear = "tally_year" // what one member did in one year
)

// Member names, in the definition of a yearly count, the person whose count it is.
const Member Role = "member"

// Tally is the definition of a yearly count (such as 四个一): what every member of a branch does at least once or more
// often in a calendar year, and how long in all. Nothing shows one until an administrator has switched it on. Its json
// form is the state that its entries carry patches of, so that the trail says which rule held when.
type Tally struct {
	ID         string          `json:"id" gorm:"primaryKey"` // a word
	Name       Text            `json:"name" gorm:"serializer:json"`
	Categories []TallyCategory `json:"categories" gorm:"serializer:json"`
	Minutes    int             `json:"minutes"`                      // at least, in a year and over all categories; 0: no matter
	Enter      []Role          `json:"enter" gorm:"serializer:json"` // who enters what was done: Member, or roles at the branch
	On         bool            `json:"on"`
	By         UserID          `json:"by" gorm:"column:by_id"` // who switched it last, and when
	At         time.Time       `json:"at"`
	Version    int64           `json:"version"` // equals the seq of the newest entry
}

// TallyCategory is one sort of what is counted.
type TallyCategory struct {
	ID   string `json:"id"`
	Name Text   `json:"name"`
	Min  int    `json:"min"` // how often a member does it in a year, at least; 0: it counts for the time alone
}

// Subject names the definition in entries.
func (t *Tally) Subject() string { return SubjectTally + "/" + t.ID }

// Category finds a category by its id or a name.
func (t *Tally) Category(s string) (TallyCategory, bool) {
	i := slices.IndexFunc(t.Categories, func(c TallyCategory) bool { return s == c.ID || s == c.Name.ZH || s == c.Name.EN })
	if s == "" || i < 0 {
		return TallyCategory{}, false
	}
	return t.Categories[i], true
}

// Bounds of a definition.
const (
	maxCategories = 12
	maxMinimum    = 366
	maxYearly     = 366 * 24 * 60
)

// Validate says the first thing that is wrong with a definition; the field is the path of the member in its file.
func (t *Tally) Validate() error {
	switch {
	case !word.MatchString(t.ID):
		return invalid("id", "workflow.bad_id", "id", t.ID)
	case t.Name.ZH == "":
		return invalid("name", "field.empty")
	case len(t.Categories) == 0 || len(t.Categories) > maxCategories:
		return invalid("categories", "tally.categories", "limit", maxCategories)
	case t.Minutes < 0 || t.Minutes > maxYearly:
		return invalid("hours", "tally.minimum", "limit", maxYearly/60)
	case len(t.Enter) == 0:
		return invalid("enter", "field.empty")
	}
	seen := map[string]bool{}
	for i, c := range t.Categories {
		path := "categories[" + strconv.Itoa(i) + "]"
		switch {
		case !word.MatchString(c.ID):
			return invalid(path+".id", "workflow.bad_id", "id", c.ID)
		case c.Name.ZH == "":
			return invalid(path+".name", "field.empty")
		case c.Min < 0 || c.Min > maxMinimum:
			return invalid(path+".min", "tally.minimum", "limit", maxMinimum)
		}
		for _, s := range slices.Compact(slices.Sorted(slices.Values([]string{c.ID, c.Name.ZH, c.Name.EN}))) {
			if s != "" && seen[s] {
				return invalid(path, "tally.twice", "text", s)
			}
			seen[s] = true
		}
	}
	for i, r := range t.Enter {
		if r != Member && !slices.Contains(tallyPolicy["enter_hours"], r) {
			return invalid("enter["+strconv.Itoa(i)+"]", "tally.enter", "text", string(r))
		}
	}
	return nil
}

// TallyYearID names what one member did in one year.
type TallyYearID string

// TallyYear is what one member of a branch did in one calendar year under a yearly count. The branch's secretary puts
// members on the roll; nobody has two in a year. Its json form is the state that its entries carry patches of.
type TallyYear struct {
	ID        TallyYearID            `json:"id" gorm:"primaryKey"`
	Tally     string                 `json:"tally"`
	UserID    UserID                 `json:"user_id"`
	UnitID    UnitID                 `json:"unit_id"`
	UnitPath  string                 `json:"-" gorm:"->"` // from the unit's row
	Year      int                    `json:"year"`
	Struck    string                 `json:"struck,omitempty"` // why the member is not on the roll any more
	Records   map[string]TallyRecord `json:"records,omitempty" gorm:"serializer:json"`
	Serial    int                    `json:"serial"` // of the newest record
	CreatedBy UserID                 `json:"created_by"`
	CreatedAt time.Time              `json:"created_at" gorm:"autoCreateTime:false"`
	Version   int64                  `json:"version"` // equals the seq of the newest entry
}

// Subject names the member's year in entries.
func (y *TallyYear) Subject() string { return SubjectTallyYear + "/" + string(y.ID) }

// TallyRecord is one thing that a member did. A wrong one is declined or withdrawn and entered anew, never changed.
type TallyRecord struct {
	Category string        `json:"category"`
	Day      calendar.Date `json:"day"`
	Minutes  int           `json:"minutes"`
	Note     string        `json:"note,omitempty"`
	State    TallyState    `json:"state"`
	By       UserID        `json:"by"`            // who entered it, and when
	For      UserID        `json:"for,omitempty"` // whose role it was, if it was held by delegation
	At       time.Time     `json:"at"`

	DecidedBy UserID     `json:"decided_by,omitempty"`
	DecidedAt *time.Time `json:"decided_at,omitempty"`
	Reason    string     `json:"reason,omitempty"` // of one that was declined or withdrawn
}

// TallyState is where a record stands.
type TallyState string

// The states.
const (
	TallyEntered   TallyState = "entered"   // 待确认
	TallyConfirmed TallyState = "confirmed" // 已确认: counts
	TallyDeclined  TallyState = "declined"  // 已退回
	TallyWithdrawn TallyState = "withdrawn" // 已撤回
)

var tallyStateNames = map[TallyState]Text{
	TallyEntered: {"待确认", "to be confirmed"}, TallyConfirmed: {"已确认", "confirmed"}, TallyDeclined: {"已退回", "declined"}, TallyWithdrawn: {"已撤回", "withdrawn"},
}

// In returns the state's name in the given language.
func (s TallyState) In(lang string) string { return tallyStateNames[s].In(lang) }

// stands reports whether the record counts or may come to count.
func (r *TallyRecord) stands() bool { return r.State == TallyEntered || r.State == TallyConfirmed }

// Actions of the entries about yearly counts that move a record.
const (
	tallyConfirm  = "confirm_hours"
	tallyDecline  = "decline_hours"
	tallyWithdraw = "withdraw_hours"
)

// tallyMoves is the machine of a record.
var tallyMoves = []move{
	{tallyConfirm, string(TallyEntered), string(TallyConfirmed)},
	{tallyDecline, string(TallyEntered), string(TallyDeclined)},
	{tallyWithdraw, string(TallyEntered), string(TallyWithdrawn)},
	{tallyWithdraw, string(TallyConfirmed), string(TallyWithdrawn)},
}

// Bounds of what a member's year holds.
const (
	maxRecords   = 400
	minutesOfDay = 24 * 60
)

// TallyDraft is what people write about one thing that a member did.
type TallyDraft struct {
	Category string // id or name
	Day      calendar.Date
	Minutes  int
	Note     string
}

// record checks a draft against the rule, the year and what is there.
func (y *TallyYear) record(t *Tally, d TallyDraft, today calendar.Date) (TallyRecord, error) {
	c, ok := t.Category(d.Category)
	note, err := text("note", d.Note, maxNote)
	switch {
	case !ok:
		return TallyRecord{}, invalid("category", "tally.category", "text", d.Category)
	case d.Day.IsZero():
		return TallyRecord{}, invalid("day", "field.empty")
	case d.Day.Year() != y.Year:
		return TallyRecord{}, invalid("day", "tally.other_year", "year", y.Year)
	case d.Day.After(today):
		return TallyRecord{}, invalid("day", "tally.ahead")
	case d.Minutes < 0 || d.Minutes > minutesOfDay:
		return TallyRecord{}, invalid("hours", "tally.hours", "text", Hours(d.Minutes))
	case err != nil:
		return TallyRecord{}, err
	case len(y.Records) >= maxRecords:
		return TallyRecord{}, blocked("tally.full", "limit", maxRecords)
	}
	r := TallyRecord{Category: c.ID, Day: d.Day, Minutes: d.Minutes, Note: note, State: TallyEntered}
	if y.has(&r) {
		return r, blocked("tally.same")
	}
	day := r.Minutes
	for _, x := range y.Records {
		if x.Day == r.Day && x.stands() {
			day += x.Minutes
		}
	}
	if day > minutesOfDay {
		return r, invalid("hours", "tally.long_day", "day", r.Day)
	}
	return r, nil
}

// has tells whether the same stands there already.
func (y *TallyYear) has(r *TallyRecord) bool {
	for _, x := range y.Records {
		if x.stands() && x.says(r) {
			return true
		}
	}
	return false
}

// says tells whether both say the same, whatever became of them.
func (r *TallyRecord) says(x *TallyRecord) bool {
	return x.Category == r.Category && x.Day == r.Day && x.Minutes == r.Minutes && x.Note == r.Note
}

// TallyCount is what counts of a member's year, and what is missing.
type TallyCount struct {
	Times   map[string]int // confirmed records, by category
	Minutes int            // of all of them
	Waiting int            // records that wait to be confirmed

	ShortTimes   map[string]int // how many are missing, by category
	ShortMinutes int
}

// Short reports whether anything is missing.
func (c *TallyCount) Short() bool { return len(c.ShortTimes) > 0 || c.ShortMinutes > 0 }

// Count counts a member's year by the rule.
func (t *Tally) Count(y *TallyYear) TallyCount {
	c := TallyCount{Times: map[string]int{}, ShortTimes: map[string]int{}}
	for _, r := range y.Records {
		switch r.State {
		case TallyConfirmed:
			c.Times[r.Category]++
			c.Minutes += r.Minutes
		case TallyEntered:
			c.Waiting++
		}
	}
	for _, x := range t.Categories {
		if n := x.Min - c.Times[x.ID]; n > 0 {
			c.ShortTimes[x.ID] = n
		}
	}
	c.ShortMinutes = max(t.Minutes-c.Minutes, 0)
	return c
}

// Missing says in words what is missing of a year, "" for nothing; of one without any records that is the whole rule.
func (t *Tally) Missing(c *TallyCount, lang string) string {
	var out []string
	for _, x := range t.Categories {
		if n := c.ShortTimes[x.ID]; n > 0 {
			out = append(out, message.Text(lang, "tally.n_times", message.Args("category", x.Name, "n", n)))
		}
	}
	if c.ShortMinutes > 0 {
		out = append(out, message.Text(lang, "tally.n_hours", message.Args("hours", Hours(c.ShortMinutes))))
	}
	return strings.Join(out, message.Text(lang, "list.comma", nil))
}

// Hours writes minutes as hours: "2", "2.5", or "1:20" where two digits behind the point do not say it.
func Hours(minutes int) string {
	h, m := minutes/60, minutes%60
	switch {
	case m == 0:
		return strconv.Itoa(h)
	case m%3 != 0: // not a whole number of hundredths of an hour
		return strconv.Itoa(h) + ":" + strconv.Itoa(m/10) + strconv.Itoa(m%10)
	}
	return strings.TrimRight(strconv.Itoa(h)+"."+strconv.Itoa(m/6)+strconv.Itoa(m%6*10/6), "0")
}

var hoursForm = regexp.MustCompile(`^(\d{1,4})(?:\.(\d{1,2})|[:：]([0-5]\d))?\s*(?:小时|学时|h)?$`)

// ParseHours reads hours as people write them ("2", "2.5", "1:20", "2小时") into whole minutes.
func ParseHours(s string) (int, error) {
	m := hoursForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, invalid("hours", "tally.hours", "text", s)
	}
	whole, _ := strconv.Atoi(m[1]) // digits, by the pattern
	minutes, _ := strconv.Atoi(m[3])
	if m[2] != "" {
		hundredths, _ := strconv.Atoi((m[2] + "0")[:2])
		if hundredths*60%100 != 0 {
			return 0, invalid("hours", "tally.hours", "text", s)
		}
		minutes = hundredths * 60 / 100
	}
	return whole*60 + minutes, nil
}

// TallyFilter selects members' years. The zero value selects all that the scope allows, the oldest first.
type TallyFilter struct {
	Scope *Scope // nil: everything
	Tally string
	Year  int
	Unit  UnitID // the unit and everything under it
	User  UserID
	After string
	Limit int // 1…MaxPage; 0 = 50
}

// ReadsTally reports whether the actor may read a member's year: by a role at its unit or above, or because it is theirs.
func (a Actor) ReadsTally(y *TallyYear) bool {
	return a.Covers(y.UnitPath) || a.ID != "" && y.UserID == a.ID
}
