package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"dagger.io/dagger"
)

// Access is how modules are reached that are not public, or where nothing
// public can be reached. It goes to the steps that fetch; of what is secret in
// it, only the netrc goes to another, the one that compiles temper itself. What
// compiles services sees none of it. The zero value is what Go does by itself.
type Access struct {
	// GoProxy is GOPROXY for fetching modules and toolchains; empty is Go's own.
	// A login has no place in it: NetRC has those of proxies too.
	GoProxy string
	// GoProxyService is a module proxy that runs on the engine or beside it.
	// Those steps know it as [GoProxyHost], and where GoProxy is empty it speaks
	// HTTP at port 80; [Access.WithGoProxyService] asks for its port. Nothing
	// else is asked for modules, unless GoProxy or GoPrivate says so.
	GoProxyService *dagger.Service
	// GoPrivate is GOPRIVATE: patterns of module paths, separated by commas,
	// that are fetched from their repositories and not looked up in the checksum
	// database.
	GoPrivate string
	// NetRC is a .netrc with the logins of hosts: Go's for a proxy of modules,
	// which it gives over HTTPS only, and Git's for repositories.
	NetRC *dagger.Secret
	// SSH is an agent's socket. With it, the hosts of GoPrivate are reached by
	// ssh as user git. Their keys are taken as they come: go.sum says whether
	// what they serve is what it was.
	SSH *dagger.Socket
	// HTTPProxy is the proxy for HTTP and HTTPS, as in HTTPS_PROXY, and NoProxy
	// the hosts that it is not for. One that wants a login belongs into the
	// engine's own configuration.
	HTTPProxy, NoProxy string
}

// GoProxyHost is the name of [Access.GoProxyService] for the steps that fetch.
const GoProxyHost = "goproxy"

// WithGoProxyService returns the access to modules through a service, at the
// first port that it exposes. A GoProxy that is set already stays.
func (a Access) WithGoProxyService(ctx context.Context, service *dagger.Service) (Access, error) {
	a.GoProxyService = service
	if a.GoProxy != "" {
		return a, nil
	}
	at, err := service.Endpoint(ctx)
	if err != nil {
		return a, fmt.Errorf("asking the service of modules for its port: %w", err)
	}
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		return a, fmt.Errorf("the service of modules says that it is at %q, which names no port", at)
	}
	a.GoProxy = "http://" + net.JoinHostPort(GoProxyHost, port)
	return a, nil
}

// Where credentials stand in the container that fetches.
const (
	netrcFile = "/run/temper/netrc"
	sshSocket = "/run/temper/ssh"
)

// in gives a container the access to everything that it names. Credentials are
// mounted for its steps and stay out of its files.
func (a Access) in(c *dagger.Container) *dagger.Container {
	c = a.proxied(c)
	if a.GoPrivate != "" {
		c = c.WithEnvVariable("GOPRIVATE", a.GoPrivate)
	}
	if a.NetRC != nil {
		// Git knows no variable for it, only the file at home.
		c = c.WithExec([]string{"sh", "-c", "ln -sf " + netrcFile + " ~/.netrc"})
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

// proxied gives a container the access to a proxy of modules, but not to
// anybody's repositories.
func (a Access) proxied(c *dagger.Container) *dagger.Container {
	if a.GoProxyService != nil {
		proxy := a.GoProxy
		if proxy == "" {
			proxy = "http://" + GoProxyHost
		}
		c = a.bound(c, GoProxyHost, a.GoProxyService).WithEnvVariable("GOPROXY", proxy)
	}
	if a.NetRC != nil {
		c = c.WithMountedSecret(netrcFile, a.NetRC).WithEnvVariable("NETRC", netrcFile)
	}
	return c
}

// public gives a container the part of the access that is no secret and that
// every step may have.
func (a Access) public(c *dagger.Container) *dagger.Container {
	goProxy := a.GoProxy
	if a.GoProxyService != nil {
		// Not for every step: what a service is bound to waits for it, and is
		// done again when it is another.
		goProxy = "off"
	}
	for _, v := range []struct{ name, value string }{
		{"GOPROXY", goProxy}, {"HTTP_PROXY", a.HTTPProxy}, {"HTTPS_PROXY", a.HTTPProxy}, {"NO_PROXY", a.NoProxy},
	} {
		if v.value != "" {
			c = c.WithEnvVariable(v.name, v.value)
		}
	}
	return c
}

// bound gives a container a service under a name, which no HTTP proxy knows.
func (a Access) bound(c *dagger.Container, host string, service *dagger.Service) *dagger.Container {
	c = c.WithServiceBinding(host, service)
	if a.HTTPProxy != "" {
		c = c.WithEnvVariable("NO_PROXY", strings.TrimPrefix(a.NoProxy+","+host, ","))
	}
	return c
}

// check refuses logins where everybody sees them: an engine shows variables
// and arguments in its traces.
func (a Access) check() error {
	for _, address := range strings.FieldsFunc(a.GoProxy, func(r rune) bool { return r == ',' || r == '|' }) {
		if hasLogin(address) {
			return errors.New("GoProxy (--go-proxy) has a login in it, which everybody sees; put it into NetRC (--netrc)")
		}
	}
	if hasLogin(a.HTTPProxy) {
		return errors.New("HTTPProxy (--http-proxy) has a login in it, which everybody sees; put the proxy into the engine's own configuration")
	}
	return nil
}

// hasLogin tells whether an address names a user, also if it is no good URL.
func hasLogin(address string) bool {
	if _, after, ok := strings.Cut(address, "://"); ok {
		address = after
	}
	authority, _, _ := strings.Cut(address, "/")
	return strings.Contains(authority, "@")
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
