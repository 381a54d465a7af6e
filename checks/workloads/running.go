package workloads

import (
	"fmt"
	slashpath "path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"temper/checks"
	"temper/checks/pattern"
)

var runCommand = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-command",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/",
		Doc: `the image has every program that the manifest runs in it

A container whose command is not in its image never starts, and a probe whose
command is not there fails until the pod is restarted, over and over. Nothing tells
before the manifest is applied.

Leave command out, and let the image's entrypoint start; probe with httpGet or grpc.`,
	},
	Run: eachRun(func(r run, out *pass) {
		look := func(name string, at path, fix string) {
			where, f, ok := r.find(name)
			if r.mount(where) >= 0 || strings.Contains(name, "$(") {
				return // what a volume holds nobody knows
			}
			switch {
			case !ok:
				out.here(at, fix, "%s has no program %s", r.image.Name, name)
			case f.Mode.IsDir() || f.Mode&0o111 == 0:
				out.here(at, fix, "%s of %s cannot be executed", name, r.image.Name)
			}
		}
		leave := "leave command out, and the image's entrypoint starts"
		if len(r.image.Entrypoint) == 0 {
			leave = "command: [/usr/local/bin/SERVICE]"
		}
		switch name, at := r.program(); {
		case name == "":
			out.here(r.container.at.join("command"), "command: [/usr/local/bin/SERVICE]", "neither %s nor the manifest says what to start", r.image.Name)
		case at != nil:
			look(name, at, leave)
		}
		for _, h := range r.handlers() {
			if h.Exec != nil && len(h.Exec.Command) > 0 {
				fix := "do it in the program, when it gets SIGTERM"
				if h.probe {
					fix = "httpGet: {path: /healthz, port: http}, or grpc: {port: 9090}"
				}
				look(h.Exec.Command[0], h.at.join("exec", "command"), fix)
			}
		}
	}),
}

var runUser = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-user",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/",
		Doc: `the manifest's user can execute the entrypoint

The image may give its program to one user, or the folder that it is in, and the
manifest run it as another: the container then ends with "permission denied".

Take the user that the image is made for, or leave runAsUser to the image.`,
	},
	Run: eachRun(func(r run, out *pass) {
		name, _ := r.program()
		uid, gid := r.user()
		if name == "" || uid <= 0 {
			return // root may, and whom nobody knows is another rule's business
		}
		where, _, ok := r.find(name)
		if !ok || r.mount(where) >= 0 {
			return
		}
		at := r.container.at.join("securityContext", "runAsUser")
		if n, _ := r.root.follow(r.pod.at.join(at...)); n == nil {
			at = path{"securityContext", "runAsUser"}
		}
		for p := where; ; p = slashpath.Dir(p) {
			f, ok := r.image.Look(p)
			if ok && !f.may(uid, append(r.groups(), gid)) {
				fix := ""
				if image, _, _ := strings.Cut(r.image.User, ":"); image != "" && image != strconv.FormatInt(uid, 10) {
					fix = "runAsUser: " + image
				}
				out.here(at, fix, "user %d may not execute %s: %s is %04o and belongs to %d:%d", uid, name, p, f.Mode.Perm(), f.UID, f.GID)
				return
			}
			if p == "/" {
				return
			}
		}
	}),
}

// may tells whether a user may execute a file, or go through a folder.
func (f File) may(uid int64, groups []int64) bool {
	switch {
	case int64(f.UID) == uid:
		return f.Mode&0o100 != 0
	case slices.Contains(groups, int64(f.GID)):
		return f.Mode&0o010 != 0
	}
	return f.Mode&0o001 != 0
}

var runPorts = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-ports",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/tutorials/services/connect-applications-service/",
		Doc: `the manifest's ports are those that the image declares

A Service, a probe or a NetworkPolicy that leads to a port on which nothing listens
looks right, and brings nothing. The image says on which ports its service listens:
probe-ports of Temper holds it to that.

Write the containerPort that the image exposes, or change the image's ports. A probe
by a name takes the containerPort of that name.`,
	},
	Run: eachRun(func(r run, out *pass) {
		if len(r.image.Ports) == 0 {
			return
		}
		declared := func(port int32) bool { return slices.Contains(r.image.Ports, int(port)) }
		var list []string
		for _, p := range r.image.Ports {
			list = append(list, strconv.Itoa(p))
		}
		have := strings.Join(list, ", ")
		for i, p := range r.Ports {
			if (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) && !declared(p.ContainerPort) {
				out.here(r.container.at.join("ports", i, "containerPort"), "containerPort: "+list[0], "nothing listens on port %d: %s declares %s", p.ContainerPort, r.image.Name, have)
			}
		}
		probe := func(at path, port intstr.IntOrString) {
			if port.Type == intstr.Int {
				if !declared(port.IntVal) {
					out.here(at, "port: "+list[0], "nothing listens on port %d: %s declares %s", port.IntVal, r.image.Name, have)
				}
				return
			}
			if !slices.ContainsFunc(r.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal }) {
				out.here(at, "port: "+list[0], "no port of the container is named %s", port.StrVal)
			}
		}
		for _, h := range r.handlers() {
			if h.HTTPGet != nil {
				probe(h.at.join("httpGet", "port"), h.HTTPGet.Port)
			}
			if h.TCPSocket != nil {
				probe(h.at.join("tcpSocket", "port"), h.TCPSocket.Port)
			}
		}
		for _, one := range []struct {
			field string
			probe *corev1.Probe
		}{{"startupProbe", r.StartupProbe}, {"livenessProbe", r.LivenessProbe}, {"readinessProbe", r.ReadinessProbe}} {
			if one.probe != nil && one.probe.GRPC != nil {
				probe(r.container.at.join(one.field, "grpc", "port"), intstr.FromInt32(one.probe.GRPC.Port))
			}
		}
	}),
}

