package intake

import (
	"context"
	"errors"
	"slices"
	"strings"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/ledger"
	"bihuan/engine/message"
)

// maxRoster is how many rows a table of units or people may have.
const maxRoster = 10_000

// Roster is a table of units or of people, and what its rows become or would become.
type Roster struct {
	Sheet string
	Rows  []RosterRow
	engine.Enrolled
	Problems []Remark // with one, nothing is taken over
	Notes    []Remark
}

// RosterRow is one row as it was read.
type RosterRow struct {
	Row       int
	Key, Name string // a unit's code or a person's login
	Role      engine.Role
	Unit      string // where the role holds, or the unit above, as written
	State     RowState
}

// RowState is what becomes of a row.
type RowState string

// What becomes of a row.
const (
	RowNew   RowState = "new"
	RowKnown RowState = "known"
	RowWrong RowState = "wrong"
)

// The headers that offices write, for each column.
var (
	unitHeaders = map[string][]string{"code": {"代码", "单位代码", "编码", "单位编码", "code"}, "name": {"名称", "单位名称", "单位", "name"},
		"parent": {"上级", "上级单位", "上级代码", "上级单位代码", "隶属", "parent"}}
	personHeaders = map[string][]string{"login": {"用户名", "登录名", "账号", "工号", "login"}, "name": {"姓名", "name"},
		"role": {"角色", "role"}, "unit": {"单位", "任职单位", "所在单位", "单位代码", "unit"}}
)

// TakeUnits takes a table of units over, or with dry only says what would become of it. An error means that the table
// could not be judged or written; what is wrong with it is in the roster.
func TakeUnits(ctx context.Context, e *engine.Engine, who engine.Actor, file string, data []byte, dry bool) (*Roster, error) {
	t, out := readRoster(data, unitHeaders, "code", "name")
	if t == nil {
		return out, nil
	}
	rows := make([]engine.UnitRow, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = engine.UnitRow{Row: r.Number, Code: t.cell(r, "code"), Name: t.cell(r, "name"), Parent: t.cell(r, "parent")}
		out.Rows = append(out.Rows, RosterRow{Row: r.Number, Key: rows[i].Code, Name: rows[i].Name, Unit: rows[i].Parent})
	}
	done, err := e.EnrolUnits(ctx, who, rows, sourceOf(file, data), dry || len(out.Problems) > 0)
	if err != nil {
		return nil, err
	}
	out.settle(t, done)
	return out, nil
}

// TakePeople takes a table of people over, or with dry only says what would become of it; see TakeUnits.
func TakePeople(ctx context.Context, e *engine.Engine, who engine.Actor, file string, data []byte, dry bool) (*Roster, error) {
	t, out := readRoster(data, personHeaders, "login", "name")
	if t == nil {
		return out, nil
	}
	rows := make([]engine.PersonRow, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = engine.PersonRow{Row: r.Number, Login: t.cell(r, "login"), Name: t.cell(r, "name"), Role: roleNamed(t.cell(r, "role")), Unit: t.cell(r, "unit")}
		if rows[i].Role == "" { // a unit without a role says where somebody sits, which accounts do not know
			rows[i].Unit = ""
		}
		out.Rows = append(out.Rows, RosterRow{Row: r.Number, Key: rows[i].Login, Name: rows[i].Name, Role: rows[i].Role, Unit: rows[i].Unit})
	}
	done, err := e.EnrolPeople(ctx, who, rows, sourceOf(file, data), dry || len(out.Problems) > 0)
	if err != nil {
		return nil, err
	}
	out.settle(t, done)
	for _, row := range done.Proposed {
		out.Notes = append(out.Notes, Remark{Row: row, Key: "roster.role_proposed", said: sentence{key: "roster.role_proposed"}})
	}
	return out, nil
}

