// Package manifest writes the Kubernetes objects that run a service, as hard as
// its image: a Deployment, a Service, a ServiceAccount, a NetworkPolicy and a
// PodDisruptionBudget. They come from what the service says of itself (its user,
// its ports, what temper probe holds it to) and from one number for its memory.
//
// What is written is meant to be read and changed: comments say what a number
// follows from.
package manifest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"temper/checks/pattern"
	"temper/pipeline/service"
)

// Options are what a service does not say of itself. The zero value of each
// field stands for what its comment says.
type Options struct {
	// Image is the reference by digest; it has to be there.
	Image string
	// Namespace is written into every object; empty writes none, and whoever
	// applies them says where.
	Namespace string
	// Memory is the limit in bytes; 0 is that of the service's probe.
	Memory int64
	// CPU is the request in thousandths of a CPU; 0 means 100.
	CPU int
	// Replicas is how many run; 0 means 2.
	Replicas int
}

// LeastID is the least number of a user or group that checks of manifests take:
// below it are the accounts of hosts.
const LeastID = 10001

// A File is one object, or a kustomization, as YAML.
type File struct {
	Name    string
	Content []byte
}

// For returns the objects for a service, in the order in which they are applied.
func For(svc *service.Service, opts Options) ([]File, error) {
	v, err := valuesOf(svc, opts)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", svc.Name, err)
	}
	var files []File
	for _, name := range []string{"serviceaccount", "deployment", "service", "networkpolicy", "poddisruptionbudget"} {
		if name == "service" && len(v.Ports) == 0 {
			continue // nobody can ask it anything
		}
		var b bytes.Buffer
		if err := objects().ExecuteTemplate(&b, name, v); err != nil {
			return nil, fmt.Errorf("writing the %s of %s: %w", name, svc.Name, err)
		}
		files = append(files, File{name + ".yaml", b.Bytes()})
	}
	return files, nil
}

// Joined returns the files as one, document after document.
func Joined(files []File) (all []byte) {
	for _, f := range files {
		all = Append(all, f.Content)
	}
	return all
}

// Append adds a file to others, as documents that follow theirs.
func Append(all, file []byte) []byte {
	if len(all) > 0 {
		if !bytes.HasSuffix(all, []byte("\n")) {
			all = append(all, '\n')
		}
		if !bytes.HasPrefix(file, []byte("---")) {
			all = append(all, "---\n"...)
		}
	}
	return append(all, file...)
}

// Kustomization returns the base of which the files are the resources.
func Kustomization(files []File) File {
	var b bytes.Buffer
	b.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n")
	for _, f := range files {
		fmt.Fprintf(&b, "  - %s\n", f.Name)
	}
	return File{"kustomization.yaml", b.Bytes()}
}

// values are what the objects say, ready to be written.
type values struct {
	Name, Namespace, Image string
	UID, GID               int
	Replicas, CPU          int
	// Request and Limit are mebibytes.
	Request, Limit int64
	Ports          []port
	// Low tells that one of them is below 1024.
	Low bool
	// Ready and Live are the probes, empty where the service names nothing to ask.
	Ready, Live string
	// Start and Stop are whole seconds.
	Start, Stop int
}

type port struct {
	Name   string
	Number int
}

// label is what Kubernetes takes for the name of a Service.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
var label = pattern.New(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func valuesOf(svc *service.Service, opts Options) (*values, error) {
	uid, gid, err := svc.UserGroup()
	if err != nil {
		return nil, err
	}
	v := &values{
		Name: strings.NewReplacer(".", "-", "_", "-").Replace(svc.Name), Namespace: opts.Namespace, Image: opts.Image,
		UID: uid, GID: gid, Replicas: opts.Replicas, CPU: opts.CPU,
		Start: seconds(svc.Probe.Start), Stop: seconds(svc.Probe.Stop),
	}
	if v.Replicas == 0 {
		v.Replicas = 2
	}
	if v.CPU == 0 {
		v.CPU = 100
	}
	memory := opts.Memory
	if memory == 0 {
		memory = svc.Probe.Memory
	}
	// A quarter above the request, and the request in whole mebibytes.
	v.Limit = memory >> 20
	v.Request = (v.Limit*4 + 2) / 5
	switch {
	case !strings.Contains(opts.Image, "@sha256:"):
		return nil, fmt.Errorf("%q is no image by its digest", opts.Image)
	case !label().MatchString(v.Name):
		return nil, fmt.Errorf("%q is no name for a Service: Kubernetes wants at most 63 lower-case letters, digits and \"-\", a letter first", v.Name)
	case v.Namespace != "" && !label().MatchString(v.Namespace):
		return nil, fmt.Errorf("%q is no namespace: Kubernetes wants at most 63 lower-case letters, digits and \"-\", a letter first", v.Namespace)
	case v.Limit < 16:
		return nil, errors.New("a memory limit below 16 MiB leaves a Go program no room")
	case v.Replicas < 1:
		return nil, fmt.Errorf("%d replicas run nothing", v.Replicas)
	case v.CPU < 1:
		return nil, fmt.Errorf("%d thousandths of a CPU run nothing", v.CPU)
	}
	v.ports(svc)
	return v, v.probes(svc)
}

// ports names the ports: the one to ask by what is spoken there.
func (v *values) ports(svc *service.Service) {
	for _, number := range svc.Ports {
		one := port{fmt.Sprintf("tcp-%d", number), number}
		if number == svc.Probe.Port {
			one.Name = "http"
			if svc.Probe.GRPC {
				one.Name = "grpc"
			}
		}
		v.Ports = append(v.Ports, one)
		v.Low = v.Low || number < 1024
	}
	// The one to ask comes first: it is the Service's own.
	slices.SortStableFunc(v.Ports, func(a, b port) int {
		return boolInt(b.Number == svc.Probe.Port) - boolInt(a.Number == svc.Probe.Port)
	})
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// probes are what the kubelet asks: the first of the health paths whether the
// service lives, the last whether it is ready.
func (v *values) probes(svc *service.Service) error {
	p := svc.Probe
	if p.Port == 0 {
		return nil
	}
	ask := func(what string) (string, error) {
		quoted, err := json.Marshal(what) // which is YAML
		if p.GRPC {
			return fmt.Sprintf("grpc: {port: %d, service: %s}", p.Port, quoted), err
		}
		return fmt.Sprintf("httpGet: {path: %s, port: http}", quoted), err
	}
	var err error
	switch {
	case len(p.Health) > 0:
		if v.Live, err = ask(p.Health[0]); err != nil {
			return err
		}
		v.Ready, err = ask(p.Health[len(p.Health)-1])
	case p.GRPC:
		v.Live = fmt.Sprintf("grpc: {port: %d}", p.Port)
		v.Ready = v.Live
	default:
		v.Ready = "tcpSocket: {port: http}"
		v.Live = v.Ready
	}
	return err
}

// seconds rounds up: a promise of half a second is kept within a second.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

//go:embed objects.yaml.tmpl
var text string

var objects = sync.OnceValue(func() *template.Template { return template.Must(template.New("").Parse(text)) })
