package api_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bihuan/api"
	"bihuan/api/auth"
	"bihuan/api/console"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/files"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// matrixFile is the matrix for people to read. TestAuthorizationMatrix compares every cell with the running server;
// go test ./api -run Matrix -update writes it anew after a look at the difference.
const matrixFile = "../docs/authorization.md"

// Where a person holds a role, seen from the project's unit.
var relations = []struct{ name, unit string }{
	{"own", "b1"}, {"ancestor", "dw"}, {"descendant", "g1"}, {"sibling", "b2"}, {"foreign", "qt"},
}

// parts are people without a role: those with a part in the project, one without, and one who is not signed in.
var parts = []string{"owner", "assistant", "sponsor", "nobody", ""}

// What a cell says.
const (
	sees   = "v" // answered, with the project in it
	may    = "o" // allowed: answered, or held up by the state of things alone
	denied = "x" // 403
	absent = "-" // 404, as if it did not exist
	closed = "#" // not signed in: 401, or the way to the sign-in page
)

// matrixWorld is one prepared house. None of the requests changes anything in it: who is allowed runs into the state
// of the projects, or into words that no field takes, behind the check of rights.
type matrixWorld struct {
	*house
	cookies   map[string]string
	draft     project // in 谋划, without what 部署 needs
	pending   project // waits for an answer that would not hold any more
	cancelled project
	objected  project          // with an objection by somebody with an account, whose words stay
	list      twoMonths        // archived, with the cancelled project on it
	need      asked            // accepted into the draft, and its proposer has been told
	tally     engine.TallyYear // of somebody at the unit
	evidence  string
	entry     string            // the newest about the cancelled project
	proposal  string            // a score sheet that waits
	tickets   map[string]string // of a file that each person set aside; it is no ledger
	notWords  string            // no field takes it
}

