package v1

import "bihuan/engine"

// Acknowledge is the owner's 签收.
type Acknowledge struct{ Change }

func (in *Acknowledge) payload() any { return struct{}{} }

func (in *Acknowledge) command() (engine.Command, error) { return engine.Acknowledge{}, nil }

// SubmitBody asks for a transition.
type SubmitBody struct {
	Transition string `json:"transition" doc:"Id of the transition, as options lists it."`
	Note       string `json:"note,omitempty"`
}

// Submit is the request that asks for a transition.
type Submit struct {
	Change
	Body SubmitBody
}

func (in *Submit) payload() any { return &in.Body }

func (in *Submit) command() (engine.Command, error) {
	return engine.Submit{Transition: engine.TransitionID(in.Body.Transition), Note: in.Body.Note}, nil
}

// NoteBody is a body with nothing but a note; without a note it may be left out.
type NoteBody struct {
	Note string `json:"note,omitempty"`
}

// noteOf reads an optional body.
func noteOf(b *NoteBody) string {
	if b == nil {
		return ""
	}
	return b.Note
}

// ApproveBody is a yes, with what has to be confirmed and graded with it; without any of these it may be left out.
type ApproveBody struct {
	Note     string   `json:"note,omitempty"`
	Criteria []string `json:"criteria,omitempty" doc:"Ids of the criteria that are confirmed; all that options lists, or it is no yes."`
	Grade    string   `json:"grade,omitempty" doc:"Id of the grade, where options lists grades."`
}

// Approve is the request that says yes to what is pending.
type Approve struct {
	Change
	Body *ApproveBody
}

func (in *Approve) body() ApproveBody {
	if in.Body == nil {
		return ApproveBody{}
	}
	return *in.Body
}

func (in *Approve) payload() any { return in.body() }

func (in *Approve) command() (engine.Command, error) {
	b := in.body()
	return engine.Approve{Note: b.Note, Criteria: b.Criteria, Grade: b.Grade}, nil
}

// StatementBody is the 书面说明 of a missed deadline.
type StatementBody struct {
	Text string `json:"text" doc:"Why the deadline was missed, and what follows."`
}

// Statement is the request that writes it.
type Statement struct {
	Change
	Body StatementBody
}

func (in *Statement) payload() any { return &in.Body }

func (in *Statement) command() (engine.Command, error) {
	return engine.GiveStatement{Text: in.Body.Text}, nil
}

// ReturnBody is 退回.
type ReturnBody struct {
	To   string `json:"to,omitempty" doc:"The earlier stage to go back to. Left out, a pending request is refused and the project stays where it is."`
	Note string `json:"note" doc:"Why."`
}

// Return is the request that refuses what is pending or sends work back.
type Return struct {
	Change
	Body ReturnBody
}

func (in *Return) payload() any { return &in.Body }

func (in *Return) command() (engine.Command, error) {
	return engine.Return{To: engine.StageID(in.Body.To), Note: in.Body.Note}, nil
}

// Withdraw is the request that takes back what is pending.
type Withdraw struct {
	Change
	Body *NoteBody
}

func (in *Withdraw) payload() any { return noteOf(in.Body) }

func (in *Withdraw) command() (engine.Command, error) {
	return engine.Withdraw{Note: noteOf(in.Body)}, nil
}

// ExtendBody asks for a later deadline.
type ExtendBody struct {
	Deadline Date   `json:"deadline" doc:"The new 办结时限, a day as YYYY-MM-DD." example:"2026-12-31"`
	Note     string `json:"note" doc:"Why."`
}

// Extend is the request for a later deadline.
type Extend struct {
	Change
	Body ExtendBody
}

func (in *Extend) payload() any { return &in.Body }

func (in *Extend) command() (engine.Command, error) {
	day, err := in.Body.Deadline.parse("deadline")
	return engine.Extend{Deadline: day, Note: in.Body.Note}, err
}
