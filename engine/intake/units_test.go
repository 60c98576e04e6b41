package intake

import (
	"fmt"
	"strings"
	"testing"

	"bihuan/engine"
)

func TestPartsOfAUnitCell(t *testing.T) {
	for _, tt := range []struct{ text, lead, assist string }{
		{"", "", ""},
		{"教务处", "教务处", ""},
		{"县水务局、县住建局，县护城河指挥部", "县水务局 县住建局 县护城河指挥部", ""},
		{"财政局、教育局,各镇（街道、开发区）", "财政局 教育局 各镇（街道、开发区）", ""},
		{"责任单位：教务处；配合单位：后勤处、学工处", "教务处", "后勤处 学工处"},
		{"牵头:教务处 配合:后勤处", "教务处", "后勤处"},
		{"教务处（牵头）、后勤处（配合）", "教务处", "后勤处"},
		{"教务处牵头，后勤处、学工处配合", "教务处", "后勤处 学工处"},
		{"教务处、学工处牵头；后勤处等部门协助", "教务处 学工处", "后勤处"},
		{"教务处\n后勤处(协办单位)", "教务处", "后勤处"},
		{"教务处、教务处", "教务处", ""},
	} {
		lead, assist := parts(tt.text)
		if strings.Join(lead, " ") != tt.lead || strings.Join(assist, " ") != tt.assist {
			t.Errorf("%q: %q and %q", tt.text, lead, assist)
		}
	}
}

func TestUnitsAreFoundByWhatPeopleWrite(t *testing.T) {
	unit := func(code, name string, up *engine.Unit) engine.Unit {
		u := engine.Unit{ID: engine.UnitID(code), Code: code, Name: name, Path: code + "/"}
		if up != nil {
			u.ParentID, u.Path = up.ID, up.Path+u.Path
		}
		return u
	}
	root := unit("dw", "某大学", nil)
	other := unit("zz", "外单位后勤处", nil)
	all := []engine.Unit{root, unit("jw", "某大学教务处", &root), unit("xg", "学生工作部（学生工作处）", &root), unit("sxy", "商学院党总支", &root),
		unit("jd1", "机电学院", &root), unit("jd2", "机电学院党总支", &root), unit("a1", "第一党支部", &root), unit("a2", "第一总支", &root), other}
	d := newDirectory(all, root)
	for _, tt := range []struct {
		name, code string
		short      bool
	}{
		{"某大学教务处", "jw", false}, {"jw", "jw", false}, {"JW", "jw", true}, {"教务处", "jw", true}, {"教务处等", "jw", true}, {"教 务 处", "jw", true},
		{"学生工作处", "xg", true}, {"学生工作部", "xg", true}, {"学生工作部(学生工作处)", "xg", true}, {"商学院", "sxy", true},
		{"机电学院", "jd1", false}, {"机电学院党总支", "jd2", false}, {"后勤处", "", false}, {"外单位后勤处", "", false}, {"第一", "", false}, {"处", "", false},
	} {
		u, short, ok := d.find(tt.name)
		if u.Code != tt.code || short != tt.short || ok != (tt.code != "") {
			t.Errorf("%s: %q %v %v, want %q %v", tt.name, u.Code, short, ok, tt.code, tt.short)
		}
	}
	for _, tt := range []struct{ name, near string }{{"学工部", "学生工作部（学生工作处）"}, {"教务科", "某大学教务处"}, {"水利局", ""}} {
		near := unitNames(d.near(tt.name))
		if tt.near == "" && near != "" || !strings.Contains(near, tt.near) {
			t.Errorf("%s: near %q, want %q", tt.name, near, tt.near)
		}
	}
	if got := fmt.Sprint(likeness([]rune("学工部"), []rune("学生工作部"))); got != "0.75" {
		t.Errorf("likeness %s", got)
	}
}
