package workloads

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/policy"

	"temper/checks"
)

var podPrivileges = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-privileges",
		Severity: checks.Error,
		Source:   standardsSource + "#restricted",
		Doc: `no container is privileged, or can become more than it is

A privileged container has every device and capability of its node: it is root
there in all but name. One that may escalate becomes so by the first setuid file
or file capability that it finds, in the image or in a volume.

Write securityContext: {allowPrivilegeEscalation: false} into every container,
init containers too: it cannot be set for the pod, and the default is true. Leave
out privileged, and hostProcess on Windows.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		const fix = "securityContext: {allowPrivilegeEscalation: false}"
		p.standard(out, []policy.CheckID{"privileged"}, func(out *pointer) {
			for _, c := range p.containers() {
				if sc := c.SecurityContext; sc != nil && sc.Privileged != nil && *sc.Privileged {
					out.here(c.at.join("securityContext", "privileged"), "privileged: false", "the container is privileged: it is root on its node")
				}
			}
		})
		p.standard(out, []policy.CheckID{"allowPrivilegeEscalation"}, func(out *pointer) {
			for _, c := range p.containers() {
				at := c.at.join("securityContext", "allowPrivilegeEscalation")
				switch sc := c.SecurityContext; {
				case sc == nil || sc.AllowPrivilegeEscalation == nil:
					out.here(at, fix, "the container may gain privileges: it does not set allowPrivilegeEscalation to false")
				case *sc.AllowPrivilegeEscalation:
					out.here(at, "allowPrivilegeEscalation: false", "the container may gain privileges: allowPrivilegeEscalation is true")
				}
			}
		})
		p.standard(out, []policy.CheckID{"windowsHostProcess"}, func(out *pointer) {
			host := func(o *corev1.WindowsSecurityContextOptions) bool {
				return o != nil && o.HostProcess != nil && *o.HostProcess
			}
			at := path{"securityContext", "windowsOptions", "hostProcess"}
			if sc := p.spec.SecurityContext; sc != nil && host(sc.WindowsOptions) {
				out.here(at, "hostProcess: false", "the pod runs on its node, and in no container")
			}
			for _, c := range p.containers() {
				if sc := c.SecurityContext; sc != nil && host(sc.WindowsOptions) {
					out.here(c.at.join(at...), "hostProcess: false", "the container runs on its node, and in no container")
				}
			}
		})
	}),
}

var podCapabilities = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-capabilities",
		Severity: checks.Error,
		Source:   standardsSource + "#restricted",
		Doc: `every container drops all capabilities, and adds none but NET_BIND_SERVICE where it has a low port

A container starts with some of root's rights, such as to write raw packets and to
change the owner of files. A Go service needs none of them.

Write securityContext: {capabilities: {drop: [ALL]}} into every container, init
containers too: it cannot be set for the pod. A service that has to listen below
1024 may add NET_BIND_SERVICE, and says so by a containerPort; better is a port
above, with a Service in front of it.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		p.standard(out, []policy.CheckID{"capabilities_restricted"}, func(out *pointer) {
			for _, c := range p.containers() {
				at := c.at.join("securityContext", "capabilities")
				drops := false
				if sc := c.SecurityContext; sc != nil && sc.Capabilities != nil {
					for _, d := range sc.Capabilities.Drop {
						drops = drops || d == "ALL"
					}
					for i, a := range sc.Capabilities.Add {
						if a != "NET_BIND_SERVICE" {
							out.here(at.join("add", i), "leave it out", "the container adds the capability %s", a)
						}
					}
				}
				if !drops {
					out.here(at.join("drop"), "securityContext: {capabilities: {drop: [ALL]}}", "the container keeps capabilities: it does not drop ALL")
				}
			}
		})
		for _, c := range p.containers() {
			if c.SecurityContext == nil || c.SecurityContext.Capabilities == nil {
				continue
			}
			low := false
			for _, port := range c.Ports {
				low = low || port.ContainerPort < 1024
			}
			for i, a := range c.SecurityContext.Capabilities.Add {
				if a == "NET_BIND_SERVICE" && !low {
					out.here(c.at.join("securityContext", "capabilities", "add", i), "leave it out", "the container adds NET_BIND_SERVICE, and has no port below 1024")
				}
			}
		}
	}),
}

