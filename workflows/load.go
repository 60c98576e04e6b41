package workflows

import (
	"cmp"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"bihuan/engine"
	"bihuan/engine/message"
)

//go:embed *.yaml
var embedded embed.FS

// Embedded returns the definitions that the product brings along: shishi and shuji. The values are shared; a
// Workflow is immutable.
func Embedded() []*engine.Workflow { return slices.Clone(loadEmbedded()) }

var loadEmbedded = sync.OnceValue(func() []*engine.Workflow {
	list, err := Load(embedded)
	if err != nil {
		panic(fmt.Sprintf("workflows: %v", err)) // a test loads them
	}
	return list
})

// Source returns the exact bytes of an embedded definition, which its digest covers.
func Source(id string) ([]byte, bool) {
	b, err := embedded.ReadFile(id + ".yaml")
	return b, err == nil
}

// Load reads every definition (*.yaml, *.yml) of a folder, without those below it, ordered by id and version. The
// error is a Mistakes with every mistake of every file; nothing is returned then. Two files with the same id and
// version are a mistake, because projects are pinned to a version.
func Load(fsys fs.FS) ([]*engine.Workflow, error) {
	names, err := definitions(fsys)
	if err != nil {
		return nil, err
	}
	type version struct {
		id string
		n  int
	}
	first := map[version]string{}
	var out []*engine.Workflow
	var all Mistakes
	for _, name := range names {
		source, err := read(fsys, name)
		if err != nil {
			all = append(all, Mistake{File: name, Line: 1, Key: "workflow.unreadable", Args: message.Args("cause", err.Error())})
			continue
		}
		w, r := parse(name, source)
		if w != nil && w.ID != "" && w.Version > 0 {
			v := version{w.ID, w.Version}
			if other, ok := first[v]; ok {
				r.out = append(r.out, Mistake{File: name, Line: r.line("id"), Key: "workflow.duplicate_version",
					Args: message.Args("id", w.ID, "version", w.Version, "file", other)})
				r.out.sort()
			} else {
				first[v] = name
			}
		}
		all = append(all, r.out...)
		out = append(out, w)
	}
	if len(all) > 0 {
		return nil, all
	}
	slices.SortFunc(out, func(a, b *engine.Workflow) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}

// definitions lists the files of a folder that are definitions, in order.
func definitions(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	var names []string
	for _, e := range entries {
		if ext := path.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// read returns a file, or enough of it to see that it is too large.
func read(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}
