package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"temper/checks"
	"temper/checks/executables"
	"temper/checks/memory"
	"temper/checks/sources"
	"temper/pipeline/binary"
	"temper/pipeline/program"
	"temper/pipeline/service"
)

// looked is what is remembered of Go code that was looked at before.
func looked(cache string) (*sources.Memory, error) {
	return sources.NewMemory(filepath.Join(cache, "looked"))
}

// seenBefore holds the reports about the code of services.
func seenBefore(cache string) (*memory.Folder, error) {
	return memory.Open(filepath.Join(cache, "code"))
}

// seenCode is what is remembered of the code of a service, by the inputs of its binaries.
type seenCode struct {
	Report  *checks.Report
	Hosts   sources.HostCheck
	Creates []sources.Creation
}

// remembered is what find has found before, from the same things, or what it finds now.
// A nil folder remembers nothing, and so do no things.
func remembered[T any](in *memory.Folder, from []any, find func() (T, error)) (T, error) {
	var known T
	if in == nil || from == nil {
		return find()
	}
	sum := sha256.New()
	for _, part := range from {
		fmt.Fprintf(sum, "%q\n", fmt.Sprint(part))
	}
	key := hex.EncodeToString(sum.Sum(nil))
	if text := in.Load(key); text != nil && json.Unmarshal(text, &known) == nil {
		return known, nil
	}
	found, err := find()
	if err != nil {
		return found, err
	}
	text, err := json.Marshal(found)
	if err != nil {
		return found, err
	}
	return found, in.Save(key, text)
}

// code judges the Go code that a service's binaries are made of.
func (l *line) code(ctx context.Context, one *product, bins []*binary.Binary) (*checks.Report, error) {
	look := func() (seenCode, error) { return l.lookAtCode(ctx, one, bins) }
	from := inputsOf(one.service, bins)
	if from == nil { // until they have been looked at
		seen, err := look()
		if err != nil {
			return nil, err
		}
		from, look = inputsOf(one.service, bins), func() (seenCode, error) { return seen, nil }
	}
	seen, err := remembered(l.judged, from, look)
	one.hosts, one.creates = seen.Hosts, seen.Creates
	return seen.Report, err
}

// lookAtCode looks at the code of a service. Whatever goes wrong with what Go has said of
// its packages before, Go is asked again: the cache may have been cleared or altered.
func (l *line) lookAtCode(ctx context.Context, one *product, bins []*binary.Binary) (seenCode, error) {
	seen, err := l.lookOnce(ctx, one, bins)
	if err == nil || ctx.Err() != nil || !one.askAgain() {
		return seen, err
	}
	return l.lookOnce(ctx, one, bins)
}

