// Package v1 is version 1 of the JSON API, one file per noun.
//
// What must always hold: a handler decodes into a small struct of this package, calls the engine, and encodes
// into another; no row of the engine's is read from or written to the wire; a project outside the caller's units
// answers like one that does not exist; every change carries the version that it is based on.
package v1

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/names"
	"bihuan/api/proof"
	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/layout"
	"bihuan/engine/score"
)

// Options is what the handlers work with.
type Options struct {
	Engine *engine.Engine
	Reader engine.Reader
	Files  upload.Files
	Graph  func(w *engine.Workflow, lang string) string
	Scores *score.Desk
	// Exports takes ledgers, lists and units' years out.
	Exports *layout.Desk
	Log     *slog.Logger
	Now     func() time.Time
	Body    int64     // largest JSON body in bytes
	Upload  int64     // largest uploaded file in bytes
	Trail   proof.Log // nil: there are no proofs
	// Notifier tries channels out; nil: there is nobody to do it.
	Notifier Notifier
	Names    *names.Book
}

// handlers answers the operations. Everything in it is safe for concurrent use.
type handlers struct {
	Options
	names refs
}

// prefix is where the API lies, for addresses in answers.
const prefix = "/api/v1"

// bodyTimeout bounds how long a caller may take to send a JSON body.
const bodyTimeout = 30 * time.Second

// uploadID is the operation whose body is a piece of evidence.
const uploadID = "add-evidence"

