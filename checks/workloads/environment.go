package workloads

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A setting is a variable of a container's environment.
type setting struct {
	value string
	// at leads to it from the pod's spec.
	at path
	// known tells that value is what the process sees; else it comes from where
	// nobody can look.
	known bool
	// field is set where it is taken from a container's resources.
	field *corev1.ResourceFieldSelector
	// from is what it is taken from, for people.
	from string
}

// setting returns a variable as the kubelet sets it: the last of a name holds,
// and what env has comes before what envFrom has.
func (p *pod) setting(c container, name string) *setting {
	for i := len(c.Env) - 1; i >= 0; i-- {
		e := c.Env[i]
		if e.Name != name {
			continue
		}
		s := &setting{at: c.at.join("env", i)}
		switch from := e.ValueFrom; {
		case from == nil:
			s.value, s.known = e.Value, !strings.Contains(e.Value, "$(")
			s.at = s.at.join("value")
			s.from = "other variables"
		case from.ResourceFieldRef != nil:
			s.field = from.ResourceFieldRef
			s.at = s.at.join("valueFrom", "resourceFieldRef")
		case from.ConfigMapKeyRef != nil:
			s.at = s.at.join("valueFrom", "configMapKeyRef")
			s.from = "the ConfigMap " + from.ConfigMapKeyRef.Name
			s.value, s.known = p.set.configured(p.Namespace, from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
		default:
			s.at = s.at.join("valueFrom")
			s.from = "what is not in a manifest"
		}
		return s
	}
	for i := len(c.EnvFrom) - 1; i >= 0; i-- {
		e := c.EnvFrom[i]
		key, ok := strings.CutPrefix(name, e.Prefix)
		if !ok || e.ConfigMapRef == nil {
			continue
		}
		if value, ok := p.set.configured(p.Namespace, e.ConfigMapRef.Name, key); ok {
			return &setting{value: value, known: true, at: c.at.join("envFrom", i)}
		}
	}
	return nil
}

// fromElsewhere tells that variables may come from where nobody can look.
func (p *pod) fromElsewhere(c container) bool {
	for _, e := range c.EnvFrom {
		if e.SecretRef != nil {
			return true
		}
		if e.ConfigMapRef != nil && p.set.configMap(p.Namespace, e.ConfigMapRef.Name) == nil {
			return true
		}
	}
	return false
}

func (s *Set) configMap(namespace, name string) *corev1.ConfigMap {
	for o := range s.asked.in(namespace) {
		if m, ok := o.value.(*corev1.ConfigMap); ok && o.Name == name {
			return m
		}
	}
	return nil
}

func (s *Set) configured(namespace, name, key string) (string, bool) {
	m := s.configMap(namespace, name)
	if m == nil {
		return "", false
	}
	value, ok := m.Data[key]
	return value, ok
}

// sameNamespace tells that two objects may be in one namespace: one that does not
// say where it is, is where it is applied.
func sameNamespace(a, b string) bool { return a == b || a == "" || b == "" }
