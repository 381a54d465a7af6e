package images

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"temper/checks"
)

var secret = &checks.Check[*Image]{
	Rule: checks.Rule{
		Name:     "secret",
		Severity: checks.Error,
		Source:   "https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html",
		Doc: `no layer and no setting of the image holds a private key or a credential

An image is read by everybody who may pull it, and by whoever finds a copy. What
a later layer deletes is still in it, and what a build step was given as an
argument stands in its history.

Keys are known by their content: what calls itself a private key must decode to
one. Credentials are known where their form leaves no doubt; other passwords are
not found. Inside of a Go program only private keys are looked for.

Give the service its secrets when it starts, as files of a Kubernetes Secret or
from a secret store; give a build step its own with RUN --mount=type=secret. A
secret that was in an image is known: revoke it.`,
	},
	Run: func(img *Image, p *checks.Pass) error {
		for i := range img.Entries {
			e := &img.Entries[i]
			for _, s := range e.secrets {
				p.Reportf(e.Place(), "%s", s)
			}
		}
		c := img.Config.Config
		for _, e := range c.Env {
			name, value, _ := strings.Cut(e, "=")
			place := "config.Env: " + name
			if !reportSecrets(p, place, value) && secretName.MatchString(name) && isSecretValue(value) {
				p.Reportf(place, "a variable of this name has a value")
			}
		}
		for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
			reportSecrets(p, "config.Labels: "+key, c.Labels[key])
		}
		reportSecrets(p, "config.Entrypoint", strings.Join(c.Entrypoint, "\n"))
		reportSecrets(p, "config.Cmd", strings.Join(c.Cmd, "\n"))
		reportSecrets(p, "config.OnBuild", strings.Join(c.OnBuild, "\n"))
		if c.Healthcheck != nil {
			reportSecrets(p, "config.Healthcheck", strings.Join(c.Healthcheck.Test, "\n"))
		}
		for i, h := range img.Config.History {
			reportSecrets(p, fmt.Sprintf("history %d", i), h.CreatedBy+"\n"+h.Comment)
		}
		return nil
	},
}

func reportSecrets(p *checks.Pass, place, text string) bool {
	f := &secretFinder{}
	s := newScanner(credentialNeedles, f.credential)
	s.Write([]byte(text))
	s.Flush()
	s.Close()
	for _, s := range f.all() {
		p.Reportf(place, "%s", s)
	}
	return len(f.found) > 0
}

// secretName is a variable whose value is a secret, and not where one lies.
var secretName = regexp.MustCompile(`(?i)(^|_)(password|passwd|passphrase|secret|token|api_?key|private_key|secret_key|access_key|credentials?)$`)

// isSecretValue tells a value from a switch, a number, a path and a hole to be
// filled.
func isSecretValue(v string) bool {
	switch strings.ToLower(v) {
	case "", "true", "false", "yes", "no", "on", "off", "none", "null":
		return false
	}
	return !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "file:") && !strings.ContainsAny(v, "${}<>") && strings.Trim(v, "0123456789.") != ""
}
