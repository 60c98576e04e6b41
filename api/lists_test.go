package api_test

import (
	"fmt"
	"testing"
)

// twoMonths is the part of a list that tests look at.
type twoMonths struct {
	ID      string
	Version int64
	State   struct{ ID string }
	Open    int
	Items   []struct {
		No      int
		Project struct{ ID string }
		Outcome struct{ ID, Name string }
		Carried int
		Late    bool
		Missing []struct{ ID, Text string }
	}
	Check []struct {
		ID  string
		Met bool
	}
}

func match(l twoMonths) []string { return []string{"If-Match", fmt.Sprintf(`"%d"`, l.Version)} }

// onList does one thing to a list at its present version.
func (h *house) onList(l *twoMonths, who, method, path string, body any) {
	h.t.Helper()
	a := h.want(200, `"id":"`+l.ID+`"`, who, method, "/api/v1/lists/"+l.ID+path, body, match(*l)...)
	*l = twoMonths{}
	a.into(h.t, l)
	if got, want := a.header.Get("ETag"), fmt.Sprintf(`"%d"`, l.Version); got != want {
		h.t.Errorf("ETag is %s at version %d", got, l.Version)
	}
}

func period(number, from, to string) map[string]any {
	return map[string]any{"unit": "dw", "number": number, "name": "清单 " + number, "from": from, "to": to}
}

func TestTwoMonthlyListOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var l, next twoMonths
		a := h.want(201, `"state":{"id":"draft","name":"being drawn up"}`, "second", "POST", "/api/v1/lists", period("2026-5", "2026-09-01", "2026-10-31"))
		a.into(t, &l)
		if want := "/api/v1/lists/" + l.ID; a.header.Get("Location") != want {
			t.Errorf("Location is %q", a.header.Get("Location"))
		}
		h.want(201, "", "second", "POST", "/api/v1/lists", period("2026-6", "2026-11-01", "2026-12-31")).into(t, &next)
		one, two := h.create(), h.create()
		h.onList(&l, "second", "POST", "/items", map[string]any{"projects": []string{one.ID, two.ID}})
		h.onList(&l, "second", "PUT", "/items/"+two.ID, map[string]any{"no": 1})
		if l.Items[0].Project.ID != two.ID || l.Items[1].No != 2 {
			t.Errorf("items %+v", l.Items)
		}
		h.onList(&l, "second", "DELETE", "/items/"+two.ID, nil)
		h.onList(&l, "second", "PUT", "", map[string]any{"name": "第五期", "from": "2026-09-01", "to": "2026-10-30"})
		h.want(404, "lists.unknown", "supervisor", "GET", "/api/v1/lists/"+l.ID, nil) // a draft is its unit's own
		h.onList(&l, "leader", "POST", "/publication", nil)
		h.want(200, l.ID, "supervisor", "GET", "/api/v1/lists/"+l.ID, nil)
		h.onList(&l, "second", "POST", "/items", map[string]any{"projects": []string{two.ID}})
		if !l.Items[1].Late {
			t.Errorf("a later addition is not marked: %+v", l.Items)
		}
		h.onList(&l, "leader", "POST", "/reconciliation", nil)
		if l.Open != 2 || l.Items[0].Outcome.ID != "running" || len(l.Items[0].Missing) == 0 || l.Items[0].Missing[0].ID != "stage" || l.Check[1].Met {
			t.Errorf("reconciliation: %+v", l)
		}
		for _, p := range []string{one.ID, two.ID} {
			h.onList(&l, "second", "POST", "/items/"+p+"/carry-over", map[string]any{"to": next.ID, "note": "还没有做完"})
		}
		h.want(409, "lists.carried_already", "second", "POST", "/api/v1/lists/"+l.ID+"/items/"+one.ID+"/carry-over", map[string]any{"to": next.ID, "note": "还没有做完"}, match(l)...)
		h.onList(&l, "leader", "POST", "/closing", map[string]any{"note": "关账"})
		if l.State.ID != "archived" || l.Open != 0 || l.Items[0].Outcome.Name != "carried over" {
			t.Errorf("closed: %+v", l)
		}
		h.want(200, `"carried":1`, "leader", "GET", "/api/v1/lists/"+next.ID, nil)
		h.want(200, l.ID, "leader", "GET", "/api/v1/lists?unit=dw&state=archived&number=2026-5", nil)
		var page struct {
			Items []twoMonths
			Next  string
		}
		h.want(200, "", "leader", "GET", "/api/v1/lists?limit=1", nil).into(t, &page)
		if len(page.Items) != 1 || page.Items[0].ID != next.ID || page.Next == "" {
			t.Fatalf("first page: %+v", page)
		}
		h.want(200, l.ID, "leader", "GET", "/api/v1/lists?limit=1&cursor="+page.Next, nil)
		h.want(200, `"items":[]`, "stranger", "GET", "/api/v1/lists", nil)
	})
}

