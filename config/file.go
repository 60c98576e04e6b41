package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fileParser is koanf's view of a YAML file. It walks the nodes itself because only they know their lines, and
// because only so is 09:00 text, a duplicate key a mistake, and an unknown key more than silence.
type fileParser struct {
	*loader
	path string
}

// Unmarshal implements koanf.Parser.
func (p *fileParser) Unmarshal(b []byte) (map[string]any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil // nothing but comments is a good file
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(&second); err == nil {
		p.complain("", p.at(&second), "只能有一个 YAML 文档", "must hold one YAML document only")
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return p.section("", doc.Content[0]), nil
}

// Marshal implements koanf.Parser; Redacted writes from the struct, whose order means something.
func (*fileParser) Marshal(map[string]any) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func (p *fileParser) at(n *yaml.Node) Mistake { return Mistake{Source: p.path, Line: n.Line} }

// section reads a mapping whose keys all begin with prefix. An alias stands for what it names; known sections nest
// one deep, so one that contains itself cannot be followed far.
func (p *fileParser) section(prefix string, n *yaml.Node) map[string]any {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil // "log:" with everything below it commented out
	}
	if n.Kind != yaml.MappingNode {
		p.complain(strings.TrimSuffix(prefix, delim), p.at(n), "应是“名称: 值”的形式", "must be “name: value” lines")
		return nil
	}
	out, seen := map[string]any{}, map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		key := prefix + name.Value
		if line, again := seen[key]; again {
			p.complain(key, p.at(name), fmt.Sprintf("第 %d 行已经写过", line), fmt.Sprintf("is already on line %d", line))
			continue
		}
		seen[key] = name.Line
		switch _, known := p.kinds[key]; {
		case known:
			if v, ok := p.scalar(key, value); ok {
				out[name.Value] = v
			}
		case p.isSection(key):
			out[name.Value] = p.section(key+delim, value)
		default:
			zh, en := "没有这一项配置", "there is no such key"
			if near := p.nearest(key); near != "" {
				zh, en = zh+"；是不是 "+near+"？", en+"; is it "+near+"?"
			}
			p.complain(key, p.at(name), zh, en)
		}
	}
	return out
}

func (p *fileParser) scalar(key string, n *yaml.Node) (any, bool) {
	at := p.at(n)
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		p.complain(key, at, "应是一个值，而不是列表或分组", "must be one value, not a list or a section")
		return nil, false
	}
	if n.Tag == "!!null" {
		p.complain(key, at, `没有值；删去这一行，或写 "" 表示空`, `has no value; remove the line, or write "" for none`)
		return nil, false
	}
	return p.accept(key, n.Value, at)
}

func (p *fileParser) isSection(key string) bool {
	for k := range p.kinds {
		if strings.HasPrefix(k, key+delim) {
			return true
		}
	}
	return false
}

// nearest returns the key that the writer may have meant: the one at most two letters away, or the one of the same
// name in another section; empty when there is none.
func (p *fileParser) nearest(key string) string {
	best, distance := "", 3
	for _, k := range slices.Sorted(maps.Keys(p.kinds)) {
		d := edits(key, k)
		if strings.HasSuffix(k, delim+key) {
			d = 0
		}
		if d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func syntaxLine(err error) int {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
		if line, err := strconv.Atoi(m[1]); err == nil {
			return line
		}
	}
	return 0
}

func syntaxSentence(err error) string { return yamlLine.ReplaceAllString(err.Error(), "") }
