package binary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/memory"
	"temper/checks/pattern"
	"temper/pipeline/service"
	"temper/pipeline/store"
	"temper/pipeline/timing"
)

// A CompileError is what the Go command said when it did not compile.
type CompileError struct {
	Service  string
	Platform v1.Platform
	// Output is Go's own words.
	Output string
	// Hint is what to do about it, empty where Go's words say all.
	Hint string
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("compiling %s for %s:\n%s", e.Service, e.Platform, e.Output)
}

// Options are what a caller may choose about a build. None of it reaches the
// bytes of the binary, but for the tag that a stamp asks for.
type Options struct {
	// Cache is the folder for build caches; empty is [DefaultCache].
	Cache string
	// Tag is what {{.Tag}} stands for in the service's stamps.
	Tag string
	// Parallel bounds the compilers of one build; 0 is one for each core.
	Parallel int
	// Turn waits until it is this build's turn to compile, and returns what ends that. A
	// build that finds nothing changed does not wait. Nil for no waiting.
	Turn func(context.Context) (done func(), err error)
	// Ahead is called when a build begins to compile, and may go on meanwhile. It is told
	// what [Binary.Deps] will return, or nil where Go has to be asked for that. Nil for no
	// call.
	Ahead func(known func() *Imports)
	// Share is what is read besides the service's own cache; nil for nothing.
	Share *Share
	// Facts keeps what was read of the binaries that are built again, and of a toolchain
	// that nobody has touched; nil to read it anew.
	Facts *memory.Folder
}

