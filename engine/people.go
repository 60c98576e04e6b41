package engine

import (
	"slices"
	"strings"
	"time"

	"bihuan/engine/audit"
)

// Identifiers. All are UUIDv7 in text form, chosen by the engine, except RoleID and the like, which are words.
type (
	ProjectID    string
	UserID       string
	UnitID       string
	TokenID      string
	DelegationID string
	ListID       string
)

// Role is what a person may do at a unit and everything under it.
type Role string

// The roles that are granted at units.
const (
	Secretary  Role = "secretary"  // 支部书记
	Supervisor Role = "supervisor" // 督导员
	Leader     Role = "leader"     // 党委领导
	Inspector  Role = "inspector"  // 督查员
	Admin      Role = "admin"      // 系统管理员
	Security   Role = "security"   // 安全管理员
)

// The relations that a person has to one project; definitions name them where they name roles.
const (
	Owner     Role = "owner"     // 承办人
	Assistant Role = "assistant" // 协办人
	Sponsor   Role = "sponsor"   // 领办领导
)

// Asked stands, in the addressees of a timer, for those whose answer the pending request waits for.
const Asked Role = "asked"

// Roles lists the roles that can be granted; Relations those that follow from a project.
var (
	Roles     = []Role{Secretary, Supervisor, Leader, Inspector, Admin, Security}
	Relations = []Role{Owner, Assistant, Sponsor}
)

// roleNames are shown wherever a role is named to people.
var roleNames = map[Role]Text{
	Secretary: {"支部书记", "branch secretary"}, Supervisor: {"督导员", "supervisor"}, Leader: {"党委领导", "leader"},
	Inspector: {"督查员", "inspector"}, Admin: {"系统管理员", "administrator"}, Security: {"安全管理员", "security administrator"},
	Asked: {"审批人", "approver"}, Member: {"党员", "member"}, Owner: {"承办人", "owner"}, Assistant: {"协办人", "assistant"}, Sponsor: {"领办领导", "sponsor"},
}

// In returns the role's name in the given language.
func (r Role) In(lang string) string {
	if t, ok := roleNames[r]; ok {
		return t.In(lang)
	}
	return string(r)
}

// Granted reports whether r is a role that can be granted at a unit.
func (r Role) Granted() bool { return slices.Contains(Roles, r) }

// Known reports whether definitions may name r.
func (r Role) Known() bool { return r.Granted() || slices.Contains(Relations, r) }

// Unit is a node of the organisation: 党委, 二级单位, 支部. Path is the chain of ids from the root, with a
// slash on both ends ("/a/b/"), so that a prefix test with the boundary decides who is under whom.
type Unit struct {
	ID        UnitID     `json:"id" gorm:"primaryKey"`
	ParentID  UnitID     `json:"parent_id,omitempty"`
	Path      string     `json:"path"`
	Code      string     `json:"code"` // short code that people and scripts use; unique
	Name      string     `json:"name"`
	CreatedAt time.Time  `json:"created_at" gorm:"autoCreateTime:false"`
	ClosedAt  *time.Time `json:"closed_at,omitempty"` // 撤销: nothing new begins at it
	Version   int64      `json:"version"`
}

// Under reports whether the unit at path lies at or under the unit at root.
func Under(path, root string) bool { return root != "" && strings.HasPrefix(path, root) }

// Grant is a role held at a unit.
type Grant struct {
	Role   Role   `json:"role"`
	UnitID UnitID `json:"unit_id"`
	Path   string `json:"-"` // of the unit, filled in when a user is read
	By     UserID `json:"-"` // whose role it is, if it is held by delegation (委托); never stored
}

