package api_test

import (
	"strings"
	"testing"
)

const strangeLedger = "某处办事一览,,,,\n#,要办啥,到哪天,咋弄,编码\n1,修东门,2027-12-31,换门,X-1\n2,补路灯,11月底前,加灯,\n"

const strangeMapping = `{"head":2,"columns":[{"column":"#","field":"number"},{"column":"要办啥","field":"title"},{"column":"到哪天","field":"deadline"},{"column":"咋弄","field":"measures"},{"column":"编码","field":"ignore"}]}`

// handIn sends a ledger.
func (h *house) handIn(status int, says, who, path, name, content string, parts ...string) answer {
	h.t.Helper()
	body, kind := form(h.t, name, content, parts...)
	return h.want(status, says, who, "POST", "/api/v1"+path, body, "Content-Type", kind)
}

func TestImportOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const at = "?kind=shishi&unit=b1"
		type remembered struct {
			ID, File string
			Columns  []struct{ Column, Field string }
		}
		var r struct {
			Sheet     string
			Head      int
			Certain   bool
			NeedsYear bool `json:"needs_year"`
			From      *remembered
			Columns   []struct {
				Column, Field string
				Why           struct{ ID, Name string }
				Samples       []string
				Filled        int
			}
		}
		h.handIn(200, `"keep"`, "secretary", "/imports/recognition"+at, "a.csv", strangeLedger).into(t, &r)
		if r.Certain || r.Head != 2 || len(r.Columns) != 5 || r.Columns[1].Column != "要办啥" || r.Columns[1].Why.ID != "unknown" || r.Columns[1].Why.Name == "" || len(r.Columns[1].Samples) != 2 || r.From != nil {
			t.Fatalf("recognised as %+v", r)
		}
		for _, tt := range []struct {
			name, path, who, says string
			status                int
			parts                 []string
		}{
			{"somebody who may not", "/imports/recognition" + at, "inspector", "create.role", 403, nil},
			{"a unit elsewhere", "/imports?kind=shishi&unit=nowhere", "secretary", "unit.unknown", 422, nil},
			{"an unknown kind", "/imports?kind=x&unit=b1", "secretary", "workflow.unknown", 422, nil},
			{"a year beyond reason", "/imports" + at + "&year=17", "secretary", `"year"`, 422, nil},
			{"a row that is no head", "/imports/recognition" + at + "&head=77", "secretary", "no_head_row", 422, nil},
			{"no such part", "/imports" + at, "secretary", "api.unknown_field", 422, []string{"colour", "red"}},
			{"a mapping that is no JSON", "/imports" + at, "secretary", "api.mapping", 422, []string{"mapping", "要办啥=title"}},
			{"a mapping with more than there is", "/imports" + at, "secretary", "api.mapping", 422, []string{"mapping", `{"columns":[{"column":"a","field":"title"}],"x":1}`}},
			{"a mapping of nothing", "/imports" + at, "secretary", "api.mapping", 422, []string{"mapping", `{"columns":[]}`}},
			{"a plan that is none", "/imports" + at + "&plan=zz", "secretary", `"plan"`, 422, nil},
		} {
			t.Log(tt.name)
			h.handIn(tt.status, tt.says, tt.who, tt.path, "a.csv", strangeLedger, tt.parts...)
		}
		h.handIn(422, "api.required", "secretary", "/imports"+at, "", "")

		type report struct {
			DryRun          bool `json:"dry_run"`
			Imported        bool
			New, Known      int
			Plan            string
			Problems, Notes []struct{ Code, Column string }
			Items           []struct{ State, Project, Number, Title, Deadline string }
		}
		take := func(more, name, content string, parts ...string) report {
			t.Helper()
			var out report
			h.handIn(200, "", "secretary", "/imports"+at+more, name, content, parts...).into(t, &out)
			return out
		}
		if x := take("", "a.csv", strangeLedger); x.Imported || len(x.Problems) != 1 || x.Problems[0].Code != "ledger.no_header" {
			t.Errorf("an unfamiliar ledger: %+v", x)
		}
		if x := take("", "a.csv", strangeLedger, "mapping", strings.ReplaceAll(strangeMapping, "measures", "title")); x.Imported || len(x.Problems) != 1 || x.Problems[0].Code != "ledger.field_twice" {
			t.Errorf("two titles: %+v", x)
		}
		dry := take("&dry_run=true", "a.csv", strangeLedger, "mapping", strangeMapping)
		if !dry.DryRun || dry.Imported || dry.New != 2 || dry.Items[0].State != "new" || dry.Items[0].Deadline != "2027-12-31" {
			t.Fatalf("dry run: %+v", dry)
		}
		h.handIn(409, "console.import.changed", "secretary", "/imports"+at+"&year=2031&plan="+dry.Plan, "a.csv", strangeLedger, "mapping", strangeMapping)
		done := take("&plan="+dry.Plan, "a.csv", strangeLedger, "mapping", strangeMapping)
		if !done.Imported || done.New != 2 || done.Items[1].Number == "" {
			t.Fatalf("imported: %+v", done)
		}
		h.want(200, "修东门", "secretary", "GET", "/api/v1/projects/"+done.Items[0].Project, nil)
		if again := take("", "a.csv", strangeLedger); again.New != 0 || again.Known != 2 || !again.Imported || again.Items[0].Project != done.Items[0].Project {
			t.Errorf("again, as remembered: %+v", again)
		}
		h.handIn(200, `"remembered"`, "secretary", "/imports/recognition"+at, "b.csv", strangeLedger).into(t, &r)
		if r.From == nil || r.From.File != "a.csv" || len(r.From.Columns) != 5 || r.From.Columns[4].Field != "ignore" {
			t.Fatalf("the next ledger is recognised as %+v", r)
		}
		h.want(200, r.From.ID, "secretary", "GET", "/api/v1/mappings?unit=b1", nil)
		if a := h.want(200, `"items":[]`, "inspector", "GET", "/api/v1/mappings", nil); strings.Contains(a.body, r.From.ID) {
			t.Error("an inspector sees what is remembered")
		}
		h.want(404, "mapping.unknown", "inspector", "DELETE", "/api/v1/mappings/"+r.From.ID, nil)
		h.want(204, "", "secretary", "DELETE", "/api/v1/mappings/"+r.From.ID, nil)
		h.want(404, "mapping.unknown", "secretary", "DELETE", "/api/v1/mappings/"+r.From.ID, nil)
		r.From = nil
		h.handIn(200, "", "secretary", "/imports/recognition"+at, "b.csv", strangeLedger).into(t, &r)
		if r.From != nil {
			t.Errorf("after it was forgotten: %+v", r.From)
		}
	})
}
