// Package score computes what a unit's work of a period is worth (考核), by a sheet that people can read and from the
// trail alone: the entries of the projects and of the units up to a moment, and nothing that stands in a row today.
// So whoever has the entries gets the same figures, for any past date, and every point names the entries behind it.
//
// A Sheet says what counts for how much. Read folds the entries into a Book, which says what happened in the period
// whatever a sheet makes of it; Book.Score applies a sheet. Several sheets applied to one book can be compared.
//
// What must always hold: the points of a unit's lines, the base among them, add up to its total; every line but the
// base has an entry; the order in which subjects are read changes nothing; entries after the moment change nothing.
package score
