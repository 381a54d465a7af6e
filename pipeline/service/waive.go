package service

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"temper/checks/pattern"
	"temper/pipeline/strict"
)

// A Waiver accepts a finding for a time.
type Waiver struct {
	// Rule is the name of a rule, Subject that of a service.
	Rule, Subject, Reason string
	// Expires is a day, YYYY-MM-DD; the waiver holds to the end of it, UTC.
	Expires string
}

// ReadWaivers reads the waivers of a temper.yaml, wherever the file lies and
// without the sources that it speaks of: what a release of finished images
// needs of it. The rules are as for [Load]. A subject has to be one of the
// services that the file names, if it names any.
func ReadWaivers(file string, rules ...string) ([]Waiver, error) {
	data, err := strict.Read(file)
	if err != nil {
		return nil, fmt.Errorf("reading waivers: %w", err)
	}
	d := decoding(rules...)
	var list []Waiver
	if root := d.Parse(data); root != nil {
		var names []string
		unread := func(*yaml.Node) {}
		d.Mapping(root, ConfigName, "waive: ["+waiverExample+"]", strict.Keys{
			"base": unread, "platforms": unread, "go": unread, "created": unread, "release": unread,
			"services": func(v *yaml.Node) { names = namesIn(v) },
			"waive":    func(v *yaml.Node) { list = d.waivers(v) },
		})
		if len(names) > 0 {
			d.known(names)
		}
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	return list, nil
}

// namesIn returns the names of services, and nothing of what is wrong there.
func namesIn(n *yaml.Node) []string {
	var names []string
	for _, item := range n.Content {
		item = strict.Resolve(item)
		for i := 0; item.Kind == yaml.MappingNode && i+1 < len(item.Content); i += 2 {
			if item.Content[i].Value == "name" {
				names = append(names, strict.Resolve(item.Content[i+1]).Value)
			}
		}
	}
	return names
}

const waiverExample = `{rule: shell, subject: orders, reason: "...", expires: 2027-03-01}`

func (d *decoder) waivers(n *yaml.Node) []Waiver {
	var all []Waiver
	lines := map[[2]string]int{}
	d.List(n, "waive", "["+waiverExample+"]", func(item *yaml.Node) {
		w := d.waiver(item)
		about := [2]string{w.Rule, w.Subject}
		if line, twice := lines[about]; twice && w.Rule != "" && w.Subject != "" {
			d.Wrong(item, "rule %q is waived twice for %q; the first is in line %d", w.Rule, w.Subject, line)
		} else {
			lines[about] = item.Line
		}
		all = append(all, w)
	})
	return all
}

func (d *decoder) waiver(n *yaml.Node) Waiver {
	var w Waiver
	given := map[string]bool{}
	field := func(key string, to *string, parse func(string) (string, error)) func(*yaml.Node) {
		return func(v *yaml.Node) {
			given[key] = true
			*to = strict.Value(&d.Decoder, v, key, parse)
		}
	}
	subject := field("subject", &w.Subject, strict.About("subject", strict.Something))
	d.Item(n, "a waiver", waiverExample, strict.Keys{
		"rule": field("rule", &w.Rule, strict.About("rule", d.knownRule)),
		"subject": func(v *yaml.Node) {
			if subject(v); w.Subject != "" {
				d.subjects = append(d.subjects, v)
			}
		},
		"reason":  field("reason", &w.Reason, strict.About("reason", strict.Something)),
		"expires": field("expires", &w.Expires, parseExpires),
	})
	if n.Kind != yaml.MappingNode {
		return w
	}
	for _, key := range []string{"rule", "subject", "reason", "expires"} {
		if !given[key] {
			d.Wrong(n, "a waiver needs %s, as in %s", key, waiverExample)
		}
	}
	return w
}

// knownRule takes the name of a rule that the decoder knows, or any where it
// knows none.
func (d *decoder) knownRule(text string) (string, error) {
	if _, err := strict.Something(text); err != nil {
		return "", err
	}
	if len(d.rules) == 0 || slices.Contains(d.rules, text) {
		return text, nil
	}
	if near := strict.Nearest(text, d.rules); near != "" {
		return "", fmt.Errorf("there is no rule %q; did you mean %q?", text, near)
	}
	return "", fmt.Errorf("there is no rule %q; temper explain lists them", text)
}

// manifest matches what an object of a Kubernetes manifest is called, which no
// service can be: KIND/NAME or KIND/NAMESPACE/NAME.
var manifest = pattern.New(`^[A-Z][A-Za-z0-9]*(/[A-Za-z0-9.:_-]+){1,2}$`)

// known reports the subjects of waivers that are none of the services.
func (d *decoder) known(services []string) {
	for _, n := range d.subjects {
		if slices.Contains(services, n.Value) || manifest().MatchString(n.Value) {
			continue
		}
		if near := strict.Nearest(n.Value, services); near != "" {
			d.Wrong(n, "subject: no service is named %q; did you mean %q?", n.Value, near)
			continue
		}
		d.Wrong(n, "subject: no service is named %q; there are: %s", n.Value, strings.Join(services, ", "))
	}
}
