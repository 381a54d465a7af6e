package workloads

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/policy"

	"temper/checks"
)

var podHost = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-host",
		Severity: checks.Error,
		Source:   standardsSource + "#baseline",
		Doc: `no pod shares its node's namespaces or ports, or has the kubelet call elsewhere

In its node's network a pod is past every NetworkPolicy and reaches what listens on
localhost, the kubelet among it. In its node's processes it reads the environment
of them all. A probe or a hook with a host of its own makes the kubelet send
requests wherever the manifest wishes.

Leave out hostNetwork, hostPID, hostIPC, hostPort, and host in probes and hooks. A
Service brings requests to a pod.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		p.standard(out, []policy.CheckID{"hostNamespaces"}, func(out *pointer) {
			for _, one := range []struct {
				field string
				set   bool
				said  string
			}{
				{"hostNetwork", p.spec.HostNetwork, "the pod is in its node's network, past every NetworkPolicy"},
				{"hostPID", p.spec.HostPID, "the pod sees and signals its node's processes"},
				{"hostIPC", p.spec.HostIPC, "the pod shares memory with its node"},
			} {
				if one.set {
					out.here(path{one.field}, one.field+": false", "%s", one.said)
				}
			}
		})
		p.standard(out, []policy.CheckID{"hostPorts"}, func(out *pointer) {
			for _, c := range p.containers() {
				for i, port := range c.Ports {
					if port.HostPort != 0 {
						out.here(c.at.join("ports", i, "hostPort"), "leave it out: a Service brings requests to the pod", "the container takes port %d of its node", port.HostPort)
					}
				}
			}
		})
		p.standard(out, []policy.CheckID{"hostProbesAndHostLifecycle"}, func(out *pointer) {
			for _, c := range p.containers() {
				for _, h := range c.handlers() {
					if h.HTTPGet != nil && h.HTTPGet.Host != "" {
						out.here(h.at.join("httpGet", "host"), "leave it out: the kubelet asks the pod", "the kubelet is sent to %s", h.HTTPGet.Host)
					}
					if h.TCPSocket != nil && h.TCPSocket.Host != "" {
						out.here(h.at.join("tcpSocket", "host"), "leave it out: the kubelet asks the pod", "the kubelet is sent to %s", h.TCPSocket.Host)
					}
				}
			}
		})
	}),
}

// A handler is what the kubelet does to a container: a probe or a hook.
type handler struct {
	at        path
	Exec      *corev1.ExecAction
	HTTPGet   *corev1.HTTPGetAction
	TCPSocket *corev1.TCPSocketAction
	probe     bool
}

func (c container) handlers() []handler {
	var all []handler
	for _, one := range []struct {
		field string
		probe *corev1.Probe
	}{{"startupProbe", c.StartupProbe}, {"livenessProbe", c.LivenessProbe}, {"readinessProbe", c.ReadinessProbe}} {
		if p := one.probe; p != nil {
			all = append(all, handler{c.at.join(one.field), p.Exec, p.HTTPGet, p.TCPSocket, true})
		}
	}
	if l := c.Lifecycle; l != nil {
		for _, one := range []struct {
			field string
			hook  *corev1.LifecycleHandler
		}{{"postStart", l.PostStart}, {"preStop", l.PreStop}} {
			if h := one.hook; h != nil {
				all = append(all, handler{c.at.join("lifecycle", one.field), h.Exec, h.HTTPGet, h.TCPSocket, false})
			}
		}
	}
	return all
}

var podVolumes = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-volumes",
		Severity: checks.Error,
		Source:   standardsSource + "#restricted",
		Doc: `no pod mounts its node's files, or a volume that it describes itself

Who can read the node's disk can read every secret on it, and who can write to it
or to its container runtime's socket is root there. A volume that the manifest
describes down to the server, such as nfs, is nobody's to grant.

