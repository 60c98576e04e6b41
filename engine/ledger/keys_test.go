package ledger_test

import (
	"testing"

	"bihuan/engine/ledger"
	"bihuan/engine/message"
)

func TestEveryKeyHasASentence(t *testing.T) {
	for _, key := range ledger.Keys {
		if !message.Has(key) {
			t.Errorf("%s: the catalogue has no sentence", key)
		}
	}
	for _, rule := range ledger.Rules() {
		if !message.Has("ledger.rule." + rule) {
			t.Errorf("the rule %s has no name", rule)
		}
	}
	for _, f := range append([]ledger.Field{ledger.Keep, ledger.Ignore}, ledger.Fields...) {
		if !message.Has("ledger.field." + string(f)) {
			t.Errorf("the field %s has no name", f)
		}
	}
	for _, w := range ledger.Whys {
		if !message.Has("ledger.why." + string(w)) {
			t.Errorf("the reason %s has no sentence", w)
		}
	}
}
