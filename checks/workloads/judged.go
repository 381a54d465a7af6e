package workloads

import (
	"context"
	"iter"
	"slices"
	"sync"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"temper/checks"
)

// together are the rules about an object that look at others as well, and alone
// those that do not, or only at a ConfigMap.
var (
	together = []*checks.Check[*Object]{disruptionBudget, networkPolicy, podToken}
	alone    = sync.OnceValue(func() []*checks.Check[*Object] {
		return slices.DeleteFunc(slices.Clone(Rules), func(c *checks.Check[*Object]) bool { return slices.Contains(together, c) })
	})
)

// check runs the rules on the object, or those that were not run yet.
func (o *Object) check(ctx context.Context) (*checks.Report, error) {
	rules := Rules
	if o.judged != nil {
		rules = together
	}
	r, err := checks.Run(ctx, checks.Subject{Name: o.String(), Digest: o.digest()}, "", o, rules)
	if err != nil || o.judged == nil {
		return r, err
	}
	whole := checks.Join(o.judged.report, r)
	whole.Findings = slices.Clip(whole.Findings)
	return whole, nil
}

// judged is what is left of the value of an object that was let go of.
type judged struct {
	// report is by the rules that look at nothing else.
	report   *checks.Report
	replicas *int32
	// cpu is the limit that it sets, empty if it sets none.
	cpu string
}

// asksLater tells that a pod takes variables from a ConfigMap that is not there yet:
// it may come. Of several, the first that is there holds.
func (o *Object) asksLater() bool {
	absent := func(name string) bool { return o.set.configMap(o.Namespace, name) == nil }
	for _, p := range o.pods {
		for _, c := range p.containers() {
			for _, e := range c.Env {
				if from := e.ValueFrom; from != nil && from.ConfigMapKeyRef != nil && absent(from.ConfigMapKeyRef.Name) {
					return true
				}
			}
			for _, e := range c.EnvFrom {
				if e.ConfigMapRef != nil && absent(e.ConfigMapRef.Name) {
					return true
				}
			}
		}
	}
	return false
}

// judge runs the rules that look at nothing but the object, and lets go of it but
// for what the others look at.
func (o *Object) judge(ctx context.Context) error {
	r, err := checks.Run(ctx, checks.Subject{Name: o.String(), Digest: o.digest()}, "", o, alone())
	if err != nil {
		return err
	}
	r.Rules, r.Findings = o.set.sameRules(r.Rules), slices.Clip(r.Findings)
	left := &judged{report: r, replicas: replicasOf(o.value), cpu: CPULimit(o)}
	if !o.isAsked() {
		o.value = left
	}
	o.judged, o.faults = left, nil
	root := o.root.bare()
	for _, p := range o.pods {
		o.root.copyTo(root, path{"spec", "replicas"})
		o.root.copyTo(root, p.at.join("automountServiceAccountToken"))
		p.meta = &metav1.ObjectMeta{Labels: p.meta.Labels}
		p.spec = &corev1.PodSpec{ServiceAccountName: p.spec.ServiceAccountName, AutomountServiceAccountToken: p.spec.AutomountServiceAccountToken}
	}
	if o.helmTest() {
		o.root.copyTo(root, path{"metadata", "annotations", helmHook})
	}
	o.root = root
	return nil
}

// bare is the node without what is below it.
func (n *node) bare() *node { return &node{kind: n.kind, at: n.at, value: n.value} }

// copyTo copies what is on the way of a path, to a copy of the node: enough to
// follow the path and to describe it.
func (n *node) copyTo(to *node, p path) {
	if len(p) == 0 {
		return
	}
	var from, next *node
	switch step := p[0].(type) {
	case string:
		i := slices.IndexFunc(n.fields, func(f field) bool { return f.name == step })
		if i < 0 {
			return
		}
		from = n.fields[i].value
		if next = to.get(step); next == nil {
			next = from.bare()
			to.fields = append(to.fields, field{step, n.fields[i].at, next})
		}
	case int:
		if step >= len(n.items) {
			return
		}
		from = n.items[step]
		if to.items == nil {
			to.items = make([]*node, len(n.items))
		}
		if next = to.items[step]; next == nil {
			next = from.bare()
			from.copyTo(next, path{"name"}) // by which people know it
			to.items[step] = next
		}
	}
	from.copyTo(next, p[1:])
}

// sameRules returns a list of the set's that is equal to this one: a list of its own
// is half of what most reports are.
func (s *Set) sameRules(names []string) []string {
	for _, known := range s.ran {
		if slices.Equal(known, names) {
			return known
		}
	}
	s.ran = append(s.ran, slices.Clip(names))
	return names
}

// asked are the objects of a set that the rules about another ask for.
type asked struct {
	// byNamespace has them in the order of the set, none where they name none.
	byNamespace map[string][]numbered
	all         []numbered
	bindings    []numbered
}

type numbered struct {
	*Object
	n int // in the set
}

// isAsked tells that rules about other objects ask for this one.
func (o *Object) isAsked() bool {
	switch o.value.(type) {
	case nil, *corev1.ConfigMap, *corev1.ServiceAccount, *networkingv1.NetworkPolicy, *policyv1.PodDisruptionBudget,
		*autoscalingv1.HorizontalPodAutoscaler, *autoscalingv2.HorizontalPodAutoscaler, *rbacv1.RoleBinding, *rbacv1.ClusterRoleBinding:
		return true
	}
	return false
}

// add adds an object that is open, the n-th of the set.
func (a *asked) add(o *Object, n int) {
	if !o.isAsked() {
		return
	}
	switch o.value.(type) {
	case *rbacv1.RoleBinding, *rbacv1.ClusterRoleBinding:
		a.bindings = append(a.bindings, numbered{o, n})
		return
	}
	if a.byNamespace == nil {
		a.byNamespace = make(map[string][]numbered)
	}
	one := numbered{o, n}
	a.all = append(a.all, one)
	a.byNamespace[o.Namespace] = append(a.byNamespace[o.Namespace], one)
}

// forget drops the objects from the n-th on.
func (a *asked) forget(n int) {
	drop := func(list []numbered) []numbered {
		return slices.DeleteFunc(list, func(one numbered) bool { return one.n >= n })
	}
	a.all, a.bindings = drop(a.all), drop(a.bindings)
	for namespace, list := range a.byNamespace {
		a.byNamespace[namespace] = drop(list)
	}
}

// in are the objects that may be in a namespace, in their order: one that does not
// say where it is, is where it is applied.
func (a *asked) in(namespace string) iter.Seq[*Object] {
	here, anywhere := a.byNamespace[namespace], a.byNamespace[""]
	if namespace == "" {
		here, anywhere = a.all, nil
	}
	return func(yield func(*Object) bool) {
		for len(here) > 0 || len(anywhere) > 0 {
			next := &here
			if len(here) == 0 || len(anywhere) > 0 && anywhere[0].n < here[0].n {
				next = &anywhere
			}
			if !yield((*next)[0].Object) {
				return
			}
			*next = (*next)[1:]
		}
	}
}
