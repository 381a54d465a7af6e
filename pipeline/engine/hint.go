package engine

import (
	"errors"
	"strings"

	"dagger.io/dagger"
)

// hints are what to try where a step that fetches modules fails, by what Go and
// Git say then. The first that fits is given.
var hints = []struct {
	said []string
	hint string
}{
	{[]string{"certificate signed by unknown authority", "certificate verification failed", "SSL certificate problem"},
		"the toolchain does not know who vouches for the host; give one (--toolchain, --toolchain-tarball) that has the certificate, and names it by SSL_CERT_FILE and GIT_SSL_CAINFO"},
	{[]string{"Permission denied (publickey"},
		"the agent behind SSH (--ssh) has no key that the host takes; ssh-add -l lists what it has"},
	{[]string{"cannot run ssh"},
		"the toolchain has no ssh; give one (--toolchain, --toolchain-tarball) that has it, or NetRC (--netrc) in place of SSH (--ssh)"},
	{[]string{`"git": executable file not found`},
		"the toolchain has no git, which fetches what GoPrivate (--go-private) names; give one (--toolchain, --toolchain-tarball) that has it"},
	{[]string{"terminal prompts disabled", "could not read Username", "Authentication failed", "401 Unauthorized", "403 Forbidden", "400 Bad Request", "404 Not Found", "410 Gone"},
		"a module that is not public wants GoPrivate (--go-private), and a login for its host or for the proxy that has it: NetRC (--netrc), or SSH (--ssh)"},
	{[]string{"no such host", "Could not resolve host", "connection refused", "Connection refused", "i/o timeout", "timed out", "unreachable", "proxyconnect"},
		"say how modules are reached where the engine has no way to them: GoProxy (--go-proxy), GoProxyService (--go-proxy-service), or HTTPProxy (--http-proxy)"},
}

// plainly is the error of a step that fails, those that fetch and that compile
// temper itself: what was said, and a hint, in place of an exit code. The error is
// a fresh one, for Dagger shows the innermost of a chain.
func plainly(err error) error {
	var failed *dagger.ExecError
	if !errors.As(err, &failed) || strings.TrimSpace(failed.Stderr) == "" {
		return err
	}
	said := strings.TrimSpace(failed.Stderr)
	if len(failed.Cmd) > 0 && failed.Cmd[0] != command {
		said = strings.Join(failed.Cmd, " ") + ": " + said
	}
	for _, h := range hints {
		for _, part := range h.said {
			if strings.Contains(said, part) {
				return errors.New(said + "\nhint: " + h.hint)
			}
		}
	}
	return errors.New(said)
}
