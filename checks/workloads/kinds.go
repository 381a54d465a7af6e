package workloads

import (
	"fmt"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"temper/checks"
)

// scheme knows the types of the kinds that people write beside a service: how
// pods run, who may reach them, and what a cluster is to do for them. The others,
// which controllers write, are judged as kinds that nobody knows: the groups of
// Kubernetes' API weigh up to half a megabyte.
var scheme = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme,
		corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme,
		schedulingv1.AddToScheme, storagev1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err) // two types of one name: not at run time
		}
	}
	return s
})

// templates are the fields that lead to the pod of each kind that has one.
var templates = map[string]path{
	"Pod":                   {},
	"PodTemplate":           {"template"},
	"ReplicationController": {"spec", "template"},
	"Deployment":            {"spec", "template"},
	"ReplicaSet":            {"spec", "template"},
	"StatefulSet":           {"spec", "template"},
	"DaemonSet":             {"spec", "template"},
	"Job":                   {"spec", "template"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template"},
}

// gone are the API versions that are served no more, with the release that
// dropped them and what to write in their place.
// https://kubernetes.io/docs/reference/using-api/deprecation-guide/
var gone = map[string]struct{ since, instead string }{
	"extensions/v1beta1":                 {"1.22", ""},
	"apps/v1beta1":                       {"1.16", "apps/v1"},
	"apps/v1beta2":                       {"1.16", "apps/v1"},
	"batch/v1beta1":                      {"1.25", "batch/v1"},
	"batch/v2alpha1":                     {"1.21", "batch/v1"},
	"policy/v1beta1":                     {"1.25", "policy/v1"},
	"autoscaling/v2beta1":                {"1.25", "autoscaling/v2"},
	"autoscaling/v2beta2":                {"1.26", "autoscaling/v2"},
	"rbac.authorization.k8s.io/v1alpha1": {"1.22", "rbac.authorization.k8s.io/v1"},
	"rbac.authorization.k8s.io/v1beta1":  {"1.22", "rbac.authorization.k8s.io/v1"},
	"apiextensions.k8s.io/v1beta1":       {"1.22", "apiextensions.k8s.io/v1"},
}

// goneKinds are those of API versions that are served still, for others.
var goneKinds = map[string]struct{ since, instead string }{
	"admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration":   {"1.22", "admissionregistration.k8s.io/v1"},
	"admissionregistration.k8s.io/v1beta1 ValidatingWebhookConfiguration": {"1.22", "admissionregistration.k8s.io/v1"},
	"networking.k8s.io/v1beta1 Ingress":                                   {"1.22", "networking.k8s.io/v1"},
	"networking.k8s.io/v1beta1 IngressClass":                              {"1.22", "networking.k8s.io/v1"},
	"node.k8s.io/v1beta1 RuntimeClass":                                    {"1.25", "node.k8s.io/v1"},
	"scheduling.k8s.io/v1beta1 PriorityClass":                             {"1.22", "scheduling.k8s.io/v1"},
	"storage.k8s.io/v1beta1 CSIDriver":                                    {"1.22", "storage.k8s.io/v1"},
	"storage.k8s.io/v1beta1 StorageClass":                                 {"1.22", "storage.k8s.io/v1"},
}

// usual returns a new value of one of the kinds that most manifests hold, or nil.
// To register all kinds takes longer than to read one manifest.
func usual(apiVersion, kind string) runtime.Object {
	switch apiVersion + " " + kind {
	case "v1 ConfigMap":
		return new(corev1.ConfigMap)
	case "v1 Namespace":
		return new(corev1.Namespace)
	case "v1 PersistentVolumeClaim":
		return new(corev1.PersistentVolumeClaim)
	case "v1 Pod":
		return new(corev1.Pod)
	case "v1 Secret":
		return new(corev1.Secret)
	case "v1 Service":
		return new(corev1.Service)
	case "v1 ServiceAccount":
		return new(corev1.ServiceAccount)
	case "apps/v1 DaemonSet":
		return new(appsv1.DaemonSet)
	case "apps/v1 Deployment":
		return new(appsv1.Deployment)
	case "apps/v1 StatefulSet":
		return new(appsv1.StatefulSet)
	case "batch/v1 CronJob":
		return new(batchv1.CronJob)
	case "batch/v1 Job":
		return new(batchv1.Job)
	case "networking.k8s.io/v1 Ingress":
		return new(networkingv1.Ingress)
	case "policy/v1 PodDisruptionBudget":
		return new(policyv1.PodDisruptionBudget)
	case "networking.k8s.io/v1 NetworkPolicy":
		return new(networkingv1.NetworkPolicy)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return new(autoscalingv2.HorizontalPodAutoscaler)
	case "rbac.authorization.k8s.io/v1 Role":
		return new(rbacv1.Role)
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		return new(rbacv1.RoleBinding)
	case "rbac.authorization.k8s.io/v1 ClusterRole":
		return new(rbacv1.ClusterRole)
	case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
		return new(rbacv1.ClusterRoleBinding)
	}
	return nil
}

// typed returns a new value of a kind's type, or nil where the kind is not known.
func typed(apiVersion, kind string) runtime.Object {
	if value := usual(apiVersion, kind); value != nil {
		return value
	}
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil
	}
	value, err := scheme().New(version.WithKind(kind))
	if err != nil {
		return nil // which is all that it can mean
	}
	return value
}

// doubt says what is wrong with a kind that is not known, empty if nothing is:
// anybody may define kinds, but for those of Kubernetes itself.
func doubt(apiVersion, kind string) string {
	if g, ok := gone[apiVersion]; ok {
		instead := g.instead
		if instead == "" {
			instead = map[string]string{"Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1", "PodSecurityPolicy": "policy/v1"}[kind]
			if instead == "" {
				instead = "apps/v1"
			}
		}
		if kind == "PodSecurityPolicy" {
			return "PodSecurityPolicy is gone since Kubernetes 1.25; the labels of Pod Security Admission took its place"
		}
		return fmt.Sprintf("%s is served no more since Kubernetes %s; write apiVersion: %s", apiVersion, g.since, instead)
	}
	if g, ok := goneKinds[apiVersion+" "+kind]; ok {
		return fmt.Sprintf("%s has no %s since Kubernetes %s; write apiVersion: %s", apiVersion, kind, g.since, g.instead)
	}
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return fmt.Sprintf("%q is no API version", apiVersion)
	}
	known := scheme().KnownTypes(version)
	if len(known) == 0 {
		if version.Group == "" {
			return fmt.Sprintf("there is no API version %s", apiVersion)
		}
		return ""
	}
	var others []string
	for other := range scheme().AllKnownTypes() {
		if other.Kind == kind && other.Version != runtime.APIVersionInternal {
			others = append(others, other.GroupVersion().String())
		}
	}
	if len(others) > 0 {
		slices.Sort(others)
		return fmt.Sprintf("%s has no kind %s; write apiVersion: %s", apiVersion, kind, others[len(others)-1])
	}
	var names []string
	for name := range known {
		names = append(names, name)
	}
	said := fmt.Sprintf("%s has no kind %s", apiVersion, kind)
	if near := checks.Nearest(kind, names); near != "" {
		said += "; did you mean " + near + "?"
	}
	return said
}
