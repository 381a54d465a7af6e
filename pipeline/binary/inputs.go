package binary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/memory"
	"temper/pipeline/service"
	"temper/pipeline/store"
)

// inputs are all that goes into a binary, by content: what Go compiles of the repository
// and of the standard library, what it embeds, the files that choose the modules, and the
// settings. Modules in the module cache are known by go.sum, as they are to Go.
type inputs struct {
	// Binary is the digest of what came of them.
	Binary string `json:"binary"`
	// Settings stand for the toolchain, the target and the flags.
	Settings map[string]string `json:"settings"`
	// Standard holds the hash of what Go reads in each folder of the standard library.
	Standard map[string]string `json:"standard"`
	// Folders hold the hashes of the files that Go reads directly in each, Trees those of
	// all that is below, and Files those of single ones, empty where there is to be none.
	Folders map[string]map[string]string `json:"folders"`
	Trees   map[string]map[string]string `json:"trees"`
	Files   map[string]string            `json:"files"`
	// Embed are the folders of which the names of all files count.
	Embed []string `json:"embed"`
}

// settings are all that decides bytes beside files, by what people call it.
func settings(svc *service.Service, p v1.Platform, t *Toolchain, opts Options) (map[string]string, error) {
	tools, err := t.Sum()
	if err != nil {
		return nil, err
	}
	opts.Parallel = 0
	args, err := arguments(svc, "", opts)
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"the Go release": t.Version, "GOROOT": t.Root, "the toolchain's hash": tools,
		"the command line": fmt.Sprintf("go %q", args), "the folder": svc.Dir,
	}
	for _, kv := range target(svc, p) {
		name, value, _ := strings.Cut(kv, "=")
		all[name] = value
	}
	return all, nil
}

// Remember notes what went into the binary, so that a build of the same is no build. The
// imports are what [Deps] says. What has changed since the build began is not what was
// compiled: then nothing is noted, and the next build compiles.
func (b *Binary) Remember(ctx context.Context, svc *service.Service, t *Toolchain, opts Options, imports *Imports) error {
	if b.Inputs != "" || b.began.IsZero() {
		return nil
	}
	c, err := opts.cacheDir(svc, b.Platform, t)
	if err != nil {
		return err
	}
	in := newInputs()
	in.Binary = b.Digest.String()
	if in.Settings, err = settings(svc, b.Platform, t, opts); err != nil {
		return nil // a toolchain whose programs lie elsewhere
	}
	in.gather(svc, t, imports)
	rested, err := in.fill(b.began.Add(-store.Grace), opts.Facts)
	if err != nil || !rested {
		return err
	}
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, c.path("lock"))
	if err != nil {
		return fmt.Errorf("locking the build cache of %s: %w", svc.Name, err)
	}
	defer unlock()
	// What is noted says of which binary it is, so that it harms nobody if that is altered.
	if sum, err := os.ReadFile(c.sum()); err != nil || strings.TrimSpace(string(sum)) != b.Digest.String() {
		return nil // another build has been here
	}
	if err := replace(c.inputs(), text); err != nil {
		return fmt.Errorf("noting what was built: %w", err)
	}
	b.Inputs = fmt.Sprintf("%x", sha256.Sum256(text))
	if imports.listed != b.Platform.String() {
		return nil
	}
	if text, err = json.Marshal(listedBefore{in, imports.all}); err != nil {
		return err
	}
	if err := replace(c.listed(), text); err != nil {
		return fmt.Errorf("noting what was listed: %w", err)
	}
	return nil
}

func newInputs() *inputs {
	return &inputs{
		Standard: make(map[string]string), Folders: make(map[string]map[string]string),
		Trees: make(map[string]map[string]string), Files: make(map[string]string),
	}
}

