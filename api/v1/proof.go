package v1

import (
	"context"
	"io"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/proof"
	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/audit"
)

// OneEntry is the request for what proves an entry.
type OneEntry struct {
	Entry string `path:"entry" maxLength:"36" doc:"Id of the entry."`
}

// ProofView is a proof; bihuan audit verify takes it as it is.
type ProofView struct {
	Format     string   `json:"format"`
	Entry      string   `json:"entry" doc:"The exact bytes that are hashed."`
	Leaf       string   `json:"leaf" doc:"SHA-256 of a zero byte and the entry's bytes."`
	Index      int64    `json:"index" doc:"Place in the log, from 0."`
	Proof      []string `json:"proof" doc:"Inclusion, as RFC 6962 has it."`
	Checkpoint string   `json:"checkpoint" doc:"Signed note: origin, size, root, time."`
	Keys       []string `json:"keys" doc:"The public keys that the trail tells of. Believe the one that you were given instead."`
}

// ProofAnswer is the answer with a proof.
type ProofAnswer struct {
	Body ProofView
}

func (h *handlers) proof(ctx context.Context, in *OneEntry) (*ProofAnswer, error) {
	e, err := proof.Entry(ctx, h.Engine, request.From(ctx).Actor, in.Entry)
	if err != nil {
		return nil, err
	}
	p, err := proof.Of(ctx, h.Trail, &e)
	if err != nil {
		return nil, err
	}
	return &ProofAnswer{ProofView{Format: p.Format, Entry: p.Entry, Leaf: p.Leaf.String(), Index: p.Index, Proof: texts(p.Proof), Checkpoint: p.Checkpoint, Keys: p.Keys}}, nil
}

func texts(list []audit.Digest) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.String()
	}
	return out
}

// BundleOrder says which part of the trail is asked for.
type BundleOrder struct {
	Project string `query:"project" maxLength:"36" doc:"Id of a project: its entries with their proofs."`
	Unit    string `query:"unit" maxLength:"40" doc:"Id or code: the projects of the unit and of what is under it, and the units. Neither this nor a project: everything."`
	Known   string `query:"known" maxLength:"16384" doc:"Checkpoints that somebody kept, as they were signed: the bundle of a part proves that it continues them."`
}

func (h *handlers) bundle(ctx context.Context, in *BundleOrder) (*Download, error) {
	part, name := engine.Part{}, "trail"
	if in.Project != "" && in.Unit != "" {
		return nil, invalid("unit", "proof.one_part")
	}
	known, err := proof.Known(in.Known)
	if err != nil {
		return nil, err
	}
	if in.Project != "" {
		p, err := h.read(ctx, &One{ID: in.Project})
		if err != nil {
			return nil, err
		}
		part.Project, name = p.ID, p.Number
	}
	if in.Unit != "" {
		part.Unit, name = engine.UnitID(in.Unit), "unit-"+in.Unit
	}
	if part, err = proof.Begin(ctx, h.Trail, h.Engine, request.From(ctx).Actor, part); err != nil {
		return nil, err
	}
	return h.attach("application/zip", proof.FileName(name, h.Now().In(h.Engine.Site.Location)), func(ctx context.Context, w io.Writer) error {
		return proof.Bundle(ctx, h.Trail, w, part, known)
	}), nil
}

// bundleOperation describes the answer, which is not JSON.
func bundleOperation(op huma.Operation) huma.Operation {
	op = downloadOperation(op)
	answer := op.Responses["200"]
	answer.Description = "The bundle, as an attachment; package engine/audit/bundle says what is in it."
	answer.Content = map[string]*huma.MediaType{"application/zip": answer.Content["application/octet-stream"]}
	return op
}
