// Package layout takes ledgers, lists and a unit's year out of the product in the layouts that offices use: as XLSX to be
// printed and sent round, or as CSV.
//
// A layout is data. The product brings one along for each of the three, as YAML; a site puts its own into a folder, as
// YAML or, better, as a workbook that the office designed: what stands in double braces, such as {{事项名称}}, is filled in,
// and the row that has the fields of items is repeated for each.
//
// What must always hold: an export holds what the person may read and nothing else; it is an entry of the trail before
// its first byte is there; rows are read page by page and written as they come; and the built-in layouts are read again
// by package ledger, column by column.
package layout
