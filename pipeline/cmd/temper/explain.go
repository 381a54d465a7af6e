package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"temper/checks"
	"temper/checks/images"
	"temper/checks/probes"
	"temper/checks/sources"
	"temper/checks/workloads"
)

// rules are all rules that Temper knows, by name.
func rules() []checks.Rule {
	all := slices.Concat(images.AllRules(), sources.AllRules(), probes.AllRules(), workloads.AllRules(), workloads.AllImageRules())
	slices.SortStableFunc(all, func(a, b checks.Rule) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func ruleNames() []string { return namesOf(rules()) }

func namesOf(rules []checks.Rule) []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.Name)
	}
	return names
}

func newExplain(p *person) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain [RULE]",
		Short: "What a rule wants, why, and how to comply",
		Long: `Without a name explain lists the rules; with one it tells what the rule wants,
why, how to comply, and the source it is taken from, and shows manifests that pass
and that do not.`,
		Args: atMost(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return ruleNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			list := rules()
			if len(args) == 1 {
				i := slices.IndexFunc(list, func(r checks.Rule) bool { return r.Name == args[0] })
				if i < 0 {
					return usagef("there is no rule %q", args[0]).hint("temper explain")
				}
				list = list[i : i+1]
			}
			if asJSON {
				return p.json(explained(list))
			}
			if len(args) == 1 {
				return explainOne(p.out, list[0])
			}
			for _, r := range list {
				fmt.Fprintf(p.out, "%-23s  %-7s  %s\n", r.Name, r.Severity, r.Title())
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object")
	return cmd
}

func explainOne(w io.Writer, r checks.Rule) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s\n\nsource: %s\n", r.Name, r.Severity, r.Doc, r.Source)
	for _, e := range []struct{ what, text string }{{"passes", r.Good}, {"does not pass", r.Bad}} {
		if e.text != "" {
			fmt.Fprintf(&b, "\n%s:\n\n", e.what)
			for line := range strings.Lines(e.text) {
				b.WriteString("    " + line)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func explained(list []checks.Rule) any {
	type rule struct {
		Name     string          `json:"name"`
		Severity checks.Severity `json:"severity"`
		Title    string          `json:"title"`
		Doc      string          `json:"doc"`
		Source   string          `json:"source"`
		Good     string          `json:"good,omitempty"`
		Bad      string          `json:"bad,omitempty"`
	}
	out := struct {
		Rules []rule `json:"rules"`
	}{}
	for _, r := range list {
		out.Rules = append(out.Rules, rule{r.Name, r.Severity, r.Title(), r.Doc, r.Source, r.Good, r.Bad})
	}
	return out
}
