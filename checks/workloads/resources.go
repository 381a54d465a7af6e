package workloads

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"temper/checks"
)

const resourcesSource = "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"

var memoryLimit = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "memory-limit",
		Severity: checks.Error,
		Source:   resourcesSource,
		Doc: `every container has a memory limit

Without one a leak, or one request too large, takes the memory of its node, and the
kernel kills whatever pod it finds largest. Go uses as much as it is let: it has no
reason to collect.

Write resources: {requests: {memory: 100Mi}, limits: {memory: 125Mi}} into every
container, init containers too, with what the service was seen to need.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		if p.limit(corev1.ResourceMemory) != nil {
			return
		}
		for _, c := range p.containers() {
			if c.ephemeral() {
				continue
			}
			if _, ok := c.Resources.Limits[corev1.ResourceMemory]; !ok {
				fix := "resources: {requests: {memory: 100Mi}, limits: {memory: 125Mi}}"
				if r, ok := c.Resources.Requests[corev1.ResourceMemory]; ok && r.Sign() > 0 {
					fix = fmt.Sprintf("limits: {memory: %s}", above(r, p.set.Options))
				}
				out.here(c.at.join("resources", "limits", "memory"), fix, "no memory limit: the container may take its node's")
			}
		}
	}),
}

// above is a limit in the middle of the band above a request.
func above(request resource.Quantity, o Options) string {
	least, most := o.band()
	bytes := request.AsApproximateFloat64() * (1 + float64(least+most)/200)
	const mi = 1 << 20
	return fmt.Sprintf("%dMi", int64(bytes+mi/2)/mi)
}

// ephemeral tells a container that takes no resources.
func (c container) ephemeral() bool { return c.at[0] == "ephemeralContainers" }

// limit is what all containers of the pod have together, nil if it is not said.
func (p *pod) limit(name corev1.ResourceName) *resource.Quantity {
	if p.spec.Resources == nil {
		return nil
	}
	if q, ok := p.spec.Resources.Limits[name]; ok {
		return &q
	}
	return nil
}

var memoryRequest = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "memory-request",
		Severity: checks.Warning,
		Source:   resourcesSource,
		Doc: `the memory limit is 20 to 30 % above the request

The scheduler counts requests, and the kernel kills by limits. What lies between
them is promised to nobody: a node that is full of pods far above their requests
has none of it left when they all need it. Without any of it, memory that is hardly
ever used is taken from other pods.

Ask for what the service needs on a normal day, and set the limit a quarter above:
resources: {requests: {memory: 100Mi}, limits: {memory: 125Mi}}. A limit equal to
the request makes a pod of class Guaranteed, if CPU is treated the same, which is
the last to be evicted: waive the rule where that is what you want. "--memory-band
20-30" of temper check sets another band.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		least, most := p.set.Options.band()
		for _, c := range p.containers() {
			limit, ok := c.Resources.Limits[corev1.ResourceMemory]
			if !ok || limit.Value() < leastMemory {
				continue // the business of memory-limit and of quantity
			}
			at := c.at.join("resources", "requests", "memory")
			request, ok := c.Resources.Requests[corev1.ResourceMemory]
			want := func() string {
				bytes := limit.AsApproximateFloat64() / (1 + float64(least+most)/200)
				return fmt.Sprintf("requests: {memory: %dMi}", int64(bytes)>>20)
			}
			if !ok {
				out.here(at, want(), "no memory request: it is taken to be the limit, %s", limit.String())
				continue
			}
			if request.Sign() <= 0 {
				out.here(at, want(), "the memory request is %s: the scheduler counts nothing", request.String())
				continue
			}
			percent := 100 * (limit.AsApproximateFloat64()/request.AsApproximateFloat64() - 1)
			// What is rounded to a Mi may be a little off.
			if percent < -0.5 {
				continue // the business of quantity
			}
			if percent < float64(least)-0.5 || percent > float64(most)+0.5 {
				out.here(c.at.join("resources", "limits", "memory"), fmt.Sprintf("limits: {memory: %s}", above(request, p.set.Options)),
					"the memory limit %s is %.0f %% above the request %s, want %d to %d %%", limit.String(), percent, request.String(), least, most)
			}
		}
	}),
}

var cpuRequest = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "cpu-request",
		Severity: checks.Warning,
		Source:   resourcesSource,
		Doc: `every container asks for CPU

The request is a container's share where there is not enough for all. One that asks
for nothing gets what is left, and the scheduler puts it on any node, however busy.

Write resources: {requests: {cpu: 50m}}, with what the service was seen to use. No
CPU limit is needed: it stops a service in the middle of a request, while its node
is idle.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		if r := p.spec.Resources; r != nil && !r.Requests.Cpu().IsZero() {
			return
		}
		for _, c := range p.containers() {
			_, limited := c.Resources.Limits[corev1.ResourceCPU] // which is then the request
			if q, ok := c.Resources.Requests[corev1.ResourceCPU]; ok && q.Sign() <= 0 || !ok && !limited && !c.ephemeral() {
				out.here(c.at.join("resources", "requests", "cpu"), "resources: {requests: {cpu: 50m}}", "no CPU request: the container gets what others leave")
			}
		}
	}),
}

var ephemeralStorage = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "ephemeral-storage",
		Severity: checks.Warning,
		Source:   resourcesSource + "#local-ephemeral-storage",
		Doc: `every container asks for ephemeral storage, and has a limit of it

What a container logs, and writes to its root and to an emptyDir, is on its node's
disk. When that is full the kubelet evicts pods, those first that are above their
request; one without a limit can be what fills it.

