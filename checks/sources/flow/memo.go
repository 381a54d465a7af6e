package flow

import (
	"go/ast"
	"slices"
	"sync"
)

// A memo holds what an index was asked before. Some drivers run several analyzers at once
// that ask the same index.
type memo struct {
	sync.Mutex
	known   map[Value][]Value
	entered map[entry]entered
}

func newMemo() *memo {
	return &memo{known: make(map[Value][]Value), entered: make(map[entry]entered)}
}

// Apart is the same index with a memo of its own. How far a way back goes depends on what
// is known already, so that whoever asks an index of its own gets the same answers whatever
// others have asked before, or are asking meanwhile.
func (x *Index) Apart() *Index {
	own := *x
	own.memo = newMemo()
	return &own
}

// An entry is a call in a frame, and entered is what it may run.
type (
	entry struct {
		call *ast.CallExpr
		in   *Frame
	}
	entered struct {
		bodies []Body
		all    bool
	}
)

// origins are those of a value, if they are known.
func (m *memo) origins(v Value) ([]Value, bool) {
	m.Lock()
	defer m.Unlock()
	found, ok := m.known[v]
	return found, ok
}

func (m *memo) keep(v Value, origins []Value) {
	m.Lock()
	defer m.Unlock()
	m.known[v] = origins
}

// bodies are what a call runs, if it was entered before, and else what run returns, which
// is kept if last is true. A frame is then the same one whenever the call is entered, so
// that what is known of values in it is found again.
func (m *memo) bodies(at entry, last bool, run func() ([]Body, bool)) ([]Body, bool) {
	m.Lock()
	e, ok := m.entered[at]
	m.Unlock()
	if ok {
		return e.bodies, e.all
	}
	e.bodies, e.all = run()
	if last {
		e.bodies = slices.Clip(e.bodies) // callers may add to what they get
		m.Lock()
		defer m.Unlock()
		m.entered[at] = e
	}
	return e.bodies, e.all
}
