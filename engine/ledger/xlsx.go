package ledger

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// Limits on what a workbook may unpack to, in bytes.
const (
	maxUnzip   = 64 << 20
	maxInRAM   = 16 << 20 // larger worksheets and string tables are unpacked to a temporary file
	maxSupport = 4 << 20  // styles, relations and the like, which are held in memory as trees
)

// eachSheet reads the named sheet, or every visible one, until take has what it wants. sheets are the visible ones.
func eachSheet(data []byte, o Options, take func(t *table, sheets []string) (done bool, err error)) (err error) {
	defer func() {
		// The library trusts indexes inside the file in places; a forged file must not bring the server down.
		if p := recover(); p != nil {
			err = badWorkbook(fmt.Errorf("panic: %v", p))
		}
	}()
	pkg, err := openPackage(data, o)
	if err != nil {
		return err
	}
	options := unzipLimits()
	if pkg.spills {
		// The library forgets its temporary files when opening fails half way; a folder of our own does not.
		if options.TmpDir, err = os.MkdirTemp("", "ledger-"); err != nil {
			return badWorkbook(err)
		}
		defer os.RemoveAll(options.TmpDir)
	}
	f, err := excelize.OpenReader(bytes.NewReader(data), options)
	if err != nil {
		return badWorkbook(err)
	}
	defer f.Close()

	names, visible, err := pkg.choose(o.Sheet)
	if err != nil {
		return err
	}
	for _, sheet := range names {
		t, err := pkg.read(f, sheet, o)
		if err != nil {
			return err
		}
		if done, err := take(t, visible); done || err != nil {
			return err
		}
	}
	return nil
}

// unzipLimits are the library's own limits. openPackage has refused what they refuse before; they hold for whatever
// would open a workbook without it.
func unzipLimits() excelize.Options {
	return excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnzip, UnzipXMLSizeLimit: maxInRAM}
}

// badWorkbook tells why a workbook cannot be read.
func badWorkbook(cause error) *Error {
	e := fail(KeyBadWorkbook, 0)
	if errors.Is(cause, zip.ErrAlgorithm) || errors.Is(cause, excelize.ErrWorkbookPassword) {
		e.Key = KeyEncrypted
	}
	e.Err = cause
	return e
}

// read surveys the sheet first, so that its size and shape are known to be bounded, and then streams its rows.
func (pkg *pack) read(f *excelize.File, sheet string, o Options) (*table, error) {
	formats := formatsOf(f)
	s, err := pkg.survey(sheet, formats, o)
	if err != nil {
		return nil, err
	}
	t := &table{sheet: sheet, merges: s.merges, hidden: s.hidden}
	rows, err := f.Rows(sheet)
	if err != nil {
		return nil, badWorkbook(err)
	}
	defer rows.Close()
	marks := s.marks
	for n := 1; n <= s.lastRow && rows.Next(); n++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, &Error{Key: KeyBadWorkbook, Row: n, Err: err}
		}
		var flags map[int]uint8
		for ; len(marks) > 0 && int(marks[0].row) <= n; marks = marks[1:] {
			col := int(marks[0].col)
			if flags == nil {
				flags = map[int]uint8{}
			}
			flags[col] = marks[0].flags
			if col < len(cells) {
				cells[col] = shown(cells[col], marks[0].flags, formats.date1904)
			}
		}
		if err := t.add(n, cells, flags, o); err != nil {
			return nil, err
		}
	}
	if err := rows.Error(); err != nil {
		return nil, badWorkbook(err)
	}
	return t, nil
}