Write resources: {requests: {ephemeral-storage: 16Mi}, limits: {ephemeral-storage:
64Mi}}. Logs count, until the kubelet rotates them: of a container that writes nothing
else, with a root that is only read and no emptyDir on disk, nothing is said.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			if c.ephemeral() {
				continue
			}
			_, limit := c.Resources.Limits[corev1.ResourceEphemeralStorage]
			_, request := c.Resources.Requests[corev1.ResourceEphemeralStorage]
			switch {
			case !limit && p.fills(c) == nothing:
			case !limit:
				why := "the container may fill its node's disk"
				if p.fills(c) == bounded {
					why = "the scheduler does not know of what its volumes and its logs take"
				}
				out.here(c.at.join("resources", "limits", "ephemeral-storage"), "resources: {requests: {ephemeral-storage: 16Mi}, limits: {ephemeral-storage: 64Mi}}",
					"no limit of ephemeral storage: %s", why)
			case !request:
				out.here(c.at.join("resources", "requests", "ephemeral-storage"), "requests: {ephemeral-storage: 16Mi}", "no request of ephemeral storage: it is taken to be the limit")
			}
		}
	}),
}

// What a container fills of its node's disk, beside its logs.
type filling int

const (
	nothing filling = iota
	bounded
	unbounded
)

// fills tells it by the container's root, and by the emptyDirs that it may write to.
func (p *pod) fills(c container) filling {
	if sc := c.SecurityContext; sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem {
		return unbounded
	}
	most := nothing
	for _, v := range p.spec.Volumes {
		if v.EmptyDir == nil || v.EmptyDir.Medium == corev1.StorageMediumMemory || !mounts(c, v.Name) {
			continue
		}
		if v.EmptyDir.SizeLimit == nil {
			return unbounded
		}
		most = bounded
	}
	return most
}

// mounts tells that a container may write to a volume.
func mounts(c container, volume string) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == volume && !m.ReadOnly })
}

var quantity = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "quantity",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/",
		Doc: `no quantity is one that nobody means

"m" is a thousandth and "M" a million: 125m of memory is an eighth of one byte, and
a CPU of 100 is a hundred processors. The API server takes both. A container whose
limit is below a few mebibytes cannot even be started.

Write memory and storage with Mi or Gi and CPU with m, 125Mi and 100m, and no
request above its limit.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			p.quantities(out, c.at.join("resources"), c.Resources.Requests, c.Resources.Limits)
		}
		if r := p.spec.Resources; r != nil {
			p.quantities(out, path{"resources"}, r.Requests, r.Limits)
		}
		for i, v := range p.spec.Volumes {
			if v.EmptyDir == nil || v.EmptyDir.SizeLimit == nil {
				continue
			}
			if said, fix := doubtStorage(*v.EmptyDir.SizeLimit, 4<<10); said != "" {
				out.here(path{"volumes", i, "emptyDir", "sizeLimit"}, fix, "sizeLimit %s", said)
			}
		}
	}),
}

const (
	// A container with less cannot be started by its runtime.
	// https://docs.docker.com/engine/containers/resource_constraints/#limit-a-containers-access-to-memory
	leastMemory = 6 << 20
	// No node has as much.
	mostMemory = 64 << 40
	// Few nodes have as many processors, and 100 for 100m is easily written.
	manyCPUs = 100
)

func (p *pod) quantities(out *pass, at path, requests, limits corev1.ResourceList) {
	for _, list := range []struct {
		field string
		of    corev1.ResourceList
	}{{"requests", requests}, {"limits", limits}} {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
			q, ok := list.of[name]
			if !ok {
				continue
			}
			where := at.join(list.field, string(name))
			var said, fix string
			switch name {
			case corev1.ResourceCPU:
				said, fix = doubtCPU(q)
			case corev1.ResourceMemory:
				said, fix = doubtStorage(q, leastMemory)
			default:
				said, fix = doubtStorage(q, 64<<10)
			}
			if said != "" {
				out.here(where, fix, "%s %s", name, said)
				continue
			}
			if limit, ok := limits[name]; ok && list.field == "requests" && q.Cmp(limit) > 0 {
				out.here(where, fmt.Sprintf("%s: %s, or a higher limit", name, limit.String()), "%s: the request %s is above the limit %s", name, q.String(), limit.String())
			}
		}
	}
}

func doubtCPU(q resource.Quantity) (said, fix string) {
	text := q.String()
	switch {
	case q.Sign() < 0:
		return text + " is below zero", ""
	case q.Cmp(*resource.NewQuantity(manyCPUs, resource.DecimalSI)) >= 0:
		if v := q.Value(); v < 10*1000 && !strings.ContainsAny(text, "kKMGTiE") {
			return text + " is that many processors", fmt.Sprintf("cpu: %dm", v)
		}
		return text + " is more processors than a node has", "cpu: 100m"
	case q.Sign() > 0 && q.Cmp(resource.MustParse("1m")) < 0:
		return text + " is less than a thousandth of a processor, which is the least there is", "cpu: 10m"
	}
	return "", ""
}

func doubtStorage(q resource.Quantity, least int64) (said, fix string) {
	text := q.String()
	number := strings.TrimRight(text, "munkKMGTPEi")
	switch {
	case q.Sign() < 0:
		return text + " is below zero", ""
	case q.Sign() == 0:
		return "", ""
	case q.MilliValue()%1000 != 0 && q.Value() < 1<<40:
		return text + " is part of a byte: m is milli", number + "Mi"
	case q.Value() < least:
		fix := number + "Mi"
		if number != text {
			fix = "" // the unit is meant
		}
		return fmt.Sprintf("%s is %d bytes, which is too little for anything", text, q.Value()), fix
	case q.Value() > mostMemory:
		return text + " is more than a node has", ""
	}
	return "", ""
}
