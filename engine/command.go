package engine

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Draft is what people write about a project while it is in 谋划.
type Draft struct {
	Title      string
	Category   string
	Need       string
	Target     string
	Measures   string
	Owner      UserID
	Assistants []UserID
	Sponsor    UserID
	Assisting  []string
	List       string
	Deadline   calendar.Date
	Year       int // 年度 of a yearly kind; 0 = the present one
	Extra      map[string]string
}

// Create proposes a project. The engine fills in what is not the caller's to choose.
type Create struct {
	ID        ProjectID
	Number    string
	Unit      Unit
	Draft     Draft
	SourceKey string // of an imported row
	Source    map[string]any
	// Milestones that an imported row brings along. Whoever types an item lays them in 部署.
	Milestones []Milestone
}

func (x Create) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.mayCreate(x.Unit)
	if err != nil {
		return outcome{}, err
	}
	p.UnitID, p.UnitPath = x.Unit.ID, x.Unit.Path
	p.ID, p.Number, p.Kind, p.Definition = x.ID, x.Number, c.Workflow.ID, c.Workflow.Digest
	p.Stage, p.StageSince = c.Workflow.Initial(), c.Now
	p.CreatedBy, p.CreatedAt = c.Who.ID, c.Now
	p.SourceKey = x.SourceKey
	// A ledger from last spring has dates that have passed, and they are part of what is taken over; the gate
	// out of 谋划 asks for a date ahead. Nobody types a past date by hand, though.
	past := x.SourceKey != ""
	if err := x.Draft.write(c, p, past); err != nil {
		return outcome{}, err
	}
	action := "create"
	if past {
		action = "import"
		if len(x.Milestones) > 0 {
			if _, err := p.lay(x.Milestones); err != nil {
				return outcome{}, err
			}
		}
	}
	return outcome{action: action, as: as, to: p.Stage, data: x.Source}, nil
}

// mayCreate tells by which authority the case's actor may propose a project of the workflow at a unit.
func (c *Case) mayCreate(u Unit) (authority, error) {
	as, ok := c.may(&Project{UnitID: u.ID, UnitPath: u.Path}, c.Workflow.Create)
	if !ok && !c.Who.system {
		return as, denied("create.role", "roles", roleNameList(c.Workflow.Create), "kind", c.Workflow.Name)
	}
	return as, open(u)
}

// write puts a whole draft on the project.
func (d Draft) write(c *Case, p *Project, past bool) error {
	var err error
	put := func(dst *string, field, value string, limit int) {
		if err == nil {
			*dst, err = text(field, value, limit)
		}
	}
	put(&p.Title, "title", d.Title, maxTitle)
	put(&p.Category, "category", d.Category, maxTitle)
	put(&p.Need, "need", d.Need, maxText)
	put(&p.Target, "target", d.Target, maxText)
	put(&p.Measures, "measures", d.Measures, maxText)
	if p.ListID != "" && d.List == "" { // whoever leaves it out does not take it off the list
		d.List = p.List
	}
	if p.ListID != "" && d.List != p.List {
		return invalid("list", "lists.item_fixed", "number", p.List)
	}
	put(&p.List, "list", d.List, 40)
	if err != nil {
		return err
	}
	if p.Title == "" {
		return invalid("title", "field.empty")
	}
	if !d.Deadline.IsZero() && d.Deadline != p.Deadline {
		if err := c.futureDate("deadline", d.Deadline); err != nil && !past {
			return err
		}
	}
	if p.StartedAt != nil && d.Deadline != p.Deadline { // back in 谋划: no way round the limits of extensions
		if d.Deadline.IsZero() {
			return invalid("deadline", "field.empty")
		}
		if last := c.lastExtension(p); d.Deadline.After(last) {
			return invalid("deadline", "extension.too_far", "date", last, "months", c.Workflow.Extension.Months)
		}
	}
	if d.Deadline != p.Deadline {
		p.Deadline, p.DeadlineSetAt, p.OverdueAt = d.Deadline, at(c.Now), nil
	}
	if d.Owner != "" && slices.Contains(d.Assistants, d.Owner) {
		return invalid("assistants", "assistants.owner")
	}
	for _, l := range []struct {
		field      string
		n, largest int
	}{{"assistants", len(d.Assistants), 20}, {"assisting", len(d.Assisting), 40}, {"extra", len(d.Extra), 40}} {
		if l.n > l.largest {
			return invalid(l.field, "field.too_many")
		}
	}
	for _, name := range d.Assisting {
		if _, err := text("assisting", name, maxTitle); err != nil {
			return err
		}
	}
	for name, value := range d.Extra {
		if _, err := text("extra", name, maxTitle); err != nil {
			return err
		}
		if _, err := text("extra", value, maxText); err != nil {
			return err
		}
	}
	if err := c.setYear(p, d.Year); err != nil {
		return err
	}
	c.assign(p, d.Owner)
	p.Assistants, p.Sponsor, p.Assisting, p.Extra = d.Assistants, d.Sponsor, d.Assisting, d.Extra
	return nil
}

