package engine

import "fmt"

// Object files an objection.
type Object struct{ Text string }

const maxObjections = 100

func (x Object) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActObject)
	if err != nil {
		return outcome{}, err
	}
	words, err := reason(x.Text)
	if err != nil {
		return outcome{}, err
	}
	_, out, err := c.object(p, as, Objection{Text: words})
	return out, err
}

// answerDays is within how many working days an objection is to be answered.
const answerDays = 5

// object puts an objection with what was said on the project, and returns its id.
func (c *Case) object(p *Project, as authority, o Objection) (string, outcome, error) {
	if len(p.Objections) >= maxObjections {
		return "", outcome{}, invalid("text", "objection.too_many", "limit", maxObjections)
	}
	if p.Objections == nil {
		p.Objections = map[string]Objection{}
	}
	p.Serial++
	id := fmt.Sprintf("o%d", p.Serial)
	o.Due, _ = c.Calendar.AddWorkdays(c.today(), answerDays)
	o.By, o.At = c.Who.ID, c.Now
	p.Objections[id] = o
	return id, outcome{action: "object", as: as, data: map[string]any{"objection": id},
		owed: []Reminder{{Kind: "object", Role: Owner}, {Kind: "object", Role: Supervisor}}}, nil
}

// Answer answers an objection. Whoever filed it cannot settle it.
type Answer struct{ ID, Text string }

func (x Answer) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActAnswer)
	if err != nil {
		return outcome{}, err
	}
	o, ok := p.Objections[x.ID]
	switch {
	case !ok:
		return outcome{}, notFound("objection.unknown", "id", x.ID)
	case o.AnsweredAt != nil:
		return outcome{}, blocked("objection.answered")
	case c.Who.same(o.By):
		return outcome{}, denied("objection.own")
	}
	words, err := reason(x.Text)
	if err != nil {
		return outcome{}, err
	}
	o.Answer, o.AnsweredBy, o.AnsweredAt = words, c.Who.ID, at(c.Now)
	p.Objections[x.ID] = o
	return outcome{action: "answer", as: as, data: map[string]any{"objection": x.ID}}, nil
}