// roleNamed reads a role as the product names it, in either language, or its word; what is none is kept for the refusal.
func roleNamed(text string) engine.Role {
	for _, r := range engine.Roles {
		for _, lang := range message.Languages {
			if text == r.In(lang) {
				return r
			}
		}
	}
	return engine.Role(text)
}

func sourceOf(file string, data []byte) map[string]any {
	return map[string]any{"file": file[strings.LastIndexAny(file, `/\`)+1:], "sha256": audit.HashContent(data).String()}
}

// rosterTable is a sheet with the columns that were recognised.
type rosterTable struct {
	*ledger.Sheet
	at map[string]int
}

func (t *rosterTable) cell(r ledger.SheetRow, column string) string {
	if i, ok := t.at[column]; ok {
		return r.Cells[i]
	}
	return ""
}

// readRoster reads the table; nil if that cannot be done, with why in the roster.
func readRoster(data []byte, headers map[string][]string, needed ...string) (*rosterTable, *Roster) {
	columns := func(header []string) map[string]int {
		at := map[string]int{}
		for i, text := range header {
			for column, words := range headers {
				if _, taken := at[column]; !taken && slices.Contains(words, strings.ToLower(text)) {
					at[column] = i
				}
			}
		}
		return at
	}
	out := &Roster{}
	sheet, err := ledger.ReadSheet(data, ledger.Options{MaxRows: maxRoster + 20, MaxCell: 400}, func(header []string) bool {
		at := columns(header)
		return !slices.ContainsFunc(needed, func(c string) bool { _, ok := at[c]; return !ok })
	}, func(header string) bool { return slices.Contains(headers["hours"], strings.ToLower(header)) })
	if bad, ok := errors.AsType[*ledger.Error](err); ok {
		said := sentence{bad.Key, bad.Args}
		if bad.Key == ledger.KeyNoTableHeader {
			var words []string
			for _, c := range needed {
				words = append(words, headers[c][0])
			}
			said.args = map[string]any{"expected": strings.Join(words, "、")}
		}
		out.Problems = append(out.Problems, Remark{Row: bad.Row, Key: bad.Key, said: said})
		return nil, out
	}
	out.Sheet = sheet.Name
	for _, p := range sheet.Problems {
		out.Problems = append(out.Problems, remark(p))
	}
	for _, p := range sheet.Notes {
		out.Notes = append(out.Notes, remark(p))
	}
	if len(sheet.Rows) > maxRoster {
		out.Problems = append(out.Problems, Remark{Key: ledger.KeyTooManyRows, said: sentence{ledger.KeyTooManyRows, map[string]any{"limit": maxRoster}}})
		return nil, out
	}
	return &rosterTable{sheet, columns(sheet.Header)}, out
}

// settle writes beside each row what becomes of it.
func (r *Roster) settle(t *rosterTable, done engine.Enrolled) {
	r.Enrolled = done
	r.Enrolled.Problems = nil
	state := map[int]RowState{}
	for _, row := range done.New {
		state[row] = RowNew
	}
	for _, row := range done.Known {
		state[row] = RowKnown
	}
	for _, p := range done.Problems {
		out := Remark{Row: p.Row, Key: "api.internal", said: sentence{key: "api.internal"}}
		if e, ok := errors.AsType[*engine.Error](p.Err); ok {
			out.Key, out.said = e.Key, e
			if i, ok := t.at[e.Field]; ok {
				out.Column = t.Header[i]
				for _, row := range t.Rows {
					if row.Number == p.Row {
						out.Text = message.Short(row.Cells[i])
					}
				}
			}
		}
		r.Problems = append(r.Problems, out)
	}
	for _, p := range r.Problems {
		state[p.Row] = RowWrong
	}
	for i := range r.Rows {
		if s := state[r.Rows[i].Row]; s != "" {
			r.Rows[i].State = s
		} else {
			r.Rows[i].State = RowKnown // a further row of the same person
		}
	}
	slices.SortStableFunc(r.Problems, func(a, b Remark) int { return a.Row - b.Row })
}