// lookOnce judges what the binaries are made of, and notes meanwhile what that was.
func (l *line) lookOnce(ctx context.Context, one *product, bins []*binary.Binary) (seen seenCode, err error) {
	programs, imports, err := l.programs(ctx, one, bins)
	if err != nil {
		return seen, err
	}
	g, both := errgroup.WithContext(ctx)
	g.Go(func() error {
		for i, b := range bins {
			if err := b.Remember(both, one.service, one.toolchain, l.options(), imports[i]); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() (err error) {
		if known := one.ahead.seen(); known != nil && len(programs) == 1 {
			seen = *known
			return nil
		}
		seen, err = l.lookAt(both, one.service, programs)
		return err
	})
	err = g.Wait()
	return seen, err
}

func (l *line) lookAt(ctx context.Context, svc *service.Service, programs []*sources.Program) (seen seenCode, err error) {
	l.looking.Lock()
	defer l.looking.Unlock()
	defer frugal(programs...)()
	if len(svc.Manifests) > 0 {
		if seen.Hosts, err = sources.HostCheckOf(ctx, l.looked, programs...); err != nil {
			return seen, err
		}
		if seen.Creates, err = sources.CreationsOf(ctx, l.looked, programs...); err != nil {
			return seen, err
		}
	}
	seen.Report, err = sources.Check(ctx, svc.Name, sources.CodeRules, l.looked, programs...)
	return seen, err
}

// askAgain has Go asked for the packages of a product once more, and tells whether that
// is of use: it has not just been.
func (one *product) askAgain() bool {
	one.asking.Lock()
	defer one.asking.Unlock()
	if one.ask {
		return false
	}
	for _, known := range one.imports {
		one.ask = one.ask || !known.Listed()
	}
	if one.ask {
		one.imports = nil
	}
	return one.ask
}

// programs are what the binaries are made of, one for all of them where the files are
// the same, and the imports of each.
func (l *line) programs(ctx context.Context, one *product, bins []*binary.Binary) ([]*sources.Program, []*binary.Imports, error) {
	var programs []*sources.Program
	all := make([]*binary.Imports, len(bins))
	for i, b := range bins {
		if i > 0 && !program.Varies(one.service, all[i-1]) {
			all[i] = all[i-1]
			continue
		}
		var err error
		if all[i], err = l.imports(ctx, one, b); err != nil {
			return nil, nil, err
		}
		p, err := program.Of(one.service, b.Platform, all[i])
		if err != nil {
			return nil, nil, err
		}
		programs = append(programs, p)
	}
	return programs, all, nil
}

// inputsOf are all that the binaries of a service were made from, none where that is not
// known of one of them.
func inputsOf(svc *service.Service, bins []*binary.Binary) []any {
	from := []any{"code", svc.Name, len(svc.Manifests) > 0}
	for _, b := range bins {
		if b.Inputs == "" {
			return nil
		}
		from = append(from, b.Platform, b.Inputs)
	}
	return from
}

// frugal has garbage collected more often than patience does until done is called. Syntax
// and types are most of what this program ever holds, and garbage as soon as a package has
// been looked at: on Temper's own code it is 180 MB in place of 390, for a sixth more
// processor time. Where one package is most of what is looked at, none of it is garbage
// before the end, and to collect as often takes a fifth more time for 40 MB of 430.
func frugal(programs ...*sources.Program) (done func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	percent := 50
	if mostIsOne(programs) {
		percent = 100
	}
	was := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(was) }
}

// mostIsOne tells that one package is most of large programs.
func mostIsOne(programs []*sources.Program) bool {
	const large = 1 << 20 // bytes of source
	whole, most := 0, 0
	for _, p := range programs {
		for _, pkg := range p.Packages {
			size := 0
			for _, f := range pkg.Files {
				size += len(f.Content)
			}
			whole, most = whole+size, max(most, size)
		}
	}
	return most > large && most > whole/2
}

// imports are the packages of a binary, for which Go is asked once.
func (l *line) imports(ctx context.Context, one *product, bin *binary.Binary) (*binary.Imports, error) {
	one.asking.Lock()
	defer one.asking.Unlock()
	platform := bin.Platform.String()
	if known := one.imports[platform]; known != nil {
		return known, nil
	}
	find := bin.Deps
	if one.ask {
		find = bin.List
	}
	deps, err := find(ctx, one.service, one.toolchain, l.options())
	if err != nil {
		return nil, err
	}
	if one.imports == nil {
		one.imports = make(map[string]*binary.Imports)
	}
	one.imports[platform] = deps
	return deps, nil
}

// A codeReader judges the Go code of folders.
type codeReader struct {
	*person
	// looked opens what is remembered of code.
	looked func() (*sources.Memory, error)
	// fix says to mend what can be mended first.
	fix bool
}

// below judges the Go code of a folder: the services' of a temper.yaml, those of a go.work
// or go.mod, or those of all modules below it. There is no report where there is no code.
// The limit is what manifests beside it set for the CPU, empty for none.
func (c codeReader) below(ctx context.Context, dir, limit string) ([]*checks.Report, error) {
	folders, err := openCode(ctx, dir)
	if err != nil || len(folders) == 0 {
		return nil, err
	}
	looked, err := c.looked()
	if err != nil {
		return nil, err
	}
	if c.fix {
		changed, err := c.mend(ctx, dir, folders, looked)
		if err != nil {
			return nil, err
		}
		if changed {
			if folders, err = openCode(ctx, dir); err != nil {
				return nil, err
			}
		}
	}
	var reports []*checks.Report
	for _, one := range folders {
		r, err := one.judge(ctx, dir, limit, looked)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// openCode finds the Go code of a folder.
func openCode(ctx context.Context, dir string) ([]codeFolder, error) {
	modules := []string{dir}
	switch {
	case exists(dir, service.ConfigName):
		one, err := openServices(ctx, dir)
		return []codeFolder{one}, err
	case !exists(dir, "go.work") && !exists(dir, "go.mod"):
		var err error
		if modules, err = modulesBelow(ctx, dir); err != nil {
			return nil, err
		}
	}
	var folders []codeFolder
	for _, module := range modules {
		one, err := openFolder(ctx, dir, module)
		if err != nil {
			return nil, err
		}
		folders = append(folders, one)
	}
	return folders, nil
}

// mend applies the fixes, and tells whether there were any.
func (c codeReader) mend(ctx context.Context, dir string, folders []codeFolder, looked *sources.Memory) (changed bool, err error) {
	for _, one := range folders {
		if len(one.programs) == 0 {
			continue
		}
		found, err := sources.Analyze(ctx, sources.CodeRules, looked, one.programs...)
		if err != nil {
			return false, err
		}
		mended, err := sources.Mend(dir, found)
		if err != nil {
			return false, err
		}
		var files []string
		for _, file := range mended.Files {
			files = append(files, path.Join(called(dir), file))
		}
		c.mended(files, len(mended.Skipped))
		changed = changed || len(mended.Files) > 0
	}
	return changed, nil
}

// A codeFolder is Go code that gets a report of its own.
type codeFolder struct {
	name     string
	programs []*sources.Program
	// modules are the folders of the go.mod files.
	modules []string
	// waivers are those of its temper.yaml, for any of its services.
	waivers []checks.Waiver
}

// openServices opens the code of the services that a temper.yaml names.
func openServices(ctx context.Context, dir string) (codeFolder, error) {
	repo, err := service.Load(ctx, dir, ruleNames()...)
	if err != nil {
		return codeFolder{}, err
	}
	one := codeFolder{name: called(dir), waivers: waivers(repo.Waivers)}
	for _, svc := range repo.Services {
		rel := relative(repo.Dir, svc.Module)
		if module := filepath.Join(dir, filepath.FromSlash(rel)); !slices.Contains(one.modules, module) {
			one.modules = append(one.modules, module)
		}
	}
	one.programs, err = program.Repository(ctx, repo)
	return one, err
}

func openFolder(ctx context.Context, root, dir string) (codeFolder, error) {
	one := codeFolder{name: called(dir)}
	if exists(dir, "go.mod") {
		one.modules = []string{dir}
	}
	p, err := program.Folder(ctx, root, dir, nil)
	if errors.Is(err, program.ErrNone) && len(one.modules) > 0 {
		return one, nil // its go.mod is looked at
	}
	one.programs = append(one.programs, p)
	return one, err
}

// modulesBelow finds the modules below a folder, but for those that Go looks away from.
func modulesBelow(ctx context.Context, dir string) ([]string, error) {
	var modules []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		base := d.Name()
		switch {
		case !d.IsDir():
			return nil
		case name != dir && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
			slices.Contains([]string{"testdata", "vendor", "node_modules"}, base)):
			return fs.SkipDir
		case exists(name, "go.mod"):
			modules = append(modules, name)
		}
		return nil
	})
	return modules, err
}