func newMatrixWorld(t *testing.T, db *storage.DB) *matrixWorld {
	t.Helper()
	w := &matrixWorld{cookies: map[string]string{}, tickets: map[string]string{"": "none"}, notWords: "\u0001"}
	var door *auth.Door
	kept, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.house = newHouse(t, db, func(o *api.Options) {
		if door, err = auth.New(auth.Config{Engine: o.Engine, Store: db, Now: o.Now}); err != nil {
			t.Fatal(err)
		}
		o.Trail = storage.Trail{DB: db}
		o.Console = &console.Options{Tray: kept, Door: door,
			Compare: func(*engine.Workflow, *engine.Workflow) []console.Difference { return nil },
			Verify: func(ctx context.Context, project engine.ProjectID, progress func(int64)) (console.Verification, error) {
				r, err := db.Verify(ctx, storage.VerifyOptions{Project: project, Progress: progress})
				return console.Verification{Log: r.Log, Started: r.Started, Finished: r.Finished, Findings: r.Findings, More: r.More}, err
			}}
	})
	h := w.house
	if h.units["g1"], err = h.engine.AddUnit(t.Context(), operator, "b1", "g1", "党小组"); err != nil {
		t.Fatal(err)
	}
	for _, role := range engine.Roles {
		for _, r := range relations {
			h.person(string(role)+"-"+r.name, "某", role, r.unit)
		}
	}
	h.person("resident", "住户", engine.Secretary, "b1") // whom the pages of people are asked for
	body := complete()
	delete(body, "need")
	h.want(201, "", "secretary", "POST", "/api/v1/projects", body).into(t, &w.draft)

	body = complete()
	body["deadline"], body["title"] = "2026-09-25", "过了时限"
	h.want(201, "", "secretary", "POST", "/api/v1/projects", body).into(t, &w.pending)
	h.act(&w.pending, "secretary", "POST /transitions", map[string]any{"transition": "deploy"})

	w.objected = h.feedback()
	h.act(&w.objected, "leader", "POST /objections", map[string]any{"text": "还有两盏不亮"})

	body["deadline"], body["title"] = "2026-11-30", "不再需要"
	h.want(201, "", "secretary", "POST", "/api/v1/projects", body).into(t, &w.cancelled)
	list := period("2026-5", "2026-09-01", "2026-10-31")
	list["unit"] = "b1"
	h.want(201, "", "second", "POST", "/api/v1/lists", list).into(t, &w.list)
	h.onList(&w.list, "second", "POST", "/items", map[string]any{"projects": []string{w.cancelled.ID}})
	h.reread(&w.cancelled)
	h.addEvidence(&w.cancelled, "owner", "a.pdf", pdf)
	h.act(&w.cancelled, "owner", "POST /transitions", map[string]any{"transition": "cancel", "note": "不再需要了"})
	h.act(&w.cancelled, "leader", "POST /approvals", nil)
	var proofs struct{ Items []struct{ ID string } }
	h.want(200, "", "owner", "GET", "/api/v1/projects/"+w.cancelled.ID+"/evidence", nil).into(t, &proofs)
	w.evidence = proofs.Items[0].ID
	h.onList(&w.list, "leader", "POST", "/publication", nil)
	h.onList(&w.list, "leader", "POST", "/reconciliation", nil)
	h.onList(&w.list, "leader", "POST", "/closing", map[string]any{"note": "关账"})
	h.want(201, "", "second", "POST", "/api/v1/needs", need("b1", "自习室太暗", "proposer", "second")).into(t, &w.need)
	h.onNeed(&w.need, "second", "/acceptance", map[string]any{"project": w.draft.ID})
	w.tally = h.tallied(w.users["resident"].ID)
	source, _ := workflows.SheetSource("jiamusi")
	s, err := h.engine.ProposeSheet(t.Context(), operator, engine.NewSheet{Sheet: "jiamusi", Number: 1, Source: source, From: calendar.MustDate("2027-01-01"), Note: "按件计分"})
	if err != nil {
		t.Fatal(err)
	}
	w.proposal = string(s.ID)
	h.mu.Lock()
	h.now = local("2026-09-28 10:00")
	h.mu.Unlock()
	if _, err := storagetest.Sign(t.Context(), db, filepath.Join(t.TempDir(), "signing"), h.now, func(key string) error {
		return h.engine.Note(t.Context(), operator, engine.ActionCheckpointKey, map[string]any{"key": key})
	}); err != nil {
		t.Fatal(err)
	}
	trail, err := h.engine.Trail(t.Context(), operator, engine.EntryFilter{Subject: "project/" + w.cancelled.ID, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.entry = trail.Items[0].ID
	for login := range h.tokens {
		if w.cookies[login], _, err = door.Admit(t.Context(), login, "test"); err != nil {
			t.Fatal(err)
		}
		if w.tickets[login], err = kept.SetAside(t.Context(), string(h.users[login].ID), "a.pdf", []byte(pdf)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// The address of a calendar is a key: whether it opens anything or not, it stands in no log.
func TestFeedAddressIsNotLogged(t *testing.T) {
	w := newMatrixWorld(t, storagetest.Open(t, storage.SQLite))
	token, err := w.engine.NewFeed(t.Context(), engine.Actor{ID: w.users["owner"].ID, Via: engine.ViaConsole})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{token: 200, strings.Repeat("x", len(token)): 404, "short-but-secret": 404} {
		a := w.send("", "GET", "/feeds/"+key+"/deadlines.ics", nil)
		if a.status != want || !strings.Contains(w.log.String(), "/feeds/:token/") || strings.Contains(w.log.String(), key) {
			t.Errorf("%d, want %d; the log shows the address: %v", a.status, want, strings.Contains(w.log.String(), key))
		}
	}
}

// target is the project of a route: the one whose state lets nobody through who is allowed.
func (w *matrixWorld) target(method, path string) project {
	switch {
	case method == "GET":
		return w.cancelled
	case erases(path):
		return w.objected
	case strings.HasSuffix(path, "/transitions"), strings.HasSuffix(path, "/do/submit"):
		return w.draft
	case strings.HasSuffix(path, "/approvals"), strings.HasSuffix(path, "/returns"), strings.HasSuffix(path, "/withdrawals"),
		strings.HasSuffix(path, "/do/approve"), strings.HasSuffix(path, "/do/return"), strings.HasSuffix(path, "/do/withdraw"),
		strings.HasPrefix(path, "/todo/"):
		return w.pending
	}
	return w.cancelled
}

// consoleActs are what the console's routes for several acts can be asked for.
var consoleActs = map[string][]string{
	"/projects/": {"submit", "approve", "return", "withdraw", "acknowledge", "milestones", "tick", "report", "extend", "urge", "verify", "survey", "object", "answer", "summarize", "statement", "mark", "unmark", "find_false", "lift_finding", "ask_erasure", "end_erasure", "erase"},
	"/lists/":    {"put", "take", "place", "publish", "reconcile", "close"},
	"/scores/":   {"adopt", "reject", "withdraw"},
	"/tally/":    {"enter", "confirm", "decline", "withdraw", "strike"},
	"/needs/":    {"accept", "accept_into", "decline", "merge", "edit", "tell"},
}

// ask makes one request and says what its cell holds.
func (w *matrixWorld) ask(who, method, template string) string {
	p := w.target(method, template)
	id, version := p.ID, p.Version
	if strings.Contains(template, "/lists/:id") {
		id, version = w.list.ID, w.list.Version
	}
	if strings.Contains(template, "/needs/:id") {
		id, version = w.need.ID, w.need.Version
	}
	if strings.Contains(template, "/tally/:id") || strings.Contains(template, "/tally-years/:id") {
		id, version = string(w.tally.ID), w.tally.Version
	}
	if strings.Contains(template, "sheet") {
		version = 1
	}
	path := strings.NewReplacer(":id", id, ":project", w.cancelled.ID, ":evidence", w.evidence, ":milestone", "m1", ":objection", w.objection(p), ":mark", "k1", ":workflow", "shishi",
		":year", "2026", ":file", "none", ":ticket", w.tickets[who], ":user", string(w.users["resident"].ID), ":unit", string(w.units["b1"].ID), ":delegation", "none", ":mapping", "none", ":entry", w.entry, ":proposal", w.proposal, ":sheet", w.proposal).Replace(template)
	switch template {
	case "/trail/proof.json":
		path += "?entry=" + w.entry
	case "/api/v1/audit/bundle":
		path += "?unit=b1"
	case "/api/v1/audit/entries": // behind the refusals of everybody who asked for a bundle
		path += "?limit=200"
	}
	var a answer
	if strings.HasPrefix(template, "/api/") || strings.HasPrefix(template, "/docs") || strings.HasSuffix(template, "z") && strings.Count(template, "/") == 1 {
		if strings.HasSuffix(template, "/years/:year") { // the kind that has years
			path = strings.Replace(path, "/shishi/", "/shuji/", 1)
		}
		if strings.HasSuffix(template, "/simulation") {
			path += "?start=2026-09-24"
		}
		if template == "/api/v1/tally-years" && method == "GET" {
			path += "?tally=" + w.tally.Tally
		}
		if strings.HasSuffix(template, "/workdays") {
			path += "?from=2026-09-24&days=3"
		}
		body, headers := w.apiBody(method, template), []string{"If-Match", fmt.Sprintf(`"%d"`, version)}
		if strings.Contains(template, "/imports") {
			path += "?kind=shishi&unit=" + string(w.units["b1"].ID)
			template += "/evidence" // it takes a file, too
		}
		if strings.HasSuffix(template, "/evidence") && method == "POST" {
			b, kind := form(w.t, "a.pdf", pdf)
			body, headers = b, append(headers, "Content-Type", kind)
		}
		a = w.send(who, method, path, body, headers...)
	} else {
		a = w.page(who, method, path, p)
	}
	switch {
	case a.status == 401, a.status == 303 && strings.HasPrefix(a.header.Get("Location"), "/sign-in"):
		return closed
	case a.status == 403:
		return denied
	case a.status == 404, a.status == 422 && strings.Contains(a.body, `"unit.unknown"`):
		return absent
	case a.status >= 500:
		w.t.Errorf("%s %s as %q: %d %s", method, path, who, a.status, a.body)
	case template == "/trail" && w.shows(strings.ReplaceAll(a.body, w.list.ID, "")), // having taken out a list that was for them is people's own deed
		template != "/trail" && method == "GET" && w.shows(a.body):
		return sees
	}
	return may
}

// erases tells whether a route of projects is about erasing what somebody without an account wrote.
func erases(path string) bool {
	return strings.Contains(path, "/erasure") || strings.HasSuffix(path, "_erasure") || strings.HasSuffix(path, "/erase")
}

// objection is the id of an objection that the project has, or one that it has not.
func (w *matrixWorld) objection(p project) string {
	if p.ID == w.objected.ID {
		return p.Objections[0].ID
	}
	return "o1"
}

// shows tells whether an answer has one of the projects in it, the list that it stands on, or its evidence.
func (w *matrixWorld) shows(body string) bool {
	return slices.ContainsFunc([]string{w.draft.ID, w.draft.Number, w.pending.ID, w.pending.Number, w.cancelled.ID, w.cancelled.Number, w.list.ID, w.need.ID, string(w.tally.ID), w.evidence},
		func(s string) bool { return strings.Contains(body, s) }) || strings.HasPrefix(body, "%PDF")
}

// rows are the endpoints, one for each act where one route takes several. What everybody may ask, signed in or not,
// and what ends the session that asks are not about anybody's units.
func (w *matrixWorld) rows() [][2]string {
	var out [][2]string
	for _, r := range api.Routes(w.server) {
		method, path, _ := strings.Cut(r, " ")
		if base, ok := strings.CutSuffix(path, ":act"); ok {
			for prefix, acts := range consoleActs {
				if !strings.HasPrefix(base, prefix) {
					continue
				}
				for _, act := range acts {
					out = append(out, [2]string{method, base + act})
				}
			}
			continue
		}
		out = append(out, [2]string{method, path})
	}
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[1]+" "+a[0], b[1]+" "+b[0]) })
	return out
}

// outside are routes that are their own door: they let people in and out.
func outside(path string) bool {
	return slices.Contains([]string{"/sign-in", "/sign-out", "/seat", "/settings", "/set-up", "/password"}, path) || strings.HasPrefix(path, "/sign-in/") ||
		strings.HasPrefix(path, "/feeds/") // the address itself is the key
}

// matrix asks every cell and returns the file's lines.
func (w *matrixWorld) matrix() []string {
	var lines []string
	for _, r := range w.rows() {
		method, path := r[0], r[1]
		if outside(path) {
			lines = append(lines, fmt.Sprintf("| `%s %s` | door | | | | | | | | | |", method, path))
			continue
		}
		cells := []string{fmt.Sprintf("`%s %s`", method, path)}
		for _, rel := range relations {
			cell := ""
			for _, role := range engine.Roles {
				cell += w.ask(string(role)+"-"+rel.name, method, path)
			}
			cells = append(cells, cell)
		}
		for _, who := range parts {
			cells = append(cells, w.ask(who, method, path))
		}
		lines = append(lines, "| "+strings.Join(cells, " | ")+" |")
	}
	return lines
}

func TestAuthorizationMatrix(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newMatrixWorld(t, db)
		before := map[string]int64{}
		for _, p := range []*project{&w.draft, &w.pending, &w.cancelled, &w.objected} {
			before[p.ID] = p.Version
		}
		lines := w.matrix()
		for _, p := range []*project{&w.draft, &w.pending, &w.cancelled, &w.objected} {
			if w.reread(p); p.Version != before[p.ID] {
				t.Errorf("%s was changed: version %d, was %d; the matrix must leave everything as it is", p.Number, p.Version, before[p.ID])
			}
		}
		w.sane(lines)
		if *update && db.Backend() == storage.SQLite {
			if err := os.WriteFile(matrixFile, []byte(matrixHead()+strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		compareMatrix(t, lines)
	})
}

// compareMatrix compares cell by cell.
func compareMatrix(t *testing.T, lines []string) {
	t.Helper()
	file, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, line := range strings.Split(string(file), "\n") {
		if strings.HasPrefix(line, "| `") && strings.Contains(line, " /") {
			listed[strings.Split(line, " | ")[0]] = line
		}
	}
	for _, line := range lines {
		name := strings.Split(line, " | ")[0]
		want, ok := listed[name]
		delete(listed, name)
		switch {
		case !ok:
			t.Errorf("%s is not listed in %s: look at %s, then -update", name, matrixFile, line)
		case want != line:
			for i, cell := range strings.Split(line, " | ") {
				if w := strings.Split(want, " | "); i < len(w) && w[i] != cell {
					t.Errorf("%s, column %d (%s): the server says %s, the file %s", name, i, column(i), cell, w[i])
				}
			}
		}
	}
	for name := range listed {
		t.Errorf("%s is listed and does not exist", name)
	}
}

func column(i int) string {
	switch {
	case i == 0:
		return "endpoint"
	case i <= len(relations):
		return relations[i-1].name
	case parts[i-1-len(relations)] == "":
		return "anonymous"
	}
	return parts[i-1-len(relations)]
}

// sane is what must hold whatever the file says: roles reach downwards alone, those who hold an office (三员) change no
// project, and without signing in there is nothing.
func (w *matrixWorld) sane(lines []string) {
	w.t.Helper()
	for _, line := range lines {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) < 1+len(relations)+len(parts) {
			continue
		}
		method, path, _ := strings.Cut(strings.Trim(cells[0], "`"), " ")
		for i, rel := range relations {
			below := rel.name == "descendant" && !strings.Contains(path, "/lists") // a published list is for the units below
			away := below || rel.name == "sibling" || rel.name == "foreign"
			if away && strings.Contains(cells[1+i], sees) {
				w.t.Errorf("%s %s shows the project to somebody %s: %s", method, path, rel.name, cells[1+i])
			}
			if (strings.Contains(path, ":user") || strings.Contains(path, "/:unit")) && (away || below) && strings.Trim(cells[1+i], absent) != "" {
				w.t.Errorf("%s %s is not absent for somebody %s: %s", method, path, rel.name, cells[1+i])
			}
			if strings.Contains(path, ":id") && away && strings.Trim(cells[1+i], absent) != "" {
				w.t.Errorf("%s %s is not absent for somebody %s: %s", method, path, rel.name, cells[1+i])
			}
			office := cells[1+i][3:] // inspector, admin, security
			// An inspector orders a look-back and finds evidence false, and whoever reads a project may have its trail verified, which changes nothing.
			harmless := strings.HasSuffix(path, "/verify") || (strings.HasSuffix(path, "/look-backs") || strings.Contains(path, "/findings") || strings.HasSuffix(path, "_false") || strings.HasSuffix(path, "_finding")) && office == may+denied+denied
			// The two offices that erase a closed account erase the words of somebody without one, and nobody else does.
			harmless = harmless || erases(path) && cells[1+i] == denied+denied+denied+denied+may+may
			if strings.Contains(path, "projects/:id") && method != "GET" && !harmless && strings.Contains(office, may) {
				w.t.Errorf("%s %s lets an office act on a project: %s", method, path, cells[1+i])
			}
		}
		if nobody := cells[1+len(relations)+3]; nobody == sees || strings.Contains(path, ":id") && nobody != absent {
			w.t.Errorf("%s %s answers somebody without any role or part with %s", method, path, nobody)
		}
		public := slices.Contains([]string{"/healthz", "/readyz", "/docs", "/docs/:file", "/api/v1/openapi.json", "/assets/:file"}, path) ||
			strings.HasPrefix(path, "/board") || strings.HasPrefix(path, "/audit/") || path == "/r/:token" // for the people served; off, or unknown, they are absent
		if anonymous := cells[len(cells)-1]; !public && anonymous != closed {
			w.t.Errorf("%s %s answers somebody who is not signed in with %s", method, path, anonymous)
		}
	}
}

func matrixHead() string {
	var b strings.Builder
	b.WriteString(`# Who may do what

Written by a test (` + "`go test ./api -run Matrix -update`" + `) and compared cell by cell with the running server on both databases. Nobody edits
it by hand; whoever changes a right reads the difference.

## Offices and acts

What an action needs, whatever the way in. Roles hold for their unit and everything under it. Asking for a transition and answering it is
the definition's to say (` + "`workflows/*.yaml`" + `). No role is a superuser; four eyes come on top (nobody judges their own work or answers
their own request), and an action that is not listed is nobody's.

| action | who |
|---|---|
`)
	for _, p := range engine.Policies() {
		var who []string
		for _, r := range p.Roles {
			who = append(who, string(r))
		}
		if len(who) == 0 {
			who = []string{"everybody, about themselves"}
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", p.Action, strings.Join(who, ", "))
	}
	b.WriteString(`
## Endpoints

The project in question belongs to one unit. A person holds one role: at that unit (own), above it (ancestor), below it (descendant), at a
unit beside it (sibling), or in another organisation (foreign). Each cell has one letter for each role, in this order: secretary, supervisor,
leader, inspector, admin, security. The last columns are people without a role: the owner, an assistant, the sponsor, one with no part, and
one who is not signed in.

` + "`v` sees the project · `o` is answered without it, or allowed to act · `x` refused (403) · `-` as if it did not exist (404) · `#` not signed in" + `

| endpoint | own | ancestor | descendant | sibling | foreign | owner | assistant | sponsor | nobody | anonymous |
|---|---|---|---|---|---|---|---|---|---|---|
`)
	return b.String()
}
