package workloads

import (
	"k8s.io/pod-security-admission/policy"

	"temper/checks"
)

var podUser = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-user",
		Severity: checks.Error,
		Source:   standardsSource + "#restricted",
		Doc: `no container runs as root, or in root's group

A process that is root in its container is one kernel bug away from root on its
node. The image may say another user, but an image is replaced more often than a
manifest is read: "runAsNonRoot" makes the kubelet refuse it when it does not. In
group 0 it may write what root's group may.

Write securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532}
into the pod, where it holds for every container, init containers and sidecars
too, and let none of them say otherwise. No runAsGroup, fsGroup or
supplementalGroups is 0.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		const fix = "securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532}"
		p.standard(out, []policy.CheckID{"runAsNonRoot"}, func(out *pointer) {
			holds := false
			if sc := p.spec.SecurityContext; sc != nil && sc.RunAsNonRoot != nil {
				holds = *sc.RunAsNonRoot
				if !holds {
					out.here(path{"securityContext", "runAsNonRoot"}, "runAsNonRoot: true", "runAsNonRoot is false: the pod may run as root")
				}
			}
			var bare []container
			for _, c := range p.containers() {
				switch sc := c.SecurityContext; {
				case sc == nil || sc.RunAsNonRoot == nil:
					bare = append(bare, c)
				case !*sc.RunAsNonRoot:
					out.here(c.at.join("securityContext", "runAsNonRoot"), "runAsNonRoot: true", "runAsNonRoot is false: the container may run as root")
				}
			}
			switch {
			case holds || out.reported > 0:
			case len(bare) == len(p.containers()):
				out.here(path{"securityContext", "runAsNonRoot"}, fix, "nothing keeps the pod from running as root: it has no runAsNonRoot: true")
			default:
				for _, c := range bare {
					out.here(c.at.join("securityContext", "runAsNonRoot"), "runAsNonRoot: true", "nothing keeps the container from running as root: it has no runAsNonRoot: true")
				}
			}
		})
		p.standard(out, []policy.CheckID{"runAsUser"}, func(out *pointer) {
			if sc := p.spec.SecurityContext; sc != nil && sc.RunAsUser != nil && *sc.RunAsUser == 0 {
				out.here(path{"securityContext", "runAsUser"}, "runAsUser: 65532", "the pod runs as user 0, which is root")
			}
			for _, c := range p.containers() {
				if sc := c.SecurityContext; sc != nil && sc.RunAsUser != nil && *sc.RunAsUser == 0 {
					out.here(c.at.join("securityContext", "runAsUser"), "runAsUser: 65532", "the container runs as user 0, which is root")
				}
			}
		})
		if sc := p.spec.SecurityContext; sc != nil {
			if sc.RunAsGroup != nil && *sc.RunAsGroup == 0 {
				out.here(path{"securityContext", "runAsGroup"}, "runAsGroup: 65532", "the pod runs in group 0, which is root's")
			}
			if sc.FSGroup != nil && *sc.FSGroup == 0 {
				out.here(path{"securityContext", "fsGroup"}, "fsGroup: 65532", "the pod is in group 0, which is root's, for its volumes")
			}
			for i, g := range sc.SupplementalGroups {
				if g == 0 {
					out.here(path{"securityContext", "supplementalGroups", i}, "leave it out", "the pod is in group 0, which is root's")
				}
			}
		}
		for _, c := range p.containers() {
			if sc := c.SecurityContext; sc != nil && sc.RunAsGroup != nil && *sc.RunAsGroup == 0 {
				out.here(c.at.join("securityContext", "runAsGroup"), "runAsGroup: 65532", "the container runs in group 0, which is root's")
			}
		}
	}),
}

var podUserID = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-user-id",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#set-the-security-context-for-a-pod",
		Doc: `every container has a numeric runAsUser and runAsGroup above 10000

What the manifest does not say the image decides, and where neither names a group
it is 0. A process that breaks out of its container has the rights of the account
that has its number on the node: distributions, and people, are below 10000.

Write securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532}
into the pod. 65532 is distroless's nonroot, and that of Temper's own base.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		if p.windows() {
			return
		}
		least := p.set.Options.minID()
		var ofPod ids
		if sc := p.spec.SecurityContext; sc != nil {
			ofPod = ids{sc.RunAsUser, sc.RunAsGroup}
		}
		ofPod.tooLow(out, path{"securityContext"}, least)
		all := p.containers()
		bare := make(map[string][]container)
		for _, c := range all {
			var own ids
			if sc := c.SecurityContext; sc != nil {
				own = ids{sc.RunAsUser, sc.RunAsGroup}
			}
			own.tooLow(out, c.at.join("securityContext"), least)
			if own.user == nil && ofPod.user == nil {
				bare["runAsUser"] = append(bare["runAsUser"], c)
			}
			if own.group == nil && ofPod.group == nil {
				bare["runAsGroup"] = append(bare["runAsGroup"], c)
			}
		}
		p.unnumbered(out, all, bare)
	}),
}

// ids are the numbers of a security context, nil where it has none.
type ids struct{ user, group *int64 }

// tooLow reports those that may be accounts of the node, both at once.
func (i ids) tooLow(out *pass, at path, least int64) {
	low := func(id *int64) bool { return id != nil && *id > 0 && *id < least }
	const said = "%s %d is one that the node may have an account of: want %d or more"
	switch {
	case low(i.user) && low(i.group):
		out.here(at.join("runAsUser"), "runAsUser: 65532, runAsGroup: 65532",
			"runAsUser %d and runAsGroup %d are ones that the node may have accounts of: want %d or more", *i.user, *i.group, least)
	case low(i.user):
		out.here(at.join("runAsUser"), "runAsUser: 65532", said, "runAsUser", *i.user, least)
	case low(i.group):
		out.here(at.join("runAsGroup"), "runAsGroup: 65532", said, "runAsGroup", *i.group, least)
	}
}

// unnumbered reports who has no number of a user, or of a group: the containers,
// or the pod where that holds for all of them.
func (p *pod) unnumbered(out *pass, all []container, bare map[string][]container) {
	if n := len(all); n > 0 && len(bare["runAsUser"]) == n && len(bare["runAsGroup"]) == n {
		out.here(path{"securityContext", "runAsUser"}, "securityContext: {runAsUser: 65532, runAsGroup: 65532}", "no runAsUser and no runAsGroup: they are left to the image")
		return
	}
	for _, what := range []string{"runAsUser", "runAsGroup"} {
		if len(bare[what]) == len(all) && len(all) > 0 {
			out.here(path{"securityContext", what}, "securityContext: {"+what+": 65532}", "no %s: it is left to the image", what)
			continue
		}
		for _, c := range bare[what] {
			out.here(c.at.join("securityContext", what), "securityContext: {"+what+": 65532}", "no %s: it is left to the image", what)
		}
	}
}
