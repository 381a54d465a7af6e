package service

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"temper/checks/pattern"
	"temper/pipeline/strict"
)

// A Probe says what a service does while it runs, so that it can be held to it.
// It decides nothing about the image.
type Probe struct {
	// Port is the one to ask: the service's only one, unless the configuration
	// names it. 0 where the service listens on none, or on several and nobody
	// says which.
	Port int
	// Health are the paths that a kubelet asks, for gRPC the names of services.
	Health []string
	// Host is a name that the service answers to.
	Host string
	// Paths are those to ask and to send to, for gRPC methods as /package.Service/Method.
	// None say that the port carries the health paths and nothing else.
	Paths []string
	GRPC  bool
	// Env stands over the image's environment.
	Env map[string]string
	// Memory is the limit in bytes.
	Memory int64
	// Start is when the service is up at the latest, Header how long a client
	// may take for the header of its request, Idle how long a connection may
	// lie idle, and Stop how long the service takes to end once it was asked to.
	Start, Header, Idle, Stop time.Duration
}

// DefaultHost is the name that a service is asked by if it names none.
const DefaultHost = "localhost"

// defaultProbe is that of a service that says nothing. 30 s are what Kubernetes
// gives to end, and what a startup probe is usually given.
func defaultProbe() Probe {
	return Probe{
		Host: DefaultHost, Paths: []string{"/"}, Memory: 128 << 20,
		Start: 30 * time.Second, Header: 10 * time.Second, Idle: 2 * time.Minute, Stop: 30 * time.Second,
	}
}

// Unpromised is the probe of a service of which nothing is known but its ports.
func Unpromised(ports ...int) Probe {
	p := defaultProbe()
	if len(ports) == 1 {
		p.Port = ports[0]
	}
	return p
}

const probeExample = "{port: 8080, health: [/healthz], host: orders.example.com}"

// probe decodes what a service says of its running.
func (d *decoder) probe(n *yaml.Node) Probe {
	p := defaultProbe()
	var health, paths *yaml.Node
	promise := func(key string, into *time.Duration) func(v *yaml.Node) {
		return func(v *yaml.Node) { *into = strict.Value(&d.Decoder, v, key, strict.About(key, parsePromise)) }
	}
	d.Mapping(n, "probe", probeExample, strict.Keys{
		"port":   func(v *yaml.Node) { p.Port = strict.Value(&d.Decoder, v, "port", parsePort) },
		"health": func(v *yaml.Node) { health = v },
		"host":   func(v *yaml.Node) { p.Host = strict.Value(&d.Decoder, v, "host", parseHost) },
		"paths":  func(v *yaml.Node) { paths = v },
		"grpc":   func(v *yaml.Node) { p.GRPC = strict.Value(&d.Decoder, v, "grpc", strict.About("grpc", parseSwitch)) },
		"env": func(v *yaml.Node) {
			p.Env = d.Texts(v, "env", "{UPSTREAM: http://127.0.0.1:1/}", checkEnvName, strict.Anything)
		},
		"memory": func(v *yaml.Node) { p.Memory = strict.Value(&d.Decoder, v, "memory", ParseMemory) },
		"start":  promise("start", &p.Start),
		"header": promise("header", &p.Header),
		"idle":   promise("idle", &p.Idle),
		"stop":   promise("stop", &p.Stop),
	})
	asked, example := parsePath, "[/healthz]"
	if p.GRPC { // last, for it says what the others are
		p.Paths, asked, example = []string{"/grpc.health.v1.Health/Check"}, parseHealthService, "[shop.Orders]"
	}
	if health != nil {
		p.Health = strict.Values(&d.Decoder, health, "health", example, strict.Once(strict.About("health", asked)))
	}
	if paths != nil && !strict.IsNull(paths) {
		parse, example := parsePath, "[/orders]"
		if p.GRPC {
			parse, example = parseMethod, "[/shop.Orders/Create]"
		}
		p.Paths = strict.Values(&d.Decoder, paths, "paths", example, strict.Once(strict.About("paths", parse)))
	}
	return p
}

// probed makes the probe go together with the ports of its service.
func (d *decoder) probed(n *yaml.Node, s *Service) {
	if s.Probe.Port == 0 && len(s.Ports) == 1 {
		s.Probe.Port = s.Ports[0]
	}
	if n == nil || n.Kind != yaml.MappingNode || s.Probe.Port != 0 {
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		switch key := n.Content[i]; {
		case key.Value == "port": // and it is wrong
			return
		case slices.Contains([]string{"health", "host", "paths", "grpc", "header", "idle"}, key.Value):
			d.Wrong(n, "probe needs port, as in {port: 8080}: the service has %s", count(len(s.Ports), "port"))
			return
		}
	}
}

func count(n int, what string) string {
	if n == 0 {
		return "no " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// ParseMemory reads an amount of memory as GOMEMLIMIT has it, and returns bytes.
// https://pkg.go.dev/runtime#hdr-Environment_Variables
func ParseMemory(text string) (int64, error) {
	const least, most = 4 << 20, 1 << 40
	for unit, bytes := range map[string]int64{"MiB": 1 << 20, "GiB": 1 << 30} {
		digits, ok := strings.CutSuffix(text, unit)
		if n, err := strconv.ParseInt(digits, 10, 32); ok && err == nil && strconv.FormatInt(n, 10) == digits {
			if n *= bytes; n < least || n > most {
				return 0, fmt.Errorf("memory %s is not between 4MiB and 1024GiB", text)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("memory %q; write MiB or GiB, such as 64MiB", text)
}

// parsePromise takes the longest that something may last.
func parsePromise(text string) (time.Duration, error) {
	const least, most = 100 * time.Millisecond, 10 * time.Minute
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration; write one, such as 5s", text)
	case d < least || d > most:
		return 0, fmt.Errorf("%s is not between 100ms and 10m", text)
	}
	return d, nil
}

func parseSwitch(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%q; write true or false", text)
	}
	return text == "true", nil
}

var (
	hostName  = pattern.New(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	urlPath   = pattern.New(`^/[!-"$-~]*$`) // what prints, without a fragment
	protoName = pattern.New(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
)

// parseHost takes what a client writes after "Host:".
func parseHost(text string) (string, error) {
	name, port, given := strings.Cut(text, ":")
	if addr, err := netip.ParseAddrPort(text); err == nil && addr.IsValid() {
		return text, nil
	}
	_, err := parsePort(port)
	if !hostName().MatchString(name) || given && err != nil {
		return "", fmt.Errorf("host %q is no name; write one that the service answers to, such as orders.example.com", text)
	}
	return text, nil
}

func parsePath(text string) (string, error) {
	if !urlPath().MatchString(text) {
		return "", fmt.Errorf("%q is not the path of a URL; write one, such as /orders", text)
	}
	return text, nil
}

func parseHealthService(text string) (string, error) {
	if text != "" && !protoName().MatchString(text) { // none is the server as a whole
		return "", fmt.Errorf(`%q is not the name of a gRPC service; write one, such as shop.Orders, or "" for the whole server`, text)
	}
	return text, nil
}

func parseMethod(text string) (string, error) {
	service, method, ok := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if !ok || text[0] != '/' || !protoName().MatchString(service) || !protoName().MatchString(method) || strings.Contains(method, ".") {
		return "", errors.New(strconv.Quote(text) + " is not a gRPC method; write one, such as /shop.Orders/Create")
	}
	return text, nil
}
