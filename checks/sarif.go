package checks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// WriteSARIF writes reports as SARIF 2.1.0, the subset of it that code scanning
// reads: the version of the tool, all the rules, and a result for each finding,
// once for all the platforms that it was found on. What is waived or in the
// baseline is there and suppressed; notices are notifications.
//
// An image has no lines. Where returns the file of a source tree that stands for
// a subject, relative to the tree and with slashes, and results point at its
// first line; the logical location is the place in the image. Without a file,
// when where returns nothing, the image's name stands in for it: code scanning
// wants a relative URI, not a file that is there.
//
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
// https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
func WriteSARIF(w io.Writer, version string, rules []Rule, reports []*Report, where func(Subject) Origin) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "temper", Version: version, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: true, Notifications: []sarifNotification{}}},
		Results:     []sarifResult{},
	}
	for _, r := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, describeRule(r))
	}
	told := &run.Invocations[0].Notifications
	for _, r := range reports {
		origin := where(r.Subject)
		for _, g := range ByPlatform(r.Findings) {
			i := slices.IndexFunc(rules, func(rule Rule) bool { return rule.Name == g.Rule })
			if i < 0 {
				return fmt.Errorf("writing SARIF: nothing describes the rule %s", g.Rule)
			}
			run.Results = append(run.Results, result(r, g, i, origin))
		}
		for _, n := range r.Notices {
			about := slices.DeleteFunc([]string{r.Subject.Name, n.Rule, n.Place, n.Message}, func(s string) bool { return s == "" })
			one := sarifNotification{Level: "warning", Message: sarifMessage{Text: strings.Join(about, ": ")}}
			one.Descriptor.ID = string(n.Kind)
			*told = append(*told, one)
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

func describeRule(r Rule) sarifRule {
	_, why, _ := strings.Cut(r.Doc, "\n")
	why = strings.TrimSpace(why)
	if why == "" {
		why = r.Title()
	}
	help := sarifMessage{Text: why, Markdown: markdown(why)}
	if why != r.Title() {
		help.Markdown = "**" + markdown(r.Title()) + "**\n\n" + help.Markdown
	}
	if r.Source != "" {
		help.Text += "\n\nsource: " + r.Source
		help.Markdown += "\n\nSource: <" + r.Source + ">"
	}
	return sarifRule{
		ID: r.Name, Short: sarifMessage{Text: r.Title()}, Full: sarifMessage{Text: why}, Help: help, HelpURI: r.Source,
		Default:    sarifLevel{level(r.Severity)},
		Properties: weigh(r.Severity),
	}
}

// weigh is what GitHub sorts, filters and blocks by: an error is of high
// severity, from 7.0 on, which fails a pull request unless it is told otherwise,
// and advice is of medium, from 4.0 on. It reads the score where the tags say
// security. What rules find are facts, and "very-high" is left to what nobody
// ever has to look at twice.
// https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#reportingdescriptor-object
func weigh(s Severity) sarifProperties {
	p := sarifProperties{Tags: []string{"security", "container"}, Precision: "high", Problem: "error", Score: "8.0"}
	if s == Warning {
		p.Problem, p.Score = "warning", "5.0"
	}
	return p
}

// markdown is a rule's text as such: its paragraphs, with what is quoted in them
// as code, where Markdown means nothing.
func markdown(text string) string {
	parts := strings.Split(text, `"`)
	if len(parts)%2 == 0 {
		return escapeMarkdown(text) // a quotation mark of its own
	}
	for i := range parts {
		if i%2 == 0 {
			parts[i] = escapeMarkdown(parts[i])
		} else {
			parts[i] = "`" + strings.ReplaceAll(parts[i], "`", "'") + "`"
		}
	}
	return strings.Join(parts, "")
}

// escapeMarkdown escapes what would be more than a letter.
var escapeMarkdown = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "<", `\<`, ">", `\>`, "[", `\[`, "]", `\]`, "#", `\#`, "|", `\|`, "~", `\~`).Replace

func result(r *Report, g *Shared, rule int, origin Origin) sarifResult {
	said := fmt.Sprintf("%s%s: %s: %s", r.Subject.Name, g.on(" "), g.Where(), g.Message)
	if len(g.Imports) > 0 {
		said += "\nimported: " + g.imported()
	}
	if g.Fix != "" {
		said += "\nfix: " + g.Fix
	}
	one := sarifResult{
		Rule: g.Rule, Index: rule, Level: level(g.Severity), Message: sarifMessage{Text: said},
		Locations: []sarifLocation{{
			Logical: []sarifLogical{{Name: g.Place, Full: r.Subject.Name + ": " + g.Place, Kind: "resource"}},
		}},
		// GitHub tells results apart by this one, and by the file and rule:
		// https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
		Fingerprints: map[string]string{"primaryLocationLineHash": r.fingerprint(g.Finding) + ":1"},
		// Null would mean that nobody knows, and either all results say or none.
		Suppressions: []sarifSuppression{},
	}
	at := &one.Locations[0].Physical
	from := origin.position(g.Finding)
	at.Artifact.URI, at.Region.Line, at.Region.Column = artifact(r.Subject, from.file), from.line, from.column
	switch {
	case g.IsWaived():
		kind := "external"
		if g.Waived.Source != "" {
			kind = "inSource"
		}
		one.Suppressions = append(one.Suppressions, sarifSuppression{kind, "accepted", g.Waived.String()})
	case g.Baseline:
		one.Suppressions = append(one.Suppressions, sarifSuppression{"external", "accepted", "in the baseline"})
	}
	return one
}

func level(s Severity) string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// fingerprint is the same for what a baseline holds to be the same.
func (r *Report) fingerprint(f Finding) string {
	k := r.known(f)
	sum := sha256.Sum256([]byte(strings.Join([]string{k.Subject, k.Rule, k.Place, k.Message}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// artifact is the relative URI of what stands for a subject.
func artifact(s Subject, path string) string {
	if path == "" {
		path = digests().ReplaceAllString(s.Name, "sha256")
	}
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part != "." && part != ".." {
			// A colon in the first part would end a scheme.
			parts = append(parts, strings.ReplaceAll(url.PathEscape(part), ":", "%3A"))
		}
	}
	return strings.Join(parts, "/")
}

// These are the few of SARIF's objects that we write.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Short   sarifMessage `json:"shortDescription"`
		Full    sarifMessage `json:"fullDescription"`
		Help    sarifMessage `json:"help"`
		HelpURI string       `json:"helpUri,omitempty"`
		Default sarifLevel   `json:"defaultConfiguration"`

		Properties sarifProperties `json:"properties"`
	}
	sarifProperties struct {
		Tags      []string `json:"tags"`
		Precision string   `json:"precision"`
		Problem   string   `json:"problem.severity"`
		Score     string   `json:"security-severity"`
	}
	sarifMessage struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolConfigurationNotifications"`
	}
	sarifNotification struct {
		Descriptor struct {
			ID string `json:"id"`
		} `json:"descriptor"`
		Level   string       `json:"level"`
		Message sarifMessage `json:"message"`
	}
	sarifResult struct {
		Rule         string             `json:"ruleId"`
		Index        int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifMessage       `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region struct {
				Line   int `json:"startLine"`
				Column int `json:"startColumn,omitempty"`
			} `json:"region"`
		} `json:"physicalLocation"`
		Logical []sarifLogical `json:"logicalLocations"`
	}
	sarifLogical struct {
		Name string `json:"name"`
		Full string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)