// gather lists what goes into a binary.
func (in *inputs) gather(svc *service.Service, t *Toolchain, imports *Imports) {
	roots := []string{svc.Module}
	if svc.Workfile != "" {
		roots = append(roots, filepath.Dir(svc.Workfile))
		in.Files[svc.Workfile], in.Files[svc.Workfile+".sum"] = "", ""
	}
	for _, p := range imports.Packages() {
		if p.Dir == "" || inside(t.ModCache, p.Dir) {
			continue
		}
		if inside(t.Root, p.Dir) {
			in.Standard[p.Dir] = ""
			continue
		}
		in.Folders[p.Dir] = nil
		if p.Standard || p.Module == nil {
			continue
		}
		if p.Module.Dir != "" { // that of a vendored module is nowhere
			roots = append(roots, p.Module.Dir)
			// A go.mod between a module and its package would take the package away.
			for dir := filepath.Dir(p.Dir); inside(p.Module.Dir, dir) && dir != p.Module.Dir; dir = filepath.Dir(dir) {
				in.Files[filepath.Join(dir, "go.mod")] = ""
			}
		}
		for _, name := range p.EmbedFiles {
			first, _, below := strings.Cut(filepath.ToSlash(name), "/")
			if below {
				in.Trees[filepath.Join(p.Dir, first)] = nil
			} else {
				in.Files[filepath.Join(p.Dir, name)] = ""
			}
		}
		if len(p.EmbedFiles) > 0 && !slices.Contains(in.Embed, p.Dir) {
			in.Embed = append(in.Embed, p.Dir)
		}
	}
	for _, dir := range roots {
		for _, name := range []string{"go.mod", "go.sum", "vendor/modules.txt"} {
			in.Files[filepath.Join(dir, filepath.FromSlash(name))] = ""
		}
	}
}

// standard are the hashes of folders in a GOROOT, which do not change while a command
// runs, and which all services have in common: one reads them, and others wait.
var standard sync.Map

// fill hashes all that was gathered, and tells whether none of it has changed since.
func (in *inputs) fill(since time.Time, known *memory.Folder) (rested bool, err error) {
	r := reader{since: since}
	if err := r.own(in); err != nil {
		return false, err
	}
	err = r.standard(in, known)
	return !r.late, err
}

// standard hashes what is of the standard library, or takes what is known of folders that
// nobody has touched.
func (r *reader) standard(in *inputs, known *memory.Folder) error {
	before := stampsOf(known, in.Settings["GOROOT"])
	for dir := range in.Standard {
		once, _ := standard.LoadOrStore(dir, sync.OnceValues(func() (string, error) {
			return before.get(dir, func() (string, error) {
				files, err := r.folder(dir, true)
				return hashOf(files), err
			})
		}))
		var err error
		if in.Standard[dir], err = once.(func() (string, error))(); err != nil {
			return err
		}
	}
	return before.save()
}

// own hashes all else.
func (r *reader) own(in *inputs) (err error) {
	for dir := range in.Folders {
		if in.Folders[dir], err = r.folder(dir, slices.Contains(in.Embed, dir)); err != nil {
			return err
		}
	}
	for dir := range in.Trees {
		if in.Trees[dir], err = r.tree(dir); err != nil {
			return err
		}
	}
	for name := range in.Files {
		if in.Files[name], err = r.file(name); err != nil {
			return err
		}
	}
	return nil
}

// hashOf stands for files and what is in them.
func hashOf(files map[string]string) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%q %s\n", name, files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// unchanged returns the name of the inputs of the last build, which made that binary, if a build with these
// settings would read the same. If not, or if that cannot be told, it says why, and what
// has become of the repository's own among those inputs, nil if not all of them could be
// looked at. An edit shows there, and is told before anything of Go's is read.
func (c cacheDir) unchanged(svc *service.Service, binary v1.Hash, settings func() (map[string]string, error), known *memory.Folder) (name string, now *inputs, why []string) {
	text, err := os.ReadFile(c.inputs())
	if err != nil {
		return "", nil, []string{"the last build did not end, or its files changed meanwhile"}
	}
	was := newInputs()
	if json.Unmarshal(text, was) != nil || len(was.Folders) == 0 {
		return "", nil, []string{"what is noted of the last build cannot be read"}
	}
	if was.Binary != binary.String() {
		return "", nil, []string{"the last build did not end, or its files changed meanwhile"}
	}
	now = &inputs{
		Settings: was.Settings, Standard: was.Standard, Folders: maps.Clone(was.Folders),
		Trees: maps.Clone(was.Trees), Files: maps.Clone(was.Files), Embed: was.Embed,
	}
	if err := new(reader).own(now); err != nil {
		return "", nil, []string{err.Error()}
	}
	why = was.differ(svc.Root, now)
	if len(why) == 0 {
		if err := now.rest(settings, known); err != nil {
			return "", nil, []string{err.Error()}
		}
		why = was.differ(svc.Root, now)
	}
	if len(why) > 0 {
		return "", now, why
	}
	return fmt.Sprintf("%x", sha256.Sum256(text)), now, nil
}

