package audit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Generators of what the trail may hold.

// letters are the characters that escaping and sorting treat differently, and some that they don't.
var letters = []rune{
	'a', 'b', 'z', 'A', '0', '9', ' ', '/', '"', '\\', '<', '&', '\'', '\u007f', '\u0080', 'é', '\u0301', '€', '项', '目',
	'\b', '\t', '\n', '\f', '\r', '\u0001', '\u000b', '\u001f', '\u2028', '\u2029', '\ud7ff', '\ue000', '\ufb33', '\ufeff',
	'\ufffd', '\uffff', '𐀀', '𠮷', '😀', '\U0010ffff',
}

func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringOfN(rapid.SampledFrom(letters), 0, 6, -1),
		rapid.Map(rapid.String(), func(s string) string {
			return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "0")
		}),
	)
}

func filledTexts() *rapid.Generator[string] {
	return rapid.Map(texts(), func(s string) string { return s + "x" })
}

func integers() *rapid.Generator[int64] { return rapid.Int64Range(-maxInt, maxInt) }

// values generates JSON values as encoding/json takes them. null says whether null may be a member of an object
// that is not within an array, as in a merge patch.
func values(depth int, null bool) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Map(texts(), func(s string) any { return s }),
		rapid.Map(integers(), func(n int64) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	}
	if null {
		leaves = append(leaves, rapid.Just[any](nil))
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	return rapid.OneOf(append(leaves,
		rapid.Map(rapid.SliceOfN(values(depth-1, false), 0, 3), func(l []any) any { return l }),
		rapid.Map(objects(depth-1, null), func(o map[string]any) any { return o }),
	)...)
}

// objects generates objects. Keys come from a small set half of the time, so that two objects share some.
func objects(depth int, null bool) *rapid.Generator[map[string]any] {
	keys := rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "stage", "\"", "\ufb33", "😀"}), texts())
	return rapid.MapOfN(keys, values(depth, null), 0, 6)
}

// encode writes a value with encoding/json: its keys are in another order, and it escapes more than it must.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func digests() *rapid.Generator[Digest] {
	return rapid.Map(rapid.SliceOfN(rapid.Byte(), 31, 31), func(b []byte) Digest {
		d := Digest{1}
		copy(d[1:], b)
		return d
	})
}

func times() *rapid.Generator[time.Time] {
	first := time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC).UnixMicro()
	last := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).UnixMicro()
	return rapid.Map(rapid.Int64Range(first, last), func(us int64) time.Time { return time.UnixMicro(us).UTC() })
}

// entries generates entries whose data is in canonical form already, so that they compare with ==.
func entries() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		e := Entry{
			V: Format, Log: filledTexts().Draw(t, "log"), ID: filledTexts().Draw(t, "id"), At: times().Draw(t, "at"),
			Actor: Actor{
				ID: filledTexts().Draw(t, "actor"), Role: texts().Draw(t, "role"), Unit: texts().Draw(t, "at unit"),
				Via: filledTexts().Draw(t, "via"),
			},
			Action:  filledTexts().Draw(t, "action"),
			Subject: rapid.StringMatching(`[a-z_]{1,9}/`).Draw(t, "kind") + filledTexts().Draw(t, "subject"),
			Unit:    texts().Draw(t, "unit"),
			Seq:     1,
			From:    texts().Draw(t, "from"), To: texts().Draw(t, "to"),
			Version:    rapid.Int64Range(0, maxInt).Draw(t, "version"),
			Note:       texts().Draw(t, "note"),
			Definition: texts().Draw(t, "definition"),
		}
		if rapid.Bool().Draw(t, "later") {
			e.Seq, e.Prev = rapid.Int64Range(2, maxInt).Draw(t, "seq"), digests().Draw(t, "prev")
		}
		if rapid.Bool().Draw(t, "has data") {
			data := objects(2, false).Draw(t, "data")
			delete(data, "set")
			if rapid.Bool().Draw(t, "has set") {
				data["set"] = objects(2, true).Draw(t, "set")
			}
			text, err := canonical(encode(data))
			if err != nil {
				t.Fatalf("canonical(%s): %v", encode(data), err)
			}
			e.Data = json.RawMessage(text)
		}
		if rapid.Bool().Draw(t, "has request") {
			e.Request = &Request{ID: texts().Draw(t, "request")}
			if rapid.Bool().Draw(t, "has key") {
				e.Request.Key = digests().Draw(t, "key").String()
			}
		}
		return e
	})
}

// sample is an entry with every field filled.
func sample() Entry {
	return Entry{
		V: Format, Log: "installation/1", ID: "e-2", At: time.Date(2025, 11, 20, 1, 2, 3, 456789000, time.UTC),
		Actor:  Actor{ID: "user-1", Role: "supervisor", Unit: "unit-1", Via: ViaConsole},
		Action: "project.approve", Subject: "project/p-1", Unit: "unit-2", Seq: 2, Prev: HashContent([]byte("before")),
		From: "plan", To: "deploy", Version: 2, Note: "同意", Data: json.RawMessage(`{"set":{"stage":"deploy"},"votes":3}`),
		Definition: HashContent([]byte("definition")).String(),
		Request:    &Request{ID: "r-1", Key: HashContent([]byte("key")).String()},
	}
}

// story returns the rows of a chain in which every entry changes the state, and the state at its end.
func story(t testing.TB, length int) (rows []Row, state json.RawMessage) {
	t.Helper()
	state = json.RawMessage(`{}`)
	var prev Digest
	lasting := map[string]any{} // so that the state shows every entry that is missing
	for i := range length {
		lasting[fmt.Sprint(i+1)] = map[string]any{"done": true}
		next := encode(map[string]any{
			"title": "热水管道", "stage": []string{"plan", "deploy", "advance"}[i%3], "version": i + 1, "lasting": lasting,
			fmt.Sprintf("passing %d", i): []int{i},
		})
		set, err := Diff(state, next)
		if err != nil {
			t.Fatal(err)
		}
		e := sample()
		e.ID, e.Seq, e.Version, e.Prev = fmt.Sprintf("e-%d", i+1), int64(i+1), int64(i+1), prev
		e.At = e.At.Add(time.Duration(i) * time.Minute)
		e.Data = encode(map[string]any{"set": set})
		row, err := e.Row()
		if err != nil {
			t.Fatal(err)
		}
		rows, prev, state = append(rows, row), row.Hash, next
	}
	return rows, state
}
