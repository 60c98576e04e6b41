package api_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"

	"bihuan/workflows"
)

// apiBody is a body that the schema takes and that changes nothing.
func (w *matrixWorld) apiBody(method, template string) any {
	switch {
	case method == "GET" || method == "DELETE":
		return nil
	case template == "/api/v1/projects":
		return map[string]any{"kind": "shishi", "unit": "b1", "title": w.notWords}
	case template == "/api/v1/lists", template == "/api/v1/lists/:id":
		body := period("2026-9", "2026-11-01", "2026-10-31") // backwards
		body["unit"] = "b1"
		if method == "PUT" {
			delete(body, "unit")
			delete(body, "number")
		}
		return body
	case template == "/api/v1/sheet-proposals":
		source, _ := workflows.SheetSource("ccit")
		return map[string]any{"source": string(source), "from": "2026-12-31", "note": w.notWords}
	case strings.HasPrefix(template, "/api/v1/sheet-proposals/"):
		return map[string]any{"note": w.notWords}
	case template == "/api/v1/tally-years":
		return map[string]any{"tally": w.tally.Tally, "member": "resident", "unit": "b1", "year": w.tally.Year} // on the roll already
	case strings.HasSuffix(template, "/confirmation"):
		return map[string]any{"records": []string{"r9"}}
	case strings.HasSuffix(template, "/records"):
		return map[string]any{"category": "lecture", "day": "2099-01-01", "minutes": 1}
	case strings.HasSuffix(template, "/striking"):
		return map[string]any{"note": w.notWords}
	case strings.HasPrefix(template, "/api/v1/tally-years/"):
		return map[string]any{"record": "r9", "note": w.notWords}
	case template == "/api/v1/needs":
		return need("b1", w.notWords)
	case template == "/api/v1/needs/:id":
		body := need("b1", "自习室太暗")
		delete(body, "unit")
		return body
	case strings.HasSuffix(template, "/acceptance"):
		return map[string]any{"project": w.draft.ID}
	case strings.HasSuffix(template, "/merge"):
		return map[string]any{"into": w.need.ID}
	case strings.HasPrefix(template, "/api/v1/needs/"):
		return map[string]any{"note": "已经办过"}
	case strings.HasSuffix(template, "/lists/:id/items"):
		return map[string]any{"projects": []string{w.draft.ID}}
	case strings.HasSuffix(template, "/carry-over"):
		return map[string]any{"to": w.list.ID, "note": "还没有做完"}
	case strings.HasSuffix(template, "/items/:project"):
		return map[string]any{"no": 1}
	case strings.HasSuffix(template, "/lists/:id/closing"):
		return map[string]any{"note": "关账"}
	case template == "/api/v1/notices/receipts", template == "/api/v1/deliveries/replays":
		return map[string]any{"ids": []string{w.draft.ID}} // neither a notice nor a delivery
	case template == "/api/v1/me/notify-settings":
		return map[string]any{"mail": w.notWords, "at_once": false, "quiet_from": "", "quiet_to": "", "language": "", "no_bulletin": false}
	case template == "/api/v1/channels", template == "/api/v1/channels/:id":
		body := map[string]any{"name": w.notWords, "unit": "b1", "kind": "webhook"}
		if method == "PUT" {
			delete(body, "kind")
		}
		return body
	case strings.HasSuffix(template, "/tests"):
		return map[string]any{}
	case strings.HasSuffix(template, "/erasure"):
		return map[string]any{"note": w.notWords}
	case strings.HasSuffix(template, "/transitions"):
		return map[string]any{"transition": "deploy"}
	case strings.HasSuffix(template, "/approvals"):
		return map[string]any{}
	case strings.HasSuffix(template, "/returns"), strings.HasSuffix(template, "/withdrawals"):
		return map[string]any{"note": w.notWords}
	}
	_, rest, _ := strings.Cut(template, ":id")
	return bodies[method+" "+strings.NewReplacer(":milestone", "{milestone}", ":objection", "{objection}", ":mark", "{mark}", ":finding", "{finding}").Replace(rest)]
}

// page asks the console as a browser does.
func (w *matrixWorld) page(who, method, path string, p project) answer {
	w.t.Helper()
	fields := url.Values{"version": {fmt.Sprint(p.Version)}, "note": {w.notWords}, "text": {"还没有做完"}, "transition": {"deploy"}, "percent": {"10"},
		"done": {"开工"}, "title": {w.notWords}, "kind": {"shishi"}, "unit": {"b1"}, "passed": {"yes"}, "summary": {"达标"}, "objection": {w.objection(p)},
		"milestone": {"m1"}, "due": {"2026-10-01"}, "deadline": {"2026-12-20"}, "very_satisfied": {"9"}, "satisfied": {"0"}, "basic": {"0"}, "dissatisfied": {"0"},
		"very_dissatisfied": {"0"}, "decision": {"approve"}}
	if strings.HasPrefix(path, "/needs/") {
		fields.Set("unit", string(w.units["b1"].ID))
		fields.Set("project", w.draft.Number)
		fields.Set("into", w.need.ID)
	}
	if strings.HasPrefix(path, "/tally") { // on the roll already, and no day of the year
		for k, x := range map[string]string{"act": "enrol", "tally": w.tally.Tally, "user": string(w.tally.UserID), "unit": string(w.tally.UnitID),
			"year": fmt.Sprint(w.tally.Year), "category": "lecture", "day": "2099-01-01", "hours": "1", "record": "r9", "records": "r9", "version": "9"} {
			fields.Set(k, x)
		}
	}
	if strings.Contains(path, "/sheets/") {
		fields.Set("version", "1")
	}
	if strings.HasSuffix(path, "/do/submit") {
		fields.Set("note", "")
	}
	if strings.HasPrefix(path, "/people/") || strings.HasPrefix(path, "/units/") {
		fields.Set("version", "999") // of nobody's page: who is allowed is told that it is out of date
		fields.Set("unit", string(w.units["b1"].ID))
		fields.Set("role", "supervisor")
	}
	if strings.HasSuffix(path, "/do/approve") || strings.HasPrefix(path, "/todo/") {
		fields.Set("note", "同意")
	}
	var body bytes.Buffer
	kind := "application/x-www-form-urlencoded"
	if method != "GET" {
		body.WriteString(fields.Encode())
	}
	if method == "POST" && (strings.HasSuffix(path, "/evidence") || path == "/import") {
		b, k := form(w.t, "a.pdf", pdf, "version", fmt.Sprint(p.Version))
		body, kind = *b, k
	}
	req := httptest.NewRequestWithContext(w.t.Context(), method, "https://example.org"+path, &body)
	if method != "GET" {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if who != "" {
		req.Header.Set("Cookie", "__Host-bihuan_session="+w.cookies[who])
	}
	return send(w.t, w.server.Handler(), req)
}
