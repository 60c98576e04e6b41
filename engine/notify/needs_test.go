package notify_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/message"
	"bihuan/engine/notify"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// A channel can be narrowed to every kind of reminder that has a name; what is told to persons alone goes over none,
// and copies of the checkpoint are no reminders.
func TestKindsAreAll(t *testing.T) {
	const prefix = "notify.say.kind."
	for _, key := range message.Keys() {
		kind, ok := strings.CutPrefix(key, prefix)
		if ok && kind != "week" && kind != "need" && kind != engine.AboutCheckpoint && !slices.Contains(notify.Kinds, kind) {
			t.Errorf("there are reminders of the kind %q, and no channel can be meant for them", kind)
		}
	}
	for _, kind := range notify.Kinds {
		if !message.Has(prefix + kind) {
			t.Errorf("the kind %q has no name", kind)
		}
	}
}

// Whoever raised a need hears what became of it, once for each answer, however often is planned.
func TestProposersAreTold(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		collect := func(title string) engine.Need {
			n, err := h.e.Collect(ctx, h.people["supervisor"], h.units["z"], engine.NeedDraft{Number: "2026-6", Title: title, Source: engine.FromLetter, Proposer: h.people["owner"].ID})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		one, two := collect("自习室太暗"), collect("食堂太挤")
		if n := h.plan(); n != 0 {
			t.Errorf("%d things told before there is an answer", n)
		}
		one, err := h.e.DeclineNeed(ctx, h.people["supervisor"], one.ID, one.Version, "暑假已经换过灯")
		if err != nil {
			t.Fatal(err)
		}
		if n := h.plan() + h.plan(); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
		if _, err = h.e.AcceptNeed(ctx, h.people["supervisor"], one.ID, one.Version, engine.NeedItem{Kind: "shishi", Unit: h.units["z"]}, "再查一次照度"); err != nil {
			t.Fatal(err)
		}
		if _, err = h.e.DeclineNeed(ctx, h.people["leader"], two.ID, two.Version, "新食堂明年建成"); err != nil {
			t.Fatal(err)
		}
		h.plan()
		var said []string
		for _, n := range h.inbox("owner") {
			if n.Kind != "need" {
				t.Errorf("a notice of kind %s", n.Kind)
			}
			said = append(said, n.Text)
		}
		all := strings.Join(said, "\n")
		for _, want := range []string{"暑假已经换过灯", "采纳，列为项目 SS2026-0001", "再查一次照度", "新食堂明年建成"} {
			if !strings.Contains(all, want) {
				t.Errorf("%q is not said in\n%s", want, all)
			}
		}
		if len(said) != 3 {
			t.Errorf("%d notices, want 3", len(said))
		}
	})
}

// Every kind of reminder that the engine owes has a name, which people read in their inbox.
func TestKindsHaveNames(t *testing.T) {
	files, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	owed := regexp.MustCompile(`\{Kind: "(\w+)", (?:Role|Timer)`)
	kinds := map[string]bool{"look_back": true}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range owed.FindAllStringSubmatch(string(source), -1) {
			kinds[m[1]] = true
		}
	}
	for _, rung := range engine.Rungs {
		kinds[string(rung)] = true
	}
	if len(kinds) < 12 {
		t.Errorf("only %d kinds were found", len(kinds))
	}
	for kind := range kinds {
		if !message.Has("notify.say.kind." + kind) {
			t.Errorf("no name for reminders of kind %s", kind)
		}
	}
}
