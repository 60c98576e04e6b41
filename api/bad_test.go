package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// fault is what a case of bad input expects in the answer.
type fault struct {
	status     int
	key, field string
}

// Everything that can be wrong with a request has an answer with the field, in the reader's language, and changes
// nothing. {id} is a project in 推进 and {plan} one in 谋划; version is what If-Match says, 0 the present one.
func TestBadInput(t *testing.T) {
	long := strings.Repeat("长", 1001)
	cases := []struct {
		name, who, call string
		version         int64
		body            any
		headers         []string
		want            fault
	}{
		// The body as such.
		{"unknown field", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"done":"x","color":"red"}`, nil, fault{422, "api.unknown_field", "color"}},
		{"unknown field inside", "owner", "POST /projects/{id}/milestones", 0, `{"milestones":[{"title":"x","due":"2026-10-01","done_at":"2026-01-01"}]}`, nil,
			fault{422, "api.unknown_field", "milestones[0].done_at"}},
		{"a field in the wrong case", "owner", "POST /projects/{id}/reports", 0, `{"Percent":10,"done":"x"}`, nil, fault{422, "api.required", "percent"}},
		{"wrong type: text for a number", "owner", "POST /projects/{id}/reports", 0, `{"percent":"ten","done":"x"}`, nil, fault{422, "api.integer", "percent"}},
		{"wrong type: fraction", "owner", "POST /projects/{id}/reports", 0, `{"percent":1.5,"done":"x"}`, nil, fault{422, "api.integer", "percent"}},
		{"wrong type: a number too large for us", "owner", "POST /projects/{id}/reports", 0, `{"percent":1e30,"done":"x"}`, nil, fault{422, "api.bad_value", "percent"}},
		{"wrong type: number for text", "owner", "POST /projects/{id}/reports", 0, `{"percent":1,"done":5}`, nil, fault{422, "api.string", "done"}},
		{"wrong type: text for yes or no", "supervisor", "POST /projects/{id}/verifications", 0, `{"passed":"yes","note":"看过了的"}`, nil, fault{422, "api.boolean", "passed"}},
		{"wrong type: object for a list", "owner", "POST /projects/{id}/milestones", 0, `{"milestones":{}}`, nil, fault{422, "api.array", "milestones"}},
		{"wrong type: list for the body", "owner", "POST /projects/{id}/reports", 0, `[]`, nil, fault{422, "api.object", ""}},
		{"null where something is needed", "owner", "POST /projects/{id}/reports", 0, `{"percent":null,"done":"x"}`, nil, fault{422, "api.integer", "percent"}},
		{"missing member", "owner", "POST /projects/{id}/reports", 0, `{"percent":10}`, nil, fault{422, "api.required", "done"}},
		{"malformed JSON", "owner", "POST /projects/{id}/reports", 0, "{\"percent\":10,\n \"done\":}", nil, fault{400, "api.malformed", ""}},
		{"text in GBK", "owner", "POST /projects/{id}/reports", 0, "{\"percent\":10,\n \"done\":\"\xbf\xaa\xb9\xa4\"}", nil, fault{400, "api.not_utf8", ""}},
		{"two bodies", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"done":"x"}{}`, nil, fault{400, "api.malformed", ""}},
		{"a member given twice", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"percent":90,"done":"x"}`, nil, fault{422, "api.twice", "percent"}},
		{"a member given twice, deeper", "owner", "POST /projects/{id}/milestones", 0, `{"milestones":[{"title":"a","due":"2026-10-01"},{"title":"a","title":"b","due":"2026-10-01"}]}`, nil,
			fault{422, "api.twice", "milestones[1].title"}},
		{"a member given twice, spelt differently", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"done":"x","d\u006fne":"y"}`, nil, fault{422, "api.twice", "done"}},
		{"no body", "owner", "POST /projects/{id}/reports", 0, nil, nil, fault{422, "api.body_required", ""}},
		{"not JSON by its type", "owner", "POST /projects/{id}/reports", 0, `percent=10`, []string{"Content-Type", "application/x-www-form-urlencoded"}, fault{415, "api.media_type", ""}},
		{"too large", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"done":"` + strings.Repeat("x", 1<<20) + `"}`, nil, fault{413, "api.too_large", ""}},
		{"text with a zero character", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"done":"a\u0000b"}`, nil, fault{422, "field.not_text", "done"}},
		{"text too long", "owner", "POST /projects/{id}/reports", 0, map[string]any{"percent": 10, "done": long}, nil, fault{422, "field.too_long", "done"}},

		// Addresses and parameters.
		{"unknown id", "owner", "GET /projects/01a20acd-0000-7000-8000-000000000000", 0, nil, nil, fault{404, "project.unknown", ""}},
		{"an id that is none", "owner", "GET /projects/' OR 1=1", 0, nil, nil, fault{404, "project.unknown", ""}},
		{"no such address", "owner", "GET /project", 0, nil, nil, fault{404, "api.no_route", ""}},
		{"slash at the end", "owner", "GET /projects/", 0, nil, nil, fault{404, "api.no_route", ""}},
		{"no such method", "owner", "DELETE /projects/{id}", 0, nil, nil, fault{405, "api.no_method", ""}},
		{"unknown query parameter", "owner", "GET /projects?colour=red", 0, nil, nil, fault{422, "api.unknown_parameter", "colour"}},
		{"unknown query parameter of a change", "owner", "POST /projects/{id}/reports?force=1", 0, `{"percent":10,"done":"x"}`, nil, fault{422, "api.unknown_parameter", "force"}},
		{"limit too large", "owner", "GET /projects?limit=201", 0, nil, nil, fault{422, "api.maximum", "limit"}},
		{"limit zero", "owner", "GET /projects?limit=0", 0, nil, nil, fault{422, "api.minimum", "limit"}},
		{"limit not a number", "owner", "GET /projects?limit=many", 0, nil, nil, fault{422, "api.integer", "limit"}},
		{"no such light", "owner", "GET /projects?light=blue", 0, nil, nil, fault{422, "api.one_of", "light"}},
		{"no such order", "owner", "GET /projects?sort=title", 0, nil, nil, fault{422, "api.one_of", "sort"}},
		{"a query that cannot be read", "owner", "GET /projects?sort=title;drop", 0, nil, nil, fault{422, "api.bad_query", ""}},
		{"a parameter given twice", "owner", "GET /projects?stage=plan&stage=deploy", 0, nil, nil, fault{422, "api.twice", "stage"}},
		{"overdue neither yes nor no", "owner", "GET /projects?overdue=maybe", 0, nil, nil, fault{422, "api.one_of", "overdue"}},
		{"bad cursor", "leader", "GET /projects?cursor=abc", 0, nil, nil, fault{422, "page.bad_cursor", "cursor"}},
		{"bad cursor of the trail", "leader", "GET /audit/entries?cursor=abc", 0, nil, nil, fault{422, "page.bad_cursor", "cursor"}},
		{"filter by an unknown unit", "leader", "GET /projects?unit=nowhere", 0, nil, nil, fault{422, "unit.unknown", "unit"}},
		{"filter by a foreign unit", "leader", "GET /projects?unit=qt", 0, nil, nil, fault{422, "unit.unknown", "unit"}},
		{"filter by an unknown person", "leader", "GET /projects?owner=nobody-here", 0, nil, nil, fault{422, "user.unknown", "owner"}},
		{"a zero character in a filter", "leader", "GET /projects?q=a%00b", 0, nil, nil, fault{422, "field.not_text", "q"}},
		{"bytes that are no text in a filter", "leader", "GET /projects?stage=%ff", 0, nil, nil, fault{422, "field.not_text", "stage"}},
		{"a time that is none", "leader", "GET /audit/entries?from=yesterday", 0, nil, nil, fault{422, "api.moment", "from"}},
		{"trail of a project that is not there", "leader", "GET /audit/entries?project=x", 0, nil, nil, fault{404, "project.unknown", ""}},
		{"unknown workflow", "leader", "GET /workflows/nothing", 0, nil, nil, fault{404, "workflow.unknown", ""}},
		{"simulation without a deadline", "leader", "GET /workflows/shishi/simulation", 0, nil, nil, fault{422, "api.required", "deadline"}},
		{"simulation backwards", "leader", "GET /workflows/shishi/simulation?start=2026-09-24&deadline=2026-09-01", 0, nil, nil, fault{422, "simulate.deadline_before_start", "deadline"}},
		{"simulation of a century", "leader", "GET /workflows/shishi/simulation?start=2026-09-24&deadline=2126-09-01", 0, nil, nil, fault{422, "deadline.too_far", "deadline"}},
		{"a day that is none", "leader", "GET /calendar/workdays?from=2026-02-30&n=1", 0, nil, nil, fault{422, "api.date", "from"}},
		{"too many working days", "leader", "GET /calendar/workdays?from=2026-02-03&n=100000", 0, nil, nil, fault{422, "api.maximum", "n"}},
		{"year out of range", "leader", "GET /calendar?year=12345", 0, nil, nil, fault{422, "api.maximum", "year"}},

		// Preconditions.
		{"no If-Match", "owner", "POST /projects/{id}/reports", -1, `{"percent":10,"done":"x"}`, nil, fault{428, "api.if_match_required", "If-Match"}},
		{"If-Match without quotes", "owner", "POST /projects/{id}/reports", -1, `{"percent":10,"done":"x"}`, []string{"If-Match", "7"}, fault{422, "api.if_match", "If-Match"}},
		{"If-Match with a star", "owner", "POST /projects/{id}/reports", -1, `{"percent":10,"done":"x"}`, []string{"If-Match", "*"}, fault{422, "api.if_match", "If-Match"}},
		{"weak If-Match", "owner", "POST /projects/{id}/reports", -1, `{"percent":10,"done":"x"}`, []string{"If-Match", `W/"7"`}, fault{422, "api.if_match", "If-Match"}},
		{"If-Match of version zero", "owner", "POST /projects/{id}/reports", -1, `{"percent":10,"done":"x"}`, []string{"If-Match", `"0"`}, fault{422, "api.if_match", "If-Match"}},
		{"If-Match with nothing", "owner", "POST /projects/{id}/reports", -1, `{"percent":10,"done":"x"}`, []string{"If-Match", `""`}, fault{422, "api.if_match", "If-Match"}},
		{"stale version", "owner", "POST /projects/{id}/reports", 1, `{"percent":10,"done":"x"}`, nil, fault{412, "project.stale", ""}},
		{"version of the future", "owner", "POST /projects/{id}/reports", 99, `{"percent":10,"done":"x"}`, nil, fault{412, "project.stale", ""}},
		{"idempotency key too long", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"done":"x"}`, []string{"Idempotency-Key", strings.Repeat("k", 201)}, fault{422, "api.max_length", "Idempotency-Key"}},
		{"idempotency key with a space", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"done":"x"}`, []string{"Idempotency-Key", "a b"}, fault{422, "api.idempotency_key", "Idempotency-Key"}},

		// What the engine finds.
		{"transition that does not exist", "owner", "POST /projects/{id}/transitions", 0, `{"transition":"teleport"}`, nil, fault{422, "transition.unknown", "transition"}},
		{"transition from another stage", "owner", "POST /projects/{id}/transitions", 0, `{"transition":"deploy"}`, nil, fault{409, "transition.not_from_here", ""}},
		{"transition that nobody asks for", "supervisor", "POST /projects/{id}/transitions", 0, `{"transition":"feedback"}`, nil, fault{409, "transition.not_from_here", ""}},
		{"transition whose requirements don't hold", "owner", "POST /projects/{id}/transitions", 0, `{"transition":"track"}`, nil, fault{409, "transition.unmet", ""}},
		{"nothing to approve", "supervisor", "POST /projects/{id}/approvals", 0, nil, nil, fault{409, "request.none", ""}},
		{"nothing to withdraw", "owner", "POST /projects/{id}/withdrawals", 0, nil, nil, fault{409, "request.none", ""}},
		{"return to nowhere", "supervisor", "POST /projects/{id}/returns", 0, `{"note":"重新来过"}`, nil, fault{422, "field.empty", "to"}},
		{"return to a later stage", "supervisor", "POST /projects/{id}/returns", 0, `{"to":"effect","note":"重新来过"}`, nil, fault{422, "return.not_there", "to"}},
		{"return without a reason", "supervisor", "POST /projects/{id}/returns", 0, `{"to":"plan","note":"差"}`, nil, fault{422, "note.too_short", "note"}},
		{"act of another stage", "owner", "POST /projects/{id}/acknowledge", 0, nil, nil, fault{409, "act.stage", ""}},
		{"percent beyond 100", "owner", "POST /projects/{id}/reports", 0, `{"percent":101,"done":"x"}`, nil, fault{422, "report.percent", "percent"}},
		{"nothing done", "owner", "POST /projects/{id}/reports", 0, `{"percent":10,"done":" "}`, nil, fault{422, "field.empty", "done"}},
		{"milestone that does not exist", "owner", "POST /projects/{id}/milestones/m99/done", 0, nil, nil, fault{404, "milestone.unknown", ""}},
		{"milestone on a day that is none", "owner", "POST /projects/{id}/milestones", 0, `{"milestones":[{"title":"x","due":"2026-10-01"},{"title":"y","due":"十月底"}]}`, nil, fault{422, "api.date", "milestones[1].due"}},
		{"milestone without a title", "owner", "POST /projects/{id}/milestones", 0, `{"milestones":[{"title":"","due":"2026-10-01"}]}`, nil, fault{422, "field.empty", "milestones[0].title"}},
		{"no milestones", "owner", "POST /projects/{id}/milestones", 0, `{"milestones":[]}`, nil, fault{422, "field.empty", "milestones"}},
		{"extension to the past", "owner", "POST /projects/{id}/extensions", 0, `{"deadline":"2026-01-01","note":"来不及了"}`, nil, fault{422, "deadline.past", "deadline"}},
		{"extension to an earlier day", "owner", "POST /projects/{id}/extensions", 0, `{"deadline":"2026-11-01","note":"来不及了"}`, nil, fault{422, "extension.not_later", "deadline"}},
		{"extension too far", "owner", "POST /projects/{id}/extensions", 0, `{"deadline":"2027-11-01","note":"来不及了"}`, nil, fault{422, "extension.too_far", "deadline"}},
		{"extension to a day that is none", "owner", "POST /projects/{id}/extensions", 0, `{"deadline":"2026/12/20","note":"来不及了"}`, nil, fault{422, "api.date", "deadline"}},
		{"objection of one character in another stage", "leader", "POST /projects/{id}/objections", 0, `{"text":"差"}`, nil, fault{409, "act.stage", ""}},
		{"objection that does not exist", "owner", "POST /projects/{id}/objections/o1/answer", 0, `{"text":"已经更换"}`, nil, fault{409, "act.stage", ""}},

		// Drafts.
		{"deadline in the past", "owner", "PATCH /projects/{plan}", 0, `{"deadline":"2020-01-01"}`, nil, fault{422, "deadline.past", "deadline"}},
		{"deadline too far", "owner", "PATCH /projects/{plan}", 0, `{"deadline":"2926-01-01"}`, nil, fault{422, "deadline.too_far", "deadline"}},
		{"deadline as people write it", "owner", "PATCH /projects/{plan}", 0, `{"deadline":"12月底前"}`, nil, fault{422, "api.date", "deadline"}},
		{"empty title", "owner", "PATCH /projects/{plan}", 0, `{"title":"  "}`, nil, fault{422, "field.empty", "title"}},
		{"owner who does not exist", "secretary", "PATCH /projects/{plan}", 0, `{"owner":"nobody-here"}`, nil, fault{422, "user.unknown", "owner"}},
		{"owner with an id that does not exist", "secretary", "PATCH /projects/{plan}", 0, `{"owner":"01a20acd-0000-7000-8000-000000000000"}`, nil, fault{422, "user.unknown", "owner"}},
		{"an owner who helps himself", "owner", "PATCH /projects/{plan}", 0, `{"assistants":["owner"]}`, nil, fault{422, "assistants.owner", "assistants"}},
		{"members that are not the caller's", "owner", "PATCH /projects/{plan}", 0, `{"stage":"closed","version":9}`, nil, fault{422, "api.unknown_field", "*"}},
		{"draft of a project under way", "owner", "PATCH /projects/{id}", 0, `{"title":"别的"}`, nil, fault{409, "act.stage", ""}},
		{"create at an unknown unit", "secretary", "POST /projects", -1, `{"kind":"shishi","unit":"nowhere","title":"x"}`, nil, fault{422, "unit.unknown", "unit"}},
		{"create at a foreign unit", "secretary", "POST /projects", -1, `{"kind":"shishi","unit":"b2","title":"x"}`, nil, fault{422, "unit.unknown", "unit"}},
		{"create of an unknown kind", "secretary", "POST /projects", -1, `{"kind":"nothing","unit":"b1","title":"x"}`, nil, fault{422, "workflow.unknown", "kind"}},
		{"create without a title", "secretary", "POST /projects", -1, `{"kind":"shishi","unit":"b1"}`, nil, fault{422, "field.empty", "title"}},
		{"create with a deadline in the past", "secretary", "POST /projects", -1, `{"kind":"shishi","unit":"b1","title":"x","deadline":"2020-01-01"}`, nil, fault{422, "deadline.past", "deadline"}},
		{"create with an unknown owner", "secretary", "POST /projects", -1, `{"kind":"shishi","unit":"b1","title":"x","owner":"who"}`, nil, fault{422, "user.unknown", "owner"}},
		{"create without a kind", "secretary", "POST /projects", -1, `{"unit":"b1","title":"x"}`, nil, fault{422, "api.required", "kind"}},
	}
	each(t, func(t *testing.T, h *house) {
		p, plan := h.advance(), h.create()
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				method, path, _ := strings.Cut(c.call, " ")
				version := p.Version
				if strings.Contains(path, "{plan}") {
					version = plan.Version
				}
				if c.version > 0 {
					version = c.version
				}
				path = "/api/v1" + strings.NewReplacer("{id}", p.ID, "{plan}", plan.ID, " ", "%20").Replace(path)
				headers := c.headers
				if c.version >= 0 {
					headers = append([]string{"If-Match", fmt.Sprintf(`"%d"`, version)}, headers...)
				}
				for _, lang := range []string{"en", "zh-CN"} {
					a := h.send(c.who, method, path, c.body, append(headers, "Accept-Language", lang)...)
					checkFault(t, a, c.want, lang)
				}
			})
		}
		for _, q := range []project{p, plan} {
			h.want(200, fmt.Sprintf(`"version":%d,`, q.Version), "leader", "GET", "/api/v1/projects/"+q.ID, nil)
		}
		h.want(200, `"total":2`, "leader", "GET", "/api/v1/summary", nil)
	})
}

func checkFault(t *testing.T, a answer, want fault, lang string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Instance, Key, Field string
		Status                                    int
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v: %d %s", err, a.status, a.body)
	}
	if a.status != want.status || p.Status != a.status || p.Key != want.key || want.field != "*" && p.Field != want.field {
		t.Errorf("got %d %s\nwant %+v", a.status, a.body, want)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type is %q", got)
	}
	if !strings.HasPrefix(p.Type, "urn:bihuan:problem:") || p.Instance == "" || p.Instance != a.header.Get("X-Request-Id") {
		t.Errorf("type %q, instance %q, request id %q", p.Type, p.Instance, a.header.Get("X-Request-Id"))
	}
	for _, s := range []string{p.Title, p.Detail} {
		if chinese := strings.ContainsFunc(s, func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff }); chinese != (lang == "zh-CN") {
			t.Errorf("not in %s: %q", lang, s)
		}
	}
}
