// Package workloads holds the rules about Kubernetes manifests: what runs an
// image must be as hard as the image.
//
// A [Set] is the manifests that are looked at together, for one of them can be
// what another lacks: [Set.Read] takes files, of YAML or JSON, and [Set.Check]
// returns a report about each object in them. Every object is decoded as
// strictly as the API server does it, and what it would not take is a finding of
// the rule manifest. The pods of kinds that nobody knows are found by their shape.
//
// What the Pod Security Standards demand is for Kubernetes' own code to judge;
// the rules here say where the reason stands, and what they cannot point at they
// report as that code puts it.
//
// Findings carry the line and column of the field that they are about or, where
// it is missing, of the field that it would go into.
package workloads

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"temper/checks"
)

// Options are what is a matter of taste. The zero value is the default.
type Options struct {
	// MinID is the least number of a user or a group that belongs to no host's
	// accounts, 10001 if it is 0.
	MinID int64
	// MinBand and MaxBand are how many percent a memory limit is above its
	// request, 20 and 30 if both are 0.
	MinBand, MaxBand int
}

func (o Options) minID() int64 {
	if o.MinID == 0 {
		return 10001
	}
	return o.MinID
}

func (o Options) band() (least, most int) {
	if o.MinBand == 0 && o.MaxBand == 0 {
		return 20, 30
	}
	return o.MinBand, o.MaxBand
}

// A Set is the manifests that are looked at together.
type Set struct {
	Options Options
	// Objects are in the order of the files, and in theirs.
	Objects []*Object

	values int // that the objects have together, at all depths
	asked  asked
	ran    [][]string // the lists of rules that reports have

	scratch []byte // for what is written only to be summed
}

const (
	// maxObjects is what a cluster of some thousand services has.
	maxObjects = 50_000
	// maxValues is sixty for each of them. A value takes about 150 bytes.
	maxValues = 3_000_000
)

var errTooMany = fmt.Errorf("the manifests are more than %d objects or %d values in all; name fewer files or folders at a time", maxObjects, maxValues)

// Read adds the manifests in a file, and returns how many objects they are. A
// file may hold several documents, and a document a list. What has neither an
// apiVersion nor a kind is no manifest, and none of the objects: a file is all
// manifests or has none, and else it is an error. One that cannot be read as YAML
// or JSON is a [SyntaxError]. A set has room for 50,000 objects.
func (s *Set) Read(file string, data []byte) (int, error) {
	return s.read(file, data, func(*Object) error { return nil })
}

// Judge adds the manifests in a file as [Set.Read] does, and lets go of them: an
// object is held against the rules that look at nothing else, and what is left of it
// is what the others ask for, a small part. [Set.CheckAgainst] wants all of it.
func (s *Set) Judge(ctx context.Context, file string, data []byte) (int, error) {
	return s.read(file, data, func(o *Object) error {
		if o.asksLater() {
			return nil
		}
		return o.judge(ctx)
	})
}

// read adds the manifests in a file, and does something with each once it is open.
func (s *Set) read(file string, data []byte, then func(*Object) error) (int, error) {
	before := len(s.Objects)
	stranger, values, err := s.append(file, data, then)
	if found := len(s.Objects) - before; err == nil && stranger != nil && found > 0 {
		err = &SyntaxError{File: file, Line: stranger.line, Problem: "a document without apiVersion and kind, among others that have them"}
	} else if err == nil && found > 0 {
		s.values += values
		return found, nil
	}
	clear(s.Objects[before:])
	s.Objects = s.Objects[:before]
	s.asked.forget(before)
	return 0, err
}

// append adds the objects of a file, all or, with an error, some. It returns where
// the first document is that is none, and how many values there are.
func (s *Set) append(file string, data []byte, then func(*Object) error) (stranger *position, values int, err error) {
	before := len(s.Objects)
	for d, err := range documents(file, data) {
		if err != nil {
			return nil, 0, err
		}
		values += d.values
		n := d.root
		if n.kind != mapping || n.get("apiVersion") == nil && n.get("kind") == nil && !n.likePod() {
			if stranger == nil {
				stranger = &n.at
			}
			continue
		}
		list, err := s.objects(file, n, "", 0)
		if err != nil {
			return nil, 0, err
		}
		if len(list) > 0 {
			for _, t := range d.twice {
				o := list[0]
				for _, one := range list {
					if one.root.at.line <= t.at.line {
						o = one
					}
				}
				o.faults = append(o.faults, fault{position: t.at, said: fmt.Sprintf("the field %q is there twice, first on line %d", t.name, t.first.line), fix: "keep one of them"})
			}
		}
		if found := len(s.Objects) - before + len(list); before+found > maxObjects || found > 0 && s.values+values > maxValues {
			return nil, 0, errTooMany
		}
		for _, o := range list {
			if err := o.open(); err != nil {
				return nil, 0, err
			}
			s.asked.add(o, len(s.Objects))
			s.Objects = append(s.Objects, o)
			if err := then(o); err != nil {
				return nil, 0, err
			}
		}
	}
	return stranger, values, nil
}

