package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

const delim = "."

// Load reads the layers and validates the result. path is the YAML file, or empty for none; getenv looks up a
// variable of the environment (os.Getenv), where an empty one counts as unset; flags maps keys to what the command
// line said, with only the flags that were given. Every mistake is in the error, each as a *Mistake (see Mistakes);
// the Config beside an error is for showing, not for use.
func Load(path string, getenv func(string) string, flags map[string]any) (Config, error) {
	l := &loader{values: koanf.New(delim), origin: map[string]Mistake{}}
	if err := l.values.Load(structs.Provider(Default(), "yaml"), nil); err != nil {
		return Config{}, fmt.Errorf("config: defaults: %w", err)
	}
	l.kinds = l.values.All()

	if path != "" {
		l.file(path)
	}
	if err := l.environment(getenv); err != nil {
		return Config{}, err
	}
	if err := l.flags(flags); err != nil {
		return Config{}, err
	}

	var c Config
	if err := l.values.UnmarshalWithConf("", &c, koanf.UnmarshalConf{Tag: "yaml"}); err != nil {
		return Config{}, fmt.Errorf("config: %w", err) // every value was converted to its kind before
	}
	for key, folder := range map[string]*string{"files": &c.Files, "signing": &c.Signing} {
		if _, set := l.origin[key]; !set {
			*folder = besideDatabase(c.DB, *folder)
		}
	}
	for _, m := range Mistakes(c.Validate()) {
		from := l.origin[m.Key]
		m.Source, m.Line = from.Source, from.Line
		l.mistakes = append(l.mistakes, m)
	}
	slices.SortStableFunc(l.mistakes, func(a, b *Mistake) int {
		return cmp.Compare(uint(a.Line-1), uint(b.Line-1)) // no line wraps round to the end
	})
	return c, join(l.mistakes)
}

// loader gathers the layers. A value that cannot be read is reported and left out, so that the one below it stands
// and the rest can still be checked.
type loader struct {
	values   *koanf.Koanf
	kinds    map[string]any     // every key with its default, whose type is the type of the key
	origin   map[string]Mistake // of each key that a layer set: only Source and Line are used
	mistakes []*Mistake
}

func (l *loader) complain(key string, from Mistake, zh, en string) {
	l.mistakes = append(l.mistakes, &Mistake{Key: key, Source: from.Source, Line: from.Line, zh: zh, en: en})
}

// accept converts text to the kind of the key and remembers where it came from.
func (l *loader) accept(key, text string, from Mistake) (any, bool) {
	v, want := convert(l.kinds[key], text)
	if want.en != "" {
		got := text
		if secrets[key] {
			got = "…"
		}
		l.complain(key, from, fmt.Sprintf("应为%s，而不是 %q", want.zh, got), fmt.Sprintf("must be %s, not %q", want.en, got))
		return nil, false
	}
	l.origin[key] = from
	return v, true
}

type phrase struct{ zh, en string }

// convert reads text as the kind of value that like is; want says what was expected when it is not.
func convert(like any, text string) (v any, want phrase) {
	trimmed := strings.TrimSpace(text)
	switch like.(type) {
	case bool:
		if b, err := strconv.ParseBool(strings.ToLower(trimmed)); err == nil {
			return b, phrase{}
		}
		return nil, phrase{"true 或 false", "true or false"}
	case time.Duration:
		if d, err := time.ParseDuration(trimmed); err == nil {
			return d, phrase{}
		}
		return nil, phrase{"带单位的时长，例如 30s 或 2m", "a duration with its unit, such as 30s or 2m"}
	case Bytes:
		if b, err := parseBytes(trimmed); err == nil {
			return b, phrase{}
		}
		return nil, phrase{"大小，例如 512KiB 或 1MiB", "a size, such as 512KiB or 1MiB"}
	case float64:
		if f, err := strconv.ParseFloat(trimmed, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, phrase{}
		}
		return nil, phrase{"数字", "a number"}
	default:
		return trimmed, phrase{}
	}
}

func (l *loader) file(path string) {
	whole := Mistake{Source: path}
	err := l.values.Load(file.Provider(path), &fileParser{loader: l, path: path})
	if err == nil {
		return
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		l.complain("", whole, "读不了配置文件："+pathErr.Err.Error(), "cannot be read: "+pathErr.Err.Error())
		return
	}
	whole.Line = syntaxLine(err)
	sentence := syntaxSentence(err)
	l.complain("", whole, "不是有效的 YAML："+sentence, "is not valid YAML: "+sentence)
}

// EnvNames returns the variables that set the key, the usual one first: BIHUAN_LOG_LEVEL, then BIHUAN_LOG__LEVEL,
// and for a secret BIHUAN_DB_FILE, which names a file that holds the value.
func EnvNames(key string) []string {
	upper := strings.ToUpper(key)
	names := []string{"BIHUAN_" + strings.ReplaceAll(upper, delim, "_")}
	if strings.Contains(key, delim) {
		names = append(names, "BIHUAN_"+strings.ReplaceAll(upper, delim, "__"))
	}
	if secrets[key] {
		names = append(names, names[0]+"_FILE")
	}
	return names
}

// environment asks for each known name, because a lookup function cannot be listed.
func (l *loader) environment(getenv func(string) string) error {
	var environ []string
	keyOf := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(l.kinds)) {
		var given []string
		for _, name := range EnvNames(key) {
			if value := getenv(name); value != "" {
				keyOf[name] = key
				given = append(given, name)
				environ = append(environ, name+"="+value)
			}
		}
		if len(given) > 1 {
			both := strings.Join(given, ", ")
			l.complain(key, Mistake{Source: given[0]}, "同一项设置了两次："+both, "is set twice: "+both)
		}
	}
	return l.values.Load(env.Provider(delim, env.Opt{
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, text string) (string, any) {
			key, from := keyOf[name], Mistake{Source: name}
			if secrets[key] && strings.HasSuffix(name, "_FILE") {
				content, err := os.ReadFile(text)
				if err != nil {
					l.complain(key, from, "读不了它指向的文件："+err.Error(), "names a file that cannot be read: "+err.Error())
					return "", nil
				}
				text = string(content)
			}
			v, ok := l.accept(key, text, from)
			if !ok {
				return "", nil
			}
			return key, v
		},
	}), nil)
}

func (l *loader) flags(flags map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		from := Mistake{Source: "--" + strings.NewReplacer(delim, "-", "_", "-").Replace(key)}
		if _, known := l.kinds[key]; !known {
			l.complain(key, from, "没有这一项配置", "there is no such key")
			continue
		}
		v, ok := l.accept(key, fmt.Sprint(flags[key]), from)
		if !ok {
			continue
		}
		if err := l.values.Set(key, v); err != nil {
			return fmt.Errorf("config: %s: %w", key, err)
		}
	}
	return nil
}
