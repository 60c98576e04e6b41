// Package bundle is the trail, or a part of it, as a file that proves itself: whoever has it and a public key can verify
// it without the installation, without its database, and without trusting either.
//
// A bundle is a zip archive. Its members are text, one JSON value a line where the name ends with .ndjson:
//
//	manifest.json       Manifest
//	checkpoint          the signed checkpoint that everything is proved against; missing if there is none yet
//	keys                the public keys that the trail tells of, one a line
//	checkpoints.ndjson  every stored checkpoint as {"n":1,"note":"…"}; whole trails only
//	entries.ndjson      the exact bytes of each entry, by subject and seq
//	places.ndjson       for each entry its place in the log: {"index":7}, in parts of a trail with "proof", its inclusion in
//	                    checkpoint; null for one that was not sealed yet
//	consistency.ndjson  {"size":5,"proof":[…]}: that checkpoint continues the log with that size; parts of a trail only
//	subjects.ndjson     how each subject stands: {"subject":…,"seq":…,"head":…,"version":…,"state":{…}}, in the order of entries
//	evidence.ndjson     {"subject":"project/…","row":{…}}: digest and size of each file
//	openings.ndjson     {"subject":"user/…","salt":…,"value":…}: what opens the commitments to personal data; whole trails only.
//	                    With "of":"o3" it opens what somebody without an account wrote in that objection of a project
//	definitions.ndjson  {"workflow":…,"version":1,"digest":…,"source":…}; whole trails only
//	sources.ndjson      {"subject":"sheet/…","source":…}: the sources of score sheets; whole trails only
//
// Lines about subjects stand in the order of subjects, which is that of the entries. A bundle of format 1 has no sources,
// and says how something stands for projects, units, users, tokens, delegations and lists only.
//
// engine/audit/testdata/check_bundle.py verifies a bundle with nothing of this package.
package bundle

import (
	"encoding/json"
	"time"

	"bihuan/engine/audit"
)

// Format is the version of the bundle format that Writer writes. That of an earlier one is read, too.
const (
	Format  = "bihuan-bundle/2"
	format1 = "bihuan-bundle/1"
)

// Standing are the kinds of subjects that have a row of their own: a bundle says for each of them how it stands.
var Standing = []string{"project", "unit", "user", "token", "delegation", "list", "need", "sheet", "kind", "tally", "tally_year",
	"channel", "settings", "wording", "mapping"}

// Kinds of scope.
const (
	Everything = "everything"
	OneUnit    = "unit"
	OneProject = "project"
	OneEntry   = "entry" // of a Proof
)

// Members of the archive.
const (
	manifestName    = "manifest.json"
	checkpointName  = "checkpoint"
	keysName        = "keys"
	checkpointsName = "checkpoints.ndjson"
	entriesName     = "entries.ndjson"
	placesName      = "places.ndjson"
	consistencyName = "consistency.ndjson"
	subjectsName    = "subjects.ndjson"
	evidenceName    = "evidence.ndjson"
	openingsName    = "openings.ndjson"
	definitionsName = "definitions.ndjson"
	sourcesName     = "sources.ndjson"
)

// Manifest says what a bundle holds.
type Manifest struct {
	Format  string    `json:"format"`
	Log     string    `json:"log"`          // installation and epoch
	Scope   string    `json:"scope"`        // Everything, OneUnit or OneProject
	ID      string    `json:"id,omitempty"` // of the unit or the project
	Made    time.Time `json:"made"`
	Entries int64     `json:"entries"`
	Size    int64     `json:"size"` // of the log when the bundle was made
}

// Checkpoint is a stored checkpoint.
type Checkpoint struct {
	N    int64  `json:"n"`
	Note string `json:"note"`
}

// Place is where an entry stands in the log.
type Place struct {
	Index int64          `json:"index"`
	Proof []audit.Digest `json:"proof,omitempty"`
}

// Consistency proves that the checkpoint continues the log with Size entries.
type Consistency struct {
	Size  int64          `json:"size"`
	Proof []audit.Digest `json:"proof"`
}

// Subject is how something stands.
type Subject struct {
	Subject string          `json:"subject"`
	Seq     int64           `json:"seq"`
	Head    audit.Digest    `json:"head"`
	Version int64           `json:"version"`         // -1 where there is none
	State   json.RawMessage `json:"state,omitempty"` // missing where there is none
}

// Evidence is a row of evidence.
type Evidence struct {
	Subject string          `json:"subject"`
	Row     json.RawMessage `json:"row"`
}

// Opening opens the commitment to somebody's personal data, or to what somebody without an account wrote.
type Opening struct {
	Subject string `json:"subject"`
	Of      string `json:"of,omitempty"` // which objection of a project; "" of a user
	Salt    []byte `json:"salt"`
	Value   string `json:"value"`
}

// Definition is a published definition.
type Definition struct {
	Workflow string `json:"workflow"`
	Version  int    `json:"version"`
	Digest   string `json:"digest"`
	Source   string `json:"source"`
}

// Source is the source of a score sheet.
type Source struct {
	Subject string `json:"subject"`
	Source  string `json:"source"`
}
