package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// crowd is a world whose projects tests name by their titles.
type crowd struct {
	*world
	owner, sponsor, assistant engine.User
	by                        map[engine.ProjectID]string
}

// newCrowd makes units whose paths are hard to tell apart, and a few projects at each.
func newCrowd(t *testing.T, db *storage.DB) *crowd {
	w := newWorld(t, db)
	c := &crowd{world: w, by: map[engine.ProjectID]string{}}
	// /1/12/ is under /1/, and neither /1/123/ nor /1/12x/ is under /1/12/.
	for _, u := range []struct{ code, path string }{{"u1", "/1/"}, {"u12", "/1/12/"}, {"u123", "/1/123/"}, {"u12-9", "/1/12/9/"}, {"u12x", "/1/12x/"}, {"u2", "/2/"}, {"u2%", "/2/%/"}} {
		w.addUnit(engine.Unit{ID: engine.UnitID(newID()), Path: u.path, Code: u.code, Name: u.code, CreatedAt: w.tick(), Version: 1})
	}
	c.owner, c.sponsor, c.assistant = w.user("owner"), w.user("sponsor"), w.user("assistant")
	add := func(title, unit string, edit func(p *engine.Project)) {
		p := w.create(unit, func(p *engine.Project) {
			p.Title = title
			if edit != nil {
				edit(p)
			}
		})
		c.by[p.ID] = title
	}
	past, future := ptr(start.Add(-time.Hour)), ptr(start.Add(1000*time.Hour))
	add("a", "u1", func(p *engine.Project) {
		p.Stage, p.Deadline, p.RedAt = "advance", calendar.MustDate("2026-09-01"), past
	})
	add("b", "u12", func(p *engine.Project) {
		p.Owner, p.Deadline, p.YellowAt, p.RedAt = c.owner.ID, calendar.MustDate("2026-12-01"), past, future
		p.Waiting, p.Request = ",supervisor,", &engine.Request{Kind: engine.RequestTransition, By: c.owner.ID, At: start}
	})
	add("c", "u123", func(p *engine.Project) {
		p.Sponsor, p.Deadline, p.OrangeAt = c.sponsor.ID, calendar.MustDate("2026-12-01"), past
		p.Waiting = ",leader,supervisor,"
	})
	add("d", "u12-9", func(p *engine.Project) { p.Assistants, p.Kind = []engine.UserID{c.owner.ID, c.assistant.ID}, "shuji" })
	add("e", "u12x", func(p *engine.Project) {
		p.Stage, p.Deadline, p.ClosedAt, p.List = engine.Closed, calendar.MustDate("2026-10-01"), past, "2026-6"
		p.YellowAt = past // a light that it had
	})
	add("f", "u2", func(p *engine.Project) {
		p.Stage, p.Deadline, p.RedAt, p.List, p.EverOverdue = engine.Closed, calendar.MustDate("2026-10-01"), past, "2026-6", true
		p.ClosedAt = ptr(start)
	})
	add("100%_G", "u2", func(p *engine.Project) { p.Stage, p.OverdueAt, p.EverOverdue = engine.Shelved, past, true })
	add("100x_h", "u2%", func(p *engine.Project) {
		p.Stage, p.Definition, p.OverdueAt, p.CalendarUnknown = engine.Cancelled, "d2", past, true
		p.Deadline = calendar.MustDate("2026-11-01")
	})
	return c
}

// names lists projects by title, in their order.
func (c *crowd) names(list []engine.Project) string {
	var out []string
	for _, p := range list {
		out = append(out, c.by[p.ID])
	}
	return strings.Join(out, " ")
}

