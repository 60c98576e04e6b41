package ledger

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"bihuan/engine/message"
)

// headerRows is how many rows with content are searched for the header.
const headerRows = 15

// alias are headers that mean a field. A weak one gives way: it takes the field only when no strong header
// has it, and then tries the fallback.
type alias struct {
	field    Field
	weak     bool
	fallback Field
	names    string // separated by spaces
}

var aliases = []alias{
	{field: Number, names: "序号 编号 事项序号 项目编号 任务序号 项目序号 序 号 no no. number"},
	{field: Category, names: "类别 所属行动 立项等次 项目类别 分类 类型 项目类型 事项类别 任务类别 领域 所属领域 板块 等次 责任清单 category"},
	{field: Title, names: "事项名称 实事项目 项目名称 民生实事 民生实事项目 督办事项 任务名称 实事名称 实事项目名称 办实事项目 具体事项 实事 " +
		"任务事项 实事事项 课题名称 课题 题目 工作事项 清单事项 名称 书记项目 title item"},
	{field: Title, weak: true, fallback: Target, names: "任务 工作任务 主要任务"},
	{field: Title, weak: true, fallback: Category, names: "重点任务 重点工作 重点事项 项目 事项"},
	{field: Title, weak: true, fallback: Measures, names: "项目内容 实事内容 事项内容 任务内容 工作内容 内容 具体内容 主要内容"},
	{field: Target, names: "年度任务目标 预期成效 目标 任务目标 工作目标 年度目标 预期目标 预期成果 预期效果 目标任务 目标要求 建设目标 完成标准 销号标准 target"},
	{field: Measures, names: "工作举措及实施计划 内容与措施 内容及措施 工作举措 举措 措施 工作措施 具体措施 具体举措 主要举措 主要措施 推进措施 整改措施 实施计划 实施步骤 路线图 measures"},
	{field: Sponsor, names: "责任领导 分管领导 领办领导 牵头领导 挂钩领导 包保领导 校领导 分管校领导 牵头校领导 责任校领导 联系领导 领衔领导 sponsor"},
	{field: Unit, names: "牵头单位 牵头部门 主办单位 主办部门 主责单位 主责部门 unit"},
	{field: Unit, weak: true, names: "责任单位 责任部门 基层党组织 承办单位 承办部门 实施单位 责任主体 责任科室 责任处室 党支部 所属支部 所属党支部 党组织 申报单位 所在单位 单位 部门"},
	{field: Assisting, names: "配合单位 配合部门 协办单位 协办部门 协同单位 协同部门 参与单位 参加单位 协助单位 assisting"},
	{field: Owner, names: "负责人 承办人 项目负责人 责任人 具体责任人 直接责任人 经办人 主持人 owner"},
	{field: Owner, weak: true, names: "联系人"},
	{field: Due, names: "完成时限 办结时限 时限 期限 完成时间 完成期限 办理时限 截止时间 截止日期 计划完成时间 要求完成时间 预计完成时间 完成日期 时限要求 整改时限 销号时限 deadline due"},
	{field: Due, weak: true, names: "建设周期 时间节点 时间要求 时间安排 时间表 时间进度 推进时限 办结时间 完成节点"},
	{field: Progress, names: "进展情况 完成情况 状态 进展 进度 工作进展 目前进展 推进情况 落实情况 办理情况 当前进展 办理进展 整改情况 progress status"},
	{field: Outcome, names: "成效 工作成效 取得成效 实施成效 办理结果 成果 outcome"},
	{field: Phone, names: "监督电话 phone"},
	{field: Phone, weak: true, names: "联系电话 电话 联系方式 咨询电话 手机"},
	{field: Remark, names: "备注 说明 note remark"},
	{field: Plan, names: "里程碑 milestones"},
	{field: Remark, weak: true, names: "原因 未完成原因 未办结原因 存在问题"},
}

