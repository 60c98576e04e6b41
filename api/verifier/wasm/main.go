//go:build js && wasm

// Command wasm is the verifier of bundles as it runs in a browser: api/verifier puts it into a page.
//
// It gives the page one function, bihuanVerify(bundle, keys, known): the bytes of a bundle or of a proof, public keys one a line ("" for
// those that the bundle names), and files that hold known checkpoints as [{name, text}]. The answer is a bundle.Verdict as JSON with the
// SHA-256 of the bundle as "sha256", or "usage", which says what of the rest makes no sense.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"syscall/js"

	"bihuan/engine/audit"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
)

type answer struct {
	bundle.Verdict
	SHA256 audit.Digest `json:"sha256"`
	Usage  string       `json:"usage,omitempty"`
}

func main() {
	js.Global().Set("bihuanVerify", js.FuncOf(func(_ js.Value, args []js.Value) any {
		b := make([]byte, args[0].Length())
		js.CopyBytesToGo(b, args[0])
		var a answer
		if opt, err := options(args[1].String(), args[2]); err != nil {
			a.Usage = err.Error()
		} else {
			a.Verdict = bundle.Judge(bundle.VerifyFile(bytes.NewReader(b), int64(len(b)), opt))
		}
		a.SHA256 = audit.HashContent(b)
		text, err := json.Marshal(a)
		if err != nil {
			panic(err) // plain values
		}
		return string(text)
	}))
	select {} // the page calls for as long as it is open
}

func options(keys string, known js.Value) (opt bundle.Options, err error) {
	if opt.Keys, err = merkle.ParseKeys(keys); err != nil {
		return opt, err
	}
	if keys != "" && len(opt.Keys) == 0 {
		return opt, errors.New("there is no public key in the file")
	}
	for i := range known.Length() {
		kept, err := merkle.Keep(known.Index(i).Get("name").String(), []byte(known.Index(i).Get("text").String()))
		if err != nil {
			return opt, err
		}
		opt.Known = append(opt.Known, kept)
	}
	return opt, nil
}