// setYear puts a project of a yearly kind into a year. Other kinds have none.
func (c *Case) setYear(p *Project, year int) error {
	if !c.Workflow.Yearly {
		if year != 0 {
			return invalid("year", "year.not_yearly", "kind", c.Workflow.Name)
		}
		return nil
	}
	if year == 0 {
		year = cmp.Or(p.Year, c.today().Year())
	}
	if year < 2000 || year > c.today().Year()+1 {
		return invalid("year", "year.out_of_range", "year", year, "to", c.today().Year()+1)
	}
	p.Year = year
	return nil
}

// assign names the owner. Somebody new has acknowledged nothing yet, where 签收 lies in the present stage or ahead.
func (c *Case) assign(p *Project, owner UserID) {
	if p.Owner != owner && slices.ContainsFunc(c.Workflow.stagesFrom(p), func(s Stage) bool { return has(s.Acts, ActAcknowledge) }) {
		p.AcknowledgedAt = nil
	}
	p.Owner = owner
}

// DraftOf returns the project's present draft, to be changed and sent back with Edit.
func DraftOf(p *Project) Draft {
	return Draft{Title: p.Title, Category: p.Category, Need: p.Need, Target: p.Target, Measures: p.Measures,
		Owner: p.Owner, Assistants: p.Assistants, Sponsor: p.Sponsor, Assisting: p.Assisting, List: p.List,
		Deadline: p.Deadline, Year: p.Year, Extra: p.Extra}
}

// Edit replaces the draft.
type Edit struct {
	Draft Draft
	Note  string
}

func (x Edit) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActEdit)
	if err != nil {
		return outcome{}, err
	}
	note, err := text("note", x.Note, maxNote)
	if err != nil {
		return outcome{}, err
	}
	if err := x.Draft.write(c, p, false); err != nil {
		return outcome{}, err
	}
	return outcome{action: "edit", as: as, note: note}, nil
}

// Acknowledge is the owner's 签收.
type Acknowledge struct{}

func (x Acknowledge) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActAcknowledge)
	if err != nil {
		return outcome{}, err
	}
	p.AcknowledgedAt = at(c.Now)
	return outcome{action: "acknowledge", as: as}, nil
}

// Report is a progress report. Percent is of the whole work, 0…100.
type Report struct {
	Percent                       int
	Done, Next, Problems, Support string
}

func (x Report) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActReport)
	if err != nil {
		return outcome{}, err
	}
	data, err := x.put(c, p)
	if err != nil {
		return outcome{}, err
	}
	return outcome{action: "report", as: as, data: map[string]any{"report": data}}, nil
}

// put writes the report on the project and returns what the entry says of it.
func (x Report) put(c *Case, p *Project) (map[string]any, error) {
	if x.Percent < 0 || x.Percent > 100 {
		return nil, invalid("percent", "report.percent")
	}
	data := map[string]any{"percent": x.Percent}
	for _, f := range []struct{ name, value string }{
		{"done", x.Done}, {"next", x.Next}, {"problems", x.Problems}, {"support", x.Support},
	} {
		s, err := text(f.name, f.value, maxNote)
		if err != nil {
			return nil, err
		}
		if s != "" {
			data[f.name] = s
		}
	}
	if data["done"] == nil {
		return nil, invalid("done", "field.empty")
	}
	p.Progress = x.Percent
	p.Reports++
	p.ReportedAt = at(c.Now)
	return data, nil
}

// AddEvidence binds a stored file to the project.
type AddEvidence struct {
	Name, Type string
	Size       int64
	SHA256     audit.Digest
	Milestone  string // the milestone it proves, if one
	Material   string // which of the definition's it is, if one
	Note       string
}

const maxEvidence = 500

