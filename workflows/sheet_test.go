package workflows

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"bihuan/engine/score"
)

func TestSheets(t *testing.T) {
	var ids []string
	for _, s := range Sheets() {
		ids = append(ids, s.ID)
		source, ok := SheetSource(s.ID)
		again, err := CompileSheet(source)
		if !ok || err != nil || again.Digest != s.Digest {
			t.Errorf("%s: source %v, %v", s.ID, ok, err)
		}
		if s.MinRank != 3 {
			t.Errorf("%s: units with %d items are ranked", s.ID, s.MinRank)
		}
	}
	if want := []string{DefaultSheet, "ccit", "jiamusi"}; !slices.Equal(ids, want) {
		t.Errorf("embedded %v, want %v", ids, want)
	}
	if _, ok := SheetSource("absent"); ok {
		t.Error("there is a source for a sheet that does not exist")
	}
}

// The default says what this product counts, and the presets what their sources say.
func TestSheetsSayWhatTheyAreFor(t *testing.T) {
	byID := map[string]*score.Sheet{}
	for _, s := range Sheets() {
		byID[s.ID] = s
	}
	rule := func(sheet, id string) score.Rule {
		for _, r := range byID[sheet].Rules {
			if r.ID == id {
				return r
			}
		}
		t.Fatalf("%s has no rule %s", sheet, id)
		return score.Rule{}
	}
	for _, c := range []struct{ sheet, rule, points, limit string }{
		{"default", "on_time", "1", "5"}, {"default", "late", "-1", "0"}, {"default", "urged", "-2", "0"}, {"default", "unfinished", "-10", "0"},
		{"default", "returned", "-2", "0"}, {"default", "satisfaction", "2", "0"}, {"default", "false_evidence", "-10", "0"},
		{"jiamusi", "on_time", "1", "0"}, {"jiamusi", "late", "-1", "0"}, {"jiamusi", "returned", "-2", "0"},
	} {
		if r := rule(c.sheet, c.rule); r.Points.String() != c.points || r.Cap.String() != c.limit {
			t.Errorf("%s.%s: %s, cap %s", c.sheet, c.rule, r.Points, r.Cap)
		}
	}
	if s := byID["default"]; s.Base != 100*score.Point || s.BandOf(95*score.Point).Name.ZH != "优秀" || s.BandOf(-score.Point).Name.ZH != "较差" {
		t.Errorf("the default begins with %s", s.Base)
	}
	var weights []string
	for _, x := range byID["ccit"].Shares {
		weights = append(weights, x.Weight.String())
	}
	if got := strings.Join(weights, "/"); got != "15/25/15/20/5/10" {
		t.Errorf("weights %s", got)
	}
}

const soundSheet = `id: x
version: 1
name: {zh: 口径}
base: 100
groups:
  - {id: g, name: {zh: 组}, max: 10}
rules:
  - id: late
    name: {zh: 逾期}
    group: g
    event: late
    points: -1
    cap: -5
    per_day: {points: -0.2, cap: -3, working: true}
shares:
  - {id: s, name: {zh: 按期}, measure: closed_on_time, weight: 40}
bands:
  - {id: a, name: {zh: 优秀}, from: 90}
  - {id: b, name: {zh: 较差}}
classes:
  - {id: k, name: {zh: 机关}, units: [dwb, zzb]}
`

