package engine_test

import (
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// Every line of "Bad input" about lists, deadlines and ratings has its clear answer and changes nothing: neither the
// row nor the number of entries, apart from the one that counts asking for more time too late.
func TestBadInputChangesNothing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := needs{lists{settle(t, db, "2026-09-01 09:00")}}
		ctx := t.Context()
		empty, l, next := h.drawUp("2026-4", "2026-07-01", "2026-08-31"), h.drawUp("2026-5", "2026-09-01", "2026-10-31"), h.drawUp("2026-6", "2026-11-01", "2026-12-31")
		items := h.some(2, "2026-10-20")
		l = h.publish(h.put(l, ids(items)...))
		l = h.must(h.e.StartReconciling(ctx, h.people["leader"], l.ID, l.Version))
		l = h.must(h.e.CarryOver(ctx, h.people["second"], l.ID, l.Version, items[0].ID, next.ID, "还没有做完"))

		rated := h.inFeedback()
		rated, token, err := h.e.OpenPoll(ctx, h.people["supervisor"], rated.ID, rated.Version, day("2026-09-30"))
		if err != nil {
			t.Fatal(err)
		}
		over := h.inFeedback()
		over, closed, err := h.e.OpenPoll(ctx, h.people["supervisor"], over.ID, over.Version, day("2026-09-30"))
		if err != nil {
			t.Fatal(err)
		}
		h.does("supervisor", &over, engine.ClosePoll{})
		if err := h.e.Cast(ctx, token, device(1), 5, ""); err != nil {
			t.Fatal(err)
		}
		running := h.propose(h.draft())
		for _, x := range []struct {
			who string
			cmd engine.Command
		}{{"owner", engine.Submit{Transition: "deploy"}}, {"supervisor", engine.Approve{}}, {"owner", engine.Acknowledge{}}} {
			h.does(x.who, &running, x.cmd)
		}
		do := func(who string, p *engine.Project, cmd engine.Command) func() error {
			return func() error { _, err := h.e.Do(ctx, h.people[who], p.ID, p.Version, cmd); return err }
		}
		for _, c := range []struct {
			name string
			do   func() error
			kind engine.Kind
			key  string
		}{
			{"publishing an empty list", func() error {
				_, err := h.e.PublishList(ctx, h.people["leader"], empty.ID, empty.Version)
				return err
			}, engine.Blocked, "lists.empty"},
			{"closing with an item that is not accounted for", func() error {
				_, err := h.e.CloseList(ctx, h.people["leader"], l.ID, l.Version, "")
				return err
			}, engine.Blocked, "lists.open_items"},
			{"carrying over twice", func() error {
				_, err := h.e.CarryOver(ctx, h.people["second"], l.ID, l.Version, items[0].ID, next.ID, "还没有做完")
				return err
			}, engine.Blocked, "lists.carried_already"},
			{"an extension beyond the cap", do("owner", &running, engine.Extend{Deadline: running.Deadline.AddMonths(3).AddDays(1), Note: "材料到货晚了"}), engine.Invalid, "extension.too_far"},
			{"a vote after the survey closed", func() error { return h.e.Cast(ctx, closed, device(2), 5, "") }, engine.NotFound, "poll.gone"},
			{"a forged link", func() error { return h.e.Cast(ctx, strings.Repeat("A", 22), device(2), 5, "") }, engine.NotFound, "poll.gone"},
			{"a link with one letter changed", func() error { return h.e.Cast(ctx, flip(token), device(2), 5, "") }, engine.NotFound, "poll.gone"},
			{"an objection of 10 MB", do("supervisor", &rated, engine.Object{Text: strings.Repeat("还是没有灯", 700_000)}), engine.Invalid, "field.too_long"},
			{"a remark of 10 MB", func() error { return h.e.Cast(ctx, token, device(2), 1, strings.Repeat("没有灯", 1_200_000)) }, engine.Invalid, "field.too_long"},
		} {
			t.Run(c.name, func(t *testing.T) {
				entries, was := h.intact(), h.states(l.ID, next.ID, empty.ID, rated.ID, over.ID, running.ID)
				lists{&house{t: t}}.refuses(c.do(), c.kind, c.key)
				if n := h.intact(); n != entries {
					t.Errorf("%d entries were written", n-entries)
				}
				if is := h.states(l.ID, next.ID, empty.ID, rated.ID, over.ID, running.ID); is != was {
					t.Errorf("something was changed:\n%s\n%s", was, is)
				}
			})
		}
		t.Run("a second vote from a device", func(t *testing.T) {
			before := h.intact()
			if err := h.e.Cast(ctx, token, device(1), 4, ""); err != nil {
				t.Fatal(err)
			}
			tally, err := db.Tally(ctx, rated.Poll.ID)
			if err != nil || tally.Votes() != 1 || tally.Satisfied != 1 {
				t.Errorf("counted %+v (%v), want the second alone", tally, err)
			}
			if n := h.intact(); n != before {
				t.Errorf("%d entries", n-before)
			}
		})
		t.Run("an extension after expiry", func(t *testing.T) {
			h.clock.set(clockTime("2026-12-01 08:00"))
			before := h.intact()
			_, err := h.e.Do(ctx, h.people["owner"], running.ID, running.Version, engine.Extend{Deadline: day("2026-12-20"), Note: "忘了早点申请"})
			lists{&house{t: t}}.refuses(err, engine.Blocked, "extension.too_late")
			q, readErr := db.Project(ctx, running.ID)
			if readErr != nil || q.Deadline != running.Deadline || q.Extensions != 0 || q.Request != nil || q.LateAsks != 1 {
				t.Errorf("%+v (%v)", q, readErr)
			}
			if n := h.intact(); n != before+1 { // the rule says that it counts
				t.Errorf("%d entries, want the one that counts it", n-before)
			}
		})
	})
}

// flip changes one letter of a token.
func flip(token string) string {
	b := []byte(token)
	if b[3]++; b[3] > 'z' || b[3] == '[' || b[3] == ':' || b[3] == '`' || b[3] == '.' {
		b[3] = 'Q'
	}
	return string(b)
}

// states are the rows as they stand, as one text.
func (h needs) states(list1, list2, list3 engine.ListID, projects ...engine.ProjectID) string {
	h.t.Helper()
	var b strings.Builder
	for _, id := range []engine.ListID{list1, list2, list3} {
		l := h.newest(id)
		b.Write(l.JSON())
	}
	for _, id := range projects {
		p, err := h.db.Project(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		b.Write(p.State())
	}
	return b.String()
}
