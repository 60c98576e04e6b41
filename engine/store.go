package engine

import (
	"context"
	"encoding/json"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Kinds of subjects in the trail. A subject is "kind/id" and has one chain of entries.
const (
	SubjectProject    = "project"
	SubjectUnit       = "unit"
	SubjectUser       = "user"
	SubjectToken      = "token"
	SubjectDelegation = "delegation"
	SubjectWorkflow   = "workflow" // id: the workflow's word
	SubjectCalendar   = "calendar" // id: the year
	SubjectActor      = "actor"    // id: the user; what a signed-in person was refused or took out
	SubjectImport     = "import"   // id: of the import
	SubjectList       = "list"     // a 双月实事清单
)

// Change is a decided command: the project as it shall be, the entry that says so, and what is owed. The store
// writes it whole or not at all.
type Change struct {
	Base      int64 // version that it was decided on; 0 creates the project
	Project   Project
	Entry     audit.Entry
	Bytes     []byte // the entry's exact bytes; Project.Head is their hash
	Evidence  []Evidence
	Reminders []Reminder
	Remark    *Remark         // what opens a commitment of Entry
	Forget    string          // the objection of the project whose Remark goes away, and the words in the vote that it came with
	Key       *IdempotencyKey // stored in the same transaction, so that a repeated request finds it
	Guard     Guard
}

// Guard is what a decision took for granted about rights. The transaction that writes it looks again, and answers
// ErrConflict where it no longer holds. The zero value holds always.
type Guard struct {
	Actor   UserID // has still the version; a change of roles or the end of the account makes another
	Version int64  // 0: an actor without an account
	Unit    UnitID // has still the path, so that whoever held a role above it does so now
	Path    string // "": no matter
	Open    bool   // of a record: the unit has not been closed
}

// Forget says whose data are erased; the commitment's opening goes away with the User of the same Record.
type Forget struct {
	User    UserID
	Account []byte // AccountDigest of the login that there was
}

// Record is a change of anything that is not a project: at most one of the rows is set, none for a mere event. A
// password comes with its user.
type Record struct {
	Base       int64 // seq of the subject's newest entry
	Entry      audit.Entry
	Bytes      []byte
	Head       audit.Digest
	Unit       *Unit
	User       *User
	Salt       []byte // opens User.Personal
	Token      *Token
	Delegation *Delegation
	Definition *Definition
	Days       []calendar.Day  // replaces the years that occur in it
	Password   *Password       // beside User, whose version it changes
	Factor     *FactorChange   // likewise
	Identity   *IdentityChange // likewise
	Forget     *Forget         // beside User: what else is kept of the person goes away in the same transaction
	Setup      []byte          // hash of the set-up token that is used up; ErrConflict if it does not hold or there are users
	Vacated    string          // a path under which no unit may be left when all is written, else ErrConflict
	Idle       string          // a path at and under which nobody holds a role and no other unit and no project is open, else ErrConflict
	List       *List
	Need       *Need
	Switch     *KindSwitch
	Tally      *Tally
	TallyYear  *TallyYear
	Guard      Guard
	Channel    *Channel // with Sealed; nil keeps what is sealed
	Settings   *NotifySettings
	Wording    *Wording
	Mapping    *SourceMapping
	Sheet      *SheetVersion // with its source when it is proposed
	Replay     []string      // deliveries that are dead and shall be tried again
	Archive    []string      // deliveries that came to an end and move to the archive
}

// Reminder is something that somebody has to be told. Delivery is somebody else's work; the row is the record
// that it was owed.
type Reminder struct {
	ID        string        `json:"id" gorm:"primaryKey"`
	ProjectID ProjectID     `json:"project_id"`
	UnitID    UnitID        `json:"unit_id"`
	Entry     string        `json:"entry" gorm:"column:entry_id"` // id of the entry that owes it
	Kind      string        `json:"kind"`                         // a rung, or the action that it tells of
	Timer     TimerID       `json:"timer,omitempty" gorm:"column:timer_id"`
	Role      Role          `json:"role"`                                   // to whom: a role at the unit, or a relation
	UserID    UserID        `json:"user_id,omitempty"`                      // the person, where the role is a relation
	Deadline  calendar.Date `json:"deadline,omitzero"`                      // under which it was owed
	DueAt     time.Time     `json:"due_at"`                                 // when it should have gone out
	CreatedAt time.Time     `json:"created_at" gorm:"autoCreateTime:false"` // when it was recorded
	DedupeKey string        `json:"-"`                                      // one rung reaches one addressee once
	PlannedAt *time.Time    `json:"-"`                                      // when it was turned into notices and deliveries
}

// IdempotencyKey ties a client's key to the change that answered it. Keys belong to the actor who sent them.
type IdempotencyKey struct {
	Actor   UserID
	Key     string
	Request audit.Digest // of the method, path and body; another request under the same key is refused
	Project ProjectID    // what it changed, once known
}

// Definition is a published version of a workflow, as people wrote it.
type Definition struct {
	Digest      string    `json:"digest" gorm:"primaryKey"`
	ID          string    `json:"id" gorm:"column:workflow_id"`
	Version     int       `json:"version"`
	Source      []byte    `json:"-"`
	PublishedBy UserID    `json:"published_by"`
	PublishedAt time.Time `json:"published_at"`
}

// EntryRow is a stored entry with its bytes.
type EntryRow struct {
	audit.Entry
	Bytes []byte
	Hash  audit.Digest
}

// Page is a part of a longer answer. Next is the cursor of the following page, "" at the end; Prev that of the page
// before, "" at the beginning and where a list is not read backwards.
type Page[T any] struct {
	Items []T
	Next  string
	Prev  string
}

// MaxPage is the largest page that a filter may ask for.
const MaxPage = 200

// Sort orders a list of projects.
type Sort string

// The orders. All end with the id, so that pages never overlap.
const (
	ByNewest   Sort = "newest"        // newest first (default)
	ByOldest   Sort = "oldest"        // the other way round
	ByDeadline Sort = "deadline"      // earliest 办结时限 first, those without one last
	ByLatest   Sort = "deadline_desc" // latest 办结时限 first, those without one last
	ByUpdated  Sort = "updated"       // last changed first
	ByStale    Sort = "updated_asc"   // longest unchanged first
	ByLight    Sort = "light"         // red, orange, yellow, green, then none; within each by ByDeadline
)

// Filter selects projects. The zero value selects all that the scope allows, newest first.
type Filter struct {
	Scope   *Scope // nil: everything (the engine's own use)
	Kind    string
	Year    int    // 年度 of a yearly kind
	Unit    UnitID // the unit and everything under it
	Alone   bool   // with Unit: the unit itself, without what is under it
	Stage   []StageID
	Light   []Light
	Owner   UserID
	List    string
	Text    string // in number or title, or in the name of the unit or the owner
	Overdue *bool  // recorded 逾期 under the present deadline
	Ever    *bool  // 曾逾期: recorded 逾期 under any deadline
	Waiting []Role // waits for an answer by one of these roles
	Marked  bool   // with a mark (推广, 评先) that holds
	Pending bool   // with a request that waits for an answer
	Open    bool   // neither 已销号 nor 撤项
	Kept    bool   // not 撤项
	Digest  string // pinned to this definition
	Unknown bool   // with a date in a year whose holiday list was not loaded

	DueFrom, DueTo       calendar.Date // 办结时限 within these days, both included; zero: no bound
	ClosedFrom, ClosedTo time.Time     // 销号 at or after, before; zero: no bound

	Now   time.Time // moment at which lights are computed
	Sort  Sort
	After string // cursor: Next or Prev of a page
	Limit int    // 1…MaxPage; 0 = 50
}

// Scope bounds what a person reads: everything under the paths, and whatever they have a part in.
type Scope struct {
	Paths []string
	User  UserID
}

// EntryFilter selects entries, newest first unless OldestFirst.
type EntryFilter struct {
	Scope       *Scope
	ID          string // only this one
	Subject     string // kind/id
	Actor       UserID
	Unit        UnitID // the unit and everything under it
	Actions     []string
	From, To    time.Time // at >= From, at < To
	OldestFirst bool
	After       string
	Limit       int
}

// TrailFilter selects entries for whoever folds them: a kind of subject, up to a moment.
type TrailFilter struct {
	Kind   string    // SubjectProject and the like
	Units  []UnitID  // at which they were written; none: everywhere
	Before time.Time // at < Before
}

// Counts sums up projects for the overview.
type Counts struct {
	Total   int             `json:"total"`
	ByStage map[StageID]int `json:"by_stage"`
	ByLight map[Light]int   `json:"by_light"`
	Overdue int             `json:"overdue"`
	Waiting int             `json:"waiting"` // with a pending request
	OnTime  int             `json:"on_time"` // closed and never overdue
	ByUnit  []UnitCount     `json:"by_unit"`

	StageLights map[StageID]map[Light]int `json:"stage_lights"` // ByStage, parted by light
}

// UnitCount is the sum for one leading unit.
type UnitCount struct {
	UnitID    UnitID `json:"unit_id"`
	Total     int    `json:"total"`
	Closed    int    `json:"closed"`
	Overdue   int    `json:"overdue"`
	OnTime    int    `json:"on_time"`   // closed and never overdue
	Late      int    `json:"late"`      // overdue and not closed, 撤项 left out
	Cancelled int    `json:"cancelled"` // 撤项
}

// Span is a stretch of days with what fell into it.
type Span struct {
	From, To   calendar.Date // both included
	Start, End time.Time     // the same as moments: at or after Start, before End
	Due        int           // 办结时限 within it, 撤项 left out
	Closed     int           // 销号 within it
	OnTime     int           // of those, never overdue
}

// Reader is what handlers see: nothing in it writes.
type Reader interface {
	Project(ctx context.Context, id ProjectID) (Project, error)
	Projects(ctx context.Context, f Filter) (Page[Project], error)
	Count(ctx context.Context, f Filter) (Counts, error)
	Spans(ctx context.Context, f Filter, spans []Span) error // fills the numbers in; spans follow one another
	Entries(ctx context.Context, f EntryFilter) (Page[EntryRow], error)
	// LastReports returns the data of each project's newest progress report; projects without one are left out.
	LastReports(ctx context.Context, ids []ProjectID) (map[ProjectID]json.RawMessage, error)
	// Reports hands over the data of all progress reports of the projects, those of each in their order.
	Reports(ctx context.Context, ids []ProjectID, each func(id ProjectID, report json.RawMessage)) error
	// Headings returns the headings of Extra that any of the projects has, in order, at most MaxPage.
	Headings(ctx context.Context, f Filter) ([]string, error)
	Evidence(ctx context.Context, id ProjectID) ([]Evidence, error)
	Reminders(ctx context.Context, id ProjectID) ([]Reminder, error)
	Definitions(ctx context.Context) ([]Definition, error) // newest version of each id first; without sources
	Directory
	Lists
	Needed
	Tallied
	Sources
	Sheeted
	Walker
}

// Sheeted reads score sheets that were proposed.
type Sheeted interface {
	SheetVersions(ctx context.Context) ([]SheetVersion, error) // newest first, without sources
	SheetSource(ctx context.Context, id SheetID) ([]byte, error)
}

// Walker hands over the bytes of entries for a fold: those of a subject one after the other in the order of its chain,
// subjects in any order. each is done with the bytes when it returns; its error ends the walk.
type Walker interface {
	Walk(ctx context.Context, f TrailFilter, each func(entry []byte) error) error
}

// Directory reads people and units.
type Directory interface {
	Units(ctx context.Context) ([]Unit, error) // in the order of their paths
	Unit(ctx context.Context, idOrCode string) (Unit, error)
	User(ctx context.Context, idOrLogin string) (User, error)
	Users(ctx context.Context) ([]User, error)
	People(ctx context.Context, f PeopleFilter) (Page[User], error)
	// Holders returns at most MaxPage open accounts with one of the roles at a unit whose path is path or a beginning of it.
	Holders(ctx context.Context, path string, roles []Role) ([]User, error)
	TokenUser(ctx context.Context, hash []byte) (Token, User, error) // of a token that exists, whether or not it still holds
	Tokens(ctx context.Context, user UserID) ([]Token, error)        // newest first, those that hold no more too
	Identities(ctx context.Context, user UserID) ([]Identity, error) // the first linked first
	// Delegations returns those from and to the user, or all for "", newest first, those that are over too.
	Delegations(ctx context.Context, user UserID) ([]Delegation, error)
}

// Lists reads 双月实事清单.
type Lists interface {
	List(ctx context.Context, id ListID) (List, error)
	Lists(ctx context.Context, f ListFilter) (Page[List], error) // newest period first
	// Standing returns the projects with the ids, in no order; ids that no project has are left out.
	Standing(ctx context.Context, ids []ProjectID) ([]Project, error)
}

// Needed reads 诉求.
type Needed interface {
	Need(ctx context.Context, id NeedID) (Need, error)
	Needs(ctx context.Context, f NeedFilter) (Page[Need], error) // newest first
	// UntoldNeeds returns needs settled since a moment whose proposers have an account and no notice of it yet.
	UntoldNeeds(ctx context.Context, since time.Time, limit int) ([]Need, error)
}

// Tallied reads yearly counts.
type Tallied interface {
	Tallies(ctx context.Context) ([]Tally, error) // by id, whether on or off
	TallyYear(ctx context.Context, id TallyYearID) (TallyYear, error)
	TallyYears(ctx context.Context, f TallyFilter) (Page[TallyYear], error) // the oldest first
}

// Store is what the engine holds. Every write goes through Commit or Record, and both write an entry.
type Store interface {
	Reader
	Outbox
	Ballots
	// Commit writes changes in one transaction and answers for each: nil, ErrConflict if the project's version
	// is not Base any more, ErrDuplicate if a unique value (number, idempotency key, source key) is taken.
	// A change that fails does not stop the others. Changes of the same project must stand in order.
	Commit(ctx context.Context, changes ...Change) []error
	// Record writes a change of something else; ErrConflict if the subject's chain has grown beyond Base.
	Record(ctx context.Context, r Record) error
	// Act writes records and changes in one transaction, all or none; records of one subject stand in order. An error is that of the first that failed.
	Act(ctx context.Context, records []Record, changes []Change) error
	// Scrub makes what was deleted or overwritten unreadable in the database's own files, as far as it can.
	Scrub(ctx context.Context) error
	// TouchToken notes when a token was used.
	TouchToken(ctx context.Context, id TokenID, used time.Time) error
	// Due returns projects whose NextAt is at or before now, earliest first, after the cursor.
	Due(ctx context.Context, now time.Time, after string, limit int) (Page[Project], error)
	// Numbers reserves n numbers of a series and returns the first. Reserved numbers are never given again.
	Numbers(ctx context.Context, series string, n int) (int64, error)
	// Answered returns the stored key of an earlier request, or ErrNotFound.
	Answered(ctx context.Context, actor UserID, key string) (IdempotencyKey, error)
	// Source returns a published definition with its source.
	Source(ctx context.Context, digest string) (Definition, error)
	// Kinds returns what was switched on or off.
	Kinds(ctx context.Context) ([]KindSwitch, error)
	// Days returns the calendar days loaded on this site.
	Days(ctx context.Context) ([]calendar.Day, error)
	// Log returns the installation's id and epoch, as entries carry it.
	Log(ctx context.Context) (string, error)
	// Known returns which of the source keys already belong to a project.
	Known(ctx context.Context, keys []string) (map[string]ProjectID, error)
}

// state returns a row's json state; all our rows marshal.
func state(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