// Every mistake is reported with the line that it stands on.
func TestSheetMistakes(t *testing.T) {
	if _, err := ParseSheet("x.yaml", []byte(soundSheet)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"an unknown key", "base: 100", "bass: 100", "x.yaml:4: unknown key “bass”; known here: bands, base, classes, groups, id, kinds, name, rank_from, rules, shares, version"},
		{"points that are none", "points: -1", "points: -1.234", "x.yaml:12: “-1.234” are no usable points: at most 5 digits, and 2 behind the point"},
		{"points that are a text", "points: -1", "points: eins", "x.yaml:12: a number expected here, found text"},
		{"no such event", "event: late", "event: lazy", "x.yaml:11: there is no event “lazy”; there are on_time"},
		{"no such measure", "measure: closed_on_time", "measure: luck", "x.yaml:16: there is no measure “luck”; there are closed_on_time"},
		{"no such group", "group: g", "group: h", "x.yaml:10: there is no group “h”"},
		{"a cap of the other sign", "cap: -5", "cap: 5", "x.yaml:13: cap and points have different signs"},
		{"an id twice", "{id: s, name", "{id: late, name", "x.yaml:16: the id “late” is used twice"},
		{"by the day for what is not late", "event: late", "event: returned", "x.yaml:14: “returned” is nothing late; per_day cannot stand here"},
		{"by the day, upwards", "{points: -0.2", "{points: 0.2", "x.yaml:14: points and cap of per_day must be below 0"},
		{"a cap below one day", "cap: -3", "cap: -0.1", "x.yaml:14: the cap of per_day is less than one day costs"},
		{"a rate for what has none", "    points: -1\n", "    points: -1\n    at_least: 90\n", "x.yaml:13: “late” has no satisfaction rate"},
		{"once for what", "    points: -1\n", "    points: -1\n    once_per: week\n", "x.yaml:13: there is no once_per “week”"},
		{"no weight", "weight: 40", "weight: 0", "x.yaml:16: weight must be above 0"},
		{"a group without a bound", ", max: 10", "", "x.yaml:6: this group has neither max nor min"},
		{"a band below another", "{id: b, name: {zh: 较差}}", "{id: b, name: {zh: 一般}, from: 95}\n  - {id: c, name: {zh: 较差}}", "x.yaml:19: bands must go from high to low"},
		{"a last band that begins", "{id: b, name: {zh: 较差}}", "{id: b, name: {zh: 较差}, from: 1}", "x.yaml:19: the last band has no from"},
		{"a unit in two classes", "units: [dwb, zzb]", "units: [dwb, dwb]", "x.yaml:21: the unit “dwb” is already in a class"},
		{"no name", "name: {zh: 口径}", "name: {en: sheet}", "x.yaml:3: the Chinese name (name.zh) is missing"},
		{"no version", "version: 1", "version: 0", "x.yaml:2: version must be a whole number from 1"},
		{"nothing that counts", soundSheet[strings.Index(soundSheet, "groups:"):strings.Index(soundSheet, "bands:")], "", "x.yaml:1: there are neither rules nor shares"},
		{"broken YAML", "name: {zh: 口径}", "name: {zh: 口径", "x.yaml:"},
		{"nothing", soundSheet, "", "x.yaml:1: the file is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := strings.Replace(soundSheet, c.old, c.new, 1)
			if source == soundSheet {
				t.Fatal("nothing was replaced")
			}
			_, err := ParseSheet("x.yaml", []byte(source))
			if ms := mistakes(t, err); !strings.HasPrefix(ms.In("en"), c.want) || len(ms) != 1 || ms.In("zh-CN") == ms.In("en") {
				t.Errorf("got\n%s\nwant\n%s", ms.In("en"), c.want)
			}
		})
	}
}

// Whatever the file, the answer is a sheet or mistakes, and a sheet is a valid one.
func TestSheetOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := []byte(soundSheet)
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			i := rapid.IntRange(0, len(source)-1).Draw(t, "at")
			source = slices.Replace(source, i, min(i+rapid.IntRange(0, 3).Draw(t, "cut"), len(source)), []byte(rapid.StringMatching(`[-a-z0-9:\[\]{} ,.\n]{0,4}`).Draw(t, "text"))...)
		}
		s, err := ParseSheet("x.yaml", source)
		if err == nil && len(s.Validate()) > 0 || err != nil && s != nil {
			t.Fatalf("%v, %v", s, err)
		}
	})
}