var runMounts = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-mounts",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/concepts/storage/volumes/",
		Doc: `no mount hides the program that the container starts

A volume that is mounted on a folder takes its place: what the image has there is
gone, and the container ends with "no such file". Mounted over the program itself it
is another that starts, which nobody has signed.

Mount it elsewhere, or one file of it with subPath.`,
	},
	Run: eachRun(func(r run, out *pass) {
		name, _ := r.program()
		if name == "" {
			return
		}
		where, _, ok := r.find(name)
		if i := r.mount(where); ok && i >= 0 {
			out.here(r.container.at.join("volumeMounts", i, "mountPath"), "mountPath: another folder", "the mount hides %s of %s, which the container starts", where, r.image.Name)
		}
	}),
}

var runWrites = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-writes",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#set-the-security-context-for-a-container",
		Doc: `where the root is only read, a volume is mounted on what the service writes to

With readOnlyRootFilesystem a service that writes to /tmp, or to a folder that its
image declares as a volume, gets an error: at its start, or when the first request
comes that needs it.

Mount an emptyDir there: volumes: [{name: tmp, emptyDir: {sizeLimit: 64Mi}}] and
volumeMounts: [{name: tmp, mountPath: /tmp}].`,
	},
	Run: eachRun(func(r run, out *pass) {
		if !r.readOnly() {
			return
		}
		for _, dir := range r.image.Writes {
			dir = slashpath.Clean("/" + dir)
			r.writes(out, dir, dir, "")
		}
	}),
}

// writes reports that the container cannot write to a path, if it is so; below is the
// folder to mount a volume on, and from where the code says so.
func (r run) writes(out *pass, path, below, from string) {
	fix := fmt.Sprintf("volumeMounts: [{name: NAME, mountPath: %s}], with volumes: [{name: NAME, emptyDir: {sizeLimit: 64Mi}}]", below)
	if below == "/" {
		fix = "write below a folder of its own, and mount a volume there"
	}
	i := r.mount(path)
	if i < 0 {
		out.here(r.container.at.join("volumeMounts"), fix, "%s writes to %s%s, and the root is only read", r.image.Name, path, from)
		return
	}
	m := r.VolumeMounts[i]
	v := r.volume(m.Name)
	if m.ReadOnly || v != nil && (v.ConfigMap != nil || v.Secret != nil || v.DownwardAPI != nil || v.Projected != nil || v.Image != nil) {
		out.here(r.container.at.join("volumeMounts", i), fix, "%s writes to %s%s, and the volume there is only read", r.image.Name, path, from)
	}
}

var runFiles = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-files",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#set-the-security-context-for-a-container",
		Doc: `where the root is only read, a volume is mounted on what the service's code writes to by name

A path that stands in the code is where it writes, wherever it runs. With
readOnlyRootFilesystem and no volume there, that is an error when the code is
reached: at the start if all goes well, and else in production.

Mount an emptyDir there, or another volume: volumes: [{name: state, emptyDir:
{sizeLimit: 64Mi}}] and volumeMounts: [{name: state, mountPath: /var/lib/orders}].
What code is never reached in the pod is for a waiver to say.`,
	},
	Run: eachRun(func(r run, out *pass) {
		if !r.readOnly() {
			return
		}
		for _, c := range r.image.Creates {
			if slices.ContainsFunc(r.image.Writes, func(dir string) bool { return under(c.Path, slashpath.Clean("/"+dir)) }) {
				continue // which the rule run-writes tells
			}
			below := slashpath.Dir(c.Path)
			if c.Folder {
				if f, ok := r.image.Look(c.Path); ok && f.Mode.IsDir() {
					continue // there is nothing to make
				}
				below = c.Path
			}
			r.writes(out, c.Path, below, " ("+c.At+")")
		}
	}),
}

