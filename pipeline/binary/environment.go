package binary

import (
	"cmp"
	"os"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/pattern"
	"temper/pipeline/service"
)

// access are the variables that decide how Go reaches code, and not what it
// makes of it. Go is asked for them (so that "go env -w" counts) and they are
// passed on when code is fetched.
var access = []string{
	"GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH", "GOMODCACHE",
}

// ambient are the variables of the machine that a fetch may need: to find git,
// ssh and credentials, and to get through proxies.
var ambient = []string{
	"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "NETRC", "SSH_AUTH_SOCK", "SSH_AGENT_PID",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_CONFIG_GLOBAL",
	"GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS", "GIT_TERMINAL_PROMPT",
	"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_PROXY_SSL_CAINFO", "GIT_SSH_VARIANT", "SSH_ASKPASS",
	"XDG_CONFIG_HOME", "KRB5CCNAME", "GOENV",
	// Windows
	"SystemRoot", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "ComSpec", "PATHEXT", "HOMEDRIVE", "HOMEPATH",
}

// numbered are those that GIT_CONFIG_COUNT counts; Git refuses to run if one is
// missing.
// https://git-scm.com/docs/git-config#ENVIRONMENT
var numbered = pattern.New(`^GIT_CONFIG_(KEY|VALUE)_[0-9]+=`)

// decides are Go's variables that change what is built, with what to write in
// temper.yaml for the same. They never reach a build from outside.
var decides = map[string]string{
	"CGO_ENABLED":  "", // always 0
	"GOFLAGS":      "services[].tags and services[].ldflags",
	"GOEXPERIMENT": "",
	"GOAMD64":      "services[].goamd64",
	"GO386":        "",
	"GOARM":        "platforms, such as linux/arm/v7",
	"GOARM64":      "",
	"GOPPC64":      "",
	"GORISCV64":    "",
	"GOFIPS140":    "services[].gofips140",
	"GOOS":         "platforms",
	"GOARCH":       "platforms",
	"GOWORK":       "a go.work in the repository",
	"GOTOOLCHAIN":  "go",
	"GODEBUG":      "services[].env, for the running service",
	"GOROOT":       "",
	"GOCACHE":      "",
	"GOCACHEPROG":  "",
	"GOENV":        "",
}

// A SetAside is a variable of the caller's that does not reach the build.
type SetAside struct {
	Name, Value string
	// Key is what to write in temper.yaml instead, empty where nothing is.
	Key string
}

// Ambient lists what the caller's environment holds that would change what is
// built, and that [Build] leaves out, sorted by name.
func Ambient() []SetAside {
	var out []SetAside
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if key, ok := decides[name]; ok && value != "" {
			out = append(out, SetAside{name, value, key})
		}
	}
	slices.SortStableFunc(out, func(a, b SetAside) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// fetching is the environment in which Go may use the network: the machine's
// access and nothing that decides bytes.
func fetching(toolchain string, more ...string) []string {
	env := make([]string, 0, len(ambient)+8)
	for _, name := range ambient {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range access {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, kv := range os.Environ() {
		if numbered().MatchString(kv) {
			env = append(env, kv)
		}
	}
	if gopath, ok := os.LookupEnv("GOPATH"); ok {
		env = append(env, "GOPATH="+gopath)
	}
	return append(append(env, "GOTOOLCHAIN="+toolchain, "CGO_ENABLED=0", harmlessFlags), more...)
}

// harmlessFlags stands where GOFLAGS would be: an empty GOFLAGS falls back to
// "go env -w" and to the toolchain's own go.env, a set one does not, and this
// one says what the command line says as well.
const harmlessFlags = "GOFLAGS=-trimpath"

// target are the variables that say what to compile for, each with a value:
// unset ones fall back to what the machine likes.
func target(svc *service.Service, p v1.Platform) []string {
	amd64 := svc.GOAMD64
	if amd64 == "" {
		amd64 = "v1"
	}
	fips := svc.GOFIPS140
	if fips == "" {
		fips = "off"
	}
	arm := strings.TrimPrefix(p.Variant, "v")
	if p.Architecture != "arm" || arm == "" {
		arm = "7"
	}
	work := svc.Workfile
	if work == "" {
		work = "off"
	}
	return []string{
		"GOOS=" + p.OS, "GOARCH=" + p.Architecture, "CGO_ENABLED=0",
		"GOAMD64=" + amd64, "GOARM=" + arm, "GOARM64=v8.0", "GO386=sse2", "GOPPC64=power8", "GORISCV64=rva20u64",
		"GOFIPS140=" + fips, "GOWORK=" + work,
	}
}

// patience is the GOGC of the compilers and the linker where nobody says: garbage is a
// fifth of their processor time by default, and the largest takes a third more memory.
const patience = "400"

// compiling is the environment of a build: made from nothing, without network,
// home or PATH. What remains of the machine is where the toolchain, the
// modules and the cache lie, and -trimpath keeps that out of the binary.
func compiling(svc *service.Service, p v1.Platform, t *Toolchain, c cacheDir) []string {
	env := append(target(svc, p),
		"GOENV=off", "GOTOOLCHAIN=local", harmlessFlags, "GO111MODULE=on",
		"GOPROXY=off", "GOSUMDB=off", "GOVCS=*:off", "GOTELEMETRY=off",
		"GOROOT="+t.Root, "GOMODCACHE="+t.ModCache, "GOCACHE="+c.build(), "GOTMPDIR="+c.tmp(), "GOPATH="+c.path("gopath"),
	)
	// Decides no byte.
	env = append(env, "GOGC="+cmp.Or(os.Getenv("GOGC"), patience))
	if runtime.GOOS == "windows" { // cannot start a process without these
		for _, name := range []string{"SystemRoot", "TMP", "TEMP", "USERPROFILE", "LOCALAPPDATA"} {
			env = append(env, name+"="+os.Getenv(name))
		}
	}
	return env
}