// shapes recognise headers by their form, after no alias fits. "实际完成时间" is an outcome and not a deadline,
// so what has already happened is kept out.
var shapes = []struct {
	field   Field
	pattern *regexp.Regexp
}{
	{"", regexp.MustCompile(`^(?:实际|已)`)},
	{Due, regexp.MustCompile(`(?:完成|办结|办理|整改|销号|截止|计划|预计).{0,4}(?:时限|期限|时间|日期)$|时限$`)},
	{Phone, regexp.MustCompile(`电话$`)},
	{Sponsor, regexp.MustCompile(`领导$`)},
	{Assisting, regexp.MustCompile(`(?:配合|协办|协助|协同|参与).*(?:单位|部门|科室)$`)},
	{Unit, regexp.MustCompile(`(?:牵头|责任|主办|承办|主责|实施).*(?:单位|部门|科室|处室|支部)$`)},
	{Owner, regexp.MustCompile(`(?:负责人|责任人|承办人)$`)},
	{Progress, regexp.MustCompile(`(?:进展|进度|完成|推进|落实|办理|检查).*情况$|进度|进展`)},
	{Target, regexp.MustCompile(`目标$|预期成[效果]$`)},
	{Outcome, regexp.MustCompile(`成效$`)},
	{Measures, regexp.MustCompile(`举措$|措施$|实施计划$`)},
	// The heading above a table ("2022年十件民生实事") has the same form, but speaks of a year.
	{Title, regexp.MustCompile(`^[^年\d]*(?:(?:项目|事项|任务|工程|实事|课题)名称|(?:实事|督办|民生|重点)(?:项目|事项|任务)|民生实事)$`)},
	{Remark, regexp.MustCompile(`原因$|^备注`)},
}

// ours marks a ledger that was taken out of the product, and reckoned are the columns in it that the product computes: they
// are not taken over, because the items that an import makes have states of their own.
var (
	ours     = []string{"台账编号", "ledgercode"}
	reckoned = strings.Fields("台账编号 事项类型 原定时限 延期次数 当前阶段 亮灯 完成比例 满意率 销号日期 曾逾期 对账结果 " +
		"ledgercode kind originaldeadline extensions stage light percent satisfaction closedout wasoverdue reckoned")
)

// guess is what a header may mean; rank 1 is the surest, 0 means nothing.
type guess struct {
	field, fallback Field
	rank            int
}

var known = func() map[string]guess {
	m := map[string]guess{}
	for _, a := range aliases {
		rank := 1
		if a.weak {
			rank = 2
		}
		for name := range strings.FieldsSeq(a.names) {
			m[name] = guess{a.field, a.fallback, rank}
		}
	}
	return m
}()

var parenthesis = regexp.MustCompile(`[(\[【〔].*?[)\]】〕]`)

// FieldOf is the field that a header means by itself, "" for none.
func FieldOf(header string) Field { return recognise(header).field }

// recognise guesses the field of a header.
func recognise(header string) guess {
	if utf8.RuneCountInString(header) > 30 {
		return guess{}
	}
	h := strings.ToLower(strings.Trim(squeeze(header), ":*_"))
	if g, ok := known[h]; ok {
		return g
	}
	if bare := parenthesis.ReplaceAllString(h, ""); bare != "" {
		h = bare
	}
	if g, ok := known[h]; ok {
		return g
	}
	for i, s := range shapes {
		switch {
		case !s.pattern.MatchString(h):
		case i == 0:
			return guess{}
		default:
			return guess{field: s.field, rank: 3}
		}
	}
	return guess{}
}

// header is the header that was found: row is the index in the table's rows, body the first index after it.
type header struct {
	row, body int
	texts     []string
}

// findHeader returns the row with the most recognised fields among the first ones; a title must be among them.
// Headers of two rows count as one: a cell merged over both is seen in both.
func findHeader(t *table) (header, bool) {
	n := min(headerRows, len(t.rows))
	seen := t.spread(n)
	best, most := -1, 0
	for i := range n {
		fields := map[Field]bool{}
		for _, text := range seen[i] {
			if g := recognise(text); g.rank > 0 {
				fields[g.field] = true
			}
		}
		if fields[Title] && len(fields) > most {
			best, most = i, len(fields)
		}
	}
	if best < 0 {
		return header{}, false
	}
	return t.headerAt(best), true
}

// headerDepth is how many rows a head may have.
const headerDepth = 4

// headerAt is the header that begins at a row of the table.
func (t *table) headerAt(i int) header {
	n := min(i+headerDepth, len(t.rows))
	seen := t.spread(n)
	h := header{row: i, body: i + 1, texts: seen[i]}
	// Cells merged downwards from the header row show that it has more rows: 进展情况 over 上半年 and 下半年.
	bottom := t.rows[i].number
	for _, m := range t.merges {
		if m.top <= t.rows[i].number && t.rows[i].number < m.bottom && m.bottom-m.top < headerDepth {
			bottom = max(bottom, m.bottom)
		}
	}
	for ; h.body < n && t.rows[h.body].number <= bottom; h.body++ {
		for c, sub := range seen[h.body] {
			for len(h.texts) <= c {
				h.texts = append(h.texts, "")
			}
			switch top := h.texts[c]; {
			case sub == "" || sub == top:
			case top == "":
				h.texts[c] = sub
			default:
				h.texts[c] = top + "/" + sub
			}
		}
	}
	return h
}

