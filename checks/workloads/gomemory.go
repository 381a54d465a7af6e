package workloads

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"temper/checks"
	"temper/checks/pattern"
)

// The share of the memory limit that GOMEMLIMIT should be, in percent.
const leastShare, mostShare = 75, 95

var goMemoryLimit = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "go-memory-limit",
		Severity: checks.Error,
		Source:   "https://go.dev/doc/gc-guide#Memory_limit",
		Doc: `GOMEMLIMIT is one that Go takes, and below the memory limit

Go collects harder as it comes near GOMEMLIMIT. Where that is at the container's
limit or above, the kernel kills the process before Go has a reason to. Not all of a
process's memory is Go's to count, so something has to be left.
A value that Go cannot read ends the program as it starts: its units are B, KiB, MiB,
GiB and TiB, and Kubernetes' Mi is none of them.

Write 75 to 95 % of the limit: {name: GOMEMLIMIT, value: 105MiB} for 125Mi. With a
request that is as much of the limit, take it from there: {name: GOMEMLIMIT,
valueFrom: {resourceFieldRef: {resource: requests.memory}}}. limits.memory would be
all of it, and a divisor would leave out the unit.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			m := p.goMemory(c)
			if m.setting == nil {
				continue
			}
			at := m.setting.at
			switch {
			case m.wrong != "":
				out.here(at, m.fix(), "%s", m.wrong)
			case m.known && m.limit > 0 && m.share() > mostShare:
				out.here(at, m.fix(), "GOMEMLIMIT is %s, %.0f %% of the memory limit %s, want %d to %d %%", m.text, m.share(), m.limitText, leastShare, mostShare)
			}
		}
	}),
}

var goMemoryShare = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "go-memory-share",
		Severity: checks.Warning,
		Source:   "https://go.dev/doc/gc-guide#Memory_limit",
		Doc: `GOMEMLIMIT is there, and at least 75 % of the memory limit

Go does not read its container's memory limit. Without GOMEMLIMIT the heap may be
twice of what is in use before it is collected, and the kernel kills a service that
would have fitted. Far below the limit Go collects all the time, for memory that is
there.

Write 75 to 95 % of the limit: {name: GOMEMLIMIT, value: 105MiB} for 125Mi. What a
container runs a manifest does not tell, and nothing is said only of images whose
names are those of programs in other languages, such as redis: waive the rule for
others.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			m := p.goMemory(c)
			switch {
			case c.init || m.limit == 0:
			case m.setting == nil && (p.fromElsewhere(c) || notGo()[program(c.Image)]):
			case m.setting == nil:
				out.here(c.at.join("env"), m.fix(), "no GOMEMLIMIT, and Go does not know of the memory limit %s", m.limitText)
			case m.wrong != "":
			case !m.known:
				out.here(m.setting.at, m.fix(), "GOMEMLIMIT comes from %s, and cannot be held against the memory limit", m.setting.from)
			case m.share() < leastShare:
				out.here(m.setting.at, m.fix(), "GOMEMLIMIT is %s, %.0f %% of the memory limit %s, want %d to %d %%", m.text, m.share(), m.limitText, leastShare, mostShare)
			}
		}
	}),
}

// notGo are names of images that everybody knows, and knows to hold no program in
// Go.
var notGo = sync.OnceValue(func() map[string]bool {
	m := make(map[string]bool)
	for _, name := range strings.Fields(`alpine amazoncorretto busybox cassandra debian eclipse-temurin elasticsearch envoy
		fluent-bit fluentd haproxy httpd jenkins jetty kafka keycloak kibana logstash mariadb memcached mongo mongodb mysql
		nginx node openjdk opensearch percona perl php postgres postgresql python rabbitmq redis ruby solr tomcat ubuntu
		valkey wordpress zookeeper`) {
		m[name] = true
	}
	return m
})

// program is the last part of an image's name.
func program(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image, _, _ = strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	return image
}

// A memory is GOMEMLIMIT of a container and the limit to hold it against.
type memory struct {
	setting *setting
	// known tells that bytes is what Go takes, and wrong what is wrong if it
	// cannot be told or is none.
	known bool
	bytes float64
	text  string
	wrong string
	// limit is 0 where there is none.
	limit     float64
	limitText string
}

