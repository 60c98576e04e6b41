package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"bihuan/engine"
)

// state is that of everything that the console shows, as one text.
func (w *world) state(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	var all []any
	add := func(v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	add(w.db.Units(ctx))
	users, err := w.db.Users(ctx)
	add(users, err)
	for _, u := range users {
		add(w.db.Tokens(ctx, u.ID))
	}
	add(w.db.Delegations(ctx, ""))
	add(w.engine.List(ctx, engine.Operator(), engine.Filter{Limit: engine.MaxPage}))
	add(w.engine.Lists(ctx, engine.Operator(), engine.ListFilter{}))
	add(w.db.Channels(ctx))
	add(w.db.Definitions(ctx))
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestGetChangesNothing asks every address there is with GET, those that take a POST too, as everybody, and finds
// everything as it was. Only the calendar of a feed and the notes about what was looked at may come of it.
func TestGetChangesNothing(t *testing.T) {
	w := ownWorld(t)
	before := w.state(t)
	list, err := w.engine.Lists(t.Context(), engine.Operator(), engine.ListFilter{})
	if err != nil || len(list.Items) == 0 {
		t.Fatalf("%v: %d lists", err, len(list.Items))
	}
	fill := strings.NewReplacer("/lists/:id", "/lists/"+string(list.Items[0].ID), ":id", string(w.items[0].ID), ":user", string(w.account(t, "chen").ID), ":unit", string(w.unitOf(t, "jsj").ID),
		":project", string(w.items[0].ID), ":workflow", "shishi", ":act", "publish")
	shown := map[string]bool{}
	for _, r := range routes {
		shown[r.Path] = shown[r.Path] || r.Method == http.MethodGet
	}
	for _, r := range routes {
		if r.Path == "/events" { // has no end
			continue
		}
		path := fill.Replace(r.Path) + "?version=1&note=%E8%B0%83%E7%A6%BB%E6%9C%AC%E5%8D%95%E4%BD%8D&unit=jsj&role=leader&name=x&code=x&heir=wu&decision=approve&done=x"
		for _, login := range []string{"zhang", "zhao", "qian", "wang", "zhou"} {
			a := w.ask(t, login, path, nil)
			if !shown[r.Path] && a.Code == http.StatusSeeOther && !strings.HasPrefix(a.Header().Get("Location"), "/sign-in") {
				t.Errorf("GET %s leads on to %s as if something had been done", r.Path, a.Header().Get("Location"))
			}
		}
	}
	if after := w.state(t); after != before {
		t.Errorf("something was changed by GET:\n%s\n%s", before, after)
	}
}

// TestExportsAreBounded asks for a ledger with more rows than a file may have.
func TestExportsAreBounded(t *testing.T) {
	w := readWorld(t)
	for _, format := range []string{"csv", "xlsx"} {
		for limit, want := range map[int]int{1: http.StatusUnprocessableEntity, len(w.items): http.StatusOK} {
			router := gin.New()
			router.GET("/ledger", w.console.handler(Route{Method: "GET", Path: "/ledger", handle: func(c *Console, v *visit) error { return c.exportLedger(v, format, limit) }}))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ledger?view=all", nil)
			r.AddCookie(&http.Cookie{Name: session, Value: "wang"})
			rec := httptest.NewRecorder()
			router.ServeHTTP(rec, r)
			if rec.Code != want {
				t.Errorf("%s of at most %d rows: %d, want %d", format, limit, rec.Code, want)
			}
		}
	}
	if maxXLSX > 200_000 || maxCSV > 5_000_000 {
		t.Error("an export has no bound worth the name")
	}
}
