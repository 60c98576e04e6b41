package engine

import "slices"

// officePolicy says which office each action about people, units and settings needs; the role has to be held above
// what the action is about. An action without a row here is nobody's. What people do to projects stands in actRoles,
// asking for and answering transitions in the definitions, as does who creates and imports at a unit and so keeps or
// forgets what is remembered about the columns of its ledgers, and what people do to their own tokens and delegations
// needs no role. No role is a superuser: the administrator (admin) decides no project and grants nothing, the
// security administrator grants and does nothing else, the inspector reads. The operator at the command line holds the
// database anyway and sets up.
var officePolicy = map[string]Role{
	"add_unit": Admin, "rename_unit": Admin, "move_unit": Admin, "close_unit": Admin, "reopen_unit": Admin,
	"add_user": Admin, "enable": Admin, "disable": Admin, "set_password": Admin, "remove_totp": Admin, "link_identity": Admin, "unlink_identity": Admin, "end_sessions": Admin, "open_work": Admin, "leave": Admin,
	"import_people": Admin,
	"publish":       Admin, "enable_workflow": Admin, "disable_workflow": Admin, "enable_tally": Admin, "disable_tally": Admin, "repin": Admin, "load_calendar": Admin,
	"propose_sheet": Admin, "withdraw_sheet": Admin, "adopt_sheet": Leader, "reject_sheet": Leader,
	"channel": Admin, "settings": Admin, "wording": Admin, "replay": Admin,
	"grant": Security, "revoke": Security,
	"export_trail_bundle": Inspector,
}

// sharedPolicy says which actions either of several offices may begin and another of them has to end.
var sharedPolicy = map[string][]Role{
	"ask_erasure": {Admin, Security}, "erase": {Admin, Security}, "end_erasure": {Admin, Security},
}

// tallyPolicy says which roles at a member's unit or above it each act on yearly counts needs; what the member enters
// and takes back is the definition's to say.
var tallyPolicy = map[string][]Role{
	"enrol_member": {Secretary, Supervisor}, "strike_member": {Secretary, Supervisor}, "enter_hours": {Secretary, Supervisor},
	tallyConfirm: {Secretary, Supervisor}, tallyDecline: {Secretary, Supervisor}, tallyWithdraw: {Secretary, Supervisor},
}

// personalPolicy lists what everybody may do about themselves.
var personalPolicy = []string{"sign_in", "sign_out", "issue_token", "revoke_token", "delegate", "end_delegation", "end_sessions", "set_password", "enrol_totp", "renew_recovery", "remove_totp", "link_identity", "unlink_identity",
	"settings", "new_feed", "end_feed"}

// Policy is one row of what an action needs, for people to read.
type Policy struct {
	Action string
	Roles  []Role // any of them; none: about oneself alone
}

// Policies lists every action that the engine knows, in the order of their names: those about people, units and
// settings, those about oneself, and those on projects that do not depend on the definition.
func Policies() []Policy {
	var out []Policy
	for action, role := range officePolicy {
		out = append(out, Policy{action, []Role{role}})
	}
	for action, roles := range sharedPolicy {
		out = append(out, Policy{action, roles})
	}
	for action, roles := range tallyPolicy {
		out = append(out, Policy{action, roles})
	}
	for act, roles := range actRoles {
		out = append(out, Policy{string(act), roles})
	}
	for _, action := range personalPolicy {
		if _, both := officePolicy[action]; !both {
			out = append(out, Policy{Action: action})
		}
	}
	slices.SortFunc(out, func(a, b Policy) int {
		if a.Action < b.Action {
			return -1
		}
		return 1
	})
	return out
}
