package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/bundle"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

const (
	herLogin = "zhaotieniu"
	herName  = "赵铁牛"
	herMail  = "zhao.tieniu@example.edu"
)

// traces lists where in the database one of the words stands: table, column and, of SQLite, the file itself.
func traces(t *testing.T, db *storage.DB, words ...string) (found []string) {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if db.Backend() == storage.Postgres {
		query = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
	}
	for _, table := range column(t, db, query) {
		rows, err := db.SQL().QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, into := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				text, ok := v.([]byte)
				if !ok {
					text = fmt.Append(nil, v)
				}
				for _, w := range words {
					if bytes.Contains(text, []byte(w)) {
						found = append(found, table+"."+names[i]+" "+w)
					}
				}
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if db.Backend() == storage.SQLite {
		for _, path := range column(t, db, "SELECT file FROM pragma_database_list WHERE name = 'main'") {
			for _, name := range []string{path, path + "-wal"} {
				b, err := os.ReadFile(name)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				for _, w := range words {
					if bytes.Contains(b, []byte(w)) {
						found = append(found, "file "+w)
					}
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func column(t *testing.T, db *storage.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.SQL().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// exec runs a statement as somebody with the database in hands would.
func (h *house) exec(text string) {
	h.t.Helper()
	if _, err := h.db.SQL().ExecContext(h.t.Context(), text); err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
}

// lived is a house in which somebody has worked, set a password, signed in, been told things, and left.
func lived(t *testing.T, db *storage.DB) *house {
	h := settle(t, db, "2026-09-24 10:00")
	ctx := t.Context()
	u, err := h.e.AddUser(ctx, engine.Operator(), herLogin, herName)
	if err == nil {
		u, err = h.e.Grant(ctx, engine.Operator(), herLogin, "z", engine.Supervisor)
	}
	if err == nil {
		u, err = h.e.SetPassword(ctx, h.acts(herLogin), herLogin, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA", false)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.people[herLogin] = h.acts(herLogin)
	if _, err := h.e.SaveSettings(ctx, h.acts(herLogin), engine.NotifySettings{ID: u.ID, Mail: herMail}); err != nil {
		t.Fatal(err)
	}
	p := h.propose(h.draft())
	h.does("owner", &p, engine.Submit{Transition: "deploy", Note: "请交办"})
	h.does(herLogin, &p, engine.Approve{Note: "同意"})
	at, id := "'2026-09-24 02:00:00+00:00'", "'"+string(u.ID)+"'"
	account := fmt.Sprintf("x'%x'", engine.AccountDigest(herLogin))
	if db.Backend() == storage.Postgres {
		account = fmt.Sprintf(`'\x%x'`, engine.AccountDigest(herLogin))
	}
	h.exec("INSERT INTO sessions (hash, device, user_id, user_version, created_at, seen_at, expires_at, via) VALUES (" + account + ", " + account + ", " + id + ", 1, " + at + ", " + at + ", " + at + ", 'local')")
	h.exec("INSERT INTO sign_in_failures (id, account, device, address, at) VALUES ('" + h.e.NewID() + "', " + account + ", " + account + ", '', " + at + ")")
	h.exec("INSERT INTO saved_views (user_id, name, query, created_at) VALUES (" + id + ", '" + herName + "的项目', 'q=" + herLogin + "', " + at + ")")
	channelled(t, db, engine.Channel{ID: engine.ChannelID(u.ID), Kind: engine.Mail, Name: "邮件", UnitID: h.units["p"].ID, Sealed: engine.AccountDigest(herLogin), CreatedAt: h.clock.now(), Version: 1})
	h.exec("INSERT INTO deliveries (id, channel_id, unit_id, user_id, about, state, urgent, attempts, next_at, lease_token, created_at, answer) VALUES ('" + h.e.NewID() + "', " + id + ", '', " + id + ", 'urge', 'dead', false, 5, " + at + ", '', " + at + ", '550 <" + herMail + "> unknown')")
	h.exec("INSERT INTO archived_deliveries (id, channel_id, unit_id, user_id, about, state, urgent, attempts, next_at, lease_token, created_at, answer, archived_at) VALUES ('" + h.e.NewID() + "', " + id + ", '', " + id + ", 'urge', 'dead', false, 5, " + at + ", '', " + at + ", '550 <" + herMail + "> unknown', " + at + ")")
	if _, err := h.e.Disable(ctx, h.acts("admin"), herLogin); err != nil {
		t.Fatal(err)
	}
	return h
}

// Two offices erase what is kept of a person; the trail stays valid, tells who did it, and nothing of the person is
// left anywhere.
func TestErase(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lived(t, db)
		ctx := t.Context()
		her := h.people[herLogin].ID
		before := traces(t, db, herLogin, herName, herMail)
		if !slices.Contains(before, "users.name "+herName) || !slices.Contains(before, "deliveries.answer "+herMail) {
			t.Fatalf("the search is broken: %v", before)
		}
		for _, x := range before {
			if strings.HasPrefix(x, "entries.") {
				t.Errorf("before: %s", x)
			}
		}
		if _, err := h.e.AskErasure(ctx, h.acts("security"), herLogin, 0, "离任满五年，本人申请"); err != nil {
			t.Fatal(err)
		}
		h.intact()
		seen, err := h.e.ErasureOf(ctx, h.acts("admin"), herLogin)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.e.Erase(ctx, h.acts("admin"), herLogin, seen.Version-1)
		wantKind(t, "of an older version", err, engine.Stale, "erase.stale")
		u, err := h.e.Erase(ctx, h.acts("admin"), herLogin, seen.Version)
		if err != nil {
			t.Fatal(err)
		}
		if u.ID != her || !u.Erased() || !u.Forgotten() || u.Erasure.AskedBy != h.people["security"].ID || u.Erasure.DoneBy != h.people["admin"].ID {
			t.Errorf("erased: %+v %+v", u, u.Erasure)
		}
		h.intact()
		if left := traces(t, db, herLogin, herName, herMail); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
		for table, where := range map[string]string{"passwords": "user_id", "sessions": "user_id", "saved_views": "user_id"} {
			if n := column(t, db, "SELECT CAST(count(*) AS text) FROM "+table+" WHERE CAST("+where+" AS text) = '"+string(her)+"'"); n[0] != "0" {
				t.Errorf("%s: %s rows", table, n[0])
			}
		}
		if n := column(t, db, "SELECT CAST(count(*) AS text) FROM sign_in_failures"); n[0] != "0" {
			t.Errorf("%s attempts left", n[0])
		}
		report, err := db.Verify(ctx, storage.VerifyOptions{})
		if err != nil || report.Checked.Erased != 1 || report.Checked.Commitments != report.Checked.Users-1 {
			t.Errorf("checked: %+v, %v", report.Checked, err)
		}
		// What she did stands, under the same id.
		if page, err := h.db.Entries(ctx, engine.EntryFilter{Actor: her, Limit: 10}); err != nil || len(page.Items) < 2 {
			t.Errorf("%d entries by her, %v", len(page.Items), err)
		}
		if _, err := h.e.User(ctx, herLogin); engine.KindOf(err) != engine.NotFound {
			t.Errorf("by the login: %v", err)
		}
		again, err := h.e.User(ctx, string(her))
		if err != nil || !again.Erased() {
			t.Errorf("by the id: %+v, %v", again, err)
		}
		// It is for good, and the login is free again.
		_, err = h.e.Enable(ctx, h.acts("admin"), string(her))
		wantKind(t, "opened again", err, engine.Blocked, "erase.done")
		_, err = h.e.AskErasure(ctx, h.acts("security"), string(her), 0, "再删除一次")
		wantKind(t, "asked again", err, engine.Blocked, "erase.done")
		_, err = h.e.Erase(ctx, h.acts("admin"), string(her), 0)
		wantKind(t, "erased again", err, engine.Blocked, "erase.done")
		_, err = h.e.EndErasure(ctx, h.acts("admin"), string(her), 0)
		wantKind(t, "taken back too late", err, engine.Blocked, "erase.done")
		h.person(herLogin)
		h.intact()
	})
}

// Who may ask, who may answer, and what stands in the way.
func TestErasureTakesTwoOffices(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lived(t, db)
		ctx := t.Context()
		why := "离任满五年，本人申请"
		ask := func(who engine.Actor, user, why string) error {
			_, err := h.e.AskErasure(ctx, who, user, 0, why)
			return err
		}
		erase := func(who engine.Actor, user string) error { _, err := h.e.Erase(ctx, who, user, 0); return err }
		end := func(who engine.Actor, user string) error { _, err := h.e.EndErasure(ctx, who, user, 0); return err }
		for who, c := range map[string]struct {
			kind engine.Kind
			key  string
		}{
			"owner": {engine.NotFound, "user.unknown"}, "secretary": {engine.NotFound, "user.unknown"}, "leader": {engine.NotFound, "user.unknown"},
			"inspector": {engine.Denied, "act.role"},
		} {
			wantKind(t, who, ask(h.acts(who), herLogin, why), c.kind, c.key)
			wantKind(t, who, erase(h.acts(who), herLogin), c.kind, c.key)
			wantKind(t, who, end(h.acts(who), herLogin), c.kind, c.key)
			_, err := h.e.ErasureOf(ctx, h.acts(who), herLogin)
			wantKind(t, who, err, c.kind, c.key)
		}
		wantKind(t, "nothing was asked", erase(h.acts("admin"), herLogin), engine.Blocked, "erase.not_asked")
		wantKind(t, "nothing to take back", end(h.acts("admin"), herLogin), engine.Blocked, "erase.not_asked")
		wantKind(t, "an open account", ask(h.acts("admin"), "owner", why), engine.Blocked, "erase.open_account")
		wantKind(t, "oneself", ask(h.acts("admin"), "admin", why), engine.Denied, "erase.self")
		wantKind(t, "nobody", ask(h.acts("admin"), "none", why), engine.NotFound, "user.unknown")
		wantKind(t, "no reason", ask(h.acts("admin"), herLogin, ""), engine.Invalid, "note.too_short")
		wantKind(t, "the name in the reason", ask(h.acts("admin"), herLogin, herName+"离任"), engine.Invalid, "erase.names_person")
		wantKind(t, "the login in the reason", ask(h.acts("admin"), herLogin, "账号 "+strings.ToUpper(herLogin)), engine.Invalid, "erase.names_person")
		if _, err := h.e.Grant(ctx, engine.Operator(), "second", "z", engine.Leader); err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.Disable(ctx, h.acts("admin"), "second"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "above one's units, too", ask(h.acts("branchadmin"), "second", why), engine.Denied, "account.above_scope")
		if _, err := h.e.Disable(ctx, h.acts("admin"), "elsewhere"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "beside one's units", ask(h.acts("branchadmin"), "elsewhere", why), engine.NotFound, "user.unknown")

		for _, c := range []struct{ asks, same, answers string }{
			{"admin", "branchadmin", "security"}, {"security", "branchsecurity", "branchadmin"},
		} {
			if err := ask(h.acts(c.asks), herLogin, why); err != nil {
				t.Fatal(err)
			}
			wantKind(t, "asked twice", ask(h.acts(c.answers), herLogin, why), engine.Conflict, "erase.asked")
			wantKind(t, "one's own request", erase(h.acts(c.asks), herLogin), engine.Denied, "erase.own_request")
			wantKind(t, "the same office", erase(h.acts(c.same), herLogin), engine.Denied, "erase.other_office")
			wantKind(t, "the command line", erase(engine.Operator(), herLogin), engine.Denied, "erase.operator")
			if err := end(h.acts(c.answers), herLogin); err != nil {
				t.Fatal(err)
			}
			wantKind(t, "taken back", erase(h.acts(c.answers), herLogin), engine.Blocked, "erase.not_asked")
		}
		// Opened again in between, it is not done.
		if err := ask(engine.Operator(), herLogin, why); err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.Enable(ctx, h.acts("admin"), herLogin); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "opened meanwhile", erase(h.acts("branchsecurity"), herLogin), engine.Blocked, "erase.open_account")
		if _, err := h.e.Disable(ctx, h.acts("admin"), herLogin); err != nil {
			t.Fatal(err)
		}
		if err := erase(h.acts("branchsecurity"), herLogin); err != nil {
			t.Fatal(err)
		}
		h.intact()
		if got := h.refusals("branchadmin"); !slices.Contains(got, "erase.other_office") || !slices.Contains(got, "account.above_scope") {
			t.Errorf("refusals recorded: %v", got)
		}
	})
}

// Whoever empties a row by hand, or fills it again after an erasure, is found out.
func TestErasureByHand(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lived(t, db)
		ctx := t.Context()
		her := string(h.people[herLogin].ID)
		findings := func(what string, want int) {
			t.Helper()
			r, err := db.Verify(ctx, storage.VerifyOptions{})
			if err != nil || len(r.Findings) != want {
				t.Errorf("%s: %+v, %v", what, r.Findings, err)
			}
			for _, f := range r.Findings {
				if f.Check != storage.CheckCommitment || f.Subject != engine.SubjectUser+"/"+her {
					t.Errorf("%s: %+v", what, f)
				}
			}
		}
		empty := "''"
		if db.Backend() == storage.SQLite {
			empty = "x''"
		}
		findings("as it is", 0)
		old := column(t, db, "SELECT "+map[string]string{storage.SQLite: "hex(salt)", storage.Postgres: "encode(salt, 'hex')"}[db.Backend()]+" FROM users WHERE login = '"+herLogin+"'")[0]
		h.exec("UPDATE users SET name = '', salt = " + empty + ", login = '~" + her + "' WHERE id = '" + her + "'")
		findings("emptied by hand", 1)
		salt := "x'" + old + "'"
		if db.Backend() == storage.Postgres {
			salt = `'\x` + old + "'"
		}
		h.exec("UPDATE users SET name = '" + herName + "', salt = " + salt + ", login = '" + herLogin + "' WHERE id = '" + her + "'")
		findings("put back", 0)
		if _, err := h.e.AskErasure(ctx, h.acts("admin"), herLogin, 0, "离任满五年"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.Erase(ctx, h.acts("security"), herLogin, 0); err != nil {
			t.Fatal(err)
		}
		findings("erased", 0)
		h.exec("UPDATE users SET name = '" + herName + "' WHERE id = '" + her + "'")
		findings("named again", 1)
		h.exec("UPDATE users SET name = '', salt = " + salt + " WHERE id = '" + her + "'")
		findings("its opening kept elsewhere and put back", 1)
	})
}

// The words of somebody without an account stand in no entry. Two offices erase them as they do a closed account, and
// nothing of them is left; verification says who did it, and finds what was done to them by hand.
func TestEraseWords(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 09:00")
		ctx := t.Context()
		const number, words = "13800138000", "灯还不亮，请打 13800138000 找我"
		p := h.inFeedback()
		h.does("leader", &p, engine.Object{Text: "还有两盏不亮"})
		p, token, err := h.e.OpenPoll(ctx, h.people["supervisor"], p.ID, p.Version, day("2026-09-30"))
		if err == nil {
			err = h.e.Cast(ctx, token, device(1), 1, words)
		}
		if err == nil {
			p, err = db.Project(ctx, p.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		theirs, own := "o3", "o2" // m1 was the first number
		if o := p.Objections[theirs]; o.Sealed == "" || o.Text != "" || p.Objections[own].Sealed != "" {
			t.Fatalf("objections %+v", p.Objections)
		}
		says := func(want string) {
			t.Helper()
			got, err := h.e.Words(ctx, &p)
			if err != nil || got[theirs] != want || got[own] != "还有两盏不亮" {
				t.Errorf("the objections say %q (%v), want %q", got, err, want)
			}
		}
		says(words)
		if got := traces(t, db, number); !slices.Equal(slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "file ") }), []string{"remarks.text " + number, "votes.comment " + number}) {
			t.Errorf("the number stands in %v", got)
		}
		h.intact()
		check := func(what string, findings int) storage.Report {
			t.Helper()
			r, err := db.Verify(ctx, storage.VerifyOptions{})
			if err != nil || len(r.Findings) != findings {
				t.Errorf("%s: found %+v (%v), want %d", what, r.Findings, err, findings)
			}
			for _, f := range r.Findings {
				if f.Check != storage.CheckCommitment || f.Subject != p.Subject() {
					t.Errorf("%s: %+v", what, f)
				}
			}
			return r
		}
		h.exec("UPDATE remarks SET text = '灯都亮了'")
		check("edited", 1)
		h.exec("UPDATE remarks SET text = '" + words + "'")
		if r := check("put back", 0); r.Erased != nil {
			t.Errorf("erased: %+v", r.Erased)
		}

		do := func(who engine.Actor, step, of, note string) error {
			q, err := h.e.Do(ctx, who, p.ID, p.Version, engine.EraseWords{Objection: of, Step: step, Note: note})
			if err == nil {
				p = q
			}
			return err
		}
		why := "本人来电要求"
		for _, who := range []string{"owner", "supervisor", "leader", "inspector"} {
			wantKind(t, who, do(h.acts(who), "ask_erasure", theirs, why), engine.Denied, "act.role")
			wantKind(t, who, do(h.acts(who), "erase", theirs, ""), engine.Denied, "act.role")
		}
		admin, security := h.acts("admin"), h.acts("security")
		wantKind(t, "no such step", do(admin, "forget", theirs, why), engine.Denied, "act.no_row")
		wantKind(t, "no such objection", do(admin, "ask_erasure", "o9", why), engine.NotFound, "objection.unknown")
		wantKind(t, "of somebody with an account", do(admin, "ask_erasure", own, why), engine.Blocked, "erase.in_trail")
		wantKind(t, "not asked", do(admin, "erase", theirs, ""), engine.Blocked, "erase.not_asked")
		wantKind(t, "the number in the reason", do(admin, "ask_erasure", theirs, "电话 "+number+" 本人要求"), engine.Invalid, "erase.names_person")
		wantKind(t, "the words in the reason", do(admin, "ask_erasure", theirs, "删除："+words), engine.Invalid, "erase.names_person")
		if err := do(engine.Operator(), "ask_erasure", theirs, why); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "the command line", do(engine.Operator(), "erase", theirs, ""), engine.Denied, "erase.operator")
		if err := do(admin, "end_erasure", theirs, ""); err != nil {
			t.Fatal(err)
		}
		if err := do(admin, "ask_erasure", theirs, why); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "asked twice", do(security, "ask_erasure", theirs, why), engine.Conflict, "erase.asked")
		wantKind(t, "one's own request", do(admin, "erase", theirs, ""), engine.Denied, "erase.own_request")
		wantKind(t, "the same office", do(h.acts("branchadmin"), "erase", theirs, ""), engine.Denied, "erase.other_office")
		says(words)
		if err := do(security, "erase", theirs, ""); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "again", do(security, "ask_erasure", theirs, why), engine.Blocked, "erase.done")
		says("")
		if left := traces(t, db, number, "灯还不亮"); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
		h.intact()
		r := check("erased", 0)
		if len(r.Erased) != 1 || r.Erased[0].What() != p.Subject()+" "+theirs || r.Erased[0].By != string(security.ID) || !r.Erased[0].At.Equal(*p.Objections[theirs].Erasure.DoneAt) {
			t.Errorf("redacted by %+v", r.Erased)
		}
		var b bytes.Buffer
		if _, err := db.Export(ctx, &b, storage.ExportOptions{}); err != nil {
			t.Fatal(err)
		}
		out, err := bundle.Verify(bytes.NewReader(b.Bytes()), int64(b.Len()), bundle.Options{})
		if err != nil || len(out.Findings) != 0 || !slices.Equal(out.Erased, r.Erased) {
			t.Errorf("the bundle: %+v, %+v (%v)", out.Findings, out.Erased, err)
		}
		// It can be answered still, and what comes back is found.
		h.does("supervisor", &p, engine.Answer{ID: theirs, Text: "已经更换"})
		check("answered", 0)
		salt := "x'00112233445566778899aabbccddeeff', x'" + strings.Repeat("00", 32) + "'"
		if db.Backend() == storage.Postgres {
			salt = strings.ReplaceAll(salt, "x'", `'\x`)
		}
		h.exec("INSERT INTO remarks (project_id, id, poll, salt, device, text) VALUES ('" + string(p.ID) + "', '" + theirs + "', '" + string(p.ID) + "', " + salt + ", '灯不亮')")
		check("come back", 1)
	})
}

// channelled stores a channel with its entry, sealed with whatever it has.
func channelled(t *testing.T, db *storage.DB, c engine.Channel) {
	t.Helper()
	log, err := db.Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.CreatedAt = c.CreatedAt.UTC()
	data, err := json.Marshal(map[string]any{"set": c})
	if err != nil {
		t.Fatal(err)
	}
	e := audit.Entry{V: audit.Format, Log: log, ID: string(c.ID), At: c.CreatedAt, Actor: audit.Actor{ID: "operator", Via: audit.ViaCLI}, Action: "add_channel",
		Subject: engine.SubjectChannel + "/" + string(c.ID), Seq: 1, Version: 1, Data: data}
	b, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Record(t.Context(), engine.Record{Entry: e, Bytes: b, Head: audit.HashEntry(b), Channel: &c}); err != nil {
		t.Fatal(err)
	}
}
