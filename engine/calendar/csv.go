package calendar

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

var header = []string{"日期", "节日", "类型", "国办通知"}

// ParseCSV reads a list of days: UTF-8 with or without a byte order mark, the header 日期,节日,类型,国办通知, then
// one day a row: 2026-02-14,春节,调休上班,https://…. The type is 放假 or 调休上班; the notice may be empty. Blank
// rows and blank cells behind the fourth, which spreadsheets leave, are passed over.
//
// Every mistake is reported, as a Mistake with its line, joined into one error; the days are then nil. Whether
// each year is whole is for With to say. The caller bounds the size of r.
func ParseCSV(r io.Reader) ([]Day, error) {
	p := csvParser{lines: make(map[Date]int)}
	in := bufio.NewReader(r)
	if bom, _ := in.Peek(3); string(bom) == "\ufeff" {
		_, _ = in.Discard(len(bom)) // just peeked: cannot fail
	}
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = -1 // a wrong number of cells is ours to report
	sawHeader := false
	for {
		cells, err := rows.Read()
		var syntax *csv.ParseError
		switch {
		case err == io.EOF:
			if !sawHeader {
				p.refuse(1, "文件是空的", "the file is empty")
			} else if len(p.days) == 0 && len(p.mistakes) == 0 {
				p.refuse(1, "表头之下没有任何日期", "there is no day under the header")
			}
			if len(p.mistakes) > 0 {
				return nil, errors.Join(p.mistakes...)
			}
			return p.days, nil
		case errors.As(err, &syntax):
			sawHeader = true // it, or a row under it, is there but unreadable
			p.refuse(syntax.StartLine, "引号不配对或位置不对", "a quotation mark is misplaced or has no partner")
			continue
		case err != nil:
			return nil, fmt.Errorf("read the list of days: %w", err)
		}
		line, _ := rows.FieldPos(0)
		cells = trim(cells)
		switch {
		case len(cells) == 0:
		case !sawHeader:
			sawHeader = true
			if !slices.Equal(cells, header) {
				p.refuse(line, "表头应为 "+strings.Join(header, ",")+"(UTF-8 编码)",
					"the header must be "+strings.Join(header, ",")+", in UTF-8")
				// Rows under another header mean something else; complaints about them would only mislead.
				return nil, errors.Join(p.mistakes...)
			}
		default:
			p.row(line, cells)
		}
	}
}

type csvParser struct {
	days     []Day
	lines    map[Date]int // where each date was first given
	mistakes []error
}

func (p *csvParser) refuse(line int, zh, en string) {
	p.mistakes = append(p.mistakes, &Mistake{Line: line, ZH: zh, EN: en})
}

// row reads one day, reporting everything that is wrong with it.
func (p *csvParser) row(line int, cells []string) {
	if slices.ContainsFunc(cells, func(s string) bool { return !utf8.ValidString(s) }) {
		p.refuse(line, "不是 UTF-8 编码", "not in UTF-8")
		return
	}
	// The notice may be left out, and trim took its empty cell.
	if len(cells) < len(header)-1 || len(cells) > len(header) {
		p.refuse(line, fmt.Sprintf("应有 %d 列,实有 %d 列", len(header), len(cells)),
			fmt.Sprintf("%d columns instead of %d", len(cells), len(header)))
		return
	}
	before := len(p.mistakes)
	day := Day{Name: cells[1]}
	if len(cells) == len(header) {
		day.Notice = cells[3]
	}
	var err error
	if day.Date, err = ParseDate(cells[0]); err != nil {
		p.refuse(line, fmt.Sprintf("日期 %q 应写成 2026-11-30 这样", cells[0]), err.Error())
	} else if first, given := p.lines[day.Date]; given {
		p.refuse(line, fmt.Sprintf("%s 在第 %d 行已经出现过", day.Date, first),
			fmt.Sprintf("%s was given in line %d already", day.Date, first))
	} else {
		p.lines[day.Date] = line
	}
	if day.Name == "" {
		p.refuse(line, "缺少节日名称", "the holiday's name is missing")
	}
	switch cells[2] {
	case "放假":
		day.Off = true
	case "调休上班":
	default:
		p.refuse(line, fmt.Sprintf("类型 %q 应为“放假”或“调休上班”", cells[2]),
			fmt.Sprintf("type %q must be 放假 or 调休上班", cells[2]))
	}
	if len(p.mistakes) == before {
		p.days = append(p.days, day)
	}
}

// trim removes the blanks around each cell and the empty cells at the end.
func trim(cells []string) []string {
	last := 0
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
		if cells[i] != "" {
			last = i + 1
		}
	}
	return cells[:last]
}
