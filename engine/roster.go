package engine

import (
	"context"
	"errors"
	"slices"
	"strings"

	"bihuan/engine/audit"
)

// UnitRow is one row of a table of units.
type UnitRow struct {
	Row                int // as a person would count it in the file
	Code, Name, Parent string
}

// PersonRow is one row of a table of people: an account, and at most one role.
type PersonRow struct {
	Row         int
	Login, Name string
	Role        Role   // "" for none
	Unit        string // where the role holds: a code, a name, or names from above down with slashes between
}

// Enrolled is what a table of units or people becomes.
type Enrolled struct {
	New      []int // rows that make a unit or an account
	Known    []int // rows that are there already
	Grants   []int // rows that give a role
	Proposed []int // rows whose role is left to the security administrator
	Problems []RowProblem
}

// roll reads the units once and finds those that rows name.
type roll struct {
	byCode map[string]Unit
	byName map[string][]Unit
	names  map[UnitID]string
}

func (e *Engine) roll(ctx context.Context) (*roll, error) {
	all, err := e.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	r := &roll{byCode: map[string]Unit{}, byName: map[string][]Unit{}, names: map[UnitID]string{}}
	for _, u := range all {
		r.add(u)
	}
	return r, nil
}

func (r *roll) add(u Unit) {
	r.byCode[u.Code] = u
	r.byName[u.Name] = append(r.byName[u.Name], u)
	r.names[u.ID] = u.Name
}

// find returns the unit with the code, the one with the name, or the one at the end of names from above down. A name
// that several units have names none of them.
func (r *roll) find(field, text string) (Unit, error) {
	if u, ok := r.byCode[text]; ok {
		return u, nil
	}
	var steps []string
	for _, s := range strings.FieldsFunc(text, func(c rune) bool { return c == '/' || c == '／' }) {
		steps = append(steps, strings.TrimSpace(s))
	}
	if len(steps) == 0 {
		return Unit{}, invalid(field, "unit.unknown", "unit", text)
	}
	var found []Unit
	for _, u := range r.byName[steps[len(steps)-1]] {
		way := strings.Split(strings.Trim(u.Path, "/"), "/")
		if len(way) < len(steps) {
			continue
		}
		same := true
		for i, name := range steps {
			same = same && r.names[UnitID(way[len(way)-len(steps)+i])] == name
		}
		if same {
			found = append(found, u)
		}
	}
	switch len(found) {
	case 0:
		return Unit{}, invalid(field, "unit.unknown", "unit", text)
	case 1:
		return found[0], nil
	}
	return Unit{}, invalid(field, "unit.ambiguous", "unit", text, "n", len(found))
}

// EnrolUnits adds the units of a table, all or none: each under a unit that there is, or that stands above it in the
// table. Rows that are there already, under the same unit and name, are left alone. With dry nothing is written. source
// names the file in the entries.
func (e *Engine) EnrolUnits(ctx context.Context, who Actor, rows []UnitRow, source map[string]any, dry bool) (Enrolled, error) {
	var out Enrolled
	if err := e.requires(ctx, who, Admin, "add_unit"); err != nil {
		return out, err
	}
	r, err := e.roll(ctx)
	if err != nil {
		return out, err
	}
	var records []Record
	for _, row := range rows {
		made, err := e.enrolUnit(ctx, who, r, row, source, &out)
		if err != nil {
			if KindOf(err) == 0 {
				return out, err
			}
			out.Problems = append(out.Problems, RowProblem{row.Row, err})
			continue
		}
		records = append(records, made...)
	}
	return out, e.enrol(ctx, who, records, &out, dry)
}

func (e *Engine) enrolUnit(ctx context.Context, who Actor, r *roll, row UnitRow, source map[string]any, out *Enrolled) ([]Record, error) {
	name, err := unitWords(row.Code, row.Name)
	if err != nil {
		return nil, err
	}
	u := Unit{ID: UnitID(e.NewID()), Code: row.Code, Name: name, CreatedAt: e.now(), Version: 1}
	u.Path = "/" + string(u.ID) + "/"
	up := Unit{}
	if row.Parent != "" {
		if up, err = r.find("parent", row.Parent); err != nil {
			return nil, err
		}
		u.ParentID, u.Path = up.ID, up.Path+string(u.ID)+"/"
	}
	if err := e.MayChangeUnit(who, u); err != nil {
		return nil, err
	}
	if err := open(up); err != nil {
		return nil, err
	}
	if there, ok := r.byCode[row.Code]; ok {
		if there.Name != name || there.ParentID != u.ParentID {
			return nil, &Error{Kind: Conflict, Field: "code", Key: "unit.code_taken", Args: map[string]any{"code": row.Code}}
		}
		out.Known = append(out.Known, row.Row)
		return nil, nil
	}
	rec, err := e.seal(ctx, who, SubjectUnit+"/"+string(u.ID), "add_unit", nil, func(x *Record) (any, map[string]any) {
		x.Unit, x.Entry.Unit = &u, string(u.ID)
		x.Guard.Unit, x.Guard.Path, x.Guard.Open = up.ID, up.Path, true
		return u, withRow(source, row.Row)
	})
	if err != nil {
		return nil, err
	}
	r.add(u)
	out.New = append(out.New, row.Row)
	return []Record{rec}, nil
}

func withRow(source map[string]any, row int) map[string]any {
	return map[string]any{"source": source, "row": row}
}