func TestFilter(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		c := newCrowd(t, db)
		id := func(code string) engine.UnitID { return c.units[code].ID }
		scope := func(user engine.User, paths ...string) *engine.Scope {
			return &engine.Scope{Paths: paths, User: user.ID}
		}
		nobody := engine.User{}
		for _, test := range []struct {
			name   string
			filter engine.Filter
			want   string
		}{
			{"everything", engine.Filter{}, "100x_h 100%_G f e d c b a"},
			{"a kind", engine.Filter{Kind: "shuji"}, "d"},
			{"a leaf", engine.Filter{Unit: id("u123")}, "c"},
			{"a unit and what is under it, not what begins alike", engine.Filter{Unit: id("u12")}, "d b"},
			{"a wide unit", engine.Filter{Unit: id("u1")}, "e d c b a"},
			{"a unit alone", engine.Filter{Unit: id("u12"), Alone: true}, "b"},
			{"an unknown unit alone", engine.Filter{Unit: engine.UnitID(newID()), Alone: true}, ""},
			{"a path with a wild card", engine.Filter{Unit: id("u2%")}, "100x_h"},
			{"a unit without projects", engine.Filter{Unit: id("root")}, ""},
			{"an unknown unit", engine.Filter{Unit: engine.UnitID(newID())}, ""},
			{"no id of a unit", engine.Filter{Unit: "u12"}, ""},
			{"stages", engine.Filter{Stage: []engine.StageID{"advance", engine.Shelved}}, "100%_G a"},
			{"red", engine.Filter{Light: []engine.Light{engine.Red}, Now: start}, "a"},
			{"yellow and orange", engine.Filter{Light: []engine.Light{engine.Yellow, engine.Orange}, Now: start}, "c b"},
			{"no light", engine.Filter{Light: []engine.Light{engine.NoLight}, Now: start}, "100x_h 100%_G f e d"},
			{"red later", engine.Filter{Light: []engine.Light{engine.Red}, Now: start.Add(1000 * time.Hour)}, "b a"},
			{"an owner", engine.Filter{Owner: c.owner.ID}, "b"},
			{"a list", engine.Filter{List: "2026-6"}, "f e"},
			{"text in the number, whatever its case", engine.Filter{Text: "ss2026-0003"}, "c"},
			{"text in the title", engine.Filter{Text: "_g"}, "100%_G"},
			{"text in the unit's name", engine.Filter{Text: "U12-"}, "d"},
			{"text in the owner's name", engine.Filter{Text: "人 own"}, "b"},
			{"text with a wild card", engine.Filter{Text: "0%_"}, "100%_G"},
			{"text with the escape", engine.Filter{Text: `\`}, ""},
			{"text that no database holds", engine.Filter{Text: "a\x00"}, ""},
			{"stages that no database holds", engine.Filter{Stage: []engine.StageID{"plan", "\xff"}}, ""},
			{"overdue", engine.Filter{Overdue: ptr(true)}, "100x_h 100%_G"},
			{"not overdue", engine.Filter{Overdue: ptr(false)}, "f e d c b a"},
			{"ever overdue", engine.Filter{Ever: ptr(true)}, "100%_G f"},
			{"never overdue", engine.Filter{Ever: ptr(false), Stage: []engine.StageID{engine.Closed}}, "e"},
			{"pending", engine.Filter{Pending: true}, "b"},
			{"not cancelled", engine.Filter{Kept: true, Unit: id("u2")}, "100%_G f"},
			{"due from", engine.Filter{DueFrom: calendar.MustDate("2026-11-01")}, "100x_h c b"},
			{"due to", engine.Filter{DueTo: calendar.MustDate("2026-10-01")}, "f e a"},
			{"due on a day", engine.Filter{DueFrom: calendar.MustDate("2026-11-01"), DueTo: calendar.MustDate("2026-11-01")}, "100x_h"},
			{"closed from", engine.Filter{ClosedFrom: start}, "f"},
			{"closed to", engine.Filter{ClosedTo: start}, "e"},
			{"closed within, in another zone", engine.Filter{ClosedFrom: start.Add(-time.Hour).In(time.FixedZone("CST", 8*3600)), ClosedTo: start.Add(time.Second)}, "f e"},
			{"waiting for one of two", engine.Filter{Waiting: []engine.Role{engine.Leader, engine.Owner}}, "c"},
			{"waiting for a role among others", engine.Filter{Waiting: []engine.Role{engine.Supervisor}}, "c b"},
			{"waiting for part of a role's name", engine.Filter{Waiting: []engine.Role{"super", "leader,supervisor,x", "%"}}, ""},
			{"open", engine.Filter{Open: true}, "100%_G d c b a"},
			{"a definition", engine.Filter{Digest: "d2"}, "100x_h"},
			{"unknown years", engine.Filter{Unknown: true}, "100x_h"},
			{"all at once", engine.Filter{Unit: id("u1"), Kind: "shishi", Stage: []engine.StageID{"plan"}, Owner: c.owner.ID, Open: true, Text: "B",
				Light: []engine.Light{engine.Yellow}, Now: start, Waiting: []engine.Role{engine.Supervisor}, Scope: scope(nobody, "/1/")}, "b"},

			{"by deadline, those without one last", engine.Filter{Sort: engine.ByDeadline}, "a e f 100x_h b c d 100%_G"},
			{"by deadline, latest first", engine.Filter{Sort: engine.ByLatest}, "c b 100x_h f e a 100%_G d"},
			{"oldest first", engine.Filter{Sort: engine.ByOldest}, "a b c d e f 100%_G 100x_h"},
			{"by light", engine.Filter{Sort: engine.ByLight, Now: start}, "a c b e f 100x_h d 100%_G"},
			{"by light, later", engine.Filter{Sort: engine.ByLight, Now: start.Add(1000 * time.Hour)}, "a b c e f 100x_h d 100%_G"},
			{"longest unchanged first", engine.Filter{Sort: engine.ByStale, Limit: 2}, "a b"},
			{"last changed first", engine.Filter{Sort: engine.ByUpdated, Limit: 2}, "100x_h 100%_G"},

			{"nobody's scope", engine.Filter{Scope: scope(nobody)}, ""},
			{"a scope of a path", engine.Filter{Scope: scope(nobody, "/1/12/")}, "d b"},
			{"a scope of the highest", engine.Filter{Scope: scope(nobody, c.units["root"].Path, "/1/", "/2/")}, "100x_h 100%_G f e d c b a"},
			{"a scope of two paths", engine.Filter{Scope: scope(nobody, "/1/123/", "/2/%/")}, "100x_h c"},
			{"a scope of a path that is none", engine.Filter{Scope: scope(nobody, "", "/", "1/12", "/1/12")}, ""},
			{"an owner's and assistant's own", engine.Filter{Scope: scope(c.owner)}, "d b"},
			{"a sponsor's own", engine.Filter{Scope: scope(c.sponsor)}, "c"},
			{"an assistant's own", engine.Filter{Scope: scope(c.assistant)}, "d"},
			{"a narrow path and the own", engine.Filter{Scope: scope(c.owner, "/2/%/")}, "100x_h d b"},
			{"a wide path and the own", engine.Filter{Scope: scope(c.sponsor, "/1/12/", "/2/")}, "100x_h 100%_G f d c b"},
			{"a scope within a unit", engine.Filter{Scope: scope(c.owner, "/2/"), Unit: id("u12")}, "d b"},
			{"a scope and text of either sort", engine.Filter{Scope: scope(nobody, "/2/"), Text: "a"}, ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				page, err := db.Projects(t.Context(), test.filter)
				if err != nil {
					t.Fatal(err)
				}
				if got := c.names(page.Items); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if test.filter.Limit > 0 {
					return
				}
				counts, err := db.Count(t.Context(), test.filter)
				if err != nil {
					t.Fatal(err)
				}
				checkCounts(t, counts, page.Items, test.filter.Now)
			})
		}
	})
}

// checkCounts compares a sum with one made by hand.
func checkCounts(t *testing.T, got engine.Counts, list []engine.Project, now time.Time) {
	t.Helper()
	want := engine.Counts{ByStage: map[engine.StageID]int{}, ByLight: map[engine.Light]int{}, ByUnit: []engine.UnitCount{},
		StageLights: map[engine.StageID]map[engine.Light]int{}}
	units := map[engine.UnitID]engine.UnitCount{}
	for _, p := range list {
		want.Total++
		want.ByStage[p.Stage]++
		want.ByLight[p.Light(now)]++
		if want.StageLights[p.Stage] == nil {
			want.StageLights[p.Stage] = map[engine.Light]int{}
		}
		want.StageLights[p.Stage][p.Light(now)]++
		u := units[p.UnitID]
		u.UnitID = p.UnitID
		u.Total++
		if p.OverdueAt != nil {
			want.Overdue++
			u.Overdue++
			if p.Stage != engine.Closed && p.Stage != engine.Cancelled {
				u.Late++
			}
		}
		if p.Stage == engine.Cancelled {
			u.Cancelled++
		}
		if p.Request != nil {
			want.Waiting++
		}
		if p.Stage == engine.Closed {
			u.Closed++
			if !p.EverOverdue {
				want.OnTime++
				u.OnTime++
			}
		}
		units[p.UnitID] = u
	}
	for _, u := range units {
		want.ByUnit = append(want.ByUnit, u)
	}
	slices.SortFunc(want.ByUnit, func(a, b engine.UnitCount) int { return strings.Compare(string(a.UnitID), string(b.UnitID)) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-by hand +read):\n%s", diff)
	}
}

func TestSpans(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		c := newCrowd(t, db)
		zone := time.FixedZone("CST", 8*3600)
		span := func(from, to string) engine.Span {
			f, l := calendar.MustDate(from), calendar.MustDate(to)
			return engine.Span{From: f, To: l, Start: f.Start(zone), End: l.AddDays(1).Start(zone)}
		}
		for _, test := range []struct {
			name   string
			filter engine.Filter
			spans  []engine.Span
			want   [][3]int // due, closed, on time
		}{
			{"months", engine.Filter{}, []engine.Span{span("2026-09-01", "2026-09-30"), span("2026-10-01", "2026-10-31"), span("2026-11-01", "2026-11-30")},
				[][3]int{{1, 2, 1}, {2, 0, 0}, {0, 0, 0}}},
			{"days, and what lies outside is nobody's", engine.Filter{}, []engine.Span{span("2026-10-01", "2026-10-01"), span("2026-10-02", "2026-12-01")},
				[][3]int{{2, 0, 0}, {2, 0, 0}}},
			{"one", engine.Filter{}, []engine.Span{span("2026-09-24", "2026-09-24")}, [][3]int{{0, 2, 1}}},
			{"what the filter selects", engine.Filter{Scope: &engine.Scope{Paths: []string{"/1/"}}}, []engine.Span{span("2026-09-01", "2026-10-31")}, [][3]int{{2, 1, 1}}},
			{"nothing", engine.Filter{Unit: "x"}, []engine.Span{span("2026-09-01", "2026-10-31")}, [][3]int{{}}},
			{"no spans", engine.Filter{}, nil, nil},
		} {
			t.Run(test.name, func(t *testing.T) {
				c.must(db.Spans(t.Context(), test.filter, test.spans))
				var got [][3]int
				for _, s := range test.spans {
					got = append(got, [3]int{s.Due, s.Closed, s.OnTime})
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("due, closed, on time (-want +got):\n%s", diff)
				}
			})
		}
	})
}

func TestProjectOfAnyID(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p := w.create("root", nil)
		for _, id := range []string{"", "x", "'", newID(), strings.ToUpper(string(p.ID)), "{" + string(p.ID) + "}", string(p.ID) + "\x00", "\xff"} {
			if _, err := db.Project(t.Context(), engine.ProjectID(id)); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("project %q: %v, want ErrNotFound", id, err)
			}
			if e, err := db.Evidence(t.Context(), engine.ProjectID(id)); err != nil || len(e) > 0 {
				t.Errorf("evidence of %q: %v, %v, want none", id, e, err)
			}
			if seq, head, err := db.Head(t.Context(), "project/"+id); err != nil || seq != 0 || !head.IsZero() {
				t.Errorf("head of %q: %d, %v, %v, want none", id, seq, head, err)
			}
		}
		if seq, head, err := db.Head(t.Context(), p.Subject()); err != nil || seq != 1 || head != p.Head {
			t.Errorf("head: %d, %v, %v, want 1 and %v", seq, head, err, p.Head)
		}
	})
}

func checkKey(t *testing.T, name string, err error, key string) {
	t.Helper()
	if e, ok := errors.AsType[*engine.Error](err); !ok || e.Key != key || e.Kind != engine.Invalid {
		t.Errorf("%s: %v, want the refusal %s", name, err, key)
	}
}

// The light is the same in Go and in SQL, for any times around the moment asked for.
func TestLightSQL(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p := w.create("root", nil)
		moment := rapid.Custom(func(t *rapid.T) *time.Time {
			if rapid.Bool().Draw(t, "none") {
				return nil
			}
			// Around whole seconds too, where the text of a time has no fraction.
			at := start.Truncate(time.Second).Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "µs")) * time.Microsecond)
			return &at
		})
		rapid.Check(t, func(rt *rapid.T) {
			p = w.update(p, func(p *engine.Project) {
				p.Stage = rapid.SampledFrom([]engine.StageID{"plan", "advance", engine.Closed, engine.Shelved, engine.Cancelled}).Draw(rt, "stage")
				p.Deadline = rapid.SampledFrom([]calendar.Date{{}, calendar.MustDate("2026-12-01")}).Draw(rt, "deadline")
				p.YellowAt, p.OrangeAt, p.RedAt = moment.Draw(rt, "yellow"), moment.Draw(rt, "orange"), moment.Draw(rt, "red")
			})
			now := *rapid.Map(moment, func(at *time.Time) *time.Time {
				if at == nil {
					return &start
				}
				return at
			}).Draw(rt, "now")
			got, err := db.LightAt(t.Context(), p.ID, now)
			if err != nil || got != p.Light(now) {
				rt.Fatalf("SQL says %q (%v), Go %q", got, err, p.Light(now))
			}
			for _, zone := range []*time.Location{time.UTC, time.FixedZone("CST", 8*3600)} {
				page, err := db.Projects(t.Context(), engine.Filter{Light: []engine.Light{p.Light(now)}, Now: now.In(zone)})
				if err != nil || len(page.Items) != 1 {
					rt.Fatalf("%d projects with its light at %v (%v), want it", len(page.Items), now.In(zone), err)
				}
			}
		})
	})
}

func TestEntryFilter(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		a, b := w.unit("a", "root"), w.unit("b", "root")
		leaf := w.unit("leaf", "a")
		owner := w.user("owner")
		p := w.create("a", nil)
		q := w.create("b", func(p *engine.Project) { p.Owner = owner.ID })
		l := w.create("leaf", nil)
		p = w.update(p, nil)
		moved := w.next(p, func(p *engine.Project) { p.UnitID = b.ID })
		moved.Entry.Actor = audit.Actor{ID: string(owner.ID), Role: "owner", Unit: string(b.ID), Via: audit.ViaAPI}
		moved.Entry.Action = "move"
		moved = w.seal(moved)
		w.must(w.commit(moved))

		words := map[string]string{p.Subject(): "p", q.Subject(): "q", l.Subject(): "l"}
		all := engine.EntryFilter{Limit: engine.MaxPage}
		whole, err := db.Entries(t.Context(), all)
		w.must(err)
		if n := w.count("entries"); len(whole.Items) != n {
			t.Fatalf("%d entries, want %d", len(whole.Items), n)
		}
		newest := whole.Items[0]
		if diff := cmp.Diff(moved.Entry, newest.Entry); diff != "" || newest.Hash != moved.Project.Head || string(newest.Bytes) != string(moved.Bytes) {
			t.Errorf("the newest entry is not the one written:\n%s", diff)
		}
		scope := func(user engine.UserID, paths ...string) *engine.Scope {
			return &engine.Scope{User: user, Paths: paths}
		}
		for _, test := range []struct {
			name   string
			filter engine.EntryFilter
			want   string
		}{
			{"a subject", engine.EntryFilter{Subject: p.Subject()}, "p3 p2 p1"},
			{"a subject from its beginning", engine.EntryFilter{Subject: p.Subject(), OldestFirst: true}, "p1 p2 p3"},
			{"an actor", engine.EntryFilter{Actor: owner.ID}, "p3"},
			{"a unit as it was then", engine.EntryFilter{Unit: a.ID}, "p2 l1 p1"},
			{"a leaf", engine.EntryFilter{Unit: leaf.ID}, "l1"},
			{"the root: all that belongs to a unit", engine.EntryFilter{Unit: w.units["root"].ID}, "p3 p2 l1 q1 p1"},
			{"no unit", engine.EntryFilter{Unit: "x"}, ""},
			{"actions", engine.EntryFilter{Actions: []string{"edit", "move"}}, "p3 p2"},
			{"from", engine.EntryFilter{From: moved.Entry.At}, "p3"},
			{"to", engine.EntryFilter{To: moved.Entry.At, Actions: []string{"edit", "move"}}, "p2"},
			{"from another zone", engine.EntryFilter{From: moved.Entry.At.In(time.FixedZone("CST", 8*3600))}, "p3"},
			{"all at once", engine.EntryFilter{Subject: p.Subject(), Actor: "operator", Unit: a.ID, Actions: []string{"edit"}, From: start, To: moved.Entry.At}, "p2"},
			{"a scope of nothing", engine.EntryFilter{Scope: scope("")}, ""},
			{"a scope of a path", engine.EntryFilter{Scope: scope("", leaf.Path)}, "l1"},
			{"a scope of a path and the own", engine.EntryFilter{Scope: scope(owner.ID, leaf.Path)}, "l1 q1"},
			{"a scope of the own", engine.EntryFilter{Scope: scope(owner.ID)}, "q1"},
			{"the whole trail of a project one sees now", engine.EntryFilter{Scope: scope("", b.Path), Subject: p.Subject()}, "p3 p2 p1"},
			{"nothing of a project one saw once", engine.EntryFilter{Scope: scope("", a.Path), Subject: p.Subject()}, ""},
			{"a subject that is no id", engine.EntryFilter{Scope: scope("", a.Path), Subject: "project/x"}, ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				page, err := db.Entries(t.Context(), test.filter)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, e := range page.Items {
					got = append(got, fmt.Sprintf("%s%d", words[e.Subject], e.Seq))
				}
				if strings.Join(got, " ") != test.want {
					t.Errorf("got %v, want %q", got, test.want)
				}
			})
		}
		t.Run("a scope of the highest sees what belongs to no unit", func(t *testing.T) {
			page, err := db.Entries(t.Context(), engine.EntryFilter{Scope: scope("", w.units["root"].Path), Limit: engine.MaxPage})
			if err != nil || len(page.Items) != len(whole.Items) {
				t.Errorf("%d entries (%v), want %d", len(page.Items), err, len(whole.Items))
			}
		})
	})
}

// An entry that somebody spoilt must not hide the others.
func TestEntriesThatCannotBeRead(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p := w.update(w.create("root", nil), nil)
		w.unguard()
		w.exec(fmt.Sprintf("UPDATE entries SET bytes = %s WHERE subject = '%s' AND seq = 1", w.literal([]byte("{}")), p.Subject()))
		page, err := db.Entries(t.Context(), engine.EntryFilter{Subject: p.Subject()})
		if err != nil || len(page.Items) != 2 {
			t.Fatalf("%d entries (%v), want 2", len(page.Items), err)
		}
		if e := page.Items[1]; e.V != 0 || e.Subject != p.Subject() || e.Seq != 1 || e.Action != "create" || string(e.Bytes) != "{}" {
			t.Errorf("the spoilt entry is shown as %+v, want what its columns say and V 0", e)
		}
	})
}
