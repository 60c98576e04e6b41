package engine

import (
	"maps"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Facts is what a definition's rules may speak of. The names are the vocabulary of definition files: renaming
// one breaks every site's definitions.
type Facts struct {
	Title, Category, Need, Target, Measures string // as on the project
	List                                    string // 双月清单 code, "" when on none
	HasOwner, HasSponsor                    bool
	Assisting                               int  // number of assisting units
	Started                                 bool // 交办 has happened; in the first stage: it was sent back there
	HasDeadline                             bool // a 办结时限 is set
	DaysLeft                                int  // calendar days to the deadline; 0 on its day; negative after
	Overdue, EverOverdue                    bool // recorded 逾期 under the present deadline; ever
	Extensions, Returns, Round              int
	Acknowledged                            bool // 签收
	Milestones, MilestonesDone              int
	RouteGaps                               int // milestones of the 路线图 that do not say who, or after what
	MilestonesLate                          int // milestones dated after the deadline
	Progress                                int // percent, from the last report
	Reports                                 int
	Evidence                                int  // pieces of 佐证材料
	Verified                                bool // the newest verification passed
	WorkdaysInStage                         int  // whole working days since the stage was entered, from the day after
	Votes                                   int
	SatisfiedRate                           int // percent of votes that are 非常满意, 满意 or 基本满意, rounded down
	HighlySatisfiedRate                     int // percent of votes that are 非常满意 or 满意, rounded down
	OpenObjections                          int
	ObjectionsLate                          int // open, and past the day by which they are to be answered
	Summary, Lasting                        string
	Statement                               string            // 书面说明 of why the deadline was missed
	Year                                    int               // 年度 of a yearly kind, otherwise 0
	Note                                    string            // what the person asking wrote
	Fields                                  map[string]string // what stands in the definition's own fields, by id
	Materials                               map[string]int    // pieces of evidence of each sort that the definition names
}

// TimedFacts are the facts that change while nobody does anything. They do so at midnight only.
var TimedFacts = []string{"DaysLeft", "WorkdaysInStage", "ObjectionsLate"}

// Site is what one installation decides about time.
type Site struct {
	Location              *time.Location // deadlines end at its midnight
	RemindHour, RemindMin int            // when reminders of a day go out, local time
}

// Case is everything outside the project that deciding depends on. Equal cases decide equally.
type Case struct {
	Workflow *Workflow
	Calendar *calendar.Calendar
	Site     Site
	Now      time.Time
	Who      Actor
	Log      string        // installation id and epoch, for entries
	NewID    func() string // ids of entries and reminders
}

func (c *Case) today() calendar.Date { return calendar.DateOf(c.Now, c.Site.Location) }

// facts reads the project at the case's moment; note is what the person asking wrote.
func (c *Case) facts(p *Project, note string) Facts {
	f := Facts{
		Title: p.Title, Category: p.Category, Need: p.Need, Target: p.Target, Measures: p.Measures, List: p.List,
		HasOwner: p.Owner != "", HasSponsor: p.Sponsor != "", Assisting: len(p.Assisting),
		Started: p.StartedAt != nil, HasDeadline: !p.Deadline.IsZero(), Overdue: p.OverdueAt != nil, EverOverdue: p.EverOverdue,
		Extensions: p.Extensions, Returns: p.Returns, Round: p.Round, Acknowledged: p.AcknowledgedAt != nil,
		Milestones: len(p.Milestones), MilestonesDone: p.MilestonesDone(), RouteGaps: p.routeGaps(),
		Progress: p.Progress, Reports: p.Reports, Evidence: p.EvidenceCount,
		Verified: p.Verification != nil && p.Verification.Passed,
		Votes:    p.Survey.Votes(), OpenObjections: p.OpenObjections(), Summary: p.Summary, Lasting: p.Lasting, Note: note,
		Statement: p.Statement, Year: p.Year, Fields: c.Workflow.fields(p), Materials: p.Materials,
	}
	if f.HasDeadline {
		f.DaysLeft = c.today().DaysUntil(p.Deadline)
		for _, m := range p.Milestones {
			if m.Due.After(p.Deadline) {
				f.MilestonesLate++
			}
		}
	}
	for _, o := range p.Objections {
		if o.AnsweredAt == nil && !o.Due.IsZero() && c.today().After(o.Due) {
			f.ObjectionsLate++
		}
	}
	entered := calendar.DateOf(p.StageSince, c.Site.Location)
	if n, _ := c.Calendar.Workdays(entered, c.today().AddDays(-1)); n > 0 {
		f.WorkdaysInStage = n
	}
	if s := p.Survey; f.Votes > 0 {
		f.HighlySatisfiedRate = 100 * (s.VerySatisfied + s.Satisfied) / f.Votes
		f.SatisfiedRate = 100 * (s.VerySatisfied + s.Satisfied + s.Basic) / f.Votes
	}
	return f
}

// inputs are the facts as an entry carries them: a longer text goes in by digest, so that no project is too wordy
// to be moved by a rule.
func (f Facts) inputs() Facts {
	const short = 200 // bytes
	f.Fields = maps.Clone(f.Fields)
	for id, s := range f.Fields {
		if len(s) > short {
			f.Fields[id] = "sha256:" + audit.HashContent([]byte(s)).String()
		}
	}
	for _, s := range []*string{&f.Title, &f.Category, &f.Need, &f.Target, &f.Measures, &f.List, &f.Summary, &f.Lasting, &f.Statement, &f.Note} {
		if len(*s) > short {
			*s = "sha256:" + audit.HashContent([]byte(*s)).String()
		}
	}
	return f
}
