package sources

import (
	"context"
	"slices"

	"temper/checks"
	"temper/checks/sources/handlers"
)

// A HostCheck is what the servers of a program do with the Host of a request, for rules
// about who asks them: a kubelet asks by the address of a pod.
type HostCheck struct {
	// Checked tells that some server refuses strange hosts, and Undecided that it cannot
	// be told of some server.
	Checked, Undecided bool
	// Paths are the constant paths that are answered whatever the host is.
	Paths []string
}

// HostCheckOf tells what the servers of programs do with the Host of a request.
func HostCheckOf(ctx context.Context, memory *Memory, programs ...*Program) (HostCheck, error) {
	found, err := Analyze(ctx, []*Code{hostPaths}, memory, programs...)
	if err != nil {
		return HostCheck{}, err
	}
	var out HostCheck
	for _, d := range found {
		switch d.Category {
		case hostChecked:
			out.Checked = true
		case Undecided:
			out.Undecided = true
		case hostPath:
			out.Paths = append(out.Paths, d.Message)
		}
	}
	slices.Sort(out.Paths)
	out.Paths = slices.Compact(out.Paths)
	return out, nil
}

// The categories of what hostPaths says.
const hostChecked, hostPath = "host-checked", "host-path"

// hostPaths says which servers look at the host, and which paths they answer before.
// It is no rule: nothing that it says is a finding.
var hostPaths = code(checks.Rule{Name: "host-paths", Doc: "what is answered whatever the host is"}, func(p *pass) {
	say := func(s servedHandler, category, message string) {
		d := p.diagnostic(s.at, "", "%s", message)
		d.Category = category
		p.Report(d)
	}
	for _, s := range p.ResultOf[served].(*servedSet).all {
		switch s.Host.Level {
		case handlers.Held:
			say(s, hostChecked, s.made)
		case handlers.Unknown:
			p.undecided(s.at, "%s", s.Host.Why)
		}
		for _, path := range s.paths {
			say(s, hostPath, path)
		}
	}
}, served)