// rest adds what is not the repository's own: the settings and the standard library.
func (in *inputs) rest(settings func() (map[string]string, error), known *memory.Folder) (err error) {
	if in.Settings, err = settings(); err != nil {
		return err
	}
	in.Standard = maps.Clone(in.Standard)
	return new(reader).standard(in, known)
}

// differ says in people's words what is not as it was, sorted.
func (in *inputs) differ(root string, now *inputs) []string {
	var why []string
	for _, name := range keys(in.Settings, now.Settings) {
		if was, is := in.Settings[name], now.Settings[name]; was != is {
			why = append(why, fmt.Sprintf("%s is %s, and was %s", name, is, was))
		}
	}
	for _, dir := range keys(in.Standard, now.Standard) {
		if in.Standard[dir] != now.Standard[dir] {
			why = append(why, dir+" has changed")
		}
	}
	files := func(in, now map[string]string, at func(name string) string) {
		for _, name := range keys(in, now) {
			switch was, is := in[name], now[name]; {
			case was == is:
			case was == "":
				why = append(why, at(name)+" is new")
			case is == "":
				why = append(why, at(name)+" is gone")
			default:
				why = append(why, at(name)+" has changed")
			}
		}
	}
	called := func(name string) string {
		if rel, err := filepath.Rel(root, name); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
		return name
	}
	files(in.Files, now.Files, called)
	for _, below := range []struct{ in, now map[string]map[string]string }{{in.Folders, now.Folders}, {in.Trees, now.Trees}} {
		for _, dir := range keys(below.in, below.now) {
			files(below.in[dir], below.now[dir], func(name string) string { return called(filepath.Join(dir, name)) })
		}
	}
	slices.Sort(why)
	return slices.Compact(why)
}

// keys are those of either map, sorted.
func keys[V any](a, b map[string]V) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}

// A reader hashes files, and notes whether one of them is younger than a time.
type reader struct {
	since time.Time
	late  bool
	// buffer is what all files go through: there are thousands of small ones.
	buffer []byte
}

// folder hashes what Go may read directly in a folder: sources, profiles, and a go.mod
// that would make another module of it. With names those of all files count.
func (r *reader) folder(dir string, names bool) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string]string)
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasSuffix(name, "_test.go"):
			continue
		case reads(name):
			if files[name], err = r.file(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		case names:
			files[name] = "present"
		}
	}
	return files, nil
}

// reads tells of a file that is no test whether Go may read it without being told its name.
func reads(name string) bool {
	switch path.Ext(name) {
	case ".go", ".s", ".h", ".syso", ".pgo":
		return true
	}
	return name == "go.mod"
}

// tree hashes all that is below a folder. A file's name is its path in it.
func (r *reader) tree(dir string) (map[string]string, error) {
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			files[rel] = "a folder"
			return nil
		}
		files[rel], err = r.file(name)
		return err
	})
	return files, err
}

// file hashes a file, or what a link leads to; empty if there is none.
func (r *reader) file(name string) (string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return info.Mode().Type().String(), nil
	}
	if !r.since.IsZero() && store.Changed(info).After(r.since) {
		r.late = true
	}
	if r.buffer == nil {
		r.buffer = make([]byte, 32<<10)
	}
	sum := sha256.New()
	// Nothing but a reader, for a file that may write itself makes a buffer of its own.
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{f}, r.buffer); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// replace writes a file beside and moves it into place.
func replace(name string, text []byte) error {
	tmp := name + ".new"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
