package audit

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"
)

func TestMerge(t *testing.T) {
	for name, test := range map[string]struct{ state, patch, want string }{ // want "" = refused
		// RFC 7386, appendix A, as far as states are objects without null.
		"replace":                   {`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		"add":                       {`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		"remove":                    {`{"a":"b"}`, `{"a":null}`, `{}`},
		"remove one":                {`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		"array by text":             {`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		"text by array":             {`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		"within":                    {`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		"array of objects by array": {`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		"nulls in what is new":      {`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},

		"nulls in what replaces text": {`{"a":"x"}`, `{"a":{"b":null,"c":{"d":null,"e":1}}}`, `{"a":{"c":{"e":1}}}`},
		"object by text and back":     {`{"a":{"b":1}}`, `{"a":2}`, `{"a":2}`},
		"object within array stays":   {`{"a":[1]}`, `{"a":[{"b":1}]}`, `{"a":[{"b":1}]}`},
		"remove what is not there":    {`{"a":1}`, `{"b":null,"c":{"d":null}}`, `{"a":1,"c":{}}`},
		"empty patch":                 {` {"b":1, "a":2}`, `{}`, `{"a":2,"b":1}`},
		"from nothing":                {``, `{"a":1}`, `{"a":1}`},
		"nothing to nothing":          {``, ``, `{}`},
		"another spelling of the key": {`{"a\/":1}`, `{"\u0061/":null}`, `{}`},
		"great integers stay":         {`{"a":9007199254740991}`, `{"b":-9007199254740991}`, `{"a":9007199254740991,"b":-9007199254740991}`},

		"state with null":      {`{"a":null}`, `{}`, ``},
		"null deep in a state": {`{"a":[{"b":[null]}]}`, `{}`, ``},
		"null within an array": {`{}`, `{"a":[null]}`, ``},
		"null in array object": {`{}`, `{"a":[{"b":null}]}`, ``},
		"state no object":      {`[]`, `{}`, ``},
		"patch no object":      {`{}`, `[]`, ``},
		"patch null":           {`{}`, `null`, ``},
		"fraction":             {`{}`, `{"a":0.5}`, ``},
		"duplicate key":        {`{"a":1,"a":1}`, `{}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Merge(json.RawMessage(test.state), json.RawMessage(test.patch))
			if test.want == "" {
				if !errors.Is(err, ErrInvalid) {
					t.Errorf("Merge = %s, %v; want ErrInvalid", got, err)
				}
				return
			}
			if err != nil || string(got) != test.want {
				t.Errorf("Merge = %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestDiffRefuses(t *testing.T) {
	for name, test := range map[string]struct{ old, new string }{
		"null in the old state":      {`{"a":null}`, `{}`},
		"null in the new state":      {`{}`, `{"a":{"b":null}}`},
		"null within an array":       {`{}`, `{"a":[null]}`},
		"old state no object":        {`[]`, `{}`},
		"new state no object":        {`{}`, `"a"`},
		"old state with duplicates":  {`{"a":1,"a":1}`, `{}`},
		"new state with a fraction":  {`{}`, `{"a":1.0}`},
		"new state with great value": {`{}`, `{"a":9007199254740992}`},
		"new state cut off":          {`{}`, `{"a":1`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Diff(json.RawMessage(test.old), json.RawMessage(test.new)); !errors.Is(err, ErrInvalid) {
				t.Errorf("Diff = %s, %v; want ErrInvalid", got, err)
			}
		})
	}
}

func TestMergeOfDiff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := encode(objects(3, false).Draw(t, "a")), encode(objects(3, false).Draw(t, "b"))
		patch, err := Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Merge(a, patch)
		if err != nil || !Equal(got, b) {
			t.Fatalf("Merge(a, Diff(a, b)) = %s, %v; want %s; the patch is %s", got, err, b, patch)
		}
		if (string(patch) == "{}") != Equal(a, b) {
			t.Fatalf("Diff(%s, %s) = %s", a, b, patch)
		}
		if err := check(string(patch), false); err != nil {
			t.Fatalf("the patch %s is not canonical: %v", patch, err)
		}
		theirs, err := jsonpatch.MergePatch(a, patch)
		if err != nil || !Equal(theirs, b) {
			t.Fatalf("json-patch makes %s of it, %v; want %s", theirs, err, b)
		}
	})
}

func TestMergeAgreesWithJSONPatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state, patch := encode(objects(3, false).Draw(t, "state")), encode(objects(3, true).Draw(t, "patch"))
		want, err := jsonpatch.MergePatch(state, patch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Merge(state, patch)
		if err != nil || !Equal(got, want) {
			t.Fatalf("Merge(%s, %s) = %s, %v; json-patch has %s", state, patch, got, err, want)
		}
		if err := check(string(got), false); err != nil {
			t.Fatalf("%s is not canonical: %v", got, err)
		}
	})
}

func TestWritten(t *testing.T) {
	for name, test := range map[string]struct {
		state, text string
		want        bool
	}{
		"another order and space":     {`{"a":1,"b":{"c":[2],"d":"x"}}`, ` {"b": {"d":"x", "c":[ 2 ]} ,"a":1}`, true},
		"objects in arrays":           {`{"a":[{"b":1,"c":2}]}`, `{"a":[{"c":2,"b":1}]}`, true},
		"nothing":                     {`{}`, `{}`, true},
		"a member twice":              {`{"a":1,"b":1}`, `{"a":1,"a":1}`, false},
		"a member twice, with others": {`{"a":1}`, `{"a":1,"a":1}`, false},
		"a member less":               {`{"a":1,"b":1}`, `{"a":1}`, false},
		"a member more":               {`{"a":1}`, `{"a":1,"b":1}`, false},
		"another value":               {`{"a":{"b":1}}`, `{"a":{"b":2}}`, false},
		"another type":                {`{"a":1}`, `{"a":"1"}`, false},
		"an object for text":          {`{"a":"b"}`, `{"a":{"b":1}}`, false},
		"text for an object":          {`{"a":{"b":1}}`, `{"a":"b"}`, false},
		"an array for text":           {`{"a":"b"}`, `{"a":["b"]}`, false},
		"an empty object for nothing": {`{}`, `{"a":{}}`, false},
		"null":                        {`{"a":1}`, `{"a":null}`, false},
		"a fraction":                  {`{"a":1}`, `{"a":1.0}`, false},
		"more behind":                 {`{"a":1}`, `{"a":1} 1`, false},
		"cut off":                     {`{"a":1}`, `{"a":1`, false},
		"no object":                   {`{}`, `[]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := readObject(json.RawMessage(test.state), nullRefused)
			if err != nil {
				t.Fatal(err)
			}
			if state.written(test.text) != test.want {
				t.Errorf("%s is written %s: %t", test.state, test.text, !test.want)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := objects(3, false).Draw(t, "a"), encode(objects(3, false).Draw(t, "b"))
		if rapid.Bool().Draw(t, "same") {
			b = encode(a)
		}
		state, err := readObject(encode(a), nullRefused)
		if err != nil {
			t.Fatal(err)
		}
		if state.written(string(b)) && !Equal(encode(a), b) {
			t.Fatalf("%s is not written %s", encode(a), b)
		}
		if !state.written(string(state.append(nil))) && !strings.Contains(string(encode(a)), `\`) {
			t.Fatalf("%s does not know itself", state.append(nil))
		}
	})
}

func TestEqual(t *testing.T) {
	for name, test := range map[string]struct {
		a, b string
		want bool
	}{
		"order and space":        {`{"a":1,"b":[2]}`, ` {"b":[ 2 ],"a":1}`, true},
		"escapes":                {`"\u0041\/"`, `"A/"`, true},
		"nothing":                {``, ``, true},
		"nothing and empty":      {``, `{}`, false},
		"value":                  {`{"a":1}`, `{"a":2}`, false},
		"type":                   {`{"a":1}`, `{"a":"1"}`, false},
		"member":                 {`{"a":1}`, `{"a":1,"b":1}`, false},
		"order of an array":      {`[1,2]`, `[2,1]`, false},
		"null is not absent":     {`{"a":null}`, `{}`, false},
		"what it cannot hold":    {`1.5`, `1.5`, false},
		"only one of them valid": {`{}`, `{`, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := json.RawMessage(test.a), json.RawMessage(test.b)
			if Equal(a, b) != test.want || Equal(b, a) != test.want {
				t.Errorf("Equal(%s, %s) = %t", a, b, !test.want)
			}
		})
	}
}

// Members of a document stand in any order; taken apart it is what its canonical form is.
func TestReadObjectInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := scattered(t, objects(3, true).Draw(t, "object"))
		form, err := jcs.Transform(raw)
		if err != nil {
			t.Fatal(err)
		}
		want, wantErr := parseObject(string(form), nullDeletes)
		got, err := readObject(raw, nullDeletes)
		if (err == nil) != (wantErr == nil) || string(got.append(nil)) != string(want.append(nil)) {
			t.Fatalf("readObject(%s) = %s, %v; want %s, %v", raw, got.append(nil), err, want.append(nil), wantErr)
		}
	})
	for _, raw := range []string{`{"b":1,"a":{"d":1,"c":2,"d":1}}`, `{"b":1,"a":[{"d":1,"c":2,"d":1}]}`, `{"b":1,"a":2,"b":1}`, `{"b":1,"a":2}x`} {
		if got, err := readObject([]byte(raw), nullDeletes); !errors.Is(err, ErrInvalid) {
			t.Errorf("readObject(%s) = %s, %v", raw, got.append(nil), err)
		}
	}
}

// scattered writes a value with the members of its objects in whatever order.
func scattered(t *rapid.T, v any) []byte {
	var parts []string
	switch x := v.(type) {
	case map[string]any:
		for _, key := range rapid.Permutation(slices.Sorted(maps.Keys(x))).Draw(t, "order") {
			parts = append(parts, string(encode(key))+":"+string(scattered(t, x[key])))
		}
		return []byte("{" + strings.Join(parts, ",") + "}")
	case []any:
		for _, e := range x {
			parts = append(parts, string(scattered(t, e)))
		}
		return []byte("[" + strings.Join(parts, ",") + "]")
	}
	return encode(v)
}
