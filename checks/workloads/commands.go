package workloads

import (
	"fmt"
	slashpath "path"

	"temper/checks"
	"temper/checks/images"
)

var podShell = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "pod-shell",
		Severity: checks.Warning,
		Source:   "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
		Doc: `no command, probe or hook needs a shell or a tool

A hardened image has no shell, no curl and no sleep: a command that wants one does
not start, and a probe that does fails until the pod is restarted, over and over. An
image that has them, for the sake of a probe, has them for whoever breaks in.

Probe with httpGet, tcpSocket or grpc; wait with preStop: {sleep: {seconds: 5}};
start the program itself, and do what the script did in main. Nothing is said of images
whose names are those of programs that come with a system around them, such as redis.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			if name := program(c.Image); notGo()[name] && !systems[name] {
				continue
			}
			command, field := c.Command, "command"
			if len(command) == 0 && len(c.Args) > 1 && c.Args[1] == "-c" {
				command, field = c.Args, "args"
			}
			if what, name := toolIn(command); what != "" {
				out.here(c.at.join(field), "command: [/usr/local/bin/SERVICE]", "the container runs %s, %s", name, what)
			}
			for _, h := range c.handlers() {
				if h.Exec == nil {
					continue
				}
				what, name := toolIn(h.Exec.Command)
				if what == "" {
					continue
				}
				fix := "do it in the program, when it gets SIGTERM"
				switch {
				case h.probe:
					fix = "httpGet: {path: /healthz, port: http}, or grpc: {port: 9090}"
				case name == "sleep":
					fix = "preStop: {sleep: {seconds: 5}}"
				}
				out.here(h.at.join("exec", "command"), fix, "the kubelet runs %s, %s", name, what)
			}
		}
	}),
}

// systems are images that are known to hold no program of their own.
var systems = map[string]bool{
	"alpine": true, "amazoncorretto": true, "busybox": true, "debian": true, "eclipse-temurin": true, "node": true,
	"openjdk": true, "perl": true, "php": true, "python": true, "ruby": true, "ubuntu": true,
}

// toolIn says what tool a command needs, and its name.
func toolIn(command []string) (what, name string) {
	if len(command) == 0 {
		return "", ""
	}
	name = slashpath.Base(command[0])
	if what := images.Tool(name); what != "" {
		return what, name
	}
	if coreutils[name] {
		return "a tool that a hardened image has not", name
	}
	return "", ""
}

// coreutils are the programs that every full system has, and probes like.
var coreutils = map[string]bool{
	"awk": true, "cat": true, "cp": true, "echo": true, "env": true, "expr": true, "false": true, "find": true, "grep": true,
	"head": true, "kill": true, "killall": true, "ls": true, "mkdir": true, "pgrep": true, "pidof": true, "pkill": true, "ps": true,
	"rm": true, "sed": true, "sleep": true, "stat": true, "tail": true, "tee": true, "test": true, "[": true, "timeout": true,
	"touch": true, "true": true, "wc": true, "xargs": true,
}

var envSecret = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "env-secret",
		Severity: checks.Error,
		Source:   "https://kubernetes.io/docs/concepts/configuration/secret/",
		Doc: `no variable, command or argument holds a credential

A manifest is in version control, and whoever may read pods in a cluster reads it
there. A Secret is given to few, can be encrypted where it is kept, and is renewed
without touching the manifest.

Mount a Secret as a file, or take a variable from it: valueFrom: {secretKeyRef:
{name: NAME, key: KEY}}. A credential that was in a manifest is known: revoke it.
Credentials are known by their form or by the name that they stand under.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			for i, e := range c.Env {
				for _, said := range images.SecretsOfSetting("variable", e.Name, e.Value) {
					out.here(c.at.join("env", i, "value"), fmt.Sprintf("{name: %s, valueFrom: {secretKeyRef: {name: NAME, key: KEY}}}", e.Name), "%s", said)
				}
			}
			for _, one := range []struct {
				field string
				words []string
			}{{"command", c.Command}, {"args", c.Args}} {
				for _, said := range images.SecretsOfCommand(one.words) {
					out.here(c.at.join(one.field), "let the program read it from a file of a Secret", "%s", said)
				}
			}
		}
	}),
}
