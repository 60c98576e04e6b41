package console

import (
	"maps"
	"slices"

	"bihuan/engine"
)

// falseView is a finding of false evidence on the project's page.
type falseView struct {
	Note   string
	By     string   // who found and who confirmed it
	Files  []string // what is false
	Lifted string   // by whom and why, if it was
}

// findings are a project's, oldest first. files are its evidence.
func (c *Console) findings(v *visit, p *engine.Project, files []evidenceView) []falseView {
	var out []falseView
	for _, id := range slices.SortedFunc(maps.Keys(p.Findings), func(a, b string) int { return p.Findings[a].ConfirmedAt.Compare(p.Findings[b].ConfirmedAt) }) {
		f := p.Findings[id]
		x := falseView{Note: f.Note, Files: namesOf(f.Evidence, files),
			By: v.t("console.finding.by", "found", c.names.user(v, f.By), "at", c.moment(f.At), "confirmed", c.names.user(v, f.ConfirmedBy), "on", c.moment(f.ConfirmedAt))}
		if f.LiftedAt != nil {
			x.Lifted = v.t("console.finding.lifted", "lifted", c.names.user(v, f.LiftedBy), "confirmed", c.names.user(v, f.LiftConfirmedBy), "at", c.moment(*f.LiftedAt), "note", f.Lifted)
		}
		out = append(out, x)
	}
	return out
}

// namesOf are the names of pieces of evidence.
func namesOf(proofs []engine.MarkProof, files []evidenceView) []string {
	var out []string
	for _, x := range proofs {
		if i := slices.IndexFunc(files, func(f evidenceView) bool { return f.ID == x.ID }); i >= 0 {
			out = append(out, files[i].Name)
		}
	}
	return out
}

// findingFields are what a finding, or its end, asks for.
func (c *Console) findingFields(v *visit, p *engine.Project, w *engine.Workflow, act string) []field {
	note := field{Name: "note", Kind: "area", Label: v.t("console.field.finding_note"), Required: true}
	if act == "lift_finding" {
		which := field{Name: "finding", Kind: "select", Label: v.t("console.field.finding"), Required: true}
		for _, id := range slices.Sorted(maps.Keys(p.Findings)) {
			if f := p.Findings[id]; f.LiftedAt == nil {
				which.Choices = append(which.Choices, choice{id, clip(f.Note, 40), false})
			}
		}
		note.Label = v.t("console.field.lift_note")
		return []field{which, note}
	}
	out := []field{{Name: "evidence", Kind: "people", Label: v.t("console.field.finding_evidence"), Hint: v.t("console.hint.finding_evidence"), Required: true}, note}
	if w.Reopens(p) {
		out = append(out, field{Name: "deadline", Kind: "date", Label: v.t("console.field.finding_deadline"),
			Hint: v.t("console.hint.finding_deadline", "stage", w.StageName(w.LookBack.Reopen))})
	}
	return out
}

// evidenceChoices are the pieces that a finding can be about.
func evidenceChoices(files []evidenceView) []choice {
	out := make([]choice, len(files))
	for i, f := range files {
		out[i] = choice{f.ID, f.Name + " · " + f.Who + " · " + f.At, false}
	}
	return out
}