// under tells that a path is that of a folder, or of what is in it.
func under(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

var runGo = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-go",
		Severity: checks.Warning,
		Source:   "https://go.dev/doc/go1.25#container-aware-gomaxprocs",
		Doc: `a service with a CPU limit is compiled by a Go that knows of it

Before Go 1.25, or with a go.mod that says less, a service starts a thread for each
processor of its node, whatever its CPU limit is: it uses up its share early in each
period and stands still for the rest.

Write go 1.25 or later into go.mod; until then {name: GOMAXPROCS, valueFrom:
{resourceFieldRef: {resource: limits.cpu}}}.`,
	},
	Run: eachRun(func(r run, out *pass) {
		limit, limited := r.Resources.Limits[corev1.ResourceCPU]
		if !limited || r.image.Go == "" || r.setting(r.container, "GOMAXPROCS") != nil {
			return
		}
		for _, e := range r.image.Env {
			if strings.HasPrefix(e, "GOMAXPROCS=") {
				return
			}
		}
		why := ""
		switch m := goRelease().FindStringSubmatch(r.image.Go); {
		case m == nil:
		case slices.Contains(strings.Split(r.image.Debug, ","), "containermaxprocs=0"):
			why = "its go.mod asks for what Go did before 1.25"
		default:
			if minor, err := strconv.Atoi(m[1]); err == nil && minor < 25 {
				why = r.image.Go + " compiled it"
			}
		}
		if why != "" {
			out.here(r.container.at.join("resources", "limits", "cpu"), "{name: GOMAXPROCS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}",
				"%s does not know of the CPU limit %s: %s", r.image.Name, limit.String(), why)
		}
	}),
}

var goRelease = pattern.New(`^go1\.([0-9]+)`)

var runMemory = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-memory",
		Severity: checks.Error,
		Source:   "https://go.dev/doc/gc-guide#Memory_limit",
		Doc: `a GOMEMLIMIT that the image brings along is below the manifest's memory limit

What the image sets holds where the manifest sets nothing. Made for another limit,
it is above this one, and the kernel kills the service before Go has a reason to
collect.

Set it where the limit is: {name: GOMEMLIMIT, value: 105MiB} for 125Mi.`,
	},
	Run: eachRun(func(r run, out *pass) {
		m := r.goMemory(r.container)
		if m.setting != nil || m.limit == 0 || r.fromElsewhere(r.container) {
			return
		}
		for _, e := range r.image.Env {
			value, ok := strings.CutPrefix(e, "GOMEMLIMIT=")
			if !ok {
				continue
			}
			m.fromText(value)
			at := r.container.at.join("resources", "limits", "memory")
			switch {
			case m.wrong != "":
				out.here(at, m.fix(), "in %s %s", r.image.Name, m.wrong)
			case m.share() > mostShare:
				out.here(at, m.fix(), "GOMEMLIMIT of %s is %s, %.0f %% of the memory limit %s, want %d to %d %%", r.image.Name, m.text, m.share(), m.limitText, leastShare, mostShare)
			}
		}
	}),
}

var runHost = &checks.Check[*Deployed]{
	Rule: checks.Rule{
		Name:     "run-host",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#http-probes",
		Doc: `a probe asks by a name that the service answers to, or for a path that it serves under every name

The kubelet asks a pod by its address. A service that answers to its own names only,
as it should, refuses that with 400, and is restarted as unwell.

Probe a path that the service exempts, such as /healthz, or ask by a name:
httpGet: {httpHeaders: [{name: Host, value: NAME}]}.`,
	},
	Run: eachRun(func(r run, out *pass) {
		// Where only the code says that there is a guard, its exemptions are known if
		// there are some: it may tell paths apart in ways that nobody has followed.
		guarded := r.image.Guarded && len(r.image.Exempt) > 0
		if len(r.image.Hosts) == 0 && !guarded {
			return
		}
		for _, h := range r.handlers() {
			if h.HTTPGet == nil {
				continue
			}
			asked, _, _ := strings.Cut(h.HTTPGet.Path, "?")
			host := ""
			for _, header := range h.HTTPGet.HTTPHeaders {
				if strings.EqualFold(header.Name, "Host") {
					host = header.Value
				}
			}
			if slices.Contains(r.image.Exempt, asked) || slices.Contains(r.image.Hosts, host) || len(r.image.Hosts) == 0 && host != "" {
				continue
			}
			said, name := "the kubelet asks by the pod's address", "NAME"
			if host != "" {
				said = "the kubelet asks by the name " + host
			}
			answers := "answers strangers for " + strings.Join(r.image.Exempt, ", ") + " only"
			if len(r.image.Hosts) > 0 {
				name, answers = r.image.Hosts[0], "answers to "+strings.Join(r.image.Hosts, ", ")+" only"
			}
			out.here(h.at.join("httpGet"), fmt.Sprintf("httpHeaders: [{name: Host, value: %s}]", name), "%s for %s, and %s %s", said, asked, r.image.Name, answers)
		}
	}),
}
