package console

import (
	"errors"
	"io"
	"net/url"
	"slices"

	"bihuan/api/upload"
	"bihuan/engine"
)

// evidenceViews lists a project's evidence, newest first.
func (c *Console) evidenceViews(v *visit, p *engine.Project, w *engine.Workflow) ([]evidenceView, error) {
	list, err := c.Reader.Evidence(v.ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := make([]evidenceView, 0, len(list))
	for _, e := range slices.Backward(list) {
		x := evidenceView{ID: e.ID, Href: "/projects/" + string(p.ID) + "/evidence/" + e.ID, Name: e.Name, Type: fileKind(e.Name), Who: c.names.user(v, e.By),
			At: c.moment(e.At), Size: size(e.Size), Note: e.Note, Digest: hashOf(e.SHA256.String()), Material: w.MaterialName(e.Material).In(v.lang)}
		if m, ok := p.Milestones[e.Milestone]; ok {
			x.Milestone = m.Title
		}
		if slices.Contains(pictures, e.Type) {
			x.View = x.Href + "/picture"
		}
		out = append(out, x)
	}
	return out, nil
}

// upload binds a file to the project. The file goes part by part to where files lie; the fields stand before it,
// so that what would be refused anyhow is refused before it is read.
func (c *Console) upload(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	upload.GiveTime(v.g.Writer)
	parts, err := v.g.Request.MultipartReader()
	if err != nil {
		return &engine.Error{Kind: engine.Invalid, Key: "api.multipart", Err: err}
	}
	values := url.Values{}
	a := attempt{act: "evidence", values: values}
	var file engine.Evidence
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return upload.Broken(err)
		}
		if part.FormName() != "file" {
			s, err := upload.Text(part)
			if err != nil {
				return err
			}
			values.Set(part.FormName(), s)
			continue
		}
		base, err := version(values)
		if err != nil {
			return err
		}
		if err := c.mayUpload(v, &p, base); err != nil {
			return c.refused(v, &p, base, a, err)
		}
		if part.FileName() == "" {
			return c.refused(v, &p, base, a, invalid("file", "field.empty"))
		}
		if file, err = upload.Put(v.ctx, c.Files, part, c.Upload); err != nil {
			return c.refused(v, &p, base, a, err)
		}
	}
	base, err := version(values)
	if err != nil {
		return err
	}
	if file.Name == "" {
		return c.refused(v, &p, base, a, invalid("file", "field.empty"))
	}
	_, err = c.Engine.Do(v.ctx, v.actor, p.ID, base, engine.AddEvidence{Name: file.Name, Type: file.Type, Size: file.Size, SHA256: file.SHA256,
		Milestone: values.Get("milestone"), Material: values.Get("material"), Note: values.Get("note")})
	if err != nil {
		return c.refused(v, &p, base, a, err)
	}
	v.redirect("/projects/" + string(p.ID) + "?done=evidence#evidence")
	return nil
}

// mayUpload asks the engine before a file is read, so that nobody fills the disk with what nobody may add. The
// command without a file is refused in any case, and says why.
func (c *Console) mayUpload(v *visit, p *engine.Project, base int64) error {
	options, err := c.Engine.Explain(v.ctx, v.actor, p)
	if err != nil {
		return err
	}
	if p.Version == base && slices.ContainsFunc(options, func(o engine.Option) bool { return o.Act == string(engine.ActEvidence) && o.Allowed }) {
		return nil
	}
	_, err = c.Engine.Do(v.ctx, v.actor, p.ID, base, engine.AddEvidence{})
	return err
}

// pictures are the types that a page may show. Each was found from the file's content when it came in, and none can
// carry a script.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// download sends a piece of evidence as a file to keep, never as something to show.
func (c *Console) download(v *visit) error {
	return c.sendEvidence(v, func(e engine.Evidence) (string, bool) { return upload.Attachment(e.Name), true })
}

// picture sends a piece of evidence that is a picture, to be shown on the project's page.
func (c *Console) picture(v *visit) error {
	return c.sendEvidence(v, func(e engine.Evidence) (string, bool) { return "inline", slices.Contains(pictures, e.Type) })
}

// sendEvidence sends a file in the disposition that is allowed for it; one that is not for it is as absent as none.
func (c *Console) sendEvidence(v *visit, disposition func(engine.Evidence) (string, bool)) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	list, err := c.Reader.Evidence(v.ctx, p.ID)
	if err != nil {
		return err
	}
	unknown := &engine.Error{Kind: engine.NotFound, Key: "api.evidence_unknown"}
	i := slices.IndexFunc(list, func(e engine.Evidence) bool { return e.ID == v.g.Param("evidence") })
	if i < 0 {
		return unknown
	}
	e := list[i]
	how, ok := disposition(e)
	if !ok {
		return unknown
	}
	file, _, err := c.Files.Get(e.SHA256)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	upload.Send(v.g.Writer, v.g.Request, e, how, file)
	return nil
}
