package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// What a column may be beside a field.
const (
	Keep   Field = "keep"   // its texts stay with the item as they were written
	Ignore Field = "ignore" // it is not taken over; the report says so
)

// Fields are what a column may be, in the order in which people are asked.
var Fields = []Field{Number, Category, Title, Target, Measures, Sponsor, Unit, Assisting, Owner, Due, Progress, Outcome, Phone, Remark, Plan}

// repeatable are the fields that several columns may fill: their texts are joined.
var repeatable = []Field{Target, Measures, Assisting, Progress, Outcome, Phone, Remark}

// Why says how it was found what a column is.
type Why string

// The reasons, the surest first.
const (
	WhyGiven      Why = "given"      // a person said so
	WhyRemembered Why = "remembered" // as with the last ledger of the source
	WhyName       Why = "name"       // the header is a name of the field
	WhyWeak       Why = "weak"       // the header often means the field
	WhyForm       Why = "form"       // the header has the form of the field's names
	WhyInstead    Why = "instead"    // another column has the field that the header means first
	WhyTaken      Why = "taken"      // another column has the field
	WhyUnknown    Why = "unknown"    // the header means nothing that is known
	WhyUnnamed    Why = "unnamed"    // there is no header
)

// Whys are all reasons.
var Whys = []Why{WhyGiven, WhyRemembered, WhyName, WhyWeak, WhyForm, WhyInstead, WhyTaken, WhyUnknown, WhyUnnamed}

// Sure reports whether nobody has to look at the column.
func (w Why) Sure() bool { return w == WhyGiven || w == WhyRemembered || w == WhyName }

// Mapping says how a sheet is read: which sheet it is, which of its rows is the head, and what each column is.
type Mapping struct {
	Sheet   string // "" for CSV; where a person gives none, the first sheet on which it fits
	Head    int    // 1-based row of the sheet, the first of a head of several; 0: the row with the columns' headers
	Columns []MappedColumn
}

// MappedColumn says what a column is.
type MappedColumn struct {
	Index  int    // 0-based, from the left edge of the sheet; it counts where Header is ""
	Header string // as Column.Header
	Field  Field  // one of Fields, Keep or Ignore
	Why    Why
}

// Check refuses a mapping by which no ledger can be read: an unknown field, a field in two columns that can have one,
// and one without a title. The error is an *Error that names the column.
func (m *Mapping) Check() error {
	taken := map[Field]MappedColumn{}
	for _, c := range m.Columns {
		switch first, twice := taken[c.Field]; {
		case c.Field == Keep || c.Field == Ignore:
			continue
		case !slices.Contains(Fields, c.Field):
			return m.fail(c, KeyUnknownField, "field", string(c.Field), "column", c.Header)
		case twice && !slices.Contains(repeatable, c.Field):
			return m.fail(c, KeyFieldTwice, "first", first.Header, "column", c.Header)
		case !twice:
			taken[c.Field] = c
		}
	}
	if _, ok := taken[Title]; !ok {
		return m.fail(MappedColumn{Index: -1}, KeyTitleMissing)
	}
	return nil
}

func (m *Mapping) fail(c MappedColumn, key string, args ...any) error {
	e := fail(key, 0, args...)
	e.Column = c.Index + 1
	return e
}

// Set says what the column with a header is. Another column that was only taken for the same field yields to it. The
// error is an *Error.
func (m *Mapping) Set(header string, f Field) error {
	i := slices.IndexFunc(m.Columns, func(c MappedColumn) bool { return c.Header == header })
	if i < 0 {
		var all []string
		for _, c := range m.Columns {
			all = append(all, c.Header)
		}
		return fail(KeyNoSuchColumn, 0, "column", header, "columns", all)
	}
	for j := range m.Columns {
		if c := &m.Columns[j]; j != i && c.Field == f && c.Why != WhyGiven && !slices.Contains(repeatable, f) {
			c.Field, c.Why = Keep, WhyTaken
		}
	}
	m.Columns[i].Field, m.Columns[i].Why = f, WhyGiven
	return nil
}

// find returns what the mapping says of a column.
func (m *Mapping) find(index int, header string) (MappedColumn, bool) {
	for _, c := range m.Columns {
		if c.Header == header && header != "" || c.Header == "" && c.Index == index {
			return c, true
		}
	}
	return MappedColumn{}, false
}

// names counts those of the mapping's columns whose headers are among the labels, and how many have one.
func (m *Mapping) names(labels []Column) (found, all int) {
	for _, c := range m.Columns {
		if c.Header == "" {
			continue
		}
		all++
		if slices.ContainsFunc(labels, func(l Column) bool { return l.Header == c.Header }) {
			found++
		}
	}
	return found, all
}

// Bare returns the mapping by position alone, as it fits the next ledger of the same shape.
func (m *Mapping) Bare() *Mapping {
	out := &Mapping{Columns: slices.Clone(m.Columns)}
	for i := range out.Columns {
		out.Columns[i].Header, out.Columns[i].Why = "", ""
	}
	return out
}

var digits = regexp.MustCompile(`\d+`)

// shapeOf is a digest of a head's texts, by which ledgers of one source are known again. White space, width of characters
// and figures make no other shape: next month's ledger is headed 7月进展 where this one says 6月进展.
func shapeOf(texts []string) string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = digits.ReplaceAllString(strings.ToLower(squeeze(t)), "#")
	}
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	sum := sha256.Sum256([]byte(strings.Join(all, "\x1f")))
	return hex.EncodeToString(sum[:])
}

// ShapeForm is what a shape looks like.
var ShapeForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