// Build compiles the service for a platform with a toolchain from [Select].
//
// One binary at a time that was just compiled is held in memory, because it is about to be
// read more than once: [Binary.Release] ends that.
//
// It returns the binary for whatever the rules about executables say of it:
// what breaks a rule is still built, so that people can look at it, and the
// check of its image reports it. Words of the compiler come as a
// [*CompileError].
func Build(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain, opts Options) (*Binary, error) {
	c, err := opts.cacheDir(svc, p, t)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, c.path("lock"))
	if err != nil {
		return nil, fmt.Errorf("locking the build cache of %s: %w", svc.Name, err)
	}
	defer unlock()
	ctx = timing.About(ctx, svc.Name, p.String())
	b, now, why, err := c.same(ctx, svc, p, t, opts)
	if err != nil || b != nil {
		return b, err
	}
	if opts.Turn != nil {
		done, err := opts.Turn(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	if now != nil && len(now.Folders) <= few && opts.shares(t) {
		opts.Parallel = max(opts.Parallel, few)
	}
	began := time.Now()
	known := sync.OnceValue(func() *Imports {
		if now == nil || now.rest(func() (map[string]string, error) { return settings(svc, p, t, opts) }, opts.Facts) != nil {
			return nil // the first build, or a toolchain whose programs lie elsewhere
		}
		return c.listedAgain(svc, now) // of which a part may not be there any more
	})
	if opts.Ahead != nil {
		opts.Ahead(known)
	}
	args, err := arguments(svc, c.out(), opts)
	if err != nil {
		return nil, err
	}
	if err := opts.fill(ctx, svc, p, t, c); err != nil {
		return nil, err
	}
	env, err := opts.environment(svc, p, t, c)
	if err != nil {
		return nil, err
	}
	expected := opts.expected(svc, p)
	if expected != nil {
		args = slices.Insert(args, 1, "-work")
	}
	said, work, err := c.compile(ctx, svc, t, env, args)
	if err != nil && strings.Contains(said, "GOPROXY=off") {
		// A module is not in the module cache. Fetching is a step of its own, so
		// that compiling needs no network and writes nothing but its own cache.
		if said, err := fetch(ctx, svc, p, t); err != nil {
			return nil, fail(ctx, svc, p, t, said, err)
		}
		if err := opts.fill(ctx, svc, p, t, c); err != nil {
			return nil, err
		}
		said, work, err = c.compile(ctx, svc, t, env, args)
	}
	if work != "" {
		defer os.RemoveAll(work)
	}
	if err != nil {
		return nil, fail(ctx, svc, p, t, said, err)
	}
	if g := c.linked(svc, p, expected, work); g != nil {
		known = func() *Imports { return g }
	}
	defer timing.Start(ctx, "read")()
	if b, err = hold(c.out(), p); err != nil {
		if isArchive(c.out()) {
			err = fmt.Errorf("package %s is not a main package", svc.Package)
		}
		os.Remove(c.out())
		return nil, fmt.Errorf("service %s: %w", svc.Name, err)
	}
	b.began, b.Why, b.known = began, why, known
	return b, c.remember(b)
}

// few packages of the repository's own may all be compiled at once: one after the other
// means them, if they change, and Go asks for what has not changed as many at a time as it
// may compile. It mostly waits for these answers.
const few = 8

// same returns the binary of the last build, if that is what a build would make. If not,
// it says why, and what has become of the inputs if that is known.
func (c cacheDir) same(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain, opts Options) (b *Binary, now *inputs, why []string, err error) {
	defer timing.Start(ctx, "compare")()
	store.Used(c.out(), c.sum(), c.inputs(), c.listed())
	sum, size, err := c.trusted()
	if errors.Is(err, errAltered) {
		return nil, nil, []string{err.Error()}, c.clear()
	}
	if err != nil {
		return nil, nil, []string{fmt.Sprintf("there is no earlier build with %s", t.Version)}, c.clear()
	}
	name, now, why := c.unchanged(svc, sum, func() (map[string]string, error) { return settings(svc, p, t, opts) }, opts.Facts)
	if name == "" {
		return nil, now, why, nil
	}
	facts, err := opts.factsOf(sum, c.out())
	if err != nil {
		return nil, nil, []string{err.Error()}, nil
	}
	return &Binary{Path: c.out(), Platform: p, Digest: sum, Size: size, Facts: facts, Inputs: name}, nil, nil, nil
}

// compile runs Go, and returns what it says and, if it is told to leave it and all went well,
// the folder that it has worked in.
func (c cacheDir) compile(ctx context.Context, svc *service.Service, t *Toolchain, env, args []string) (said, work string, err error) {
	defer timing.Start(ctx, "compile")()
	said, err = run(ctx, svc, t, env, args)
	work, said = c.worked(said)
	if err != nil && work != "" {
		os.RemoveAll(work)
		work = ""
	}
	return said, work, err
}

func (o Options) cacheDir(svc *service.Service, p v1.Platform, t *Toolchain) (cacheDir, error) {
	root := o.Cache
	if root == "" {
		var err error
		if root, err = DefaultCache(); err != nil {
			return "", err
		}
	}
	return newCacheDir(root, svc, p, t)
}

// noDebugInfo has the compiler leave out what the linker is told to drop with -w. It
// changes no instruction, and is a tenth of what a compiler has to do, and a fifth of
// what a cache has to hold. All that shares a cache has to say it.
const noDebugInfo = "-gcflags=all=-dwarf=false"

// arguments are those of the go command. What decides bytes is here and in
// [compiling], and nowhere else.
func arguments(svc *service.Service, out string, opts Options) ([]string, error) {
	flags := "-s -w"
	for _, name := range slices.Sorted(maps.Keys(svc.Stamps)) {
		value, err := service.Expand(svc.Stamps[name], opts.Tag)
		if err != nil {
			return nil, fmt.Errorf("service %s: ldflags %s: %w", svc.Name, name, err)
		}
		quoted, err := quote(name + "=" + value)
		if err != nil {
			return nil, fmt.Errorf("service %s: ldflags %s: %w", svc.Name, name, err)
		}
		flags += " -X " + quoted
	}
	args := goBuild(svc, "-ldflags="+flags, "-o", out)
	if opts.Parallel > 0 {
		args = append(args, "-p="+strconv.Itoa(opts.Parallel))
	}
	return append(args, svc.Package), nil
}

// goBuild begins a command line that compiles what the service is made of.
func goBuild(svc *service.Service, more ...string) []string {
	args := append([]string{"build", "-trimpath", noDebugInfo, "-buildvcs=false"}, more...)
	if len(svc.BuildTags) > 0 {
		args = append(args, "-tags="+strings.Join(svc.BuildTags, ","))
	}
	return args
}

// quote writes one word the way the go command splits -ldflags: in single or
// double quotes, without escapes.
func quote(word string) (string, error) {
	switch {
	case !strings.Contains(word, "'"):
		return "'" + word + "'", nil
	case !strings.Contains(word, `"`):
		return `"` + word + `"`, nil
	}
	return "", errors.New("the value holds both kinds of quotes, which Go's -ldflags cannot take")
}

// fetch brings the modules that the service needs into the module cache.
func fetch(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain) (said string, err error) {
	defer timing.Start(ctx, "fetch")()
	env := fetching("local", append(slices.Concat(t.access, target(svc, p)), "GOENV=off", "GOROOT="+t.Root)...)
	args := []string{"list", "-deps", "-f={{with .Error}}{{.}}{{end}}"}
	if len(svc.BuildTags) > 0 {
		args = append(args, "-tags="+strings.Join(svc.BuildTags, ","))
	}
	return run(ctx, svc, t, env, append(args, svc.Package))
}

func run(ctx context.Context, svc *service.Service, t *Toolchain, env, args []string) (said string, err error) {
	cmd := exec.CommandContext(ctx, t.Go(), args...)
	cmd.Dir = svc.Dir
	cmd.Env = append(env, "PWD="+svc.Dir)
	// Go ends its compilers when it is interrupted; killed, it leaves them behind.
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) != nil {
			return cmd.Process.Kill() // as on Windows
		}
		return nil
	}
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	said = downloading().ReplaceAllString(out.String(), "")
	return strings.TrimRight(said, "\n"), err
}

