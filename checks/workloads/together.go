package workloads

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"temper/checks"
)

var networkPolicy = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "network-policy",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
		Doc: `a NetworkPolicy among the manifests says who may talk to the pod

A pod that no policy selects is reached by every other in the cluster, and reaches
all of them, and the world: whoever breaks into one goes on from there.

Write a NetworkPolicy whose podSelector matches the pod's labels, with policyTypes
[Ingress, Egress] and what it needs. Manifests that belong together are looked at
together: name their folder, or all of them, to temper check.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for o := range p.set.asked.in(p.Namespace) {
			if n, ok := o.value.(*networkingv1.NetworkPolicy); ok && selects(&n.Spec.PodSelector, p) {
				return
			}
			// What the policies of a network's own kinds select, only it knows.
			if o.value == nil && strings.HasSuffix(o.Kind, "NetworkPolicy") {
				return
			}
		}
		why := "everybody may talk to it"
		if p.Kind == "Job" || p.Kind == "CronJob" { // to which nobody does
			why = "it may talk to everybody"
		}
		out.here(nil, "kind: NetworkPolicy, with spec: {podSelector: {matchLabels: LABELS}, policyTypes: [Ingress, Egress]}", "no NetworkPolicy here selects the pod: %s", why)
	}),
}

var disruptionBudget = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "disruption-budget",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
		Doc: `a PodDisruptionBudget among the manifests keeps a service with replicas from being drained away

When nodes are drained, for an update of Kubernetes, all replicas of a service may
go at once: nothing says that some have to stay.

Write a PodDisruptionBudget with spec: {maxUnavailable: 1} and the selector of the
Deployment or StatefulSet. One replica has no use for it: it would hold up the node.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		if p.replicas() < 2 {
			return
		}
		for o := range p.set.asked.in(p.Namespace) {
			if b, ok := o.value.(*policyv1.PodDisruptionBudget); ok && selects(b.Spec.Selector, p) {
				return
			}
			if o.value == nil && o.Kind == "PodDisruptionBudget" {
				return // of a version that is gone, which the rule manifest tells
			}
		}
		out.below(nil).here(path{"spec", "replicas"}, "kind: PodDisruptionBudget, with spec: {maxUnavailable: 1, selector: {matchLabels: LABELS}}",
			"no PodDisruptionBudget here selects its pods: all %d may be drained at once", p.replicas())
	}),
}

// selects tells whether a selector selects the pod.
func selects(s *metav1.LabelSelector, p *pod) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(p.meta.Labels))
}

// replicas is how many of the pod there are to be at least, 1 where nobody says.
func (p *pod) replicas() int32 {
	n := int32(1)
	if p.value == nil {
		if f := p.root.get("spec").get("replicas"); f != nil {
			if v, ok := f.value.(int64); ok && v > 0 && v < 1<<30 {
				n = int32(v)
			}
		}
	} else if said := replicasOf(p.value); said != nil {
		n = *said
	}
	for o := range p.set.asked.in(p.Namespace) {
		var kind, name string
		var least *int32
		switch h := o.value.(type) {
		case *autoscalingv2.HorizontalPodAutoscaler:
			kind, name, least = h.Spec.ScaleTargetRef.Kind, h.Spec.ScaleTargetRef.Name, h.Spec.MinReplicas
		case *autoscalingv1.HorizontalPodAutoscaler:
			kind, name, least = h.Spec.ScaleTargetRef.Kind, h.Spec.ScaleTargetRef.Name, h.Spec.MinReplicas
		default:
			continue
		}
		if kind == p.Kind && name == p.Name && least != nil {
			n = max(n, *least)
		}
	}
	return n
}

// replicasOf is what an object's value says of them, nil where it says nothing.
func replicasOf(value any) *int32 {
	switch v := value.(type) {
	case *appsv1.Deployment:
		return v.Spec.Replicas
	case *appsv1.StatefulSet:
		return v.Spec.Replicas
	case *appsv1.ReplicaSet:
		return v.Spec.Replicas
	case *judged:
		return v.replicas
	}
	return nil
}
