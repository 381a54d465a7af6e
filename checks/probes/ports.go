package probes

import (
	"slices"

	"temper/checks"
)

var ports = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-ports",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
		Doc: `the service listens on the ports that it declares, and on no other

A port that nobody declared is in no manifest and in no network policy, and whoever
reaches the pod reaches it: a debugger's agent, metrics, a library's own server.

Declare it in temper.yaml (ports), or do not listen there. What listens on the
loopback alone is not counted.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		for _, port := range r.Open {
			if port != r.Port && !slices.Contains(r.Ports, port) {
				p.Reportf("ports", "it listens on port %d, which is not declared", port)
			}
		}
		return nil
	},
}