// shown writes a stored number as the sheet shows it, as far as it matters for a ledger.
func shown(raw string, flags uint8, date1904 bool) string {
	if flags&flagNumber == 0 {
		return raw
	}
	v, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return raw
	}
	if flags&flagDateCell != 0 && v >= 1 {
		t, err := excelize.ExcelDateToTime(v, date1904)
		if err != nil || t.Year() > 9999 {
			return raw
		}
		switch t = t.Round(time.Second); {
		case flags&flagYear != 0:
			return t.Format("2006年")
		case flags&flagMonth != 0:
			// Typing 2022年6月 stores the first of June; the day was never meant.
			return t.Format("2006年1月")
		case t.Hour() == 0 && t.Minute() == 0:
			return t.Format(time.DateOnly)
		}
		return t.Format("2006-01-02 15:04")
	}
	switch {
	case flags&flagClock != 0 && v >= 0 && v < 366: // beyond, it is a day of which the time is shown
		return clock(v)
	case flags&flagPercent != 0:
		return fifteen(v*100) + "%"
	}
	return fifteen(v)
}

// clock writes a part of a day, as which a spreadsheet keeps 1:30, in hours and minutes.
func clock(days float64) string {
	d := time.Duration(math.Round(days*24*60*60)) * time.Second
	text := fmt.Sprintf("%d:%02d", int(d.Hours()), int(d.Minutes())%60)
	if s := int(d.Seconds()) % 60; s != 0 {
		text += fmt.Sprintf(":%02d", s)
	}
	return text
}

// fifteen writes a number with the 15 significant digits that Excel shows, so that 2022.6 is not
// 2022.5999999999999.
func fifteen(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	if err != nil {
		rounded = v
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// formats says how numbers of each style are shown.
type formats struct {
	file     *excelize.File
	date1904 bool
	known    map[int]uint8
}

func formatsOf(f *excelize.File) *formats {
	fm := &formats{file: f, known: map[int]uint8{}}
	if props, err := f.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		fm.date1904 = *props.Date1904
	}
	return fm
}

// flags returns flagDay, flagMonth, flagYear, flagClock, flagPercent or 0 for the style with this index.
func (fm *formats) flags(style int) uint8 {
	if flags, ok := fm.known[style]; ok {
		return flags
	}
	var flags uint8
	if s, err := fm.file.GetStyle(style); err == nil {
		if s.CustomNumFmt != nil {
			flags = formatFlags(*s.CustomNumFmt)
		} else {
			flags = builtInFlags(s.NumFmt)
		}
	}
	fm.known[style] = flags
	return flags
}

// builtInFlags knows the number formats that have no code in the file. 27 to 36 and 50 to 58 are those of Chinese
// Excel.
func builtInFlags(id int) uint8 {
	switch id {
	case 14, 15, 16, 22, 28, 29, 30, 31, 51, 53, 54, 58:
		return flagDay
	case 17, 27, 36, 50, 52, 57:
		return flagMonth
	case 18, 19, 20, 21, 32, 33, 34, 35, 46, 55, 56:
		return flagClock
	case 9, 10:
		return flagPercent
	}
	return 0
}

// formatFlags reads a format code such as yyyy"年"m"月" with an eye to what it shows: the day, only the month,
// only the year, the time of day, or no date at all.
func formatFlags(code string) uint8 {
	var bare strings.Builder
	code, _, _ = strings.Cut(code, ";")
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case '"', '[':
			stop := map[byte]string{'"': `"`, '[': "]"}[code[i]]
			end := strings.Index(code[i+1:], stop)
			if end < 0 {
				i = len(code)
				break
			}
			if inner := strings.ToLower(code[i+1 : i+1+end]); stop == "]" && strings.Trim(inner, "hms") == "" {
				if strings.Contains(inner, "h") { // [h]:mm is a duration
					return flagClock
				}
				return 0
			}
			i += end + 1
		case '\\', '_', '*':
			i++
		default:
			bare.WriteByte(code[i])
		}
	}
	s := strings.ToLower(bare.String())
	switch {
	case strings.Contains(s, "general"), strings.Contains(s, "@"):
		return 0
	case strings.Contains(s, "d"):
		return flagDay
	case strings.Contains(s, "%"):
		return flagPercent
	case strings.Contains(s, "h"):
		return flagClock
	case strings.ContainsAny(s, "0#?s"):
		return 0
	case strings.Contains(s, "m"):
		return flagMonth
	case strings.Contains(s, "y"):
		return flagYear
	}
	return 0
}