func (x AddEvidence) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActEvidence)
	if err != nil {
		return outcome{}, err
	}
	name, err := text("name", x.Name, maxTitle)
	if err != nil {
		return outcome{}, err
	}
	media, err := text("type", x.Type, maxTitle)
	if err != nil {
		return outcome{}, err
	}
	note, err := text("note", x.Note, maxNote)
	if err != nil {
		return outcome{}, err
	}
	if name == "" {
		return outcome{}, invalid("name", "field.empty")
	}
	if x.SHA256.IsZero() || x.Size <= 0 {
		return outcome{}, invalid("file", "evidence.empty")
	}
	if p.EvidenceCount >= maxEvidence {
		return outcome{}, invalid("file", "evidence.too_many", "limit", maxEvidence)
	}
	if _, ok := p.Milestones[x.Milestone]; x.Milestone != "" && !ok {
		return outcome{}, invalid("milestone", "milestone.unknown", "id", x.Milestone)
	}
	if err := c.material(x.Material); err != nil {
		return outcome{}, err
	}
	p.EvidenceCount++
	if x.Material != "" {
		if p.Materials == nil {
			p.Materials = map[string]int{}
		}
		p.Materials[x.Material]++
	}
	e := Evidence{ID: c.NewID(), ProjectID: p.ID, Name: name, Type: media, Size: x.Size, SHA256: x.SHA256,
		Milestone: x.Milestone, Material: x.Material, Note: note, By: c.Who.ID, At: c.Now}
	return outcome{action: "evidence", as: as, note: note, evidence: []Evidence{e}, data: map[string]any{"evidence": e}}, nil
}

// Urge is 催办 by hand: at most once a working day for an item.
type Urge struct{ Note string }

func (x Urge) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActUrge)
	if err != nil {
		return outcome{}, err
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	p.UrgedOn = c.today()
	p.Urges++
	return outcome{action: "urge", as: as, note: note, owed: []Reminder{{Kind: string(Urged), Role: Owner, Deadline: p.Deadline}}}, nil
}

// Verify is the record of an on-site verification. In a definition with verification triggers it also moves the
// project: the verifier's record is the approval.
type Verify struct {
	Passed bool
	Note   string
}

func (x Verify) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActVerify)
	if err != nil {
		return outcome{}, err
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	from := p.Stage
	p.Verification = &Verification{Passed: x.Passed, By: c.Who.ID, At: c.Now, Note: note}
	out := outcome{action: "verify", as: as, note: note, data: map[string]any{"passed": x.Passed},
		owed: []Reminder{{Kind: "verify", Role: Owner}}}
	on := OnVerifyFailed
	if x.Passed {
		on = OnVerifyPassed
	}
	if t, ok := c.Workflow.triggered(from, on); ok {
		if err := c.enforce(p, t, note); err != nil {
			return outcome{}, err
		}
		if err := c.move(p, t); err != nil {
			return outcome{}, err
		}
		out.from, out.to = from, p.Stage
		out.data["transition"] = t.ID
	}
	return out, nil
}

// RecordSurvey enters the counts of a satisfaction survey that was held outside, such as on paper.
type RecordSurvey struct {
	Survey Survey
	Note   string
}

func (x RecordSurvey) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActSurvey)
	if err != nil {
		return outcome{}, err
	}
	note, err := reason(x.Note) // where and how it was held
	if err != nil {
		return outcome{}, err
	}
	s := x.Survey
	for _, n := range []int{s.VerySatisfied, s.Satisfied, s.Basic, s.Dissatisfied, s.VeryDissatisfied} {
		if n < 0 || n > 1_000_000 {
			return outcome{}, invalid("survey", "survey.counts")
		}
	}
	if s.Votes() == 0 {
		return outcome{}, invalid("survey", "survey.counts")
	}
	s.By, s.At = c.Who.ID, c.Now
	p.Survey = &s
	return outcome{action: "survey", as: as, note: note}, nil
}

// Summarize writes the outcome (成效总结) and what becomes permanent (长效机制).
type Summarize struct{ Summary, Lasting string }

func (x Summarize) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActSummarize)
	if err != nil {
		return outcome{}, err
	}
	if p.Summary, err = text("summary", x.Summary, maxText); err != nil {
		return outcome{}, err
	}
	if p.Lasting, err = text("lasting", x.Lasting, maxText); err != nil {
		return outcome{}, err
	}
	if p.Summary == "" {
		return outcome{}, invalid("summary", "field.empty")
	}
	return outcome{action: "summarize", as: as}, nil
}

// GiveStatement is the 书面说明 of why the deadline was missed.
type GiveStatement struct{ Text string }

func (x GiveStatement) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActStatement)
	if err != nil {
		return outcome{}, err
	}
	words, err := text("text", x.Text, maxText)
	if err != nil {
		return outcome{}, err
	}
	if utf8.RuneCountInString(words) < minStatement {
		return outcome{}, invalid("text", "note.too_short", "limit", minStatement)
	}
	p.Statement = words
	return outcome{action: "statement", as: as}, nil
}

// minStatement is the least that a 书面说明 says, in runes: what was missed, why, and what follows.
const minStatement = 20
