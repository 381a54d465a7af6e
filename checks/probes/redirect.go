package probes

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"temper/checks"
)

var redirect = &checks.Check[*Running]{
	Rule: checks.Rule{
		Name:     "probe-redirect",
		Severity: checks.Error,
		Source:   "https://cheatsheetseries.owasp.org/cheatsheets/Unvalidated_Redirects_and_Forwards_Cheat_Sheet.html",
		Doc: `no redirect leads where the request wishes

A link to this site that ends at another one lends it this site's name: people and
mail filters trust it, and a login hands its token to a stranger.

Redirect to constants, or look the wish up in a list. A check for a leading slash
is none: //stranger.invalid and /\stranger.invalid are other sites to a browser.
The probe asks the declared paths (probe: {paths} in temper.yaml) and those that
usually redirect.`,
	},
	Run: func(r *Running, p *checks.Pass) error {
		for _, a := range r.Wishes {
			for _, name := range []string{"Location", "Refresh", "Content-Location"} {
				if leaves(a.Header.Get(name)) {
					p.Reportf(a.Asked, "the answer's %s leads to %s", name, stranger)
				}
			}
		}
		return nil
	},
}

// wishing are the names that redirects are wished by.
var wishing = []string{
	"to", "next", "url", "uri", "redirect", "redirect_uri", "redirect_url", "redirectTo", "return", "return_to", "returnTo", "return_url",
	"continue", "dest", "destination", "goto", "target", "out", "link", "r", "u", "back", "ref", "referer", "service", "callback",
}

// usual are the paths that often redirect.
var usual = []string{"/", "/login", "/logout", "/signin", "/go", "/redirect", "/out", "/auth", "/oauth/authorize", "/sso"}

func (a *asker) wishes(ctx context.Context) []Answer {
	if len(a.Paths) == 0 {
		return nil
	}
	var answers []Answer
	ask := func(asked, target string, header ...string) {
		answer := a.get(ctx, request{target: target, host: a.Host, header: header})
		answer.Asked = asked
		answers = append(answers, answer)
	}
	targets := slices.Clone(a.Paths)
	for _, path := range usual {
		if !slices.Contains(targets, path) {
			targets = append(targets, path)
		}
	}
	for _, wish := range []string{"https://" + stranger + "/", "//" + stranger + "/", `/\` + stranger + "/"} {
		query := make(url.Values)
		for _, name := range wishing {
			query.Set(name, wish)
		}
		for _, path := range targets {
			mark := "?"
			if strings.Contains(path, "?") {
				mark = "&"
			}
			ask("GET "+path+mark+"...="+wish, path+mark+query.Encode(), "Referer: https://"+stranger+"/")
		}
	}
	// What cleans a path may make it a name.
	for _, target := range []string{"//" + stranger + "/..", "//" + stranger + "/%2e%2e/", "/%5c" + stranger, "/%2f" + stranger + "/.."} {
		ask("GET "+target, target)
	}
	for _, path := range a.Paths {
		ask("GET "+path+" with X-Forwarded-Host", path, "X-Forwarded-Host: "+stranger, "X-Forwarded-Proto: https")
	}
	return answers
}

// leaves tells whether a browser that is sent there ends at the stranger's.
func leaves(location string) bool {
	// Refresh has the address after "url=".
	if _, after, found := strings.Cut(strings.ToLower(location), "url="); found {
		location = after
	}
	// To a browser a backslash is a slash, and spaces before it are nothing.
	location = strings.TrimSpace(strings.ReplaceAll(location, `\`, "/"))
	u, err := url.Parse(location)
	return err == nil && strings.EqualFold(u.Hostname(), stranger)
}
