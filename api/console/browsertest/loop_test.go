package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// act carries out an act on the project page: unfolds its form, fills it in by the fields' names, and sends it. The
// page has to come back and say that it is done.
func (p *person) act(id string, fields ...string) {
	p.t.Helper()
	form := "#" + id
	if !p.has(form) {
		p.t.Fatalf("at %s, nothing offers %s:\n%s", p.at(), id, p.text("#gate"))
	}
	if !p.has(form + "[open]") {
		p.press(form + " > summary")
	}
	p.complete(form, fields...)
	p.follow(form + " button[type=submit]")
	if p.sent != 200 || !p.has(".said") {
		p.t.Fatalf("%s answers %d: %s", id, p.sent, p.text("#main"))
	}
}

// complete fills in fields: name, value, name, value. A file is named by its path, an option by its value.
func (p *person) complete(form string, fields ...string) {
	p.t.Helper()
	for i := 0; i+1 < len(fields); i += 2 {
		name, value := fields[i], fields[i+1]
		control := form + " [name=" + name + "]"
		switch {
		case p.has(control + "[type=file]"):
			p.attach(control, value)
		case p.has(control+"[type=radio]") || p.has(control+"[type=checkbox]"):
			p.press(control + "[value='" + value + "']")
		default:
			p.fill(control, value)
		}
	}
}

// approve answers the request of a project from 我的待办, without leaving that page.
func (p *person) approve(id, note string) {
	p.t.Helper()
	p.open("/todo")
	row := "#a-" + id
	p.fill(row+" [name=note]", note)
	p.press(row + " [value=approve]")
	p.until(`document.querySelector("` + row + `.done-row") !== null`)
	if p.at() != "/todo" {
		p.t.Errorf("an approval leads to %s", p.at())
	}
}

// stageNow is the name of the stage that a project's page shows as the present one.
func (p *person) stageNow() string {
	p.t.Helper()
	if s := p.text(".steps [aria-current=step] b"); s != "" {
		return s
	}
	return p.text("#gt")
}

