package engine

import (
	"context"
	"strings"
	"testing"
)

// What Go says of a module that it does not get is the error, with what to try.
func TestHints(t *testing.T) {
	for said, hint := range map[string]string{
		"go: git.example.com/lib@v1.0.0: exit status 128:\n\tfatal: could not read Username for 'https://git.example.com': terminal prompts disabled\n": "--netrc",
		"go: git.example.com/lib@v1.0.0: reading https://proxy.example.com/git.example.com/lib/@v/v1.0.0.mod: 404 Not Found\n":                          "--go-private",
		"go: git.example.com/lib@v1.0.0: Get \"https://git.example.com\": tls: certificate signed by unknown authority\n":                               "SSL_CERT_FILE",
		"go: git.example.com/lib@v1.0.0: git@git.example.com: Permission denied (publickey).\n":                                                         "ssh-add",
		"go: git.example.com/lib@v1.0.0: exec: \"git\": executable file not found in $PATH\n":                                                           "has no git",
		"error: cannot run ssh: No such file or directory\n":                                                                                            "has no ssh",
		"go: git.example.com/lib@v1.0.0: dial tcp: lookup proxy.corp.local: no such host\n":                                                             "--go-proxy-service",
		"go: errors parsing go.mod:\ngo.mod:3: unknown directive: what\n":                                                                               "",
	} {
		p, e := pipeline(t, Options{})
		e.broken = said
		_, err := p.Services(context.Background())
		if err == nil || !strings.HasPrefix(err.Error(), strings.TrimSpace(said)) {
			t.Errorf("what go says is %q, and the error %v", said, err)
			continue
		}
		if _, given, _ := strings.Cut(err.Error(), "\nhint: "); !strings.Contains(given, hint) || (hint == "") != (given == "") {
			t.Errorf("of %q the hint is %q, want one of %q", said, given, hint)
		}
	}
}
