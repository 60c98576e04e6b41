package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// ids reads a whole list, page by page, and returns the numbers of its projects.
func (h *house) numbers(t *testing.T, who, query string, limit int) []string {
	t.Helper()
	var out []string
	cursor := ""
	for range 100 {
		path := fmt.Sprintf("/api/v1/projects?%s&limit=%d", query, limit)
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		var page struct {
			Items []project
			Next  string
		}
		h.want(200, "", who, "GET", strings.Replace(path, "?&", "?", 1), nil).into(t, &page)
		if len(page.Items) > limit {
			t.Fatalf("%d projects on a page of %d", len(page.Items), limit)
		}
		for _, p := range page.Items {
			out = append(out, strings.TrimPrefix(p.Number, "SS2026-"))
		}
		if cursor = page.Next; cursor == "" {
			return out
		}
	}
	t.Fatal("the pages never end")
	return nil
}

func TestLists(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		propose := func(who, unit, title, owner, deadline string) {
			body := complete()
			body["unit"], body["title"], body["owner"], body["deadline"], body["assistants"] = unit, title, owner, deadline, []string{}
			h.want(201, "", who, "POST", "/api/v1/projects", body)
		}
		propose("supervisor", "b1", "修路灯", "owner", "2026-10-10")     // 1
		propose("supervisor", "b2", "修水管", "assistant", "2026-10-05") // 2
		propose("sibling", "zz2", "加班车", "owner", "2026-12-01")       // 3
		propose("stranger", "qt", "别家的事", "nobody", "2026-10-01")     // 4
		p := h.advance()                                              // 5
		h.act(&p, "owner", "POST /extensions", map[string]any{"deadline": "2026-12-20", "note": "灯具缺货"})

		for _, c := range []struct{ name, who, query, want string }{
			{"a leader sees the tree", "leader", "", "0005 0003 0002 0001"},
			{"a supervisor sees the own branch of it", "supervisor", "", "0005 0002 0001"},
			{"a secretary sees the own unit", "secretary", "", "0005 0001"},
			{"an owner sees what they have a part in", "owner", "", "0005 0003 0001"},
			{"a stranger sees elsewhere", "stranger", "", "0004"},
			{"somebody without a part sees nothing but that", "nobody", "", "0004"},
			{"by subtree", "leader", "unit=zz1", "0005 0002 0001"},
			{"by unit id", "leader", "unit=" + string(h.units["b2"].ID), "0002"},
			{"by kind", "leader", "kind=shuji", ""},
			{"by stage", "leader", "stage=advance", "0005"},
			{"by several stages", "leader", "stage=plan,advance", "0005 0003 0002 0001"},
			{"by owner", "leader", "owner=assistant", "0002"},
			{"mine", "owner", "owner=me", "0005 0003 0001"},
			{"by text", "leader", "q=" + url.QueryEscape("水管"), "0002"},
			{"by number", "leader", "q=0003", "0003"},
			{"text is no pattern", "leader", "q=%25", ""},
			{"by list", "leader", "list=2026-5", "0005 0003 0002 0001"},
			{"by light", "leader", "light=green", "0005 0003 0002 0001"},
			{"by waiting", "leader", "waiting=supervisor", "0005"},
			{"not overdue", "leader", "overdue=false", "0005 0003 0002 0001"},
			{"overdue", "leader", "overdue=true", ""},
			{"open", "leader", "open=true", "0005 0003 0002 0001"},
			{"by deadline", "leader", "sort=deadline", "0002 0001 0005 0003"},
			{"last changed first", "leader", "sort=updated", "0005 0003 0002 0001"},
			{"filters together", "leader", "unit=zz1&stage=plan&q=" + url.QueryEscape("修"), "0002 0001"},
		} {
			t.Run(c.name, func(t *testing.T) {
				for _, limit := range []int{1, 2, 200} {
					if got := strings.Join(h.numbers(t, c.who, c.query, limit), " "); got != c.want {
						t.Errorf("in pages of %d: %q, want %q", limit, got, c.want)
					}
				}
			})
		}

		h.at("2026-10-20 10:00")
		if got := strings.Join(h.numbers(t, "leader", "overdue=true&sort=deadline", 50), " "); got != "0002 0001" {
			t.Errorf("overdue: %q", got)
		}
		var counts struct {
			Total, Overdue, Waiting int
			ByStage                 map[string]int                         `json:"by_stage"`
			ByLight                 map[string]int                         `json:"by_light"`
			ByUnit                  []struct{ Unit struct{ Name string } } `json:"by_unit"`
		}
		h.want(200, "", "leader", "GET", "/api/v1/summary", nil).into(t, &counts)
		if counts.Total != 4 || counts.Overdue != 2 || counts.Waiting != 1 || counts.ByStage["plan"] != 3 || counts.ByLight["red"] != 3 || len(counts.ByUnit) != 3 {
			t.Errorf("counts are %+v", counts)
		}
		h.want(200, `"total":1`, "leader", "GET", "/api/v1/summary?unit=b2", nil)
	})
}

