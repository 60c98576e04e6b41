package ledger

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"bihuan/engine/message"
)

// pack is a workbook's zip package with the little that must be known before a library may unpack it.
type pack struct {
	parts  map[string]*zip.File // by lower-case name
	sheets []sheetPart
	spills bool // a part is larger than maxInRAM
	cells  int  // with content, in all sheets surveyed so far
}

type sheetPart struct {
	name, part string
	hidden     bool
}

// openPackage looks into the zip directory and the workbook part. Nothing is unpacked but these.
func openPackage(data []byte, o Options) (*pack, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, badWorkbook(err)
	}
	p := &pack{parts: map[string]*zip.File{}}
	total := uint64(0)
	for _, f := range z.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		size := f.UncompressedSize64
		total += min(size, 1<<40)
		if total > maxUnzip {
			return nil, fail(KeyUnzipTooLarge, 0, "limit", maxUnzip>>20)
		}
		// Two parts of one name: one would be checked and the other read.
		if _, twice := p.parts[name]; twice {
			return nil, badWorkbook(errors.New("two parts named " + strconv.Quote(message.Short(name))))
		}
		p.parts[name] = f
		p.spills = p.spills || size > maxInRAM
		bulk := strings.HasPrefix(name, "xl/worksheets/") || strings.HasPrefix(name, "xl/media/") || name == sharedStrings
		if size > maxSupport && !bulk && strings.HasPrefix(name, "xl/") && (strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".rels")) {
			return nil, fail(KeyUnzipTooLarge, 0, "limit", maxSupport>>20)
		}
		if f.Flags&1 != 0 {
			return nil, fail(KeyEncrypted, 0)
		}
	}
	if err := p.workbook(); err != nil {
		return nil, err
	}
	return p, p.strings(o)
}

const sharedStrings = "xl/sharedstrings.xml"

// relations is the part of a .rels file that is needed.
type relations struct {
	Relationship []struct {
		ID     string `xml:"Id,attr"`
		Type   string `xml:"Type,attr"`
		Target string `xml:"Target,attr"`
	}
}

// workbook finds the sheets and their parts.
func (p *pack) workbook() error {
	var root, rels relations
	var book struct {
		Sheets struct {
			Sheet []struct {
				Name  string     `xml:"name,attr"`
				State string     `xml:"state,attr"`
				Attrs []xml.Attr `xml:",any,attr"`
			} `xml:"sheet"`
		} `xml:"sheets"`
	}
	if _, ok := p.parts["_rels/.rels"]; !ok {
		return fail(KeyNotTable, 0) // a zip, but no office document
	}
	if err := p.decode("_rels/.rels", &root); err != nil {
		return badWorkbook(err)
	}
	main := ""
	for _, r := range root.Relationship {
		if strings.HasSuffix(r.Type, "/officeDocument") {
			main = strings.TrimPrefix(r.Target, "/")
		}
	}
	err := p.decode(main, &book)
	if err != nil && strings.HasPrefix(main, "xl/") && strings.HasSuffix(main, ".xml") {
		return badWorkbook(err)
	}
	if err != nil || len(book.Sheets.Sheet) == 0 {
		return &Error{Key: KeyNotTable, Err: err} // a document of another kind
	}
	dir, file := path.Split(main)
	if err := p.decode(dir+"_rels/"+file+".rels", &rels); err != nil {
		return badWorkbook(err)
	}
	for _, s := range book.Sheets.Sheet {
		id := ""
		for _, a := range s.Attrs {
			if a.Name.Local == "id" && a.Name.Space != "" {
				id = a.Value
			}
		}
		for _, r := range rels.Relationship {
			if r.ID != id || !strings.HasSuffix(r.Type, "/worksheet") {
				continue
			}
			part := strings.TrimPrefix(r.Target, "/")
			if part == r.Target {
				part = path.Join(dir, r.Target)
			}
			p.sheets = append(p.sheets, sheetPart{s.Name, part, s.State == "hidden" || s.State == "veryHidden"})
			break
		}
	}
	return nil
}

func (p *pack) open(part string) (io.ReadCloser, error) {
	f, ok := p.parts[strings.ToLower(part)]
	if !ok {
		return nil, errors.New("no part " + strconv.Quote(message.Short(part)))
	}
	return f.Open()
}