// User is a person with an account. Login and Name are personal data: entries carry a salted commitment to
// them, never the text.
type User struct {
	ID        UserID    `json:"id" gorm:"primaryKey"`
	Login     string    `json:"-"` // unique
	Name      string    `json:"-"`
	Personal  string    `json:"personal"` // hex commitment to Login and Name
	Disabled  bool      `json:"disabled,omitempty"`
	Grants    []Grant   `json:"grants,omitempty" gorm:"serializer:json"`
	TwoFactor bool      `json:"two_factor,omitempty"` // signs in with one-time codes besides
	Erasure   *Erasure  `json:"erasure,omitempty" gorm:"serializer:json"`
	CreatedAt time.Time `json:"created_at" gorm:"autoCreateTime:false"`
	Version   int64     `json:"version"`
}

// Token is a bearer token of a user. Only the SHA-256 of the secret is stored.
type Token struct {
	ID        TokenID    `json:"id" gorm:"primaryKey"`
	UserID    UserID     `json:"user_id"`
	Name      string     `json:"name"`
	Hash      []byte     `json:"-"`
	CreatedAt time.Time  `json:"created_at" gorm:"autoCreateTime:false"`
	ExpiresAt time.Time  `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Scope     TokenScope `json:"scope,omitempty"`
	UsedAt    *time.Time `json:"-"` // last use, to the minute; not a change of the token
	Version   int64      `json:"version"`
}

// Via says through which door a command came; it stands in every entry.
const (
	ViaAPI     = audit.ViaAPI
	ViaConsole = audit.ViaConsole
	ViaCLI     = audit.ViaCLI
	ViaClock   = audit.ViaClock
)

// Actor is who asks: a user with the roles held at this moment, or an actor that is nobody's account. Engine.Actor makes
// one of a user.
type Actor struct {
	ID        UserID
	Version   int64      // of the user when the roles were read; a change is only written while it is still that
	Grants    []Grant    // the user's own, then those held by delegation
	Eyes      []UserID   // others who count as the same pair of eyes: whom a delegation ties to the user, either way
	Limit     TokenScope // of the token that the actor came with
	Via       string
	RequestID string          // for the log and the entry
	Key       *IdempotencyKey // the caller's idempotency key, if any
	system    bool
}

// Operator is the person at the server's command line: no account, and whoever holds the database already
// holds more. Operators import and set up; they never decide about a project.
func Operator() Actor { return Actor{ID: "operator", Via: ViaCLI, system: true} }

// clock is the actor of sweeps.
func clockActor() Actor { return Actor{ID: "clock", Via: ViaClock, system: true} }

// Has returns the grant that gives the actor the role at the unit with the path, if any. The nearest grant
// (the longest path) wins, so that the entry names the closest authority relied on.
func (a Actor) Has(role Role, path string) (Grant, bool) {
	var best Grant
	for _, g := range a.Grants {
		if g.Role == role && Under(path, g.Path) && len(g.Path) > len(best.Path) {
			best = g
		}
	}
	return best, best.Path != ""
}

// same reports whether the user and the actor count as one pair of eyes.
func (a Actor) same(id UserID) bool {
	return id != "" && (id == a.ID || slices.Contains(a.Eyes, id))
}

// Scope returns the unit paths under which the actor reads everything, without those that others cover.
func (a Actor) Scope() []string {
	var paths []string
	for _, g := range a.Grants {
		paths = append(paths, g.Path)
	}
	slices.Sort(paths)
	out := paths[:0]
	for _, p := range paths {
		if len(out) == 0 || !Under(p, out[len(out)-1]) {
			out = append(out, p)
		}
	}
	return out
}

// home is the unit of the actor's first role; "" without one.
func (a Actor) home() UnitID {
	if len(a.Grants) == 0 {
		return ""
	}
	return a.Grants[0].UnitID
}

// Covers reports whether the actor reads everything at the unit with the path: by a role there or above.
func (a Actor) Covers(path string) bool {
	return a.system || slices.ContainsFunc(a.Grants, func(g Grant) bool { return Under(path, g.Path) })
}

// Sees reports whether the actor may read the project: by role at its unit or above, or by having a part in it.
func (a Actor) Sees(p *Project) bool { return a.Covers(p.UnitPath) || p.Has(a.ID) }