Take configMap, secret, projected, downwardAPI, emptyDir, csi, ephemeral, image or
persistentVolumeClaim. An administrator describes other storage in a
PersistentVolume.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		p.standard(out, []policy.CheckID{"restrictedVolumes"}, func(out *pointer) {
			for i, v := range p.spec.Volumes {
				if !p.alone("restrictedVolumes", corev1.PodSpec{Volumes: []corev1.Volume{v}}) {
					continue
				}
				at := path{"volumes", i}
				what := "a kind of volume that the manifest describes itself"
				if h := v.HostPath; h != nil {
					out.here(at.join("hostPath"), "take it out, with its volumeMounts", "the pod mounts %s of its node", h.Path)
					continue
				}
				if n, _ := p.root.follow(p.at.join(at...)); n != nil {
					for _, f := range n.fields {
						if f.name != "name" {
							at, what = at.join(f.name), "a volume of kind "+f.name
							break
						}
					}
				}
				out.here(at, "persistentVolumeClaim: {claimName: NAME}", "the pod mounts %s", what)
			}
		})
	}),
}

var podProcesses = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-processes",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/share-process-namespace/",
		Doc: `the containers of a pod do not see each other's processes

With a shared process namespace each container reads the environment and the files
of the others through /proc, and signals them: the sidecar from elsewhere has what
the service has.

Leave out shareProcessNamespace.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		if s := p.spec.ShareProcessNamespace; s != nil && *s {
			out.here(path{"shareProcessNamespace"}, "shareProcessNamespace: false", "the containers see each other's processes")
		}
	}),
}

var podDebug = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-debug",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/",
		Doc: `no manifest holds an ephemeral container

An ephemeral container is put into a pod that runs, to look at it, and stays there
until the pod is gone: a manifest that has one was read back from a cluster where
somebody was debugging. It brings the shell and the tools that the image leaves out.

Take ephemeralContainers out. "kubectl debug" adds one when it is needed, to those
who may.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for i := range p.spec.EphemeralContainers {
			out.here(path{"ephemeralContainers", i}, "take ephemeralContainers out", "a container to debug with")
		}
	}),
}

var podRoot = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-root",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#set-the-security-context-for-a-container",
		Doc: `no container writes to its root: readOnlyRootFilesystem is true

Who breaks into a service writes a program somewhere and starts it, or changes the
one that is there. With a root that is only read there is no place for it, and
nothing of the image is other than what was signed.

Write securityContext: {readOnlyRootFilesystem: true} into every container, init
containers too, and mount an emptyDir with a sizeLimit where the service has to
write, such as /tmp.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		if p.windows() {
			return
		}
		for _, c := range p.containers() {
			at := c.at.join("securityContext", "readOnlyRootFilesystem")
			switch sc := c.SecurityContext; {
			case sc == nil || sc.ReadOnlyRootFilesystem == nil:
				out.here(at, "securityContext: {readOnlyRootFilesystem: true}", "the container may write to its root: it does not set readOnlyRootFilesystem")
			case !*sc.ReadOnlyRootFilesystem:
				out.here(at, "readOnlyRootFilesystem: true", "the container may write to its root: readOnlyRootFilesystem is false")
			}
		}
	}),
}

var emptyDir = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "empty-dir",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/concepts/storage/volumes/#emptydir",
		Doc: `every emptyDir has a sizeLimit

An emptyDir is on the node's disk, or in its memory, and grows until that is full:
then the pods beside it are evicted.

Write emptyDir: {sizeLimit: 64Mi}, with as much as the service needs. One in memory
counts against the container's memory limit.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for i, v := range p.spec.Volumes {
			if v.EmptyDir != nil && (v.EmptyDir.SizeLimit == nil || v.EmptyDir.SizeLimit.Sign() <= 0) {
				out.here(path{"volumes", i, "emptyDir", "sizeLimit"}, "emptyDir: {sizeLimit: 64Mi}", "the emptyDir grows until its node is full: it has no sizeLimit")
			}
		}
	}),
}
