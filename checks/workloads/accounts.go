package workloads

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"temper/checks"
)

var podToken = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-token",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#opt-out-of-api-credential-automounting",
		Doc: `no pod has a token for the API server that it does not use

The token lies in a file that every process of the pod reads, and who has it is the
service account: it may do what that may, now and after somebody has given it more.

Write automountServiceAccountToken: false into the pod, or into its ServiceAccount.
A pod whose account a RoleBinding among the manifests names is taken to need it.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		at := path{"automountServiceAccountToken"}
		own := p.spec.AutomountServiceAccountToken
		if own != nil && !*own || p.set.bound(p.Namespace, p.account()) {
			return
		}
		if own == nil {
			if a := p.set.account(p.Namespace, p.account()); a != nil && a.AutomountServiceAccountToken != nil && !*a.AutomountServiceAccountToken {
				return
			}
			out.here(at, "automountServiceAccountToken: false", "the pod gets a token for the API server: neither it nor its account sets automountServiceAccountToken to false")
			return
		}
		out.here(at, "automountServiceAccountToken: false", "the pod gets a token for the API server, and no RoleBinding here gives it anything to do there")
	}),
}

var podAccount = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-account",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/concepts/security/service-accounts/",
		Doc: `every pod has a service account of its own

Without one it is "default", with everything else in its namespace that does not
say who it is: what is granted to one of them is granted to all, and an audit log
does not tell them apart.

Write a ServiceAccount for the service, and serviceAccountName: NAME into the pod.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		switch {
		case p.spec.ServiceAccountName == "":
			out.here(path{"serviceAccountName"}, "serviceAccountName: NAME, and a ServiceAccount of that name", "the pod uses the service account default, as all do that name none")
		case p.account() == "default":
			out.here(path{"serviceAccountName"}, "serviceAccountName: NAME, and a ServiceAccount of that name", "the pod uses the service account default")
		}
	}),
}

func (p *pod) account() string {
	if p.spec.ServiceAccountName == "" {
		return "default"
	}
	return p.spec.ServiceAccountName
}

func (s *Set) account(namespace, name string) *corev1.ServiceAccount {
	for o := range s.asked.in(namespace) {
		if a, ok := o.value.(*corev1.ServiceAccount); ok && o.Name == name {
			return a
		}
	}
	return nil
}

// bound tells whether a binding gives a service account any rights.
func (s *Set) bound(namespace, name string) bool {
	for _, o := range s.asked.bindings {
		var subjects []rbacv1.Subject
		in := ""
		switch b := o.value.(type) {
		case *rbacv1.RoleBinding:
			subjects, in = b.Subjects, o.Namespace
		case *rbacv1.ClusterRoleBinding:
			subjects = b.Subjects
		}
		for _, subject := range subjects {
			of := subject.Namespace
			if of == "" {
				of = in
			}
			if subject.Kind == "ServiceAccount" && subject.Name == name && sameNamespace(of, namespace) {
				return true
			}
		}
	}
	return false
}
