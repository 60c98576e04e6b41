package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// ImportRow is one row of a ledger, ready to become a project.
type ImportRow struct {
	Row    int // as a person would count it in the file
	Unit   Unit
	Draft  Draft
	Number string            // 序号 as written
	Source map[string]string // what the entry keeps of the row: file digest, row, reading of the deadline
	// Milestones are the dated steps that the row speaks of.
	Milestones []Milestone
	// Project is the item that the row speaks of, where it is one already; nothing is made of the row then.
	Project ProjectID
	// Progress is what the row says of an item that is a project already; nil: nothing.
	Progress *LedgerProgress
}

// key identifies the row's item, so that a second import of the same ledger finds it: what the item is, not
// where the file lay.
func (r ImportRow) key(kind string) string {
	parts := []string{kind, string(r.Unit.ID), strings.Join(strings.Fields(r.Draft.Title), ""), r.Number, r.Draft.Deadline.String()}
	if r.Draft.Year > 0 && r.Draft.Deadline.IsZero() { // otherwise the deadline tells the years apart
		parts = append(parts, strconv.Itoa(r.Draft.Year))
	}
	return audit.HashContent([]byte(strings.Join(parts, "\n"))).String()
}

// RowProblem is why a row cannot be imported.
type RowProblem struct {
	Row int
	Err error
}

// Imported is the result of an import.
type Imported struct {
	Created  []Project         // or what would be created, of a dry run, in the order of their rows
	From     []int             // of each of Created, its row
	Known    map[int]ProjectID // by row, the project that it is already
	Problems []RowProblem      // when there is one, nothing was created
	Reported []int             // rows whose progress was reported on their project, or would be
	Untold   []RowProblem      // rows whose progress was not, and why: the stage, or the person's rights
}

// Import turns rows into projects, all or none: a row that cannot become a project keeps every other out, and is
// reported. Of rows that were imported before only the progress is taken over, once, as a report on their project. With
// dry nothing is written.
//
// Who may create a project of the kind at a unit may import rows for it; one row that the person may not create
// refuses the whole, also when it is known already, because otherwise rows could be guessed.
func (e *Engine) Import(ctx context.Context, who Actor, kind string, rows []ImportRow, dry bool) (Imported, error) {
	for attempt := 0; ; attempt++ {
		out, c, fresh, reports, err := e.importable(ctx, who, kind, rows)
		if err != nil {
			return out, err
		}
		if dry || len(fresh)+len(reports) == 0 {
			for _, v := range fresh {
				out.Created = append(out.Created, v.next)
			}
			return out, nil
		}
		var changes []Change
		if len(fresh) > 0 {
			if changes, err = e.numbered(ctx, c, fresh); err != nil {
				return Imported{}, err
			}
		}
		changes = append(changes, reports...)
		err = e.Store.Act(ctx, nil, changes)
		switch {
		case err == nil:
			for i := range fresh {
				out.Created = append(out.Created, changes[i].Project)
			}
			return out, nil
		case !again(err, attempt):
			return Imported{}, conflict(fmt.Errorf("import: %w", err))
		}
	}
}

// importable decides every row; the verdicts are those that make the projects, and the changes those of projects that
// progress is reported on. There are none while anything is wrong.
func (e *Engine) importable(ctx context.Context, who Actor, kind string, rows []ImportRow) (Imported, *Case, []*verdict, []Change, error) {
	out := Imported{Known: map[int]ProjectID{}}
	w, err := e.Workflow(kind)
	if err != nil {
		return out, nil, nil, nil, err
	}
	c := e.moment(w, who)
	if err := e.mayImport(ctx, c, rows); err != nil {
		return out, nil, nil, nil, err
	}
	fresh, err := e.freshRows(ctx, c, rows, &out)
	if err == nil && len(fresh) > 0 { // of a kind that was switched off what runs goes on, and its progress comes in
		_, err = e.Offered(kind)
	}
	if err != nil {
		return Imported{}, nil, nil, nil, err
	}
	reports, err := e.progressOf(ctx, c, rows, &out)
	if err != nil {
		return Imported{}, nil, nil, nil, err
	}
	if len(out.Problems) > 0 {
		out.From, out.Reported, fresh, reports = nil, nil, nil, nil
	}
	return out, c, fresh, reports, nil
}

