package main

import (
	"context"

	"bihuan/api/console"
	"bihuan/engine"
	"bihuan/storage"
	"bihuan/workflows"
)

// verification lets the console have the database verified, of which it knows nothing.
func verification(db *storage.DB, signing, evidence string) func(context.Context, engine.ProjectID, func(int64)) (console.Verification, error) {
	return func(ctx context.Context, project engine.ProjectID, progress func(int64)) (console.Verification, error) {
		r, err := verifyWith(ctx, db, signing, storage.VerifyOptions{Project: project, Progress: progress, Files: evidenceFiles(evidence)})
		out := console.Verification{Log: r.Log, Started: r.Started, Finished: r.Finished, Findings: r.Findings, More: r.More, Erased: r.Erased}
		for what, n := range r.Checked.Each {
			out.Checked = append(out.Checked, console.Counted{What: what, N: n})
		}
		return out, err
	}
}

// compare lets the console compare definitions, of whose files it knows nothing.
func compare(before, after *engine.Workflow) []console.Difference {
	var out []console.Difference
	for _, d := range workflows.Compare(before, after) {
		out = append(out, console.Difference(d))
	}
	return out
}

// roles are the roles with the words of a set-up.
func roles(words []string) []engine.Role {
	var out []engine.Role
	for _, w := range words {
		out = append(out, engine.Role(w))
	}
	return out
}
