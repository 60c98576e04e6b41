package v1

import (
	"bihuan/engine"
)

// ReasonBody is a body with nothing but a note that must say why.
type ReasonBody struct {
	Note string `json:"note"`
}

// Urge is the request for a 催办.
type Urge struct {
	Change
	Body ReasonBody
}

func (in *Urge) payload() any { return &in.Body }

func (in *Urge) command() (engine.Command, error) { return engine.Urge{Note: in.Body.Note}, nil }

// VerifyBody is the record of an on-site verification.
type VerifyBody struct {
	Passed bool   `json:"passed"`
	Note   string `json:"note" doc:"What was found."`
}

// Verify is the request that records a verification.
type Verify struct {
	Change
	Body VerifyBody
}

func (in *Verify) payload() any { return &in.Body }

func (in *Verify) command() (engine.Command, error) {
	return engine.Verify{Passed: in.Body.Passed, Note: in.Body.Note}, nil
}

// SurveyBody is a survey that was held outside the product.
type SurveyBody struct {
	Votes
	Note string `json:"note" doc:"Where and how it was held."`
}

// RecordSurvey is the request that records a survey.
type RecordSurvey struct {
	Change
	Body SurveyBody
}

func (in *RecordSurvey) payload() any { return &in.Body }

func (in *RecordSurvey) command() (engine.Command, error) {
	v := in.Body.Votes
	return engine.RecordSurvey{Note: in.Body.Note, Survey: engine.Survey{VerySatisfied: v.VerySatisfied, Satisfied: v.Satisfied,
		Basic: v.Basic, Dissatisfied: v.Dissatisfied, VeryDissatisfied: v.VeryDissatisfied}}, nil
}

// TextBody is the text of an objection, or of its answer.
type TextBody struct {
	Text string `json:"text"`
}

// Object is the request that files an objection.
type Object struct {
	Change
	Body TextBody
}

func (in *Object) payload() any { return &in.Body }

func (in *Object) command() (engine.Command, error) { return engine.Object{Text: in.Body.Text}, nil }

// Answer is the request that answers an objection.
type Answer struct {
	Change
	Objection string `path:"objection" maxLength:"20" doc:"Id of the objection, such as o2."`
	Body      TextBody
}

func (in *Answer) payload() any { return &in.Body }

func (in *Answer) command() (engine.Command, error) {
	return engine.Answer{ID: in.Objection, Text: in.Body.Text}, nil
}

// AskErasureOfWords is the request that asks for the words of somebody without an account to be erased.
type AskErasureOfWords struct {
	ErasureOfWords
	Body AskErasureBody
}

func (in *AskErasureOfWords) payload() any { return &in.Body }

func (in *AskErasureOfWords) command() (engine.Command, error) {
	return engine.EraseWords{Objection: in.Objection, Step: "ask_erasure", Note: in.Body.Note}, nil
}

// EndErasureOfWords is the request that takes it back, or refuses it.
type EndErasureOfWords struct{ ErasureOfWords }

func (in *EndErasureOfWords) command() (engine.Command, error) {
	return engine.EraseWords{Objection: in.Objection, Step: "end_erasure"}, nil
}

// ErasureOfWords is a request about the erasure of what an objection says; by itself it approves it.
type ErasureOfWords struct {
	Change
	Objection string `path:"objection" maxLength:"20" doc:"Id of the objection, such as o2."`
}

func (in *ErasureOfWords) payload() any { return nil }

func (in *ErasureOfWords) command() (engine.Command, error) {
	return engine.EraseWords{Objection: in.Objection, Step: "erase"}, nil
}

// SummaryBody is the outcome and what lasts.
type SummaryBody struct {
	Summary string `json:"summary" doc:"成效总结"`
	Lasting string `json:"lasting,omitempty" doc:"长效机制"`
}

// Summarize is the request that writes the outcome.
type Summarize struct {
	Change
	Body SummaryBody
}

func (in *Summarize) payload() any { return &in.Body }

func (in *Summarize) command() (engine.Command, error) {
	return engine.Summarize{Summary: in.Body.Summary, Lasting: in.Body.Lasting}, nil
}
