package images

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"temper/checks"
	"temper/checks/pattern"
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
one. Credentials are known where their form leaves no doubt, in settings and
history also by the names of variables and flags; other passwords are not found.
Inside of a Go program only private keys are looked for.

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
		report := func(place string, found []string) {
			for _, s := range found {
				p.Reportf(place, "%s", s)
			}
		}
		for _, e := range c.Env {
			name, value, _ := strings.Cut(e, "=")
			report("config.Env: "+name, SecretsOfSetting("variable", name, value))
		}
		for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
			report("config.Labels: "+key, SecretsOfSetting("label", key, c.Labels[key]))
		}
		report("config.Entrypoint", SecretsOfCommand(c.Entrypoint))
		report("config.Cmd", SecretsOfCommand(c.Cmd))
		report("config.OnBuild", SecretsOfCommand(c.OnBuild))
		if c.Healthcheck != nil {
			report("config.Healthcheck", SecretsOfCommand(c.Healthcheck.Test))
		}
		for i, h := range img.Config.History {
			reportHistory(p, fmt.Sprintf("history %d", i), h.CreatedBy, h.Comment)
		}
		return nil
	},
}

// secretsIn says what in a text has the form of a secret.
func secretsIn(text string) []string {
	// What makes files fast takes longer to make than a word to look at.
	if slices.ContainsFunc(credentials, func(c credential) bool { return strings.Contains(text, c.needle) }) {
		f := &secretFinder{}
		s := newScanner(credentialNeedles(), f.credential)
		s.Write([]byte(text))
		s.Flush()
		s.Close()
		if len(f.found) > 0 {
			return f.all()
		}
	}
	if !strings.Contains(text, "://") {
		return nil
	}
	for _, m := range urlPassword().FindAllStringSubmatch(text, -1) {
		if isSecretValue(m[1]) && !placeholder(m[1]) {
			return []string{"it holds a URL with a password"}
		}
	}
	return nil
}

// SecretsOfSetting says what is secret of a setting, a label or a variable, that
// has a name: none of it where nothing is.
func SecretsOfSetting(kind, name, value string) []string {
	if found := secretsIn(value); found != nil {
		return found
	}
	if isSecret(name, value) {
		return []string{fmt.Sprintf("a %s of this name has a value", kind)}
	}
	return nil
}

// SecretsOfCommand says what is secret among the words of a command: --token=X,
// or --token and X.
func SecretsOfCommand(words []string) []string {
	if found := secretsIn(strings.Join(words, "\n")); found != nil {
		return found
	}
	var found []string
	for i, word := range words {
		flag, ok := strings.CutPrefix(word, "-")
		if !ok {
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(flag, "-"), "=")
		if !given && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			value = words[i+1]
		}
		if isSecret(name, value) {
			found = append(found, fmt.Sprintf("the flag %s has a value", printable(strings.TrimSuffix(word, "="+value))))
		}
	}
	return found
}

// reportHistory reports secrets of a build's step: of its text, and of the
// arguments and variables that it was given.
func reportHistory(p *checks.Pass, place, createdBy, comment string) {
	if found := secretsIn(createdBy + "\n" + comment); found != nil {
		for _, s := range found {
			p.Reportf(place, "%s", s)
		}
		return
	}
	m := stepSettings().FindStringSubmatch(createdBy)
	if m == nil {
		return
	}
	for _, s := range assignment().FindAllStringSubmatch(m[1]+m[2], -1) {
		if isSecret(s[1], strings.Trim(s[2], `"'`)) {
			p.Reportf(place, "the variable %s has a value", s[1])
		}
	}
}

var (
	// urlPassword is the part of a URL that the specification says to leave out.
	// https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1
	urlPassword = pattern.New(`[a-z][a-z0-9+.-]*://[^\s/:@"']*:([^\s/:@"']+)@[^\s/@"']`)
	// stepSettings matches the arguments that BuildKit and Docker write before a
	// step, and the instructions that set variables.
	stepSettings = pattern.New(`^(?:RUN )?\|[0-9]+ (.*?) ?/bin/|^(?:/bin/sh -c #\(nop\) +)?(?:ENV|ARG) (.*)`)
	assignment   = pattern.New(`([A-Za-z_][A-Za-z0-9_]*)=("[^"]*"|'[^']*'|\S*)`)
)

// secretName is a name whose value is a secret, and not where one lies.
var secretName = pattern.New(`(?i)(^|[_.-])(pgpassword|mysql_pwd|password|passwd|passphrase|pass|secret|token|pat|api[_-]?key|(private|secret|access|encryption|master|account)[_-]?key|secret_key_base|credentials?)$`)

func isSecret(name, value string) bool { return secretName().MatchString(name) && isSecretValue(value) }

// isSecretValue tells a value from a switch, a number, a path and a hole to be
// filled.
func isSecretValue(v string) bool {
	switch strings.ToLower(v) {
	case "", "true", "false", "yes", "no", "on", "off", "none", "null":
		return false
	}
	return !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "file:") && !hole().MatchString(v) && strings.Trim(v, "0123456789.") != ""
}

// hole matches what is filled in later: $NAME, ${NAME}, {{name}}, <name>, %s and
// stars. A password may hold any of these characters.
var hole = pattern.New(`^\$[A-Za-z_][A-Za-z0-9_]*$|\$\{[^}]*\}|\$\(|\{\{|^\{[^{}]*\}$|^<.*>$|^%[A-Za-z0-9_]+%?$|^\*+$`)