var podSeccomp = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-seccomp",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/tutorials/security/seccomp/",
		Doc: `every container has a seccomp profile, that of the runtime or one of its own

Without one a process may call all of the kernel, and most holes in it are in calls
that no service makes. Unless the node's kubelet says otherwise, a pod that does
not ask for a profile has none.

Write securityContext: {seccompProfile: {type: RuntimeDefault}} into the pod.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		const fix = "securityContext: {seccompProfile: {type: RuntimeDefault}}"
		p.standard(out, []policy.CheckID{"seccompProfile_restricted"}, func(out *pointer) {
			at := path{"securityContext", "seccompProfile", "type"}
			good := func(s *corev1.SeccompProfile) bool {
				return s.Type == corev1.SeccompProfileTypeRuntimeDefault || s.Type == corev1.SeccompProfileTypeLocalhost
			}
			holds := false
			if sc := p.spec.SecurityContext; sc != nil && sc.SeccompProfile != nil {
				if holds = good(sc.SeccompProfile); !holds {
					out.here(at, "type: RuntimeDefault", "the pod's seccomp profile is %q", sc.SeccompProfile.Type)
					holds = true
				}
			}
			all := p.containers()
			var bare []container
			for _, c := range all {
				switch sc := c.SecurityContext; {
				case sc == nil || sc.SeccompProfile == nil:
					bare = append(bare, c)
				case !good(sc.SeccompProfile):
					out.here(c.at.join(at...), "type: RuntimeDefault", "the container's seccomp profile is %q", sc.SeccompProfile.Type)
				}
			}
			switch {
			case holds:
			case len(bare) == len(all):
				out.here(at, fix, "the pod has no seccomp profile")
			default:
				for _, c := range bare {
					out.here(c.at.join(at...), fix, "the container has no seccomp profile")
				}
			}
		})
	}),
}

var podKernel = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-kernel",
		Severity: checks.Error,
		Source:   standardsSource + "#baseline",
		Doc: `no pod loosens what the kernel holds it by: AppArmor, SELinux, /proc and sysctls

AppArmor and SELinux keep a process in its container when all else has failed, and
what is masked in /proc keeps it from reading and changing its node. Most sysctls
change the node for all pods that are on it.

Leave out appArmorProfile, or make it RuntimeDefault; leave out seLinuxOptions and
procMount; and of sysctls take those that the Pod Security Standards name as safe.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		// The standards know what is safe. They are asked about one thing at a time.
		for _, one := range []struct {
			id    policy.CheckID
			field string
			said  string
		}{
			{"appArmorProfile", "appArmorProfile", "AppArmor does not hold it"},
			{"seLinuxOptions", "seLinuxOptions", "SELinux does not hold it as a container"},
			{"procMount_restricted", "procMount", "it sees all of /proc"},
		} {
			p.standard(out, []policy.CheckID{one.id}, func(out *pointer) {
				if one.id == "appArmorProfile" {
					for name, value := range p.meta.Annotations {
						if strings.HasPrefix(name, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix) && value == corev1.DeprecatedAppArmorBetaProfileNameUnconfined {
							out.annotation(p, name, "leave it out", "%s", one.said)
						}
					}
				}
				bare := newPod(p.Object, nil)
				if bare.alone(one.id, corev1.PodSpec{SecurityContext: p.spec.SecurityContext, HostUsers: p.spec.HostUsers}) {
					out.here(path{"securityContext", one.field}, "leave it out", "%s", one.said)
				}
				for _, c := range p.containers() {
					if bare.alone(one.id, p.only(c)) {
						out.here(c.at.join("securityContext", one.field), "leave it out", "%s", one.said)
					}
				}
			})
		}
		p.standard(out, []policy.CheckID{"sysctls"}, func(out *pointer) {
			if p.spec.SecurityContext == nil {
				return
			}
			for i, s := range p.spec.SecurityContext.Sysctls {
				if p.alone("sysctls", corev1.PodSpec{SecurityContext: &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{s}}}) {
					out.here(path{"securityContext", "sysctls", i}, "leave it out", "the sysctl %s is not one of the safe ones", s.Name)
				}
			}
		})
	}),
}

// annotation reports one of the pod's own.
func (p *pointer) annotation(of *pod, name, fix, format string, args ...any) {
	p.reported++
	at := path{"metadata", "annotations", name}
	if len(of.at) > 0 {
		at = of.at[:len(of.at)-1].join(at...)
	}
	p.pass.below(nil).here(at, fix, format, args...)
}
