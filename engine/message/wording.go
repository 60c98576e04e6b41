package message

import (
	"regexp"
	"slices"
)

// Wordable is what the keys of sentences begin with that a site may say in its own words: those of messages that
// leave the product. What pages and errors say is not for a site to change.
const Wordable = "notify.say."

var placeholders = regexp.MustCompile(`\{([a-z_]+)\}`)

// Placeholders returns the names between braces in a sentence, each once, in order.
func Placeholders(sentence string) []string {
	var out []string
	for _, m := range placeholders.FindAllStringSubmatch(sentence, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Fill replaces the placeholders of a sentence as Text does.
func Fill(lang, sentence string, args map[string]any) string {
	return fill(Match(lang), sentence, args)
}
