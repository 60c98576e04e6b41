package intake

import (
	"context"
	"regexp"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// hourHeaders are the headers that offices write over what members did, for each column.
var hourHeaders = map[string][]string{"member": {"用户名", "登录名", "账号", "工号", "login"}, "unit": {"支部", "所在支部", "单位", "单位代码", "unit"},
	"category": {"类别", "项目", "category"}, "day": {"日期", "时间", "date", "day"},
	"hours": {"时长", "小时", "学时", "时长（小时）", "时长(小时)", "hours"}, "note": {"说明", "内容", "活动内容", "备注", "note"}}

// TakeHours takes a table of what members did over (columns: login, category, day, hours, and if need be unit and note),
// or with dry only says what would become of it; see TakeUnits. year is that of rows without a day, which put a member
// on the unit's roll and do nothing else.
func TakeHours(ctx context.Context, e *engine.Engine, who engine.Actor, tally string, year int, file string, data []byte, dry bool) (*Roster, error) {
	t, out := readRoster(data, hourHeaders, "member")
	if t == nil {
		return out, nil
	}
	rows := make([]engine.TallyRow, len(t.Rows))
	for i, r := range t.Rows {
		row := &rows[i]
		*row = engine.TallyRow{Row: r.Number, Member: t.cell(r, "member"), Unit: t.cell(r, "unit"), Year: year,
			TallyDraft: engine.TallyDraft{Category: t.cell(r, "category"), Note: t.cell(r, "note")}}
		day, hours := t.cell(r, "day"), t.cell(r, "hours")
		if row.Category != "" || day != "" || hours != "" {
			if row.Day, row.Wrong = readDay(day); row.Wrong == nil {
				row.Minutes, row.Wrong = engine.ParseHours(hours)
			}
		}
		out.Rows = append(out.Rows, RosterRow{Row: r.Number, Key: row.Member, Name: strings.Join(strings.Fields(day+" "+row.Category+" "+hours), " "), Unit: row.Unit})
	}
	done, err := e.ImportHours(ctx, who, tally, rows, sourceOf(file, data), dry || len(out.Problems) > 0)
	if err != nil {
		return nil, err
	}
	out.settle(t, done)
	enrolled := map[int]bool{}
	for _, row := range done.Grants {
		enrolled[row] = true
	}
	for i := range out.Rows {
		if r := &out.Rows[i]; r.State == RowKnown && enrolled[r.Row] {
			r.State = RowNew
		}
	}
	return out, nil
}

var (
	dayMarks  = strings.NewReplacer("年", "-", "月", "-", "日", "", "/", "-", ".", "-", " ", "")
	timeOfDay = regexp.MustCompile(`\s\d{1,2}[:：]\d{2}(?:[:：]\d{2})?$`)
	bareDay   = regexp.MustCompile(`^\d+(?:\.\d+)?$`)
)

// readDay reads a whole day: 2026-03-05, 2026/3/5, 2026.3.5 or 2026年3月5日, whatever the time behind it. A number that a
// spreadsheet does not show as a date is none.
func readDay(s string) (calendar.Date, error) {
	t, err := time.Parse("2006-1-2", dayMarks.Replace(timeOfDay.ReplaceAllString(s, "")))
	if err != nil {
		key := "tally.day"
		if bareDay.MatchString(s) {
			key = "tally.day_number"
		}
		return calendar.Date{}, &engine.Error{Kind: engine.Invalid, Field: "day", Key: key, Args: map[string]any{"text": s}}
	}
	return calendar.NewDate(t.Year(), t.Month(), t.Day()), nil
}