// TestLoop takes one 实事项目 from the first idea to 已销号 through the pages, as five people and the leader's
// signature: each does what the page offers to them and nobody else.
func TestLoop(t *testing.T) {
	h := open(t, false)
	supervisor, owner, inspector := h.enter("zhang"), h.enter("zhou"), h.enter("wang")
	owner.look(phone) // the owner works on a phone all the way

	// 谋划. Only the supervisor is offered a new project.
	if inspector.has("a[href='/new']") || owner.has("a[href='/new']") {
		t.Error("somebody is offered a new project who may not make one")
	}
	supervisor.follow(".top a.btn[href='/new']")
	supervisor.complete("#main form", "unit", string(h.unit("it")), "title", "东区宿舍热水供应不足", "owner", string(h.users["zhou"].ID))
	supervisor.follow("#main form button[type=submit]")
	at := supervisor.at()
	id := strings.TrimPrefix(strings.SplitN(at, "?", 2)[0], "/projects/")
	if supervisor.stageNow() != "谋划" || !supervisor.has(".said") {
		t.Fatalf("a new project at %s is in %q", at, supervisor.stageNow())
	}
	project := "/projects/" + id
	supervisor.wants("#gate", "群众需求还没有填写", "还没有确定领办领导", "还没有设定办结时限")
	supervisor.follow("#gate .check a[href$='/edit']") // the checklist leads to what settles it
	supervisor.complete("#main form", "need", "晚上十点后没有热水", "target", "全天供应，投诉为零", "measures", "更换两台锅炉",
		"sponsor", string(h.users["li"].ID), "list", "2025-6", "deadline", h.day(30))
	supervisor.follow("#main form button[type=submit]")
	supervisor.wants("#gate", "已设定办结时限")
	supervisor.wants(".count", "剩 30 天")
	supervisor.wants(".steps", "已 0 天")
	if supervisor.has("#do-submit-deploy") {
		t.Error("the supervisor may ask for what the supervisor approves")
	}

	// 部署.
	owner.open(project)
	owner.act("do-submit-deploy", "note", "需求已经核实")
	supervisor.approve(id, "同意交办")
	owner.open("/todo") // it waits for the owner, who takes it on where it stands
	owner.press("#o-" + id + " [value=acknowledge]")
	owner.until(`document.querySelector("#o-` + id + ` [value=acknowledge]") === null`)
	owner.open(project)
	owner.act("do-milestones", "title", "锅炉到货", "due", h.day(10), "who", "后勤处")
	owner.act("do-milestones", "title", "调试供水", "due", h.day(20), "who", "信息化中心")
	owner.act("do-submit-advance")
	supervisor.open(project)
	supervisor.act("do-approve", "note", "同意启动")

	// 推进.
	owner.open(project)
	owner.act("do-report", "percent", "60", "done", "锅炉已经到货", "next", "安装调试")
	owner.act("do-tick", "note", "验收单见附件")
	owner.wants("#gate", "还有里程碑没有完成", "还没有上传佐证材料")
	owner.act("do-tick")
	file := filepath.Join(t.TempDir(), "验收单.txt")
	if err := os.WriteFile(file, []byte("锅炉两台，合格。\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	owner.act("do-evidence", "note", "到货验收", "file", file)
	owner.wants("#evidence", "验收单.txt", "锅炉已经到货")
	owner.act("do-report", "percent", "100", "done", "全天供水已经稳定一周")
	owner.act("do-submit-track", "note", "请核查")
	supervisor.approve(id, "同意核查")

	// 跟踪. The owner may not verify, and is told so.
	owner.open(project)
	if owner.has("#do-verify") {
		t.Error("the owner may verify the own work")
	}
	checker := h.enter(verifier)
	checker.open(project)
	checker.act("do-verify", "passed", "yes", "note", "凌晨一点到现场，热水正常")

	// 反馈. The page says what is missing, and until publicity is over the gate stays shut.
	supervisor.open(project)
	supervisor.act("do-survey", "very_satisfied", "20", "satisfied", "12", "basic", "2", "dissatisfied", "1", "note", "宿舍楼下问卷，共35份")
	supervisor.wants("#gate", "公示还不满5个工作日", "满意率达到85%")
	owner.open(project)
	if owner.has("#do-submit-effect") {
		t.Error("the gate opens before publicity is over")
	}
	h.pass(2)
	owner.signIn("zhou")
	owner.open(project)
	owner.wants(".count", "剩 28 天")
	owner.wants(".steps", "已 2 天", "0 天 · 孙平")
	h.pass(4)            // the day it went up does not count, and the fifth has to be over
	owner.signIn("zhou") // sessions do not last for days
	supervisor.signIn("zhang")
	owner.open(project)
	owner.act("do-submit-effect", "note", "公示期满，没有异议")
	supervisor.approve(id, "同意")

	// 达效 and 销号: whoever accepts answers for it, then the leader signs.
	owner.open(project)
	owner.act("do-summarize", "summary", "东区全天有热水，投诉归零", "lasting", "锅炉每季度检修")
	owner.act("do-submit-close", "note", "申请销号")
	leader := h.enter("li")
	leader.open("/todo")
	if leader.has("#a-" + id) {
		t.Error("the leader is asked before the acceptance")
	}
	supervisor.approve(id, "验收通过")
	leader.approve(id, "同意销号")
	leader.open(project)
	leader.wants("#gt", "已销号")
	leader.wants("#main", "已销号", "#")

	// The inspector finds all of it in the trail.
	inspector.signIn("wang")
	inspector.open(project)
	number := inspector.text("main nav .mono")
	inspector.open("/trail")
	inspector.fill("#tp", number)
	inspector.follow("#trail form button[type=submit]")
	inspector.wants("#trail", "已销号", "同意销号", "验收通过", "热水正常", "孙平")
	if inspector.has(".verified.bad") || !inspector.has(".verified") {
		t.Error("the inspector's page does not find the entries sound")
	}
	h.intact()
}