func TestTodo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.advance()
		h.act(&p, "owner", "POST /extensions", map[string]any{"deadline": "2026-12-20", "note": "灯具缺货"})
		second := h.create()
		h.act(&second, "owner", "POST /transitions", map[string]any{"transition": "deploy"})
		h.act(&second, "supervisor", "POST /approvals", nil)
		for _, c := range []struct{ who, want string }{
			{"supervisor", "approve " + p.Number}, {"owner", "own " + p.Number + " acknowledge " + second.Number},
			{"stranger", ""}, {"inspector", ""},
		} {
			var todo struct {
				Items []struct {
					Why, Name string
					Project   project
				}
			}
			h.want(200, "", c.who, "GET", "/api/v1/todo", nil).into(t, &todo)
			var got []string
			for _, i := range todo.Items {
				got = append(got, i.Why+" "+i.Project.Number)
				if i.Name == "" || strings.HasPrefix(i.Name, "todo.") {
					t.Errorf("%s has the name %q", i.Why, i.Name)
				}
			}
			slices.Sort(got)
			want := strings.Fields(c.want)
			slices.Sort(want)
			have := strings.Fields(strings.Join(got, " "))
			slices.Sort(have)
			if !slices.Equal(have, want) {
				t.Errorf("%s has to do %v, want %q", c.who, got, c.want)
			}
		}
	})
}

func TestTrail(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.create()
		h.at("2026-09-25 10:00")
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "deploy"})
		h.at("2026-09-26 10:00")
		h.reread(&p)
		h.act(&p, "supervisor", "POST /approvals", nil)
		count := func(who, query string) (n int, actions string) {
			t.Helper()
			cursor, list := "", []string{}
			for {
				var page struct {
					Items []struct{ Action string }
					Next  string
				}
				h.want(200, "", who, "GET", "/api/v1/audit/entries?limit=2&"+query+"&cursor="+url.QueryEscape(cursor), nil).into(t, &page)
				for _, e := range page.Items {
					list = append(list, e.Action)
				}
				if cursor = page.Next; cursor == "" {
					return len(list), strings.Join(list, " ")
				}
			}
		}
		for _, c := range []struct{ name, who, query, want string }{
			{"of a project, newest first", "inspector", "project=" + p.ID, "approve submit create"},
			{"oldest first", "inspector", "project=" + p.ID + "&order=oldest", "create submit approve"},
			{"by person", "inspector", "actor=owner&project=" + p.ID, "submit"},
			{"by oneself", "supervisor", "actor=me", "approve"},
			{"by action", "inspector", "action=create,approve&project=" + p.ID, "approve create"},
			{"by unit", "inspector", "unit=b1&action=create,submit,approve", "approve submit create"},
			{"from a day", "inspector", "project=" + p.ID + "&from=2026-09-25", "approve submit"},
			{"to the end of a day", "inspector", "project=" + p.ID + "&to=2026-09-25", "submit create"},
			{"between moments", "inspector", "project=" + p.ID + "&from=2026-09-25T10:00:00%2B08:00&to=2026-09-25T02:00:01Z", "submit"},
			{"before everything", "inspector", "project=" + p.ID + "&to=2020-01-01", ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				if _, got := count(c.who, c.query); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		}
		h.at("2026-12-05 10:00")
		h.want(200, `"name":"系统时钟","via":"clock"},"action":"overdue"`, "inspector", "GET", "/api/v1/projects/"+p.ID+"/entries", nil, "Accept-Language", "zh")
	})
}