func (p *pack) decode(part string, v any) error {
	r, err := p.open(part)
	if err != nil {
		return err
	}
	defer r.Close()
	return xml.NewDecoder(io.LimitReader(r, maxSupport)).Decode(v)
}

// choose returns the names of the sheets to look at, in order, and of those that are visible.
func (p *pack) choose(wanted string) (names, visible []string, err error) {
	var all []string
	for _, s := range p.sheets {
		if all = append(all, s.name); !s.hidden {
			visible = append(visible, s.name)
		}
	}
	if wanted == "" {
		return visible[:min(len(visible), 50)], visible, nil
	}
	if !slices.Contains(all, wanted) {
		return nil, nil, fail(KeyNoSheet, 0, "sheet", wanted, "sheets", all)
	}
	return []string{wanted}, visible, nil
}

// strings checks the table of texts: the library builds a tree of it, and a cell that repeats a huge one is built
// anew each time.
func (p *pack) strings(o Options) error {
	if _, ok := p.parts[sharedStrings]; !ok {
		return nil
	}
	limit := o.cells()
	items, length := 0, 0
	return p.walk(sharedStrings, func(t xml.Token) error {
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local == "si" {
				if items++; items > limit { // each is the text of a cell
					return fail(KeyTooManyCells, 0, "limit", limit)
				}
				length = 0
			}
		case xml.CharData:
			// Bytes, three to a Chinese character: this bounds memory; runes are counted when the cell is read.
			if length += len(t); length > 4*max(o.MaxCell, 32767) {
				return fail(KeyCellTooLong, 0, "limit", o.MaxCell)
			}
		}
		return nil
	})
}

// Bounds of a part's XML. Parsing is what a forged part costs most, and none of these is near what a full ledger has.
const (
	maxElements = 2_000_000
	maxDepth    = 64
)

// cells is how many cells with content a workbook may have: rows and columns may each be many, but no ledger is full
// to its last corner.
func (o *Options) cells() int { return o.MaxRows * min(o.MaxColumns, 25) }

// walk passes the tokens of a part to visit, to its end or to the first error.
func (p *pack) walk(part string, visit func(xml.Token) error) error {
	r, err := p.open(part)
	if err != nil {
		return badWorkbook(err)
	}
	defer r.Close()
	d := xml.NewDecoder(r)
	elements, depth := 0, 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return badWorkbook(err)
		}
		switch t.(type) {
		case xml.StartElement:
			if elements++; elements > maxElements {
				return fail(KeyTooManyCells, 0, "limit", maxElements)
			}
			if depth++; depth > maxDepth {
				return badWorkbook(errors.New("elements nested too deeply"))
			}
		case xml.EndElement:
			depth--
		case xml.Directive: // nothing in an office document declares entities
			return badWorkbook(errors.New("a document type declaration"))
		}
		if err := visit(t); err != nil {
			return err
		}
	}
}

// mark is a cell that is more than text.
type mark struct {
	row   int32
	col   int16
	flags uint8
}

// shape is what a survey of a sheet found.
type shape struct {
	lastRow int // the last row with content
	marks   []mark
	merges  []area
	hidden  int
}

// surveyor walks a sheet once before it is read: it enforces the limits and notes what the library's row stream
// does not tell, which cells are formulas, numbers or dates, and which are merged.
type surveyor struct {
	shape
	pkg      *pack
	o        Options
	formats  *formats
	row, col int // 1-based, of the element being read
	cells    int
	content  int // rows with content
	flags    uint8
	style    int
	filled   bool // the cell has content
	hides    bool // the row is hidden
}

func (p *pack) survey(sheet string, formats *formats, o Options) (*shape, error) {
	i := slices.IndexFunc(p.sheets, func(s sheetPart) bool { return s.name == sheet })
	s := &surveyor{pkg: p, o: o, formats: formats}
	err := p.walk(p.sheets[i].part, func(t xml.Token) error {
		switch t := t.(type) {
		case xml.StartElement:
			return s.start(t)
		case xml.EndElement:
			if t.Name.Local == "c" {
				return s.endCell()
			}
		}
		return nil
	})
	return &s.shape, err
}

