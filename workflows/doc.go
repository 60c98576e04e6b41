// Package workflows turns definition files into engine.Workflow values, and shows them: as a diagram and as the
// differences between two versions.
//
// A definition is data that a site writes and everybody's work then depends on, so reading one is strict: a key
// that nobody knows, a reference to nothing, a rule that does not type-check is a mistake with file, line and a
// sentence, and every mistake of a file is reported at once. What loads is complete and bounded: no rule of it
// can loop, grow or look at the clock.
package workflows