// downloading is Go's word of progress, which is none of what went wrong.
var downloading = pattern.New(`(?m)^go: downloading .*\n`)

// fail tells a compiler that objected from one that could not be run, and adds
// what Go does not say.
func fail(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain, said string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || said == "" {
		return fmt.Errorf("compiling %s for %s: running %s: %w", svc.Name, p, t.Go(), err)
	}
	e := &CompileError{Service: svc.Name, Platform: p, Output: said}
	if users := cgoUsers(ctx, svc, p, t); len(users) > 0 {
		e.Hint = "these packages need cgo, and an image without a C library has no place for it: " +
			strings.Join(users, ", ") + "; look for a pure Go replacement, or a build tag that turns cgo off"
	}
	return e
}

// cgoUsers lists the packages, outside the standard library, whose Go code is
// partly cgo: the likely cause when a build without cgo fails.
func cgoUsers(ctx context.Context, svc *service.Service, p v1.Platform, t *Toolchain) []string {
	env := append(fetching("local", append(slices.Concat(t.access, target(svc, p)), "GOENV=off", "GOROOT="+t.Root, "GOPROXY=off")...), "CGO_ENABLED=1")
	args := []string{"list", "-e", "-deps", "-f={{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}"}
	if len(svc.BuildTags) > 0 {
		args = append(args, "-tags="+strings.Join(svc.BuildTags, ","))
	}
	cmd := exec.CommandContext(ctx, t.Go(), append(args, svc.Package)...)
	cmd.Dir = svc.Dir
	cmd.Env = env
	out, err := cmd.Output()
	if err != nil {
		return nil // a hint, not an answer
	}
	return strings.Fields(string(out))
}

// isArchive tells whether a file is what "go build -o" writes for a package
// that is not main.
func isArchive(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 8)
	n, _ := f.Read(head)
	return string(head[:n]) == "!<arch>\n"
}

// Workers is how many builds to run side by side on this machine, and how many
// compilers each of them may start.
func Workers() (builds, compilers int) {
	cores := runtime.NumCPU()
	builds = min(cores, 4)
	return builds, max(2, cores/builds)
}

// RelativeDir is the service's folder as people know it, for messages.
func RelativeDir(svc *service.Service) string {
	rel, err := filepath.Rel(svc.Root, filepath.Join(svc.Dir, filepath.FromSlash(svc.Package)))
	if err != nil {
		return svc.Dir
	}
	return filepath.ToSlash(rel)
}