func TestWorkflows(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.want(200, `"id":"shishi"`, "nobody", "GET", "/api/v1/workflows", nil)
		if !strings.Contains(a.body, `"id":"shuji"`) {
			t.Errorf("the list is %s", a.body)
		}
		w, err := h.engine.Workflow("shishi")
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Digest, Graph string
			Stages        []struct{ ID, Name string }
			Transitions   []struct {
				ID      string
				Require []struct{ Rule, Text string }
			}
			Timers []struct{ ID, Offset string }
		}
		h.want(200, "", "nobody", "GET", "/api/v1/workflows/shishi", nil, "Accept-Language", "zh").into(t, &got)
		if got.Digest != w.Digest || !strings.Contains(got.Graph, "stateDiagram-v2") || len(got.Stages) != 6 || got.Stages[0].Name != "谋划" ||
			len(got.Transitions) != len(w.Transitions) || len(got.Transitions[0].Require) == 0 || len(got.Timers) != len(w.Timers) {
			t.Errorf("the definition is %+v", got)
		}
		var sim struct {
			Items []struct {
				Kind, Name string
				At         string
			}
		}
		h.want(200, `"kind":"overdue"`, "nobody", "GET", "/api/v1/workflows/shishi/simulation?start=2026-09-24&deadline=2026-11-30", nil).into(t, &sim)
		for i, o := range sim.Items {
			if strings.HasPrefix(o.Name, "occurrence.") || i > 0 && o.At < sim.Items[i-1].At {
				t.Errorf("occurrence %d is %+v", i, o)
			}
		}
	})
}

func TestCalendar(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, c := range []struct{ name, path, want string }{
			{"this year", "/calendar", `"year":2026,"known":true`},
			{"a holiday", "/calendar?year=2026", `"date":"2026-10-01","name":"国庆节","workday":false`},
			{"a year that is not loaded", "/calendar?year=2030", `"year":2030,"known":false,"warning":"some date lies in a year whose holiday list is not loaded`},
			{"over the holidays", "/calendar/workdays?from=2026-09-30&n=1", `"date":"2026-10-08","known":true`},
			{"backwards", "/calendar/workdays?from=2026-10-08&n=-1", `"date":"2026-09-30"`},
			{"from today", "/calendar/workdays?n=1", `"from":"2026-09-24","n":1,"date":"2026-09-28"`},
			{"into a year that is not loaded", "/calendar/workdays?from=2026-12-31&n=5", `"known":false,"warning":"`},
		} {
			t.Run(c.name, func(t *testing.T) { h.want(200, c.want, "nobody", "GET", "/api/v1"+c.path, nil) })
		}
	})
}

func TestPeople(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		names := func(who, path, field string) string {
			t.Helper()
			var list struct{ Items []map[string]any }
			h.want(200, "", who, "GET", "/api/v1"+path, nil).into(t, &list)
			var out []string
			for _, i := range list.Items {
				out = append(out, fmt.Sprint(i[field]))
				if i["login"] != nil || i["grants"] != nil {
					t.Errorf("%s shows more than a name: %v", path, i)
				}
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		}
		for _, c := range []struct{ name, who, path, field, want string }{
			{"units of a leader", "leader", "/units", "code", "b1 b2 dw zz1 zz2"},
			{"units of a supervisor", "supervisor", "/units", "code", "b1 b2 zz1"},
			{"units of nobody", "nobody", "/units", "code", ""},
			{"people of a supervisor: the own tree, and those who hold no role", "supervisor", "/users", "name", "孙督导 李协办 王承办 赵领办 路人 钱书记"},
			{"people by name", "supervisor", "/users?q=" + url.QueryEscape("王"), "name", "王承办"},
			{"people of nobody", "nobody", "/users", "name", "路人"},
		} {
			t.Run(c.name, func(t *testing.T) {
				if got := names(c.who, c.path, c.field); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		}
		h.want(200, `"more":true`, "leader", "GET", "/api/v1/users?limit=1", nil)
		h.want(200, `"role":{"id":"supervisor","name":"督导员"},"unit":{"id":"`+string(h.units["zz1"].ID)+`","name":"第一党总支"}`,
			"supervisor", "GET", "/api/v1/me", nil, "Accept-Language", "zh-CN")
	})
}