// enrol writes what was made of a table, unless something is wrong with it.
func (e *Engine) enrol(ctx context.Context, who Actor, records []Record, out *Enrolled, dry bool) error {
	if len(out.Problems) > 0 || dry || len(records) == 0 {
		return nil
	}
	err := e.act(ctx, who, records, nil)
	if errors.Is(err, ErrDuplicate) { // somebody added one of them at this moment
		return &Error{Kind: Conflict, Key: "record.conflict", Err: err}
	}
	return err
}

// EnrolPeople takes a table of people over, all or none. An administrator makes the accounts, and the roles are left to
// the security administrator, who gives them from the same table to accounts that there are; each is bounded as by hand.
// The operator does both. With dry nothing is written.
func (e *Engine) EnrolPeople(ctx context.Context, who Actor, rows []PersonRow, source map[string]any, dry bool) (Enrolled, error) {
	x := enrolment{e: e, who: who, source: source, users: map[string]*enrolled{}}
	x.accounts, x.roles = only(who, Admin) == nil, only(who, Security) == nil
	if !x.accounts && !x.roles {
		return x.out, e.deny(ctx, who, "import_people", "", denied("act.role", "roles", roleNameList{Admin, Security}))
	}
	var err error
	if x.roll, err = e.roll(ctx); err != nil {
		return x.out, err
	}
	for _, row := range rows {
		if err := x.row(ctx, row); err != nil {
			if KindOf(err) == 0 {
				return x.out, err
			}
			x.out.Problems = append(x.out.Problems, RowProblem{row.Row, err})
		}
	}
	return x.out, e.enrol(ctx, who, x.records, &x.out, dry)
}

// enrolment is a table of people being taken over.
type enrolment struct {
	e               *Engine
	who             Actor
	accounts, roles bool // what the actor may do
	source          map[string]any
	roll            *roll
	users           map[string]*enrolled // by login
	records         []Record
	out             Enrolled
}

// enrolled is an account as it will be, with the end of its chain.
type enrolled struct {
	user User
	end  tail
}

func (x *enrolment) row(ctx context.Context, row PersonRow) error {
	u, err := x.account(ctx, row)
	if err != nil || row.Role == "" && row.Unit == "" {
		return err
	}
	switch {
	case !row.Role.Granted():
		return invalid("role", "role.unknown", "role", string(row.Role))
	case row.Unit == "":
		return invalid("unit", "field.empty")
	}
	at, err := x.roll.find("unit", row.Unit)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(u.user.Grants, func(g Grant) bool { return g.Role == row.Role && g.UnitID == at.ID }) {
		return nil // held already
	}
	if !x.roles {
		x.out.Proposed = append(x.out.Proposed, row.Row)
		return nil
	}
	if err := grantsAt(x.who, u.user, at); err != nil {
		return err
	}
	next := u.user
	if next.Grants, err = given(u.user, at, row.Role); err != nil {
		return err
	}
	next.Version++
	rec, err := x.e.sealAfter(x.who, &u.end, SubjectUser+"/"+string(next.ID), "grant", u.user, func(r *Record) (any, map[string]any) {
		r.User, r.Entry.Unit = &next, string(at.ID)
		r.Guard.Unit, r.Guard.Path, r.Guard.Open = at.ID, at.Path, true
		data := withRow(x.source, row.Row)
		data["role"], data["unit"] = row.Role, at.ID
		return next, data
	})
	if err != nil {
		return conflict(err)
	}
	u.user = next
	x.records = append(x.records, rec)
	x.out.Grants = append(x.out.Grants, row.Row)
	return nil
}

// account finds the row's account, or makes it. The same person may stand in several rows, one for each role.
func (x *enrolment) account(ctx context.Context, row PersonRow) (*enrolled, error) {
	name, err := text("name", row.Name, 60)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, invalid("name", "field.empty")
	}
	if !codeForm.MatchString(row.Login) {
		return nil, invalid("login", "user.bad_login", "login", row.Login)
	}
	u := x.users[row.Login]
	if u == nil {
		there, err := x.e.Store.User(ctx, row.Login)
		switch {
		case err == nil && there.Login == row.Login:
			u = &enrolled{user: there}
			if u.end, err = x.e.tail(ctx, SubjectUser+"/"+string(there.ID)); err != nil {
				return nil, err
			}
			x.out.Known = append(x.out.Known, row.Row)
		case err != nil && !errors.Is(err, ErrNotFound):
			return nil, err
		case !x.accounts:
			return nil, invalid("login", "user.unknown", "id", row.Login)
		default:
			if u, err = x.made(row, name); err != nil {
				return nil, err
			}
		}
		x.users[row.Login] = u
	}
	if u.user.Name != name { // a login that is somebody else's
		return nil, &Error{Kind: Conflict, Field: "login", Key: "user.login_taken", Args: map[string]any{"login": row.Login}}
	}
	return u, nil
}

func (x *enrolment) made(row PersonRow, name string) (*enrolled, error) {
	salt := audit.NewSalt()
	u := &enrolled{user: User{ID: UserID(x.e.NewID()), Login: row.Login, Name: name, Personal: Personal(salt, row.Login, name).String(), CreatedAt: x.e.now(), Version: 1}}
	made := u.user
	rec, err := x.e.sealAfter(x.who, &u.end, SubjectUser+"/"+string(made.ID), "add_user", nil, func(r *Record) (any, map[string]any) {
		r.User, r.Salt = &made, salt
		return made, withRow(x.source, row.Row)
	})
	if err != nil {
		return nil, err
	}
	x.records = append(x.records, rec)
	x.out.New = append(x.out.New, row.Row)
	return u, nil
}