// likePod tells that a document would be a manifest, had it the fields that say
// so.
func (n *node) likePod() bool {
	spec := n.get("spec")
	template := spec.get("template")
	return n.get("metadata") != nil && (spec.holdsContainersAt() || template.get("spec").holdsContainersAt())
}

func (n *node) holdsContainersAt() bool { return n != nil && n.holdsContainers() }

// Check runs the rules on every object and returns a report about each, in their
// order.
func (s *Set) Check(ctx context.Context) ([]*checks.Report, error) {
	var reports []*checks.Report
	for _, o := range s.Objects {
		r, err := o.check(ctx)
		if err != nil {
			return nil, err
		}
		r.Rules = s.sameRules(r.Rules)
		reports = append(reports, r)
	}
	return reports, nil
}

// Rules are the rules about an object.
var Rules = []*checks.Check[*Object]{
	clusterAdmin, cpuRequest, disruptionBudget, emptyDir, envSecret, ephemeralStorage, goDebug, goGC, goMemoryLimit, goMemoryShare, goProcessors,
	imageDigest, manifest, memoryLimit, memoryRequest, networkPolicy, podAccount, podCapabilities, podDebug, podHost, podKernel,
	podPrivileges, podProcesses, podRoot, podSeccomp, podShell, podToken, podUser, podUserID, podVolumes, pprofPort, quantity, tlsKeyLog,
}

// AllRules describes every rule about manifests, with examples.
func AllRules() []checks.Rule {
	var rules []checks.Rule
	for _, c := range Rules {
		rules = append(rules, withExamples(c.Rule))
	}
	return rules
}

// AllImageRules describes every rule about manifests and the images that they run,
// with examples.
func AllImageRules() []checks.Rule {
	var rules []checks.Rule
	for _, c := range ImageRules {
		rules = append(rules, withExamples(c.Rule))
	}
	return rules
}

// maxPlaces is how many findings of one rule an object has at most, before a last
// one that says so. What is wrong in more places is wrong for one reason.
const maxPlaces = 100

// eachPod is a rule's function that looks at every pod of an object.
func eachPod(run func(p *pod, out *pass)) func(*Object, *checks.Pass) error {
	return func(o *Object, p *checks.Pass) error {
		all := &pass{Pass: p, of: o, told: new(int)}
		for _, one := range o.pods {
			run(one, all.below(one.at))
		}
		return nil
	}
}

// A pass reports at paths that begin at a pod's spec, or at an object.
type pass struct {
	*checks.Pass
	of   *Object
	base path
	told *int
}

// whole reports at paths that begin at an object.
func whole(o *Object, p *checks.Pass) *pass { return &pass{Pass: p, of: o, told: new(int)} }

// below reports at paths that begin further down.
func (p *pass) below(base path) *pass { return &pass{p.Pass, p.of, base, p.told} }

const helmHook = "helm.sh/hook"

// helmTest tells what a chart has for helm test, and installs for nobody.
// https://helm.sh/docs/topics/chart_tests/
func (o *Object) helmTest() bool {
	hooks := o.root.get("metadata").get("annotations").text(helmHook)
	return slices.ContainsFunc(strings.Split(hooks, ","), func(hook string) bool {
		hook = strings.TrimSpace(hook)
		return hook == "test" || hook == "test-success" || hook == "test-failure"
	})
}

// here reports a finding about a field, with what to type there. Advice about what helm
// test alone runs is a notice.
func (p *pass) here(where path, fix, format string, args ...any) {
	where = p.base.join(where...)
	if p.Advises() && p.of.helmTest() {
		p.Undecidedf(p.of.root.describe(where), format+"; helm test alone runs it", args...)
		return
	}
	if *p.told++; *p.told > maxPlaces {
		if *p.told > maxPlaces+1 {
			return
		}
		where, fix, format, args = nil, "mend these first", "the same in more places than the %d that are told", []any{maxPlaces}
	}
	_, position := p.of.root.follow(where)
	p.Reportf(p.of.root.describe(where), format, args...)
	p.At(p.of.File, position.line, position.column)
	p.Fixf("%s", fix)
}