func (m *memory) share() float64 { return 100 * m.bytes / m.limit }

// fix is a setting in the middle of what is wanted.
func (m *memory) fix() string {
	if m.limit == 0 {
		return "{name: GOMEMLIMIT, value: 105MiB}, for a limit of 125Mi"
	}
	return fmt.Sprintf("{name: GOMEMLIMIT, value: %dMiB}", int64(m.limit*0.85)>>20)
}

func (p *pod) goMemory(c container) *memory {
	m := &memory{setting: p.setting(c, "GOMEMLIMIT")}
	limit, ok := c.Resources.Limits[corev1.ResourceMemory]
	if whole := p.limit(corev1.ResourceMemory); !ok && whole != nil {
		limit, ok = *whole, true
	}
	if ok && limit.Value() >= leastMemory { // what is below is the business of quantity
		m.limit, m.limitText = limit.AsApproximateFloat64(), limit.String()
	}
	switch s := m.setting; {
	case s == nil:
	case s.field != nil:
		m.fromField(p, c, s.field)
	case s.known:
		m.fromText(s.value)
	}
	return m
}

// fromText reads a value as Go does.
// https://pkg.go.dev/runtime/debug#SetMemoryLimit
func (m *memory) fromText(text string) {
	m.text = text
	if text == "" {
		m.wrong = "GOMEMLIMIT is empty: Go then has no limit"
		return
	}
	if text == "off" {
		m.wrong = "GOMEMLIMIT is off: Go collects as if there were no limit"
		return
	}
	g := byteCount().FindStringSubmatch(text)
	if g == nil {
		m.wrong = fmt.Sprintf("GOMEMLIMIT %q is none that Go can read, and ends the program as it starts", text)
		if k := kubernetesUnit().FindStringSubmatch(text); k != nil {
			m.wrong += fmt.Sprintf(": Go's unit is %siB", k[2])
		}
		return
	}
	n, err := strconv.ParseInt(g[1], 10, 64)
	factor := int64(1) << (10 * map[string]int{"": 0, "B": 0, "KiB": 1, "MiB": 2, "GiB": 3, "TiB": 4}[g[2]])
	if err != nil || n > math.MaxInt64/factor {
		m.wrong = fmt.Sprintf("GOMEMLIMIT %q is more than Go can count, and ends the program as it starts", text)
		return
	}
	m.known, m.bytes = true, float64(n)*float64(factor)
}

var (
	byteCount      = pattern.New(`^\+?([0-9]+)(B|KiB|MiB|GiB|TiB)?$`)
	kubernetesUnit = pattern.New(`^([0-9.]+)([KMGT])i?$`)
)

// fromField takes the value that the kubelet would set.
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
func (m *memory) fromField(p *pod, c container, f *corev1.ResourceFieldSelector) {
	of := c.Container
	for _, other := range p.containers() {
		if f.ContainerName != "" && other.Name == f.ContainerName {
			of = other.Container
		}
	}
	if !f.Divisor.IsZero() && f.Divisor.Cmp(resource.MustParse("1")) != 0 {
		m.wrong = fmt.Sprintf("GOMEMLIMIT is a number of bytes to Go, and the divisor %s makes it one of something else", f.Divisor.String())
		return
	}
	var q resource.Quantity
	var ok bool
	switch f.Resource {
	case "limits.memory":
		if q, ok = of.Resources.Limits[corev1.ResourceMemory]; !ok {
			m.wrong = "GOMEMLIMIT is limits.memory, which is not set: it is all that the node has"
			return
		}
	case "requests.memory":
		if q, ok = of.Resources.Requests[corev1.ResourceMemory]; !ok {
			// A request that is not there is the limit.
			if q, ok = of.Resources.Limits[corev1.ResourceMemory]; !ok {
				m.wrong = "GOMEMLIMIT is requests.memory, which is not set: it is 0"
				return
			}
		}
	default:
		m.wrong = fmt.Sprintf("GOMEMLIMIT is %s, which is no amount of memory", f.Resource)
		return
	}
	m.known, m.bytes, m.text = true, q.AsApproximateFloat64(), fmt.Sprintf("%s, %s", f.Resource, q.String())
}
