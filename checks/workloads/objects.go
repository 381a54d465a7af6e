package workloads

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An Object is one thing that manifests ask of a cluster: a Deployment, a
// Service, or something of a kind that only its owners know.
type Object struct {
	// File is the file that it stands in, as it was named to [Set.Read].
	File                        string
	APIVersion, Kind, Namespace string
	// Name is metadata.name, or generateName.
	Name string

	set    *Set
	root   *node
	value  any // of the kind's type; nil where the kind is not known
	faults []fault
	pods   []*pod
	judged *judged // nil as long as all of it is there
}

// String is what waivers and people call it: KIND/NAME, or KIND/NAMESPACE/NAME
// where the manifest says in which it is.
func (o *Object) String() string {
	name := o.Name
	if name == "" {
		name = "unnamed"
	}
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	kind := o.Kind
	if kind == "" {
		kind = "object"
	}
	return kind + "/" + name
}

// digest is that of what the object says, wherever and however it is written.
func (o *Object) digest() string {
	if o.judged != nil {
		return o.judged.report.Subject.Digest
	}
	o.set.scratch = o.root.appendJSON(o.set.scratch[:0])
	sum := sha256.Sum256(o.set.scratch)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// A pod is a pod's template, or a Pod, in an object.
type pod struct {
	*Object
	// at leads from the object to the pod's spec.
	at path
	// meta and spec are those in the object's value where its kind is known: a copy
	// would be most of what a small object takes.
	meta *metav1.ObjectMeta
	spec *corev1.PodSpec
}

func newPod(o *Object, at path) *pod {
	return &pod{Object: o, at: at, meta: new(metav1.ObjectMeta), spec: new(corev1.PodSpec)}
}

// A container is one of a pod, of whichever list.
type container struct {
	*corev1.Container
	// at leads from the pod's spec to it.
	at path
	// init tells that it ends before the service begins.
	init bool
}

// containers are all those of the pod that its template starts.
func (p *pod) containers() []container {
	var all []container
	for i := range p.spec.InitContainers {
		c := &p.spec.InitContainers[i]
		sidecar := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		all = append(all, container{c, path{"initContainers", i}, !sidecar})
	}
	for i := range p.spec.Containers {
		all = append(all, container{&p.spec.Containers[i], path{"containers", i}, false})
	}
	for i := range p.spec.EphemeralContainers {
		c := corev1.Container(p.spec.EphemeralContainers[i].EphemeralContainerCommon)
		all = append(all, container{&c, path{"ephemeralContainers", i}, true})
	}
	return all
}

// windows tells that nothing of Linux holds for the pod.
func (p *pod) windows() bool { return p.spec.OS != nil && p.spec.OS.Name == corev1.Windows }

// maxLists is how deep a List may be in a List.
const maxLists = 4

// objects returns what a document asks for: itself, or the items of a list.
func (s *Set) objects(file string, n *node, kind string, depth int) ([]*Object, error) {
	o := &Object{set: s, File: file, root: n, APIVersion: n.text("apiVersion"), Kind: n.text("kind")}
	if o.Kind == "" {
		o.Kind = kind
	}
	if items := n.get("items"); strings.HasSuffix(o.Kind, "List") && items != nil && items.kind == sequence {
		if depth == maxLists {
			return nil, &SyntaxError{File: file, Line: n.at.line, Problem: "a list in a list in a list"}
		}
		var all []*Object
		for _, item := range items.items {
			if item.kind != mapping {
				return nil, &SyntaxError{File: file, Line: item.at.line, Problem: fmt.Sprintf("an item of a list is %s, want a mapping", item.is())}
			}
			of := strings.TrimSuffix(o.Kind, "List")
			list, err := s.objects(file, item, of, depth+1)
			if err != nil {
				return nil, err
			}
			for _, one := range list {
				if one.APIVersion == "" && of != "" {
					one.APIVersion = o.APIVersion
				}
			}
			all = append(all, list...)
		}
		return all, nil
	}
	return []*Object{o}, nil
}

// maxContainers is far beyond what any node starts for one pod.
const maxContainers = 500

// open decodes the object and finds its pods.
func (o *Object) open() error {
	o.decode()
	for _, p := range o.pods {
		if n := len(p.spec.InitContainers) + len(p.spec.Containers) + len(p.spec.EphemeralContainers); n > maxContainers {
			_, at := o.root.follow(p.at)
			return &SyntaxError{File: o.File, Line: at.line, Problem: fmt.Sprintf("a pod of %d containers, of which no more than %d are looked at", n, maxContainers)}
		}
	}
	return nil
}

func (o *Object) decode() {
	if meta := o.root.get("metadata"); meta != nil {
		o.Namespace, o.Name = meta.text("namespace"), meta.text("name")
		if o.Name == "" {
			o.Name = meta.text("generateName")
		}
	}
	switch {
	case o.APIVersion == "":
		o.faults = append(o.faults, fault{at: path{"apiVersion"}, said: "it has no apiVersion", fix: o.version()})
	case o.Kind == "":
		o.faults = append(o.faults, fault{at: path{"kind"}, said: "it has no kind"})
	}
	if value := typed(o.APIVersion, o.Kind); value != nil {
		o.faults = append(o.faults, o.root.decode(value, false)...)
		o.value = value
		if at, ok := templates[o.Kind]; ok {
			if o.Kind != "PodTemplate" || o.root.get("template") != nil {
				o.typedPod(at)
			}
		}
		return
	}
	if o.APIVersion != "" && o.Kind != "" {
		if said := doubt(o.APIVersion, o.Kind); said != "" {
			o.faults = append(o.faults, fault{at: path{"apiVersion"}, said: said})
		}
	}
	o.search(o.root, nil, 0)
}

// version is the apiVersion to write for the object's kind, if it is a known one.
func (o *Object) version() string {
	for _, version := range []string{"v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "policy/v1"} {
		if typed(version, o.Kind) != nil {
			return "apiVersion: " + version
		}
	}
	return ""
}

// typedPod takes the pod of a kind that is known to have one there.
func (o *Object) typedPod(template path) {
	n, _ := o.root.follow(template)
	spec := n.get("spec")
	at := template.join("spec")
	if list := spec.get("containers"); list == nil || list.kind != sequence || len(list.items) == 0 {
		o.faults = append(o.faults, fault{at: at.join("containers"), said: "the pod has no containers", fix: "containers: [{name: NAME, image: IMAGE@sha256:DIGEST}]"})
	}
	if spec == nil || spec.kind != mapping {
		return
	}
	p := &pod{Object: o, at: at}
	switch v := o.value.(type) {
	case *corev1.Pod:
		p.meta, p.spec = &v.ObjectMeta, &v.Spec
	case *corev1.PodTemplate:
		p.meta, p.spec = &v.Template.ObjectMeta, &v.Template.Spec
	case *corev1.ReplicationController:
		if v.Spec.Template != nil {
			p.meta, p.spec = &v.Spec.Template.ObjectMeta, &v.Spec.Template.Spec
		}
	case *appsv1.Deployment:
		p.meta, p.spec = &v.Spec.Template.ObjectMeta, &v.Spec.Template.Spec
	case *appsv1.ReplicaSet:
		p.meta, p.spec = &v.Spec.Template.ObjectMeta, &v.Spec.Template.Spec
	case *appsv1.StatefulSet:
		p.meta, p.spec = &v.Spec.Template.ObjectMeta, &v.Spec.Template.Spec
	case *appsv1.DaemonSet:
		p.meta, p.spec = &v.Spec.Template.ObjectMeta, &v.Spec.Template.Spec
	case *batchv1.Job:
		p.meta, p.spec = &v.Spec.Template.ObjectMeta, &v.Spec.Template.Spec
	case *batchv1.CronJob:
		p.meta, p.spec = &v.Spec.JobTemplate.Spec.Template.ObjectMeta, &v.Spec.JobTemplate.Spec.Template.Spec
	}
	if p.spec == nil { // a kind that templates knows and this does not would go unseen
		p = newPod(o, at)
		n.decodeMeta(p.meta)
		spec.decode(p.spec, true)
	}
	o.add(p)
}

// search looks for pods where nobody knows where they are: mappings with a list
// of containers, each of which has a name and at least one an image.
func (o *Object) search(n *node, at path, depth int) {
	if depth > maxDepth {
		return
	}
	switch n.kind {
	case sequence:
		for i, item := range n.items {
			o.search(item, at.join(i), depth+1)
		}
	case mapping:
		if n.holdsContainers() {
			p := newPod(o, at)
			for _, f := range n.decode(p.spec, true) {
				f.at = at.join(f.at...)
				o.faults = append(o.faults, f)
			}
			if len(at) > 0 && at[len(at)-1] == "spec" {
				template, _ := o.root.follow(at[:len(at)-1])
				template.decodeMeta(p.meta)
			}
			o.add(p)
			return
		}
		for i := range n.fields {
			o.search(n.fields[i].value, at.join(n.fields[i].name), depth+1)
		}
	}
}

func (n *node) holdsContainers() bool {
	list := n.get("containers")
	if list == nil || list.kind != sequence {
		return false
	}
	images := false
	for _, item := range list.items {
		if item.kind != mapping || item.text("name") == "" && item.get("image") == nil {
			return false
		}
		images = images || item.text("image") != ""
	}
	return images
}

func (n *node) decodeMeta(into *metav1.ObjectMeta) {
	if meta := n.get("metadata"); meta != nil && meta.kind == mapping {
		meta.decode(into, true)
	}
}

// add takes a pod as the API server would: a volume that does not say what it is
// is an emptyDir.
// https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/apis/core/v1/defaults.go
func (o *Object) add(p *pod) {
	for i := range p.spec.Volumes {
		if v := &p.spec.Volumes[i]; v.VolumeSource == (corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	if p.spec.ServiceAccountName == "" {
		p.spec.ServiceAccountName = p.spec.DeprecatedServiceAccount
	}
	o.pods = append(o.pods, p)
}
