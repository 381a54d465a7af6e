package workloads

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"temper/checks"
	"temper/checks/pattern"
)

var imageDigest = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "image-digest",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/concepts/containers/images/#image-names",
		Doc: `every image is named by its digest

A tag is a name that whoever may push can move: a node that pulls it tomorrow gets
what is there then, whatever was looked at and signed today, and two pods of one
Deployment may run different programs.

Write image: NAME@sha256:DIGEST, as temper release prints it. The tag may stay
before the @, for people. What begins with ko:// is no name yet: ko resolve puts a
digest there.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			at := c.at.join("image")
			switch tag := tagOf(c.Image); {
			case byDigest().MatchString(c.Image), strings.HasPrefix(c.Image, "ko://"):
			case c.Image == "":
				out.here(at, "image: NAME@sha256:DIGEST", "the container has no image")
			case strings.Contains(c.Image, "@"):
				out.here(at, "image: NAME@sha256:DIGEST", "the image has a digest that is none: %s", c.Image)
			case tag == "" || tag == "latest":
				out.here(at, "image: "+c.Image+"@sha256:DIGEST", "the image is whatever is the latest")
			default:
				out.here(at, "image: "+c.Image+"@sha256:DIGEST", "the image goes by the tag %s, which can be moved", tag)
			}
		}
		for i, v := range p.spec.Volumes {
			if v.Image != nil && !byDigest().MatchString(v.Image.Reference) {
				out.here(path{"volumes", i, "image", "reference"}, "reference: NAME@sha256:DIGEST", "the volume's image goes by a name that can be moved")
			}
		}
	}),
}

var byDigest = pattern.New(`^[^\s@]+@sha256:[0-9a-f]{64}$`)

// tagOf is what follows the colon in the last part of an image's name.
func tagOf(image string) string {
	_, tag, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	return tag
}

var pprofPort = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pprof-port",
		Severity: checks.Warning,
		Source:   "https://pkg.go.dev/net/http/pprof",
		Doc: `no port is that of a profiler or a debugger

Profiles show a program's functions, its command line and parts of its memory, and
take as much of its time as whoever asks for them wants. Who reaches a debugger's
port runs the program.

Leave net/http/pprof out of what is released; the rule debug-package finds it in an
image. What a port is shows in its name; 6060 is the one in pprof's documentation.`,
	},
	Run: func(o *Object, p *checks.Pass) error {
		all := whole(o, p)
		for _, one := range o.pods {
			out := all.below(one.at)
			for _, c := range one.containers() {
				for i, port := range c.Ports {
					if what := profiler(port.Name, port.ContainerPort); what != "" {
						out.here(c.at.join("ports", i), "take it out", "port %d is %s", port.ContainerPort, what)
					}
				}
			}
		}
		if s, ok := o.value.(*corev1.Service); ok {
			for i, port := range s.Spec.Ports {
				if what := profiler(port.Name+" "+port.TargetPort.StrVal, port.Port); what != "" {
					all.here(path{"spec", "ports", i}, "take it out", "port %d is %s", port.Port, what)
				}
			}
		}
		return nil
	},
}

// profiler says what a port is that no stranger should reach.
func profiler(name string, number int32) string {
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool { return r == '-' || r == ' ' }) {
		switch word {
		case "pprof", "profile", "profiler", "profiling":
			return "a profiler's, by its name"
		case "dlv", "delve", "gops", "debugger":
			return "a debugger's, by its name"
		}
	}
	if number == 6060 {
		return "pprof's, by its number"
	}
	return ""
}