// numbered gives each new project its 编号 and writes its entry.
func (e *Engine) numbered(ctx context.Context, c *Case, fresh []*verdict) ([]Change, error) {
	numbers, err := e.numbers(ctx, c, len(fresh))
	if err != nil {
		return nil, err
	}
	changes := make([]Change, len(fresh))
	for i := range fresh {
		fresh[i].next.Number = numbers[i]
		if changes[i], err = fresh[i].seal(); err != nil {
			return nil, err
		}
		fresh[i], changes[i].Entry.Data = nil, nil // there are tens of thousands, and the bytes have the data
	}
	return changes, nil
}

// mayImport refuses the whole where one row is at a unit at which the person may not create.
func (e *Engine) mayImport(ctx context.Context, c *Case, rows []ImportRow) error {
	asked := map[UnitID]bool{}
	for _, r := range rows {
		if asked[r.Unit.ID] {
			continue
		}
		asked[r.Unit.ID] = true
		if _, err := c.mayCreate(r.Unit); err != nil {
			return e.deny(ctx, c.Who, "import", SubjectUnit+"/"+string(r.Unit.ID), err)
		}
	}
	return nil
}

// freshRows decides every row: what is known already and what is wrong goes into out, with the projects that the
// others would be, which it returns.
func (e *Engine) freshRows(ctx context.Context, c *Case, rows []ImportRow, out *Imported) ([]*verdict, error) {
	keys := make([]string, len(rows))
	first := map[string]int{}
	twice := map[int]bool{}
	for i, r := range rows {
		if r.Project != "" {
			continue
		}
		keys[i] = r.key(c.Workflow.ID)
		if j, ok := first[keys[i]]; ok {
			out.Problems = append(out.Problems, RowProblem{r.Row, invalid("title", "import.same_row", "row", rows[j].Row)})
			twice[i] = true
			continue
		}
		first[keys[i]] = i
	}
	known, err := e.Store.Known(ctx, keys)
	if err != nil {
		return nil, err
	}
	type yearSlot struct {
		unit UnitID
		year int
	}
	years := map[yearSlot]int{} // the row that takes it
	var fresh []*verdict
	find := e.finding(ctx)
	for i, r := range rows {
		id := r.Project
		if id == "" {
			id = known[keys[i]]
		}
		if id != "" {
			out.Known[r.Row] = id
			continue
		}
		if twice[i] {
			continue
		}
		cmd := Create{ID: ProjectID(e.NewID()), Number: "?", Unit: r.Unit, Draft: r.Draft, SourceKey: keys[i], Source: map[string]any{"source": r.Source}, Milestones: r.Milestones}
		v, err := e.judgeRow(ctx, c, &cmd, find)
		if err == nil && v.next.Year > 0 {
			slot := yearSlot{v.next.UnitID, v.next.Year}
			if j, ok := years[slot]; ok {
				err = invalid("year", "import.same_year", "row", j, "year", slot.year)
			}
			years[slot] = r.Row
		}
		if err != nil {
			if KindOf(err) == 0 { // the store, not the row
				return nil, err
			}
			out.Problems = append(out.Problems, RowProblem{r.Row, err})
			continue
		}
		out.From = append(out.From, r.Row)
		fresh = append(fresh, v)
	}
	return fresh, nil
}

// finding returns what finds users and asks the store once for each: a ledger names few, again and again.
func (e *Engine) finding(ctx context.Context) func(id UserID) (User, error) {
	type answer struct {
		user User
		err  error
	}
	known := map[UserID]answer{}
	return func(id UserID) (User, error) {
		x, ok := known[id]
		if !ok {
			x.user, x.err = e.Store.User(ctx, string(id))
			known[id] = x
		}
		return x.user, x.err
	}
}