func (s *surveyor) start(t xml.StartElement) error {
	switch t.Name.Local {
	case "dimension":
		// A forged range is refused here; the true one may be smaller than declared, so the limits count cells.
		if ref := attr(t, "ref"); ref == "" {
			return nil
		} else if _, err := parseArea(ref); err != nil {
			return fail(KeyTooManyColumns, 0, "limit", s.o.MaxColumns)
		}
	case "row":
		n := s.row + 1
		if r := attr(t, "r"); r != "" {
			v, err := strconv.Atoi(r)
			if err != nil || v < n {
				return &Error{Key: KeyBadWorkbook, Row: n, Err: errors.New("rows out of order")}
			}
			n = v
		}
		if n > excelize.TotalRows {
			return fail(KeyTooManyRows, 0, "limit", s.o.MaxRows)
		}
		s.row, s.col = n, 0
		h := attr(t, "hidden")
		s.hides = h == "1" || h == "true"
	case "c":
		return s.startCell(t)
	case "v", "is":
		s.filled = true
	case "f":
		s.filled = true
		s.flags |= flagFormula
	case "mergeCell":
		m, err := parseArea(attr(t, "ref"))
		if err != nil {
			return badWorkbook(err)
		}
		if m.right = min(m.right, s.o.MaxColumns-1); m.left <= m.right {
			s.merges = append(s.merges, m)
		}
		if len(s.merges) > 100_000 {
			return fail(KeyTooManyCells, 0, "limit", 100_000)
		}
	}
	return nil
}

func (s *surveyor) startCell(t xml.StartElement) error {
	n := s.col + 1
	if ref := attr(t, "r"); ref != "" {
		col, row, err := excelize.CellNameToCoordinates(ref)
		switch {
		case err != nil:
			return fail(KeyTooManyColumns, s.row, "limit", s.o.MaxColumns)
		case row != s.row || col < n:
			return &Error{Key: KeyBadWorkbook, Row: s.row, Err: errors.New("cells out of order")}
		}
		n = col
	}
	if n > excelize.MaxColumns {
		return fail(KeyTooManyColumns, s.row, "limit", s.o.MaxColumns)
	}
	// Cells without content only have borders, but each costs its time.
	if s.cells++; s.cells > 2*s.o.cells() {
		return fail(KeyTooManyCells, s.row, "limit", 2*s.o.cells())
	}
	s.col, s.flags, s.style, s.filled = n, 0, 0, false
	switch attr(t, "t") {
	case "", "n":
		s.flags = flagNumber
		if style, err := strconv.Atoi(attr(t, "s")); err == nil {
			s.style = style
		}
	case "e":
		s.flags = flagError
	}
	return nil
}

func (s *surveyor) endCell() error {
	if !s.filled {
		return nil
	}
	if s.col > s.o.MaxColumns {
		return fail(KeyTooManyColumns, s.row, "limit", s.o.MaxColumns)
	}
	if limit := s.o.cells(); s.pkg.cells >= limit {
		return fail(KeyTooManyCells, s.row, "limit", limit)
	}
	s.pkg.cells++
	if s.flags&flagNumber != 0 {
		s.flags |= s.formats.flags(s.style)
	}
	if s.flags != 0 {
		s.marks = append(s.marks, mark{int32(s.row), int16(s.col - 1), s.flags})
	}
	if s.lastRow != s.row {
		s.lastRow = s.row
		if s.hides {
			s.hidden++
		}
		if s.content++; s.content > s.o.MaxRows {
			return fail(KeyTooManyRows, s.row, "limit", s.o.MaxRows)
		}
	}
	return nil
}

func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// parseArea reads A1:C3 or A1.
func parseArea(ref string) (area, error) {
	from, to, ok := strings.Cut(ref, ":")
	if !ok {
		to = from
	}
	left, top, err := excelize.CellNameToCoordinates(from)
	if err != nil {
		return area{}, err
	}
	right, bottom, err := excelize.CellNameToCoordinates(to)
	if err != nil {
		return area{}, err
	}
	if right < left || bottom < top {
		return area{}, errors.New("a range that runs backwards")
	}
	return area{top, left - 1, bottom, right - 1}, nil
}
