package workloads

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/policy"
)

const standardsSource = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"

// standards are Kubernetes' own checks of the Pod Security Standards, by their
// names, in their newest version.
var standards = sync.OnceValue(func() map[policy.CheckID]policy.CheckPodFn {
	all := make(map[policy.CheckID]policy.CheckPodFn)
	for _, c := range policy.DefaultChecks() {
		all[c.ID] = c.Versions[len(c.Versions)-1].CheckPod
	}
	return all
})

// restricted tells whether a check of the level restricted would not let the pod
// in, and why.
func (p *pod) restricted(id policy.CheckID) (why string, refused bool) {
	check, ok := standards()[id]
	if !ok {
		return fmt.Sprintf("nobody knows the standard %q", id), true
	}
	r := check(p.meta, p.spec)
	if r.Allowed {
		return "", false
	}
	why = r.ForbiddenReason
	if r.ForbiddenDetail != "" {
		why += ": " + r.ForbiddenDetail
	}
	return why, true
}

// alone tells whether a check would not let in a pod of this spec.
func (p *pod) alone(id policy.CheckID, spec corev1.PodSpec) bool {
	check, ok := standards()[id]
	return ok && !check(p.meta, &spec).Allowed
}

// only is the pod with one container and nothing else, as far as a check tells
// them apart.
func (p *pod) only(c container) corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{*c.Container}, HostUsers: p.spec.HostUsers, OS: p.spec.OS}
}

// standard runs a function that points at what breaks some of the standards,
// where one of them is broken; and if it points at nothing, it reports what
// Kubernetes says.
func (p *pod) standard(out *pass, ids []policy.CheckID, point func(out *pointer)) {
	for _, id := range ids {
		why, refused := p.restricted(id)
		if !refused {
			continue
		}
		to := &pointer{pass: out, id: id}
		point(to)
		if to.reported == 0 {
			out.here(nil, "", "%s", why)
		}
	}
}

// A pointer reports what breaks one of the standards.
type pointer struct {
	*pass
	id       policy.CheckID
	reported int
}

func (p *pointer) here(where path, fix, format string, args ...any) {
	p.reported++
	p.pass.here(where, fix, format, args...)
}