// judgeRow decides what a row becomes but for its number. A project whose entry would be too large is refused before it
// is given one, because numbers are lost on what is refused; hardly any is so large that this takes writing the entry.
func (e *Engine) judgeRow(ctx context.Context, c *Case, cmd *Create, find func(UserID) (User, error)) (*verdict, error) {
	if err := cmd.Draft.named(find, c.Workflow, &Project{UnitPath: cmd.Unit.Path}); err != nil {
		return nil, err
	}
	v, err := judge(c, new(Project), *cmd)
	if err != nil {
		return nil, err
	}
	if len(state(cmd)) > audit.MaxEntry/2 {
		if _, err = v.seal(); err != nil {
			return nil, err
		}
	}
	// What was is taken over as it was, whatever it owes; only what is proposed for this year waits for that.
	return v, e.free(ctx, c.Workflow, &v.next, v.next.Year >= c.today().Year())
}

// Task is an item of somebody's to-do list.
type Task struct {
	Project Project
	Why     string // approve, verify, look_back, acknowledge, own
}

// todoLimit bounds each part of a to-do list.
const todoLimit = MaxPage

// Todo lists what waits for a person: requests they can answer, items to verify or acknowledge, then their own
// open items by deadline.
func (e *Engine) Todo(ctx context.Context, who Actor) ([]Task, error) {
	var roles []Role
	for _, g := range who.Grants {
		if !has(roles, g.Role) {
			roles = append(roles, g.Role)
		}
	}
	var out []Task
	if len(roles) > 0 {
		page, err := e.List(ctx, who, Filter{Waiting: roles, Sort: ByDeadline, Limit: todoLimit})
		if err != nil {
			return nil, err
		}
		for _, p := range page.Items {
			w, err := e.Pinned(ctx, &p)
			if err != nil {
				return nil, err
			}
			c := e.moment(w, who)
			if _, _, reasons := c.answerReasons(&p); permits(reasons) {
				out = append(out, Task{p, "approve"})
			} else if _, reasons := c.reasons(&p, ActVerify); permits(reasons) {
				out = append(out, Task{p, "verify"})
			} else if _, reasons := c.lookBackReasons(&p); permits(reasons) {
				out = append(out, Task{p, string(actLookBack)})
			}
		}
	}
	page, err := e.List(ctx, who, Filter{Owner: who.ID, Open: true, Sort: ByDeadline, Limit: todoLimit})
	if err != nil {
		return nil, err
	}
	for _, p := range page.Items {
		why := "own"
		if p.Waiting == ","+string(Owner)+"," {
			why = "acknowledge"
		}
		out = append(out, Task{p, why})
	}
	return out, nil
}

// List selects projects within what the actor may see.
func (e *Engine) List(ctx context.Context, who Actor, f Filter) (Page[Project], error) {
	f.Scope, f.Now = who.scope(), e.now()
	return e.Store.Projects(ctx, f)
}

// Headings lists the columns of imported ledgers that have no field and that something the actor may see has.
func (e *Engine) Headings(ctx context.Context, who Actor, f Filter) ([]string, error) {
	f.Scope, f.Now = who.scope(), e.now()
	return e.Store.Headings(ctx, f)
}

// Counts sums up what the actor may see.
func (e *Engine) Counts(ctx context.Context, who Actor, f Filter) (Counts, error) {
	f.Scope, f.Now = who.scope(), e.now()
	return e.Store.Count(ctx, f)
}

// Spans counts what of the projects that the actor may see fell into each of consecutive stretches of days. bounds
// are the first days of the stretches, and at the end the day after the last.
func (e *Engine) Spans(ctx context.Context, who Actor, f Filter, bounds []calendar.Date) ([]Span, error) {
	f.Scope, f.Now = who.scope(), e.now()
	out := make([]Span, max(0, len(bounds)-1))
	for i := range out {
		from, next := bounds[i], bounds[i+1]
		out[i] = Span{From: from, To: next.AddDays(-1), Start: from.Start(e.Site.Location), End: next.Start(e.Site.Location)}
	}
	return out, e.Store.Spans(ctx, f, out)
}

// Trail selects entries within what the actor may see.
func (e *Engine) Trail(ctx context.Context, who Actor, f EntryFilter) (Page[EntryRow], error) {
	f.Scope = who.scope()
	return e.Store.Entries(ctx, f)
}

// scope is what bounds the actor's reading; nil for the system itself.
func (a Actor) scope() *Scope {
	if a.system {
		return nil
	}
	return &Scope{Paths: a.Scope(), User: a.ID}
}
