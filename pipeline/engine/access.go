package engine

import (
	"fmt"
	"slices"
	"strings"

	"dagger.io/dagger"
)

// Access is how modules are reached that are not public. It goes to the step
// that fetches them and to no other: what compiles has no network to use it on.
// The zero value is what Go does by itself.
type Access struct {
	// GoProxy is GOPROXY for fetching modules and toolchains; empty is Go's own.
	GoProxy string
	// GoPrivate is GOPRIVATE: patterns of module paths, separated by commas,
	// that are fetched from their repositories and not looked up in the checksum
	// database.
	GoPrivate string
	// NetRC is a .netrc with the credentials for HTTPS.
	NetRC *dagger.Secret
	// SSH is an agent's socket. With it, the hosts of GoPrivate are reached by
	// ssh as user git. Their keys are taken as they come: go.sum says whether
	// what they serve is what it was.
	SSH *dagger.Socket
	// HTTPProxy is the proxy for HTTP and HTTPS, as in HTTPS_PROXY, and NoProxy
	// the hosts that it is not for. A proxy with a password in its address
	// belongs into the engine's own configuration.
	HTTPProxy, NoProxy string
}

// Where credentials stand in the container that fetches.
const (
	netrcFile = "/run/temper/netrc"
	sshSocket = "/run/temper/ssh"
)

// in gives a container the access. Credentials are mounted for its steps and
// stay out of its files.
func (a Access) in(c *dagger.Container) *dagger.Container {
	c = a.public(c)
	if a.GoPrivate != "" {
		c = c.WithEnvVariable("GOPRIVATE", a.GoPrivate)
	}
	if a.NetRC != nil {
		c = c.WithMountedSecret(netrcFile, a.NetRC).WithEnvVariable("NETRC", netrcFile)
	}
	if a.SSH != nil {
		c = c.WithUnixSocket(sshSocket, a.SSH).
			WithEnvVariable("SSH_AUTH_SOCK", sshSocket).
			WithEnvVariable("GIT_SSH_COMMAND", "ssh -o StrictHostKeyChecking=accept-new")
		hosts := privateHosts(a.GoPrivate)
		for i, host := range hosts {
			c = c.WithEnvVariable(fmt.Sprintf("GIT_CONFIG_KEY_%d", i), "url.ssh://git@"+host+"/.insteadOf").
				WithEnvVariable(fmt.Sprintf("GIT_CONFIG_VALUE_%d", i), "https://"+host+"/")
		}
		if len(hosts) > 0 {
			c = c.WithEnvVariable("GIT_CONFIG_COUNT", fmt.Sprint(len(hosts)))
		}
	}
	return c
}

// public gives a container the part of the access that is no secret and that
// every fetch needs.
func (a Access) public(c *dagger.Container) *dagger.Container {
	for _, v := range []struct{ name, value string }{
		{"GOPROXY", a.GoProxy}, {"HTTP_PROXY", a.HTTPProxy}, {"HTTPS_PROXY", a.HTTPProxy}, {"NO_PROXY", a.NoProxy},
	} {
		if v.value != "" {
			c = c.WithEnvVariable(v.name, v.value)
		}
	}
	return c
}

// privateHosts are the hosts of GOPRIVATE's patterns, as far as they are
// written out.
func privateHosts(patterns string) []string {
	var hosts []string
	for pattern := range strings.SplitSeq(patterns, ",") {
		host, _, _ := strings.Cut(strings.TrimSpace(pattern), "/")
		if strings.Contains(host, ".") && !strings.ContainsAny(host, `*?[\`) && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
