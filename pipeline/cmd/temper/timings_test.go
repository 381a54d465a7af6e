package main

import (
	"strings"
	"testing"
)

// A bar shows when a step was, by what most of each character's time went into.
func TestTimings(t *testing.T) {
	took := &timings{Seconds: 4, rows: []timedRow{
		{name: "all", steps: []timedStep{{Step: "find services", Seconds: 1}}},
		{name: "orders", steps: []timedStep{
			{Service: "orders", Step: "wait", Began: 1, Seconds: 0.5},
			{Service: "orders", Step: "compile", Began: 1.5, Seconds: 1.5},
			{Service: "orders", Step: "check the code", Began: 3, Seconds: 0.5},
			{Service: "orders", Step: "check the image", Began: 3, Seconds: 0.001},
		}, why: []string{"a has changed", "b has changed", "c has changed", "d has changed", "e has changed", "f is gone"}},
	}}
	var bars, plain strings.Builder
	took.write(&bars, true)
	took.write(&plain, false)
	if want := `4.00 s, as wide as a bar: █ compiling ▓ checking ▒ the rest ░ waiting for a core
  all     |▒▒▒▒▒▒▒▒▒▒                              |  find services 1.00
  orders  |          ░░░░░███████████████▓▓▓▓▓     |  compile 1.50, wait 0.50, check the code 0.50
          compiled, because a has changed, b has changed, c has changed, d has changed, and 2 more
`; bars.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &bars, want)
	}
	if want := `4.00 s
  all     find services 1.00
  orders  compile 1.50, wait 0.50, check the code 0.50
          compiled, because a has changed, b has changed, c has changed, d has changed, and 2 more
`; plain.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &plain, want)
	}
}
