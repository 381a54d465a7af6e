// Package gosec holds Temper's rules about Go code against the samples that gosec
// keeps for its own rules: what gosec flags Temper flags, what gosec passes Temper
// passes, and where they differ the test says why.
//
// It is a module of its own, for what gosec requires is no business of Temper's.
package gosec