// judge looks at the code and at what the modules ask for. Findings name files as the
// folder's name does that check was asked about.
func (one codeFolder) judge(ctx context.Context, dir, limit string, memory *sources.Memory) (*checks.Report, error) {
	sum := sha256.New()
	var reports []*checks.Report
	for _, module := range one.modules {
		r, err := moduleReport(ctx, module, limit, one.imported())
		if err != nil {
			return nil, err
		}
		if len(one.modules) == 1 {
			one.name = r.Subject.Name
		}
		reports = append(reports, r)
		fmt.Fprintf(sum, "module %s\n", r.Subject.Digest)
	}
	if len(one.programs) > 0 {
		done := frugal(one.programs...)
		found, err := sources.Analyze(ctx, sources.CodeRules, memory, one.programs...)
		done()
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i].File = path.Join(called(dir), found[i].File)
		}
		r, err := sources.Report(ctx, one.name, sources.CodeRules, found)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	for _, p := range one.programs {
		for _, pkg := range p.Packages {
			for _, f := range pkg.Files {
				if pkg.Own {
					fmt.Fprintf(sum, "%q %x\n", f.Name, sha256.Sum256(f.Content))
				}
			}
		}
	}
	subject := checks.Subject{Name: one.name, Digest: "sha256:" + hex.EncodeToString(sum.Sum(nil))}
	return waive(checks.Join(&checks.Report{Subject: subject}, reports...), one.accepted(), time.Now())
}

// imported are the debug modules that the folder's own code imports, of which debug-import
// tells.
func (one codeFolder) imported() (all []string) {
	for _, p := range one.programs {
		for _, pkg := range p.Packages {
			if pkg.Own {
				for _, path := range pkg.Direct {
					if debug, _ := executables.DebugModule(path); debug != "" {
						all = append(all, debug)
					}
				}
			}
		}
	}
	return all
}

// accepted are the folder's waivers of rules about sources. The code of all services is
// looked at as one here; a build tells them apart.
func (one codeFolder) accepted() []checks.Waiver {
	var out []checks.Waiver
	about := namesOf(sources.AllRules())
	for _, w := range one.waivers {
		w.Subject = one.name
		twice := slices.ContainsFunc(out, func(o checks.Waiver) bool { return o.Rule == w.Rule })
		if slices.Contains(about, w.Rule) && !twice {
			out = append(out, w)
		}
	}
	return out
}
