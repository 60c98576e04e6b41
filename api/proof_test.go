package api_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/api"
	"bihuan/engine"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// TestProofs: what the API hands out verifies with nothing but the public key, and continues what was kept before.
func TestProofs(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db, func(o *api.Options) { o.Trail = storage.Trail{DB: db} })
		signing := filepath.Join(t.TempDir(), "signing")
		sign := func() string {
			note, err := storagetest.Sign(t.Context(), db, signing, h.clock(), func(key string) error {
				return h.engine.Note(t.Context(), operator, engine.ActionCheckpointKey, map[string]any{"key": key})
			})
			if err != nil || note == nil {
				t.Fatalf("%q, %v", note, err)
			}
			return string(note)
		}
		var p project
		h.want(201, "", "secretary", "POST", "/api/v1/projects", complete()).into(t, &p)
		var entries struct{ Items []struct{ ID string } }
		h.want(200, "", "secretary", "GET", "/api/v1/projects/"+p.ID+"/entries", nil).into(t, &entries)
		proof := "/api/v1/audit/entries/" + entries.Items[0].ID + "/proof"
		h.want(409, "proof.uncovered", "secretary", "GET", proof, nil)
		kept := sign()
		keys, err := merkle.ReadKeys(signing)
		if err != nil {
			t.Fatal(err)
		}
		a := h.want(200, "", "secretary", "GET", proof, nil)
		if r, err := bundle.VerifyProof([]byte(a.body), bundle.Options{Keys: keys}); err != nil || len(r.Findings) > 0 {
			t.Errorf("the proof: %+v, %v\n%s", r, err, a.body)
		}
		h.want(404, "proof.unknown", "stranger", "GET", proof, nil)

		h.want(201, "", "secretary", "POST", "/api/v1/projects", complete())
		sign()
		opt := bundle.Options{Keys: keys, Known: []merkle.Kept{{Name: "kept", Notes: [][]byte{[]byte(kept)}}}}
		for part, scope := range map[string]string{"?unit=b1&": bundle.OneUnit, "?project=" + p.ID + "&": bundle.OneProject} {
			path := "/api/v1/audit/bundle" + part + "known=" + url.QueryEscape(kept)
			a := h.want(200, "", "inspector", "GET", path, nil)
			r, err := bundle.Verify(strings.NewReader(a.body), int64(len(a.body)), opt)
			if err != nil || len(r.Findings)+len(r.Undecided) > 0 || r.Manifest.Scope != scope || r.Checked.Entries == 0 {
				t.Errorf("%s: %+v, %v", part, r, err)
			}
			h.want(403, "act.role", "secretary", "GET", path, nil)
		}
		h.want(403, "trail.beyond_office", "inspector", "GET", "/api/v1/audit/bundle", nil) // there is another body
		h.want(404, "unit.unknown", "inspector", "GET", "/api/v1/audit/bundle?unit=qt", nil)
		h.want(422, "proof.one_part", "inspector", "GET", "/api/v1/audit/bundle?unit=b1&project="+p.ID, nil)
		h.want(422, "proof.not_known", "inspector", "GET", "/api/v1/audit/bundle?unit=b1&known=x", nil)
		trail, err := h.engine.Trail(t.Context(), operator, engine.EntryFilter{Actions: []string{"export_trail_bundle"}})
		if err != nil || len(trail.Items) != 2 {
			t.Errorf("%d exports in the trail, %v", len(trail.Items), err)
		}
	})
}
