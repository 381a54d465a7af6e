package workloads

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"temper/checks"
)

var goGC = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "go-gc",
		Severity: checks.Error,
		Source:   "https://go.dev/doc/gc-guide#GOGC",
		Doc: `GOGC is a number, or off with a GOMEMLIMIT

With GOGC=off Go collects only when it comes near GOMEMLIMIT; without that it never
does, and the kernel ends the process. What is neither a number nor off is 100 to
Go, and it does not say so.

Leave GOGC out, or set GOMEMLIMIT with it.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			s := p.setting(c, "GOGC")
			if s == nil || !s.known || s.value == "" {
				continue
			}
			if s.value != "off" {
				if n, err := strconv.ParseInt(s.value, 10, 32); err != nil {
					out.here(s.at, "{name: GOGC, value: \"100\"}", "GOGC %q is no number, and Go takes 100", s.value)
					continue
				} else if n >= 0 {
					continue
				}
			}
			m := p.goMemory(c)
			if m.setting == nil && !p.fromElsewhere(c) || m.wrong != "" {
				out.here(s.at, m.fix(), "GOGC is %s, and without a good GOMEMLIMIT nothing is ever collected", s.value)
			}
		}
	}),
}

var goProcessors = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "go-processors",
		Severity: checks.Warning,
		Source:   "https://go.dev/doc/go1.25#container-aware-gomaxprocs",
		Doc: `GOMAXPROCS is no more than the CPU limit

With more threads than its CPU limit allows a process uses up its share early in
each period and then stands still, in the middle of requests and of collecting.
Since Go 1.25, with a go.mod that says so, GOMAXPROCS follows the limit by itself.

Leave GOMAXPROCS out, or take it from the limit: {name: GOMAXPROCS, valueFrom:
{resourceFieldRef: {resource: limits.cpu}}}.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			s := p.setting(c, "GOMAXPROCS")
			if s == nil {
				continue
			}
			limit, limited := c.Resources.Limits[corev1.ResourceCPU]
			if whole := p.limit(corev1.ResourceCPU); !limited && whole != nil {
				limit, limited = *whole, true
			}
			const fix = "leave it out, or valueFrom: {resourceFieldRef: {resource: limits.cpu}}"
			if f := s.field; f != nil {
				if f.Resource != "limits.cpu" && f.Resource != "requests.cpu" {
					out.here(s.at, fix, "GOMAXPROCS is %s, which is no number of processors", f.Resource)
				} else if !f.Divisor.IsZero() && f.Divisor.MilliValue() != 1000 {
					out.here(s.at, fix, "GOMAXPROCS is a number of processors, and the divisor %s makes it one of something else", f.Divisor.String())
				}
				continue
			}
			if !s.known || s.value == "" {
				continue
			}
			n, err := strconv.ParseInt(s.value, 10, 32)
			switch {
			case err != nil || n <= 0:
				out.here(s.at, fix, "GOMAXPROCS %q is no number above zero, and Go does as if it were not there", s.value)
			case limited && float64(n) > math.Ceil(limit.AsApproximateFloat64()):
				out.here(s.at, fix, "GOMAXPROCS is %d, and the CPU limit %s", n, limit.String())
			}
		}
	}),
}

var goDebug = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "go-debug",
		Severity: checks.Error,
		Source:   "https://go.dev/doc/godebug",
		Doc: `no GODEBUG setting brings back what was mended, and GOTRACEBACK leaves no core file

GODEBUG turns off what later releases of Go have made safe: old TLS versions and
ciphers, weak keys and hashes, checks of certificates and of requests. With
GOTRACEBACK=crash a panic leaves the process's memory in a core file, with every key
that is in it.

Take the setting out, and mend what needs it. GOTRACEBACK: single is the default.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			if s := p.setting(c, "GODEBUG"); s != nil && s.known {
				for _, one := range strings.Split(s.value, ",") {
					name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
					value, _, _ = strings.Cut(value, "#") // after which comes where it holds
					if bad, ok := insecure[name]; ok && value == bad.bad {
						out.here(s.at, "take "+name+" out", "GODEBUG %s=%s: %s", name, value, bad.what)
					}
				}
			}
			if s := p.setting(c, "GOTRACEBACK"); s != nil && s.known && (s.value == "crash" || s.value == "wer") {
				out.here(s.at, "{name: GOTRACEBACK, value: single}", "GOTRACEBACK is %s: a panic leaves the process's memory in a core file", s.value)
			}
		}
	}),
}

// A debugSetting is one of GODEBUG that makes a program less safe than Go makes it.
type debugSetting struct {
	bad  string // the value that does
	what string
}

// insecure are the settings of Go's own list that turn off a defence which is on
// by default.
// https://go.dev/doc/godebug#history
var insecure = map[string]debugSetting{
	"cryptocustomrand":            {"1", "keys from random numbers of the caller's choice"},
	"execerrdot":                  {"0", "programs are started from the current folder"},
	"htmlmetacontenturlescape":    {"0", "templates let URLs into meta tags"},
	"httpcookiemaxnum":            {"0", "requests with any number of cookies"},
	"httplaxcontentlength":        {"1", "requests whose length is not clear"},
	"httpservecontentkeepheaders": {"1", "errors with the headers of what was not served"},
	"jstmpllitinterp":             {"1", "templates let values into JavaScript"},
	"randautoseed":                {"0", "random numbers that are known beforehand"},
	"randseednop":                 {"0", "random numbers that are known beforehand"},
	"rsa1024min":                  {"0", "RSA keys below 1024 bits"},
	"tls10server":                 {"1", "servers speak TLS 1.0"},
	"tls3des":                     {"1", "TLS with 3DES"},
	"tlsmlkem":                    {"0", "key exchanges that a quantum computer breaks"},
	"tlsrsakex":                   {"1", "TLS without forward secrecy"},
	"tlssecpmlkem":                {"0", "key exchanges that a quantum computer breaks"},
	"tlssha1":                     {"1", "TLS with signatures of SHA-1"},
	"tlsunsafeekm":                {"1", "keying material that is not bound to one connection"},
	"urlmaxqueryparams":           {"0", "queries with any number of parameters"},
	"urlstrictcolons":             {"0", "URLs whose host is not clear"},
	"x509negativeserial":          {"1", "certificates that the standards forbid"},
	"x509rsacrt":                  {"0", "RSA keys whose parts are not checked"},
	"x509sha1":                    {"1", "certificates signed with SHA-1"},
	"x509usepolicies":             {"0", "certificate policies are not looked at"},
}

var tlsKeyLog = &checks.Check[*Object]{
	Rule: checks.Rule{
		Name:     "tls-key-log",
		Severity: checks.Error,
		Source:   "https://pkg.go.dev/crypto/tls#Config",
		Doc: `no SSLKEYLOGFILE is set

Programs that honor it write the keys of their TLS connections to a file: whoever has
that, and what went over the wire, reads everything.

Take it out.`,
	},
	Run: eachPod(func(p *pod, out *pass) {
		for _, c := range p.containers() {
			if s := p.setting(c, "SSLKEYLOGFILE"); s != nil && !(s.known && s.value == "") {
				said := "SSLKEYLOGFILE is set"
				if s.known {
					said = fmt.Sprintf("SSLKEYLOGFILE is %s", s.value)
				}
				out.here(s.at, "take it out", "%s: the keys of TLS connections are written there", said)
			}
		}
	}),
}
