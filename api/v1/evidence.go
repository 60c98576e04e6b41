package v1

import (
	"context"
	"mime/multipart"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/audit"
)

// Upload is the request that adds a piece of evidence. The file goes straight to where files lie.
type Upload struct {
	Change
	Parts
	sent sent
}

// sent is what an upload says, which is what its idempotency key stands for: the boundary between the parts is
// another one in every repeat.
type sent struct {
	Name      string       `json:"name"`
	SHA256    audit.Digest `json:"sha256"`
	Note      string       `json:"note"`
	Milestone string       `json:"milestone"`
	Material  string       `json:"material,omitempty"`
}

func (in *Upload) payload() any { return &in.sent }

func (h *handlers) upload(ctx context.Context, in *Upload) (*ProjectAnswer, error) {
	if err := h.mayUpload(ctx, in); err != nil {
		return nil, err
	}
	file, err := h.receive(ctx, in)
	if err != nil {
		return nil, err
	}
	return h.do(ctx, in, func() (engine.Command, error) {
		return engine.AddEvidence{Name: file.Name, Type: file.Type, Size: file.Size, SHA256: file.SHA256,
			Milestone: in.sent.Milestone, Material: in.sent.Material, Note: in.sent.Note}, nil
	})
}

// mayUpload refuses before the file is read what would be refused after, so that nobody fills the disk with what
// nobody may add. A repeat of what was carried out is let through, to be answered as one.
func (h *handlers) mayUpload(ctx context.Context, in *Upload) error {
	id, base, err := in.target()
	if err != nil {
		return err
	}
	who, err := actor(ctx, in.IdempotencyKey, nil)
	if err != nil {
		return err
	}
	p, err := h.Engine.Project(ctx, who, id)
	if err != nil {
		return err
	}
	list, err := h.Engine.Explain(ctx, who, &p)
	if err != nil {
		return err
	}
	allowed := slices.ContainsFunc(list, func(o engine.Option) bool { return o.Act == string(engine.ActEvidence) && o.Allowed })
	if p.Version == base && allowed {
		return nil
	}
	// The digest of nothing matches no request, so the key is known exactly when it is refused.
	if _, _, err := h.Engine.Answered(ctx, who); engine.KindOf(err) == engine.Invalid {
		return nil
	}
	who.Key = nil
	_, err = h.Engine.Do(ctx, who, id, base, engine.AddEvidence{}) // without a file it is refused in any case, and says why
	return err
}

// receive reads the parts of an upload.
func (h *handlers) receive(ctx context.Context, in *Upload) (engine.Evidence, error) {
	var file engine.Evidence
	err := in.each(func(part *multipart.Part) (err error) {
		switch name := part.FormName(); name {
		case "file":
			file, err = upload.Put(ctx, h.Files, part, h.Upload)
		case "note":
			in.sent.Note, err = upload.Text(part)
		case "milestone":
			in.sent.Milestone, err = upload.Text(part)
		case "material":
			in.sent.Material, err = upload.Text(part)
		default:
			err = invalid(field(name), "api.unknown_field")
		}
		return err
	})
	in.sent.Name, in.sent.SHA256 = file.Name, file.SHA256
	return file, err
}

// uploadBody describes the multipart body. It is added to the document after huma has looked at the operation,
// because huma would otherwise read the body itself.
var uploadBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {
	Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"file"}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{
			"file":      {Type: huma.TypeString, Format: "binary", Description: "The file, with its name."},
			"note":      {Type: huma.TypeString, Description: "What it shows."},
			"milestone": {Type: huma.TypeString, Description: "Id of the milestone that it proves."},
			"material":  {Type: huma.TypeString, Description: "Which of the definition's materials it is, by id."},
		}},
}}}

// EvidenceView is a piece of evidence.
type EvidenceView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Type      string    `json:"type"`
	Size      int64     `json:"size" doc:"Bytes."`
	SHA256    string    `json:"sha256"`
	Milestone string    `json:"milestone,omitempty"`
	Material  string    `json:"material,omitempty" doc:"Which of the definition's materials it is, by id."`
	Note      string    `json:"note,omitempty"`
	By        Ref       `json:"by"`
	At        time.Time `json:"at"`
}

// EvidenceAnswer is the list of a project's evidence.
type EvidenceAnswer struct {
	Body struct {
		Items []EvidenceView `json:"items"`
	} `nameHint:"EvidenceList"`
}

func (h *handlers) evidence(ctx context.Context, in *One) (*EvidenceAnswer, error) {
	p, err := h.read(ctx, in)
	if err != nil {
		return nil, err
	}
	list, err := h.Reader.Evidence(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := &EvidenceAnswer{}
	out.Body.Items = make([]EvidenceView, 0, len(list))
	for _, e := range list {
		out.Body.Items = append(out.Body.Items, EvidenceView{ID: e.ID, Name: e.Name, Type: e.Type, Size: e.Size, SHA256: e.SHA256.String(),
			Milestone: e.Milestone, Material: e.Material, Note: e.Note, By: h.names.user(ctx, e.By), At: e.At})
	}
	return out, nil
}

// OneEvidence is the request for a file.
type OneEvidence struct {
	One
	Evidence string `path:"evidence" maxLength:"36" doc:"Id of the piece of evidence."`
}

// Download is a file.
type Download struct {
	Body func(huma.Context)
}

func (h *handlers) download(ctx context.Context, in *OneEvidence) (*Download, error) {
	p, err := h.read(ctx, &in.One)
	if err != nil {
		return nil, err
	}
	list, err := h.Reader.Evidence(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(e engine.Evidence) bool { return e.ID == in.Evidence })
	if i < 0 {
		return nil, &engine.Error{Kind: engine.NotFound, Key: "api.evidence_unknown"}
	}
	e := list[i]
	file, _, err := h.Files.Get(e.SHA256)
	if err != nil {
		return nil, err
	}
	return &Download{Body: func(ctx huma.Context) {
		defer file.Close()
		c := humagin.Unwrap(ctx)
		upload.Send(c.Writer, c.Request, e, upload.Attachment(e.Name), file)
	}}, nil
}

// downloadOperation describes the answer, which is not JSON.
func downloadOperation(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {Description: "The file, as an attachment.",
		Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}
	return op
}
