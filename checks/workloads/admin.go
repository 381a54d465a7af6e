package workloads

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"temper/checks"
)

var clusterAdmin = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "cluster-admin",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/concepts/security/rbac-good-practices/#least-privilege",
		Doc: `no binding gives the whole cluster to a service account

cluster-admin may do everything: read every Secret, start a privileged pod on every
node. Whoever breaks into one pod of such an account owns the cluster.

Write a Role with the verbs and resources that the service uses, and a RoleBinding
to it.`,
	},
	Run: func(o *Object, p *checks.Pass) error {
		var role rbacv1.RoleRef
		var subjects []rbacv1.Subject
		switch b := o.value.(type) {
		case *rbacv1.ClusterRoleBinding:
			role, subjects = b.RoleRef, b.Subjects
		case *rbacv1.RoleBinding:
			role, subjects = b.RoleRef, b.Subjects
		}
		if role.Name != "cluster-admin" {
			return nil
		}
		out := whole(o, p)
		for i, s := range subjects {
			switch {
			case s.Kind == "ServiceAccount":
				out.here(path{"subjects", i}, "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}", "the service account %s may do everything", s.Name)
			case s.Kind == "Group" && s.Name != "system:masters":
				out.here(path{"subjects", i}, "take it out", "everybody in the group %s may do everything", s.Name)
			}
		}
		return nil
	},
}
