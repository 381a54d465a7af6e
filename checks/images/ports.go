package images

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"temper/checks"
)

var lowPort = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "low-port",
		Severity: checks.Warning,
		Source:   "https://docs.kernel.org/networking/ip-sysctl.html",
		Doc: `the image exposes no port below 1024

To listen there a process needs cap_net_bind_service, or a host that sets
net.ipv4.ip_unprivileged_port_start: the image starts on one cluster and not on
the next, and the usual cure is a capability or root. It is a warning because
Docker, and containerd where it is set up so, allow every port.

Listen on a port from 1024 up, such as 8080; a Kubernetes service maps 80 to it.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		for _, port := range slices.Sorted(maps.Keys(img.Config.Config.ExposedPorts)) {
			number, _, _ := strings.Cut(port, "/")
			number, _, _ = strings.Cut(number, "-") // the lowest of a range
			switch n, err := strconv.ParseUint(number, 10, 16); {
			case err != nil:
				p.Reportf("config.ExposedPorts", "%q is no port", port)
			case n < 1024:
				p.Reportf("config.ExposedPorts", "%s is below 1024", port)
			}
		}
		return nil
	},
}
