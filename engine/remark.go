package engine

import (
	"context"
	"regexp"

	"bihuan/engine/audit"
)

// Remark is what somebody without an account wrote, who may have written names and numbers: it opens Objection.Sealed,
// stands in no entry, and goes away when two offices erase it.
type Remark struct {
	ProjectID ProjectID `gorm:"primaryKey"`
	ID        string    `gorm:"primaryKey"` // of the objection
	Poll      string    // the vote that it came with, in which the words stand too
	Device    []byte
	Salt      []byte
	Text      string
}

// Commitment is what entries carry instead of the words.
func (r *Remark) Commitment() string { return audit.Commit(r.Salt, r.Text).String() }

// Erased reports whether the words of somebody without an account are gone.
func (o *Objection) Erased() bool { return o.Erasure.Done() }

// Words returns what the project's objections say, by their ids. Of those that were erased nothing is said.
func (e *Engine) Words(ctx context.Context, p *Project) (map[string]string, error) {
	out, apart := map[string]string{}, false
	for id, o := range p.Objections {
		if o.Sealed == "" {
			out[id] = o.Text
		}
		apart = apart || o.Sealed != "" && !o.Erased()
	}
	if !apart {
		return out, nil
	}
	list, err := e.Store.Remarks(ctx, p.ID)
	for _, r := range list {
		if p.Objections[r.ID].Sealed != "" {
			out[r.ID] = r.Text
		}
	}
	return out, err
}

// EraseWords does a step (ask_erasure, end_erasure, erase) of the erasure of what somebody without an account wrote in an
// objection. The same two offices do it that erase a closed account, with the same rules; see AskErasure.
type EraseWords struct {
	Objection string
	Step      string
	Note      string // with ask_erasure: why

	words string // what the reason must not repeat; see Engine.looked
}

// numbers are what identifies people beside their names: of telephones, cards, registers.
var numbers = regexp.MustCompile(`[0-9]{6,}`)

func (x EraseWords) apply(c *Case, p *Project) (outcome, error) {
	if err := anyOf(c.Who, x.Step); err != nil {
		return outcome{}, err
	}
	o, ok := p.Objections[x.Objection]
	if !ok {
		return outcome{}, notFound("objection.unknown", "id", x.Objection)
	}
	office, err := mayErase(c.Who, p.erasable(&o), x.Step)
	if err != nil {
		return outcome{}, err
	}
	secrets := append(numbers.FindAllString(x.words, -1), x.words)
	if o.Erasure, err = o.Erasure.step(x.Step, c.Who.ID, office, x.Note, c.Now, secrets); err != nil {
		return outcome{}, err
	}
	p.Objections[x.Objection] = o
	as, _ := c.may(p, []Role{office})
	out := outcome{action: x.Step, as: as, data: map[string]any{"objection": x.Objection}}
	if x.Step == eraseDo {
		out.forget = x.Objection
	}
	return out, nil
}

// erasable returns what the rules of erasing ask about an objection. What stands in an entry cannot be erased.
func (p *Project) erasable(o *Objection) erasable {
	x := erasable{erasure: o.Erasure, paths: []string{p.UnitPath}}
	if o.Sealed == "" {
		x.inUse = "erase.in_trail"
	}
	return x
}

// MayEraseWords tells why a person may not do a step of erasing what an objection says now, nil if they may. Asking
// leaves no entry.
func (e *Engine) MayEraseWords(who Actor, p *Project, objection, step string) error {
	o := p.Objections[objection]
	_, err := mayErase(who, p.erasable(&o), step)
	return err
}
