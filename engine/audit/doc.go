// Package audit holds the trail: what an entry is, byte for byte, how the entries of one subject hang together,
// and how anyone can check that nobody touched them since.
//
// # What must always hold
//
//   - An entry is its bytes. They are RFC 8785 (JCS) JSON, there is exactly one way to write an entry, and Parse
//     accepts no other: Parse(Bytes(e)) == e, and Bytes(Parse(b)) == b. Columns beside the bytes are a projection.
//   - The entries of a subject are numbered 1, 2, 3 … and each names the hash of the one before. The hash is
//     SHA-256(0x00 ‖ bytes), a leaf of RFC 6962, so that the same hash stands in the Merkle log.
//   - A subject's state is the fold of the RFC 7386 merge patches in its entries (member "set" of data), from {}.
//     States never contain null, because a merge patch cannot write one.
//   - The format is frozen: v is 1, and testdata/vectors.json fixes it by example. testdata/check.py recomputes
//     those examples with nothing of this package.
//
// # What the bytes may contain
//
// Members stand in the order of their UTF-16 code units without white space. Strings are valid UTF-8 without
// U+0000 (PostgreSQL cannot store it as text) and escape only what must be escaped. Numbers are integers within
// ±(2^53−1), which every JSON implementation reads exactly; fractions, exponents and -0 do not occur. Times are
// UTC with six decimals. Data nests at most 64 deep. Optional members are left out when empty; prev, seq, v and
// version are always present. An entry has at most MaxEntry bytes; what is larger goes in by digest.
//
// The package imports nothing of this project, so that a verifier can be built from it alone.
package audit