func TestBadInputAboutLists(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var l twoMonths
		h.want(201, "", "second", "POST", "/api/v1/lists", period("2026-5", "2026-09-01", "2026-10-31")).into(t, &l)
		one := h.create()
		path := "/api/v1/lists/" + l.ID
		for _, c := range []struct {
			name, who, method, path string
			body                    any
			version                 string
			status                  int
			key                     string
		}{
			{"a number that is taken", "second", "POST", "/api/v1/lists", period("2026-5", "2026-09-01", "2026-10-31"), "", 409, "lists.number_taken"},
			{"a day that is none", "second", "POST", "/api/v1/lists", period("2026-7", "2026-02-30", "2026-10-31"), "", 422, "api.date"},
			{"backwards", "second", "POST", "/api/v1/lists", period("2026-7", "2026-11-01", "2026-10-31"), "", 422, "lists.bad_period"},
			{"not a keeper of lists", "inspector", "POST", "/api/v1/lists", period("2026-7", "2026-11-01", "2026-12-31"), "", 403, "act.role"},
			{"a foreign unit", "stranger", "POST", "/api/v1/lists", period("2026-7", "2026-11-01", "2026-12-31"), "", 422, "unit.unknown"},
			{"an id that is none", "second", "GET", "/api/v1/lists/x", nil, "", 404, "lists.unknown"},
			{"no If-Match", "leader", "POST", path + "/publication", nil, "", 428, "api.if_match_required"},
			{"another version", "leader", "POST", path + "/publication", nil, `"9"`, 412, "lists.stale"},
			{"publishing an empty list", "leader", "POST", path + "/publication", nil, `"1"`, 409, "lists.empty"},
			{"closing what is not reconciled", "leader", "POST", path + "/closing", nil, `"1"`, 409, "lists.not_now"},
			{"reconciling a draft", "leader", "POST", path + "/reconciliation", nil, `"1"`, 409, "lists.not_now"},
			{"putting on what does not exist", "second", "POST", path + "/items", map[string]any{"projects": []string{"01a20acd-0000-7000-8000-000000000000"}}, `"1"`, 422, "project.unknown"},
			{"putting on what is no id", "second", "POST", path + "/items", map[string]any{"projects": []string{"SS2026-0001"}}, `"1"`, 422, "project.unknown"},
			{"putting on nothing", "second", "POST", path + "/items", map[string]any{"projects": []string{}}, `"1"`, 422, "field.empty"},
			{"moving what is not on it", "second", "PUT", path + "/items/" + one.ID, map[string]any{"no": 1}, `"1"`, 404, "lists.item_unknown"},
			{"carrying over to what is no list", "second", "POST", path + "/items/" + one.ID + "/carry-over", map[string]any{"to": "x", "note": "还没有做完"}, `"1"`, 422, "lists.unknown"},
			{"bad cursor", "leader", "GET", "/api/v1/lists?cursor=abc", nil, "", 422, "page.bad_cursor"},
			{"no such state", "leader", "GET", "/api/v1/lists?state=lost", nil, "", 422, "api.one_of"},
		} {
			t.Run(c.name, func(t *testing.T) {
				var headers []string
				if c.version != "" {
					headers = []string{"If-Match", c.version}
				}
				a := h.send(c.who, c.method, c.path, c.body, headers...)
				var problem struct{ Key string }
				a.into(t, &problem)
				if a.status != c.status || problem.Key != c.key {
					t.Errorf("%d %s, want %d %s", a.status, a.body, c.status, c.key)
				}
			})
		}
		h.want(200, `"version":1`, "leader", "GET", path, nil) // nothing was changed
	})
}