// noHeader tells what was seen where a header was looked for, and what would have been understood.
func noHeader(t *table) error {
	var widest gridRow
	for _, r := range t.rows[:min(headerRows, len(t.rows))] {
		if r.filled() > widest.filled() {
			widest = r
		}
	}
	var seen []string
	for _, c := range widest.cells {
		if c != "" && len(seen) < 20 {
			seen = append(seen, message.Short(oneLine(c)))
		}
	}
	expected := []string{"事项名称", "实事项目", "项目名称", "任务", "民生实事", "督办事项"}
	return fail(KeyNoHeader, widest.number, "seen", seen, "expected", expected)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func unnamed(index int) string { return fmt.Sprintf("第%d列", index+1) }

// label lists the columns, each with a label that tells it apart. A column without a header and without a text is none.
func (f *found) label() {
	texts, row := f.head.texts, f.rows[f.head.row].number
	for _, r := range f.rows[f.head.body:] {
		for len(texts) < len(r.cells) {
			texts = append(texts, "")
		}
	}
	f.head.texts = texts
	labels := map[string]bool{}
	for i, text := range texts {
		text = oneLine(text)
		if text == "" {
			if !slices.ContainsFunc(f.rows[f.head.body:], func(r gridRow) bool { return r.at(i) != "" }) {
				continue
			}
			text = unnamed(i)
			f.note(row, text, KeyUnnamedColumn)
		}
		if labels[text] {
			text = fmt.Sprintf("%s（%s）", text, unnamed(i))
		}
		labels[text] = true
		f.columns = append(f.columns, Column{Index: i, Header: text})
	}
}

func (f *found) note(row int, column, key string, args ...any) {
	f.notes = append(f.notes, Problem{Row: row, Column: column, Key: key, Args: message.Args(args...)})
}

// assign says what each column is: as the mapping has it, else as the headers say.
func (f *found) assign() {
	if f.mapping == nil {
		f.guess()
		return
	}
	row := f.rows[f.head.row].number
	for i := range f.columns {
		col := &f.columns[i]
		c, ok := f.mapping.find(col.Index, col.Header)
		switch {
		case !ok:
			col.Why = WhyUnknown
			f.note(row, col.Header, KeyUnmapped)
			continue
		case f.known:
			col.Why = WhyRemembered
		case c.Why == "":
			col.Why = WhyGiven
		default:
			col.Why = c.Why
		}
		switch c.Field {
		case Keep:
		case Ignore:
			col.Ignored = true
		default:
			col.Field = c.Field
		}
	}
}

// guess assigns fields by the headers' texts: the surest headers first, each field once.
func (f *found) guess() {
	row := f.rows[f.head.row].number
	taken := map[Field]string{}
	guesses := make([]guess, len(f.columns))
	own := slices.ContainsFunc(f.columns, func(c Column) bool { return slices.Contains(ours, strings.ToLower(squeeze(c.Header))) })
	for i := range f.columns {
		col := &f.columns[i]
		switch text := oneLine(f.head.texts[col.Index]); {
		case text == "":
			col.Why = WhyUnnamed
		case own && slices.Contains(reckoned, strings.ToLower(squeeze(text))):
			col.Ignored, col.Why = true, WhyName
		default:
			guesses[i], col.Why = recognise(text), WhyUnknown
		}
	}
	for rank := 1; rank <= 3; rank++ {
		for i, g := range guesses {
			if g.rank != rank {
				continue
			}
			col := &f.columns[i]
			switch first, dup := taken[g.field]; {
			case !dup:
				col.Field, col.Why = g.field, []Why{WhyName, WhyWeak, WhyForm}[rank-1]
			case g.fallback != "" && taken[g.fallback] == "" && !claimed(guesses, g.fallback):
				col.Field, col.Why = g.fallback, WhyInstead
			default:
				col.Why = WhyTaken
				f.note(row, col.Header, KeyDuplicateColumn, "first", first)
				f.notes[len(f.notes)-1].Text = message.Short(col.Header)
				continue
			}
			taken[col.Field] = col.Header
		}
	}
}

// claimed reports whether some header means the field in its own right.
func claimed(guesses []guess, f Field) bool {
	return slices.ContainsFunc(guesses, func(g guess) bool { return g.field == f })
}
