// Package engine is the closed loop: a project (实事项目, 书记项目 or a site's own kind) is a finite-state machine
// that steps through 谋划 → 部署 → 推进 → 跟踪 → 反馈 → 达效 and is then 销号.
//
//	          submit          approve (four eyes)
//	owner ───────────▶ Request ───────────▶ next Stage ──▶ … ──▶ 已销号
//	                      │ return / withdraw
//	                      ▼
//	                 same or earlier stage          clock: overdue, rungs, automatic transitions
//
// A Workflow says which Transition leads where, who may ask, who approves and what is required. A Command is
// someone, or the clock, asking for something. The pure function decide gives a Change: the project as it shall
// be, one audit entry, and the reminders owed. The Store writes a Change whole or not at all, and nothing else
// writes.
//
// What always holds:
//
//   - No entry, no change: every change of every thing is one entry in the same transaction.
//   - A project's stored state equals the fold of its entries; its Version is the seq of the newest one.
//   - Nobody approves what they submitted, and nobody judges their own work.
//   - The clock is level-triggered: what it owes is computed from stored facts, so a late or doubled tick changes
//     nothing but the delay, and every rung is recorded once.
//   - A date that depends on a year without a holiday list says so.
//
// The package imports no database and no web framework; a test proves it.
package engine