// Register adds every operation to the API.
func Register(api huma.API, o Options) {
	h := &handlers{Options: o, names: refs{o.Names}}
	op := func(method, path, id, summary string) huma.Operation {
		return huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary,
			MaxBodyBytes: o.Body + 1, BodyReadTimeout: bodyTimeout, Tags: []string{noun(path)}}
	}
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	const one = "/projects/{id}"

	huma.Register(api, op(get, "/scores", "list-scores", "考核得分 Scores of units over a period, by the trail alone"), h.scores)
	huma.Register(api, op(get, "/scores/{unit}", "get-score", "一个单位的得分 One unit's score, line by line with the entries behind it"), h.score)
	h.registerSheets(api, op)

	huma.Register(api, exportOperation(op(get, "/exports/ledger", "export-ledger", "导出台账 The ledger, or a part of it, as a file to print and send round")), h.exportLedger)
	huma.Register(api, exportOperation(op(get, "/exports/lists/{id}", "export-list", "导出清单 A list as a file")), h.exportList)
	huma.Register(api, exportOperation(op(get, "/exports/units/{unit}", "export-unit", "导出单位年度情况 A unit's year as a file")), h.exportUnit)

	create := op(post, "/projects", "create-project", "提出项目 Propose a project")
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, h.create)
	huma.Register(api, op(get, "/projects", "list-projects", "项目清单 List projects"), h.list)
	huma.Register(api, op(get, one, "get-project", "一个项目，及能办什么、为什么不能 One project, with what can be done next and why not"), h.get)
	huma.Register(api, op(patch, one, "edit-project", "修改草案 Change the draft; members that are left out stay"), h.edit)

	change(h, api, op(post, one+"/acknowledge", "acknowledge", "签收 Accept the assignment"), (*Acknowledge).command)
	change(h, api, op(post, one+"/transitions", "submit", "送审 Ask for a transition"), (*Submit).command)
	change(h, api, op(post, one+"/approvals", "approve", "批准 Approve the pending request"), (*Approve).command)
	change(h, api, op(post, one+"/returns", "return", "退回 Refuse the pending request, or send work back"), (*Return).command)
	change(h, api, op(post, one+"/withdrawals", "withdraw", "撤回 Take the pending request back"), (*Withdraw).command)
	change(h, api, op(post, one+"/extensions", "extend", "申请延期 Ask for a later deadline"), (*Extend).command)
	change(h, api, op(post, one+"/reports", "report", "报告进展 Report progress"), (*Report).command)
	huma.Register(api, op(get, one+"/reports", "list-reports", "进展报告 Progress reports, newest first"), h.reports)
	change(h, api, op(post, one+"/milestones", "lay-milestones", "制定时间表 Add milestones"), (*LayMilestones).command)
	change(h, api, op(put, one+"/milestones/{milestone}", "edit-milestone", "修改里程碑 Change a milestone"), (*EditMilestone).command)
	change(h, api, op(del, one+"/milestones/{milestone}", "remove-milestone", "删除里程碑 Remove a milestone"), (*RemoveMilestone).command)
	change(h, api, op(post, one+"/milestones/{milestone}/done", "tick-milestone", "完成里程碑 Mark a milestone as done"), (*Tick).command)
	huma.Register(api, op(post, one+"/evidence", uploadID, "上传佐证材料 Add a piece of evidence"), h.upload)
	huma.Register(api, op(get, one+"/evidence", "list-evidence", "佐证材料 List the evidence"), h.evidence)
	huma.Register(api, downloadOperation(op(get, one+"/evidence/{evidence}", "get-evidence", "下载佐证材料 Download a piece of evidence")), h.download)
	change(h, api, op(post, one+"/urges", "urge", "催办 Urge the owner"), (*Urge).command)
	change(h, api, op(post, one+"/verifications", "verify", "现场核验 Record an on-site verification"), (*Verify).command)
	change(h, api, op(post, one+"/surveys", "record-survey", "录入满意度 Record a satisfaction survey"), (*RecordSurvey).command)
	change(h, api, op(post, one+"/objections", "object", "提出异议 File an objection"), (*Object).command)
	change(h, api, op(post, one+"/objections/{objection}/answer", "answer-objection", "答复异议 Answer an objection"), (*Answer).command)
	change(h, api, op(post, one+"/objections/{objection}/erasure", "ask-objection-erasure", "申请删除公众意见原文 Ask for what somebody without an account wrote to be erased"), (*AskErasureOfWords).command)
	change(h, api, op(del, one+"/objections/{objection}/erasure", "end-objection-erasure", "撤回或不同意删除公众意见原文 Take the request back, or refuse it"), (*EndErasureOfWords).command)
	change(h, api, op(post, one+"/objections/{objection}/erasure/approval", "erase-objection", "批准删除公众意见原文 Approve it: the words are gone at once, the trail stays valid"), (*ErasureOfWords).command)
	change(h, api, op(post, one+"/look-backs", "look-back", "回头看 Record a look-back; it waits for the leader"), (*InspectAgain).command)
	change(h, api, op(put, one+"/statement", "give-statement", "书面说明 Say why the deadline was missed"), (*Statement).command)
	change(h, api, op(put, one+"/summary", "summarize", "成效总结 Write the outcome and what lasts"), (*Summarize).command)
	huma.Register(api, op(get, one+"/entries", "list-project-entries", "项目的审计记录 The trail of one project"), h.projectEntries)
	huma.Register(api, op(get, one+"/reminders", "list-reminders", "提醒 What people were reminded of"), h.reminders)

	h.registerImports(api, op)
	h.registerLists(api, op)
	h.registerNeeds(api, op)
	h.registerTallies(api, op)
	h.registerPolls(api, op)
	h.registerMarks(api, op)
	h.registerFindings(api, op)

	huma.Register(api, op(get, "/notices", "list-notices", "我的消息 What I am told, newest first"), h.inbox)
	huma.Register(api, op(get, "/notices/count", "count-notices", "未读数 How many I have not read"), h.unread)
	huma.Register(api, op(post, "/notices/receipts", "read-notices", "标为已读 Note that I have read notices"), h.markRead)
	huma.Register(api, op(get, "/me/notify-settings", "get-notify-settings", "我的通知设置 How I want to be told"), h.mySettings)
	huma.Register(api, op(put, "/me/notify-settings", "save-notify-settings", "修改我的通知设置 Change how I want to be told"), h.saveSettings)
	h.registerChannels(api, op)

	huma.Register(api, op(get, "/audit/entries", "list-entries", "审计记录 Query the trail"), h.entries)
	huma.Register(api, op(get, "/audit/entries/{entry}/proof", "get-proof", "一条记录的存在证明 What proves that an entry stands in the signed log"), h.proof)
	huma.Register(api, bundleOperation(op(get, "/audit/bundle", "export-trail", "导出审计材料 Take the trail, or a part of it, away as a file that verifies by itself; the export is an entry")), h.bundle)
	huma.Register(api, op(get, "/workflows", "list-workflows", "流程 List the workflows"), h.workflows)
	huma.Register(api, op(get, "/workflows/{workflow}", "get-workflow", "流程定义 One definition, with its diagram"), h.workflow)
	huma.Register(api, op(put, "/workflows/{workflow}/switch", "switch-workflow", "启用或停用流程 Switch a workflow on or off"), h.switchWorkflow)
	huma.Register(api, op(get, "/workflows/{workflow}/years/{year}", "get-year", "年度一览 Which unit has its project of the year, which has none"), h.year)
	huma.Register(api, op(get, "/workflows/{workflow}/simulation", "simulate", "推演 What the clock would do, without a database"), h.simulation)
	huma.Register(api, op(get, "/calendar", "get-calendar", "工作日历 The holiday list of a year"), h.calendar)
	huma.Register(api, op(get, "/calendar/workdays", "add-workdays", "推算工作日 The n-th working day after a day"), h.workdays)
	huma.Register(api, op(get, "/todo", "list-todo", "我的待办 What waits for me"), h.todo)
	huma.Register(api, op(get, "/summary", "get-summary", "汇总 Counts of projects"), h.summary)
	huma.Register(api, op(get, "/units", "list-units", "单位 Units within my scope"), h.units)
	huma.Register(api, op(get, "/users", "list-users", "人员 People within my scope, to choose from"), h.users)
	const erasure = "/users/{user}/erasure"
	huma.Register(api, op(get, erasure, "get-erasure", "删除个人信息的申请 What has become of the wish to erase somebody's personal data"), h.erasure)
	huma.Register(api, op(post, erasure, "ask-erasure", "申请删除个人信息 Ask for a closed account's personal data to be erased"), h.askErasure)
	huma.Register(api, op(del, erasure, "end-erasure", "撤回或不同意删除 Take the request back, or refuse it"), h.endErasure)
	huma.Register(api, op(post, erasure+"/approval", "erase", "批准删除个人信息 Approve it: the data are gone at once, the trail stays valid"), h.erase)
	huma.Register(api, op(get, "/me", "get-me", "我 Who I am and what I may do where"), h.me)
}
